/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl - ask and command PID 1 (control.h). Called as reboot, poweroff or halt it does that. */
#include "svc/keelctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/nearest.h"
#include "svc/client.h"
#include "svc/show.h"

#define LINES_DEFAULT 50

static const struct command {
	const char *name;
	int (*run)(const struct keelctl *keelctl);
	int words_min, words_max;
	const char *usage;
	const char *help;
} commands[] = {
	{"status", command_status, 0, 1, "[-v] [SERVICE]", "what runs, and why something does not"},
	{"start", command_start, 1, 64, "SERVICE...", "start, with everything it needs"},
	{"stop", command_stop, 1, 64, "SERVICE...", "stop, with everything that requires it"},
	{"restart", command_restart, 1, 64, "SERVICE...", "stop and start again"},
	{"logs", command_logs, 1, 1, "[-f] [-n N] SERVICE", "its output; -f: as it comes"},
	{"analyze", command_analyze, 0, 0, "[--trace FILE]", "what the boot waited for"},
	{"slot", command_slot, 1, 1, "status", "the two slots of the disk"},
	{"poweroff", command_poweroff, 0, 0, "", "stop everything and switch off"},
	{"reboot", command_reboot, 0, 0, "", "stop everything and boot again"},
	{"halt", command_halt, 0, 0, "", "stop everything and stay"},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void usage(FILE *stream)
{
	fputs("usage: keelctl [--json] COMMAND\n\n", stream);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(stream, "  %-9s %-20s %s\n", commands[i].name, commands[i].usage,
			commands[i].help);
	fputs("\n  --json       for programs\n"
	      "  --no-wait    start, stop, restart: do not wait until it is done\n"
	      "  --socket P   ask at P instead of " CLIENT_SOCKET "\n"
	      "  --version\n\n"
	      "exit status: 0 done, 1 failed, 2 usage, 3 not up or no such service\n",
	      stream);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	struct nearest nearest = {.name = name};

	for (size_t i = 0; i < COMMANDS; i++)
		nearest_offer(&nearest, commands[i].name);
	fprintf(stderr, "keelctl: no command `%s`", name);
	if (nearest.best)
		fprintf(stderr, ", did you mean `%s`?", nearest.best);
	fputs("\n", stderr);
	return KEELCTL_USAGE;
}

enum { OPTION_JSON = 256, OPTION_NO_WAIT, OPTION_SOCKET, OPTION_TRACE, OPTION_VERSION };

static const struct option options[] = {
	{"json", no_argument, NULL, OPTION_JSON},
	{"no-wait", no_argument, NULL, OPTION_NO_WAIT},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"trace", required_argument, NULL, OPTION_TRACE},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"verbose", no_argument, NULL, 'v'},
	{"follow", no_argument, NULL, 'f'},
	{"lines", required_argument, NULL, 'n'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool parse_lines(const char *text, unsigned long *lines)
{
	char *end;

	errno = 0;
	*lines = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *text >= '0' && *text <= '9';
}

/* Options may stand before or after the command. -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct keelctl *keelctl)
{
	for (;;) {
		switch (getopt_long(argc, argv, "vfn:h", options, NULL)) {
		case -1: return -1;
		case 'v': keelctl->verbose = true; break;
		case 'f': keelctl->follow = true; break;
		case 'n':
			if (!parse_lines(optarg, &keelctl->lines)) {
				fprintf(stderr, "keelctl: -n %s: not a number\n", optarg);
				return KEELCTL_USAGE;
			}
			break;
		case OPTION_JSON: keelctl->json = true; break;
		case OPTION_NO_WAIT: keelctl->no_wait = true; break;
		case OPTION_SOCKET: keelctl->socket = optarg; break;
		case OPTION_TRACE: keelctl->trace = optarg; break;
		case OPTION_VERSION: printf("keelctl %s\n", KEELSON_VERSION); return KEELCTL_OK;
		case 'h': usage(stdout); return KEELCTL_OK;
		default: usage(stderr); return KEELCTL_USAGE;
		}
	}
}

static const struct command *command_of_program(const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;

	if (strcmp(name, "reboot") == 0 || strcmp(name, "poweroff") == 0 ||
	    strcmp(name, "halt") == 0)
		return find_command(name);
	return NULL;
}

int main(int argc, char **argv)
{
	struct keelctl keelctl = {.socket = CLIENT_SOCKET, .lines = LINES_DEFAULT};
	const struct command *command = command_of_program(argc > 0 ? argv[0] : "keelctl");

	/* Who asks what `reboot` does must not find out. */
	if (command && argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		usage(stdout);
		return KEELCTL_OK;
	}
	if (command)
		return command->run(&keelctl);
	int status = parse_options(argc, argv, &keelctl);

	if (status >= 0)
		return status;
	if (optind >= argc) {
		usage(stderr);
		return KEELCTL_USAGE;
	}
	command = find_command(argv[optind]);
	if (!command)
		return unknown_command(argv[optind]);
	keelctl.count = argc - optind - 1;
	keelctl.words = argv + optind + 1;
	if (keelctl.count < command->words_min || keelctl.count > command->words_max) {
		fprintf(stderr, "usage: keelctl %s %s\n", command->name, command->usage);
		return KEELCTL_USAGE;
	}
	show_init(stdout);
	return command->run(&keelctl);
}
