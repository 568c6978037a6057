/* SPDX-License-Identifier: Apache-2.0 */
/* systemctl start, stop, ..., enable, disable, mask. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "svc/client.h"
#include "svc/service.h"
#include "svc/systemctl.h"

/* The last line says what systemctl's would; what is known beyond it stands before. */
static int failed(const char *what, const struct unit *unit, int error)
{
	switch (error) {
	case -ENOENT:
		fprintf(stderr, "Failed to %s %s: Unit %s not found.\n", what, unit->name,
			unit->name);
		return SYSTEMCTL_NOT_INSTALLED;
	case -ENOTSUP:
		fprintf(stderr, "Failed to %s %s: Job type %s is not applicable for unit %s.\n",
			what, unit->name, what, unit->name);
		return SYSTEMCTL_NOT_RUNNING;
	case -EHOSTDOWN:
		fprintf(stderr, "%s is not active, cannot reload.\n", unit->name);
		return SYSTEMCTL_FAILED;
	case -EIO:
		fprintf(stderr,
			"Job for %s failed.\nSee \"systemctl status %s\" and \"keelctl logs %s\" "
			"for details.\n",
			unit->name, unit->name, unit->service ? unit->service->name : "");
		return SYSTEMCTL_FAILED;
	case -EHOSTUNREACH:
		fprintf(stderr,
			"A dependency job for %s failed. See \"systemctl status %s\" for "
			"details.\n",
			unit->name, unit->name);
		return SYSTEMCTL_FAILED;
	case -ECANCELED:
		fprintf(stderr, "Job for %s canceled.\n", unit->name);
		return SYSTEMCTL_FAILED;
	default:
		fprintf(stderr, "Failed to %s %s: %s\n", what, unit->name, control_meaning(error));
		return SYSTEMCTL_FAILED;
	}
}

static int take_affected(void *context, const struct control_reply *reply, const void *payload)
{
	(void)context, (void)payload;
	return reply->type == CONTROL_TYPE_AFFECTED ? 0 : -EBADMSG;
}

static int request(const struct systemctl *systemctl, const struct unit *unit,
		   enum control_verb verb)
{
	struct control_request request;

	request_make(&request, verb, unit->service->name);
	request.flags = systemctl->no_block ? CONTROL_NO_WAIT : 0;
	int error = client_ask(systemctl->socket, &request, take_affected, NULL);

	/* PID 1 executed itself anew meanwhile: what was asked for is under way. */
	if (error == -ECONNRESET && !systemctl->no_block && verb != CONTROL_VERB_RELOAD) {
		if (verb == CONTROL_VERB_RESTART)
			request.verb = CONTROL_VERB_START;
		error = client_ask(systemctl->socket, &request, take_affected, NULL);
	}
	return error;
}

static int change(const struct systemctl *systemctl, const struct unit *unit,
		  enum control_verb verb)
{
	int error = unit->service ? request(systemctl, unit, verb) : -ENOENT;

	return error == 0 ? SYSTEMCTL_OK : failed(control_verb_name(verb), unit, error);
}

static int start_one(const struct systemctl *systemctl, const struct unit *unit)
{
	/* A timer that is scheduled runs when it is due, not now. */
	if (unit->type == UNIT_TIMER && unit->service &&
	    unit->service->world.state == SERVICE_SCHEDULED)
		return SYSTEMCTL_OK;
	return change(systemctl, unit, CONTROL_VERB_START);
}

static int stop_one(const struct systemctl *systemctl, const struct unit *unit)
{
	if (!unit->service) {
		fprintf(stderr, "Failed to stop %s: Unit %s not loaded.\n", unit->name, unit->name);
		return SYSTEMCTL_NOT_INSTALLED;
	}
	return change(systemctl, unit, CONTROL_VERB_STOP);
}

static int restart_one(const struct systemctl *systemctl, const struct unit *unit)
{
	return change(systemctl, unit, CONTROL_VERB_RESTART);
}

static bool runs(const struct unit *unit)
{
	return unit->service && (service_is_active(unit->service->world.state) ||
				 unit->service->world.state == SERVICE_BACKOFF);
}

static int try_restart_one(const struct systemctl *systemctl, const struct unit *unit)
{
	if (unit->service && !runs(unit))
		return SYSTEMCTL_OK;
	return restart_one(systemctl, unit);
}

static int reload_one(const struct systemctl *systemctl, const struct unit *unit)
{
	return change(systemctl, unit, CONTROL_VERB_RELOAD);
}

static int reload_or_restart_one(const struct systemctl *systemctl, const struct unit *unit)
{
	if (unit->service && unit->service->reload != CONTROL_RELOAD_NONE &&
	    unit->service->world.state == SERVICE_UP)
		return reload_one(systemctl, unit);
	return restart_one(systemctl, unit);
}

static int try_reload_or_restart_one(const struct systemctl *systemctl, const struct unit *unit)
{
	if (unit->service && !runs(unit))
		return SYSTEMCTL_OK;
	return reload_or_restart_one(systemctl, unit);
}

int systemctl_start(const struct systemctl *systemctl)
{
	return systemctl_each(systemctl, start_one);
}

int systemctl_stop(const struct systemctl *systemctl)
{
	return systemctl_each(systemctl, stop_one);
}

int systemctl_restart(const struct systemctl *systemctl)
{
	return systemctl_each(systemctl, restart_one);
}

int systemctl_try_restart(const struct systemctl *systemctl)
{
	return systemctl_each(systemctl, try_restart_one);
}

int systemctl_reload(const struct systemctl *systemctl)
{
	return systemctl_each(systemctl, reload_one);
}

int systemctl_reload_or_restart(const struct systemctl *systemctl)
{
	return systemctl_each(systemctl, reload_or_restart_one);
}

int systemctl_try_reload_or_restart(const struct systemctl *systemctl)
{
	return systemctl_each(systemctl, try_reload_or_restart_one);
}

/* ---- kill, reset-failed ---- */

static int kill_one(const struct systemctl *systemctl, const struct unit *unit)
{
	struct control_request request;

	if (!unit->service) {
		fprintf(stderr, "Failed to kill unit %s: Unit %s not loaded.\n", unit->name,
			unit->name);
		return SYSTEMCTL_FAILED;
	}
	request_make(&request, CONTROL_VERB_KILL, unit->service->name);
	request.argument = (uint32_t)systemctl->signal;
	request.flags = systemctl->main_only ? CONTROL_MAIN : 0;
	int error = client_ask(systemctl->socket, &request, take_nothing, NULL);

	/* Nothing to kill is an error of systemctl's only when the main process was asked for. */
	if (error == 0 || (error == -ESRCH && !systemctl->main_only))
		return SYSTEMCTL_OK;
	fprintf(stderr, "Failed to kill unit %s: %s\n", unit->name, control_meaning(error));
	return SYSTEMCTL_FAILED;
}

int systemctl_kill(const struct systemctl *systemctl)
{
	return systemctl_each(systemctl, kill_one);
}

/* Stopping what failed changes nothing but that: it is down then, and nobody wants it. */
static int reset_one(const struct systemctl *systemctl, const struct unit *unit)
{
	if (!unit->service) {
		fprintf(stderr, "Failed to reset failed state of unit %s: Unit %s not loaded.\n",
			unit->name, unit->name);
		return SYSTEMCTL_FAILED;
	}
	if (unit->service->world.state != SERVICE_FAILED)
		return SYSTEMCTL_OK;
	return change(systemctl, unit, CONTROL_VERB_STOP);
}

int systemctl_reset_failed(const struct systemctl *systemctl)
{
	static char everything[] = "*";
	static char *const words[] = {everything};
	struct systemctl all = *systemctl;

	if (all.count == 0) {
		all.count = 1;
		all.words = words;
	}
	return systemctl_each(&all, reset_one);
}

/* ---- enable, disable, mask ---- */

static const char *file_state(const struct systemctl *systemctl, const struct unit *unit)
{
	return unit_file_state(unit, systemctl->status.services, systemctl->status.count);
}

static int no_unit_file(const char *what, const struct unit *unit)
{
	fprintf(stderr, "Failed to %s unit: Unit file %s does not exist.\n", what, unit->name);
	return SYSTEMCTL_FAILED;
}

/* What the boot starts is written in the image. */
static int not_from_here(const char *what, const struct unit *unit, const char *why)
{
	fprintf(stderr, "Failed to %s unit: %s: %s; that is decided in the image's spec.\n", what,
		unit->name, why);
	return SYSTEMCTL_FAILED;
}

static int enable_one(const struct systemctl *systemctl, const struct unit *unit)
{
	if (!unit->service)
		return no_unit_file("enable", unit);
	if (strcmp(file_state(systemctl, unit), "disabled") == 0)
		return not_from_here("enable", unit, "the boot does not start it");
	return SYSTEMCTL_OK;
}

static int disable_one(const struct systemctl *systemctl, const struct unit *unit)
{
	if (!unit->service)
		return no_unit_file("disable", unit);
	if (strcmp(file_state(systemctl, unit), "enabled") == 0)
		return not_from_here("disable", unit, "the boot starts it");
	return SYSTEMCTL_OK;
}

static int mask_one(const struct systemctl *systemctl, const struct unit *unit)
{
	(void)systemctl;
	if (unit->service)
		return not_from_here("mask", unit, "it can be started");
	fprintf(stderr, "Unit %s does not exist, proceeding anyway.\n", unit->name);
	return SYSTEMCTL_OK;
}

/* With --now, and only when nothing was refused. */
static int then(const struct systemctl *systemctl, int status, systemctl_visit *visit)
{
	return status == SYSTEMCTL_OK && systemctl->now ? systemctl_each(systemctl, visit) : status;
}

int systemctl_enable(const struct systemctl *systemctl)
{
	return then(systemctl, systemctl_each(systemctl, enable_one), start_one);
}

int systemctl_disable(const struct systemctl *systemctl)
{
	return then(systemctl, systemctl_each(systemctl, disable_one), stop_one);
}

int systemctl_mask(const struct systemctl *systemctl)
{
	return systemctl_each(systemctl, mask_one);
}

int systemctl_unmask(const struct systemctl *systemctl)
{
	/* Nothing ever is. */
	(void)systemctl;
	return SYSTEMCTL_OK;
}
