/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelctl called as systemctl: the calls that node scripts make (provisioning of AKS nodes, kubeadm,
 * package hooks), with systemctl's words and exit statuses, answered from what keelson knows. What
 * would have to change the image, and what means nothing on a keelson node, says so and fails.
 * keelctl(1) has the table. Source: systemctl(1) of systemd 252.
 *
 *     systemctl.c         options and verbs
 *     systemctl_change.c  start, stop, ..., enable, disable
 *     systemctl_query.c   is-active, is-enabled, status, cat
 *     systemctl_list.c    list-units, list-unit-files, list-timers
 *     systemctl_show.c    show: properties
 *     unit.c              pure: what systemd would call a service's state
 */
#ifndef KEELSON_SYSTEMCTL_H
#define KEELSON_SYSTEMCTL_H

#include <stdbool.h>

#include "svc/keelctl.h"
#include "svc/unit.h"

/* Exit statuses as systemctl(1) has them: LSB's for status and the queries, else 1. */
enum systemctl_exit {
	SYSTEMCTL_OK = 0,
	SYSTEMCTL_FAILED = 1,
	SYSTEMCTL_NOT_RUNNING = 3,  /* is-active, status; also: the unit has no such job */
	SYSTEMCTL_UNKNOWN = 4,      /* status: no such unit */
	SYSTEMCTL_NOT_INSTALLED = 5 /* start, stop, ...: no such unit */
};

struct systemctl {
	const char *socket;
	bool quiet;
	bool no_block;
	bool now;
	bool all;
	bool value; /* show: without the names */
	bool plain;
	bool no_legend;
	bool failed; /* --failed, --state=failed */
	bool force;
	bool main_only;
	int signal;
	const char *types;      /* --type=, NULL: any */
	const char *states;     /* --state=, NULL: any */
	const char *properties; /* -p, comma-separated; NULL: all */
	const char *verb;
	int count;
	char *const *words;
	struct node_status status; /* as it was when the verb began */
};

/* Called as systemctl? */
bool systemctl_program(const char *program);

/* The whole of that program. Returns its exit status. */
int systemctl_main(int argc, char **argv);

/* ---- systemctl.c ---- */

/* A word of a comma-separated list. */
bool systemctl_in_list(const char *list, const char *word);

/*
 * Call `visit` for every unit that the words name, in their order: a name, or a pattern (fnmatch(3))
 * of those that there are. `unit.service` is NULL for a name that no service has. Returns the first
 * status that is not SYSTEMCTL_OK.
 */
typedef int systemctl_visit(const struct systemctl *systemctl, const struct unit *unit);
int systemctl_each(const struct systemctl *systemctl, systemctl_visit *visit);

/* ---- the verbs ---- */

int systemctl_start(const struct systemctl *systemctl);
int systemctl_stop(const struct systemctl *systemctl);
int systemctl_restart(const struct systemctl *systemctl);
int systemctl_try_restart(const struct systemctl *systemctl);
int systemctl_reload(const struct systemctl *systemctl);
int systemctl_reload_or_restart(const struct systemctl *systemctl);
int systemctl_try_reload_or_restart(const struct systemctl *systemctl);
int systemctl_kill(const struct systemctl *systemctl);
int systemctl_reset_failed(const struct systemctl *systemctl);
int systemctl_enable(const struct systemctl *systemctl);
int systemctl_disable(const struct systemctl *systemctl);
int systemctl_mask(const struct systemctl *systemctl);
int systemctl_unmask(const struct systemctl *systemctl);

int systemctl_is_active(const struct systemctl *systemctl);
int systemctl_is_failed(const struct systemctl *systemctl);
int systemctl_is_enabled(const struct systemctl *systemctl);
int systemctl_is_system_running(const struct systemctl *systemctl);
int systemctl_status(const struct systemctl *systemctl);
int systemctl_cat(const struct systemctl *systemctl);

int systemctl_list_units(const struct systemctl *systemctl);
int systemctl_list_unit_files(const struct systemctl *systemctl);
int systemctl_list_timers(const struct systemctl *systemctl);

int systemctl_show(const struct systemctl *systemctl);

/* "running", "starting", "degraded", "stopping": the node as a whole. */
const char *systemctl_system_state(const struct node_status *status);

#endif
