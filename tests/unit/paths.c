/* SPDX-License-Identifier: Apache-2.0 */
/* The plan's paths and PID 1's small files, made in a fresh directory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/files.h"
#include "init/paths.h"
#include "rootfs-spec/plan_write.h"

static char directory[] = "/tmp/keelson-paths-XXXXXX";

static const char *at(const char *name)
{
	static char paths[4][256];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static int make_directory(void **state)
{
	(void)state;
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void expect_text(const char *path, const char *text)
{
	char have[64];

	assert_int_equal(file_read(path, have, sizeof(have)), strlen(text));
	assert_string_equal(have, text);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode;
}

static void a_file_is_made_whole_or_not_at_all(void **state)
{
	(void)state;
	umask(077);
	assert_int_equal(file_create(at("f"), "text", 4, 0644, getuid(), getgid()), 0);
	expect_text(at("f"), "text");
	assert_int_equal(mode_of(at("f")), S_IFREG | 0644);
	assert_int_equal(access(at("f.keelson-new"), F_OK), -1);
}

static void what_exists_is_left_alone(void **state)
{
	(void)state;
	assert_int_equal(file_create(at("f"), "old", 3, 0600, getuid(), getgid()), 0);
	assert_int_equal(file_create(at("f"), "new", 3, 0644, getuid(), getgid()), -EEXIST);
	expect_text(at("f"), "old");
	/* A dangling link is something, too. */
	assert_int_equal(symlink("/nowhere", at("l")), 0);
	assert_int_equal(file_create(at("l"), "new", 3, 0644, getuid(), getgid()), -EEXIST);
}

static void a_leftover_of_a_cut_does_not_matter(void **state)
{
	(void)state;
	assert_int_equal(file_create(at("f.keelson-new"), "half", 4, 0600, getuid(), getgid()), 0);
	assert_int_equal(file_create(at("f"), "whole", 5, 0600, getuid(), getgid()), 0);
	expect_text(at("f"), "whole");
	assert_int_equal(access(at("f.keelson-new"), F_OK), -1);
}

static void a_copy_is_of_a_regular_file(void **state)
{
	(void)state;
	assert_int_equal(file_create(at("f"), "text", 4, 0600, getuid(), getgid()), 0);
	assert_int_equal(file_copy(at("f"), at("c"), 0640, getuid(), getgid()), 0);
	expect_text(at("c"), "text");
	assert_int_equal(mode_of(at("c")), S_IFREG | 0640);
	assert_int_equal(file_copy(directory, at("d"), 0640, getuid(), getgid()), -EINVAL);
	assert_int_equal(file_copy(at("none"), at("d"), 0640, getuid(), getgid()), -ENOENT);
}

static void a_file_longer_than_the_room_is_refused(void **state)
{
	char room[4];

	(void)state;
	assert_int_equal(file_create(at("f"), "1234", 4, 0600, getuid(), getgid()), 0);
	assert_int_equal(file_read(at("f"), room, sizeof(room)), -EFBIG);
	assert_string_equal(room, "123");
	assert_int_equal(file_read(at("none"), room, sizeof(room)), -ENOENT);
	assert_string_equal(room, "");
}

struct wanted {
	const char *name;
	const char *content;
	uint32_t kind;
	uint32_t mode;
};

static void plan_paths_are_made_in_order(void **state)
{
	static const struct wanted wanted[] = {
		{"a/b/dir", "", PLAN_PATH_DIRECTORY, 01777},
		{"a/file", "content", PLAN_PATH_FILE, 0640},
		{"a/link", "b/dir", PLAN_PATH_SYMLINK, 0777},
	};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	struct plan_system *system = plan_write_system(writer);
	struct plan plan;
	void *bytes;
	size_t size;

	(void)state;
	system->name = plan_write_string(writer, "test");
	system->shutdown_timeout_ns = 1;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct plan_path path = {
			.path = plan_write_string(writer, at(wanted[i].name)),
			.content = plan_write_string(writer, wanted[i].content),
			.mode = wanted[i].mode,
			.uid = getuid(),
			.gid = getgid(),
			.kind = wanted[i].kind,
		};

		plan_write_path(writer, &path);
	}
	assert_int_equal(plan_write_finish(writer, NULL, &bytes, &size, NULL), 0);
	plan_write_free(writer);
	assert_int_equal(plan_verify(bytes, size, PLAN_KIND_NODE, &plan, NULL), 0);
	/* The second time everything is there, and that is no error. */
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < plan_count(&plan, PLAN_PATHS); i++)
			assert_int_equal(path_make(&plan, plan_path(&plan, i)), 0);
	assert_int_equal(mode_of(at("a/b/dir")), S_IFDIR | 01777);
	assert_int_equal(mode_of(at("a/file")), S_IFREG | 0640);
	expect_text(at("a/file"), "content");
	assert_true(S_ISLNK(mode_of(at("a/link"))));
	free(bytes);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_made_whole_or_not_at_all),     TEST(what_exists_is_left_alone),
		TEST(a_leftover_of_a_cut_does_not_matter),    TEST(a_copy_is_of_a_regular_file),
		TEST(a_file_longer_than_the_room_is_refused), TEST(plan_paths_are_made_in_order),
	};

	return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
