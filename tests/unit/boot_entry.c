/* SPDX-License-Identifier: Apache-2.0 */
/* The boot loader's entry: names, text, what stays of an entry that is replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "rootfs-spec/boot_entry.h"

static const struct boot_entry entry = {
	.name = "edge",
	.version = "2.0.0",
	.vmlinuz = "vmlinuz-2",
	.initramfs = "initramfs-2.zst",
	.options = "quiet mitigations=auto",
};

#define COMMENT "# keelson replaces this file. Another `options` line of yours stays.\n"
#define NEW                                                                   \
	COMMENT "title keelson edge\nversion 2.0.0\nsort-key keelson\n"       \
		"linux /keelson/vmlinuz-2\ninitrd /keelson/initramfs-2.zst\n" \
		"options quiet mitigations=auto\n"

static void files_are_named_by_their_content(void **state)
{
	static const uint8_t sha256[32] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xff};
	char name[BOOT_ENTRY_NAME_BYTES];

	(void)state;
	boot_entry_vmlinuz(name, sha256);
	assert_string_equal(name, "vmlinuz-0123456789abcdef");
	boot_entry_initramfs(name, sha256);
	assert_string_equal(name, "initramfs-0123456789abcdef.zst");
}

static void what_somebody_added_stays_in_a_replaced_entry(void **state)
{
	static const struct {
		const char *name;
		const char *before;
		const char *text;
	} cases[] = {
		{"none before", NULL, NEW},
		{"an empty one", "", NEW},
		{"our own", NEW, NEW},
		{"of another image",
		 "title keelson edge\nversion 1\nlinux /keelson/vmlinuz-1\n"
		 "initrd /keelson/initramfs-1.zst\noptions debug\n",
		 NEW},
		{"a second line of options", NEW "options console=ttyS0\n",
		 NEW "options console=ttyS0\n"},
		{"a first line without words", "options\noptions console=ttyS0 keelson.trace\n",
		 NEW "options console=ttyS0 keelson.trace\n"},
		{"other keys, blanks, no last newline",
		 "  title  x \r\n\n# a note\nmachine-id 0123\n\tarchitecture x64\t\noptions a\n"
		 "optionsx b\noptions c",
		 NEW "machine-id 0123\narchitecture x64\noptionsx b\noptions c\n"},
	};
	char text[BOOT_ENTRY_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("# %s\n", cases[i].name);
		assert_int_equal(boot_entry_format(text, sizeof(text), &entry, cases[i].before), 0);
		assert_string_equal(text, cases[i].text);
	}
}

static void an_entry_that_does_not_fit_is_refused(void **state)
{
	char text[sizeof(NEW)];

	(void)state;
	assert_int_equal(boot_entry_format(text, sizeof(text), &entry, NULL), 0);
	assert_int_equal(boot_entry_format(text, sizeof(text) - 1, &entry, NULL), -E2BIG);
	assert_int_equal(boot_entry_format(text, sizeof(text), &entry, "x y\n"), -E2BIG);
	assert_int_equal(boot_entry_format_previous(text, 4, NEW), -E2BIG);
}

static void the_entry_before_comes_after_the_new_one_in_the_menu(void **state)
{
	char text[BOOT_ENTRY_BYTES];

	(void)state;
	assert_int_equal(boot_entry_format_previous(text, sizeof(text), NEW "options a\n"), 0);
	assert_string_equal(text, "sort-key keelson-previous\n" COMMENT
				  "title keelson edge (previous)\nversion 2.0.0\n"
				  "linux /keelson/vmlinuz-2\ninitrd /keelson/initramfs-2.zst\n"
				  "options quiet mitigations=auto\noptions a\n");
}

static void an_entry_uses_the_files_that_it_names(void **state)
{
	(void)state;
	assert_true(boot_entry_uses(NEW, "vmlinuz-2"));
	assert_true(boot_entry_uses(NEW, "initramfs-2.zst"));
	assert_true(boot_entry_uses("initrd\t/keelson/a \r\nlinux /keelson/b", "a"));
	assert_true(boot_entry_uses("initrd /keelson/a\nlinux /keelson/b", "b"));
	assert_false(boot_entry_uses(NEW, "vmlinuz-"));
	assert_false(boot_entry_uses(NEW, "vmlinuz-22"));
	assert_false(boot_entry_uses("#linux /keelson/a\ntitle /keelson/a\nlinux /other/a\n", "a"));
	assert_false(boot_entry_uses("", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_named_by_their_content),
		cmocka_unit_test(what_somebody_added_stays_in_a_replaced_entry),
		cmocka_unit_test(an_entry_that_does_not_fit_is_refused),
		cmocka_unit_test(the_entry_before_comes_after_the_new_one_in_the_menu),
		cmocka_unit_test(an_entry_uses_the_files_that_it_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
