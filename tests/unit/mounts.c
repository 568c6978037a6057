/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of a plan, made and ended in a mount namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "mount/apply.h"
#include "mount/mountinfo.h"
#include "mount/sys.h"
#include "mount/unmount.h"
#include "rootfs-spec/plan_write.h"

#define SECOND_NS 1000000000ull
#define BASE "/mnt" /* covered in the test's own namespace */

static struct plan_writer *writer;
static void *bytes;
static struct plan plan;
static const char *step;
static bool have_namespace;

/* ---- plans of one mount or two ---- */

static int begin(void **state)
{
	(void)state;
	writer = plan_write_new(PLAN_KIND_NODE);
	return writer == NULL;
}

static int end(void **state)
{
	(void)state;
	plan_write_free(writer);
	free(bytes);
	bytes = NULL;
	if (!getenv("LOOP"))
		return 0;
	umount(BASE "/var");
	if (system("losetup -d \"$LOOP\"") != 0)
		return -1;
	return unsetenv("LOOP");
}

static struct plan_mount one(const char *target, const char *type, const char *source,
			     enum plan_source kind)
{
	return (struct plan_mount){
		.target = plan_write_string(writer, target),
		.type = plan_write_string(writer, type),
		.source = plan_write_string(writer, source),
		.source_kind = kind,
	};
}

static void finish(void)
{
	struct plan_fault fault = {0};
	size_t size;

	plan_write_system(writer)->name = plan_write_string(writer, "test");
	plan_write_system(writer)->shutdown_timeout_ns = SECOND_NS;
	if (plan_write_finish(writer, NULL, &bytes, &size, &fault) != 0)
		fail_msg("plan: %s", fault.reason ? fault.reason : "?");
	assert_int_equal(plan_verify(bytes, size, PLAN_KIND_NODE, &plan, NULL), 0);
}

static const char *passed_over;

static int apply(uint32_t index)
{
	static const struct mount_context context = {
		.disk = NULL,
		.output = -1,
		.timeout_ns = 30 * SECOND_NS,
		.device_deadline_ns = 0,
		.slot = "b",
		.passed_over = &passed_over,
	};

	passed_over = NULL;
	return mount_apply(&plan, index, &context, &step);
}

static void applied(uint32_t index)
{
	int error = apply(index);

	if (error)
		fail_msg("mount %u: %s: %s", index, step, strerror(-error));
}

/* The topmost mount at `target`; its texts stay until the next call. */
static bool mounted(const char *target, struct mountinfo *found)
{
	static char lines[2][16384];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	bool any = false;

	assert_non_null(file);
	while (fgets(lines[any], sizeof(lines[0]), file)) {
		struct mountinfo info;

		lines[any][strcspn(lines[any], "\n")] = '\0';
		if (mountinfo_parse(lines[any], &info) == 0 && strcmp(info.target, target) == 0) {
			*found = info;
			if (any)
				memcpy(lines[0], lines[1], sizeof(lines[0]));
			any = true;
			break;
		}
	}
	fclose(file);
	return any;
}

/* Is there a line of /proc/self/mountinfo for `target` with the optional field "shared:N"? */
static bool is_shared(const char *target)
{
	static char line[16384];
	char field[128];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	bool shared = false;

	assert_non_null(file);
	snprintf(field, sizeof(field), " %s ", target);
	while (fgets(line, sizeof(line), file))
		shared |= strstr(line, field) && strstr(line, " shared:");
	fclose(file);
	return shared;
}

static int enter_namespace(void **state)
{
	(void)state;
	if (access(BASE, F_OK) < 0 || unshare(CLONE_NEWNS) < 0)
		return 0;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return errno == EINVAL ? 0 : -1; /* in a chroot, whose root is no mount */
	if (mount("base", BASE, "tmpfs", 0, NULL) < 0)
		return -1;
	have_namespace = true;
	return 0;
}

#define NEEDS_NAMESPACE()            \
	do {                         \
		if (!have_namespace) \
			skip();      \
	} while (0)

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	close(fd);
}

/* ---- making ---- */

static void a_file_system_gets_its_options_and_attributes(void **state)
{
	const char *const options[] = {"size", "1m", "mode", "0750"};
	struct plan_mount record;
	struct mountinfo info;
	struct statvfs fs;
	struct stat st;

	(void)state;
	NEEDS_NAMESPACE();
	record = one(BASE "/deep/er/tmp", "tmpfs", "scratch", PLAN_SOURCE_NONE);
	record.attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	record.options = plan_write_strings(writer, options, 4);
	record.propagation = MS_SHARED;
	plan_write_mount(writer, &record);
	finish();
	applied(0);
	assert_true(mounted(BASE "/deep/er/tmp", &info));
	assert_string_equal(info.source, "scratch");
	assert_true(is_shared(BASE "/deep/er/tmp"));
	assert_false(is_shared(BASE));
	assert_int_equal(statvfs(BASE "/deep/er/tmp", &fs), 0);
	assert_int_equal(fs.f_blocks * fs.f_frsize, 1 << 20);
	assert_int_equal(fs.f_flag & (ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_RDONLY),
			 ST_NOSUID | ST_NODEV | ST_NOEXEC);
	assert_int_equal(stat(BASE "/deep/er/tmp", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
}

static void a_read_only_file_system_is_read_only_as_a_whole(void **state)
{
	struct plan_mount record;
	struct mountinfo info;

	(void)state;
	NEEDS_NAMESPACE();
	record = one(BASE "/read-only", "tmpfs", "tmpfs", PLAN_SOURCE_NONE);
	record.attributes = MOUNT_ATTR_RDONLY;
	plan_write_mount(writer, &record);
	finish();
	applied(0);
	assert_true(mounted(BASE "/read-only", &info));
	assert_memory_equal(info.options, "ro", 2);
	/* Another mount of it could be written, if only the mount were read-only. */
	assert_memory_equal(info.super_options, "ro", 2);
}

static void a_read_only_bind_cannot_be_written_and_its_source_can(void **state)
{
	struct plan_mount record;

	(void)state;
	NEEDS_NAMESPACE();
	assert_int_equal(make_directories(BASE "/source"), 0);
	record = one(BASE "/bound", "bind", BASE "/source", PLAN_SOURCE_BIND);
	record.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME;
	plan_write_mount(writer, &record);
	finish();
	applied(0);
	touch(BASE "/source/file");
	assert_int_equal(access(BASE "/bound/file", F_OK), 0);
	assert_int_equal(open(BASE "/bound/other", O_WRONLY | O_CREAT | O_CLOEXEC, 0644), -1);
	assert_int_equal(errno, EROFS);
}

static void a_file_is_bound_over_a_file_that_is_made_for_it(void **state)
{
	struct plan_mount record;
	struct mountinfo info;

	(void)state;
	NEEDS_NAMESPACE();
	touch(BASE "/a-file");
	record = one(BASE "/made/for/it", "bind", BASE "/a-file", PLAN_SOURCE_BIND);
	plan_write_mount(writer, &record);
	finish();
	applied(0);
	assert_true(mounted(BASE "/made/for/it", &info));
}

static void an_overlay_makes_its_directories_and_takes_a_long_lower_list(void **state)
{
	static char names[40][64];
	const char *lowers[40];
	struct plan_mount record;
	struct statfs fs;

	(void)state;
	NEEDS_NAMESPACE();
	for (int i = 0; i < 40; i++) {
		snprintf(names[i], sizeof(names[i]), BASE "/lower/layer,with:odd\\name-%d", i);
		assert_int_equal(make_directories(names[i]), 0);
		lowers[i] = names[i];
	}
	touch(BASE "/lower/layer,with:odd\\name-39/below");
	record = one(BASE "/merged", "overlay", "overlay", PLAN_SOURCE_OVERLAY);
	record.lowers = plan_write_strings(writer, lowers, 40);
	record.upper = plan_write_string(writer, BASE "/state/upper");
	record.work = plan_write_string(writer, BASE "/state/work");
	plan_write_mount(writer, &record);
	finish();
	applied(0);
	assert_int_equal(statfs(BASE "/merged", &fs), 0);
	assert_int_equal(fs.f_type, 0x794c7630);
	assert_int_equal(access(BASE "/merged/below", F_OK), 0);
	touch(BASE "/merged/above");
	assert_int_equal(access(BASE "/state/upper/above", F_OK), 0);
}

/* The build id of a plan of this writer is zeros. */
#define LAYER BASE "/layers/b/0000000000000000"

static void a_slots_layer_is_of_the_slot_and_the_image(void **state)
{
	const char *const lowers[] = {BASE "/lower"};
	struct plan_mount record;

	(void)state;
	NEEDS_NAMESPACE();
	assert_int_equal(make_directories(BASE "/lower"), 0);
	assert_int_equal(make_directories(BASE "/own"), 0);
	record = one(BASE "/own", "overlay", "overlay", PLAN_SOURCE_OVERLAY);
	record.flags = PLAN_MOUNT_SLOT_LAYER;
	record.lowers = plan_write_strings(writer, lowers, 1);
	record.upper = record.work = plan_write_string(writer, BASE "/layers");
	plan_write_mount(writer, &record);
	finish();
	/* There is no cleaner here; that is told and the layer is used. */
	assert_int_equal(apply(0), 0);
	assert_string_equal(passed_over, "keelctl etc clean");
	touch(BASE "/own/file");
	assert_int_equal(access(LAYER "/upper/file", F_OK), 0);
	assert_int_equal(umount(BASE "/own"), 0);
	/* Once it is there, there is nothing to clean, but when something is marked. */
	applied(0);
	assert_null(passed_over);
	assert_int_equal(access(BASE "/own/file", F_OK), 0);
	assert_int_equal(umount(BASE "/own"), 0);
	assert_int_equal(make_directories(LAYER "/reset"), 0);
	assert_int_equal(apply(0), 0);
	assert_string_equal(passed_over, "keelctl etc clean");
}

static void a_value_too_long_for_fsconfig_goes_through_mount(void **state)
{
	static char value[300];
	const char *options[] = {"mpol", value};
	struct plan_mount record;

	(void)state;
	NEEDS_NAMESPACE();
	memset(value, '0', sizeof(value) - 1);
	record = one(BASE "/long", "tmpfs", "tmpfs", PLAN_SOURCE_NONE);
	record.options = plan_write_strings(writer, options, 2);
	record.data = plan_write_string(writer, "mode=0700");
	plan_write_mount(writer, &record);
	finish();
	applied(0);
}

static void a_failure_names_its_step(void **state)
{
	const char *const options[] = {"no-such-option", "1"};
	struct plan_mount record;

	(void)state;
	NEEDS_NAMESPACE();
	record = one(BASE "/x", "no-such-fs", "x", PLAN_SOURCE_NONE);
	plan_write_mount(writer, &record);
	record = one(BASE "/x", "tmpfs", "x", PLAN_SOURCE_NONE);
	record.options = plan_write_strings(writer, options, 2);
	plan_write_mount(writer, &record);
	record = one(BASE "/x", "bind", BASE "/not-there", PLAN_SOURCE_BIND);
	plan_write_mount(writer, &record);
	record = one("/proc/not-there", "tmpfs", "x", PLAN_SOURCE_NONE);
	plan_write_mount(writer, &record);
	record = one(BASE "/x", "ext4", "state", PLAN_SOURCE_PARTITION);
	plan_write_mount(writer, &record);
	record = one(BASE "/x", "ext4", "/dev/not-there", PLAN_SOURCE_DEVICE);
	plan_write_mount(writer, &record);
	finish();
	assert_int_equal(apply(0), -ENODEV);
	assert_string_equal(step, "fsopen");
	assert_int_equal(apply(1), -EINVAL);
	assert_string_equal(step, "no-such-option");
	assert_int_equal(apply(2), -ENOENT);
	assert_string_equal(step, "open_tree");
	assert_int_equal(apply(3), -ENOENT);
	assert_string_equal(step, "make target");
	assert_int_equal(apply(4), -ENODEV);
	assert_string_equal(step, "find device");
	assert_int_equal(apply(5), -ENODEV);
	assert_string_equal(step, "find device");
}

/* ---- a real file system on a loop device ---- */

static void a_state_partition_is_made_mounted_and_grown(void **state)
{
	char loop[64] = "";
	struct plan_mount record;
	struct statvfs fs;
	FILE *file;

	(void)state;
	NEEDS_NAMESPACE();
	if (access("/usr/sbin/mkfs.ext4", X_OK) != 0)
		skip();
	file = popen("truncate -s 16M " BASE "/disk && losetup --find --show " BASE
		     "/disk 2>/dev/null",
		     "re");
	assert_non_null(file);
	if (fscanf(file, "%63s", loop) != 1 || pclose(file) != 0)
		skip(); /* no loop devices here */
	setenv("LOOP", loop, 1);

	record = one(BASE "/var", "ext4", loop, PLAN_SOURCE_DEVICE);
	record.attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	record.flags = PLAN_MOUNT_MAKE | PLAN_MOUNT_CHECK | PLAN_MOUNT_GROW;
	plan_write_mount(writer, &record);
	finish();
	applied(0);
	touch(BASE "/var/kept");
	assert_int_equal(umount(BASE "/var"), 0);

	assert_int_equal(system("truncate -s 64M " BASE "/disk && losetup -c \"$LOOP\""), 0);
	applied(0);
	assert_int_equal(access(BASE "/var/kept", F_OK), 0);
	assert_int_equal(statvfs(BASE "/var", &fs), 0);
	/* resize needs CAP_SYS_RESOURCE; without it the file system is still mounted, and smaller. */
	if (passed_over)
		assert_string_equal(passed_over, "EXT4_IOC_RESIZE_FS");
	else
		assert_true(fs.f_blocks * fs.f_frsize > 50u << 20);
	assert_int_equal(passed_over == NULL,
			 prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) == 1);
	assert_int_equal(umount(BASE "/var"), 0);
}

/* ---- ending ---- */

static void everything_but_what_is_kept_is_unmounted(void **state)
{
	static const char *const keep[] = {"/proc", "/sys", "/dev", BASE "/kept"};
	struct unmount_report report;
	struct mountinfo info;
	int busy;

	(void)state;
	NEEDS_NAMESPACE();
	assert_int_equal(make_directories(BASE "/kept/inside"), 0);
	assert_int_equal(make_directories(BASE "/keptish"), 0);
	assert_int_equal(make_directories(BASE "/busy"), 0);
	assert_int_equal(make_directories(BASE "/over me"), 0);
	assert_int_equal(mount("a", BASE "/kept/inside", "tmpfs", 0, NULL), 0);
	assert_int_equal(mount("a", BASE "/keptish", "tmpfs", 0, NULL), 0);
	assert_int_equal(mount("a", BASE "/busy", "tmpfs", 0, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(mount("a", BASE "/over me", "tmpfs", 0, NULL), 0);
	busy = open(BASE "/busy/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(busy >= 0);

	assert_int_equal(unmount_all(keep, 4, SECOND_NS, 20 * SECOND_NS, &report), 0);
	assert_true(report.unmounted >= 4);
	assert_false(mounted(BASE "/keptish", &info));
	assert_false(mounted(BASE "/over me", &info));
	assert_true(mounted(BASE "/kept/inside", &info));
	/* The busy one has no disk: it is detached, so that it does not hold the one it is on. */
	assert_false(mounted(BASE "/busy", &info));
	assert_true(report.detached >= 1);
	/* Of what is kept the mount below stays, too. */
	assert_true(mounted(BASE, &info));
	close(busy);
	assert_int_equal(umount(BASE "/kept/inside"), 0);
	assert_int_equal(unmount_all(keep, 3, SECOND_NS, 20 * SECOND_NS, &report), 0);
	assert_false(mounted(BASE, &info));
	assert_int_equal(mount("base", BASE, "tmpfs", 0, NULL), 0);
}

static void more_mounts_than_fit_in_a_pass_are_all_unmounted(void **state)
{
	static const char *const keep[] = {"/proc", "/sys", "/dev"};
	struct unmount_report report;
	struct mountinfo info;
	char path[64];

	(void)state;
	NEEDS_NAMESPACE();
	/* A chain: each can go only after the one below it has. */
	for (int i = 0; i < 600; i++) {
		snprintf(path, sizeof(path), BASE "/%d", i % 7);
		assert_int_equal(make_directories(path), 0);
		assert_int_equal(mount("a", path, "tmpfs", 0, NULL), 0);
	}
	assert_int_equal(unmount_all(keep, 3, SECOND_NS, 60 * SECOND_NS, &report), 0);
	assert_false(mounted(BASE, &info));
	assert_true(report.unmounted >= 601);
	/* By umount(2) alone: nothing of it is in use. */
	assert_int_equal(report.forced, 0);
	assert_int_equal(report.detached, 0);
	assert_int_equal(mount("base", BASE, "tmpfs", 0, NULL), 0);
}

static void a_budget_that_is_used_up_ends_it(void **state)
{
	static const char *const keep[] = {"/proc", "/sys", "/dev"};
	struct unmount_report report;

	(void)state;
	NEEDS_NAMESPACE();
	assert_int_equal(unmount_all(keep, 3, SECOND_NS, 0, &report), -ETIMEDOUT);
	assert_true(report.left > 0);
	assert_int_equal(sync_timed(60 * SECOND_NS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_system_gets_its_options_and_attributes,
						begin, end),
		cmocka_unit_test_setup_teardown(a_read_only_file_system_is_read_only_as_a_whole,
						begin, end),
		cmocka_unit_test_setup_teardown(
			a_read_only_bind_cannot_be_written_and_its_source_can, begin, end),
		cmocka_unit_test_setup_teardown(a_file_is_bound_over_a_file_that_is_made_for_it,
						begin, end),
		cmocka_unit_test_setup_teardown(
			an_overlay_makes_its_directories_and_takes_a_long_lower_list, begin, end),
		cmocka_unit_test_setup_teardown(a_slots_layer_is_of_the_slot_and_the_image, begin,
						end),
		cmocka_unit_test_setup_teardown(a_value_too_long_for_fsconfig_goes_through_mount,
						begin, end),
		cmocka_unit_test_setup_teardown(a_failure_names_its_step, begin, end),
		cmocka_unit_test_setup_teardown(a_state_partition_is_made_mounted_and_grown, begin,
						end),
		cmocka_unit_test(everything_but_what_is_kept_is_unmounted),
		cmocka_unit_test(more_mounts_than_fit_in_a_pass_are_all_unmounted),
		cmocka_unit_test(a_budget_that_is_used_up_ends_it),
	};

	return cmocka_run_group_tests_name("mounts", tests, enter_namespace, NULL);
}
