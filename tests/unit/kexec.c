/* SPDX-License-Identifier: Apache-2.0 */
/* The slot's own kernel: when it is started, with which words, and what the two kernels tell each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "init/kexec.h"
#include "rootfs-spec/plan_write.h"

/* ---- whether ---- */

static const uint8_t one[32] = {1}, two[32] = {2}, unknown[32];

static void *make_plan(const char *release, const uint8_t *sha256, struct plan *plan)
{
	struct plan_writer *writer = plan_write_new(PLAN_KIND_BOOT);
	struct plan_system *system = plan_write_system(writer);
	struct plan_fault fault;
	uint8_t build_id[32] = {0};
	void *bytes;
	size_t size;

	system->name = plan_write_string(writer, "test");
	system->critical = PLAN_CRITICAL_REBOOT;
	system->logger = PLAN_NONE;
	system->kernel_release = plan_write_string(writer, release);
	memcpy(system->kernel_sha256, sha256, 32);
	assert_int_equal(plan_write_finish(writer, build_id, &bytes, &size, &fault), 0);
	plan_write_free(writer);
	assert_int_equal(plan_verify(bytes, size, PLAN_KIND_BOOT, plan, NULL), 0);
	return bytes;
}

static void a_kernel_is_started_only_if_it_is_another_one_and_only_once(void **state)
{
	static const struct {
		const char *name;
		uint64_t kernel_bytes;
		const uint8_t *slot;
		const char *release; /* of the boot plan */
		const uint8_t *plan;
		uint32_t kexecs;
		enum kexec_verdict verdict;
	} cases[] = {
		{"the same", 9, one, "6.1", one, 0, KEXEC_RIGHT},
		{"the same, after a kexec", 9, one, "6.1", one, 1, KEXEC_RIGHT},
		{"another digest", 9, two, "6.1", one, 0, KEXEC_NEEDED},
		{"another digest, after a kexec", 9, two, "6.1", one, 1, KEXEC_AGAIN},
		{"a loader paired another kernel with it", 9, one, "6.5", one, 0, KEXEC_NEEDED},
		{"and so did the kexec", 9, one, "6.5", one, 1, KEXEC_AGAIN},
		{"both", 9, two, "6.5", one, 0, KEXEC_NEEDED},
		{"the initramfs knows no kernel", 9, one, "", unknown, 0, KEXEC_NEEDED},
		{"the slot has none", 0, unknown, "6.1", one, 0, KEXEC_RIGHT},
		{"neither has one", 0, unknown, "", unknown, 0, KEXEC_RIGHT},
		{"the slot has none, after a kexec", 0, unknown, "6.1", one, 1, KEXEC_RIGHT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slot_header header = {.kernel_bytes = cases[i].kernel_bytes};
		struct plan plan;
		void *bytes = make_plan(cases[i].release, cases[i].plan, &plan);

		print_message("# %s\n", cases[i].name);
		memcpy(header.kernel_sha256, cases[i].slot, 32);
		assert_int_equal(kexec_decide(&header, &plan, "6.1", cases[i].kexecs),
				 cases[i].verdict);
		free(bytes);
	}
}

/* ---- the command line ---- */

static void the_slots_words_replace_those_of_the_image_that_runs(void **state)
{
	static const struct {
		const char *name, *present, *running, *slot, *text;
	} cases[] = {
		{"nothing", "", "", "", ""},
		{"the loader's pass", "console=ttyS0 panic=1\n", "", "", "console=ttyS0 panic=1"},
		{"the same words", "quiet console=ttyS0", "quiet", "quiet\n",
		 "quiet console=ttyS0"},
		{"other words", "quiet gpt console=ttyS0", "quiet gpt", "debug",
		 "debug console=ttyS0"},
		{"the image's words are not there", "console=ttyS0", "quiet", "quiet",
		 "quiet console=ttyS0"},
		{"somebody says a word of the image's again", "quiet console=tty0 quiet", "quiet",
		 "", "console=tty0 quiet"},
		{"a word of the image's that is there twice", "a b a c", "a a", "", "b c"},
		{"what somebody said last wins", "panic=10 panic=1", "panic=10", "panic=5",
		 "panic=5 panic=1"},
		{"keelson's own pass", "keelson.slot=b keelson.trace crashkernel=64M", "", "quiet",
		 "quiet keelson.slot=b keelson.trace crashkernel=64M"},
		{"quoted", "x=\"a  b\" y", "y", "z=\"c d\"", "z=\"c d\" x=\"a  b\""},
		{"for init", "quiet a -- quiet b", "quiet b", "", "a -- quiet b"},
	};
	char text[KEXEC_CMDLINE_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("# %s\n", cases[i].name);
		assert_int_equal(
			kexec_cmdline(text, cases[i].present, cases[i].running, cases[i].slot), 0);
		assert_string_equal(text, cases[i].text);
	}
}

static void a_line_that_is_too_long_is_refused_and_not_cut(void **state)
{
	char present[KEXEC_CMDLINE_BYTES];
	char text[KEXEC_CMDLINE_BYTES];

	(void)state;
	memset(present, 'x', sizeof(present));
	present[sizeof(present) - 1] = '\0';
	assert_int_equal(kexec_cmdline(text, present, "", ""), 0);
	assert_string_equal(text, present);
	assert_int_equal(kexec_cmdline(text, present, "", "y"), -E2BIG);
	present[sizeof(present) - 3] = '\0';
	assert_int_equal(kexec_cmdline(text, present, "", "y"), 0);
	assert_int_equal(strlen(text), KEXEC_CMDLINE_BYTES - 1);
}

/* ---- the handover ---- */

static struct handover sealed(void)
{
	struct handover handover = {.slot = 1, .burned = 1, .boot_ns = 3, .release = "6.1"};

	handover.root_hash[0] = 7;
	handover.disk_guid[0] = 9;
	handover_seal(&handover);
	return handover;
}

static void a_handover_is_whole_or_refused(void **state)
{
	struct handover handover = sealed();
	uint8_t *bytes = (uint8_t *)&handover;

	(void)state;
	assert_int_equal(handover_check(&handover, sizeof(handover)), 0);
	for (size_t i = 0; i < sizeof(handover); i++) {
		bytes[i] ^= 4;
		assert_int_not_equal(handover_check(&handover, sizeof(handover)), 0);
		bytes[i] ^= 4;
	}
	for (size_t size = 0; size < sizeof(handover); size++)
		assert_int_equal(handover_check(&handover, size), -EBADMSG);
	handover.version++;
	assert_int_equal(handover_check(&handover, sizeof(handover) - 9), -EPROTONOSUPPORT);
	handover = sealed();
	handover.slot = 2;
	handover_seal(&handover);
	assert_int_equal(handover_check(&handover, sizeof(handover)), -EBADMSG);
	handover = sealed();
	memset(handover.release, 'x', sizeof(handover.release));
	handover_seal(&handover);
	assert_int_equal(handover_check(&handover, sizeof(handover)), -EBADMSG);
}

static void a_handover_counts_only_for_the_slot_that_it_is_about(void **state)
{
	static const uint8_t disk[GPT_GUID_BYTES] = {9}, other_disk[GPT_GUID_BYTES] = {8};
	const struct handover handover = sealed();
	static struct slot_examination examinations[SLOT_COUNT];
	struct slot_view views[SLOT_COUNT] = {{.verdict = SLOT_SOUND}, {.verdict = SLOT_SOUND}};

	(void)state;
	examinations[1].block.header.root_hash[0] = 7;
	assert_true(kexec_fits(&handover, disk, views, examinations));
	assert_false(kexec_fits(&handover, other_disk, views, examinations));
	/* Whatever has happened to the other one. */
	views[0].verdict = SLOT_ABSENT;
	assert_true(kexec_fits(&handover, disk, views, examinations));
	for (int verdict = SLOT_ABSENT; verdict < SLOT_SOUND; verdict++) {
		views[1].verdict = (enum slot_verdict)verdict;
		assert_false(kexec_fits(&handover, disk, views, examinations));
	}
	views[1].verdict = SLOT_SOUND;
	examinations[1].block.header.root_hash[0] = 6;
	assert_false(kexec_fits(&handover, disk, views, examinations));
}

static unsigned int field(const char *head, unsigned int index)
{
	char digits[9] = "";

	memcpy(digits, head + 6 + 8 * index, 8);
	return (unsigned int)strtoul(digits, NULL, 16);
}

/* As init/initramfs.c of the kernel reads it. */
static void the_handover_is_a_file_of_an_initramfs(void **state)
{
	const struct handover handover = sealed();
	const struct timeline_event phase = {.kind = TIMELINE_PHASE, .end_ns = 5, .name = "root"};

	(void)state;
	for (uint64_t before = 1000; before < 1004; before++) {
		char archive[HANDOVER_ARCHIVE_BYTES];
		size_t length = handover_archive(archive, before, &handover, &phase, 1);
		size_t at = (size_t)(-before % 4);
		const char *head = archive + at;
		size_t content = at + (110 + sizeof(HANDOVER_PATH) - 1 + 3) / 4 * 4;

		assert_true(length <= sizeof(archive));
		assert_memory_equal(head, "070701", 6);
		assert_int_equal(field(head, 1), 0100400);
		assert_int_equal(field(head, 6), sizeof(handover));
		assert_int_equal(field(head, 11), sizeof(HANDOVER_PATH) - 1);
		assert_string_equal(head + 110, &HANDOVER_PATH[1]);
		assert_memory_equal(archive + content, &handover, sizeof(handover));
		head = archive + content + sizeof(handover);
		assert_memory_equal(head, "070701", 6);
		assert_int_equal(field(head, 6), sizeof(phase));
		assert_string_equal(head + 110, &HANDOVER_PHASES_PATH[1]);
		head += (110 + sizeof(HANDOVER_PHASES_PATH) - 1 + 3) / 4 * 4;
		assert_memory_equal(head, &phase, sizeof(phase));
		head += sizeof(phase);
		assert_memory_equal(head, "070701", 6);
		assert_string_equal(head + 110, "TRAILER!!!");
		assert_int_equal((before + length) % 4, 0);
	}
}

static void the_last_phases_are_handed_over_and_each_has_an_end(void **state)
{
	static struct timeline before, after;
	struct timeline_event phases[HANDOVER_PHASES_MAX];
	char archive[HANDOVER_ARCHIVE_BYTES];
	const struct handover handover = sealed();
	char name[16];
	size_t count;

	(void)state;
	assert_int_equal(handover_phases(&before, 9, phases), 0);
	for (uint32_t i = 0; i < HANDOVER_PHASES_MAX + 2; i++) {
		snprintf(name, sizeof(name), "phase %u", i);
		timeline_end(&before, timeline_begin(&before, TIMELINE_PHASE, name, 10 * i),
			     10 * i + 5, 0);
		timeline_point(&before, TIMELINE_SLOT, "burned b", 0, 10 * i + 6);
	}
	timeline_begin(&before, TIMELINE_PHASE, "root", 1000);
	count = handover_phases(&before, 1234, phases);
	assert_int_equal(count, HANDOVER_PHASES_MAX);
	assert_string_equal(phases[0].name, "phase 3");
	assert_string_equal(phases[count - 1].name, "root");
	assert_int_equal(phases[count - 1].end_ns, 1234);
	assert_true(handover_archive(archive, 1001, &handover, phases, count) <= sizeof(archive));

	memset(phases[1].name, 'x', sizeof(phases[1].name));
	handover_note_phases(&after, phases, count);
	assert_int_equal(after.count, count);
	assert_string_equal(after.events[0].name, "phase 3");
	assert_int_equal(after.events[0].kind, TIMELINE_BOOTSTRAP);
	assert_int_equal(after.events[0].end_ns, 35);
	assert_int_equal(strlen(after.events[1].name), TIMELINE_NAME_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_is_started_only_if_it_is_another_one_and_only_once),
		cmocka_unit_test(the_slots_words_replace_those_of_the_image_that_runs),
		cmocka_unit_test(a_line_that_is_too_long_is_refused_and_not_cut),
		cmocka_unit_test(a_handover_is_whole_or_refused),
		cmocka_unit_test(a_handover_counts_only_for_the_slot_that_it_is_about),
		cmocka_unit_test(the_handover_is_a_file_of_an_initramfs),
		cmocka_unit_test(the_last_phases_are_handed_over_and_each_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
