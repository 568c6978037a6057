/* SPDX-License-Identifier: Apache-2.0 */
/* What gets into a root and where: patterns, usr-merge, layers, the order of kernel modules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rootfs-spec/files.h"
#include "rootfs-spec/glob.h"
#include "rootfs-spec/modules.h"
#include "rootfs-spec/tree.h"

static void patterns_match_paths(void **state)
{
	static const struct {
		const char *pattern;
		const char *path;
		bool matches;
	} cases[] = {
		{"/usr/bin/runc", "/usr/bin/runc", true},
		{"/usr/bin/runc", "/usr/bin/runc2", false},
		{"/usr/bin/run", "/usr/bin/runc", false},
		{"", "", true},
		{"", "/", false},
		/* One star stays in its component, two do not. */
		{"/usr/*/runc", "/usr/bin/runc", true},
		{"/usr/*/runc", "/usr/local/bin/runc", false},
		{"/usr/**/runc", "/usr/local/bin/runc", true},
		{"/usr/lib*.so", "/usr/libc.so", true},
		{"/usr/lib*.so", "/usr/lib/x.so", false},
		{"*.so", "libc.so.6", false},
		{"*.so*", "libc.so.6", true},
		{"**", "/any/thing", true},
		{"/**", "/any/thing", true},
		{"/a/*b*/c", "/a/xbxbx/c", true},
		{"/a/*b*/c", "/a/xbx/d/c", false},
		{"/**/doc/**", "/usr/share/doc/x/y", true},
		{"/**/b*/c", "/a/b/x/b2/c", true},
		/* The directory itself goes with what is below it. */
		{"/usr/share/doc/**", "/usr/share/doc", true},
		{"/usr/share/doc/**", "/usr/share/doc/a/b", true},
		{"/usr/share/doc/**", "/usr/share/docs", false},
		{"/usr/share/doc/*", "/usr/share/doc", false},
		/* Single characters and sets. */
		{"/etc/?", "/etc/a", true},
		{"/etc?a", "/etc/a", false},
		{"lib[a-c].so", "libb.so", true},
		{"lib[a-c].so", "libd.so", false},
		{"lib[!a-c].so", "libd.so", true},
		{"lib[!a].so", "lib/.so", false},
		{"lib[]x].so", "lib].so", true},
		{"lib[.so", "lib[.so", true},
		{"\\*", "*", true},
		{"\\*", "x", false},
		/* Time must not explode. */
		{"*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"**a**a**a**a**a**a**b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("# %s against %s\n", cases[i].pattern, cases[i].path);
		assert_int_equal(glob_match(cases[i].pattern, cases[i].path), cases[i].matches);
	}
}

static void old_directories_mean_those_below_usr(void **state)
{
	static const struct {
		const char *path;
		const char *merged;
	} cases[] = {
		{"/bin/mount", "/usr/bin/mount"},
		{"/sbin", "/usr/sbin"},
		{"/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"},
		{"/lib64/ld-linux-x86-64.so.2", "/usr/lib64/ld-linux-x86-64.so.2"},
		{"/usr/bin/runc", "/usr/bin/runc"},
		{"/library/x", "/library/x"},
		{"/etc/bin", "/etc/bin"},
	};
	struct pool pool = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(tree_usr_merge(&pool, cases[i].path), cases[i].merged);
	pool_free(&pool);
}

static void a_tree_has_each_path_once_with_its_parents(void **state)
{
	struct pool pool = {0};
	struct tree tree = {.pool = &pool};
	const struct tree_entry *entry;

	(void)state;
	tree_content(&tree, TREE_PACKAGE, "p", "/etc/deep/er/file", 0644, "old", 3);
	tree_directory(&tree, TREE_PACKAGE, "p", "/etc/deep", 0700);
	tree_directory(&tree, TREE_IMPLIED, "keelson", "/etc/deep", 0755);
	tree_content(&tree, TREE_FILES, "files", "/etc/deep/er/file", 0600, "new", 3);
	tree_link(&tree, TREE_PACKAGE, "p", "/bin/sh", "busybox");
	assert_int_equal(tree_finish(&tree), 0);

	/* The spec's file replaced the package's; the package's mode beat the implied one. */
	entry = tree_find(&tree, "/etc/deep/er/file");
	assert_non_null(entry);
	assert_string_equal(entry->owner, "files");
	assert_int_equal(entry->mode, 0600);
	assert_int_equal(tree_find(&tree, "/etc/deep")->mode, 0700);
	assert_int_equal(tree_find(&tree, "/etc/deep/er")->kind, TREE_DIRECTORY);
	assert_string_equal(tree_find(&tree, "/usr/bin/sh")->target, "busybox");
	assert_null(tree_find(&tree, "/bin/sh"));
	for (size_t i = 1; i < tree.count; i++)
		assert_true(strcmp(tree.list[i - 1].path, tree.list[i].path) < 0);
	pool_free(&pool);
}

static void two_packages_may_share_only_what_is_equal(void **state)
{
	static const struct {
		const char *first;
		const char *second;
		int result;
	} cases[] = {{"same", "same", 0}, {"one", "other", -22}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pool pool = {0};
		struct tree tree = {.pool = &pool};

		tree_content(&tree, TREE_PACKAGE, "a", "/usr/x", 0644, cases[i].first,
			     strlen(cases[i].first));
		tree_content(&tree, TREE_PACKAGE, "b", "/usr/x", 0644, cases[i].second,
			     strlen(cases[i].second));
		assert_int_equal(tree_finish(&tree), cases[i].result);
		pool_free(&pool);
	}
}

static void nothing_lies_below_a_file(void **state)
{
	struct pool pool = {0};
	struct tree tree = {.pool = &pool};

	(void)state;
	tree_content(&tree, TREE_PACKAGE, "a", "/usr/x", 0644, "", 0);
	tree_content(&tree, TREE_PACKAGE, "b", "/usr/x/y", 0644, "", 0);
	assert_int_equal(tree_finish(&tree), -22);
	pool_free(&pool);
}

static void every_detail_of_a_tree_is_in_its_digest(void **state)
{
	static const struct {
		const char *path;
		mode_t mode;
		const char *content;
	} cases[] = {{"/a", 0644, "x"}, {"/b", 0644, "x"}, {"/a", 0600, "x"}, {"/a", 0644, "y"}};
	uint8_t digests[4][SHA256_BYTES];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct pool pool = {0};
		struct tree tree = {.pool = &pool};
		struct sha256 hash;

		tree_content(&tree, TREE_FILES, "files", cases[i].path, cases[i].mode,
			     cases[i].content, 1);
		assert_int_equal(tree_finish(&tree), 0);
		sha256_begin(&hash);
		tree_digest(&tree, &hash);
		sha256_end(&hash, digests[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(digests[i], digests[j], SHA256_BYTES);
		pool_free(&pool);
	}
}

/* ---- modules ---- */

static char directory[] = "/tmp/keelson-modules.XXXXXX";

static void put(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(file_write(path, text, strlen(text), 0644), 0);
}

static int make_modules(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	put("modules.dep",
	    "kernel/net/bridge/bridge.ko: kernel/net/802/stp.ko kernel/net/llc/llc.ko\n"
	    "kernel/net/802/stp.ko: kernel/net/llc/llc.ko\n"
	    "kernel/net/llc/llc.ko:\n"
	    "kernel/net/br_netfilter.ko: kernel/net/bridge/bridge.ko "
	    "kernel/net/802/stp.ko kernel/net/llc/llc.ko\n"
	    "kernel/drivers/md/dm-mod.ko:\n"
	    "kernel/a.ko: kernel/b.ko\n"
	    "kernel/b.ko: kernel/a.ko\n");
	put("modules.builtin", "kernel/fs/ext4/ext4.ko\nkernel/drivers/nvme/nvme-core.ko\n");
	return 0;
}

static int remove_modules(void **state)
{
	(void)state;
	return file_remove_tree(directory);
}

static void modules_load_after_what_they_need(void **state)
{
	static const struct {
		const char *names[4];
		const char *order; /* base names */
	} cases[] = {
		{{"bridge"}, "llc stp bridge"},
		{{"br_netfilter", "stp"}, "llc stp bridge br_netfilter"},
		{{"llc", "bridge", "llc"}, "llc stp bridge"},
		{{"dm_mod", "dm-mod"}, "dm-mod"},
		{{"ext4", "nvme_core"}, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct module_list list;
		const char *missing;
		char order[256] = "";
		size_t count = 0;

		while (count < 4 && cases[i].names[count] != NULL)
			count++;
		assert_int_equal(modules_resolve(directory, cases[i].names, count, &list, &missing),
				 0);
		for (size_t m = 0; m < list.count; m++) {
			const char *base = strrchr(list.paths[m], '/') + 1;

			snprintf(order + strlen(order), sizeof(order) - strlen(order), "%s%.*s",
				 m > 0 ? " " : "", (int)strcspn(base, "."), base);
		}
		assert_string_equal(order, cases[i].order);
		modules_free(&list);
	}
}

static void an_unknown_module_is_named_with_the_nearest(void **state)
{
	const char *names[] = {"bridge", "brigde"};
	struct module_list list;
	const char *missing;
	char nearest[64];

	(void)state;
	assert_int_equal(modules_resolve(directory, names, 2, &list, &missing), -2);
	assert_string_equal(missing, "brigde");
	modules_nearest(directory, missing, nearest, sizeof(nearest));
	assert_string_equal(nearest, "bridge");
	assert_int_equal(modules_resolve("/nonexistent", names, 1, &list, &missing), -2);
	assert_null(missing);
}

static void a_cycle_of_modules_is_an_error(void **state)
{
	const char *name = "a";
	struct module_list list;
	const char *missing;

	(void)state;
	assert_int_equal(modules_resolve(directory, &name, 1, &list, &missing), -40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_paths),
		cmocka_unit_test(old_directories_mean_those_below_usr),
		cmocka_unit_test(a_tree_has_each_path_once_with_its_parents),
		cmocka_unit_test(two_packages_may_share_only_what_is_equal),
		cmocka_unit_test(nothing_lies_below_a_file),
		cmocka_unit_test(every_detail_of_a_tree_is_in_its_digest),
		cmocka_unit_test(modules_load_after_what_they_need),
		cmocka_unit_test(an_unknown_module_is_named_with_the_nearest),
		cmocka_unit_test(a_cycle_of_modules_is_an_error),
	};

	return cmocka_run_group_tests_name("image_paths", tests, make_modules, remove_modules);
}
