// SPDX-License-Identifier: Apache-2.0
/*
 * bare-init: the limit that the boot benchmark measures other inits against.
 *
 * Everything is hard-coded and nothing is checked twice: it mounts, loads, sets and starts exactly
 * what containerd, kubelet and one pod need, in the only possible order, and then reaps for ever.
 * It supervises nothing, restarts nothing, stops nothing and must never run on a real node. An init
 * that does more can at best be as fast.
 *
 * The same program is `/init` of the initramfs (it finds the root and executes `/sbin/init` there)
 * and `/sbin/init` of the root. Unknown `name=value` words of the kernel command line reach it as
 * environment (Documentation/admin-guide/kernel-parameters.rst):
 *
 *     bench_init=PATH     what the initramfs executes instead of /sbin/init
 *     bench_virtio=1      the root is the first virtio disk instead of the first NVDIMM
 *     bench_verity=TABLE  the root is this dm-verity target; commas stand for blanks
 *     bench_state=DEVICE  ext4 for /var instead of tmpfs
 *
 * A file `/probe` in the initramfs is started inside the new root before init, so that every init
 * under test is observed by the same program.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* statfs(2); the initramfs is one or the other. */
#define RAMFS_MAGIC 0x858458f6
#define TMPFS_MAGIC 0x01021994

#define CONTAINERD_SOCKET "/run/containerd/containerd.sock"
#define NOTIFY_SOCKET "/run/notify"

struct filesystem {
	const char *source, *target, *type;
	unsigned long flags;
	const char *data;
};

struct setting {
	const char *path, *value;
};

/* What one service needs between fork and exec. */
struct service {
	const char *cgroup;
	const char *oom_score_adj;
	const char *const *argv;
};

/* How the root's device comes to exist: modules in load order, then the device. */
struct storage {
	const char *device;
	const char *const *modules;
};

static const char *const pmem_modules[] = {
	"libnvdimm", "nd_btt", "nd_pmem", "nfit", "libcrc32c", "erofs", NULL,
};

static const char *const verity_modules[] = {
	"sha256-ssse3", "dm-mod", "dm-bufio", "reed_solomon", "dm-verity", NULL,
};

static const char *const virtio_modules[] = {
	"virtio_ring",
	"virtio",
	"virtio_pci_legacy_dev",
	"virtio_pci_modern_dev",
	"virtio_pci",
	"virtio_blk",
	"libcrc32c",
	"erofs",
	NULL,
};

static const struct storage pmem = {"/dev/pmem0", pmem_modules};
static const struct storage virtio = {"/dev/vda", virtio_modules};

static const char *const node_modules[] = {
	"fs/overlayfs/overlay", "drivers/net/veth",    "net/llc/llc",
	"net/802/stp",          "net/bridge/bridge",   "net/bridge/br_netfilter",
	"drivers/acpi/button",  "drivers/input/evdev",
};

/* /dev was mounted by the initramfs and moved here. */
static const struct filesystem node_filesystems[] = {
	{"proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
	{"sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC,
	 "nsdelegate,memory_recursiveprot"},
	{"tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"},
	{"tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
};

/* kubelet refuses to start with protectKernelDefaults unless these hold; the others it checks are
 * the kernel's own defaults. The bridge plugin turns forwarding on by itself. */
static const struct setting node_settings[] = {
	{"/proc/sys/vm/overcommit_memory", "1"},
	{"/proc/sys/kernel/panic", "10"},
	{"/proc/sys/kernel/panic_on_oops", "1"},
	{"/sys/fs/cgroup/cgroup.subtree_control", "+cpuset +cpu +io +memory +hugetlb +pids"},
};

static const char *const node_directories[] = {
	"/run/keelson",
	"/run/keelson/milestones",
	"/sys/fs/cgroup/containerd",
	"/sys/fs/cgroup/kubelet",
	"/sys/fs/cgroup/shims",
	"/var/lib",
	"/var/log",
};

static char *const environment[] = {
	"PATH=/usr/sbin:/usr/bin",
	"AWS_EC2_METADATA_DISABLED=true",
	"NOTIFY_SOCKET=" NOTIFY_SOCKET,
	NULL,
};

static const char *const containerd_argv[] = {"/usr/bin/containerd", NULL};
static const char *const import_argv[] = {
	"/usr/bin/ctr", "-n", "k8s.io", "images", "import", "/usr/share/keelson/pause.tar", NULL,
};
static const char *const kubelet_argv[] = {
	"/usr/bin/kubelet",
	"--config=/etc/kubernetes/kubelet.yaml",
	"--container-runtime=remote",
	"--container-runtime-endpoint=unix://" CONTAINERD_SOCKET,
	"--pod-infra-container-image=localhost/keelson/pause:1",
	"--cert-dir=/var/lib/kubelet/pki",
	"--runtime-cgroups=/containerd",
	NULL,
};

static const struct service containerd = {"/containerd", "-999", containerd_argv};
static const struct service import = {"/containerd", "-999", import_argv};
static const struct service kubelet = {"/kubelet", "-999", kubelet_argv};

static void complain(const char *step, const char *object)
{
	int error = errno;
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	dprintf(fd, "<3>bare-init: %s %s: %s\n", step, object, strerror(error));
	close(fd);
}

static _Noreturn void give_up(const char *step, const char *object)
{
	complain(step, object);
	_exit(1); /* the kernel panics when its init exits */
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
		complain("load", path);
	if (fd >= 0)
		close(fd);
}

static void write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		complain("write", path);
	if (fd >= 0)
		close(fd);
}

static void mount_filesystem(const struct filesystem *fs)
{
	if (mount(fs->source, fs->target, fs->type, fs->flags, fs->data) < 0)
		give_up("mount", fs->target);
}

/* ---- the initramfs ---- */

static bool in_initramfs(void)
{
	struct statfs root;

	return statfs("/", &root) == 0 &&
	       (root.f_type == RAMFS_MAGIC || root.f_type == TMPFS_MAGIC);
}

static void load_modules(const char *const *modules)
{
	char path[64];

	for (size_t i = 0; modules[i]; i++) {
		snprintf(path, sizeof(path), "/modules/%s.ko", modules[i]);
		load_module(path);
	}
}

static void device_mapper(int control, unsigned long step, struct dm_ioctl *request)
{
	request->version[0] = 4;
	request->data_start = sizeof(*request);
	snprintf(request->name, sizeof(request->name), "root");
	if (syscall(SYS_ioctl, control, step, request) < 0)
		give_up("set up", "dm-verity");
}

/* Documentation/admin-guide/device-mapper/verity.rst: the table's sixth word is the number of data
 * blocks; a sector has 512 bytes, a block 4096. */
static const char *make_verity(const char *table)
{
	static struct {
		struct dm_ioctl request;
		struct dm_target_spec target;
		char parameters[512];
	} load;
	struct dm_ioctl request = {.data_size = sizeof(request)};
	unsigned long long blocks = 0;
	int control;

	load_modules(verity_modules);
	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	device_mapper(control, DM_DEV_CREATE, &request);
	snprintf(load.parameters, sizeof(load.parameters), "%s", table);
	for (char *at = load.parameters; *at; at++)
		if (*at == ',')
			*at = ' ';
	sscanf(load.parameters, "%*s %*s %*s %*s %*s %llu", &blocks);
	load.target.length = blocks * 8;
	snprintf(load.target.target_type, sizeof(load.target.target_type), "verity");
	load.request.data_size = sizeof(load);
	load.request.target_count = 1;
	load.request.flags = DM_READONLY_FLAG;
	device_mapper(control, DM_TABLE_LOAD, &load.request);
	request = (struct dm_ioctl){.data_size = sizeof(request)};
	device_mapper(control, DM_DEV_SUSPEND, &request);
	return "/dev/dm-0";
}

/* libnvdimm registers its devices asynchronously, so the node may appear a little late. */
static void wait_for(const char *device)
{
	for (int tries = 0; tries < 10000 && access(device, F_OK) < 0; tries++)
		usleep(1000);
}

static void mount_root(const struct storage *storage)
{
	const char *device = storage->device;
	const char *table = getenv("bench_verity");

	load_modules(storage->modules);
	wait_for(device);
	if (table)
		device = make_verity(table);
	if (mount(device, "/root", "erofs", MS_RDONLY, NULL) < 0)
		give_up("mount", device);
}

static void start_probe(int program)
{
	char *const argv[] = {"probe", NULL};

	if (program < 0 || fork() != 0)
		return;
	syscall(SYS_execveat, program, "", argv, environ, AT_EMPTY_PATH);
	_exit(127);
}

static _Noreturn void boot_from_initramfs(void)
{
	const char *init = getenv("bench_init") ? getenv("bench_init") : "/sbin/init";
	int probe = open("/probe", O_RDONLY | O_CLOEXEC);

	mkdir("/dev", 0755);
	mkdir("/root", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
	mount_root(getenv("bench_virtio") ? &virtio : &pmem);
	if (mount("/dev", "/root/dev", NULL, MS_MOVE, NULL) < 0 || chdir("/root") < 0 ||
	    mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
		give_up("switch to", "/root");
	start_probe(probe);
	execl(init, init, (char *)NULL);
	give_up("execute", init);
}

/* ---- the node ---- */

static void load_node_modules(void)
{
	struct utsname kernel;
	char path[256];

	uname(&kernel);
	for (size_t i = 0; i < ARRAY_SIZE(node_modules); i++) {
		snprintf(path, sizeof(path), "/usr/lib/modules/%s/kernel/%s.ko", kernel.release,
			 node_modules[i]);
		load_module(path);
	}
}

static void mount_state(void)
{
	const char *device = getenv("bench_state");
	struct filesystem state = {"tmpfs", "/var", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"};

	if (device) {
		state.source = device;
		state.type = "ext4";
		state.data = NULL;
	}
	mount_filesystem(&state);
}

/* cAdvisor wants one; a read-only /etc gets it by a bind mount, as machine-id(5) describes. */
static void make_machine_id(void)
{
	static const char id[] = "6b65656c736f6e2d626172652d696e69\n";
	int fd = open("/run/machine-id", O_WRONLY | O_CREAT | O_CLOEXEC, 0444);

	if (fd < 0 || write(fd, id, sizeof(id) - 1) < 0)
		give_up("write", "/run/machine-id");
	close(fd);
	if (mount("/run/machine-id", "/etc/machine-id", NULL, MS_BIND, NULL) < 0)
		give_up("bind", "/etc/machine-id");
}

static void bring_loopback_up(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		give_up("raise", "lo");
	close(fd);
}

static void prepare_node(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(node_filesystems); i++)
		mount_filesystem(&node_filesystems[i]);
	mount_state();
	/* Bidirectional volumes need shared propagation (mount_namespaces(7)). */
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		give_up("share", "/");
	load_node_modules();
	for (size_t i = 0; i < ARRAY_SIZE(node_settings); i++)
		write_setting(node_settings[i].path, node_settings[i].value);
	for (size_t i = 0; i < ARRAY_SIZE(node_directories); i++)
		if (mkdir(node_directories[i], 0755) < 0 && errno != EEXIST)
			complain("make", node_directories[i]);
	make_machine_id();
	bring_loopback_up();
	if (sethostname("node", strlen("node")) < 0)
		complain("set", "hostname");
}

/* Bound before containerd starts, so that its READY=1 cannot be lost (sd_notify(3)). */
static int open_notify_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = NOTIFY_SOCKET};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		give_up("bind", NOTIFY_SOCKET);
	return fd;
}

static void wait_for_ready(int notify)
{
	char message[512];
	ssize_t length;

	do {
		length = recv(notify, message, sizeof(message) - 1, 0);
		if (length < 0)
			give_up("receive from", NOTIFY_SOCKET);
		message[length] = '\0';
	} while (!strstr(message, "READY=1"));
}

/* A serial console would cost the services time that they do not spend on a real node. */
static void log_output(const char *service)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/var/log%s.log", service);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		complain("open", path);
}

static pid_t start(const struct service *service)
{
	const struct rlimit files = {1048576, 1048576};
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	char procs[64];
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork for", service->argv[0]);
	if (pid > 0)
		return pid;
	snprintf(procs, sizeof(procs), "/sys/fs/cgroup%s/cgroup.procs", service->cgroup);
	write_setting(procs, "0");
	write_setting("/proc/self/oom_score_adj", service->oom_score_adj);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_NPROC, &unlimited);
	setrlimit(RLIMIT_CORE, &unlimited);
	setsid();
	log_output(service->cgroup);
	execve(service->argv[0], (char *const *)service->argv, environment);
	complain("execute", service->argv[0]);
	_exit(127);
}

static void run(const struct service *service)
{
	pid_t pid = start(service);
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

static _Noreturn void reap_for_ever(void)
{
	for (;;)
		if (wait(NULL) < 0 && errno == ECHILD)
			pause();
}

int main(void)
{
	int notify;

	if (in_initramfs())
		boot_from_initramfs();
	prepare_node();
	notify = open_notify_socket();
	start(&containerd);
	wait_for_ready(notify);
	run(&import);
	start(&kubelet);
	reap_for_ever();
}
