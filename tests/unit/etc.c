/* SPDX-License-Identifier: Apache-2.0 */
/* What an overlay's upper layer changes, told and taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "svc/etc_diff.h"

#define FILE_0644 (S_IFREG | 0644)
#define DIRECTORY (S_IFDIR | 0755)
#define LINK (S_IFLNK | 0777)
#define NODE (S_IFCHR | 0600)

static void one_name_is_judged_by_both_layers(void **state)
{
	static const struct {
		const char *what;
		struct etc_entry upper, lower;
		bool same;
		enum etc_change change;
	} cases[] = {
		{"nothing", {0}, {0}, false, ETC_SAME},
		{"hidden by an opaque directory",
		 {0},
		 {true, .mode = FILE_0644},
		 false,
		 ETC_REMOVED},
		{"a whiteout",
		 {true, .whiteout = true, .mode = S_IFCHR},
		 {true, .mode = FILE_0644},
		 false,
		 ETC_REMOVED},
		{"a whiteout of a directory",
		 {true, .whiteout = true, .mode = S_IFCHR},
		 {true, .mode = DIRECTORY},
		 false,
		 ETC_REMOVED},
		{"a whiteout of nothing",
		 {true, .whiteout = true, .mode = S_IFCHR},
		 {0},
		 false,
		 ETC_IDENTICAL},
		{"a new file", {true, .mode = FILE_0644}, {0}, false, ETC_ADDED},
		{"a new directory", {true, .mode = DIRECTORY}, {0}, false, ETC_ADDED},
		{"other content",
		 {true, .mode = FILE_0644},
		 {true, .mode = FILE_0644},
		 false,
		 ETC_CHANGED},
		{"the same file",
		 {true, .mode = FILE_0644},
		 {true, .mode = FILE_0644},
		 true,
		 ETC_IDENTICAL},
		{"another mode",
		 {true, .mode = S_IFREG | 0600},
		 {true, .mode = FILE_0644},
		 true,
		 ETC_CHANGED},
		{"set-user-id",
		 {true, .mode = S_IFREG | 04644},
		 {true, .mode = FILE_0644},
		 true,
		 ETC_CHANGED},
		{"another owner",
		 {true, .mode = FILE_0644, .uid = 1},
		 {true, .mode = FILE_0644},
		 true,
		 ETC_CHANGED},
		{"another group",
		 {true, .mode = FILE_0644, .gid = 1},
		 {true, .mode = FILE_0644},
		 true,
		 ETC_CHANGED},
		{"file over directory",
		 {true, .mode = FILE_0644},
		 {true, .mode = DIRECTORY},
		 false,
		 ETC_TYPE},
		{"directory over file",
		 {true, .mode = DIRECTORY},
		 {true, .mode = FILE_0644},
		 false,
		 ETC_TYPE},
		{"link over file", {true, .mode = LINK}, {true, .mode = FILE_0644}, true, ETC_TYPE},
		{"another link", {true, .mode = LINK}, {true, .mode = LINK}, false, ETC_CHANGED},
		{"a way to what is below",
		 {true, .mode = DIRECTORY},
		 {true, .mode = DIRECTORY},
		 true,
		 ETC_SAME},
		{"a directory's mode",
		 {true, .mode = S_IFDIR | 0700},
		 {true, .mode = DIRECTORY},
		 true,
		 ETC_CHANGED},
		{"opaque",
		 {true, .opaque = true, .mode = DIRECTORY},
		 {true, .mode = DIRECTORY},
		 true,
		 ETC_OPAQUE},
		{"opaque and new", {true, .opaque = true, .mode = DIRECTORY}, {0}, true, ETC_ADDED},
		{"another device",
		 {true, .mode = NODE, .rdev = 5},
		 {true, .mode = NODE, .rdev = 6},
		 true,
		 ETC_CHANGED},
		{"the same device",
		 {true, .mode = NODE, .rdev = 5},
		 {true, .mode = NODE, .rdev = 5},
		 true,
		 ETC_IDENTICAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("# %s\n", cases[i].what);
		assert_string_equal(etc_change_name(etc_compare(&cases[i].upper, &cases[i].lower,
								cases[i].same)),
				    etc_change_name(cases[i].change));
	}
}

/* ---- trees ---- */

static char base[] = "/tmp/keelson-etc-XXXXXX";
static int upper = -1, lower = -1, base_fd = -1;

static void put(int at, const char *path, const char *content)
{
	int fd = openat(at, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static int begin(void **state)
{
	(void)state;
	strcpy(base, "/tmp/keelson-etc-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(base_fd, "upper", 0755);
	mkdirat(base_fd, "lower", 0755);
	mkdirat(base_fd, "outside", 0755);
	put(base_fd, "outside/file", "outside");
	upper = openat(base_fd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	lower = openat(base_fd, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return upper < 0 || lower < 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(etc_remove(base_fd, "."), 0);
	close(upper);
	close(lower);
	close(base_fd);
	return rmdir(base);
}

static char told[4096];

static int tell(void *context, const struct etc_difference *difference)
{
	size_t used = strlen(told);

	(void)context;
	snprintf(told + used, sizeof(told) - used, "%s %s\n", etc_change_name(difference->change),
		 difference->path);
	return 0;
}

static const char *walked(void)
{
	const char *failed;

	told[0] = '\0';
	assert_int_equal(etc_walk(upper, lower, tell, NULL, &failed), 0);
	return told;
}

static void the_walk_tells_every_difference_in_order(void **state)
{
	(void)state;
	assert_string_equal(walked(), "");
	mkdirat(upper, "d", 0755);
	mkdirat(lower, "d", 0755);
	put(upper, "d/same", "x");
	put(lower, "d/same", "x");
	put(upper, "d/other", "x");
	put(lower, "d/other", "y");
	put(upper, "a", "x");
	put(lower, "not-touched", "x");
	put(lower, "removed", "x");
	assert_int_equal(mknodat(upper, "removed", S_IFCHR, makedev(0, 0)), 0);
	assert_int_equal(symlinkat("one", upper, "link"), 0);
	assert_int_equal(symlinkat("two", lower, "link"), 0);
	put(lower, "turned", "x");
	mkdirat(upper, "turned", 0755);
	put(upper, "turned/in", "x");
	assert_string_equal(walked(), "added a\nchanged d/other\nidentical d/same\nchanged link\n"
				      "removed removed\ntype-changed turned\nadded turned/in\n");
}

static void files_of_many_blocks_are_compared_to_their_end(void **state)
{
	static char large[200000];

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	put(lower, "large", large);
	put(upper, "large", large);
	assert_string_equal(walked(), "identical large\n");
	large[sizeof(large) - 2] = 'y';
	put(upper, "large", large);
	assert_string_equal(walked(), "changed large\n");
}

static void no_link_is_followed_out_of_the_tree(void **state)
{
	(void)state;
	/* A directory of the image, a link in the layer: and the other way round. */
	mkdirat(lower, "d", 0755);
	put(lower, "d/file", "outside");
	assert_int_equal(symlinkat("../outside", upper, "d"), 0);
	mkdirat(upper, "e", 0755);
	put(upper, "e/file", "outside");
	assert_int_equal(symlinkat("../outside", lower, "e"), 0);
	assert_string_equal(walked(), "type-changed d\ntype-changed e\nadded e/file\n");
	assert_int_equal(etc_remove(upper, "d/file"), -ENOTDIR);
	assert_int_equal(faccessat(base_fd, "outside/file", F_OK, 0), 0);
	assert_int_equal(etc_remove(upper, "d"), 0);
	assert_int_equal(faccessat(base_fd, "outside/file", F_OK, 0), 0);
}

static void a_pipe_is_not_waited_for(void **state)
{
	(void)state;
	put(lower, "p", "x");
	assert_int_equal(mkfifoat(upper, "p", 0644), 0);
	assert_string_equal(walked(), "type-changed p\n");
}

static void only_what_is_named_is_removed(void **state)
{
	static const char *const bad[] = {"",     "/",  "/a", "..", "../outside", "a/../../outside",
					  "a//b", "./a"};

	(void)state;
	mkdirat(upper, "a", 0755);
	mkdirat(upper, "a/b", 0755);
	put(upper, "a/b/c", "x");
	put(upper, "a/d", "x");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		print_message("# %s\n", bad[i]);
		assert_int_equal(etc_remove(upper, bad[i]), -EINVAL);
	}
	assert_int_equal(etc_remove(upper, "not/there"), 0);
	assert_int_equal(etc_remove(upper, "a/b"), 0);
	assert_string_equal(walked(), "added a\nadded a/d\n");
	/* Again, as after a power cut. */
	assert_int_equal(etc_remove(upper, "a/b"), 0);
	assert_int_equal(etc_remove(upper, "."), 0);
	assert_string_equal(walked(), "");
}

static void a_tree_that_is_too_deep_is_an_error_not_a_crash(void **state)
{
	const char *failed;
	int at = dup(upper);

	(void)state;
	for (int i = 0; i < 70; i++) {
		int below;

		assert_int_equal(mkdirat(at, "d", 0755), 0);
		below = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = below;
	}
	close(at);
	assert_int_equal(etc_walk(upper, lower, tell, NULL, &failed), -ELOOP);
	assert_int_equal(etc_remove(upper, "d"), -ELOOP);
	/* For the end of the test: in two pieces. */
	assert_int_equal(etc_remove(upper, "d/d/d/d/d/d/d/d/d/d"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_name_is_judged_by_both_layers),
		cmocka_unit_test_setup_teardown(the_walk_tells_every_difference_in_order, begin,
						end),
		cmocka_unit_test_setup_teardown(files_of_many_blocks_are_compared_to_their_end,
						begin, end),
		cmocka_unit_test_setup_teardown(no_link_is_followed_out_of_the_tree, begin, end),
		cmocka_unit_test_setup_teardown(a_pipe_is_not_waited_for, begin, end),
		cmocka_unit_test_setup_teardown(only_what_is_named_is_removed, begin, end),
		cmocka_unit_test_setup_teardown(a_tree_that_is_too_deep_is_an_error_not_a_crash,
						begin, end),
	};

	return cmocka_run_group_tests_name("etc", tests, NULL, NULL);
}
