/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which disk is taken, what is written to it before that, and what is not. Disks are files; the
 * kernel, which shows their partitions or does not, is played by the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "mount/disk.h"
#include "tests/unit/gpt_image.h"

#if defined(__x86_64__)
static const uint8_t root[] = GPT_TYPE_ROOT_X86_64;
static const uint8_t tree[] = GPT_TYPE_VERITY_X86_64;
#else
static const uint8_t root[] = GPT_TYPE_ROOT_ARM64;
static const uint8_t tree[] = GPT_TYPE_VERITY_ARM64;
#endif
static const uint8_t header[] = GPT_TYPE_HEADER;

#define DISKS_MAX 2

static struct {
	int count;
	int waits;          /* calls of devices_wait(); the first is the deadline */
	bool unwritable;    /* no disk can be opened */
	bool gpt_word;      /* the kernel was started with `gpt`: it takes a backup, too */
	uint32_t hidden;    /* the partition that the kernel does not show, 0: none */
	int fds[DISKS_MAX]; /* "vda", "vdb" */
} machine;

static struct gpt gpt;
static struct disk found;
static const struct disks_passed none;

/* ---- the kernel's part ---- */

static void describe(int i, struct device *device)
{
	*device = (struct device){
		.name = {'v', 'd', (char)('a' + i)},
		.sector_bytes = 512,
		.size_bytes = (uint64_t)IMAGE_SECTORS * 512,
	};
}

int devices_disks(struct device *disks, size_t max)
{
	for (int i = 0; i < machine.count && (size_t)i < max; i++)
		describe(i, &disks[i]);
	return machine.count;
}

int devices_disk(const char *name, struct device *device)
{
	int i = name[2] - 'a';

	if (i >= machine.count)
		return -ENODEV;
	describe(i, device);
	return 0;
}

/* As Linux: a protective MBR and a valid primary, or nothing. */
int devices_partition(const char *disk, uint32_t number, struct device *device)
{
	static struct gpt seen;
	int fd = machine.fds[disk[2] - 'a'];
	uint8_t mbr[GPT_MBR_BYTES];

	assert_int_equal(pread(fd, mbr, sizeof(mbr), 0), sizeof(mbr));
	if (!gpt_mbr_protects(mbr) || gpt_read(fd, 512, IMAGE_SECTORS, &seen) != 0 ||
	    (seen.from_backup && !machine.gpt_word) || number == machine.hidden)
		return -ENOENT;
	describe(disk[2] - 'a', device);
	return 0;
}

int devices_partition_named(const char *disk, const char *name, struct device *device)
{
	(void)disk;
	(void)name;
	(void)device;
	return -ENOENT;
}

int device_path(const char *name, char path[DEVICE_PATH_BYTES])
{
	snprintf(path, DEVICE_PATH_BYTES,
		 machine.unwritable ? "/nonexistent/%d" : "/proc/self/fd/%d",
		 machine.fds[name[2] - 'a']);
	return 0;
}

int devices_listen(void)
{
	return -1;
}

int devices_wait(int fd, uint64_t deadline_ns)
{
	(void)fd;
	(void)deadline_ns;
	machine.waits++;
	return -ETIMEDOUT;
}

/* ---- disks ---- */

static void put(int i, uint64_t offset, const void *bytes, size_t size)
{
	assert_int_equal(pwrite(machine.fds[i], bytes, size, (off_t)offset), size);
}

static void put_slot(uint32_t first, uint64_t lba)
{
	image_entry(&gpt, first, root, lba, lba + 99, 0x32ull << 48, "root");
	image_entry(&gpt, first + 1, tree, lba + 100, lba + 149, 0, "verity");
	image_entry(&gpt, first + 2, header, lba + 150, lba + 199, 0, "header");
}

/* Another disk with two slots and everything in order. */
static void add_disk(void)
{
	static const uint8_t mbr[GPT_MBR_BYTES] = {
		[446 + 4] = 0xee, [446 + 8] = 1, [510] = 0x55, [511] = 0xaa};
	int i = machine.count++;
	const char *step;

	machine.fds[i] = image_create(512);
	assert_true(machine.fds[i] >= 0);
	image_table(&gpt, 512);
	put_slot(1, 100);
	put_slot(4, 300);
	assert_int_equal(gpt_write(machine.fds[i], &gpt, &step), 0);
	put(i, 0, mbr, sizeof(mbr));
}

static int setup(void **state)
{
	(void)state;
	memset(&machine, 0, sizeof(machine));
	add_disk();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < machine.count; i++)
		close(machine.fds[i]);
	return 0;
}

/* A file system on the whole disk: somebody else's data where the primary table was. */
static void use_otherwise(int i)
{
	static const uint8_t zero[1024];
	static const uint8_t data[4096] = {1, 2, 3, 4};

	put(i, 0, zero, sizeof(zero));
	put(i, sizeof(zero), data, sizeof(data));
}

static void damage_primary(int i)
{
	put(i, 512 + 60, "damage", 6);
}

static void assert_unwritten(int i, const uint8_t before[IMAGE_SECTORS * 512])
{
	static uint8_t now[IMAGE_SECTORS * 512];

	assert_int_equal(pread(machine.fds[i], now, sizeof(now), 0), sizeof(now));
	assert_memory_equal(now, before, sizeof(now));
}

static uint8_t before[IMAGE_SECTORS * 512];

static void keep_contents(int i)
{
	assert_int_equal(pread(machine.fds[i], before, sizeof(before), 0), sizeof(before));
}

static void a_disk_in_order_is_taken_and_not_written(void **state)
{
	(void)state;
	keep_contents(0);
	assert_int_equal(disk_find(&none, 1, &found), 0);
	assert_string_equal(found.device.name, "vda");
	assert_int_equal(found.slots.count, 2);
	assert_null(found.mended);
	assert_int_equal(machine.waits, 0);
	assert_unwritten(0, before);
}

static void a_damaged_primary_is_mended_so_that_the_kernel_shows_it(void **state)
{
	(void)state;
	damage_primary(0);
	assert_int_equal(disk_find(&none, 1, &found), 0);
	assert_non_null(found.mended);
	assert_false(found.gpt.from_backup);
	assert_int_equal(machine.waits, 0);
}

static void a_disk_that_is_used_otherwise_now_is_never_written(void **state)
{
	(void)state;
	use_otherwise(0);
	keep_contents(0);
	assert_int_equal(disk_find(&none, 1, &found), -ENODEV);
	assert_unwritten(0, before);
}

static void a_valid_primary_goes_before_an_earlier_disk_without(void **state)
{
	(void)state;
	add_disk();
	damage_primary(0);
	keep_contents(0);
	for (int word = 0; word < 2; word++) {
		machine.gpt_word = word;
		assert_int_equal(disk_find(&none, 1, &found), 0);
		assert_string_equal(found.device.name, "vdb");
		assert_unwritten(0, before);
	}
}

static void disks_without_a_slot_to_boot_are_passed_over(void **state)
{
	struct disks_passed passed = {.count = 1, .names = {"vda"}};

	(void)state;
	add_disk();
	assert_int_equal(disk_find(&passed, 1, &found), 0);
	assert_string_equal(found.device.name, "vdb");
	passed = (struct disks_passed){.count = 2, .names = {"vdb", "vda"}};
	assert_int_equal(disk_find(&passed, 1, &found), -ENODEV);
}

static void one_slot_that_is_whole_is_enough_at_the_deadline(void **state)
{
	(void)state;
	machine.hidden = 6; /* slot b's tree */
	assert_int_equal(disk_find(&none, 1, &found), 0);
	assert_int_equal(machine.waits, 1);
	assert_int_equal(found.slots.count, 2);
}

static void bits_that_could_not_be_written_are_written_by_the_next_call(void **state)
{
	const struct gpt_slot_bits burned[2] = {{.priority = 2, .tries = 2},
						{.priority = 2, .tries = 3}};
	const char *step = "";

	(void)state;
	assert_int_equal(disk_find(&none, 1, &found), 0);
	machine.unwritable = true;
	assert_int_equal(disk_write_bits(&found, burned, &step), -ENOENT);
	assert_string_equal(step, "open disk for writing");
	machine.unwritable = false;
	assert_int_equal(disk_write_bits(&found, burned, &step), 0);
	assert_int_equal(disk_reread("vda", gpt.header.disk_guid, &found), 0);
	assert_int_equal(found.slots.slot[0].bits.tries, 2);
	assert_int_equal(found.slots.slot[1].bits.tries, 3);
	/* Nothing changes: nothing is written. */
	machine.unwritable = true;
	assert_int_equal(disk_write_bits(&found, burned, &step), 0);
}

static void another_disk_of_the_same_name_is_not_taken_for_it(void **state)
{
	uint8_t other[GPT_GUID_BYTES] = {0};

	(void)state;
	assert_int_equal(disk_reread("vda", other, &found), -ESTALE);
	assert_int_equal(disk_reread("vdb", other, &found), -ENODEV);
}

static void one_writer_at_a_time_has_the_disk(void **state)
{
	int other, lock;

	(void)state;
	lock = disk_lock("vda", 0);
	assert_true(lock >= 0);
	assert_true(fcntl(lock, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(disk_lock("vda", 1), -ETIMEDOUT);
	close(lock);
	lock = disk_lock("vda", 1);
	assert_true(lock >= 0);
	close(lock);
	/* udev reads a disk under a shared lock: that is waited for, too. */
	other = disk_lock("vda", 1);
	assert_true(other >= 0);
	assert_int_equal(flock(other, LOCK_SH), 0);
	assert_int_equal(disk_lock("vda", 1), -ETIMEDOUT);
	close(other);
	assert_int_equal(disk_lock("a-name-that-is-too-long-for-a-device-of-linux", 1),
			 -ENAMETOOLONG);
	machine.unwritable = true;
	assert_int_equal(disk_lock("vda", 1), -ENOENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_disk_in_order_is_taken_and_not_written),
		TEST(a_damaged_primary_is_mended_so_that_the_kernel_shows_it),
		TEST(a_disk_that_is_used_otherwise_now_is_never_written),
		TEST(a_valid_primary_goes_before_an_earlier_disk_without),
		TEST(disks_without_a_slot_to_boot_are_passed_over),
		TEST(one_slot_that_is_whole_is_enough_at_the_deadline),
		TEST(bits_that_could_not_be_written_are_written_by_the_next_call),
		TEST(another_disk_of_the_same_name_is_not_taken_for_it),
		TEST(one_writer_at_a_time_has_the_disk),
	};

	return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
