/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/systemctl.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rootfs-spec/nearest.h"
#include "svc/client.h"
#include "svc/signal_name.h"

bool systemctl_program(const char *program)
{
	const char *slash = strrchr(program, '/');

	return strcmp(slash ? slash + 1 : program, "systemctl") == 0;
}

bool systemctl_in_list(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (list) {
		if (strncmp(list, word, length) == 0 &&
		    (list[length] == ',' || list[length] == '\0'))
			return true;
		list = strchr(list, ',');
		if (list)
			list++;
	}
	return false;
}

/* ---- units ---- */

static int visit_matching(const struct systemctl *systemctl, const char *pattern,
			  systemctl_visit *visit)
{
	int result = SYSTEMCTL_OK;

	for (uint32_t i = 0; i < systemctl->status.count; i++) {
		struct unit unit;

		unit_of_service(&systemctl->status.services[i], &unit);
		if (fnmatch(pattern, unit.name, FNM_NOESCAPE) != 0 &&
		    fnmatch(pattern, unit.service->name, FNM_NOESCAPE) != 0)
			continue;
		int one = visit(systemctl, &unit);

		if (result == SYSTEMCTL_OK)
			result = one;
	}
	return result;
}

static int visit_named(const struct systemctl *systemctl, const char *name, systemctl_visit *visit)
{
	struct unit unit;

	if (!unit_parse(name, systemctl->status.services, systemctl->status.count, &unit)) {
		fprintf(stderr, "Invalid unit name \"%s\".\n", name);
		return SYSTEMCTL_FAILED;
	}
	return visit(systemctl, &unit);
}

int systemctl_each(const struct systemctl *systemctl, systemctl_visit *visit)
{
	int result = SYSTEMCTL_OK;

	for (int i = 0; i < systemctl->count; i++) {
		const char *word = systemctl->words[i];
		int one = strpbrk(word, "*?[") ? visit_matching(systemctl, word, visit)
					       : visit_named(systemctl, word, visit);

		if (result == SYSTEMCTL_OK)
			result = one;
	}
	return result;
}

const char *systemctl_system_state(const struct node_status *status)
{
	bool failed = false, moving = false;

	for (uint32_t i = 0; i < status->count; i++) {
		struct unit unit;

		unit_of_service(&status->services[i], &unit);
		failed |= strcmp(unit_active_state(&unit), "failed") == 0;
		moving |= strcmp(unit_sub_state(&unit), "start") == 0;
	}
	if (status->node.ending)
		return "stopping";
	if (status->node.up_ns == 0 && moving)
		return "starting";
	return failed ? "degraded" : "running";
}

/* ---- verbs ---- */

static int daemon_reload(const struct systemctl *systemctl)
{
	/* The plan lies in the image and is what it is: there is nothing to read again. */
	(void)systemctl;
	return SYSTEMCTL_OK;
}

static int meaningless(const struct systemctl *systemctl)
{
	fprintf(stderr, "systemctl %s means nothing on a keelson node.\n", systemctl->verb);
	return SYSTEMCTL_FAILED;
}

static struct keelctl as_keelctl(const struct systemctl *systemctl)
{
	return (struct keelctl){.socket = systemctl->socket, .force = systemctl->force};
}

static int end_node(const struct systemctl *systemctl)
{
	struct keelctl keelctl = as_keelctl(systemctl);

	switch (systemctl->verb[0]) {
	case 'r': return command_reboot(&keelctl);
	case 'h': return command_halt(&keelctl);
	case 'k': return command_kexec(&keelctl);
	default: return command_poweroff(&keelctl);
	}
}

static int daemon_reexec(const struct systemctl *systemctl)
{
	struct keelctl keelctl = as_keelctl(systemctl);

	return command_reexec(&keelctl);
}

#define ANY 1024

static const struct verb {
	const char *name;
	int (*run)(const struct systemctl *systemctl);
	int min, max;
	bool asks; /* it needs to know the services */
} verbs[] = {
	{"start", systemctl_start, 1, ANY, true},
	{"stop", systemctl_stop, 1, ANY, true},
	{"restart", systemctl_restart, 1, ANY, true},
	{"condrestart", systemctl_try_restart, 1, ANY, true},
	{"try-restart", systemctl_try_restart, 1, ANY, true},
	{"reload", systemctl_reload, 1, ANY, true},
	{"reload-or-restart", systemctl_reload_or_restart, 1, ANY, true},
	{"force-reload", systemctl_reload_or_restart, 1, ANY, true},
	{"try-reload-or-restart", systemctl_try_reload_or_restart, 1, ANY, true},
	{"reload-or-try-restart", systemctl_try_reload_or_restart, 1, ANY, true},
	{"kill", systemctl_kill, 1, ANY, true},
	{"reset-failed", systemctl_reset_failed, 0, ANY, true},
	{"enable", systemctl_enable, 1, ANY, true},
	{"reenable", systemctl_enable, 1, ANY, true},
	{"disable", systemctl_disable, 1, ANY, true},
	{"mask", systemctl_mask, 1, ANY, true},
	{"unmask", systemctl_unmask, 1, ANY, true},
	{"is-active", systemctl_is_active, 1, ANY, true},
	{"is-failed", systemctl_is_failed, 1, ANY, true},
	{"is-enabled", systemctl_is_enabled, 1, ANY, true},
	{"is-system-running", systemctl_is_system_running, 0, 0, true},
	{"status", systemctl_status, 0, ANY, true},
	{"show", systemctl_show, 0, ANY, true},
	{"cat", systemctl_cat, 1, ANY, true},
	{"list-units", systemctl_list_units, 0, ANY, true},
	{"list-unit-files", systemctl_list_unit_files, 0, ANY, true},
	{"list-timers", systemctl_list_timers, 0, ANY, true},
	{"daemon-reload", daemon_reload, 0, 0, false},
	{"daemon-reexec", daemon_reexec, 0, 0, false},
	{"poweroff", end_node, 0, 0, false},
	{"reboot", end_node, 0, 1, false},
	{"halt", end_node, 0, 0, false},
	{"kexec", end_node, 0, 0, false},
	/* What there is no counterpart of: a script that relies on one has to know. */
	{"add-requires", meaningless, 0, ANY, false},
	{"add-wants", meaningless, 0, ANY, false},
	{"bind", meaningless, 0, ANY, false},
	{"cancel", meaningless, 0, ANY, false},
	{"clean", meaningless, 0, ANY, false},
	{"default", meaningless, 0, ANY, false},
	{"edit", meaningless, 0, ANY, false},
	{"emergency", meaningless, 0, ANY, false},
	{"exit", meaningless, 0, ANY, false},
	{"freeze", meaningless, 0, ANY, false},
	{"get-default", meaningless, 0, ANY, false},
	{"help", meaningless, 0, ANY, false},
	{"hibernate", meaningless, 0, ANY, false},
	{"hybrid-sleep", meaningless, 0, ANY, false},
	{"import-environment", meaningless, 0, ANY, false},
	{"isolate", meaningless, 0, ANY, false},
	{"link", meaningless, 0, ANY, false},
	{"list-automounts", meaningless, 0, ANY, false},
	{"list-dependencies", meaningless, 0, ANY, false},
	{"list-jobs", meaningless, 0, ANY, false},
	{"list-machines", meaningless, 0, ANY, false},
	{"list-sockets", meaningless, 0, ANY, false},
	{"log-level", meaningless, 0, ANY, false},
	{"log-target", meaningless, 0, ANY, false},
	{"mount-image", meaningless, 0, ANY, false},
	{"preset", meaningless, 0, ANY, false},
	{"preset-all", meaningless, 0, ANY, false},
	{"rescue", meaningless, 0, ANY, false},
	{"revert", meaningless, 0, ANY, false},
	{"service-log-level", meaningless, 0, ANY, false},
	{"service-log-target", meaningless, 0, ANY, false},
	{"service-watchdogs", meaningless, 0, ANY, false},
	{"set-default", meaningless, 0, ANY, false},
	{"set-environment", meaningless, 0, ANY, false},
	{"set-property", meaningless, 0, ANY, false},
	{"show-environment", meaningless, 0, ANY, false},
	{"suspend", meaningless, 0, ANY, false},
	{"suspend-then-hibernate", meaningless, 0, ANY, false},
	{"switch-root", meaningless, 0, ANY, false},
	{"thaw", meaningless, 0, ANY, false},
	{"unset-environment", meaningless, 0, ANY, false},
};
#define VERBS (sizeof verbs / sizeof verbs[0])

static const struct verb *find_verb(const char *name)
{
	struct nearest nearest = {.name = name};

	for (size_t i = 0; i < VERBS; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
		if (verbs[i].run != meaningless)
			nearest_offer(&nearest, verbs[i].name);
	}
	fprintf(stderr, "Unknown command verb %s.\n", name);
	if (nearest.best)
		fprintf(stderr, "Did you mean %s?\n", nearest.best);
	return NULL;
}

/* ---- options ---- */

enum {
	LONG_FAILED = 256,
	LONG_FORCE,
	LONG_IGNORED,
	LONG_KILL_WHOM,
	LONG_LEGEND,
	LONG_NO_BLOCK,
	LONG_NO_LEGEND,
	LONG_NOW,
	LONG_PLAIN,
	LONG_REFUSED,
	LONG_SOCKET,
	LONG_STATE,
	LONG_VALUE,
	LONG_VERSION
};

static const struct option options[] = {
	{"all", no_argument, NULL, 'a'},
	{"failed", no_argument, NULL, LONG_FAILED},
	{"force", no_argument, NULL, 'f'},
	{"full", no_argument, NULL, 'l'},
	{"help", no_argument, NULL, 'h'},
	{"job-mode", required_argument, NULL, LONG_IGNORED},
	{"kill-who", required_argument, NULL, LONG_KILL_WHOM},
	{"kill-whom", required_argument, NULL, LONG_KILL_WHOM},
	{"legend", required_argument, NULL, LONG_LEGEND},
	{"lines", required_argument, NULL, 'n'},
	{"message", required_argument, NULL, LONG_IGNORED},
	{"no-ask-password", no_argument, NULL, LONG_IGNORED},
	{"no-block", no_argument, NULL, LONG_NO_BLOCK},
	{"no-legend", no_argument, NULL, LONG_NO_LEGEND},
	{"no-pager", no_argument, NULL, LONG_IGNORED},
	{"no-reload", no_argument, NULL, LONG_IGNORED},
	{"no-wall", no_argument, NULL, LONG_IGNORED},
	{"no-warn", no_argument, NULL, LONG_IGNORED},
	{"now", no_argument, NULL, LONG_NOW},
	{"output", required_argument, NULL, 'o'},
	{"plain", no_argument, NULL, LONG_PLAIN},
	{"property", required_argument, NULL, 'p'},
	{"quiet", no_argument, NULL, 'q'},
	{"recursive", no_argument, NULL, 'r'},
	{"show-types", no_argument, NULL, LONG_IGNORED},
	{"signal", required_argument, NULL, 's'},
	{"state", required_argument, NULL, LONG_STATE},
	{"system", no_argument, NULL, LONG_IGNORED},
	{"type", required_argument, NULL, 't'},
	{"value", no_argument, NULL, LONG_VALUE},
	{"version", no_argument, NULL, LONG_VERSION},
	{"wait", no_argument, NULL, LONG_IGNORED},
	/* Another manager, another machine, another root, another boot: not from here. */
	{"dry-run", no_argument, NULL, LONG_REFUSED},
	{"global", no_argument, NULL, LONG_REFUSED},
	{"host", required_argument, NULL, LONG_REFUSED},
	{"image", required_argument, NULL, LONG_REFUSED},
	{"machine", required_argument, NULL, LONG_REFUSED},
	{"root", required_argument, NULL, LONG_REFUSED},
	{"runtime", no_argument, NULL, LONG_REFUSED},
	{"user", no_argument, NULL, LONG_REFUSED},
	{"when", required_argument, NULL, LONG_REFUSED},
	{"keelson-socket", required_argument, NULL, LONG_SOCKET},
	{NULL, 0, NULL, 0},
};

/* `-p A -p B` is `-p A,B`. */
static bool add_properties(struct systemctl *systemctl, const char *more)
{
	static char joined[4096];
	size_t length = strlen(joined);

	if (length + strlen(more) + 2 > sizeof joined)
		return false;
	snprintf(joined + length, sizeof joined - length, "%s%s", length ? "," : "", more);
	systemctl->properties = joined;
	return true;
}

static bool take_signal(struct systemctl *systemctl)
{
	systemctl->signal = signal_parse(optarg);
	if (systemctl->signal == 0)
		fprintf(stderr, "Failed to parse signal string %s.\n", optarg);
	return systemctl->signal != 0;
}

static bool take_kill_whom(struct systemctl *systemctl)
{
	systemctl->main_only = strcmp(optarg, "main") == 0;
	if (systemctl->main_only || strcmp(optarg, "all") == 0)
		return true;
	fprintf(stderr, "--kill-whom=%s: only `all` and `main` are known here.\n", optarg);
	return false;
}

static bool is_yes(const char *text)
{
	return strcasecmp(text, "yes") == 0 || strcasecmp(text, "true") == 0 ||
	       strcasecmp(text, "on") == 0 || strcmp(text, "1") == 0;
}

static const char *long_name(int index)
{
	return index >= 0 ? options[index].name : "that";
}

static bool take_option(struct systemctl *systemctl, int value, int index)
{
	switch (value) {
	case 'a': systemctl->all = true; return true;
	case 'f': systemctl->force = true; return true;
	case 'q': systemctl->quiet = true; return true;
	case 't': systemctl->types = optarg; return true;
	case 'P': systemctl->value = true; return add_properties(systemctl, optarg);
	case 'p': return add_properties(systemctl, optarg);
	case 's': return take_signal(systemctl);
	case LONG_FAILED: systemctl->states = "failed"; return true;
	case LONG_STATE: systemctl->states = optarg; return true;
	case LONG_KILL_WHOM: return take_kill_whom(systemctl);
	case LONG_LEGEND: systemctl->no_legend = !is_yes(optarg); return true;
	case LONG_NO_LEGEND: systemctl->no_legend = true; return true;
	case LONG_NO_BLOCK: systemctl->no_block = true; return true;
	case LONG_NOW: systemctl->now = true; return true;
	case LONG_PLAIN: systemctl->plain = true; return true;
	case LONG_VALUE: systemctl->value = true; return true;
	case LONG_SOCKET: systemctl->socket = optarg; return true;
	case 'H':
	case 'M':
		fprintf(stderr, "systemctl -%c means nothing on a keelson node.\n", value);
		return false;
	case LONG_REFUSED:
		fprintf(stderr, "systemctl --%s means nothing on a keelson node.\n",
			long_name(index));
		return false;
	default: return true; /* -i -l -n -o -r and what changes nothing here */
	}
}

static void usage(void)
{
	fputs("usage: systemctl [OPTION...] COMMAND [UNIT...]\n\n"
	      "This is keelctl of keelson, which answers these calls:\n",
	      stdout);
	for (size_t i = 0; i < VERBS; i++)
		if (verbs[i].run != meaningless)
			printf("  %s\n", verbs[i].name);
	fputs("\nOptions: --all --failed --force --full --kill-whom= --lines= --no-block "
	      "--no-legend --no-pager\n--now --plain --property= --quiet --signal= --state= "
	      "--type= --value; others change nothing or are refused.\nSee keelctl(1).\n",
	      stdout);
}

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct systemctl *systemctl)
{
	for (;;) {
		int index = -1;
		int value = getopt_long(argc, argv, "at:p:P:ls:qn:o:rfihH:M:", options, &index);

		if (value == -1)
			return -1;
		if (value == '?')
			return SYSTEMCTL_FAILED;
		if (value == 'h') {
			usage();
			return SYSTEMCTL_OK;
		}
		if (value == LONG_VERSION) {
			printf("keelson %s\n", KEELSON_VERSION);
			return SYSTEMCTL_OK;
		}
		if (!take_option(systemctl, value, index))
			return SYSTEMCTL_FAILED;
	}
}

int systemctl_main(int argc, char **argv)
{
	struct systemctl systemctl = {.socket = CLIENT_SOCKET, .signal = SIGTERM};
	int status = parse_options(argc, argv, &systemctl);

	if (status >= 0)
		return status;
	systemctl.verb = optind < argc ? argv[optind++] : "list-units";
	systemctl.count = argc - optind;
	systemctl.words = argv + optind;
	const struct verb *verb = find_verb(systemctl.verb);

	if (!verb)
		return SYSTEMCTL_FAILED;
	if (systemctl.count < verb->min || systemctl.count > verb->max) {
		fprintf(stderr, "Too %s arguments.\n",
			systemctl.count < verb->min ? "few" : "many");
		return SYSTEMCTL_FAILED;
	}
	int error = verb->asks ? node_ask(systemctl.socket, &systemctl.status) : 0;

	if (error != 0) {
		fprintf(stderr, "Failed to ask keelson: %s\n", control_meaning(error));
		node_free(&systemctl.status);
		return SYSTEMCTL_FAILED;
	}
	status = verb->run(&systemctl);
	node_free(&systemctl.status);
	return status;
}
