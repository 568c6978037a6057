/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelson-slot: what `keelctl slot` executes for everything that writes a slot. It is not PID 1: it
 * may sleep, allocate, and be killed at any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init/descriptors.h"
#include "init/slot_change.h"
#include "svc/client.h"
#include "svc/log.h"

/* PID 1 started this program: what it says belongs to the node's own log. */
static void log_to_kernel(void)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		log_open(fd, 1);
}

/* Whole decimal bytes; 0 would mean all of it. */
static bool take_offset(const char *text, uint64_t *offset)
{
	char *end;

	errno = 0;
	*offset = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && *end == '\0' && !errno && *offset)
		return true;
	fprintf(stderr, "keelctl: --from %s: no offset in a bundle\n", text);
	return false;
}

enum which { NONE, RUNNING, OTHER, NAMED }; /* the slot, when no word names one */

static const struct command {
	const char *name;
	int (*run)(struct slot_node *node, const struct change_options *options);
	enum which which;
	bool force; /* has that option */
	const char *usage;
} commands[] = {
	{"switch", slot_change_switch, OTHER, false, "switch [a|b]"},
	{"reject", slot_change_reject, NAMED, true, "reject [--force] a|b"},
	{"rollback", slot_change_rollback, NONE, true, "rollback [--force]"},
	{"retry", slot_change_retry, RUNNING, true, "bless --undo [--force] [a|b]"},
	{"verify", slot_change_verify, OTHER, false, "verify [a|b]"},
	{"history", slot_change_history, NONE, false, "history"},
	{"bootstrap", slot_bootstrap, NONE, false, "bootstrap"},
};

static int usage(void)
{
	fputs("usage: keelctl slot install [--force] [--next | --from N] FILE|-\n", stderr);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "       keelctl slot %s\n", commands[i].usage);
	return SLOT_EXIT_USAGE;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static bool is_slot(const char *word)
{
	return strcmp(word, "a") == 0 || strcmp(word, "b") == 0;
}

static int change(struct slot_node *node, const char *socket, const struct install_options *given,
		  int argc, char **argv)
{
	const struct command *command = argc > 0 ? find(argv[0]) : NULL;
	struct change_options options = {.force = given->force, .json = given->json};
	int status;

	if (!command || (given->force && !command->force) || given->next || given->from ||
	    argc > 2 || (argc == 1 && command->which == NAMED) ||
	    (argc == 2 && (command->which == NONE || !is_slot(argv[1]))))
		return usage();
	status = slot_node_open(node, socket);
	if (status)
		return status;
	options.slot = command->which == OTHER ? 1 - node->status.booted : node->status.booted;
	if (argc == 2)
		options.slot = argv[1][0] == 'b';
	return command->run(node, &options);
}

int main(int argc, char **argv)
{
	static const struct option table[] = {
		{"json", no_argument, NULL, 'j'},
		{"force", no_argument, NULL, 'f'},
		{"next", no_argument, NULL, 'n'},
		{"from", required_argument, NULL, 'o'},
		{"kmsg", no_argument, NULL, 'k'},
		{"socket", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	static struct slot_node node;
	struct install_options options = {0};
	const char *socket = CLIENT_SOCKET;
	int code;

	/* What is opened here must not become what progress is told on. */
	descriptors_standard();
	/* Nor does it matter to an installation whether anybody listens. */
	signal(SIGPIPE, SIG_IGN);
	while ((code = getopt_long(argc, argv, "+", table, NULL)) != -1) {
		switch (code) {
		case 'j': options.json = true; break;
		case 'f': options.force = true; break;
		case 'n': options.next = true; break;
		case 'o':
			if (!take_offset(optarg, &options.from))
				return SLOT_EXIT_USAGE;
			break;
		case 'k': log_to_kernel(); break;
		case 's': socket = optarg; break;
		default: return SLOT_EXIT_USAGE;
		}
	}
	slot_tell_json(options.json);
	argc -= optind;
	argv += optind;
	if (argc == 2 && strcmp(argv[0], "install") == 0) {
		int status = slot_node_open(&node, socket);

		options.path = argv[1];
		return status ? status : slot_install(&node, &options);
	}
	return change(&node, socket, &options, argc, argv);
}
