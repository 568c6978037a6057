/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelctl - ask and command PID 1 (control.h). Called as reboot, poweroff, halt or shutdown it does
 * that, called as systemctl it answers the calls that node scripts make (systemctl.h).
 */
#include "svc/keelctl.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-spec/nearest.h"
#include "svc/client.h"
#include "svc/show.h"
#include "svc/signal_name.h"
#include "svc/systemctl.h"

#define LINES_DEFAULT 50
#define CHANGE (OPTION_JSON | OPTION_NO_WAIT | OPTION_DRY_RUN)

static const struct command {
	const char *name;
	int (*run)(const struct keelctl *keelctl);
	int words_min, words_max;
	uint32_t options;
	const char *usage;
	const char *help;
} commands[] = {
	{"status", command_status, 0, KEELCTL_WORDS, OPTION_JSON | OPTION_VERBOSE | OPTION_TREE,
	 "[-v] [--tree] [SERVICE...]", "what runs, and why something does not"},
	{"start", command_start, 1, KEELCTL_WORDS, CHANGE, "SERVICE...",
	 "start, with everything it needs"},
	{"stop", command_stop, 1, KEELCTL_WORDS, CHANGE, "SERVICE...",
	 "stop, with everything that requires it"},
	{"restart", command_restart, 1, KEELCTL_WORDS, CHANGE, "SERVICE...",
	 "stop and start again"},
	{"reload", command_reload, 1, KEELCTL_WORDS, OPTION_NO_WAIT, "SERVICE...",
	 "let it read its configuration again"},
	{"kill", command_kill, 1, KEELCTL_WORDS, OPTION_SIGNAL | OPTION_MAIN,
	 "[-s SIGNAL] SERVICE...", "send a signal to its processes"},
	{"logs", command_logs, 1, 1, OPTION_FOLLOW | OPTION_LINES, "[-f] [-n N] SERVICE",
	 "its output; -f: as it comes"},
	{"events", command_events, 0, 0, OPTION_FOLLOW | OPTION_SINCE | OPTION_JSON,
	 "[-f] [--since N]", "what happened, as JSON lines"},
	{"analyze", command_analyze, 0, 0, OPTION_JSON | OPTION_TRACE, "[--trace FILE]",
	 "what the boot waited for"},
	{"slot", command_slot, 0, 2,
	 OPTION_JSON | OPTION_FORCE | OPTION_NEXT | OPTION_FROM | OPTION_UNDO, "[COMMAND]",
	 "the two slots of the disk: status, install, switch, bless,"
	 "\n                                     reject, rollback, verify, history"},
	{"etc", command_etc, 1, KEELCTL_WORDS, OPTION_JSON, "diff | reset [PATH...]",
	 "what was changed in /etc; back to the image's at the next boot"},
	{"reset", command_reset, 0, 0, OPTION_JSON | OPTION_STATE | OPTION_YES, "--state [--yes]",
	 "make the state partition anew at the next boot"},
	{"policy", command_policy, 2, 2, OPTION_JSON | OPTION_VERBOSE | OPTION_PLAN,
	 "show [-v] | report SERVICE",
	 "what a service may do; what its filter did not allow, and what it used\n"
	 "            policy learn start | stop   count what services use (not in every image)"},
	{"last", command_last, 0, 1, OPTION_JSON, "[FILE]", "how the last boot ended"},
	{"reexec", command_reexec, 0, 0, 0, "", "let PID 1 execute itself anew"},
	{"poweroff", command_poweroff, 0, 0, OPTION_FORCE, "[--force]",
	 "stop everything and switch off"},
	{"reboot", command_reboot, 0, 0, OPTION_FORCE, "[--force]",
	 "stop everything and boot again"},
	{"halt", command_halt, 0, 0, OPTION_FORCE, "[--force]", "stop everything and stay"},
	{"kexec", command_kexec, 0, 0, OPTION_FORCE, "[--force]",
	 "stop everything and start the kernel that is loaded"},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

/* getopt_long(3)'s value of an option without a letter: beyond every enum keelctl_option. */
#define LONG_BASE 0x1000000
#define LONG(option) (LONG_BASE | (option))
enum { LONG_SOCKET = 256, LONG_TIMEOUT, LONG_VERSION };

static const struct option options[] = {
	{"json", no_argument, NULL, LONG(OPTION_JSON)},
	{"verbose", no_argument, NULL, 'v'},
	{"tree", no_argument, NULL, LONG(OPTION_TREE)},
	{"no-wait", no_argument, NULL, LONG(OPTION_NO_WAIT)},
	{"dry-run", no_argument, NULL, LONG(OPTION_DRY_RUN)},
	{"timeout", required_argument, NULL, LONG_TIMEOUT},
	{"signal", required_argument, NULL, 's'},
	{"main", no_argument, NULL, LONG(OPTION_MAIN)},
	{"follow", no_argument, NULL, 'f'},
	{"lines", required_argument, NULL, 'n'},
	{"since", required_argument, NULL, LONG(OPTION_SINCE)},
	{"trace", required_argument, NULL, LONG(OPTION_TRACE)},
	{"plan", required_argument, NULL, LONG(OPTION_PLAN)},
	{"force", no_argument, NULL, LONG(OPTION_FORCE)},
	{"next", no_argument, NULL, LONG(OPTION_NEXT)},
	{"from", required_argument, NULL, LONG(OPTION_FROM)},
	{"undo", no_argument, NULL, LONG(OPTION_UNDO)},
	{"state", no_argument, NULL, LONG(OPTION_STATE)},
	{"yes", no_argument, NULL, LONG(OPTION_YES)},
	{"socket", required_argument, NULL, LONG_SOCKET},
	{"version", no_argument, NULL, LONG_VERSION},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void usage(FILE *stream)
{
	fputs("usage: keelctl COMMAND [OPTION...]\n\n", stream);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(stream, "  %-9s %-24s %s\n", commands[i].name, commands[i].usage,
			commands[i].help);
	fputs("\n  --json       for programs: status, start, stop, restart, analyze, last, slot,\n"
	      "               policy, reset, etc\n"
	      "  --no-wait    start, stop, restart, reload: do not wait until it is done\n"
	      "  --timeout S  wait so many seconds at most for an answer\n"
	      "  --dry-run    start, stop, restart: only say what else would move\n"
	      "  --main       kill: the main process only\n"
	      "  --force      poweroff, reboot, halt, kexec: kill what does not stop, at once\n"
	      "               slot install: an image that was rejected before, too\n"
	      "               slot install, reject, rollback, bless --undo: also when the\n"
	      "               other slot is not known to be good\n"
	      "  --undo       slot bless: put the slot on trial again\n"
	      "  --next       slot install: only say from which byte on FILE is needed\n"
	      "  --from N     slot install: behind its head FILE goes on at that byte\n"
	      "  --yes        reset: do not ask\n"
	      "  --plan FILE  policy show, learn: this plan instead of the node's\n"
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

/* What getopt_long(3) refused, in the word before optind or as a letter in optopt. */
static int unknown_option(char **argv)
{
	const char *word = argv[optind - 1];
	struct nearest nearest = {.name = word + strspn(word, "-")};
	bool letter = optopt > 0 && optopt < 0x80 && !strchr("vfnsh", optopt);

	if (letter) {
		fprintf(stderr, "keelctl: no option -%c\n", optopt);
		return KEELCTL_USAGE;
	}
	for (const struct option *option = options; option->name; option++)
		nearest_offer(&nearest, option->name);
	fprintf(stderr, "keelctl: no option %s", word);
	if (nearest.best)
		fprintf(stderr, ", did you mean `--%s`?", nearest.best);
	fputs("\n", stderr);
	return KEELCTL_USAGE;
}

/* optopt is its value in `options`. */
static int option_without_value(void)
{
	const struct option *option = options;

	while (option->name && option->val != optopt)
		option++;
	fprintf(stderr, "keelctl: --%s needs a value\n", option->name ? option->name : "?");
	return KEELCTL_USAGE;
}

static bool parse_number(const char *option, const char *text, unsigned long max,
			 unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	if (errno == 0 && *end == '\0' && *text >= '0' && *text <= '9' && *number <= max)
		return true;
	fprintf(stderr, "keelctl: %s %s: not a number\n", option, text);
	return false;
}

static bool take_timeout(void)
{
	unsigned long seconds;

	if (!parse_number("--timeout", optarg, 86400, &seconds))
		return false;
	if (seconds == 0) {
		fputs("keelctl: --timeout 0: at least one second\n", stderr);
		return false;
	}
	client_patience((unsigned)seconds);
	return true;
}

static bool take_since(struct keelctl *keelctl)
{
	unsigned long number;

	keelctl->since = CONTROL_FROM_NOW;
	if (strcmp(optarg, "now") == 0)
		return true;
	if (!parse_number("--since", optarg, UINT64_MAX - 1, &number))
		return false;
	keelctl->since = number;
	return true;
}

static bool take_signal(struct keelctl *keelctl)
{
	keelctl->signal = signal_parse(optarg);
	if (keelctl->signal != 0)
		return true;
	fprintf(stderr, "keelctl: %s: no such signal\n", optarg);
	return false;
}

static uint32_t option_of(int value)
{
	switch (value) {
	case 'v': return OPTION_VERBOSE;
	case 'f': return OPTION_FOLLOW;
	case 'n': return OPTION_LINES;
	case 's': return OPTION_SIGNAL;
	default: return (uint32_t)value & (LONG_BASE - 1);
	}
}

static bool take_option(struct keelctl *keelctl, uint32_t option)
{
	keelctl->given |= option;
	switch ((enum keelctl_option)option) {
	case OPTION_JSON: keelctl->json = true; return true;
	case OPTION_VERBOSE: keelctl->verbose = true; return true;
	case OPTION_TREE: keelctl->tree = true; return true;
	case OPTION_NO_WAIT: keelctl->no_wait = true; return true;
	case OPTION_DRY_RUN: keelctl->dry_run = true; return true;
	case OPTION_MAIN: keelctl->main_only = true; return true;
	case OPTION_FOLLOW: keelctl->follow = true; return true;
	case OPTION_FORCE: keelctl->force = true; return true;
	case OPTION_STATE: return true;
	case OPTION_YES: keelctl->yes = true; return true;
	case OPTION_PLAN: keelctl->plan = optarg; return true;
	case OPTION_TRACE: keelctl->trace = optarg; return true;
	case OPTION_FROM: keelctl->from = optarg; return true;
	case OPTION_NEXT:
	case OPTION_UNDO: return true;
	case OPTION_LINES: return parse_number("-n", optarg, UINT32_MAX, &keelctl->lines);
	case OPTION_SINCE: return take_since(keelctl);
	case OPTION_SIGNAL: return take_signal(keelctl);
	}
	return false;
}

/* Options may stand before or after the command. -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct keelctl *keelctl)
{
	for (;;) {
		int value = getopt_long(argc, argv, ":vfn:s:h", options, NULL);

		switch (value) {
		case -1: return -1;
		case LONG_SOCKET: keelctl->socket = optarg; break;
		case LONG_TIMEOUT:
			if (!take_timeout())
				return KEELCTL_USAGE;
			break;
		case LONG_VERSION: printf("keelctl %s\n", KEELSON_VERSION); return KEELCTL_OK;
		case 'h': usage(stdout); return KEELCTL_OK;
		case '?': return unknown_option(argv);
		case ':': return option_without_value();
		default:
			if (!take_option(keelctl, option_of(value)))
				return KEELCTL_USAGE;
		}
	}
}

/* Options that the command does not have are not passed over. */
static bool options_belong(const struct command *command, const struct keelctl *keelctl)
{
	uint32_t wrong = keelctl->given & ~command->options;

	if (wrong == 0)
		return true;
	for (const struct option *option = options; option->name; option++) {
		if (option->val < LONG_BASE && !strchr("vfns", option->val))
			continue;
		if (option_of(option->val) & wrong)
			fprintf(stderr, "keelctl: %s has no option --%s\n", command->name,
				option->name);
	}
	return false;
}

static int run(int argc, char **argv)
{
	struct keelctl keelctl = {
		.socket = CLIENT_SOCKET, .lines = LINES_DEFAULT, .signal = SIGTERM};
	int status = parse_options(argc, argv, &keelctl);

	if (status >= 0)
		return status;
	if (optind >= argc) {
		usage(stderr);
		return KEELCTL_USAGE;
	}
	const struct command *command = find_command(argv[optind]);

	if (!command)
		return unknown_command(argv[optind]);
	keelctl.count = argc - optind - 1;
	keelctl.words = argv + optind + 1;
	if (keelctl.count < command->words_min || keelctl.count > command->words_max) {
		fprintf(stderr, "usage: keelctl %s %s\n", command->name, command->usage);
		return KEELCTL_USAGE;
	}
	if (!options_belong(command, &keelctl))
		return KEELCTL_USAGE;
	return command->run(&keelctl);
}

/* Descriptors 0 to 2 that are closed must not become the socket to PID 1: writing fails instead. */
static void hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const char *program = argc > 0 ? argv[0] : "keelctl";

	hold_standard_descriptors();
	show_init(stdout);
	if (power_program(program))
		return flush_output(power_main(argc, argv));
	if (systemctl_program(program))
		return flush_output(systemctl_main(argc, argv));
	return flush_output(run(argc, argv));
}
