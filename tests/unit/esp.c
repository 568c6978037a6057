/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bootstrap on the ESP: what is there after every replacement, and after one that was killed before
 * any of its changes. The ESP is a directory here; the order in which FAT itself writes is for
 * tests/vm/kernel.test.py.
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
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/bootstrap.h"
#include "init/esp.h"
#include "rootfs-spec/boot_entry.h"

#define KERNEL_BYTES (3u << 20)
#define VERSIONS 4

static char top[64]; /* "esp", and "1", "2", ...: roots of images */

static void path_of(char path[160], const char *name)
{
	snprintf(path, 160, "%s/%s", top, name);
}

static void put(const char *name, const void *bytes, size_t size)
{
	char path[160];

	path_of(path, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static char *get(const char *name, size_t *size)
{
	char path[160];
	struct stat st;

	path_of(path, name);
	FILE *file = fopen(path, "r");

	if (!file)
		return NULL;
	assert_int_equal(fstat(fileno(file), &st), 0);
	char *bytes = calloc(1, (size_t)st.st_size + 1);

	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, (size_t)st.st_size, file), st.st_size);
	fclose(file);
	*size = (size_t)st.st_size;
	return bytes;
}

static void make_directory(const char *name)
{
	char path[160];

	path_of(path, name);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
}

/* Version N of the image: every byte of its kernel is N, the first one of its digests, too. */
static void make_image(int version)
{
	static const char *const directories[] = {"", "/usr", "/usr/lib", "/usr/lib/keelson"};
	static uint8_t kernel[KERNEL_BYTES];
	char name[64];

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(name, sizeof(name), "%d%s", version, directories[i]);
		make_directory(name);
	}
	memset(kernel, version, sizeof(kernel));
	snprintf(name, sizeof(name), "%d/usr/lib/keelson/vmlinuz", version);
	put(name, kernel, sizeof(kernel));
	snprintf(name, sizeof(name), "%d/usr/lib/keelson/initramfs.zst", version);
	put(name, kernel, 1000);
	snprintf(name, sizeof(name), "%d/usr/lib/keelson/cmdline", version);
	put(name, "quiet\n", 6);
}

static int replace(int version, char step[ESP_STEP_BYTES])
{
	uint8_t kernel[32] = {(uint8_t)version}, initramfs[32] = {(uint8_t)version};
	char path[160], number[4];
	int esp, result;

	path_of(path, "esp");
	esp = open(path, O_RDONLY | O_DIRECTORY);
	snprintf(number, sizeof(number), "%d", version);
	path_of(path, number);
	const struct esp_image image = {
		.root = open(path, O_RDONLY | O_DIRECTORY),
		.name = "test",
		.version = number,
		.kernel_sha256 = kernel,
		.initramfs_sha256 = initramfs,
	};

	assert_true(esp >= 0 && image.root >= 0);
	step[0] = '\0';
	result = esp_replace(esp, &image, step);
	close(image.root);
	close(esp);
	return result;
}

/* Which version an entry starts: its files are whole and of one image. 0: there is no such entry. */
static int starts(const char *entry)
{
	char name[96], vmlinuz[BOOT_ENTRY_NAME_BYTES], initramfs[BOOT_ENTRY_NAME_BYTES];
	size_t size;

	snprintf(name, sizeof(name), "esp/%s", entry);
	char *text = get(name, &size);
	int found = 0;

	if (!text)
		return 0;
	for (int version = 1; version <= VERSIONS && !found; version++) {
		const uint8_t digest[32] = {(uint8_t)version};

		boot_entry_vmlinuz(vmlinuz, digest);
		boot_entry_initramfs(initramfs, digest);
		if (!boot_entry_uses(text, vmlinuz))
			continue;
		assert_true(boot_entry_uses(text, initramfs));
		snprintf(name, sizeof(name), "esp/keelson/%s", vmlinuz);
		char *bytes = get(name, &size);

		assert_non_null(bytes);
		assert_int_equal(size, KERNEL_BYTES);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(bytes[i], version);
		free(bytes);
		snprintf(name, sizeof(name), "esp/keelson/%s", initramfs);
		bytes = get(name, &size);
		assert_non_null(bytes);
		assert_int_equal(size, 1000);
		assert_int_equal(bytes[999], version);
		free(bytes);
		found = version;
	}
	free(text);
	assert_int_not_equal(found, 0);
	return found;
}

static int files(void)
{
	char command[160];
	int count = 0;
	FILE *list;

	snprintf(command, sizeof(command), "ls %s/esp/keelson | wc -l", top);
	list = popen(command, "r");
	assert_non_null(list);
	assert_int_equal(fscanf(list, "%d", &count), 1);
	pclose(list);
	return count;
}

static void must(int version, int result)
{
	char step[ESP_STEP_BYTES];
	int found = replace(version, step);

	if (found != result)
		print_message("# %s: %d\n", step, found);
	assert_int_equal(found, result);
}

/* An ESP as the image's build makes it. */
static void fresh(int version)
{
	static const char foreign[] = "title keelson test\nlinux /x\noptions quiet\noptions mine\n";
	char command[160];

	snprintf(command, sizeof(command), "rm -rf %s/esp", top);
	assert_int_equal(system(command), 0);
	make_directory("esp");
	make_directory("esp/keelson");
	make_directory("esp/loader");
	make_directory("esp/loader/entries");
	put("esp/" BOOT_ENTRY_PATH, foreign, sizeof(foreign) - 1);
	must(version, ESP_REPLACED);
}

static int setup(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "%s/unit-esp-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(top))
		return -1;
	for (int version = 1; version <= VERSIONS; version++)
		make_image(version);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static void a_replacement_keeps_the_pair_before_it_and_no_other(void **state)
{
	size_t size;
	char *text;

	(void)state;
	fresh(1);
	assert_int_equal(starts(BOOT_ENTRY_PATH), 1);
	must(1, ESP_ALREADY);
	must(2, ESP_REPLACED);
	assert_int_equal(starts(BOOT_ENTRY_PATH), 2);
	assert_int_equal(starts(BOOT_ENTRY_PREVIOUS_PATH), 1);
	assert_int_equal(files(), 4);
	must(3, ESP_REPLACED);
	assert_int_equal(starts(BOOT_ENTRY_PATH), 3);
	assert_int_equal(starts(BOOT_ENTRY_PREVIOUS_PATH), 2);
	assert_int_equal(files(), 4);
	must(2, ESP_REPLACED);
	assert_int_equal(starts(BOOT_ENTRY_PATH), 2);
	assert_int_equal(starts(BOOT_ENTRY_PREVIOUS_PATH), 3);
	must(2, ESP_ALREADY);
	text = get("esp/" BOOT_ENTRY_PATH, &size);
	assert_non_null(strstr(text, "\noptions quiet\noptions mine\n"));
	free(text);
}

static void what_is_missing_or_cut_is_written_again(void **state)
{
	static const uint8_t digest[32] = {1};
	char name[BOOT_ENTRY_NAME_BYTES], path[96];

	(void)state;
	fresh(1);
	boot_entry_vmlinuz(name, digest);
	snprintf(path, sizeof(path), "esp/keelson/%s", name);
	put(path, "cut", 3);
	must(1, ESP_REPLACED);
	assert_int_equal(starts(BOOT_ENTRY_PATH), 1);
	must(1, ESP_ALREADY);
}

static void an_esp_without_our_entry_is_left_alone(void **state)
{
	char path[160];

	(void)state;
	fresh(1);
	path_of(path, "esp/" BOOT_ENTRY_PATH);
	assert_int_equal(unlink(path), 0);
	must(2, ESP_FOREIGN);
	assert_int_equal(files(), 2);
}

static void an_esp_that_is_full_goes_on_with_what_it_has(void **state)
{
	char step[ESP_STEP_BYTES];
	struct rlimit limit = {2u << 20, RLIM_INFINITY}, unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	(void)state;
	fresh(1);
	/* A file cannot be as large as the kernel: a write that does not fit (setrlimit(2)). */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int result = replace(2, step);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	assert_int_equal(result, -EFBIG);
	assert_non_null(strstr(step, "vmlinuz-02"));
	assert_int_equal(starts(BOOT_ENTRY_PATH), 1);
	assert_int_equal(files(), 2);
	must(2, ESP_REPLACED);
}

static int changes;

static void die_in_time(void)
{
	if (changes-- == 0)
		_exit(77);
}

static void one_that_is_killed_anywhere_leaves_an_entry_that_starts(void **state)
{
	int cuts = 0;

	(void)state;
	for (bool over = false; !over; cuts++) {
		int status, now;

		fresh(1);
		must(2, ESP_REPLACED);
		pid_t pid = fork();

		if (pid == 0) {
			char step[ESP_STEP_BYTES];

			changes = cuts;
			esp_before_change = die_in_time;
			_exit(replace(3, step) == ESP_REPLACED ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		over = WEXITSTATUS(status) == 0;
		assert_true(over || WEXITSTATUS(status) == 77);
		now = starts(BOOT_ENTRY_PATH);
		assert_true(now == (over ? 3 : 2));
		now = starts(BOOT_ENTRY_PREVIOUS_PATH);
		assert_true(now == 0 || now == 1 || now == 2);
		/* And the next one does it. */
		must(3, over ? ESP_ALREADY : ESP_REPLACED);
		assert_int_equal(starts(BOOT_ENTRY_PATH), 3);
		assert_int_equal(starts(BOOT_ENTRY_PREVIOUS_PATH), 2);
		assert_int_equal(files(), 4);
	}
	print_message("# killed before each of %d changes\n", cuts - 1);
	assert_true(cuts > 10);
}

static void a_bootstrap_is_old_if_the_boot_began_with_anything_of_another_image(void **state)
{
	static struct record record = {.header = {.build_id = {1}}, .boot_build_id = {1}};

	(void)state;
	assert_false(bootstrap_is_old(&record));
	record.kexecs = 1;
	assert_true(bootstrap_is_old(&record));
	record.kexecs = 0;
	record.boot_build_id[31] = 1;
	assert_true(bootstrap_is_old(&record));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_bootstrap_is_old_if_the_boot_began_with_anything_of_another_image),
		cmocka_unit_test(a_replacement_keeps_the_pair_before_it_and_no_other),
		cmocka_unit_test(what_is_missing_or_cut_is_written_again),
		cmocka_unit_test(an_esp_without_our_entry_is_left_alone),
		cmocka_unit_test(an_esp_that_is_full_goes_on_with_what_it_has),
		cmocka_unit_test(one_that_is_killed_anywhere_leaves_an_entry_that_starts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
