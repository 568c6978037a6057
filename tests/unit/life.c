/* SPDX-License-Identifier: Apache-2.0 */
/* What svc/life*.c stand on: whose a pid is, whether a condition holds, whether a child executed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "rootfs-spec/plan_write.h"
#include "small_world.h"
#include "svc/condition.h"
#include "svc/confine.h"
#include "svc/death.h"
#include "svc/pids.h"
#include "svc/process.h"

/* ---- pids ---- */

static void a_pid_finds_its_owner(void **state)
{
	struct pid_slot slots[16];
	struct pids pids;

	(void)state;
	assert_int_equal(pids_slots(3), 16);
	assert_int_equal(pids_slots(12), 16);
	assert_int_equal(pids_slots(13), 32);
	pids_init(&pids, slots, 16);
	assert_int_equal(pids_find(&pids, 7), PIDS_NONE);
	assert_int_equal(pids_find(&pids, 0), PIDS_NONE);
	pids_set(&pids, 7, 70);
	pids_set(&pids, 8, 80);
	assert_int_equal(pids_find(&pids, 7), 70);
	pids_set(&pids, 7, 71);
	assert_int_equal(pids_find(&pids, 7), 71);
	pids_remove(&pids, 7, 70); /* it was his, and has become another one's */
	assert_int_equal(pids_find(&pids, 7), 71);
	pids_remove(&pids, 7, 71);
	pids_remove(&pids, 7, 71);
	pids_remove(&pids, 0, 0);
	assert_int_equal(pids_find(&pids, 7), PIDS_NONE);
	assert_int_equal(pids_find(&pids, 8), 80);
}

/* A table as full as it gets under every order of set and remove that chance makes, beside a plain array. */
static void removing_never_hides_another(void **state)
{
	enum { SLOTS = 64, PIDS = 300 };
	struct pid_slot slots[SLOTS];
	uint32_t owners[PIDS], used = 0;
	struct pids pids;

	(void)state;
	pids_init(&pids, slots, SLOTS);
	for (uint32_t i = 0; i < PIDS; i++)
		owners[i] = PIDS_NONE;
	srand(1);
	for (uint32_t n = 0; n < 200000; n++) {
		uint32_t pid = 1 + (uint32_t)rand() % (PIDS - 1);

		if (owners[pid] == PIDS_NONE && used < SLOTS / 4 * 3) {
			owners[pid] = n;
			pids_set(&pids, (int)pid, n);
			used++;
		} else if (owners[pid] != PIDS_NONE) {
			pids_remove(&pids, (int)pid, owners[pid]);
			owners[pid] = PIDS_NONE;
			used--;
		}
		pid = 1 + (uint32_t)rand() % (PIDS - 1);
		assert_int_equal(pids_find(&pids, (int)pid), owners[pid]);
	}
}

/* ---- conditions ---- */

static int only_run_exists(const char *path)
{
	return strcmp(path, "/hung") == 0 ? -EAGAIN : strcmp(path, "/run") == 0;
}

struct case_of_condition {
	uint32_t kind;
	const char *value;
	int holds;
};

static void check_conditions(const struct condition_facts *facts,
			     const struct case_of_condition *cases, size_t count)
{
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_service service = plan_write_service_defaults(writer, "a", argv);
	struct plan plan;
	void *bytes;

	for (size_t i = 0; i < count; i++) {
		struct plan_condition condition = {
			.kind = cases[i].kind,
			.value = plan_write_string(writer, cases[i].value),
		};
		uint32_t at = plan_write_condition(writer, &condition);

		if (i == 0)
			service.conditions.first = at;
	}
	service.conditions.count = (uint32_t)count;
	plan_write_service(writer, &service);
	struct world *world = small_world(writer, &plan, &bytes);
	uint32_t first = (uint32_t)count, number = 0;

	for (size_t i = 0; i < count; i++) {
		struct plan_condition condition = *plan_condition(&plan, (uint32_t)i);

		if (condition_holds(&plan, &condition, facts, only_run_exists) != cases[i].holds)
			fail_msg("%u %s", cases[i].kind, cases[i].value);
		condition.flags = PLAN_CONDITION_NOT;
		assert_int_equal(condition_holds(&plan, &condition, facts, only_run_exists),
				 cases[i].holds < 0 ? cases[i].holds : !cases[i].holds);
		if (cases[i].holds != 1 && first == count)
			first = (uint32_t)i;
	}
	assert_int_equal(conditions_hold(&plan, plan_service(&plan, 0)->conditions, facts,
					 only_run_exists, &number),
			 first == count ? 1 : cases[first].holds);
	assert_int_equal(number, first);
	number = (uint32_t)count;
	assert_int_equal(conditions_hold(&plan, plan_service(&plan, 0)->conditions, facts,
					 only_run_exists, &number),
			 1);
	free(world);
	free(bytes);
}

static void a_condition_is_judged_by_the_facts(void **state)
{
	static const struct condition_facts machine = {
		.cmdline = "ro quiet console=ttyS0 keelson.slot=a panic\n",
		.machine = "x86_64",
		.virtualization = "kvm",
		.first_boot = true,
	};
	static const struct case_of_condition cases[] = {
		{PLAN_CONDITION_PATH, "/run", 1},
		{PLAN_CONDITION_KERNEL_WORD, "quiet", 1},
		{PLAN_CONDITION_KERNEL_WORD, "panic", 1},
		{PLAN_CONDITION_KERNEL_WORD, "console", 1},
		{PLAN_CONDITION_KERNEL_WORD, "keelson.slot=a", 1},
		{PLAN_CONDITION_FIRST_BOOT, "", 1},
		{PLAN_CONDITION_ARCHITECTURE, "x86_64", 1},
		{PLAN_CONDITION_VIRTUALIZATION, "kvm", 1},
		{PLAN_CONDITION_VIRTUALIZATION, "vm", 1},
		{PLAN_CONDITION_PATH, "/ru", 0},
		{PLAN_CONDITION_KERNEL_WORD, "qui", 0},
		{PLAN_CONDITION_KERNEL_WORD, "quiet=1", 0},
		{PLAN_CONDITION_KERNEL_WORD, "slot=a", 0},
		{PLAN_CONDITION_ARCHITECTURE, "x86", 0},
		{PLAN_CONDITION_VIRTUALIZATION, "container", 0},
		{PLAN_CONDITION_VIRTUALIZATION, "none", 0},
	};

	(void)state;
	check_conditions(&machine, cases, sizeof cases / sizeof cases[0]);
}

static void a_bare_machine_and_a_container_are_told_apart(void **state)
{
	static const struct condition_facts bare = {.machine = "aarch64"};
	static const struct condition_facts container = {
		.machine = "x86_64", .container = true, .virtualization = "other"};
	static const struct case_of_condition on_bare[] = {
		{PLAN_CONDITION_VIRTUALIZATION, "none", 1},
		{PLAN_CONDITION_PATH, "/hung", -EAGAIN},
		{PLAN_CONDITION_VIRTUALIZATION, "vm", 0},
		{PLAN_CONDITION_VIRTUALIZATION, "container", 0},
		{PLAN_CONDITION_FIRST_BOOT, "", 0},
		{PLAN_CONDITION_KERNEL_WORD, "quiet", 0},
	};
	static const struct case_of_condition in_container[] = {
		{PLAN_CONDITION_VIRTUALIZATION, "container", 1},
		{PLAN_CONDITION_VIRTUALIZATION, "vm", 1},
		{PLAN_CONDITION_VIRTUALIZATION, "other", 1},
		{PLAN_CONDITION_VIRTUALIZATION, "none", 0},
		{PLAN_CONDITION_VIRTUALIZATION, "kvm", 0},
	};

	(void)state;
	check_conditions(&bare, on_bare, sizeof on_bare / sizeof on_bare[0]);
	check_conditions(&container, in_container, sizeof in_container / sizeof in_container[0]);
}

static void a_hypervisor_is_known_by_its_name(void **state)
{
	static const struct {
		char signature[13];
		const char *name;
	} signatures[] = {
		{"KVMKVMKVM\0\0\0", "kvm"},       {"TCGTCGTCGTCG", "qemu"},
		{"Microsoft Hv", "microsoft"},    {"VMwareVMware", "vmware"},
		{"XenVMMXenVMM", "xen"},          {"KVMKVMKVMKVM", NULL},
		{"\0\0\0\0\0\0\0\0\0\0\0", NULL},
	};
	static const struct {
		const char *text, *name;
	} dmi[] = {
		{"QEMU\n", "qemu"},
		{"Standard PC (Q35 + ICH9, 2009)\n", NULL},
		{"VMware, Inc.\n", "vmware"},
		{"Amazon EC2\n", "amazon"},
		{"Google Compute Engine\n", "google"},
		{"Google\n", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
		const char *name = condition_hypervisor_by_signature(signatures[i].signature);

		assert_string_equal(name ? name : "", signatures[i].name ? signatures[i].name : "");
	}
	for (size_t i = 0; i < sizeof dmi / sizeof dmi[0]; i++) {
		const char *name = condition_hypervisor_by_dmi(dmi[i].text);

		assert_string_equal(name ? name : "", dmi[i].name ? dmi[i].name : "");
	}
}

static void this_machine_can_be_read(void **state)
{
	struct condition_facts facts;

	(void)state;
	condition_read(&facts, true, true);
	assert_true(facts.container && facts.first_boot);
	assert_true(facts.machine[0] != '\0');
	condition_read(&facts, false, false);
	assert_false(facts.first_boot);
	assert_int_equal(condition_path_exists_slowly("/proc/self"), 1);
	assert_int_equal(condition_path_exists_slowly("/proc/self/no such file"), 0);
	assert_int_equal(condition_path_exists("/"), 1);
	assert_int_not_equal(condition_path_exists("/no such file"), 1);
}

/* ---- processes ---- */

static void a_child_has_executed_or_not(void **state)
{
	int go[2], done[2];
	char byte;

	(void)state;
	assert_true(process_has_executed(getpid()));
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe2(done, O_CLOEXEC), 0);
	pid_t pid = fork();

	if (pid == 0) {
		close(done[0]);
		if (read(go[0], &byte, 1) == 1)
			execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		_exit(127);
	}
	close(done[1]);
	assert_false(process_has_executed(pid));
	assert_int_equal(write(go[1], "", 1), 1);
	/* Closed by the execve: from here on it has. */
	assert_int_equal(read(done[0], &byte, 1), 0);
	assert_true(process_has_executed(pid));
	kill(pid, SIGKILL);
	siginfo_t info;

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(process_has_executed(pid)); /* a zombie's past is still told */
	waitpid(pid, NULL, 0);
	assert_false(process_has_executed(pid));
}

/* Whether the clock tells it or /proc: children that were made before, in and after a tick's end. */
static void when_a_child_started_is_what_the_kernel_says(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		uint64_t before_ns = clock_boottime_ns(), ticks = 0;
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		uint64_t started = process_started(pid, before_ns);

		assert_int_equal(process_start_ticks(pid, &ticks), 0);
		assert_int_equal(started, ticks);
		assert_int_equal(process_started(pid, before_ns - 20000000), ticks);
		waitpid(pid, NULL, 0);
		assert_int_equal(process_started(pid, before_ns - 20000000), 0);
		nanosleep(&(struct timespec){.tv_nsec = 1700000}, NULL);
	}
}

static void fields_of_stat_are_counted_from_the_names_end(void **state)
{
	static const char text[] = "42 (a) b (c) S 1 42 42 0 -1 4194560 150 0 0 0";
	uint64_t value;

	(void)state;
	assert_int_equal(process_parse_field(text, sizeof text - 1, 9, &value), 0);
	assert_int_equal(value, 4194560);
	assert_int_equal(process_parse_field(text, sizeof text - 1, 4, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(process_parse_field(text, sizeof text - 1, 8, &value), -EBADMSG);
	assert_int_equal(process_parse_field(text, sizeof text - 1, 40, &value), -EBADMSG);
	assert_int_equal(process_parse_field("42 S 1", 6, 4, &value), -EBADMSG);
}

static void a_death_is_told_in_words(void **state)
{
	static const struct {
		struct world_death death;
		const char *text;
	} cases[] = {
		{{0}, ""},
		{{.at_ns = 1, .reason = WORLD_REASON_LOST}, "ended, and nobody knows how"},
		{{.code = CLD_EXITED, .status = 3}, "exited with status 3"},
		{{.code = CLD_EXITED, .status = 3, .reason = WORLD_REASON_PRE},
		 "pre: exited with status 3"},
		{{.code = CLD_KILLED, .status = 9, .reason = WORLD_REASON_OOM},
		 "killed by signal 9 (Killed), out of memory"},
		{{.code = CLD_KILLED, .status = 9, .reason = WORLD_REASON_SPAWN},
		 "killed by signal 9 (Killed) before it executed its program"},
		{{.error = -ENOENT, .step = CONFINE_EXEC, .reason = WORLD_REASON_SPAWN},
		 "start failed at step exec: No such file or directory"},
		{{.error = -ETIMEDOUT, .reason = WORLD_REASON_PRE},
		 "pre: took too long and was killed"},
	};
	char text[128], small[8];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		death_text(&cases[i].death, text, sizeof text);
		assert_string_equal(text, cases[i].text);
		death_text(&cases[i].death, small, sizeof small);
		assert_true(strncmp(small, cases[i].text, strlen(small)) == 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pid_finds_its_owner),
		cmocka_unit_test(removing_never_hides_another),
		cmocka_unit_test(a_condition_is_judged_by_the_facts),
		cmocka_unit_test(a_bare_machine_and_a_container_are_told_apart),
		cmocka_unit_test(a_hypervisor_is_known_by_its_name),
		cmocka_unit_test(this_machine_can_be_read),
		cmocka_unit_test(a_child_has_executed_or_not),
		cmocka_unit_test(when_a_child_started_is_what_the_kernel_says),
		cmocka_unit_test(fields_of_stat_are_counted_from_the_names_end),
		cmocka_unit_test(a_death_is_told_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
