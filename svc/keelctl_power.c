/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the node, by keelctl or by the names that other inits give it; and PID 1's re-exec. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "svc/client.h"
#include "svc/keelctl.h"

static int power(const struct keelctl *keelctl, enum control_power action, const char *name)
{
	struct control_request request;

	request_make(&request, CONTROL_VERB_POWER, "");
	request.argument = action;
	request.flags = keelctl->force ? CONTROL_FORCE : 0;
	int error = client_ask(keelctl->socket, &request, take_nothing, NULL);

	/* PID 1 may be quicker than its own answer. */
	if (error == 0 || error == -ECONNRESET)
		return KEELCTL_OK;
	if (action == CONTROL_KEXEC && error == -ENODATA) {
		fprintf(stderr, "keelctl: kexec: no kernel is loaded: kexec_load(2)\n");
		return KEELCTL_FAILED;
	}
	return complain(keelctl, name, "", error);
}

int command_poweroff(const struct keelctl *keelctl)
{
	return power(keelctl, CONTROL_POWEROFF, "poweroff");
}

int command_reboot(const struct keelctl *keelctl)
{
	return power(keelctl, CONTROL_REBOOT, "reboot");
}

int command_halt(const struct keelctl *keelctl)
{
	return power(keelctl, CONTROL_HALT, "halt");
}

int command_kexec(const struct keelctl *keelctl)
{
	return power(keelctl, CONTROL_KEXEC, "kexec");
}

int command_reexec(const struct keelctl *keelctl)
{
	struct control_request request;

	request_make(&request, CONTROL_VERB_REEXEC, "");
	int error = client_ask(keelctl->socket, &request, take_nothing, NULL);

	return error == 0 ? KEELCTL_OK : complain(keelctl, "reexec", "", error);
}

/* ---- reboot, poweroff, halt, shutdown ---- */

const char *power_program(const char *program)
{
	static const char *const names[] = {"reboot", "poweroff", "halt", "shutdown"};
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(name, names[i]) == 0)
			return names[i];
	return NULL;
}

static int power_usage(FILE *stream, const char *name, int status)
{
	if (strcmp(name, "shutdown") == 0)
		fputs("usage: shutdown [-h | -P | -r | -H] now\n", stream);
	else
		fprintf(stream, "usage: %s [-f | --force] [-p]\n", name);
	return status;
}

/* One word of halt(8) or shutdown(8): true when it is understood. */
static bool power_word(const char *word, bool shutdown, enum control_power *action, bool *force,
		       bool *now)
{
	static const struct {
		const char *word;
		enum control_power action; /* 0: nothing to do with it here */
		bool shutdown, others;
	} words[] = {
		{"-r", CONTROL_REBOOT, true, false},   {"--reboot", CONTROL_REBOOT, true, true},
		{"-P", CONTROL_POWEROFF, true, false}, {"-h", CONTROL_POWEROFF, true, false},
		{"-p", CONTROL_POWEROFF, false, true}, {"--poweroff", CONTROL_POWEROFF, true, true},
		{"-H", CONTROL_HALT, true, false},     {"--halt", CONTROL_HALT, true, true},
		{"--no-wall", 0, true, true},          {"-d", 0, false, true},
		{"--no-wtmp", 0, false, true},         {"-n", 0, false, true},
		{"--no-sync", 0, false, true},
	};

	if (shutdown && (strcmp(word, "now") == 0 || strcmp(word, "+0") == 0))
		return *now = true;
	if (!shutdown && (strcmp(word, "-f") == 0 || strcmp(word, "--force") == 0))
		return *force = true;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(word, words[i].word) != 0 ||
		    !(shutdown ? words[i].shutdown : words[i].others))
			continue;
		if (words[i].action != 0)
			*action = words[i].action;
		return true;
	}
	return false;
}

int power_main(int argc, char **argv)
{
	const char *name = power_program(argv[0]);
	bool shutdown = strcmp(name, "shutdown") == 0, now = !shutdown, force = false;
	struct keelctl keelctl = {.socket = CLIENT_SOCKET};
	enum control_power action = strcmp(name, "reboot") == 0 ? CONTROL_REBOOT
				    : strcmp(name, "halt") == 0 ? CONTROL_HALT
								: CONTROL_POWEROFF;

	/* Who asks what `reboot` does, or mistypes, must not find out. */
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || (!shutdown && strcmp(argv[i], "-h") == 0))
			return power_usage(stdout, name, KEELCTL_OK);
		if (!power_word(argv[i], shutdown, &action, &force, &now)) {
			fprintf(stderr, "%s: %s is not known here\n", name, argv[i]);
			return power_usage(stderr, name, KEELCTL_USAGE);
		}
	}
	if (!now) {
		fprintf(stderr, "shutdown: a time has to be given, and only `now` is known here\n");
		return KEELCTL_USAGE;
	}
	keelctl.force = force;
	return power(&keelctl, action, name);
}
