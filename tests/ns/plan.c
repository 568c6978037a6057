/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ns-plan FILE: make a node plan for the namespace tests from lines on standard input, one record or
 * field a line, fields separated by tabs. The cases describe services in a few words (harness/), and
 * plan_write.h does the rest. Not a language: anything unexpected ends the program.
 */
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/plan_write.h"

#define FIELDS 64
#define SERVICES 4096
#define PROBES 8
#define RECORDS 16
#define MS 1000000ull

static struct plan_writer *writer;
static struct plan_service current;
static const char *names[SERVICES];
static uint32_t service_count;
static struct plan_policy policy; /* the next one, as far as lines before it told */
static struct plan_sandbox covered[16];
static struct plan_landlock landlock[16];
static struct {
	uint32_t to;
	enum plan_edge_kind kind;
} needs[SERVICES];
static uint32_t need_count;
static const char *name;
static uint64_t probe_interval_ns, probe_timeout_ns; /* of the probes of readiness that follow */
static char *healthy[FIELDS + 1];

/* What the current service has of each kind; written in one row when it is complete. */
static struct {
	struct plan_probe probes[PROBES], liveness[PROBES];
	struct plan_command pre[RECORDS], post[RECORDS];
	struct plan_condition conditions[RECORDS];
	struct plan_sandbox sandbox[RECORDS];
	struct plan_setting settings[RECORDS];
	struct plan_limit limits[RECORDS];
	uint32_t probe_count, liveness_count, pre_count, post_count, condition_count, sandbox_count,
		setting_count, limit_count;
} has;

static _Noreturn void die(const char *what, const char *detail)
{
	fprintf(stderr, "ns-plan: %s: %s\n", what, detail);
	exit(1);
}

static unsigned long long number(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);

	if (*end != '\0' || *text == '\0')
		die("not a number", text);
	return value;
}

static uint32_t small(const char *text)
{
	return (uint32_t)number(text);
}

static uint32_t choice(const char *text, const char *const *choices)
{
	for (uint32_t i = 0; choices[i]; i++)
		if (strcmp(choices[i], text) == 0)
			return i + 1;
	die("none of the choices", text);
}

static uint32_t find_service(const char *wanted)
{
	for (uint32_t i = 0; i < service_count; i++)
		if (strcmp(names[i], wanted) == 0)
			return i;
	die("no such service before this one", wanted);
}

#define WRITE_ROW(to, row, writes)                                             \
	do {                                                                   \
		for (uint32_t i_ = 0; i_ < has.row##_count; i_++) {            \
			uint32_t at_ = writes;                                 \
			if (i_ == 0)                                           \
				to = (struct plan_list){at_, has.row##_count}; \
		}                                                              \
	} while (0)

static void finish_service(void)
{
	if (!name)
		return;
	if (has.probe_count)
		current.probes = plan_write_probes(writer, has.probes, has.probe_count);
	WRITE_ROW(current.liveness, liveness, plan_write_probe(writer, &has.liveness[i_]));
	WRITE_ROW(current.pre, pre, plan_write_command(writer, &has.pre[i_]));
	WRITE_ROW(current.post, post, plan_write_command(writer, &has.post[i_]));
	WRITE_ROW(current.conditions, condition, plan_write_condition(writer, &has.conditions[i_]));
	WRITE_ROW(current.sandbox, sandbox, plan_write_sandbox(writer, &has.sandbox[i_]));
	WRITE_ROW(current.cgroup_settings, setting, plan_write_setting(writer, &has.settings[i_]));
	WRITE_ROW(current.limits, limit, plan_write_limit(writer, &has.limits[i_]));
	plan_write_service(writer, &current);
	names[service_count] = name;
	for (uint32_t i = 0; i < need_count; i++)
		plan_write_edge(writer, service_count, needs[i].to, needs[i].kind);
	service_count++;
	name = NULL;
}

static void begin_service(char **field)
{
	finish_service();
	if (service_count == SERVICES)
		die("too many services", field[1]);
	name = strdup(field[1]);
	current = plan_write_service_defaults(writer, name, (const char *const *)&field[2]);
	memset(&has, 0, sizeof(has));
	need_count = 0;
	probe_interval_ns = 20 * MS;
	probe_timeout_ns = 1000 * MS;
}

/* The next free record of a row. */
#define NEXT(row, array) \
	(&has.array[next(&has.row##_count, sizeof(has.array) / sizeof(has.array[0]))])

static uint32_t next(uint32_t *count, size_t room)
{
	if (*count == room)
		die("too many of a kind", name);
	return (*count)++;
}

static struct plan_command make_command(char **argv, uint64_t timeout_ns, uint32_t flags)
{
	size_t count = 0;

	while (argv[count])
		count++;
	return (struct plan_command){
		.argv = plan_write_strings(writer, (const char *const *)argv, count),
		.timeout_ns = timeout_ns,
		.flags = flags,
	};
}

/* KIND [PORT PATH | PATH | FD | ARGV...] */
static struct plan_probe make_probe(char **field, uint64_t interval_ns, uint64_t timeout_ns)
{
	static const char *const kinds[] = {"exec", "notify",  "socket", "http",
					    "fd",   "command", NULL};
	struct plan_probe probe = {.kind = choice(field[0], kinds), .command = PLAN_NONE};

	if (probe.kind == PLAN_PROBE_EXEC || probe.kind == PLAN_PROBE_NOTIFY)
		return probe;
	if (probe.kind == PLAN_PROBE_FD) {
		probe.number = small(field[1]);
		return probe;
	}
	probe.interval_ns = interval_ns;
	if (probe.kind == PLAN_PROBE_SOCKET) {
		probe.target = plan_write_string(writer, field[1]);
		return probe;
	}
	probe.timeout_ns = timeout_ns;
	if (probe.kind == PLAN_PROBE_HTTP) {
		probe.number = small(field[1]);
		probe.target = plan_write_string(writer, field[2]);
	} else {
		struct plan_command command = make_command(&field[1], timeout_ns, 0);

		probe.command = plan_write_command(writer, &command);
	}
	return probe;
}

/* liveness EVERY_MS TIMEOUT_MS FAILURES KIND ... */
static void add_liveness(char **field)
{
	struct plan_probe probe = make_probe(&field[4], number(field[1]) * MS,
					     number(field[2]) * MS);

	probe.failures = small(field[3]);
	*NEXT(liveness, liveness) = probe;
}

/* condition KIND FLAGS [VALUE] */
static void add_condition(char **field)
{
	static const char *const kinds[] = {"path",         "kernel-word",    "first-boot",
					    "architecture", "virtualization", NULL};

	*NEXT(condition, conditions) = (struct plan_condition){
		.kind = choice(field[1], kinds),
		.flags = small(field[2]),
		.value = plan_write_string(writer, field[3]),
	};
}

/* sandbox KIND FLAGS PATH [SOURCE] */
static struct plan_sandbox make_sandbox(char **field)
{
	static const char *const kinds[] = {"tmp",  "read-only",      "hidden",
					    "bind", "bind-read-only", NULL};

	return (struct plan_sandbox){
		.kind = choice(field[1], kinds),
		.flags = small(field[2]),
		.path = plan_write_string(writer, field[3]),
		.source = plan_write_string(writer, field[4]),
	};
}

/* setting FILE VALUE FLAGS, of the service's cgroup */
static void add_setting(char **field)
{
	*NEXT(setting, settings) = (struct plan_setting){
		.path = plan_write_string(writer, field[1]),
		.value = plan_write_string(writer, field[2]),
		.flags = small(field[3]),
	};
}

static void add_limit(char **field)
{
	*NEXT(limit, limits) = (struct plan_limit){
		.resource = small(field[1]), .soft = number(field[2]), .hard = number(field[3])};
}

static void set_exits(uint64_t bitmap[4], char **field)
{
	for (; *field; field++) {
		uint32_t status = small(*field);

		if (status > 255)
			die("not an exit status", *field);
		bitmap[status / 64] |= 1ull << status % 64;
	}
}

/* cpus N... */
static void set_cpus(char **field)
{
	uint64_t words[PLAN_MAX_CPUS / 64] = {0};
	size_t used = 0;

	for (field++; *field; field++) {
		uint32_t cpu = small(*field);

		if (cpu >= PLAN_MAX_CPUS)
			die("not a CPU", *field);
		words[cpu / 64] |= 1ull << cpu % 64;
		if (used <= cpu / 64)
			used = cpu / 64 + 1;
	}
	current.affinity = plan_write_blob(writer, words, used * sizeof(words[0]));
}

/* scheduler POLICY PRIORITY */
static void set_scheduler(char **field)
{
	static const char *const policies[] = {"other", "fifo", "rr", "batch", "idle", NULL};
	static const uint32_t numbers[] = {SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH,
					   SCHED_IDLE};

	current.scheduler = numbers[choice(field[1], policies) - 1];
	current.scheduler_priority = small(field[2]);
}

/* What runs beside the service, and when it runs at all. False: not such a field. */
static bool add_record(char **field)
{
	const char *key = field[0];

	if (strcmp(key, "probe") == 0)
		*NEXT(probe, probes) = make_probe(&field[1], probe_interval_ns, probe_timeout_ns);
	else if (strcmp(key, "probe_ms") == 0)
		probe_interval_ns = number(field[1]) * MS, probe_timeout_ns = number(field[2]) * MS;
	else if (strcmp(key, "liveness") == 0)
		add_liveness(field);
	else if (strcmp(key, "pre") == 0) /* pre TIMEOUT_MS FLAGS ARGV... */
		*NEXT(pre, pre) = make_command(&field[3], number(field[1]) * MS, small(field[2]));
	else if (strcmp(key, "post") == 0)
		*NEXT(post, post) = make_command(&field[3], number(field[1]) * MS, small(field[2]));
	else if (strcmp(key, "condition") == 0)
		add_condition(field);
	else if (strcmp(key, "sandbox") == 0)
		*NEXT(sandbox, sandbox) = make_sandbox(field);
	else if (strcmp(key, "setting") == 0)
		add_setting(field);
	else if (strcmp(key, "limit") == 0)
		add_limit(field);
	else
		return false;
	return true;
}

static void add_need(char **field)
{
	static const char *const kinds[] = {"requires", "wants", "after", "conflicts", NULL};

	if (need_count == SERVICES)
		die("too many edges", name);
	needs[need_count].kind = (enum plan_edge_kind)choice(field[0], kinds);
	needs[need_count++].to = find_service(field[1]);
}

static void set_output(char **field)
{
	static const char *const kinds[] = {"null", "log", "kmsg", "tty", NULL};

	current.output = choice(field[1], kinds);
	if (current.output == PLAN_OUTPUT_TTY)
		current.output_path = plan_write_string(writer, field[2]);
	if (current.output == PLAN_OUTPUT_LOG) {
		current.output_path = plan_write_string(writer, field[2]);
		current.log_max_bytes = number(field[3]);
		current.log_keep = small(field[4]);
		if (field[5] && strcmp(field[5], "drop") == 0)
			current.flags |= PLAN_SERVICE_LOG_DROP;
	}
}

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

/* A deny list of system call numbers of this architecture: EPERM. */
static struct plan_list filter(char **field)
{
	struct sock_filter code[2 * FIELDS] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	size_t n = 1;

	for (; *field; field++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, small(*field),
							 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct plan_filter record = {.audit_arch = OWN_ARCH,
				     .program = plan_write_blob(writer, code, n * sizeof code[0])};
	return (struct plan_list){plan_write_filter(writer, &record), 1};
}

static void write_policy(void)
{
	uint32_t paths = policy.sandbox.count, rules = policy.landlock.count;

	for (uint32_t i = 0; i < paths; i++) {
		uint32_t at = plan_write_sandbox(writer, &covered[i]);

		policy.sandbox.first = i == 0 ? at : policy.sandbox.first;
	}
	for (uint32_t i = 0; i < rules; i++) {
		uint32_t at = plan_write_landlock(writer, &landlock[i]);

		policy.landlock.first = i == 0 ? at : policy.landlock.first;
	}
	policy.name = plan_write_string(writer, "test");
	if (policy.mode == 0)
		policy.mode = PLAN_MODE_ENFORCE;
	if (policy.proc == 0)
		policy.proc = PLAN_PROC_ALL;
	current.policy = plan_write_policy(writer, &policy);
	policy = (struct plan_policy){0};
}

/* policy BOUNDING PERMITTED INHERITABLE AMBIENT NO_NEW_PRIVS [DENIED...] */
static void set_policy(char **field)
{
	policy.flags |= PLAN_POLICY_CAPS | (small(field[5]) ? PLAN_POLICY_NO_NEW_PRIVS : 0);
	policy.cap_bounding = number(field[1]);
	policy.cap_permitted = number(field[2]);
	policy.cap_inheritable = number(field[3]);
	policy.cap_ambient = number(field[4]);
	if (field[6])
		policy.filters = filter(&field[6]);
	write_policy();
}

/* Everything, or nothing, whatever the device is. */
static struct plan_blob device_program(bool allow)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = allow},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return plan_write_blob(writer, code, sizeof code);
}

/* What the next `policy` or `bare_policy` says, too. False: not such a field. */
static bool set_of_policy(char **field)
{
	static const char *const modes[] = {"enforce", "audit", NULL};
	static const char *const procs[] = {"all", "own", "processes", NULL};
	static const char *const programs[] = {"deny", "allow", NULL};
	const char *key = field[0];
	size_t count = 0;

	while (field[1 + count])
		count++;
	if (strcmp(key, "securebits") == 0) {
		policy.securebits = small(field[1]);
	} else if (strcmp(key, "policy_flags") == 0) { /* PLAN_POLICY_* */
		policy.flags |= small(field[1]);
	} else if (strcmp(key, "mode") == 0) {
		policy.mode = choice(field[1], modes);
	} else if (strcmp(key, "namespaces") == 0) { /* CLONE_NEW* */
		policy.namespaces = number(field[1]);
	} else if (strcmp(key, "proc") == 0) {
		policy.proc = choice(field[1], procs);
	} else if (strcmp(key, "devices") == 0) { /* PATH... */
		policy.flags |= PLAN_POLICY_PRIVATE_DEV;
		policy.devices = plan_write_strings(writer, (const char *const *)&field[1], count);
	} else if (strcmp(key, "covered") == 0) { /* as `sandbox` */
		covered[policy.sandbox.count++ % 16] = make_sandbox(field);
	} else if (strcmp(key, "landlock") == 0) { /* HANDLED of files */
		policy.flags |= PLAN_POLICY_LANDLOCK;
		policy.landlock_fs = number(field[1]);
	} else if (strcmp(key, "landlock_rule") == 0) { /* ACCESS FLAGS PATH */
		landlock[policy.landlock.count++ % 16] = (struct plan_landlock){
			.kind = PLAN_LANDLOCK_PATH,
			.access = number(field[1]),
			.flags = small(field[2]),
			.path = plan_write_string(writer, field[3]),
		};
	} else if (strcmp(key, "device_program") == 0) {
		policy.device_program = device_program(choice(field[1], programs) == 2);
	} else if (strcmp(key, "bare_policy") == 0) { /* [DENIED...] */
		if (field[1] && *field[1])
			policy.filters = filter(&field[1]);
		write_policy();
	} else {
		return false;
	}
	return true;
}

/* How it is watched, ended and repeated. False: not such a field. */
static bool set_life(char **field)
{
	static const char *const notify[] = {"main", "all", NULL};
	const char *key = field[0];

	if (strcmp(key, "start_ms") == 0) {
		current.start_timeout_ns = number(field[1]) * MS;
	} else if (strcmp(key, "stop_ms") == 0) {
		current.stop_timeout_ns = number(field[1]) * MS;
	} else if (strcmp(key, "stop_signal") == 0) {
		current.stop_signal = small(field[1]);
	} else if (strcmp(key, "backoff_ms") == 0) {
		current.backoff_min_ns = number(field[1]) * MS;
		current.backoff_max_ns = number(field[2]) * MS;
	} else if (strcmp(key, "backoff_ns") == 0) {
		current.backoff_min_ns = number(field[1]);
		current.backoff_max_ns = number(field[2]);
	} else if (strcmp(key, "stable_ms") == 0) {
		current.stable_ns = number(field[1]) * MS;
	} else if (strcmp(key, "burst") == 0) {
		current.burst = small(field[1]);
	} else if (strcmp(key, "watchdog_ms") == 0) {
		current.watchdog_ns = number(field[1]) * MS;
	} else if (strcmp(key, "notify") == 0) {
		if (choice(field[1], notify) == 2)
			current.flags |= PLAN_SERVICE_NOTIFY_ALL;
	} else if (strcmp(key, "timer") == 0) { /* timer FIRST_MS EVERY_MS JITTER_MS */
		current.kind = PLAN_SERVICE_TIMER;
		current.timer_first_ns = number(field[1]) * MS;
		current.timer_every_ns = number(field[2]) * MS;
		current.timer_jitter_ns = number(field[3]) * MS;
	} else if (strcmp(key, "reload_signal") == 0) {
		current.reload_signal = small(field[1]);
	} else if (strcmp(key, "reload_command") == 0) { /* TIMEOUT_MS ARGV... */
		struct plan_command command = make_command(&field[2], number(field[1]) * MS, 0);

		current.reload_command = plan_write_command(writer, &command);
	} else if (strcmp(key, "exits_clean") == 0) {
		set_exits(current.exits_clean, &field[1]);
	} else if (strcmp(key, "exits_final") == 0) {
		set_exits(current.exits_final, &field[1]);
	} else {
		return false;
	}
	return true;
}

/* What its processes are given. False: not such a field. */
static bool set_process(char **field)
{
	static const char *const io_classes[] = {"realtime", "best-effort", "idle", NULL};
	const char *key = field[0];
	size_t count = 0;

	while (field[1 + count])
		count++;
	if (strcmp(key, "uid") == 0) {
		current.uid = current.gid = small(field[1]);
	} else if (strcmp(key, "gid") == 0) {
		current.gid = small(field[1]);
	} else if (strcmp(key, "groups") == 0) {
		uint32_t groups[FIELDS];

		for (size_t i = 0; i < count; i++)
			groups[i] = small(field[1 + i]);
		current.groups = plan_write_refs(writer, groups, count);
	} else if (strcmp(key, "umask") == 0) {
		current.umask = small(field[1]);
	} else if (strcmp(key, "nice") == 0) {
		current.nice = (int32_t)strtol(field[1], NULL, 10);
	} else if (strcmp(key, "oom") == 0) {
		current.oom_score_adj = (int32_t)strtol(field[1], NULL, 10);
	} else if (strcmp(key, "scheduler") == 0) {
		set_scheduler(field);
	} else if (strcmp(key, "cpus") == 0) {
		set_cpus(field);
	} else if (strcmp(key, "io_priority") == 0) { /* CLASS LEVEL */
		current.io_priority = choice(field[1], io_classes) << IOPRIO_CLASS_SHIFT |
				      small(field[2]);
	} else if (strcmp(key, "directory") == 0) {
		current.directory = plan_write_string(writer, field[1]);
	} else if (strcmp(key, "cgroup") == 0) {
		current.cgroup = plan_write_string(writer, field[1]);
	} else if (strcmp(key, "environment") == 0) {
		current.environment = plan_write_strings(writer, (const char *const *)&field[1],
							 count);
	} else {
		return false;
	}
	return true;
}

static void set_field(char **field)
{
	static const char *const kinds[] = {"daemon", "oneshot", "timer", NULL};
	static const char *const restarts[] = {"never", "failure", "always", NULL};
	static const char *const kills[] = {"cgroup", "main", NULL};
	const char *key = field[0];

	if (strcmp(key, "kind") == 0)
		current.kind = choice(field[1], kinds);
	else if (strcmp(key, "restart") == 0)
		current.restart = choice(field[1], restarts);
	else if (strcmp(key, "kill") == 0)
		current.kill = choice(field[1], kills);
	else if (strcmp(key, "flags") == 0)
		current.flags |= small(field[1]);
	else if (!set_life(field) && !set_process(field) && !add_record(field))
		die("no such field", key);
}

/* sysctl PATH VALUE FLAGS: one a plan */
static void add_sysctl(char **field)
{
	struct plan_setting setting = {
		.path = plan_write_string(writer, field[1]),
		.value = plan_write_string(writer, field[2]),
		.flags = small(field[3]),
	};
	struct plan_list sysctls = {plan_write_setting(writer, &setting), 1};

	plan_write_system(writer)->sysctls = sysctls;
}

/* mount TYPE TARGET FLAGS [KEY VALUE]... */
static void add_mount(char **field)
{
	size_t options = 0;

	while (field[4 + options])
		options++;
	struct plan_mount mount = {
		.source_kind = PLAN_SOURCE_NONE,
		.source = plan_write_string(writer, "none"),
		.type = plan_write_string(writer, field[1]),
		.target = plan_write_string(writer, field[2]),
		.flags = small(field[3]),
		.options = plan_write_strings(writer, (const char *const *)&field[4], options),
	};

	plan_write_mount(writer, &mount);
}

/* file PATH LINE */
static void add_file(char **field)
{
	char content[256];

	snprintf(content, sizeof(content), "%s\n", field[2]);

	struct plan_path path = {
		.path = plan_write_string(writer, field[1]),
		.content = plan_write_string(writer, content),
		.mode = 0644,
		.kind = PLAN_PATH_FILE,
	};

	plan_write_path(writer, &path);
}

/* Of the whole node; before the first service or between two. False: not such a field. */
static bool set_system(char **field)
{
	static const char *const ends[] = {"reboot", "poweroff", "halt", NULL};
	const char *key = field[0];

	if (strcmp(key, "pods") == 0) {
		plan_str group = plan_write_string(writer, field[1]);

		plan_write_system(writer)->pods_cgroup = group;
		plan_write_system(writer)->pods_grace_ns = number(field[2]) * MS;
	} else if (strcmp(key, "machine_id") == 0) {
		plan_write_system(writer)->flags |= PLAN_SYSTEM_MACHINE_ID;
	} else if (strcmp(key, "module") == 0) {
		struct plan_module module = {.path = plan_write_string(writer, field[1])};

		plan_write_module(writer, &module);
	} else if (strcmp(key, "sysctl") == 0) {
		add_sysctl(field);
	} else if (strcmp(key, "mount") == 0) {
		add_mount(field);
	} else if (strcmp(key, "file") == 0) {
		add_file(field);
	} else if (strcmp(key, "on_critical") == 0) {
		plan_write_system(writer)->critical = choice(field[1], ends);
	} else if (strcmp(key, "controllers") == 0) {
		plan_write_system(writer)->controllers = plan_write_string(writer, field[1]);
	} else if (strcmp(key, "healthy") == 0) { /* FOR_MS DEADLINE_MS NAME... */
		plan_write_system(writer)->healthy_for_ns = number(field[1]) * MS;
		plan_write_system(writer)->healthy_deadline_ns = number(field[2]) * MS;
		for (size_t i = 0; field[3 + i]; i++)
			healthy[i] = strdup(field[3 + i]);
	} else if (strcmp(key, "shutdown_ms") == 0) {
		plan_write_system(writer)->shutdown_timeout_ns = number(field[1]) * MS;
	} else {
		return false;
	}
	return true;
}

static void take_line(char **field)
{
	const char *key = field[0];

	if (set_system(field))
		return;
	if (strcmp(key, "service") == 0)
		begin_service(field);
	else if (strcmp(key, "requires") == 0 || strcmp(key, "wants") == 0 ||
		 strcmp(key, "after") == 0 || strcmp(key, "conflicts") == 0)
		add_need(field);
	else if (strcmp(key, "output") == 0)
		set_output(field);
	else if (strcmp(key, "policy") == 0)
		set_policy(field);
	else if (!set_of_policy(field))
		set_field(field);
}

static void set_healthy(void)
{
	uint32_t indices[FIELDS], count = 0;

	for (; healthy[count]; count++)
		indices[count] = find_service(healthy[count]);
	struct plan_list list = plan_write_refs(writer, indices, count);

	plan_write_system(writer)->healthy = list;
}

static void write_file(const char *path)
{
	struct plan_fault fault = {.reason = "memory"};
	void *bytes;
	size_t size;

	if (plan_write_finish(writer, NULL, &bytes, &size, &fault) != 0)
		die("plan", fault.reason);
	FILE *file = fopen(path, "we");

	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
		die("cannot write", path);
	free(bytes);
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t room = 0;

	if (argc != 2)
		die("usage", "ns-plan FILE < LINES");
	writer = plan_write_new(PLAN_KIND_NODE);
	struct plan_system *system = plan_write_system(writer);

	system->name = plan_write_string(writer, "test");
	system->image_version = plan_write_string(writer, "1");
	system->hostname = plan_write_string(writer, "test");
	system->flags = PLAN_SYSTEM_LOOPBACK;
	system->shutdown_timeout_ns = 5000 * MS;
	while (getline(&line, &room, stdin) >= 0) {
		char *field[FIELDS + 1] = {0}, *rest = line;

		line[strcspn(line, "\n")] = '\0';
		for (size_t n = 0; n < FIELDS && rest; n++)
			field[n] = strsep(&rest, "\t");
		take_line(field);
	}
	finish_service();
	set_healthy();
	for (uint32_t i = 0; i < service_count; i++)
		if (strcmp(names[i], "logger") == 0)
			plan_write_system(writer)->logger = i;
	write_file(argv[1]);
	plan_write_free(writer);
	free(line);
	return 0;
}
