/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other programs say of the tables that keelson writes (sfdisk, sgdisk, cgpt, systemd-dissect),
 * and what keelson reads from those that cgpt writes for ChromeOS and Flatcar. A program that the
 * machine lacks is passed over by name; the other ones are asked.
 */
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
#include <unistd.h>

#include "mount/gpt_io.h"
#include "mount/gptprio.h"
#include "mount/slots.h"

#if defined(__x86_64__)
#define ROOT GPT_TYPE_ROOT_X86_64_TEXT
#define TREE GPT_TYPE_VERITY_X86_64_TEXT
#else
#define ROOT GPT_TYPE_ROOT_ARM64_TEXT
#define TREE GPT_TYPE_VERITY_ARM64_TEXT
#endif
#define SECTORS 131072ull
#define GROWN_SECTORS 200001ull
#define FLATCAR_USR "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"
#define FLATCAR_A "7130c94a-213a-4e5a-8e26-6cce9662f132"
#define FLATCAR_B "e03dd35c-7c2d-4a47-b3fe-27f15780a57c"

static char path[] = "/tmp/keelson-gpt-tools-XXXXXX";
static int image = -1;
static uint64_t sectors;
static struct gpt gpt;
static struct slot_table slots;
static const char *step;

static bool has(const char *program)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	return system(command) == 0;
}

static bool needs(const char *program)
{
	if (has(program))
		return true;
	print_message("# SKIP %s is not installed\n", program);
	return false;
}

static int setup(void **state)
{
	(void)state;
	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	image = mkstemp(path);
	sectors = SECTORS;
	setenv("IMAGE", path, 1);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	return image < 0 || ftruncate(image, (off_t)(SECTORS * 512)) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(image);
	return unlink(path);
}

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static void reread(void)
{
	assert_int_equal(gpt_read(image, 512, sectors, &gpt), 0);
	slots_find(&gpt, &slots);
}

/* ---- what they say of ours ---- */

/* Each finds no fault; what it cannot know is left out. */
static void others_agree(const char *when)
{
	static const struct {
		const char *program;
		const char *command;
	} tools[] = {
		{"sfdisk", "sfdisk --verify \"$IMAGE\" 2>&1 | grep -q 'No errors detected'"},
		{"sgdisk", "sgdisk -v \"$IMAGE\" 2>&1 | grep -q 'No problems found' &&"
			   " ! sgdisk -v \"$IMAGE\" 2>&1 | grep -Eqi 'caution|corrupt|invalid'"},
		{"cgpt", "cgpt show \"$IMAGE\" 2>&1 | grep -q 'Sec GPT header' &&"
			 " ! cgpt show \"$IMAGE\" 2>&1 | grep -Eqi 'invalid|warning|error'"},
	};

	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (has(tools[i].program) && system(tools[i].command) != 0)
			fail_msg("%s: %s finds fault", when, tools[i].program);
	assert_int_equal(gpt_read(image, 512, sectors, &gpt), 0);
	assert_null(gpt.primary_fault);
	assert_null(gpt.backup_fault);
	assert_false(gpt.differ);
}

static void make_keelson_disk(void)
{
	run("printf 'label: gpt\\nsize=4M, type=" GPT_TYPE_ESP_TEXT ", name=esp\\n"
	    "size=8M, type=" ROOT ", name=root-a, attrs=\"GUID:49,52,53\"\\n"
	    "size=2M, type=" TREE ", name=root-a-verity\\n"
	    "size=1M, type=" GPT_TYPE_HEADER_TEXT ", name=root-a-header\\n"
	    "size=8M, type=" ROOT ", name=root-b, attrs=\"GUID:48\"\\n"
	    "size=2M, type=" TREE ", name=root-b-verity\\n"
	    "size=1M, type=" GPT_TYPE_HEADER_TEXT ", name=root-b-header\\n"
	    "size=36M, type=" GPT_TYPE_STATE_TEXT ", name=state\\n' | sfdisk -q \"$IMAGE\"");
	reread();
	assert_int_equal(slots.count, 2);
}

static void write_bits(uint32_t slot, uint8_t priority, uint8_t tries, uint8_t successful)
{
	struct gpt_slot_bits bits = {priority, tries, successful};

	assert_int_equal(slots_set_bits(&gpt, &slots.slot[slot], bits), 0);
	assert_int_equal(gpt_write(image, &gpt, &step), 0);
}

static void damage(uint64_t offset)
{
	uint8_t byte;

	assert_int_equal(pread(image, &byte, 1, (off_t)offset), 1);
	byte ^= 1;
	assert_int_equal(pwrite(image, &byte, 1, (off_t)offset), 1);
	reread();
}

static void grow(void)
{
	uint8_t mbr[GPT_MBR_BYTES];

	sectors = GROWN_SECTORS;
	assert_int_equal(ftruncate(image, (off_t)(sectors * 512)), 0);
	reread();
	assert_int_equal(gpt_grow(&gpt, 7), 1);
	assert_int_equal(gpt_write_grown(image, &gpt, &step), 0);
	assert_int_equal(disk_read(image, mbr, sizeof(mbr), 0), 0);
	assert_true(gpt_mbr_resize(mbr, sectors));
	assert_int_equal(disk_write(image, mbr, sizeof(mbr), 0), 0);
}

static void every_tool_agrees_with_what_is_written(void **state)
{
	(void)state;
	if (!needs("sfdisk"))
		skip();
	needs("sgdisk");
	needs("cgpt");
	make_keelson_disk();
	others_agree("made");
	write_bits(0, 2, 2, 0);
	others_agree("burned");
	run("sfdisk --part-attrs \"$IMAGE\" 2 | grep -q '^GUID:49,53$'");
	write_bits(0, 2, 3, 1);
	others_agree("blessed");
	run("sfdisk --part-attrs \"$IMAGE\" 2 | grep -q '^GUID:49,52,53,56$'");
	damage(512 + 60);
	assert_non_null(gpt.primary_fault);
	write_bits(0, 2, 1, 1);
	others_agree("primary mended");
	damage(SECTORS * 512 - 512 + 60);
	assert_non_null(gpt.backup_fault);
	write_bits(0, 2, 3, 1);
	others_agree("backup mended");
	grow();
	others_agree("grown");
	run("sfdisk --dump \"$IMAGE\" | grep -q 'size= *143360.*name=\"state\"'");
	write_bits(1, 15, 15, 1);
	others_agree("burned after growing");
	/* And they can write it themselves. */
	run("sfdisk -q --part-attrs \"$IMAGE\" 2 GUID:48 >/dev/null");
	others_agree("written by sfdisk");
	reread();
	assert_int_equal(slots.slot[0].bits.priority, 1);
	assert_int_equal(slots.slot[1].bits.priority, 15);
}

/* It attaches the image to a loop device, which takes root's rights and such devices: the next free one. */
#define DISSECT(as)                                                       \
	"{ systemd-dissect --no-pager \"$IMAGE\" 2>&1 && echo whole; } |" \
	" sed 's/loop[0-9]*/loop/g' >\"$IMAGE." as "\""

static void systemd_dissect_sees_the_same_before_and_after(void **state)
{
	(void)state;
	if (!has("sfdisk") || !needs("systemd-dissect") || !needs("mkfs.ext4")) {
		skip();
		return;
	}
	make_keelson_disk();
	/* What it takes a disk for an image by: a root that can be mounted, of two the one with the later name. */
	if (system("{ mkfs.ext4 -q -F -E offset=5242880 \"$IMAGE\" 8M &&"
		   " mkfs.ext4 -q -F -E offset=16777216 \"$IMAGE\" 8M; } >/dev/null 2>&1") != 0 ||
	    system(DISSECT("before") " && grep -q whole \"$IMAGE.before\" &&"
				     " grep -q root-verity \"$IMAGE.before\"") != 0) {
		print_message("# SKIP systemd-dissect cannot read an image here\n");
		(void)!system("rm -f \"$IMAGE\".*");
		skip();
		return;
	}
	reread();
	write_bits(0, 2, 2, 1);
	write_bits(1, 3, 15, 0);
	run(DISSECT("after"));
	run("cmp \"$IMAGE.before\" \"$IMAGE.after\"");
	run("rm -f \"$IMAGE\".*");
}

/* ---- what we read from theirs ---- */

/* Flatcar's disk, as far as its loader looks at it. */
static void make_flatcar_disk(void)
{
	run("{ cgpt create \"$IMAGE\" && cgpt boot -p \"$IMAGE\" &&"
	    " cgpt add -i 1 -b 4096 -s 8192 -t efi -l EFI-SYSTEM \"$IMAGE\" &&"
	    " cgpt add -i 3 -b 12288 -s 16384 -t " FLATCAR_USR " -u " FLATCAR_A
	    " -l USR-A -P 1 -T 0 -S 1 \"$IMAGE\" &&"
	    " cgpt add -i 4 -b 28672 -s 16384 -t " FLATCAR_USR " -u " FLATCAR_B
	    " -l USR-B \"$IMAGE\" &&"
	    " cgpt add -i 6 -b 45056 -s 8192 -t data -l OEM \"$IMAGE\" &&"
	    " cgpt add -i 9 -b 53248 -s 32768 -t data -l ROOT \"$IMAGE\"; } >/dev/null 2>&1");
}

static void a_disk_of_flatcar_is_read_as_its_loader_reads_it(void **state)
{
	static const uint8_t usr[] = GPT_TYPE_FLATCAR_USR;
	static const struct {
		const char *bits[2]; /* of USR-A and USR-B, as cgpt's options */
		int next;            /* the entry, -1: none */
		struct gpt_slot_bits after;
	} cases[] = {
		{{"-P 1 -T 0 -S 1", "-P 0 -T 0 -S 0"}, 2, {1, 0, 1}},
		/* An update, tried once; then it did not prove itself. */
		{{"-P 1 -T 0 -S 1", "-P 2 -T 1 -S 0"}, 3, {2, 0, 0}},
		{{"-P 1 -T 0 -S 1", "-P 2 -T 0 -S 0"}, 2, {1, 0, 1}},
		{{"-P 1 -T 0 -S 1", "-P 2 -T 0 -S 1"}, 3, {2, 0, 1}},
		/* Successful, and a try is burned all the same. */
		{{"-P 1 -T 7 -S 1", "-P 0 -T 5 -S 1"}, 2, {1, 6, 1}},
		/* Equal: the lowest entry. */
		{{"-P 3 -T 1 -S 0", "-P 3 -T 9 -S 1"}, 2, {3, 0, 0}},
		{{"-P 15 -T 15 -S 0", "-P 14 -T 15 -S 1"}, 2, {15, 14, 0}},
		/* Nothing to try: priority 0 is never booted, not as a last resort either. */
		{{"-P 0 -T 3 -S 1", "-P 2 -T 0 -S 0"}, -1, {0, 0, 0}},
	};

	(void)state;
	if (!needs("cgpt")) {
		skip();
		return;
	}
	make_flatcar_disk();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char command[256];
		struct gpt_slot_bits bits;
		struct gpt_entry entry;
		uint64_t attributes = 0;
		int next;

		for (int slot = 0; slot < 2; slot++) {
			snprintf(command, sizeof(command), "cgpt add -i %d %s \"$IMAGE\"", 3 + slot,
				 cases[i].bits[slot]);
			run(command);
		}
		reread();
		/* Not keelson's: it has no slot, so no disk to boot from. */
		assert_int_equal(slots.count, 0);
		assert_int_equal(gpt_entry(&gpt, 2, &entry), 0);
		assert_string_equal(entry.name, "USR-A");
		assert_int_equal(entry.first_lba, 12288);
		next = gptprio_next(&gpt, usr, &attributes);
		if (next != (cases[i].next < 0 ? -ENOENT : cases[i].next))
			fail_msg("case %zu: entry %d", i, next);
		if (next < 0)
			continue;
		bits = gpt_slot_bits(attributes);
		assert_memory_equal(&bits, &cases[i].after, sizeof(bits));
		/* What the loader writes, cgpt reads back. */
		assert_int_equal(gpt_set_attributes(&gpt, (uint32_t)next, attributes), 0);
		assert_int_equal(gpt_write(image, &gpt, &step), 0);
		snprintf(command, sizeof(command),
			 "test \"$(cgpt show -i %d -P \"$IMAGE\") $(cgpt show -i %d -T \"$IMAGE\") "
			 "$(cgpt show -i %d -S \"$IMAGE\")\" = '%u %u %u'",
			 next + 1, next + 1, next + 1, bits.priority, bits.tries, bits.successful);
		run(command);
		others_agree("a disk of Flatcar's");
	}
}

static void kernels_of_chromeos_have_their_bits_where_ours_are(void **state)
{
	static const uint8_t kernel[] = GPT_TYPE_CHROMEOS_KERNEL;
	uint64_t attributes = 0;

	(void)state;
	if (!needs("cgpt")) {
		skip();
		return;
	}
	run("{ cgpt create \"$IMAGE\" && cgpt boot -p \"$IMAGE\" &&"
	    " cgpt add -i 2 -b 4096 -s 8192 -t kernel -l KERN-A -P 2 -T 4 -S 0 \"$IMAGE\" &&"
	    " cgpt add -i 4 -b 12288 -s 8192 -t kernel -l KERN-B -P 5 -T 0 -S 1 \"$IMAGE\" &&"
	    " cgpt add -i 6 -b 20480 -s 8192 -t kernel -l KERN-C -P 9 -T 0 -S 0 \"$IMAGE\"; }"
	    " >/dev/null 2>&1");
	reread();
	assert_int_equal(gptprio_next(&gpt, kernel, &attributes), 3);
	assert_true(attributes == 0x105ull << 48);
	assert_int_equal(gpt_set_attributes(&gpt, 3, 0), 0);
	assert_int_equal(gptprio_next(&gpt, kernel, &attributes), 1);
	assert_true(attributes == 0x32ull << 48);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_tool_agrees_with_what_is_written),
		TEST(systemd_dissect_sees_the_same_before_and_after),
		TEST(a_disk_of_flatcar_is_read_as_its_loader_reads_it),
		TEST(kernels_of_chromeos_have_their_bits_where_ours_are),
	};

	return cmocka_run_group_tests_name("gpt tools", tests, NULL, NULL);
}
