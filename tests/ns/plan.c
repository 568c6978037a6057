/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ns-plan FILE: make a node plan for the namespace tests from lines on standard input, one record or
 * field a line, fields separated by tabs. The cases describe services in a few words (harness/), and
 * plan_write.h does the rest. Not a language: anything unexpected ends the program.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/plan_write.h"

#define FIELDS 64
#define SERVICES 256
#define PROBES 8
#define MS 1000000ull

static struct plan_writer *writer;
static struct plan_service current;
static const char *names[SERVICES];
static uint32_t service_count;
static struct plan_probe probes[PROBES];
static uint32_t probe_count;
static struct plan_limit limit;
static struct plan_policy policy;
static uint32_t securebits; /* of the next policy */
static struct {
	uint32_t to;
	enum plan_edge_kind kind;
} needs[SERVICES];
static uint32_t need_count;
static const char *name;

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

static void finish_service(void)
{
	if (!name)
		return;
	if (probe_count != 0) {
		uint32_t first = plan_write_probe(writer, &probes[0]);

		for (uint32_t i = 1; i < probe_count; i++)
			plan_write_probe(writer, &probes[i]);
		current.probes = (struct plan_list){first, probe_count};
	}
	if (limit.resource != UINT32_MAX)
		current.limits = (struct plan_list){plan_write_limit(writer, &limit), 1};
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
	name = strdup(field[1]);
	current = plan_write_service_defaults(writer, name, (const char *const *)&field[2]);
	probe_count = need_count = 0;
	limit.resource = UINT32_MAX;
}

static void add_probe(char **field)
{
	static const char *const kinds[] = {"exec", "notify", "socket", "http", NULL};
	struct plan_probe *probe = &probes[probe_count++];

	*probe = (struct plan_probe){.kind = choice(field[1], kinds)};
	if (probe->kind == PLAN_PROBE_SOCKET || probe->kind == PLAN_PROBE_HTTP)
		probe->interval_ns = 20 * MS;
	if (probe->kind == PLAN_PROBE_SOCKET)
		probe->target = plan_write_string(writer, field[2]);
	if (probe->kind == PLAN_PROBE_HTTP) {
		probe->port = small(field[2]);
		probe->target = plan_write_string(writer, field[3]);
	}
}

static void add_need(char **field)
{
	static const char *const kinds[] = {"requires", "wants", "after", NULL};

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
	}
}

/* A deny list of system call numbers of this architecture: EPERM. */
static struct plan_blob filter(char **field)
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
	return plan_write_blob(writer, code, n * sizeof code[0]);
}

/* policy BOUNDING PERMITTED INHERITABLE AMBIENT NO_NEW_PRIVS [DENIED...] */
static void set_policy(char **field)
{
	policy = (struct plan_policy){
		.name = plan_write_string(writer, "test"),
		.flags = PLAN_POLICY_CAPS | (small(field[5]) ? PLAN_POLICY_NO_NEW_PRIVS : 0),
		.cap_bounding = number(field[1]),
		.cap_permitted = number(field[2]),
		.cap_inheritable = number(field[3]),
		.cap_ambient = number(field[4]),
		.securebits = securebits,
	};
	if (field[6])
		policy.seccomp = filter(&field[6]);
	current.policy = plan_write_policy(writer, &policy);
	securebits = 0;
}

static void set_field(char **field)
{
	static const char *const kinds[] = {"daemon", "oneshot", NULL};
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
		current.flags = small(field[1]);
	else if (strcmp(key, "start_ms") == 0)
		current.start_timeout_ns = number(field[1]) * MS;
	else if (strcmp(key, "stop_ms") == 0)
		current.stop_timeout_ns = number(field[1]) * MS;
	else if (strcmp(key, "backoff_ms") == 0)
		current.backoff_min_ns = number(field[1]) * MS,
		current.backoff_max_ns = number(field[2]) * MS;
	else if (strcmp(key, "stable_ms") == 0)
		current.stable_ns = number(field[1]) * MS;
	else if (strcmp(key, "burst") == 0)
		current.burst = small(field[1]);
	else if (strcmp(key, "uid") == 0)
		current.uid = current.gid = small(field[1]);
	else if (strcmp(key, "securebits") == 0)
		securebits = small(field[1]);
	else if (strcmp(key, "umask") == 0)
		current.umask = small(field[1]);
	else if (strcmp(key, "nice") == 0)
		current.nice = (int32_t)strtol(field[1], NULL, 10);
	else if (strcmp(key, "oom") == 0)
		current.oom_score_adj = (int32_t)strtol(field[1], NULL, 10);
	else if (strcmp(key, "directory") == 0)
		current.directory = plan_write_string(writer, field[1]);
	else if (strcmp(key, "cgroup") == 0)
		current.cgroup = plan_write_string(writer, field[1]);
	else if (strcmp(key, "limit") == 0)
		limit = (struct plan_limit){.resource = small(field[1]),
					    .soft = number(field[2]),
					    .hard = number(field[3])};
	else if (strcmp(key, "environment") == 0) {
		size_t count = 0;

		while (field[1 + count])
			count++;
		current.environment = plan_write_strings(writer, (const char *const *)&field[1],
							 count);
	} else {
		die("no such field", key);
	}
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
	else if (strcmp(key, "probe") == 0)
		add_probe(field);
	else if (strcmp(key, "requires") == 0 || strcmp(key, "wants") == 0 ||
		 strcmp(key, "after") == 0)
		add_need(field);
	else if (strcmp(key, "output") == 0)
		set_output(field);
	else if (strcmp(key, "policy") == 0)
		set_policy(field);
	else
		set_field(field);
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
	for (uint32_t i = 0; i < service_count; i++)
		if (strcmp(names[i], "logger") == 0)
			plan_write_system(writer)->logger = i;
	write_file(argv[1]);
	plan_write_free(writer);
	free(line);
	return 0;
}
