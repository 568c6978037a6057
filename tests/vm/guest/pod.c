/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod: what a container of tests/vm/policy.test.py does. Each CASE prints one line a finding,
 * `ok CASE FINDING` or `not ok CASE FINDING: why`, then `end CASE`, and stays, so that the container
 * is looked at from outside, too.
 *
 *     pod serve PORT     Default rights; answer HTTP on PORT, with what a probe and a mapping reach
 *     pod bare           No capability at all
 *     pod privileged     Mount, bpf(2), namespaces, a vxlan link; and not the kernel itself
 *     pod filtered       Under the runtime's own seccomp filter
 *     pod setuid         A user that runs a setuid-root program and one with a file capability
 *     pod no-gain        The same, where the pod forbids it
 *     pod crash FILE     Die once, then stay
 *     pod alive          Exit with 0: a probe, something to execute
 *     pod who            Print the user and the effective capabilities
 *
 * The kernel's own interfaces: rtnetlink(7), bpf(2), seccomp(2), setns(2), mount(2).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define VXLAN_PORT 4789

static const char *running;

/* ---- what was found ---- */

static void found(bool good, const char *what, long detail)
{
	if (good)
		printf("ok %s %s\n", running, what);
	else
		printf("not ok %s %s: %ld (%s)\n", running, what, detail,
		       strerror(detail < 0 ? (int)-detail : 0));
}

/* A call that must succeed: 0 or more. */
static long works(const char *what, long result)
{
	int error = errno;

	found(result >= 0, what, result < 0 ? -error : result);
	return result;
}

/* A call that must fail with `wanted`. */
static void refused(const char *what, long result, int wanted)
{
	int error = errno;

	found(result < 0 && error == wanted, what, result < 0 ? -error : result);
}

/* A field of /proc/self/status; SIZE_MAX if it is not there. */
static uint64_t status_of(const char *field, int base)
{
	char line[256];
	uint64_t value = UINT64_MAX;
	FILE *status = fopen("/proc/self/status", "re");

	while (status != NULL && fgets(line, sizeof(line), status) != NULL)
		if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
			value = strtoull(line + strlen(field) + 1, NULL, base);
	if (status != NULL)
		fclose(status);
	return value;
}

static void is(const char *field, int base, uint64_t wanted)
{
	uint64_t value = status_of(field, base);

	found(value == wanted, field, (long)value);
}

static _Noreturn void stay(void)
{
	printf("end %s\n", running);
	fflush(stdout);
	for (;;)
		pause();
}

/* ---- an ordinary pod ---- */

static void answer(int client)
{
	static const char page[] = "HTTP/1.0 200 OK\r\nContent-Length: 13\r\n\r\nfrom the pod\n";
	char request[1024];

	if (read(client, request, sizeof(request)) > 0 && write(client, page, sizeof(page) - 1) < 0)
		perror("pod: answer");
	close(client);
}

/* The volumes of the pod, as far as it has them. */
static void volumes(void)
{
	static const char *const places[] = {"/volumes/empty", "/volumes/memory", "/volumes/part"};
	char path[64];
	struct stat status;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/file", places[i]);
		works(places[i], open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	}
	works("/volumes/facts/name", open("/volumes/facts/name", O_RDONLY | O_CLOEXEC));
	found(stat("/volumes/empty", &status) == 0 && status.st_gid == 2000, "fsGroup",
	      (long)status.st_gid);
}

static _Noreturn void serve(uint16_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1;
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	is("NoNewPrivs", 10, 0);
	is("Seccomp", 10, 2);
	found((status_of("CapBnd", 16) & (1ull << 16 | 1ull << 22)) == 0, "CapBnd",
	      (long)status_of("CapBnd", 16));
	works("chown", chown("/tmp", 1, 1));
	volumes();
	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	works("bind", bind(server, (struct sockaddr *)&any, sizeof(any)));
	works("listen", listen(server, 16));
	printf("end %s\n", running);
	fflush(stdout);
	for (;;) {
		int client = accept4(server, NULL, NULL, SOCK_CLOEXEC);

		if (client >= 0)
			answer(client);
	}
}

static _Noreturn void bare(void)
{
	is("CapEff", 16, 0);
	is("CapPrm", 16, 0);
	is("CapBnd", 16, 0);
	refused("chown", chown("/tmp", 1, 1), EPERM);
	refused("mount", mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
	works("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	stay();
}

/* ---- a privileged pod ---- */

static void mounts(void)
{
	long tree;

	works("mount a tmpfs", mount("none", "/mnt", "tmpfs", MS_NOSUID, "size=64k"));
	works("bind", mount("/mnt", "/tmp", NULL, MS_BIND, NULL));
	works("unmount a bind", umount2("/tmp", MNT_DETACH));
	tree = works("open_tree",
		     syscall(SYS_open_tree, AT_FDCWD, "/mnt", 1 /* OPEN_TREE_CLONE */));
	works("move_mount",
	      syscall(SYS_move_mount, tree, "", AT_FDCWD, "/tmp", 4 /* MOVE_MOUNT_F_EMPTY_PATH */));
	works("mount a proc", mount("proc", "/mnt", "proc", 0, NULL));
	/* What is mounted below a Bidirectional volume is the node's, too. */
	mkdir("/shared/inside", 0755);
	works("mount for the node", mount("none", "/shared/inside", "tmpfs", 0, "size=64k"));
}

static void bpf(void)
{
	static const struct bpf_insn leave[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K}, /* r0 = 0 */
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
	union bpf_attr program = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				  .insn_cnt = 2,
				  .insns = (uintptr_t)leave,
				  .license = (uintptr_t) "GPL"};

	works("bpf: a map", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)));
	works("bpf: a program", syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof(program)));
}

/* ---- netlink ---- */

struct request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	char attributes[256];
};

static struct rtattr *put(struct request *request, uint16_t type, const void *data, size_t size)
{
	struct rtattr *attribute =
		(void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(size);
	if (size > 0)
		memcpy(RTA_DATA(attribute), data, size);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) +
				    (uint32_t)RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void close_nest(struct request *request, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)((char *)request + request->header.nlmsg_len - (char *)nest);
}

/* The kernel's answer to one request: 0 or a negative errno. */
static long ask(struct request *request)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char copy[512];
	} reply = {0};
	int link = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	long result = link < 0 ? -errno : 0;

	if (result == 0 && sendto(link, request, request->header.nlmsg_len, 0,
				  (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		result = -errno;
	if (result == 0 && recv(link, &reply, sizeof(reply), 0) < 0)
		result = -errno;
	close(link);
	return result < 0 ? result : reply.error.error;
}

/* ip link add keelson-vx type vxlan id 42 dstport 4789; busybox's ip cannot say `id`. */
static long add_vxlan(void)
{
	struct request request = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			   .nlmsg_type = RTM_NEWLINK,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
	};
	const uint32_t id = 42;
	const uint16_t port = htons(VXLAN_PORT);
	struct rtattr *info;
	struct rtattr *data;

	put(&request, IFLA_IFNAME, "keelson-vx", sizeof("keelson-vx"));
	info = put(&request, IFLA_LINKINFO, NULL, 0);
	put(&request, IFLA_INFO_KIND, "vxlan", 5);
	data = put(&request, IFLA_INFO_DATA, NULL, 0);
	put(&request, IFLA_VXLAN_ID, &id, sizeof(id));
	put(&request, IFLA_VXLAN_PORT, &port, sizeof(port));
	close_nest(&request, data);
	close_nest(&request, info);
	return ask(&request);
}

static void namespaces(void)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	works("unshare", unshare(CLONE_NEWNET));
	works("setns", setns(own, CLONE_NEWNET));
	close(own);
	/* hostPID: the node's PID 1, as `nsenter -t 1` does for drivers of storage. */
	own = open("/proc/1/ns/uts", O_RDONLY | O_CLOEXEC);
	works("setns of PID 1", setns(own, CLONE_NEWUTS));
	close(own);
}

static _Noreturn void privileged(void)
{
	long vxlan;

	mounts();
	bpf();
	namespaces();
	vxlan = add_vxlan();
	found(vxlan == 0, "a vxlan link", vxlan);
	found(if_nametoindex("keelson-vx") != 0, "the link is there", -errno);
	is("NoNewPrivs", 10, 0);
	is("Seccomp_filters", 10, 1);
	/* Privileged is not the kernel itself. */
	refused("init_module", syscall(SYS_init_module, "", 0, ""), EPERM);
	refused("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0), EPERM);
	refused("reboot", syscall(SYS_reboot, 0xfee1dead, 0x28121969, 0, NULL), EPERM);
	stay();
}

static _Noreturn void filtered(void)
{
	is("Seccomp_filters", 10, 2);
	is("NoNewPrivs", 10, 0);
	refused("mount", mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
	refused("unshare", unshare(CLONE_NEWUSER), EPERM);
	works("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	works("fork", fork() == 0 ? (_exit(0), 0) : wait(NULL));
	stay();
}

/* ---- who gains what ---- */

/* What `path who` prints: its effective user and capabilities. */
static void gained(const char *path, unsigned int *user, uint64_t *capabilities)
{
	char line[128] = "";
	int ends[2];
	pid_t child;

	*user = UINT32_MAX;
	*capabilities = UINT64_MAX;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	child = fork();
	if (child == 0) {
		dup2(ends[1], 1);
		execl(path, path, "who", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	if (read(ends[0], line, sizeof(line) - 1) > 0)
		sscanf(line, "user %u effective %lx", user, (unsigned long *)capabilities);
	close(ends[0]);
	waitpid(child, NULL, 0);
}

static _Noreturn void setuid_case(bool gain)
{
	uint64_t capabilities;
	unsigned int user;

	is("NoNewPrivs", 10, gain ? 0 : 1);
	found(getuid() == 1000 && geteuid() == 1000, "a user", geteuid());
	gained("/pod-setuid", &user, &capabilities);
	found(user == (gain ? 0 : 1000), "the setuid-root program", user);
	gained("/pod-netraw", &user, &capabilities);
	found(user == 1000 && capabilities == (gain ? 1ull << 13 : 0),
	      "the program with a file capability", (long)capabilities);
	stay();
}

static int who(void)
{
	printf("user %u effective %lx\n", (unsigned)geteuid(),
	       (unsigned long)status_of("CapEff", 16));
	return 0;
}

static _Noreturn void crash(const char *mark)
{
	int file = open(mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (file >= 0) {
		printf("dying %s\n", running);
		fflush(stdout);
		/* A fault, not raise(): the first process of a pid namespace is spared its own signals. */
		__builtin_trap();
	}
	found(errno == EEXIST, "started again", -errno);
	stay();
}

int main(int argc, char **argv)
{
	running = argc > 1 ? argv[1] : "";
	if (argc == 3 && strcmp(running, "serve") == 0)
		serve((uint16_t)atoi(argv[2]));
	if (argc == 3 && strcmp(running, "crash") == 0)
		crash(argv[2]);
	if (strcmp(running, "bare") == 0)
		bare();
	if (strcmp(running, "privileged") == 0)
		privileged();
	if (strcmp(running, "filtered") == 0)
		filtered();
	if (strcmp(running, "setuid") == 0)
		setuid_case(true);
	if (strcmp(running, "no-gain") == 0)
		setuid_case(false);
	if (strcmp(running, "alive") == 0)
		return 0;
	if (strcmp(running, "who") == 0)
		return who();
	fputs("usage: pod serve PORT | bare | privileged | filtered | setuid | no-gain | crash "
	      "FILE | "
	      "alive | who\n",
	      stderr);
	return 2;
}
