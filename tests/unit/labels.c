/* SPDX-License-Identifier: Apache-2.0 */
/* The labels that a node gives itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "init/files.h"
#include "init/labels.h"

static char text[LABELS_BYTES];

static void a_node_of_slots_says_all_of_them(void **state)
{
	const struct labels labels = {"b", "edge-node", "2.0.0", 3, true, false};

	(void)state;
	assert_int_equal(labels_text(&labels, text, sizeof(text)), 0);
	assert_string_equal(text,
			    "node.keelson/image=edge-node\nnode.keelson/version=2.0.0\n"
			    "node.keelson/slot=b\nnode.keelson/epoch=3\n"
			    "node.keelson/blessed=true\nnode.keelson/reboot-required=false\n");
	assert_int_equal(labels_text(&labels, text, 40), -ENAMETOOLONG);
}

static void a_node_without_slots_says_its_image(void **state)
{
	const struct labels labels = {.image = "x", .version = "0"};

	(void)state;
	assert_int_equal(labels_text(&labels, text, sizeof(text)), 0);
	assert_string_equal(text, "node.keelson/image=x\nnode.keelson/version=0\n");
}

static void a_value_is_one_that_kubernetes_takes(void **state)
{
	static const struct {
		const char *value, *label;
	} cases[] = {
		{"", ""},
		{"1.0+dirty/3 x", "1.0-dirty-3-x"},
		{"--a--", "a"},
		{"a\nb=c", "a-b-c"},
		{"a..........................................................bc.d",
		 "a..........................................................bc.d"},
		{"a..........................................................b.c.d",
		 "a..........................................................b.c"},
		{"a...............................................................b", "a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct labels labels = {.image = "x", .version = cases[i].value};
		char *at;

		assert_int_equal(labels_text(&labels, text, sizeof(text)), 0);
		at = strstr(text, "version=") + strlen("version=");
		at[strcspn(at, "\n")] = '\0';
		assert_string_equal(at, cases[i].label);
		assert_true(strlen(at) <= 63);
	}
}

static void an_installation_changes_one_label(void **state)
{
	const struct labels labels = {"a", "x", "1", 0, true, false};
	const struct labels after = {"a", "x", "1", 0, true, true};
	char wanted[LABELS_BYTES], path[] = "/tmp/keelson-labels-XXXXXX", file[64];

	(void)state;
	assert_int_equal(labels_text(&labels, text, sizeof(text)), 0);
	assert_int_equal(labels_text(&after, wanted, sizeof(wanted)), 0);
	assert_true(labels_set(text, LABELS_REBOOT));
	assert_string_equal(text, wanted);
	assert_false(labels_set(text, LABELS_REBOOT));
	assert_string_equal(text, wanted);
	assert_false(labels_set(text, LABELS_BLESSED));
	assert_false(labels_set(text, "image"));

	assert_non_null(mkdtemp(path));
	strcat(strcpy(file, path), "/run/labels");
	assert_int_equal(labels_note(file, LABELS_REBOOT), 0);
	assert_int_equal(labels_text(&labels, text, sizeof(text)), 0);
	assert_int_equal(labels_write(file, text), 0);
	assert_int_equal(labels_note(file, LABELS_REBOOT), 0);
	assert_true(file_read(file, text, sizeof(text)) > 0);
	assert_string_equal(text, wanted);
	unlink(file);
	*strrchr(file, '/') = '\0';
	rmdir(file);
	rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_of_slots_says_all_of_them),
		cmocka_unit_test(a_node_without_slots_says_its_image),
		cmocka_unit_test(a_value_is_one_that_kubernetes_takes),
		cmocka_unit_test(an_installation_changes_one_label),
	};

	return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
