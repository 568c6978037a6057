/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/self/mountinfo, as the kernel writes it and as it never should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "mount/mountinfo.h"

static void a_line_is_taken_apart(void **state)
{
	char line[] = "36 35 98:0 /mnt1 /mnt\\0402\\134x rw,noatime master:1 shared:2 - ext3 "
		      "/dev/ro\\011ot rw,errors=continue";
	struct mountinfo info;

	(void)state;
	assert_int_equal(mountinfo_parse(line, &info), 0);
	assert_int_equal(info.id, 36);
	assert_int_equal(info.parent, 35);
	assert_int_equal(info.major, 98);
	assert_int_equal(info.minor, 0);
	assert_string_equal(info.root, "/mnt1");
	assert_string_equal(info.target, "/mnt 2\\x");
	assert_string_equal(info.options, "rw,noatime");
	assert_string_equal(info.type, "ext3");
	assert_string_equal(info.source, "/dev/ro\tot");
	assert_string_equal(info.super_options, "rw,errors=continue");
}

static void odd_lines_that_the_kernel_does_write_are_read(void **state)
{
	static const struct {
		const char *line;
		const char *target;
		const char *source;
	} cases[] = {
		{"1 0 0:2 / / rw - rootfs rootfs rw", "/", "rootfs"},
		{"22 1 0:3 net:[4026531840] /run/netns/x rw shared:1 - nsfs nsfs rw",
		 "/run/netns/x", "nsfs"},
		{"22 1 0:3 / /a rw - tmpfs  rw", "/a", ""},
		{"22 1 0:3 /x//deleted /a\\040(deleted) rw - ext4 /dev/a rw", "/a (deleted)",
		 "/dev/a"},
		{"22 1 0:3 / /a\\08\\400\\9 rw - tmpfs t rw", "/a\\08\\400\\9", "t"},
		{"22 1 0:3 / /a\\000b rw - tmpfs t rw", "/a\\000b", "t"},
		{"22 1 0:3 / /- rw - - - -", "/-", "-"},
		{"22 1 0:3 / /a\\ rw - tmpfs t\\04 rw", "/a\\", "t\\04"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[256];
		struct mountinfo info;

		snprintf(line, sizeof(line), "%s", cases[i].line);
		assert_int_equal(mountinfo_parse(line, &info), 0);
		assert_string_equal(info.target, cases[i].target);
		assert_string_equal(info.source, cases[i].source);
	}
}

static void lines_that_are_none_are_refused(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"-",
		"1 2 3:4 / /a rw",
		"1 2 3:4 / /a rw -",
		"1 2 3:4 / /a rw - tmpfs",
		"1 2 3:4 / /a rw - tmpfs t",
		"1 2 3:4 / /a rw shared:1 tmpfs t rw",
		"x 2 3:4 / /a rw - tmpfs t rw",
		"1 -2 3:4 / /a rw - tmpfs t rw",
		"1 2 34 / /a rw - tmpfs t rw",
		"1 2 3: / /a rw - tmpfs t rw",
		"1 2 3:4x / /a rw - tmpfs t rw",
		"4294967296 2 3:4 / /a rw - tmpfs t rw",
		"99999999999999999999999 2 3:4 / /a rw - tmpfs t rw",
		"1 2 3:4 / relative rw - tmpfs t rw",
		"1 2 3:4 /  rw - tmpfs t rw",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[256];
		struct mountinfo info;

		snprintf(line, sizeof(line), "%s", cases[i]);
		if (mountinfo_parse(line, &info) != -EBADMSG)
			fail_msg("accepted: %s", cases[i]);
	}
}

static void wild_lines_do_no_harm(void **state)
{
	static const char good[] = "36 35 98:0 /mnt1 /mnt\\0402 rw master:1 - ext3 /dev/root rw";
	static const char wild[] = " \\0-:19/a\t";
	uint64_t seed = 7;

	(void)state;
	for (uint32_t round = 0; round < 100000; round++) {
		char line[sizeof(good)];
		struct mountinfo info;

		memcpy(line, good, sizeof(line));
		for (int i = 0; i < 4; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			line[seed >> 33 & 63 ? (seed >> 33) % (sizeof(good) - 1) : 0] =
				wild[(seed >> 50) % sizeof(wild)];
		}
		if (mountinfo_parse(line, &info) == 0)
			assert_true(strlen(info.target) + strlen(info.root) + strlen(info.type) +
					    strlen(info.source) + strlen(info.options) +
					    strlen(info.super_options) <
				    sizeof(good));
	}
}

static void this_machines_own_mounts_are_read(void **state)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	static char line[65536];
	struct mountinfo info;
	uint32_t count = 0;

	(void)state;
	if (!file)
		skip();
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		assert_int_equal(mountinfo_parse(line, &info), 0);
		count++;
	}
	fclose(file);
	assert_true(count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_taken_apart),
		cmocka_unit_test(odd_lines_that_the_kernel_does_write_are_read),
		cmocka_unit_test(lines_that_are_none_are_refused),
		cmocka_unit_test(wild_lines_do_no_harm),
		cmocka_unit_test(this_machines_own_mounts_are_read),
	};

	return cmocka_run_group_tests_name("mountinfo", tests, NULL, NULL);
}
