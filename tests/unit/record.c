/* SPDX-License-Identifier: Apache-2.0 */
/* The boot record between two programs, and the line that sums a boot up. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "init/record.h"
#include "init/summary.h"

static struct record record;

static int make_record(void **state)
{
	(void)state;
	memset(&record, 0, sizeof(record));
	record.slot = 1;
	record.tries_left = 2;
	memcpy(record.disk, "vda", 4);
	timeline_point(&record.timeline, TIMELINE_SLOT, "burned b", 0, 1234);
	record_seal(&record);
	return 0;
}

static void a_sealed_record_is_accepted(void **state)
{
	(void)state;
	assert_int_equal(record_check(&record, sizeof(record)), 0);
}

static void any_flipped_bit_is_noticed(void **state)
{
	uint8_t *bytes = (uint8_t *)&record;

	(void)state;
	for (size_t at = 0; at < sizeof(record); at += 37) {
		bytes[at] ^= 0x10;
		assert_int_not_equal(record_check(&record, sizeof(record)), 0);
		bytes[at] ^= 0x10;
	}
	assert_int_equal(record_check(&record, sizeof(record)), 0);
}

static void another_version_is_told_from_damage(void **state)
{
	(void)state;
	record.version = RECORD_VERSION + 1;
	assert_int_equal(record_check(&record, sizeof(record)), -EPROTONOSUPPORT);
	record.version = RECORD_VERSION;
	assert_int_equal(record_check(&record, sizeof(record) - 8), -EPROTONOSUPPORT);
	assert_int_equal(record_check(&record, 8), -EBADMSG);
	record.magic = 1;
	assert_int_equal(record_check(&record, sizeof(record)), -EBADMSG);
}

static void sealed_nonsense_is_refused(void **state)
{
	(void)state;
	record.slot = 2;
	record_seal(&record);
	assert_int_equal(record_check(&record, sizeof(record)), -EBADMSG);

	make_record(NULL);
	record.timeline.count = TIMELINE_EVENTS + 1;
	record_seal(&record);
	assert_int_equal(record_check(&record, sizeof(record)), -EBADMSG);

	make_record(NULL);
	memset(record.header_device, 'x', sizeof(record.header_device));
	record_seal(&record);
	assert_int_equal(record_check(&record, sizeof(record)), -EBADMSG);
}

static void the_summary_says_where_the_time_went(void **state)
{
	static const struct {
		struct summary summary;
		const char *line;
	} cases[] = {
		{{1902000000, 2106000000, 2214000000, 3214999999, 4, 0, "1.0"},
		 "up in 3.214 s (kernel 1.902, initramfs 0.204, system 0.108, services 1.000): "
		 "4 services, slot a, image 1.0"},
		{{0, 1000000, 2000000, 12000000, 1, -1, ""},
		 "up in 0.012 s (kernel 0.001, system 0.001, services 0.010): 1 service"},
		/* A clock that does not fit gives zero, not a huge number. */
		{{5, 3, 2, 1, 0, 1, ""},
		 "up in 0.000 s (kernel 0.000, initramfs 0.000, system 0.000, services 0.000): "
		 "0 services, slot b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[SUMMARY_BYTES];

		assert_int_equal(summary_format(text, &cases[i].summary), strlen(cases[i].line));
		assert_string_equal(text, cases[i].line);
	}
}

static void a_long_version_is_cut_not_spilled(void **state)
{
	char version[400];
	char text[SUMMARY_BYTES];
	struct summary summary = {.slot = 0, .image = version};

	(void)state;
	memset(version, 'v', sizeof(version));
	version[sizeof(version) - 1] = '\0';
	assert_int_equal(summary_format(text, &summary), SUMMARY_BYTES - 1);
	assert_int_equal(strlen(text), SUMMARY_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_sealed_record_is_accepted, make_record),
		cmocka_unit_test_setup(any_flipped_bit_is_noticed, make_record),
		cmocka_unit_test_setup(another_version_is_told_from_damage, make_record),
		cmocka_unit_test_setup(sealed_nonsense_is_refused, make_record),
		cmocka_unit_test(the_summary_says_where_the_time_went),
		cmocka_unit_test(a_long_version_is_cut_not_spilled),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
