/* SPDX-License-Identifier: Apache-2.0 */
/* The commands as a shell sees them: exit statuses, and what is written when. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "rootfs-spec/build.h"
#include "rootfs-spec/commands.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/plan.h"

#define RIGHT "keelson: 1\nname: t\nservices: {a: {exec: [/bin/a]}}\n"
#define WHOLE                                                                                 \
	"keelson: 1\nname: t\nservices: {a: {exec: [/bin/a, \"b c\"], output: none}}\n"       \
	"mounts: {/v: {type: tmpfs, options: [nosuid, ro, size=1m], propagation: rshared}}\n" \
	"paths: [{path: /v/l, link: ../x}, {path: /v/f, content: \"1\\n\"}]\n"                \
	"policies: {p: {securebits: [noroot, keep-caps]}}\n"
#define WRONG "keelson: 1\nname: t\nservices: {a: {exec: [/bin/a], polcy: p}}\n"

static char directory[64];

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/keelson-commands.XXXXXX");
	if (!mkdtemp(directory) || chdir(directory))
		return -1;
	return file_write("right.yaml", RIGHT, strlen(RIGHT), 0644) ||
	       file_write("wrong.yaml", WRONG, strlen(WRONG), 0644) ||
	       file_write("old", "old", 3, 0644);
}

static int remove_directory(void **state)
{
	(void)state;
	return chdir("/") || file_remove_tree(directory);
}

/* Run a command with its output in files "out" and "err"; argv[0] is the command's name. */
static int command(int (*run)(int, char **), const char *const *argv)
{
	char *copy[16] = {NULL};
	int saved[2] = {dup(1), dup(2)}, argc = 0;
	const char *const names[2] = {"out", "err"};

	fflush(NULL);
	for (; argv[argc]; argc++)
		copy[argc] = strdup(argv[argc]);
	for (int i = 0; i < 2; i++) {
		int fd = open(names[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		dup2(fd, i + 1);
		close(fd);
	}
	int status = run(argc, copy);
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i + 1);
		close(saved[i]);
	}
	for (int i = 0; i < argc; i++)
		free(copy[i]);
	return status;
}

static bool file_has(const char *path, const char *text)
{
	struct bytes content = {0};

	assert_int_equal(file_read(path, &content), 0);
	bytes_add(&content, "", 1);
	bool found = strstr((const char *)content.data, text) != NULL;
	bytes_free(&content);
	return found;
}

#define RUN(run, ...) command(run, (const char *const[]){#run, __VA_ARGS__, NULL})

static void a_right_spec_is_quiet_and_a_wrong_one_exits_1(void **state)
{
	(void)state;
	assert_int_equal(RUN(command_check, "right.yaml"), COMMAND_OK);
	assert_int_equal(file_size("err"), 0);
	assert_int_equal(file_size("out"), 0);
	assert_int_equal(RUN(command_check, "wrong.yaml"), COMMAND_WRONG);
	assert_true(file_has("err", "wrong.yaml:3:32: error: unknown key 'polcy' in a service\n"));
	assert_int_equal(RUN(command_check, "missing.yaml"), COMMAND_WRONG);
	assert_true(file_has("err", "missing.yaml: No such file or directory"));
	assert_int_equal(RUN(command_check, "."), COMMAND_WRONG);
	assert_true(file_has("err", "Is a directory"));
}

static void a_wrong_command_line_exits_2(void **state)
{
	(void)state;
	assert_int_equal(command(command_check, (const char *const[]){"check", NULL}),
			 COMMAND_USAGE);
	assert_int_equal(RUN(command_check, "a", "b"), COMMAND_USAGE);
	assert_true(file_has("err", "one SPEC, not also 'b'\n"));
	assert_int_equal(RUN(command_check, ""), COMMAND_USAGE);
	assert_true(file_has("err", "SPEC is missing\n"));
	assert_int_equal(RUN(command_check, "--rot", "x", "a"), COMMAND_USAGE);
	assert_true(file_has("err", "unknown option --rot, did you mean --root?\n"));
	assert_int_equal(RUN(command_check, "-vx", "a"), COMMAND_USAGE);
	assert_true(file_has("err", "unknown option -x\n"));
	assert_int_equal(RUN(command_check, "a", "--root"), COMMAND_USAGE);
	assert_true(file_has("err", "--root wants a value\n"));
	assert_int_equal(RUN(command_check, "--verbose=3", "a"), COMMAND_USAGE);
	assert_true(file_has("err", "--verbose takes no value\n"));
	assert_int_equal(RUN(build_command, "a"), COMMAND_USAGE);
	assert_true(file_has("err", "--output DIR is missing\n"));
	assert_int_equal(RUN(build_command, "a", "-o", "b", "--key", "k"), COMMAND_USAGE);
	assert_true(file_has("err", "--key goes with --cert\n"));
	assert_int_equal(RUN(build_lock_command, "a", "-o", "b"), COMMAND_USAGE);
	assert_true(file_has("err", "unknown option -o\n"));
	assert_false(file_exists("b"));
	assert_int_equal(RUN(command_compile, "right.yaml"), COMMAND_USAGE);
	assert_int_equal(RUN(command_show, "right.yaml", "--schema"), COMMAND_USAGE);
	assert_int_equal(RUN(command_check, "--help"), COMMAND_OK);
	assert_true(file_has("out", "usage: keelson check"));
}

static void compile_writes_a_plan_that_show_reads(void **state)
{
	struct bytes file = {0};
	struct plan plan;

	(void)state;
	assert_int_equal(RUN(command_compile, "right.yaml", "-o", "plan"), COMMAND_OK);
	assert_int_equal(file_read("plan", &file), 0);
	assert_int_equal(plan_verify(file.data, file.size, PLAN_KIND_NODE, &plan, NULL), 0);
	bytes_free(&file);
	assert_int_equal(RUN(command_show, "--plan", "plan"), COMMAND_OK);
	assert_true(file_has("out", "service 1: a\n"));
	assert_int_equal(file_write("whole.yaml", WHOLE, strlen(WHOLE), 0644), 0);
	assert_int_equal(RUN(command_compile, "whole.yaml", "-o", "plan"), COMMAND_OK);
	assert_int_equal(RUN(command_show, "--plan", "plan"), COMMAND_OK);
	assert_true(file_has("out", "  exec: /bin/a \"b c\"\n"));
	assert_true(file_has("out", "path: link /v/l mode 0644 owner 0:0 to ../x\n"));
	assert_true(file_has("out", "path: file /v/f mode 0644 owner 0:0 \"1\\n\"\n"));
	assert_true(file_has("out", "  attributes: ro nosuid\n  mount-flags: ro nosuid\n"
				    "  propagation: rec shared\n  option: size=1m\n"));
	assert_true(file_has("out", "  securebits: noroot keep-caps\n"));
	assert_int_equal(RUN(command_compile, "right.yaml", "--boot", "--key", "/k.der", "-o",
			     "boot"),
			 COMMAND_OK);
	assert_int_equal(RUN(command_show, "--plan", "boot"), COMMAND_OK);
	assert_true(file_has("out", "kind: boot plan\n"));
	assert_true(file_has("out", "keys: /k.der\n"));
}

static void nothing_is_written_when_the_spec_is_wrong(void **state)
{
	(void)state;
	assert_int_equal(RUN(command_compile, "wrong.yaml", "-o", "new"), COMMAND_WRONG);
	assert_false(file_exists("new"));
	assert_int_equal(RUN(command_compile, "wrong.yaml", "-o", "old"), COMMAND_WRONG);
	assert_true(file_has("old", "old"));
}

static void a_device_is_written_to_and_not_replaced(void **state)
{
	(void)state;
	assert_int_equal(symlink("/dev/full", "device"), 0);
	assert_int_equal(RUN(command_compile, "right.yaml", "-o", "device"), COMMAND_WRONG);
	assert_true(file_has("err", "write device: No space left on device"));
	assert_int_equal(readlink("device", (char[16]){0}, 16), strlen("/dev/full"));
}

static void what_is_no_plan_is_refused_with_the_reason(void **state)
{
	(void)state;
	assert_int_equal(RUN(command_compile, "right.yaml", "-o", "plan"), COMMAND_OK);
	assert_int_equal(truncate("plan", file_size("plan") - 8), 0);
	assert_int_equal(RUN(command_show, "--plan", "plan"), COMMAND_WRONG);
	assert_true(file_has("err", "the size in the header is not the size of the file"));
	assert_int_equal(RUN(command_show, "--plan", "right.yaml"), COMMAND_WRONG);
	assert_true(file_has("err", "the file is too short"));
}

static void show_says_where_each_line_comes_from(void **state)
{
	(void)state;
	assert_int_equal(RUN(command_show, "right.yaml"), COMMAND_OK);
	assert_true(file_has("out", "# right.yaml:3\n"));
	assert_int_equal(RUN(command_show, "wrong.yaml"), COMMAND_WRONG);
	assert_int_equal(file_size("out"), 0);
	assert_int_equal(RUN(command_show, "--schema"), COMMAND_OK);
	assert_true(file_has("out", "| `exec` (required) |"));
	assert_int_equal(RUN(command_show, "--schema=man"), COMMAND_OK);
	assert_true(file_has("out", ".TH KEELSON\\-SPEC 5"));
	assert_int_equal(RUN(command_show, "--schema=html"), COMMAND_USAGE);
}

static void a_policy_tells_what_it_costs_and_why(void **state)
{
	static const char own[] = "keelson: 1\nname: t\npolicies:\n"
				  "  mine: {extends: containerd, seccomp: {allow: [acct]}, why: "
				  "{acct: It keeps books.}}\n";

	(void)state;
	assert_int_equal(RUN(command_policy, "show", "containerd"), COMMAND_OK);
	assert_true(file_has("out", "containerd\n  capabilities 39 of 41, without sys_module "
				    "sys_boot\n  filter "));
	assert_true(file_has("out", "lets 36 of 36 hot calls through without the filter\n"));
	assert_int_equal(RUN(command_policy, "explain", "kubelet", "reboot"), COMMAND_OK);
	assert_true(file_has("out", "  @reboot                  errno(EPERM), from containerd\n"
				    "      They replace or stop the kernel under the signed slot.\n"
				    "  x86-64   number 169: errno(EPERM)\n"
				    "  i386     number 88: errno(EPERM)\n"
				    "  x32      number 169: errno(EPERM)\n"));
	assert_int_equal(RUN(command_policy, "explain", "kubelet", "read"), COMMAND_OK);
	assert_true(file_has("out", "x86-64   number 0: allow, without running the filter\n"));
	assert_int_equal(RUN(command_policy, "explain", "containerd", "cap_sys_boot"), COMMAND_OK);
	assert_true(file_has("out", "sys_boot                 dropped\n      A node goes down"));
	assert_int_equal(RUN(command_policy, "explain", "strict"), COMMAND_OK);
	assert_true(file_has("out", "errno(EPERM) if argument 0 & 0x10000000 == 0x10000000\n"));
	assert_int_equal(file_write("own.yaml", own, strlen(own), 0644), 0);
	assert_int_equal(RUN(command_policy, "explain", "mine", "acct", "--spec", "own.yaml"),
			 COMMAND_OK);
	assert_true(file_has("out", "acct                     allow\n      It keeps books.\n"));
	assert_int_equal(RUN(command_policy, "show", "contanerd"), COMMAND_WRONG);
	assert_true(file_has("err", "unknown policy 'contanerd'\n    did you mean 'containerd'?"));
	assert_int_equal(RUN(command_policy, "explain", "strict", "rebot"), COMMAND_WRONG);
	assert_true(file_has("err", "did you mean 'reboot'?"));
	assert_int_equal(RUN(command_policy, "expalin", "strict"), COMMAND_USAGE);
	assert_int_equal(RUN(command_policy, "explain"), COMMAND_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_spec_is_quiet_and_a_wrong_one_exits_1),
		cmocka_unit_test(a_wrong_command_line_exits_2),
		cmocka_unit_test(a_policy_tells_what_it_costs_and_why),
		cmocka_unit_test(compile_writes_a_plan_that_show_reads),
		cmocka_unit_test(nothing_is_written_when_the_spec_is_wrong),
		cmocka_unit_test(a_device_is_written_to_and_not_replaced),
		cmocka_unit_test(what_is_no_plan_is_refused_with_the_reason),
		cmocka_unit_test(show_says_where_each_line_comes_from),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
