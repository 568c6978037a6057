/* SPDX-License-Identifier: Apache-2.0 */
/* The plan: what was written reads back, and nothing else is accepted unless it can be walked. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <cmocka.h>

#include "rootfs-spec/crc32.h"
#include "rootfs-spec/plan_write.h"
#include "tests/unit/plan_walk.h"

#define SECOND 1000000000ull
#define MUTATIONS 120000u

struct file {
	uint8_t *bytes;
	size_t size;
};

/* ---- plans to begin with ---- */

static void write_mounts(struct plan_writer *writer)
{
	const char *options[] = {"size", "10%", "huge", ""};
	const char *lowers[] = {"/etc", "/usr/share/etc"};
	struct plan_mount state = {
		.target = plan_write_string(writer, "/var"),
		.type = plan_write_string(writer, "ext4"),
		.source = plan_write_string(writer, "state"),
		.source_kind = PLAN_SOURCE_PARTITION,
		.attributes = 6,
		.mount_flags = MS_NOSUID | MS_NODEV,
		.propagation = MS_SHARED | MS_REC,
		.options = plan_write_strings(writer, options, 4),
		.data = plan_write_string(writer, "size=10%,huge"),
		.flags = PLAN_MOUNT_MAKE | PLAN_MOUNT_GROW,
	};
	struct plan_mount overlay = {
		.target = plan_write_string(writer, "/etc"),
		.type = plan_write_string(writer, "overlay"),
		.source = plan_write_string(writer, "overlay"),
		.source_kind = PLAN_SOURCE_OVERLAY,
		.lowers = plan_write_strings(writer, lowers, 2),
		.upper = plan_write_string(writer, "/run/upper"),
		.work = plan_write_string(writer, "/run/upper.work"),
	};

	plan_write_mount(writer, &state);
	plan_write_mount(writer, &overlay);
}

/* Reads the number, denies one call, allows the rest; then some that are never reached. */
static const struct sock_filter some_filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 169, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
	BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	BPF_STMT(BPF_JMP | BPF_JA, 1),
	BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 3),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static const struct bpf_insn some_device_program[] = {
	{.code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = 2, .src_reg = 1, .off = 4},
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 0},
	{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 2, .off = 1, .imm = 1},
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1},
	{.code = BPF_JMP | BPF_EXIT},
};

static uint32_t write_policy(struct plan_writer *writer)
{
	const char *devices[] = {"/dev/null", "/dev/urandom"};
	struct plan_filter filters[] = {
		{.audit_arch = AUDIT_ARCH_X86_64,
		 .program = plan_write_blob(writer, some_filter, sizeof(some_filter))},
		{.audit_arch = AUDIT_ARCH_AARCH64,
		 .program = plan_write_blob(writer, &some_filter[8], sizeof(some_filter[8]))},
	};
	struct plan_landlock rules[] = {
		{.kind = PLAN_LANDLOCK_PATH,
		 .access = 0xd,
		 .path = plan_write_string(writer, "/usr")},
		{.kind = PLAN_LANDLOCK_PORT, .access = 1, .port = 443},
	};
	struct plan_sandbox hidden = {.kind = PLAN_SANDBOX_HIDDEN,
				      .path = plan_write_string(writer, "/proc/kcore")};
	struct plan_policy policy = {
		.name = plan_write_string(writer, "strict"),
		.flags = PLAN_POLICY_CAPS | PLAN_POLICY_NO_NEW_PRIVS | PLAN_POLICY_LANDLOCK |
			 PLAN_POLICY_PRIVATE_DEV,
		.mode = PLAN_MODE_ENFORCE,
		.proc = PLAN_PROC_OWN,
		.namespaces = CLONE_NEWNS | CLONE_NEWIPC,
		.cap_bounding = 0xff,
		.cap_permitted = 0xff,
		.cap_inheritable = 3,
		.cap_ambient = 1,
		.filters = {plan_write_filter(writer, &filters[0]), 2},
		.landlock = {plan_write_landlock(writer, &rules[0]), 2},
		.landlock_fs = 0x1fff,
		.landlock_net = 1,
		.sandbox = {plan_write_sandbox(writer, &hidden), 1},
		.devices = plan_write_strings(writer, devices, 2),
		.device_program = plan_write_blob(writer, some_device_program,
						  sizeof(some_device_program)),
	};

	plan_write_filter(writer, &filters[1]);
	plan_write_landlock(writer, &rules[1]);
	return plan_write_policy(writer, &policy);
}

static struct plan_list write_probes(struct plan_writer *writer)
{
	struct plan_probe probes[] = {
		{.kind = PLAN_PROBE_NOTIFY, .command = PLAN_NONE},
		{.kind = PLAN_PROBE_SOCKET,
		 .command = PLAN_NONE,
		 .target = plan_write_string(writer, "/run/x.sock"),
		 .interval_ns = SECOND},
		{.kind = PLAN_PROBE_HTTP,
		 .number = 10248,
		 .command = PLAN_NONE,
		 .timeout_ns = SECOND,
		 .target = plan_write_string(writer, "/healthz"),
		 .interval_ns = SECOND},
	};
	uint32_t first = plan_write_probe(writer, &probes[0]);

	plan_write_probe(writer, &probes[1]);
	plan_write_probe(writer, &probes[2]);
	return (struct plan_list){first, 3};
}

static uint32_t write_command(struct plan_writer *writer, const char *program, uint64_t timeout_ns)
{
	const char *argv[] = {program, "now"};
	struct plan_command command = {.argv = plan_write_strings(writer, argv, 2),
				       .timeout_ns = timeout_ns};

	return plan_write_command(writer, &command);
}

/* Everything that only one of the services has: c, number 3 of the plan. */
static void write_particulars(struct plan_writer *writer, struct plan_service *service)
{
	static const uint64_t cpus[2] = {5, 1};
	struct plan_probe ready[] = {
		{.kind = PLAN_PROBE_FD, .number = 5, .command = PLAN_NONE},
		{.kind = PLAN_PROBE_COMMAND,
		 .command = write_command(writer, "/usr/bin/ready", SECOND),
		 .interval_ns = SECOND,
		 .timeout_ns = SECOND},
	};
	struct plan_probe life[] = {
		{.kind = PLAN_PROBE_COMMAND,
		 .command = write_command(writer, "/usr/bin/alive", 2 * SECOND),
		 .interval_ns = SECOND,
		 .timeout_ns = 2 * SECOND,
		 .failures = 3},
		{.kind = PLAN_PROBE_SOCKET,
		 .command = PLAN_NONE,
		 .target = plan_write_string(writer, "/run/x.sock"),
		 .interval_ns = SECOND,
		 .failures = 1},
	};
	struct plan_condition conditions[] = {
		{.kind = PLAN_CONDITION_PATH, .value = plan_write_string(writer, "/etc/x")},
		{.kind = PLAN_CONDITION_KERNEL_WORD,
		 .flags = PLAN_CONDITION_NOT,
		 .value = plan_write_string(writer, "quiet")},
		{.kind = PLAN_CONDITION_FIRST_BOOT},
	};
	plan_str var = plan_write_string(writer, "/var/lib/x");
	struct plan_sandbox sandbox[] = {
		{.kind = PLAN_SANDBOX_TMP, .path = plan_write_string(writer, "/tmp")},
		{.kind = PLAN_SANDBOX_READ_ONLY, .path = plan_write_string(writer, "/")},
		{.kind = PLAN_SANDBOX_HIDDEN,
		 .path = plan_write_string(writer, "/root"),
		 .flags = PLAN_SANDBOX_OPTIONAL},
		{.kind = PLAN_SANDBOX_BIND, .path = var, .source = var},
	};

	service->probes = (struct plan_list){plan_write_probe(writer, &ready[0]), 2};
	plan_write_probe(writer, &ready[1]);
	service->liveness = (struct plan_list){plan_write_probe(writer, &life[0]), 2};
	plan_write_probe(writer, &life[1]);
	service->pre = (struct plan_list){write_command(writer, "/usr/bin/pre", SECOND), 2};
	write_command(writer, "/usr/bin/pre", SECOND);
	service->post = (struct plan_list){write_command(writer, "/usr/bin/post", SECOND), 1};
	service->reload_command = write_command(writer, "/usr/bin/reload", SECOND);
	service->conditions = (struct plan_list){plan_write_condition(writer, &conditions[0]), 3};
	plan_write_condition(writer, &conditions[1]);
	plan_write_condition(writer, &conditions[2]);
	service->sandbox = (struct plan_list){plan_write_sandbox(writer, &sandbox[0]), 4};
	for (size_t i = 1; i < 4; i++)
		plan_write_sandbox(writer, &sandbox[i]);
	service->flags |= PLAN_SERVICE_NOTIFY_ALL;
	service->watchdog_ns = SECOND;
	service->exits_clean[2] = 1u << 15;
	service->exits_final[1] = 1u << 14;
	service->scheduler = 1; /* SCHED_FIFO */
	service->scheduler_priority = 10;
	service->io_priority = 2 << 13 | 7;
	service->affinity = plan_write_blob(writer, cpus, sizeof(cpus));
}

static void write_services(struct plan_writer *writer)
{
	const char *argv[] = {"/usr/bin/program", "--flag", "", NULL};
	const char *environment[] = {"PATH=/usr/bin", "HOME="};
	const char *names[] = {"logger", "a", "b", "c", "d", "t"};
	uint32_t groups[] = {4, 20}, policy = write_policy(writer);
	struct plan_limit limit = {.resource = 7, .soft = 1024, .hard = 4096};
	struct plan_setting setting = {.path = plan_write_string(writer, "memory.max"),
				       .value = plan_write_string(writer, "1048576")};
	struct plan_list limits = {plan_write_limit(writer, &limit), 1};
	struct plan_list settings = {plan_write_setting(writer, &setting), 1};
	for (uint32_t i = 0; i < 6; i++) {
		struct plan_service service = plan_write_service_defaults(writer, names[i], argv);
		service.environment = plan_write_strings(writer, environment, 2);
		if (i == 0) {
			service.flags = PLAN_SERVICE_LOGGER;
		} else {
			service.output = PLAN_OUTPUT_LOG;
			service.output_path = plan_write_string(writer, "/var/log/x.log");
			service.log_max_bytes = 1 << 20;
			service.groups = plan_write_refs(writer, groups, 2);
			service.limits = limits;
			service.cgroup_settings = settings;
			service.probes = write_probes(writer);
			service.policy = policy;
		}
		if (i == 3)
			write_particulars(writer, &service);
		if (i == 4)
			service.reload_signal = 1;
		if (i == 5) {
			service.kind = PLAN_SERVICE_TIMER;
			service.timer_first_ns = SECOND;
			service.timer_every_ns = 60 * SECOND;
			service.timer_jitter_ns = SECOND;
		}
		plan_write_service(writer, &service);
	}
	plan_write_edge(writer, 4, 1, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, 2, 1, PLAN_EDGE_WANTS);
	plan_write_edge(writer, 4, 3, PLAN_EDGE_AFTER);
	plan_write_edge(writer, 3, 2, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, 2, 5, PLAN_EDGE_CONFLICTS);
	plan_write_edge(writer, 5, 4, PLAN_EDGE_WANTS);
}

static struct plan_writer *node_writer(void)
{
	const char *keys[] = {PLAN_NODE_KEYS "/0.der", PLAN_NODE_KEYS "/1.der"};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	struct plan_system *system = plan_write_system(writer);
	struct plan_module module = {.path = plan_write_string(writer, "/usr/lib/modules/a.ko"),
				     .parameters = plan_write_string(writer, "x=1")};
	struct plan_path path = {.path = plan_write_string(writer, "/run/keelson"),
				 .mode = 0755,
				 .kind = PLAN_PATH_DIRECTORY};
	struct plan_path link = {.path = plan_write_string(writer, "/var/run"),
				 .content = plan_write_string(writer, "../run"),
				 .kind = PLAN_PATH_SYMLINK};
	struct plan_setting setting = {.path = plan_write_string(writer, "/proc/sys/kernel/panic"),
				       .value = plan_write_string(writer, "10"),
				       .flags = PLAN_SETTING_OPTIONAL};
	uint32_t healthy[] = {1, 4};

	system->name = plan_write_string(writer, "edge");
	system->hostname = plan_write_string(writer, "node");
	system->flags = PLAN_SYSTEM_LOOPBACK;
	system->sysctls = (struct plan_list){plan_write_setting(writer, &setting), 1};
	system->healthy = plan_write_refs(writer, healthy, 2);
	system->tries = 3;
	system->logger = 0;
	system->pods_cgroup = plan_write_string(writer, "kubepods");
	system->controllers = plan_write_string(writer, "+cpu +memory");
	system->shutdown_timeout_ns = 60 * SECOND;
	system->keys = plan_write_strings(writer, keys, 2);
	plan_write_module(writer, &module);
	plan_write_path(writer, &path);
	plan_write_path(writer, &link);
	write_mounts(writer);
	write_services(writer);
	return writer;
}

static struct plan_writer *boot_writer(void)
{
	const char *keys[] = {"/keelson/key.der"};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_BOOT);
	struct plan_module module = {.path = plan_write_string(writer, "/keelson/virtio_blk.ko")};

	plan_write_system(writer)->name = plan_write_string(writer, "edge");
	plan_write_system(writer)->keys = plan_write_strings(writer, keys, 1);
	plan_write_module(writer, &module);
	return writer;
}

static struct file finish(struct plan_writer *writer)
{
	struct plan_fault fault = {0};
	struct file file = {0};
	void *bytes = NULL;
	int error = plan_write_finish(writer, NULL, &bytes, &file.size, &fault);

	if (error)
		print_error("%s %u: %s\n", plan_section_name(fault.section), fault.index,
			    fault.reason ? fault.reason : strerror(-error));
	assert_int_equal(error, 0);
	file.bytes = bytes;
	plan_write_free(writer);
	return file;
}

static void seal(struct file file)
{
	struct plan_header *header = (void *)file.bytes;

	header->crc32 = 0;
	header->crc32 = crc32(0, file.bytes, file.size);
}

/* ---- what was written reads back ---- */

static void a_written_plan_reads_back_as_it_was_said(void **state)
{
	struct file file = finish(node_writer());
	struct plan plan;

	(void)state;
	assert_int_equal(plan_verify(file.bytes, file.size, PLAN_KIND_NODE, &plan, NULL), 0);
	assert_string_equal(plan_string(&plan, plan.system->name), "edge");
	assert_int_equal(plan_count(&plan, PLAN_SERVICES), 6);
	const struct plan_service *service = plan_service(&plan, 4);
	assert_string_equal(plan_string(&plan, service->name), "d");
	assert_int_equal(service->needs.count, 2);
	assert_int_equal(plan_edge(&plan, service->needs.first)->to, 1);
	assert_int_equal(plan_edge(&plan, service->needs.first)->kind, PLAN_EDGE_REQUIRES);
	assert_int_equal(plan_edge(&plan, service->needs.first + 1)->to, 3);
	service = plan_service(&plan, 1);
	assert_int_equal(service->needed_by.count, 2);
	assert_int_equal(plan_edge(&plan, service->needed_by.first)->from, 2);
	assert_int_equal(plan_edge(&plan, service->needed_by.first + 1)->from, 4);
	assert_string_equal(plan_list_string(&plan, service->argv, 1), "--flag");
	assert_string_equal(plan_list_string(&plan, service->argv, 2), "");
	/* A conflict was said from the earlier one; the plan tells it from the later one. */
	service = plan_service(&plan, 5);
	assert_int_equal(service->needs.count, 2);
	assert_int_equal(plan_edge(&plan, service->needs.first)->to, 2);
	assert_int_equal(plan_edge(&plan, service->needs.first)->kind, PLAN_EDGE_CONFLICTS);
	service = plan_service(&plan, 3);
	assert_int_equal(plan_probe(&plan, service->liveness.first)->failures, 3);
	assert_string_equal(plan_list_string(&plan, plan_command(&plan, service->pre.first)->argv,
					     0),
			    "/usr/bin/pre");
	assert_int_equal(service->affinity.size_bytes, 16);
	assert_true(plan_walk(&plan) > 0);
	free(file.bytes);
}

static void the_same_plan_is_the_same_bytes(void **state)
{
	struct file a = finish(node_writer()), b = finish(node_writer());

	(void)state;
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.bytes, b.bytes, a.size);
	free(a.bytes);
	free(b.bytes);
}

static void strings_and_blobs_are_stored_once(void **state)
{
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);

	(void)state;
	assert_int_equal(plan_write_string(writer, "twice"), plan_write_string(writer, "twice"));
	assert_int_equal(plan_write_string(writer, ""), 0);
	assert_int_equal(plan_write_string(writer, NULL), 0);
	struct plan_blob a = plan_write_blob(writer, "12345678", 8);
	struct plan_blob b = plan_write_blob(writer, "abcdefgh", 8);
	struct plan_blob c = plan_write_blob(writer, "12345678", 8);
	assert_int_equal(a.offset, c.offset);
	assert_int_not_equal(a.offset, b.offset);
	plan_write_free(writer);
}

/* A probe that is polled has state on the node; one that is not is the same for everybody. */
static void a_probe_that_is_not_polled_is_stored_once(void **state)
{
	const char *argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	struct plan plan;

	(void)state;
	plan_write_system(writer)->name = plan_write_string(writer, "x");
	plan_write_system(writer)->shutdown_timeout_ns = SECOND;
	struct plan_probe polled = {.kind = PLAN_PROBE_SOCKET,
				    .command = PLAN_NONE,
				    .target = plan_write_string(writer, "/s"),
				    .interval_ns = SECOND};
	for (uint32_t i = 0; i < 4; i++) {
		const char name[] = {(char)('a' + i), '\0'};
		struct plan_service service = plan_write_service_defaults(writer, name, argv);
		if (i >= 2)
			service.probes = plan_write_probes(writer, &polled, 1);
		plan_write_service(writer, &service);
	}
	struct file file = finish(writer);
	assert_int_equal(plan_verify(file.bytes, file.size, PLAN_KIND_NODE, &plan, NULL), 0);
	assert_int_equal(plan_count(&plan, PLAN_PROBES), 3);
	assert_int_equal(plan_service(&plan, 0)->probes.first,
			 plan_service(&plan, 1)->probes.first);
	free(file.bytes);
}

static void the_stronger_of_two_edges_counts(void **state)
{
	struct plan_writer *writer = node_writer();
	struct plan plan;

	(void)state;
	plan_write_edge(writer, 4, 1, PLAN_EDGE_AFTER);
	plan_write_edge(writer, 2, 1, PLAN_EDGE_REQUIRES);
	struct file file = finish(writer);
	assert_int_equal(plan_verify(file.bytes, file.size, PLAN_KIND_NODE, &plan, NULL), 0);
	assert_int_equal(plan_count(&plan, PLAN_EDGES), 12);
	assert_int_equal(plan_edge(&plan, plan_service(&plan, 2)->needs.first)->kind,
			 PLAN_EDGE_REQUIRES);
	free(file.bytes);
}

/* ---- what is refused, and why ---- */

#define NODE_SERVICE(i) ((struct plan_service *)(uintptr_t)plan_service(plan, i))
#define NODE_SYSTEM ((struct plan_system *)(uintptr_t)plan->system)
#define NODE_MOUNT(i) ((struct plan_mount *)(uintptr_t)plan_mount(plan, i))
#define NODE_POLICY(i) ((struct plan_policy *)(uintptr_t)plan_policy(plan, i))
#define NODE_FILTER(i) ((struct plan_filter *)(uintptr_t)plan_filter(plan, i))
#define NODE_LANDLOCK(i) ((struct plan_landlock *)(uintptr_t)plan_landlock(plan, i))
/* Instruction i of the filter, and of the device program. */
#define STEP(i) \
	((struct sock_filter *)(uintptr_t)plan_bytes(plan, plan_filter(plan, 0)->program) + (i))
#define DEVICE(i) \
	((struct bpf_insn *)(uintptr_t)plan_bytes(plan, plan_policy(plan, 0)->device_program) + (i))
#define NODE_EDGE(i) ((struct plan_edge *)(uintptr_t)plan_edge(plan, i))
#define NODE_PROBE(i) ((struct plan_probe *)(uintptr_t)plan_probe(plan, i))
#define NODE_PATH(i) ((struct plan_path *)(uintptr_t)plan_path(plan, i))
#define NODE_COMMAND(i) ((struct plan_command *)(uintptr_t)plan_command(plan, i))
#define NODE_CONDITION(i) ((struct plan_condition *)(uintptr_t)plan_condition(plan, i))
/* Of service c; the first of the section belongs to the policy. */
#define NODE_SANDBOX(i)                                  \
	((struct plan_sandbox *)(uintptr_t)plan_sandbox( \
		plan, plan_service(plan, 3)->sandbox.first + (i)))
/* Of service c: ready by descriptor and by command; alive by command and by socket. */
#define READY(i) NODE_PROBE(NODE_SERVICE(3)->probes.first + (i))
#define ALIVE(i) NODE_PROBE(NODE_SERVICE(3)->liveness.first + (i))
#define NODE_LIMIT(i) ((struct plan_limit *)(uintptr_t)plan_limit(plan, i))
#define NOT_A_FILTER "a filter is not a list of at most 4096 instructions in its section"
#define NOT_A_DEVICE_PROGRAM \
	"a device program is not a list of at most 512 instructions in its section"
#define BREAK(name, statement)                    \
	static void name(const struct plan *plan) \
	{                                         \
		statement;                        \
	}

BREAK(string_outside, NODE_SERVICE(1)->directory = plan->span[PLAN_STRINGS].count)
BREAK(list_outside, NODE_SERVICE(1)->argv.count = plan->span[PLAN_REFS].count)
BREAK(list_overflows, NODE_SERVICE(1)->argv = ((struct plan_list){1, UINT32_MAX}))
BREAK(no_argv, NODE_SERVICE(1)->argv = ((struct plan_list){0, 0}))
BREAK(relative_argv, NODE_SERVICE(1)->argv.first += 1; NODE_SERVICE(1)->argv.count = 1)
BREAK(unknown_kind, NODE_SERVICE(2)->kind = 4)
BREAK(no_signal, NODE_SERVICE(2)->stop_signal = 65)
BREAK(no_policy, NODE_SERVICE(2)->policy = 1)
BREAK(no_end, NODE_SERVICE(2)->start_timeout_ns = 0)
BREAK(many_probes, NODE_SERVICE(2)->probes.count = 33)
BREAK(no_probe, NODE_SERVICE(2)->probes = ((struct plan_list){0, 0}))
BREAK(same_name, NODE_SERVICE(2)->name = NODE_SERVICE(1)->name)
BREAK(same_cgroup, NODE_SERVICE(2)->cgroup = NODE_SERVICE(1)->cgroup)
BREAK(absolute_cgroup, NODE_SERVICE(2)->cgroup = NODE_SERVICE(2)->directory)
BREAK(pods_cgroup, NODE_SYSTEM->pods_cgroup = NODE_SERVICE(2)->cgroup)
BREAK(logger_flag, NODE_SERVICE(2)->flags |= PLAN_SERVICE_LOGGER)
BREAK(no_logger, NODE_SYSTEM->logger = PLAN_NONE; NODE_SERVICE(0)->flags = 0)
#define NODE_KEY(i) (*(uint32_t *)(uintptr_t)plan_ref(plan, NODE_SYSTEM->keys.first + (i)))
BREAK(key_elsewhere, NODE_KEY(1) = NODE_SERVICE(2)->directory)
BREAK(key_relative, NODE_KEY(1) = NODE_SYSTEM->name)
BREAK(key_twice, NODE_KEY(1) = NODE_KEY(0))
BREAK(key_outside, NODE_KEY(0) = UINT32_MAX)
BREAK(key_many, NODE_SYSTEM->keys = ((struct plan_list){0, PLAN_MAX_KEYS + 1}))
BREAK(release_outside, NODE_SYSTEM->kernel_release = UINT32_MAX)
BREAK(cmdline_outside, NODE_SYSTEM->kernel_cmdline = UINT32_MAX)
BREAK(healthy_nobody, *(uint32_t *)(uintptr_t)plan_ref(plan, NODE_SYSTEM->healthy.first) = 6)
BREAK(sysctl_elsewhere, NODE_SYSTEM->sysctls.first = 1)
BREAK(backwards, NODE_EDGE(0)->to = 3)
BREAK(stranger, NODE_EDGE(0)->from = 3)
BREAK(mirror, NODE_EDGE(6)->kind = PLAN_EDGE_AFTER)
BREAK(edge_kind, NODE_EDGE(1)->kind = 5)
BREAK(needs_gap, NODE_SERVICE(3)->needs.first += 1)
BREAK(odd_options, NODE_MOUNT(0)->options.count = 3)
BREAK(attributes, NODE_MOUNT(0)->attributes = 1ull << 40)
BREAK(propagation, NODE_MOUNT(0)->propagation = MS_REC)
BREAK(no_lower, NODE_MOUNT(1)->lowers = ((struct plan_list){0, 0}))
BREAK(half_upper, NODE_MOUNT(1)->work = 0)
BREAK(filter_size, NODE_FILTER(0)->program.size_bytes -= 4)
BREAK(filter_outside, NODE_FILTER(0)->program.offset = plan->span[PLAN_BYTES].count - 64)
BREAK(filter_empty, NODE_FILTER(0)->program = ((struct plan_blob){0, 0}))
BREAK(filter_everywhere, NODE_FILTER(0)->audit_arch = 0)
BREAK(filter_twice, NODE_FILTER(1)->audit_arch = NODE_FILTER(0)->audit_arch)
BREAK(filter_list, NODE_POLICY(0)->filters.count = 3)
BREAK(filter_code, STEP(0)->code = BPF_LD | BPF_B | BPF_ABS)
BREAK(filter_scratch, STEP(4)->code = BPF_ST)
BREAK(filter_unaligned, STEP(0)->k = 2)
BREAK(filter_beyond, STEP(0)->k = 64)
BREAK(filter_conditional, STEP(1)->jt = 7)
BREAK(filter_jump, STEP(6)->k = 2)
BREAK(filter_far, STEP(6)->k = UINT32_MAX)
BREAK(filter_zero, STEP(7)->k = 0)
BREAK(filter_shift, STEP(4)->k = 32)
BREAK(filter_answer, STEP(2)->k = SECCOMP_RET_TRACE)
BREAK(filter_errno, STEP(2)->k = SECCOMP_RET_ERRNO)
BREAK(filter_endless, STEP(8)->code = BPF_MISC | BPF_TXA)
BREAK(device_code, DEVICE(1)->code = BPF_JMP | BPF_CALL)
BREAK(device_register, DEVICE(1)->dst_reg = 10)
BREAK(device_load, DEVICE(0)->off = 12)
BREAK(device_pointer, DEVICE(0)->src_reg = 2)
BREAK(device_jump, DEVICE(2)->off = 2)
BREAK(device_back, DEVICE(2)->off = -1)
BREAK(device_endless, DEVICE(4)->code = BPF_ALU64 | BPF_MOV | BPF_K)
BREAK(device_size, NODE_POLICY(0)->device_program.size_bytes -= 4)
BREAK(device_outside, NODE_POLICY(0)->device_program.offset = plan->span[PLAN_BYTES].count)
BREAK(device_elsewhere,
      *(uint32_t *)(uintptr_t)plan_ref(plan, NODE_POLICY(0)->devices.first) = NODE_POLICY(0)->name)
BREAK(device_public, NODE_POLICY(0)->flags &= ~PLAN_POLICY_PRIVATE_DEV)
BREAK(policy_mode, NODE_POLICY(0)->mode = 3)
BREAK(policy_flag, NODE_POLICY(0)->flags |= 1u << 20)
BREAK(policy_proc, NODE_POLICY(0)->proc = 0)
BREAK(policy_namespaces, NODE_POLICY(0)->namespaces |= CLONE_NEWUSER)
BREAK(policy_paths, NODE_POLICY(0)->sandbox.count = 65)
BREAK(landlock_kind, NODE_LANDLOCK(0)->kind = 3)
BREAK(landlock_access, NODE_LANDLOCK(0)->access = 1ull << 16)
BREAK(landlock_nothing, NODE_LANDLOCK(0)->access = 0)
BREAK(landlock_unhandled, NODE_LANDLOCK(0)->access = 1ull << 13)
BREAK(landlock_relative, NODE_LANDLOCK(0)->path = NODE_POLICY(0)->name)
BREAK(landlock_port, NODE_LANDLOCK(1)->port = 65536)
BREAK(landlock_both, NODE_LANDLOCK(1)->path = NODE_LANDLOCK(0)->path)
BREAK(landlock_unsaid, NODE_POLICY(0)->flags &= ~PLAN_POLICY_LANDLOCK)
BREAK(landlock_unknown, NODE_POLICY(0)->landlock_scoped = 4)
BREAK(landlock_list, NODE_POLICY(0)->landlock.count = 129)
BREAK(homeless_layer, NODE_MOUNT(1)->upper = NODE_MOUNT(1)->work = 0;
      NODE_MOUNT(1)->flags = PLAN_MOUNT_SLOT_LAYER)
BREAK(no_layer, NODE_MOUNT(0)->flags = PLAN_MOUNT_SLOT_LAYER)
BREAK(ambient, NODE_POLICY(0)->cap_ambient = 4)
BREAK(port, NODE_PROBE(3)->number = 65536)
BREAK(interval, NODE_PROBE(2)->interval_ns = 0)
BREAK(empty_link, NODE_PATH(1)->content = 0)
BREAK(soft, NODE_LIMIT(0)->soft = 5000)
BREAK(reserved, NODE_POLICY(0)->zero = 1)
BREAK(no_command, READY(1)->command = plan->span[PLAN_COMMANDS].count)
BREAK(unused_command, READY(0)->command = 0)
BREAK(optional_probe, NODE_COMMAND(READY(1)->command)->flags = 1)
BREAK(two_timeouts, READY(1)->timeout_ns += 1)
BREAK(http_timeout, NODE_PROBE(3)->timeout_ns = 0)
BREAK(socket_timeout, NODE_PROBE(2)->timeout_ns = 1)
BREAK(fd_timeout, READY(0)->timeout_ns = 1)
BREAK(fd_interval, READY(0)->interval_ns = 1)
BREAK(fd_low, READY(0)->number = 2)
BREAK(fd_high, READY(0)->number = 256)
BREAK(fd_target, READY(0)->target = NODE_SERVICE(3)->name)
BREAK(socket_number, NODE_PROBE(2)->number = 1)
BREAK(probe_kind, NODE_PROBE(2)->kind = 7)
BREAK(notify_alive, NODE_PROBE(1)->failures = 1)
BREAK(ready_failures, READY(1)->failures = 1)
BREAK(no_failures, ALIVE(1)->failures = 0)
BREAK(many_alive, NODE_SERVICE(3)->liveness.count = 33)
BREAK(shared_task, NODE_SERVICE(4)->probes = NODE_SERVICE(3)->probes)
BREAK(shared_socket, NODE_SERVICE(2)->probes = NODE_SERVICE(1)->probes)
BREAK(program_relative, NODE_COMMAND(0)->argv.first += 1; NODE_COMMAND(0)->argv.count = 1)
BREAK(command_empty, NODE_COMMAND(0)->argv = ((struct plan_list){0, 0}))
BREAK(command_long, NODE_COMMAND(0)->argv.count = PLAN_MAX_ARGUMENTS + 1)
BREAK(command_ever, NODE_COMMAND(NODE_SERVICE(3)->pre.first)->timeout_ns = 0)
BREAK(command_flag, NODE_COMMAND(0)->flags = 2)
BREAK(command_zero, NODE_COMMAND(0)->zero = 1)
BREAK(many_pre, NODE_SERVICE(3)->pre.count = 17)
BREAK(post_outside, NODE_SERVICE(3)->post.first = plan->span[PLAN_COMMANDS].count)
BREAK(two_reloads, NODE_SERVICE(3)->reload_signal = 1)
BREAK(reload_signal, NODE_SERVICE(4)->reload_signal = 65)
BREAK(reload_gone, NODE_SERVICE(3)->reload_command = plan->span[PLAN_COMMANDS].count)
BREAK(reload_optional, NODE_COMMAND(NODE_SERVICE(3)->reload_command)->flags = 1)
BREAK(condition_kind, NODE_CONDITION(0)->kind = 6)
BREAK(condition_path, NODE_CONDITION(0)->value = NODE_SERVICE(3)->name)
BREAK(condition_word, NODE_CONDITION(1)->value = 0)
BREAK(condition_value, NODE_CONDITION(2)->value = NODE_SERVICE(3)->name)
BREAK(condition_flag, NODE_CONDITION(0)->flags = 2)
BREAK(condition_zero, NODE_CONDITION(0)->zero = 1)
BREAK(condition_string, NODE_CONDITION(1)->value = plan->span[PLAN_STRINGS].count)
BREAK(many_conditions, NODE_SERVICE(3)->conditions.count = 17)
BREAK(sandbox_kind, NODE_SANDBOX(0)->kind = 6)
BREAK(sandbox_flag, NODE_SANDBOX(0)->flags = 2)
BREAK(sandbox_path, NODE_SANDBOX(1)->path = NODE_SERVICE(3)->name)
BREAK(sandbox_tmp, NODE_SANDBOX(0)->path = NODE_SANDBOX(2)->path)
BREAK(sandbox_root, NODE_SANDBOX(2)->path = NODE_SANDBOX(1)->path)
BREAK(sandbox_source, NODE_SANDBOX(1)->source = NODE_SANDBOX(1)->path)
BREAK(bind_nothing, NODE_SANDBOX(3)->source = 0)
BREAK(many_paths, NODE_SERVICE(3)->sandbox.count = 65)
BREAK(watchdog_oneshot, NODE_SERVICE(3)->kind = PLAN_SERVICE_ONESHOT)
BREAK(reload_oneshot, NODE_SERVICE(4)->kind = PLAN_SERVICE_ONESHOT)
BREAK(timer_of_daemon, NODE_SERVICE(4)->timer_jitter_ns = 1)
BREAK(timer_never, NODE_SERVICE(5)->timer_first_ns = NODE_SERVICE(5)->timer_every_ns = 0)
BREAK(timer_healthy, *(uint32_t *)(uintptr_t)plan_ref(plan, NODE_SYSTEM->healthy.first) = 5)
BREAK(timer_required, NODE_SERVICE(1)->kind = PLAN_SERVICE_TIMER;
      NODE_SERVICE(1)->timer_first_ns = 1;
      *(uint32_t *)(uintptr_t)plan_ref(plan, NODE_SYSTEM->healthy.first) = 2)
BREAK(success_zero, NODE_SERVICE(3)->exits_clean[0] = 1)
BREAK(scheduler, NODE_SERVICE(3)->scheduler = 4)
BREAK(fifo_priority, NODE_SERVICE(3)->scheduler_priority = 0)
BREAK(fifo_high, NODE_SERVICE(3)->scheduler_priority = 100)
BREAK(batch_priority, NODE_SERVICE(4)->scheduler_priority = 1)
BREAK(io_class, NODE_SERVICE(3)->io_priority = 4 << 13)
BREAK(io_level, NODE_SERVICE(3)->io_priority = 2 << 13 | 8)
BREAK(io_idle, NODE_SERVICE(3)->io_priority = 3 << 13 | 1)
BREAK(io_none, NODE_SERVICE(3)->io_priority = 1)
BREAK(cpu_words, NODE_SERVICE(3)->affinity.size_bytes = 12)
BREAK(cpu_many, NODE_SERVICE(3)->affinity.size_bytes = 136)
BREAK(cpu_outside, NODE_SERVICE(3)->affinity.offset = plan->span[PLAN_BYTES].count)
BREAK(cpu_none,
      *(uint64_t *)(uintptr_t)((const uint64_t *)plan_bytes(plan, NODE_SERVICE(3)->affinity) +
			       1) = 0)
BREAK(cpu_place, NODE_SERVICE(4)->affinity.offset = 8)
BREAK(service_zero, NODE_SERVICE(3)->zero = 1)
BREAK(service_flag, NODE_SERVICE(3)->flags |= 64)
BREAK(critical, NODE_SYSTEM->critical = 4)
BREAK(critical_none, NODE_SYSTEM->critical = 0)
BREAK(system_zero, NODE_SYSTEM->zero = 1)
BREAK(conflict_mirror, NODE_EDGE(plan->span[PLAN_EDGES].count / 2 - 2)->kind = PLAN_EDGE_AFTER)
BREAK(probe_zero, NODE_PROBE(2)->zero = 1)
BREAK(probe_string, NODE_PROBE(1)->target = plan->span[PLAN_STRINGS].count)
BREAK(many_groups, NODE_SERVICE(2)->groups.count = PLAN_MAX_GROUPS + 1)
BREAK(many_limits, NODE_SERVICE(2)->limits.count = PLAN_MAX_LIMITS + 1)
BREAK(settings_gone, NODE_SERVICE(2)->cgroup_settings.first = plan->span[PLAN_SETTINGS].count)
BREAK(setting_path, NODE_SERVICE(2)->cgroup_settings.first = 0)
BREAK(no_name, NODE_SERVICE(2)->name = 0)
BREAK(bad_name, NODE_SERVICE(2)->name = NODE_SERVICE(2)->directory)
BREAK(log_of_logger, NODE_SERVICE(0)->output = PLAN_OUTPUT_LOG)
BREAK(log_flag, NODE_SERVICE(0)->flags |= PLAN_SERVICE_LOG_DROP)
BREAK(log_size, NODE_SERVICE(2)->log_max_bytes = 0)
BREAK(output_kind, NODE_SERVICE(2)->output = 5)
BREAK(output_path, NODE_SERVICE(2)->output_path = NODE_SERVICE(2)->name)
BREAK(output_none, NODE_SERVICE(2)->output = PLAN_OUTPUT_NULL)
BREAK(restart_kind, NODE_SERVICE(2)->restart = 4)
BREAK(kill_kind, NODE_SERVICE(2)->kill = 0)
BREAK(no_user, NODE_SERVICE(2)->uid = UINT32_MAX)
BREAK(no_group, NODE_SERVICE(2)->gid = UINT32_MAX)
BREAK(oom_low, NODE_SERVICE(2)->oom_score_adj = -1001)
BREAK(nice_high, NODE_SERVICE(2)->nice = 20)
BREAK(umask_high, NODE_SERVICE(2)->umask = 01000)
BREAK(stop_end, NODE_SERVICE(2)->stop_timeout_ns = 0)
BREAK(backoff_none, NODE_SERVICE(2)->backoff_min_ns = 0)
BREAK(backoff_order, NODE_SERVICE(2)->backoff_max_ns = 1)
BREAK(reload_no_signal, NODE_SERVICE(2)->reload_signal = 65)
BREAK(variable,
      *(uint32_t *)(uintptr_t)plan_ref(plan,
				       NODE_SERVICE(2)->environment.first) = NODE_SERVICE(2)->name)
BREAK(edge_zero, NODE_EDGE(0)->zero = 1)
BREAK(edge_order, NODE_EDGE(NODE_SERVICE(4)->needs.first)->to = 3;
      NODE_EDGE(NODE_SERVICE(4)->needs.first + 1)->to = 1)
BREAK(edge_twice, NODE_EDGE(NODE_SERVICE(4)->needs.first)->to = 3)
BREAK(needed_gap, NODE_SERVICE(1)->needed_by.first += 1)
BREAK(needed_short, NODE_SERVICE(4)->needed_by = ((struct plan_list){0, 0}))
BREAK(two_fds, READY(1)->kind = PLAN_PROBE_FD; READY(1)->number = 6; READY(1)->command = PLAN_NONE;
      READY(1)->interval_ns = READY(1)->timeout_ns = 0)

static const struct {
	const char *name;
	void (*damage)(const struct plan *plan);
	const char *reason;
	uint32_t section;
} refusals[] = {
	{"a string beyond its section", string_outside, "the working directory is not absolute",
	 PLAN_SERVICES},
	{"a list beyond its section", list_outside, "argv is not a list of strings", PLAN_SERVICES},
	{"a list whose end overflows", list_overflows, "argv is not a list of strings",
	 PLAN_SERVICES},
	{"an empty argv", no_argv, "argv is not a list of strings", PLAN_SERVICES},
	{"a relative program", relative_argv, "argv[0] is not an absolute path", PLAN_SERVICES},
	{"an unknown kind", unknown_kind, "unknown kind of service", PLAN_SERVICES},
	{"signal 65", no_signal, "not a signal", PLAN_SERVICES},
	{"a policy that is not there", no_policy, "no such policy", PLAN_SERVICES},
	{"a start without an end", no_end, "a wait without an end", PLAN_SERVICES},
	{"33 probes", many_probes, "the probes lie outside their section, or are more than 32",
	 PLAN_SERVICES},
	{"a daemon without a probe", no_probe, "a daemon without a probe", PLAN_SERVICES},
	{"a name twice", same_name, "a name or cgroup is used twice", PLAN_SERVICES},
	{"a cgroup twice", same_cgroup, "a name or cgroup is used twice", PLAN_SERVICES},
	{"a cgroup with a leading slash", absolute_cgroup, "not a name of a cgroup", PLAN_SERVICES},
	{"pods in a service's cgroup", pods_cgroup,
	 "the pods' cgroup lies inside that of a service", PLAN_SYSTEM},
	{"two loggers", logger_flag, "the logger is not the system's logger", PLAN_SERVICES},
	{"a log without a logger", no_logger, "output to the log without a logger", PLAN_SERVICES},
	{"a key that is not the root's", key_elsewhere,
	 "a key of the node is not below /usr/lib/keelson/keys", PLAN_SYSTEM},
	{"a relative key", key_relative, "the path of a key is not absolute", PLAN_SYSTEM},
	{"a key twice", key_twice, "a key is there twice", PLAN_SYSTEM},
	{"a key beyond the strings", key_outside, "the keys are not a list of strings",
	 PLAN_SYSTEM},
	{"nine keys", key_many, "the keys are not a list of strings", PLAN_SYSTEM},
	{"health of nobody", healthy_nobody, "the health condition names no service", PLAN_SYSTEM},
	{"a cgroup file as sysctl", sysctl_elsewhere, "a sysctl is not below /proc/sys",
	 PLAN_SYSTEM},
	{"an edge to a later service", backwards, "services are not in topological order",
	 PLAN_EDGES},
	{"an edge of another service", stranger, "an edge in the list of another service",
	 PLAN_EDGES},
	{"halves that differ", mirror, "needs and dependents do not mirror each other", PLAN_EDGES},
	{"an unknown edge", edge_kind, "unknown kind of edge", PLAN_EDGES},
	{"a gap in the needs", needs_gap,
	 "the needs of a service are not where those before it end", PLAN_EDGES},
	{"an option without a value", odd_options,
	 "the options of a mount are not pairs of strings", PLAN_MOUNTS},
	{"an unknown attribute", attributes, "unknown mount attribute", PLAN_MOUNTS},
	{"recursion of nothing", propagation, "unknown propagation", PLAN_MOUNTS},
	{"an overlay of nothing", no_lower, "an overlay without a lower layer", PLAN_MOUNTS},
	{"an upper without a work", half_upper,
	 "the upper layer or its work directory is not an absolute path", PLAN_MOUNTS},
	{"half an instruction", filter_size, NOT_A_FILTER, PLAN_FILTERS},
	{"a filter beyond the bytes", filter_outside, NOT_A_FILTER, PLAN_FILTERS},
	{"a filter of nothing", filter_empty, NOT_A_FILTER, PLAN_FILTERS},
	{"a filter for no machine", filter_everywhere, "a filter without an architecture",
	 PLAN_FILTERS},
	{"two filters for a machine", filter_twice, "two filters of a policy for one architecture",
	 PLAN_POLICIES},
	{"a slot's layer nowhere", homeless_layer, "a slot's layer without a place", PLAN_MOUNTS},
	{"a slot's layer of no overlay", no_layer, "layers on a mount that is no overlay",
	 PLAN_MOUNTS},
	{"a filter that is not there", filter_list,
	 "the filters of a policy lie outside their section", PLAN_POLICIES},
	{"a load of a byte", filter_code, "unknown instruction in a filter", PLAN_FILTERS},
	{"scratch memory", filter_scratch, "unknown instruction in a filter", PLAN_FILTERS},
	{"a load of no word", filter_unaligned, "a filter loads from outside of the call",
	 PLAN_FILTERS},
	{"a load behind the call", filter_beyond, "a filter loads from outside of the call",
	 PLAN_FILTERS},
	{"a comparison that jumps outside", filter_conditional, "a filter jumps outside",
	 PLAN_FILTERS},
	{"a jump just outside", filter_jump, "a filter jumps outside", PLAN_FILTERS},
	{"a jump that looks backwards", filter_far, "a filter jumps outside", PLAN_FILTERS},
	{"a division by zero", filter_zero, "a filter divides by zero", PLAN_FILTERS},
	{"a shift by 32", filter_shift, "a filter shifts too far", PLAN_FILTERS},
	{"an answer for a tracer", filter_answer, "a filter answers what seccomp(2) does not know",
	 PLAN_FILTERS},
	{"an error that is none", filter_errno, "a filter answers what seccomp(2) does not know",
	 PLAN_FILTERS},
	{"a filter that runs over its end", filter_endless, "a filter without an end",
	 PLAN_FILTERS},
	{"a device program that calls", device_code, "unknown instruction in a device program",
	 PLAN_POLICIES},
	{"a device program with a frame", device_register, "unknown register in a device program",
	 PLAN_POLICIES},
	{"a load behind the question", device_load,
	 "a device program loads from outside of the question", PLAN_POLICIES},
	{"a load from elsewhere", device_pointer,
	 "a device program loads from outside of the question", PLAN_POLICIES},
	{"a device program that jumps outside", device_jump, "a device program jumps outside",
	 PLAN_POLICIES},
	{"a device program that jumps back", device_back, "a device program jumps outside",
	 PLAN_POLICIES},
	{"a device program that runs over its end", device_endless,
	 "a device program without an end", PLAN_POLICIES},
	{"half an instruction for devices", device_size, NOT_A_DEVICE_PROGRAM, PLAN_POLICIES},
	{"a device program beyond the bytes", device_outside, NOT_A_DEVICE_PROGRAM, PLAN_POLICIES},
	{"a device elsewhere", device_elsewhere, "a device that is not below /dev", PLAN_POLICIES},
	{"devices for nobody", device_public, "devices of a /dev that is not private",
	 PLAN_POLICIES},
	{"an unknown mode", policy_mode, "unknown mode of a policy", PLAN_POLICIES},
	{"an unknown flag of a policy", policy_flag, "unknown flag of a policy", PLAN_POLICIES},
	{"an unknown /proc", policy_proc, "unknown kind of /proc", PLAN_POLICIES},
	{"a user namespace", policy_namespaces, "unknown namespaces", PLAN_POLICIES},
	{"65 paths of a policy", policy_paths, "the paths of a policy lie outside their section",
	 PLAN_POLICIES},
	{"an unknown Landlock rule", landlock_kind, "unknown kind of Landlock rule", PLAN_LANDLOCK},
	{"an unknown access", landlock_access,
	 "a Landlock rule gives nothing, or what is not known", PLAN_LANDLOCK},
	{"no access", landlock_nothing, "a Landlock rule gives nothing, or what is not known",
	 PLAN_LANDLOCK},
	{"an access that nobody denies", landlock_unhandled,
	 "a Landlock rule gives what the policy does not handle", PLAN_POLICIES},
	{"a relative path of Landlock", landlock_relative,
	 "the path of a Landlock rule is not absolute", PLAN_LANDLOCK},
	{"port 65536 of Landlock", landlock_port, "not a port of a Landlock rule", PLAN_LANDLOCK},
	{"a path of a port", landlock_both, "a Landlock rule that has no path has one",
	 PLAN_LANDLOCK},
	{"Landlock that is not applied", landlock_unsaid,
	 "Landlock without anything that it handles, or the other way round", PLAN_POLICIES},
	{"an unknown scope", landlock_unknown, "Landlock handles what is not known", PLAN_POLICIES},
	{"129 rules of Landlock", landlock_list,
	 "the Landlock rules of a policy lie outside their section", PLAN_POLICIES},
	{"ambient without inheritable", ambient,
	 "an ambient capability is not permitted and inheritable", PLAN_POLICIES},
	{"port 65536", port, "not a port", PLAN_PROBES},
	{"a poll without an interval", interval, "a probe that is polled without an interval",
	 PLAN_PROBES},
	{"a link to nowhere", empty_link, "a link without a target", PLAN_PATHS},
	{"soft above hard", soft, "a soft limit above the hard one", PLAN_LIMITS},
	{"a reserved field", reserved, "a reserved field is not zero", PLAN_POLICIES},
	{"a probe of a command that is not there", no_command, "no such command", PLAN_PROBES},
	{"a command for a descriptor", unused_command, "a command for a probe that has none",
	 PLAN_PROBES},
	{"a probe that may fail", optional_probe, "the command of a probe is optional",
	 PLAN_PROBES},
	{"two timeouts of one attempt", two_timeouts, "the command of a probe has another timeout",
	 PLAN_PROBES},
	{"an attempt for ever", http_timeout, "an attempt without an end", PLAN_PROBES},
	{"a timeout of a socket", socket_timeout, "a timeout for a probe that does not wait",
	 PLAN_PROBES},
	{"a timeout of a descriptor", fd_timeout, "a timeout for a probe that does not wait",
	 PLAN_PROBES},
	{"a descriptor that is polled", fd_interval, "a probe that is not polled has an interval",
	 PLAN_PROBES},
	{"standard error as a probe", fd_low, "not a descriptor of a service", PLAN_PROBES},
	{"descriptor 256", fd_high, "not a descriptor of a service", PLAN_PROBES},
	{"a path of a descriptor", fd_target, "a probe that has no target has one", PLAN_PROBES},
	{"a port of a socket", socket_number, "a number for a probe that has none", PLAN_PROBES},
	{"an unknown probe", probe_kind, "unknown kind of probe", PLAN_PROBES},
	{"a message that tells of life", notify_alive, "a probe that is not polled tells of life",
	 PLAN_PROBES},
	{"readiness that counts failures", ready_failures, "a probe of readiness counts failures",
	 PLAN_SERVICES},
	{"life without a number of failures", no_failures,
	 "a probe of life without a number of failures", PLAN_SERVICES},
	{"33 probes of life", many_alive,
	 "the probes of life lie outside their section, or are more than 32", PLAN_SERVICES},
	{"one socket of two services", shared_socket,
	 "a probe that is polled belongs to two services", PLAN_SERVICES},
	{"one task of two services", shared_task, "a probe that is polled belongs to two services",
	 PLAN_SERVICES},
	{"a relative program of a command", program_relative,
	 "the program of a command is not an absolute path", PLAN_COMMANDS},
	{"a command of nothing", command_empty, "the command is not a list of strings",
	 PLAN_COMMANDS},
	{"a command of 513 words", command_long, "the command is not a list of strings",
	 PLAN_COMMANDS},
	{"a command for ever", command_ever, "a command without an end", PLAN_COMMANDS},
	{"an unknown flag of a command", command_flag, "unknown flag of a command", PLAN_COMMANDS},
	{"a reserved field of a command", command_zero, "a reserved field is not zero",
	 PLAN_COMMANDS},
	{"17 commands before", many_pre,
	 "the commands lie outside their section, or are more than 16", PLAN_SERVICES},
	{"commands beyond their section", post_outside,
	 "the commands lie outside their section, or are more than 16", PLAN_SERVICES},
	{"two ways to reload", two_reloads, "two ways to reload", PLAN_SERVICES},
	{"a reload by signal 65", reload_signal, "not a signal", PLAN_SERVICES},
	{"a reload that is not there", reload_gone, "no such command", PLAN_SERVICES},
	{"a reload that may fail", reload_optional, "the command of a reload is optional",
	 PLAN_SERVICES},
	{"an unknown condition", condition_kind, "unknown kind of condition", PLAN_CONDITIONS},
	{"a relative path of a condition", condition_path,
	 "the path of a condition is not absolute", PLAN_CONDITIONS},
	{"a condition of no word", condition_word, "the value of a condition is not a word",
	 PLAN_CONDITIONS},
	{"a first boot of something", condition_value, "a condition that has no value has one",
	 PLAN_CONDITIONS},
	{"an unknown flag of a condition", condition_flag, "unknown flag of a condition",
	 PLAN_CONDITIONS},
	{"a reserved field of a condition", condition_zero, "a reserved field is not zero",
	 PLAN_CONDITIONS},
	{"a word beyond the strings", condition_string, "a string lies outside its section",
	 PLAN_CONDITIONS},
	{"17 conditions", many_conditions,
	 "the conditions lie outside their section, or are more than 16", PLAN_SERVICES},
	{"an unknown sandbox", sandbox_kind, "unknown kind of sandbox", PLAN_SANDBOX},
	{"an unknown flag of a sandbox", sandbox_flag, "unknown flag of a sandbox", PLAN_SANDBOX},
	{"a relative path of a sandbox", sandbox_path, "the path of a sandbox is not absolute",
	 PLAN_SANDBOX},
	{"temporary files in /root", sandbox_tmp, "a directory for temporary files elsewhere",
	 PLAN_SANDBOX},
	{"a hidden root", sandbox_root, "the root itself is covered", PLAN_SANDBOX},
	{"read-only from elsewhere", sandbox_source, "a sandbox that has no source has one",
	 PLAN_SANDBOX},
	{"a bind of nothing", bind_nothing, "the source of a bind is not absolute", PLAN_SANDBOX},
	{"65 paths", many_paths, "the sandbox lies outside its section, or has more than 64 paths",
	 PLAN_SERVICES},
	{"a oneshot that is watched", watchdog_oneshot, "watching over what does not stay up",
	 PLAN_SERVICES},
	{"a oneshot that is reloaded", reload_oneshot, "a reload of what does not stay up",
	 PLAN_SERVICES},
	{"a daemon with a time", timer_of_daemon, "times of a timer on what is none",
	 PLAN_SERVICES},
	{"a timer of no time", timer_never, "a timer without a time", PLAN_SERVICES},
	{"health of a timer", timer_healthy,
	 "the health condition names a timer, which is never up", PLAN_SYSTEM},
	{"a timer that is required", timer_required, "a timer is required, which is never up",
	 PLAN_EDGES},
	{"success said of 0", success_zero, "exit status 0 is told to be good", PLAN_SERVICES},
	{"an unknown scheduler", scheduler, "unknown scheduler", PLAN_SERVICES},
	{"real time without a priority", fifo_priority,
	 "the priority does not go with the scheduler", PLAN_SERVICES},
	{"priority 100", fifo_high, "the priority does not go with the scheduler", PLAN_SERVICES},
	{"a priority of fair shares", batch_priority, "the priority does not go with the scheduler",
	 PLAN_SERVICES},
	{"an unknown io class", io_class, "unknown io priority", PLAN_SERVICES},
	{"io level 8", io_level, "unknown io priority", PLAN_SERVICES},
	{"a level of idle", io_idle, "a level of an io priority that has none", PLAN_SERVICES},
	{"a level of no class", io_none, "a level of an io priority that has none", PLAN_SERVICES},
	{"half a word of CPUs", cpu_words, "an affinity is not a set of at most 1024 CPUs",
	 PLAN_SERVICES},
	{"CPU 1024", cpu_many, "an affinity is not a set of at most 1024 CPUs", PLAN_SERVICES},
	{"CPUs beyond the bytes", cpu_outside, "an affinity lies outside its section",
	 PLAN_SERVICES},
	{"a last word without a CPU", cpu_none, "an affinity ends without a CPU", PLAN_SERVICES},
	{"a place of no CPUs", cpu_place, "an empty affinity has a place", PLAN_SERVICES},
	{"a reserved field of a service", service_zero, "a reserved field is not zero",
	 PLAN_SERVICES},
	{"an unknown flag of a service", service_flag, "unknown flag of a service", PLAN_SERVICES},
	{"an unknown end", critical, "unknown answer to a critical service", PLAN_SYSTEM},
	{"no end", critical_none, "unknown answer to a critical service", PLAN_SYSTEM},
	{"a kernel's release beyond the strings", release_outside,
	 "the kernel's release is too long", PLAN_SYSTEM},
	{"a kernel's words beyond the strings", cmdline_outside,
	 "the kernel's command line is too long", PLAN_SYSTEM},
	{"a reserved field of the system", system_zero, "a reserved field is not zero",
	 PLAN_SYSTEM},
	{"a conflict that only one knows", conflict_mirror,
	 "needs and dependents do not mirror each other", PLAN_EDGES},
	{"a reserved field of a probe", probe_zero, "a reserved field is not zero", PLAN_PROBES},
	{"a target beyond the strings", probe_string, "a string lies outside its section",
	 PLAN_PROBES},
	{"65 groups", many_groups, "the groups lie outside their section", PLAN_SERVICES},
	{"17 limits", many_limits, "the limits lie outside their section", PLAN_SERVICES},
	{"settings beyond their section", settings_gone,
	 "the cgroup's settings lie outside their section", PLAN_SERVICES},
	{"a sysctl of a cgroup", setting_path, "a setting of a cgroup is not a file name",
	 PLAN_SERVICES},
	{"a service without a name", no_name, "not a name of a service", PLAN_SERVICES},
	{"a service called /", bad_name, "not a name of a service", PLAN_SERVICES},
	{"a logger that logs to itself", log_of_logger, "the logger logs to itself", PLAN_SERVICES},
	{"a log's flag without a log", log_flag, "an output that is no log has a log's flag",
	 PLAN_SERVICES},
	{"a log of no size", log_size, "a log without a size", PLAN_SERVICES},
	{"an unknown output", output_kind, "unknown kind of output", PLAN_SERVICES},
	{"a relative log", output_path, "the path of an output is not absolute", PLAN_SERVICES},
	{"a path of no output", output_none, "an output that has no path has one", PLAN_SERVICES},
	{"an unknown restart", restart_kind, "unknown kind of restart", PLAN_SERVICES},
	{"an unknown kill", kill_kind, "unknown kind of kill", PLAN_SERVICES},
	{"user -1", no_user, "not a user or group", PLAN_SERVICES},
	{"group -1", no_group, "not a user or group", PLAN_SERVICES},
	{"oom -1001", oom_low, "oom_score_adj out of range", PLAN_SERVICES},
	{"nice 20", nice_high, "nice out of range", PLAN_SERVICES},
	{"umask 01000", umask_high, "umask out of range", PLAN_SERVICES},
	{"a stop without an end", stop_end, "a wait without an end", PLAN_SERVICES},
	{"no backoff", backoff_none, "backoff out of order", PLAN_SERVICES},
	{"a backoff that shrinks", backoff_order, "backoff out of order", PLAN_SERVICES},
	{"reload by signal 65 without a command", reload_no_signal, "not a signal", PLAN_SERVICES},
	{"a variable without a value", variable, "a variable of the environment is not NAME=value",
	 PLAN_SERVICES},
	{"a reserved field of an edge", edge_zero, "a reserved field is not zero", PLAN_EDGES},
	{"edges in the other order", edge_order, "edges are out of order", PLAN_EDGES},
	{"an edge twice", edge_twice, "two edges between the same services", PLAN_EDGES},
	{"a gap in the dependents", needed_gap,
	 "the dependents of a service are not where those before it end", PLAN_EDGES},
	{"a dependent of nobody", needed_short, "an edge belongs to no service", PLAN_EDGES},
	{"two descriptors", two_fds, "two descriptors that tell of readiness", PLAN_SERVICES},
};

static void each_kind_of_damage_is_refused_with_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct file file = finish(node_writer());
		struct plan_fault fault = {0};
		struct plan plan;
		assert_int_equal(plan_verify(file.bytes, file.size, PLAN_KIND_NODE, &plan, NULL),
				 0);
		refusals[i].damage(&plan);
		seal(file);
		int error = plan_verify(file.bytes, file.size, PLAN_KIND_NODE, &plan, &fault);
		if (error != -EBADMSG || strcmp(fault.reason, refusals[i].reason) != 0)
			print_error("%s: %d %s\n", refusals[i].name, error,
				    fault.reason ? fault.reason : "accepted");
		assert_int_equal(error, -EBADMSG);
		assert_string_equal(fault.reason, refusals[i].reason);
		assert_int_equal(fault.section, refusals[i].section);
		free(file.bytes);
	}
}

static void a_foreign_file_is_told_from_a_damaged_one(void **state)
{
	struct file file = finish(node_writer()), boot = finish(boot_writer());
	struct plan_header *header = (void *)file.bytes;
	struct plan plan;

	(void)state;
	assert_int_equal(plan_verify(file.bytes, file.size, PLAN_KIND_BOOT, &plan, NULL),
			 -EPROTONOSUPPORT);
	assert_int_equal(plan_verify(boot.bytes, boot.size, PLAN_KIND_BOOT, &plan, NULL), 0);
	assert_int_equal(plan_verify(file.bytes, 32, PLAN_KIND_NODE, &plan, NULL), -EMSGSIZE);
	assert_int_equal(plan_verify(file.bytes, file.size - 8, PLAN_KIND_NODE, &plan, NULL),
			 -EBADMSG);
	header->version = PLAN_VERSION - 1;
	assert_int_equal(plan_verify(file.bytes, file.size, PLAN_KIND_NODE, &plan, NULL),
			 -EPROTONOSUPPORT);
	header->version = PLAN_VERSION;
	header->magic[0] = 'k';
	assert_int_equal(plan_verify(file.bytes, file.size, PLAN_KIND_NODE, &plan, NULL), -EBADMSG);
	header->magic[0] = 'K';
	file.bytes[file.size - 1] ^= 1;
	assert_int_equal(plan_verify(file.bytes, file.size, PLAN_KIND_NODE, &plan, NULL), -EBADMSG);
	free(file.bytes);
	free(boot.bytes);
}

/* One of the two would be meaningless, and neither half of the graph could tell which. */
static void a_conflict_beside_a_need_is_refused(void **state)
{
	static const uint8_t kinds[] = {PLAN_EDGE_REQUIRES, PLAN_EDGE_WANTS, PLAN_EDGE_AFTER};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds); i++) {
		struct plan_writer *writer = node_writer();
		struct plan_fault fault = {0};
		void *bytes = NULL;
		size_t size;
		plan_write_edge(writer, 3, 1, PLAN_EDGE_CONFLICTS);
		plan_write_edge(writer, 3, 1, kinds[i]);
		plan_write_edge(writer, 3, 1, PLAN_EDGE_CONFLICTS);
		assert_int_equal(plan_write_finish(writer, NULL, &bytes, &size, &fault), -EBADMSG);
		assert_string_equal(fault.reason, "two edges between the same services");
		plan_write_free(writer);
	}
	struct plan_writer *writer = node_writer();
	plan_write_edge(writer, 3, 1, PLAN_EDGE_CONFLICTS);
	plan_write_edge(writer, 1, 3, PLAN_EDGE_CONFLICTS);
	struct file file = finish(writer);
	free(file.bytes);
}

static void a_boot_plan_holds_nothing_of_the_node(void **state)
{
	const char *argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = boot_writer();
	struct plan_service service = plan_write_service_defaults(writer, "a", argv);
	struct plan_fault fault = {0};
	void *bytes = NULL;
	size_t size;

	(void)state;
	plan_write_service(writer, &service);
	assert_int_equal(plan_write_finish(writer, NULL, &bytes, &size, &fault), -EBADMSG);
	assert_string_equal(fault.reason, "a boot plan holds something of the node");
	plan_write_free(writer);
}

static void a_cgroup_inside_that_of_another_service_is_refused(void **state)
{
	static const struct {
		const char *cgroup, *reason;
	} cases[] = {
		{"a/inner", "the cgroup of a service lies inside that of another"},
		{"kubepods/inner", "the cgroup of a service lies inside that of the pods"},
		{"kubepods", "the pods' cgroup lies inside that of a service"},
	};
	const char *argv[] = {"/bin/true", NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plan_writer *writer = node_writer();
		struct plan_service service = plan_write_service_defaults(writer, "inner", argv);
		struct plan_fault fault = {0};
		void *bytes = NULL;
		size_t size;
		service.cgroup = plan_write_string(writer, cases[i].cgroup);
		plan_write_service(writer, &service);
		assert_int_equal(plan_write_finish(writer, NULL, &bytes, &size, &fault), -EBADMSG);
		assert_string_equal(fault.reason, cases[i].reason);
		plan_write_free(writer);
	}
}

static void a_variable_with_a_name_without_end_is_refused(void **state)
{
	char variable[300] = "";
	const char *argv[] = {"/bin/true", NULL}, *environment[] = {variable};

	(void)state;
	for (size_t length = 255; length <= 256; length++) {
		struct plan_writer *writer = node_writer();
		struct plan_service service = plan_write_service_defaults(writer, "v", argv);
		struct plan_fault fault = {0};
		void *bytes = NULL;
		size_t size;
		memset(variable, 'V', length);
		variable[length] = '=';
		service.environment = plan_write_strings(writer, environment, 1);
		plan_write_service(writer, &service);
		int error = plan_write_finish(writer, NULL, &bytes, &size, &fault);
		assert_int_equal(error, length == 255 ? 0 : -EBADMSG);
		if (error)
			assert_string_equal(fault.reason, "the name of a variable is too long");
		free(bytes);
		plan_write_free(writer);
	}
}

static void four_thousand_services_are_verified_at_once(void **state)
{
	const char *argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	char name[16];

	(void)state;
	plan_write_system(writer)->name = plan_write_string(writer, "many");
	plan_write_system(writer)->shutdown_timeout_ns = SECOND;
	for (uint32_t i = 0; i < PLAN_MAX_SERVICES; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		struct plan_service service = plan_write_service_defaults(writer, name, argv);
		plan_write_service(writer, &service);
		for (uint32_t j = i > 8 ? i - 8 : 0; j < i; j++)
			plan_write_edge(writer, i, j, PLAN_EDGE_AFTER);
	}
	struct file file = finish(writer);
	free(file.bytes);
}

/* ---- mutations ---- */

static uint64_t random_state = 0x9e3779b97f4a7c15ull;

static uint32_t random_below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return limit ? (uint32_t)((random_state >> 16) % limit) : 0;
}

static uint32_t hostile(const struct file *file)
{
	const struct plan_span *span = (const void *)(file->bytes + sizeof(struct plan_header));
	uint32_t section = random_below(PLAN_SECTION_COUNT);
	const uint32_t values[] = {0,
				   1,
				   UINT32_MAX,
				   UINT32_MAX - 1,
				   0x7fffffff,
				   0x80000000,
				   (uint32_t)file->size,
				   span[section].count,
				   span[section].count - 1,
				   span[section].offset,
				   random_below(64),
				   random_below(UINT32_MAX)};

	return values[random_below(sizeof(values) / sizeof(values[0]))];
}

/* Where a mutation goes: anywhere, or, so that small sections get their share, into one section. */
static uint32_t somewhere(const struct file *file)
{
	const struct plan_span *span = (const void *)(file->bytes + sizeof(struct plan_header));
	uint32_t section = random_below(PLAN_SECTION_COUNT + 2);

	if (section < PLAN_SECTION_COUNT && span[section].count) {
		uint64_t at = span[section].offset +
			      random_below((uint64_t)span[section].count * span[section].stride);
		if (at < file->size)
			return (uint32_t)at;
	}
	return random_below(file->size);
}

static void mutate(struct file *file, const struct file *other)
{
	struct plan_header *header = (void *)file->bytes;
	uint32_t at = somewhere(file), word, length;

	switch (random_below(8)) {
	case 0:
	case 1: file->bytes[at] ^= (uint8_t)(1u << random_below(8)); break;
	case 2:
	case 3:
		at &= ~3u;
		word = hostile(file);
		memcpy(file->bytes + at, &word, sizeof(word));
		break;
	case 4: /* a piece of this or another plan over another place */
		length = 4 + 4 * random_below(24);
		const struct file *from = random_below(2) ? file : other;
		uint32_t source = somewhere(from) & ~3u;
		at &= ~3u;
		if (at + length <= file->size && source + length <= from->size)
			memmove(file->bytes + at, from->bytes + source, length);
		break;
	case 5: /* a hostile length or index beside what is right */
		at &= ~3u;
		memcpy(&word, file->bytes + at, sizeof(word));
		word += random_below(3) - 1;
		memcpy(file->bytes + at, &word, sizeof(word));
		break;
	case 6: /* the section table */
		at = (uint32_t)sizeof(*header) +
		     4 * random_below(PLAN_SECTION_COUNT * sizeof(struct plan_span) / 4);
		word = hostile(file);
		memcpy(file->bytes + at, &word, sizeof(word));
		break;
	default: /* truncated, at an honest or at any place */
		length = random_below(2) ? random_below(file->size / 8) * 8
					 : random_below(file->size);
		if (length < sizeof(*header) || random_below(4))
			break;
		file->size = length;
		if (random_below(4))
			header->size_bytes = length;
	}
}

struct tally {
	uint32_t accepted;
	uint32_t refused;
	const char *reasons[256];
	uint32_t reason_count;
};

static void count_reason(struct tally *tally, const char *reason)
{
	for (uint32_t i = 0; i < tally->reason_count; i++)
		if (tally->reasons[i] == reason)
			return;
	if (tally->reason_count < 256)
		tally->reasons[tally->reason_count++] = reason;
}

static void try_one(const struct file *base, const struct file *other, enum plan_kind kind,
		    struct tally *tally)
{
	struct file file = {malloc(base->size), base->size};
	uint32_t changes = 1 + random_below(3);
	struct plan_fault fault = {0};
	struct plan plan;

	memcpy(file.bytes, base->bytes, base->size);
	while (changes--)
		mutate(&file, other);
	/* Exactly as large as the file says it is: a step beyond is a finding. */
	uint8_t *exact = malloc(file.size);
	memcpy(exact, file.bytes, file.size);
	free(file.bytes);
	file.bytes = exact;
	if (random_below(16))
		seal(file);
	int error = plan_verify(file.bytes, file.size, kind, &plan, &fault);
	if (error) {
		assert_non_null(fault.reason);
		assert_true(error == -EBADMSG || error == -EPROTONOSUPPORT || error == -EMSGSIZE);
		count_reason(tally, fault.reason);
		tally->refused++;
	} else {
		plan_walk(&plan);
		tally->accepted++;
	}
	free(file.bytes);
}

static void a_mutated_plan_is_walked_safely_or_refused(void **state)
{
	struct file node = finish(node_writer()), boot = finish(boot_writer());
	struct tally tally = {0};

	(void)state;
	for (uint32_t i = 0; i < MUTATIONS; i++) {
		if (i % 16)
			try_one(&node, &boot, PLAN_KIND_NODE, &tally);
		else
			try_one(&boot, &node, PLAN_KIND_BOOT, &tally);
	}
	print_message("# %u mutated plans: %u accepted and walked, %u refused for %u reasons\n",
		      MUTATIONS, tally.accepted, tally.refused, tally.reason_count);
	/* The mutations must reach the depth of the verifier, not only its checksum. */
	assert_true(tally.accepted > MUTATIONS / 50);
	assert_true(tally.refused > MUTATIONS / 4);
	assert_true(tally.reason_count > 80);
	free(node.bytes);
	free(boot.bytes);
}

/* The child has room for so many: those of its policy come before its own. */
static void paths_of_a_policy_and_of_its_service_count_together(void **state)
{
	const char *argv[] = {"/bin/true", NULL};
	struct plan_fault fault = {0};
	void *bytes = NULL;
	size_t size;

	(void)state;
	for (uint32_t own = 32; own <= 33; own++) {
		struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
		struct plan_policy policy = {.name = plan_write_string(writer, "p"),
					     .mode = PLAN_MODE_ENFORCE,
					     .proc = PLAN_PROC_ALL,
					     .sandbox = {0, 32}};
		struct plan_sandbox hidden = {.kind = PLAN_SANDBOX_HIDDEN,
					      .path = plan_write_string(writer, "/x")};
		plan_write_system(writer)->name = plan_write_string(writer, "x");
		plan_write_system(writer)->shutdown_timeout_ns = SECOND;
		for (uint32_t i = 0; i < 32 + own; i++)
			plan_write_sandbox(writer, &hidden);
		struct plan_service service = plan_write_service_defaults(writer, "s", argv);
		service.policy = plan_write_policy(writer, &policy);
		service.sandbox = (struct plan_list){32, own};
		plan_write_service(writer, &service);
		int error = plan_write_finish(writer, NULL, &bytes, &size, &fault);
		assert_int_equal(error, own == 32 ? 0 : -EBADMSG);
		if (error)
			assert_string_equal(fault.reason, "the sandbox and that of the policy have "
							  "more than 64 paths");
		else
			free(bytes);
		plan_write_free(writer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_written_plan_reads_back_as_it_was_said),
		cmocka_unit_test(the_same_plan_is_the_same_bytes),
		cmocka_unit_test(strings_and_blobs_are_stored_once),
		cmocka_unit_test(a_probe_that_is_not_polled_is_stored_once),
		cmocka_unit_test(the_stronger_of_two_edges_counts),
		cmocka_unit_test(each_kind_of_damage_is_refused_with_its_reason),
		cmocka_unit_test(a_foreign_file_is_told_from_a_damaged_one),
		cmocka_unit_test(a_conflict_beside_a_need_is_refused),
		cmocka_unit_test(a_boot_plan_holds_nothing_of_the_node),
		cmocka_unit_test(a_cgroup_inside_that_of_another_service_is_refused),
		cmocka_unit_test(a_variable_with_a_name_without_end_is_refused),
		cmocka_unit_test(four_thousand_services_are_verified_at_once),
		cmocka_unit_test(paths_of_a_policy_and_of_its_service_count_together),
		cmocka_unit_test(a_mutated_plan_is_walked_safely_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
