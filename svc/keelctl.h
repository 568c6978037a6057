/* SPDX-License-Identifier: Apache-2.0 */
/* What keelctl's commands share. */
#ifndef KEELSON_KEELCTL_H
#define KEELSON_KEELCTL_H

#include <stdbool.h>

#include "svc/control.h"

/* Exit statuses of keelctl(1). */
enum keelctl_exit {
	KEELCTL_OK = 0,
	KEELCTL_FAILED = 1,
	KEELCTL_USAGE = 2,
	KEELCTL_NOT_UP =
		3 /* the service, or some wanted service, is not up; or there is no such one */
};

struct keelctl {
	const char *socket; /* --socket PATH */
	bool json;
	bool verbose;
	bool no_wait;
	bool follow;
	unsigned long lines; /* logs -n */
	const char *trace;   /* analyze --trace FILE */
	int count;           /* words after the command */
	char *const *words;
};

int command_status(const struct keelctl *keelctl);
int command_start(const struct keelctl *keelctl);
int command_stop(const struct keelctl *keelctl);
int command_restart(const struct keelctl *keelctl);
int command_logs(const struct keelctl *keelctl);
int command_analyze(const struct keelctl *keelctl);
int command_slot(const struct keelctl *keelctl);
int command_poweroff(const struct keelctl *keelctl);
int command_reboot(const struct keelctl *keelctl);
int command_halt(const struct keelctl *keelctl);

/* ---- keelctl_node.c ---- */

/* All services of the node, as STATUS tells. Freed with node_free(). */
struct node_status {
	struct control_node node;
	struct control_service *services;
	uint32_t count;
};

/* 0 or a negative errno, which has been told. */
int node_fetch(const struct keelctl *keelctl, struct node_status *status);
void node_free(struct node_status *status);

/* A request for `service`; false: the name is too long to be one. */
bool request_make(struct control_request *request, enum control_verb verb, const char *service);

/*
 * Say on stderr why `verb` failed for `service` ("" for none), with the nearest name when there is no
 * such service, and return the exit status that goes with it.
 */
int complain(const struct keelctl *keelctl, const char *verb, const char *service, int error);

#endif
