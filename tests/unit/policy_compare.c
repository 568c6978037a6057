/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl policy show: what is mounted at a path, and what counts as a difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svc/policy_compare.h"
#include "tests/unit/small_world.h"

static const char mountinfo[] =
	"22 1 254:0 / / ro,relatime shared:1 - erofs /dev/dm-0 ro\n"
	"23 22 0:20 / /proc rw,nosuid shared:2 - proc proc rw\n"
	"24 22 0:21 / /usr/my\\040files rw - tmpfs none rw\n"
	"25 22 0:22 / /twice rw - ext4 /dev/vda3 rw\n"
	"26 25 0:23 / /twice ro,nosuid master:3 propagate_from:2 - tmpfs none rw\n"
	"27 22 0:24 / /cut";

static void the_topmost_mount_at_a_path_is_found(void **state)
{
	static const struct {
		const char *path, *type;
		bool found, read_only;
	} cases[] = {
		{"/", "erofs", true, true},
		{"/proc", "proc", true, false},
		{"/usr/my files", "tmpfs", true, false},
		{"/usr/my", "", false, false},
		{"/usr/my\\040files", "", false, false},
		{"/twice", "tmpfs", true, true},
		{"/twic", "", false, false},
		{"/twice/", "", false, false},
		{"/cut", "", false, false},
		{"", "", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool read_only = false;
		char type[16] = "";

		if (policy_mount_at(mountinfo, cases[i].path, &read_only, type) != cases[i].found ||
		    read_only != cases[i].read_only || strcmp(type, cases[i].type) != 0)
			fail_msg("%s: %s", cases[i].path, type);
	}
}

static bool nothing_exists(const void *context, const char *path)
{
	(void)context, (void)path;
	return false;
}

static enum policy_verdict verdict_of(const struct policy_row *rows, uint32_t count,
				      const char *title)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(rows[i].title, title) == 0)
			return rows[i].verdict;
	fail_msg("no %s", title);
	return POLICY_UNSEEN;
}

static void more_than_planned_differs_and_less_does_not(void **state)
{
	static const char *const argv[] = {"/bin/true", NULL};
	static struct policy_row rows[POLICY_ROWS];
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	struct plan_service service = plan_write_service_defaults(writer, "a", argv);
	struct plan_policy policy = {
		.name = plan_write_string(writer, "p"),
		.mode = PLAN_MODE_ENFORCE,
		.proc = PLAN_PROC_OWN,
		.flags = PLAN_POLICY_CAPS,
		.cap_bounding = 7,
		.cap_permitted = 7,
		.namespaces = 0x08000000, /* CLONE_NEWIPC */
	};
	struct policy_live live = {
		.process = {.cap_bounding = 7, .cap_permitted = 7, .cap_effective = 3},
		.pid1 = {.cap_bounding = 15, .cap_permitted = 15, .cap_effective = 15},
		.own = {[NS_MOUNT] = true, [NS_IPC] = true},
		.group = "a/control",
		.mountinfo = "1 0 0:1 / / rw - a a rw\n2 1 0:2 / /proc rw - proc proc rw\n",
		.exists = nothing_exists,
	};
	struct plan plan;
	void *bytes;
	uint32_t count;

	(void)state;
	service.policy = plan_write_policy(writer, &policy);
	plan_write_service(writer, &service);
	free(small_world(writer, &plan, &bytes));
	count = policy_compare(&plan, plan_service(&plan, 0), &live, rows);
	assert_int_equal(verdict_of(rows, count, "bounding"), POLICY_SAME);
	assert_int_equal(verdict_of(rows, count, "effective"), POLICY_LESS);
	assert_int_equal(verdict_of(rows, count, "namespaces"), POLICY_SAME);
	assert_int_equal(verdict_of(rows, count, "cgroup"), POLICY_SAME);
	assert_int_equal(verdict_of(rows, count, "proc"), POLICY_SAME);
	live.process.cap_bounding = 15;
	live.own[NS_IPC] = false;
	strcpy(live.group, "other");
	live.mountinfo = "1 0 0:1 / / rw - a a rw\n";
	live.process.seccomp_filters = 1;
	live.process.no_new_privs = 1;
	count = policy_compare(&plan, plan_service(&plan, 0), &live, rows);
	for (const char *const *title =
		     (const char *const[]){"bounding", "namespaces", "cgroup", "proc", NULL};
	     *title; title++)
		assert_int_equal(verdict_of(rows, count, *title), POLICY_DIFFERS);
	assert_int_equal(verdict_of(rows, count, "filters"), POLICY_LESS);
	assert_int_equal(verdict_of(rows, count, "no_new_privs"), POLICY_LESS);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_topmost_mount_at_a_path_is_found),
		cmocka_unit_test(more_than_planned_differs_and_less_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
