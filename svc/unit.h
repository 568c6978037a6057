/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd would call a service of ours: unit names, and the words of its state machine
 * (systemctl(1), org.freedesktop.systemd1(5)). Pure; for programs.
 *
 * A service `kubelet` is kubelet.service. A timer `trim` is trim.timer, which is active while it is
 * scheduled, and trim.service, which is active while it runs.
 */
#ifndef KEELSON_UNIT_H
#define KEELSON_UNIT_H

#include <stdbool.h>

#include "svc/control.h"

#define UNIT_NAME_BYTES 256

enum unit_type { UNIT_SERVICE = 1, UNIT_TIMER, UNIT_OTHER };

struct unit {
	char name[UNIT_NAME_BYTES]; /* with its suffix */
	enum unit_type type;
	const struct control_service *service; /* NULL: there is none */
};

/*
 * Take `text` as the name of a unit, as systemctl does: without a suffix that it knows it is a
 * service. False: it cannot be one (empty, too long, a slash).
 */
bool unit_parse(const char *text, const struct control_service *services, uint32_t count,
		struct unit *unit);

/* The unit that `service` is listed as. */
void unit_of_service(const struct control_service *service, struct unit *unit);

/* "active", "inactive", "activating", "deactivating", "reloading", "failed". */
const char *unit_active_state(const struct unit *unit);
/* "running", "exited", "dead", "start", "start-pre", "auto-restart", "stop-sigterm", ... */
const char *unit_sub_state(const struct unit *unit);
/* "loaded" or "not-found". */
const char *unit_load_state(const struct unit *unit);

bool unit_is_active(const struct unit *unit); /* or reloads */

/* "success", "exit-code", "signal", "core-dump", "timeout", "watchdog", "oom-kill", "resources". */
const char *unit_result(const struct unit *unit);

/*
 * "enabled": the boot starts it; "static": the boot starts it because something else needs it;
 * "disabled": only who asks for it starts it.
 */
const char *unit_file_state(const struct unit *unit, const struct control_service *services,
			    uint32_t count);

#endif
