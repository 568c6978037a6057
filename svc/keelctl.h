/* SPDX-License-Identifier: Apache-2.0 */
/* What keelctl's commands share. */
#ifndef KEELSON_KEELCTL_H
#define KEELSON_KEELCTL_H

#include <stdbool.h>

#include "svc/control.h"

/* Exit statuses of keelctl(1). As systemctl it has systemctl's own (systemctl.h). */
enum keelctl_exit {
	KEELCTL_OK = 0,
	KEELCTL_FAILED = 1,
	KEELCTL_USAGE = 2,
	KEELCTL_NOT_UP =
		3 /* the service, or some wanted service, is not up; or there is no such one */
};

#define KEELCTL_WORDS 64 /* after the command, at most */

/* Options that only some commands have. */
enum keelctl_option {
	OPTION_JSON = 1 << 0,
	OPTION_VERBOSE = 1 << 1,
	OPTION_TREE = 1 << 2,
	OPTION_NO_WAIT = 1 << 3,
	OPTION_DRY_RUN = 1 << 4,
	OPTION_SIGNAL = 1 << 5,
	OPTION_MAIN = 1 << 6,
	OPTION_FOLLOW = 1 << 7,
	OPTION_LINES = 1 << 8,
	OPTION_SINCE = 1 << 9,
	OPTION_TRACE = 1 << 10,
	OPTION_FORCE = 1 << 11,
	OPTION_NEXT = 1 << 12,
	OPTION_FROM = 1 << 13,
	OPTION_UNDO = 1 << 14,
	OPTION_STATE = 1 << 15,
	OPTION_YES = 1 << 16,
	OPTION_PLAN = 1 << 17
};

struct keelctl {
	const char *socket; /* --socket PATH */
	uint32_t given;     /* enum keelctl_option, or'ed */
	bool json;
	bool verbose;
	bool tree;
	bool no_wait;
	bool dry_run;
	bool main_only;
	bool follow;
	bool force;
	bool yes;
	int signal;          /* kill -s */
	unsigned long lines; /* logs -n */
	uint64_t since;      /* events --since */
	const char *trace;   /* analyze --trace FILE */
	const char *plan;    /* policy show --plan FILE */
	const char *from;    /* slot install --from N */
	int count;           /* words after the command */
	char *const *words;
};

int command_status(const struct keelctl *keelctl);
int command_start(const struct keelctl *keelctl);
int command_stop(const struct keelctl *keelctl);
int command_restart(const struct keelctl *keelctl);
int command_reload(const struct keelctl *keelctl);
int command_kill(const struct keelctl *keelctl);
int command_logs(const struct keelctl *keelctl);
int command_events(const struct keelctl *keelctl);
int command_analyze(const struct keelctl *keelctl);
int command_slot(const struct keelctl *keelctl);
int command_reset(const struct keelctl *keelctl);
int command_etc(const struct keelctl *keelctl);
/* keelctl_policy_show.c; `landlock_abi` as PID 1 found it. */
int policy_show(const struct keelctl *keelctl, int32_t landlock_abi);

int command_policy(const struct keelctl *keelctl);
int command_last(const struct keelctl *keelctl);
int command_reexec(const struct keelctl *keelctl);
int command_poweroff(const struct keelctl *keelctl);
int command_reboot(const struct keelctl *keelctl);
int command_halt(const struct keelctl *keelctl);
int command_kexec(const struct keelctl *keelctl);

/* ---- keelctl_power.c ---- */

/* Called as reboot, poweroff, halt or shutdown: its name; NULL: as something else. */
const char *power_program(const char *program);

/* The whole of that program. Returns its exit status. */
int power_main(int argc, char **argv);

/* ---- keelctl_node.c ---- */

/* All services of the node, as STATUS tells. Freed with node_free(). */
struct node_status {
	struct control_node node;
	struct control_service *services;
	uint32_t count;
};

/* 0 or a negative errno; node_fetch() has told it, node_ask() tells nothing. */
int node_fetch(const struct keelctl *keelctl, struct node_status *status);
int node_ask(const char *socket, struct node_status *status);
void node_free(struct node_status *status);

/* The service of that name; NULL: there is none. */
const struct control_service *node_find(const struct node_status *status, const char *name);

/*
 * Write what is left of standard output. Returns `status`; KEELCTL_FAILED, which is told, when
 * something could not be written. That nobody reads any more is no error of ours.
 */
int flush_output(int status);

/* "requires", ... as the spec names a need of `kind` (enum plan_edge_kind). */
const char *need_name(uint32_t kind);

/* A request for `service`; false: the name is too long to be one. */
bool request_make(struct control_request *request, enum control_verb verb, const char *service);

/* A client_packet that wants no packet. */
int take_nothing(void *context, const struct control_reply *reply, const void *payload);

/* What an error of the protocol means to people (control.h). */
const char *control_meaning(int error);

/*
 * Say on stderr why `verb` failed for `service` ("" for none), with the nearest name when there is no
 * such service, and return the exit status that goes with it.
 */
int complain(const struct keelctl *keelctl, const char *verb, const char *service, int error);

/* What the kernel says of a process; false: there is none. */
struct process_status;
bool process_read(int pid, struct process_status *process);

/* ---- keelctl_status.c, keelctl_detail.c, keelctl_json.c, keelctl_tree.c ---- */

void show_detail(const struct node_status *status, const struct control_service *service);
void show_tree(const struct node_status *status, const struct control_service *only);
/* The state and what is worth saying, in one line. */
void show_state(const struct node_status *status, const struct control_service *service);
/* Of the `count` services in `only`; 0: of all. */
void json_status(const struct node_status *status, const struct control_service *const *only,
		 uint32_t count);

#endif
