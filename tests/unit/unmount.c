/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the machine's mounts when disks hang or are still written to: what is asked of them, and when
 * the kernel's emergency remount is. No call here reaches the kernel: mounts, children and time are this
 * file's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mount/child.h"
#include "mount/detach.h"
#include "mount/mount_table.h"
#include "mount/unmount.h"

#define S 1000000000ull
#define STEP (5 * S)
#define TOTAL (45 * S)
#define DISKS 4
#define FOR_EVER 1000000u

static struct disk {
	bool hangs;           /* whatever asks its superblock */
	unsigned int written; /* by somebody in another namespace: so many remounts say "busy" */
	bool read_only;
	unsigned int remounts;
} disks[DISKS];

static struct {
	char target[16];
	uint32_t minor;
	bool gone;
	bool only_force; /* busy here, but for MNT_FORCE */
} mounts[8];

static struct {
	uint32_t count;
	uint64_t now_ns;
	bool hung; /* the call of this child */
	unsigned int emergencies;
	uint64_t taken_apart_ns; /* so long that takes, of what it is given */
} world;

static uint32_t find(const char *target)
{
	for (uint32_t i = 0; i < world.count; i++)
		if (!mounts[i].gone && strcmp(mounts[i].target, target) == 0)
			return i;
	fail_msg("%s is not mounted", target);
	return 0;
}

static unsigned int mounts_of(uint32_t minor)
{
	unsigned int found = 0;

	for (uint32_t i = 0; i < world.count; i++)
		found += !mounts[i].gone && mounts[i].minor == minor;
	return found;
}

static int hang(void)
{
	world.hung = true;
	errno = EINTR;
	return -1;
}

/* ---- what it calls ---- */

int stat(const char *path, struct stat *st)
{
	assert_string_equal(path, "/proc/self/ns/pid");
	st->st_ino = 0xeffffffc;
	return 0;
}

pid_t getpid(void)
{
	return 1;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){.tv_sec = (time_t)(world.now_ns / S)};
	return 0;
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)left;
	world.now_ns += (uint64_t)time->tv_nsec;
	return 0;
}

int umount2(const char *target, int flags)
{
	uint32_t i = find(target);
	struct disk *disk = &disks[mounts[i].minor];

	if (mounts[i].only_force && !(flags & MNT_FORCE)) {
		errno = EBUSY;
		return -1;
	}
	if (disk->hangs && mounts_of(mounts[i].minor) == 1)
		return hang();
	mounts[i].gone = true;
	return 0;
}

int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *data)
{
	struct disk *disk = &disks[mounts[find(target)].minor];

	(void)source;
	(void)type;
	(void)data;
	assert_int_equal(flags, MS_REMOUNT | MS_RDONLY);
	disk->remounts++;
	if (disk->hangs)
		return hang();
	if (disk->written > 0) {
		disk->written--;
		errno = EBUSY;
		return -1;
	}
	disk->read_only = true;
	return 0;
}

/* The kernel's remount minds no writer, and does what does not hang. */
int open(const char *path, int flags, ...)
{
	assert_string_equal(path, "/proc/sysrq-trigger");
	assert_int_equal(flags, O_WRONLY | O_CLOEXEC);
	world.emergencies++;
	for (int i = 0; i < DISKS; i++)
		disks[i].read_only |= !disks[i].hangs;
	return memfd_create("sysrq", MFD_CLOEXEC);
}

int run_timed(int (*work)(void *argument), void *argument, uint64_t timeout_ns)
{
	int error;

	world.hung = false;
	error = work(argument);
	if (world.hung)
		world.now_ns += timeout_ns + S; /* and some time to kill it */
	return world.hung ? -ETIMEDOUT : error;
}

uint64_t detach_step_ns(const struct detach_budget *budget)
{
	uint64_t left_ns = world.now_ns < budget->deadline_ns ? budget->deadline_ns - world.now_ns
							      : 0;

	return left_ns < budget->step_ns ? left_ns : budget->step_ns;
}

int detach_mapped(const struct detach_budget *budget)
{
	for (uint64_t ns = 0; ns < world.taken_apart_ns && detach_step_ns(budget) > 0; ns += S)
		world.now_ns += S;
	return 0;
}

int detach_loops(const struct detach_budget *budget)
{
	(void)budget;
	return 0;
}

bool mount_table_is_below(const char *path, const char *prefix)
{
	(void)path;
	(void)prefix;
	return false;
}

int mount_table_read(const char *const *keep, size_t keep_count, struct mount_table **read)
{
	static struct mount_table table;

	(void)keep;
	(void)keep_count;
	table.count = 0;
	for (uint32_t i = 0; i < world.count; i++)
		if (!mounts[i].gone)
			table.mounts[table.count++] = (struct mount_entry){
				.id = 100 + i,
				.major = 8,
				.minor = mounts[i].minor,
				.read_only = disks[mounts[i].minor].read_only,
				.target = mounts[i].target,
			};
	*read = &table;
	return (int)table.count;
}

/* ---- the tests ---- */

static int begin(void **state)
{
	(void)state;
	memset(disks, 0, sizeof(disks));
	memset(mounts, 0, sizeof(mounts));
	memset(&world, 0, sizeof(world));
	world.now_ns = 1000 * S;
	return 0;
}

static void add(uint32_t minor)
{
	snprintf(mounts[world.count].target, sizeof(mounts[0].target), "/m%u", world.count);
	mounts[world.count++].minor = minor;
}

static struct unmount_report unmounted(void)
{
	struct unmount_report report;

	(void)unmount_all(NULL, 0, STEP, TOTAL, &report);
	return report;
}

static void what_goes_clean_needs_no_emergency(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 6; i++)
		add(i % 3);
	assert_int_equal(unmounted().unmounted, 6);
	for (int i = 0; i < 3; i++)
		assert_true(disks[i].read_only);
	assert_int_equal(world.emergencies, 0);
	assert_int_equal(world.now_ns, 1000 * S);
}

static void who_is_written_to_elsewhere_is_made_clean_by_the_kernel(void **state)
{
	(void)state;
	add(0);
	add(1);
	disks[1].written = FOR_EVER;
	(void)unmounted();
	assert_int_equal(world.emergencies, 1);
	assert_true(disks[0].read_only && disks[1].read_only);
}

/* MNT_FORCE takes it out of the table: nothing is seen of it any more. */
static void what_force_took_away_is_made_clean_by_the_kernel(void **state)
{
	struct unmount_report report;

	(void)state;
	add(0);
	disks[0].written = FOR_EVER;
	mounts[0].only_force = true;
	report = unmounted();
	assert_true(mounts[0].gone);
	assert_int_equal(report.forced, 1);
	assert_int_equal(world.emergencies, 1);
	assert_true(disks[0].read_only);
}

/* Its writer ended meanwhile: the remount that went well is what counts. */
static void who_was_busy_and_became_clean_needs_no_emergency(void **state)
{
	(void)state;
	add(0);
	add(0);
	disks[0].written = 1;
	assert_int_equal(unmounted().unmounted, 2);
	assert_int_equal(world.emergencies, 0);
}

static void a_disk_that_hangs_costs_three_calls_and_no_other_disk(void **state)
{
	(void)state;
	add(1);
	for (int i = 0; i < 6; i++)
		add(0);
	disks[0].hangs = true;
	(void)unmounted();
	assert_int_equal(mounts_of(0), 1);
	assert_int_equal(disks[0].remounts, 1);
	assert_int_equal(mounts_of(1), 0);
	assert_true(disks[1].read_only);
	assert_int_equal(world.emergencies, 1);
	assert_true(world.now_ns - 1000 * S <= 3 * (STEP + S) + 4 * S);
}

/* However long taking devices apart takes, it leaves time to make the rest clean. */
static void the_last_steps_have_time_of_their_own(void **state)
{
	(void)state;
	add(0);
	mounts[0].only_force = true;
	disks[0].written = FOR_EVER;
	add(1);
	disks[1].hangs = true;
	world.taken_apart_ns = 1000 * S;
	(void)unmounted();
	assert_int_equal(world.emergencies, 1);
	assert_true(disks[0].read_only);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_goes_clean_needs_no_emergency, begin),
		cmocka_unit_test_setup(who_is_written_to_elsewhere_is_made_clean_by_the_kernel,
				       begin),
		cmocka_unit_test_setup(what_force_took_away_is_made_clean_by_the_kernel, begin),
		cmocka_unit_test_setup(who_was_busy_and_became_clean_needs_no_emergency, begin),
		cmocka_unit_test_setup(a_disk_that_hangs_costs_three_calls_and_no_other_disk,
				       begin),
		cmocka_unit_test_setup(the_last_steps_have_time_of_their_own, begin),
	};

	return cmocka_run_group_tests_name("unmount", tests, NULL, NULL);
}
