/* SPDX-License-Identifier: Apache-2.0 */
/* keelson, the program of the builder's machine. */
#include <stdio.h>
#include <string.h>

#include "rootfs-spec/build.h"
#include "rootfs-spec/commands.h"
#include "rootfs-spec/image_commands.h"
#include "rootfs-spec/nearest.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{"check", command_check, "find everything that is wrong with a spec"},
	{"compile", command_compile, "turn a spec into a plan"},
	{"show", command_show, "print a spec with all it extends, a plan, or the language"},
	{"policy", command_policy, "what a policy costs, and why each of its lines is there"},
	{"build", build_command, "make the image that a spec describes"},
	{"bundle", bundle_command, "make one file of an image, to update nodes with"},
	{"key", key_command, "make a key, or see whether nodes follow to another"},
	{"sign", sign_command, "sign an image that was built"},
	{"verify", verify_command, "see whether an image, bundle or disk is whole and signed"},
	{"lock", build_lock_command, "write down the packages that a spec resolves to"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static int help(FILE *out, int status)
{
	fputs("usage: keelson COMMAND ...\n\n", out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].what);
	fputs("\n`keelson COMMAND --help` tells more.\n", out);
	return status;
}

static int unknown(const char *name)
{
	struct nearest nearest = {.name = name};

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		nearest_offer(&nearest, commands[i].name);
	fprintf(stderr, "keelson: unknown command '%s'\n", name);
	if (nearest.best)
		fprintf(stderr, "    did you mean '%s'?\n", nearest.best);
	else
		fputs("    `keelson --help` tells which there are\n", stderr);
	return COMMAND_USAGE;
}

int main(int argc, char **argv)
{
	static char help_option[] = "--help";

	if (argc < 2)
		return help(stderr, COMMAND_USAGE);
	/* `keelson help build` is `keelson build --help`. */
	if (strcmp(argv[1], "help") == 0 && argc == 3) {
		argv[1] = argv[2];
		argv[2] = help_option;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return help(stdout, COMMAND_OK);
	if (strcmp(argv[1], "--version") == 0) {
		puts("keelson " KEELSON_VERSION);
		return fflush(stdout) ? COMMAND_WRONG : COMMAND_OK;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return unknown(argv[1]);
}
