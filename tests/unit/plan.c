/* SPDX-License-Identifier: Apache-2.0 */
/* The plan: what was written reads back, and nothing else is accepted unless it can be walked. */
#include <errno.h>
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

static uint32_t write_policy(struct plan_writer *writer)
{
	static const uint64_t filter[12] = {6, 0x7fff0000};
	struct plan_policy policy = {
		.name = plan_write_string(writer, "strict"),
		.flags = PLAN_POLICY_CAPS | PLAN_POLICY_NO_NEW_PRIVS,
		.cap_bounding = 0xff,
		.cap_permitted = 0xff,
		.cap_inheritable = 3,
		.cap_ambient = 1,
		.seccomp = plan_write_blob(writer, filter, sizeof(filter)),
	};

	return plan_write_policy(writer, &policy);
}

static struct plan_list write_probes(struct plan_writer *writer)
{
	struct plan_probe probes[] = {
		{.kind = PLAN_PROBE_NOTIFY},
		{.kind = PLAN_PROBE_SOCKET,
		 .target = plan_write_string(writer, "/run/x.sock"),
		 .interval_ns = SECOND},
		{.kind = PLAN_PROBE_HTTP,
		 .port = 10248,
		 .target = plan_write_string(writer, "/healthz"),
		 .interval_ns = SECOND},
	};
	uint32_t first = plan_write_probe(writer, &probes[0]);

	plan_write_probe(writer, &probes[1]);
	plan_write_probe(writer, &probes[2]);
	return (struct plan_list){first, 3};
}

static void write_services(struct plan_writer *writer)
{
	const char *argv[] = {"/usr/bin/program", "--flag", "", NULL};
	const char *environment[] = {"PATH=/usr/bin", "HOME="};
	const char *names[] = {"logger", "a", "b", "c", "d"};
	uint32_t groups[] = {4, 20}, policy = write_policy(writer);
	struct plan_limit limit = {.resource = 7, .soft = 1024, .hard = 4096};
	struct plan_setting setting = {.path = plan_write_string(writer, "memory.max"),
				       .value = plan_write_string(writer, "1048576")};
	struct plan_list limits = {plan_write_limit(writer, &limit), 1};
	struct plan_list settings = {plan_write_setting(writer, &setting), 1};
	struct plan_list probes = write_probes(writer);

	for (uint32_t i = 0; i < 5; i++) {
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
			service.probes = probes;
			service.policy = policy;
		}
		plan_write_service(writer, &service);
	}
	plan_write_edge(writer, 4, 1, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, 2, 1, PLAN_EDGE_WANTS);
	plan_write_edge(writer, 4, 3, PLAN_EDGE_AFTER);
	plan_write_edge(writer, 3, 2, PLAN_EDGE_REQUIRES);
}

static struct plan_writer *node_writer(void)
{
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
	assert_int_equal(plan_count(&plan, PLAN_SERVICES), 5);
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

static void the_stronger_of_two_edges_counts(void **state)
{
	struct plan_writer *writer = node_writer();
	struct plan plan;

	(void)state;
	plan_write_edge(writer, 4, 1, PLAN_EDGE_AFTER);
	plan_write_edge(writer, 2, 1, PLAN_EDGE_REQUIRES);
	struct file file = finish(writer);
	assert_int_equal(plan_verify(file.bytes, file.size, PLAN_KIND_NODE, &plan, NULL), 0);
	assert_int_equal(plan_count(&plan, PLAN_EDGES), 8);
	assert_int_equal(plan_edge(&plan, plan_service(&plan, 2)->needs.first)->kind,
			 PLAN_EDGE_REQUIRES);
	free(file.bytes);
}

/* ---- what is refused, and why ---- */

#define NODE_SERVICE(i) ((struct plan_service *)(uintptr_t)plan_service(plan, i))
#define NODE_SYSTEM ((struct plan_system *)(uintptr_t)plan->system)
#define NODE_MOUNT(i) ((struct plan_mount *)(uintptr_t)plan_mount(plan, i))
#define NODE_POLICY(i) ((struct plan_policy *)(uintptr_t)plan_policy(plan, i))
#define NODE_EDGE(i) ((struct plan_edge *)(uintptr_t)plan_edge(plan, i))
#define NODE_PROBE(i) ((struct plan_probe *)(uintptr_t)plan_probe(plan, i))
#define NODE_PATH(i) ((struct plan_path *)(uintptr_t)plan_path(plan, i))
#define NODE_LIMIT(i) ((struct plan_limit *)(uintptr_t)plan_limit(plan, i))
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
BREAK(unknown_kind, NODE_SERVICE(2)->kind = 3)
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
BREAK(healthy_nobody, *(uint32_t *)(uintptr_t)plan_ref(plan, NODE_SYSTEM->healthy.first) = 5)
BREAK(sysctl_elsewhere, NODE_SYSTEM->sysctls.first = 1)
BREAK(backwards, NODE_EDGE(0)->to = 3)
BREAK(stranger, NODE_EDGE(0)->from = 3)
BREAK(mirror, NODE_EDGE(4)->kind = PLAN_EDGE_AFTER)
BREAK(edge_kind, NODE_EDGE(1)->kind = 4)
BREAK(needs_gap, NODE_SERVICE(3)->needs.first += 1)
BREAK(odd_options, NODE_MOUNT(0)->options.count = 3)
BREAK(attributes, NODE_MOUNT(0)->attributes = 1ull << 40)
BREAK(propagation, NODE_MOUNT(0)->propagation = MS_REC)
BREAK(no_lower, NODE_MOUNT(1)->lowers = ((struct plan_list){0, 0}))
BREAK(half_upper, NODE_MOUNT(1)->work = 0)
BREAK(filter_size, NODE_POLICY(0)->seccomp.size_bytes -= 4)
BREAK(filter_outside, NODE_POLICY(0)->seccomp.offset += 8)
BREAK(ambient, NODE_POLICY(0)->cap_ambient = 4)
BREAK(port, NODE_PROBE(2)->port = 65536)
BREAK(interval, NODE_PROBE(1)->interval_ns = 0)
BREAK(empty_link, NODE_PATH(1)->content = 0)
BREAK(soft, NODE_LIMIT(0)->soft = 5000)
BREAK(reserved, NODE_POLICY(0)->zero = 1)

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
	{"half an instruction", filter_size,
	 "a seccomp filter is not a list of at most 4096 instructions", PLAN_POLICIES},
	{"a filter beyond the bytes", filter_outside, "a seccomp filter lies outside its section",
	 PLAN_POLICIES},
	{"ambient without inheritable", ambient,
	 "an ambient capability is not permitted and inheritable", PLAN_POLICIES},
	{"port 65536", port, "not a port", PLAN_PROBES},
	{"a poll without an interval", interval, "a probe that is polled without an interval",
	 PLAN_PROBES},
	{"a link to nowhere", empty_link, "a link without a target", PLAN_PATHS},
	{"soft above hard", soft, "a soft limit above the hard one", PLAN_LIMITS},
	{"a reserved field", reserved, "a reserved field is not zero", PLAN_POLICIES},
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
	header->version = 2;
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
	const char *argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = node_writer();
	struct plan_service service = plan_write_service_defaults(writer, "inner", argv);
	struct plan_fault fault = {0};
	void *bytes = NULL;
	size_t size;

	(void)state;
	service.cgroup = plan_write_string(writer, "a/inner");
	plan_write_service(writer, &service);
	assert_int_equal(plan_write_finish(writer, NULL, &bytes, &size, &fault), -EBADMSG);
	assert_string_equal(fault.reason, "the cgroup of a service lies inside that of another");
	plan_write_free(writer);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_written_plan_reads_back_as_it_was_said),
		cmocka_unit_test(the_same_plan_is_the_same_bytes),
		cmocka_unit_test(strings_and_blobs_are_stored_once),
		cmocka_unit_test(the_stronger_of_two_edges_counts),
		cmocka_unit_test(each_kind_of_damage_is_refused_with_its_reason),
		cmocka_unit_test(a_foreign_file_is_told_from_a_damaged_one),
		cmocka_unit_test(a_boot_plan_holds_nothing_of_the_node),
		cmocka_unit_test(a_cgroup_inside_that_of_another_service_is_refused),
		cmocka_unit_test(four_thousand_services_are_verified_at_once),
		cmocka_unit_test(a_mutated_plan_is_walked_safely_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
