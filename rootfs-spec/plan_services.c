/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rootfs-spec/plan_check.h"
#include "rootfs-spec/plan_fields.h"

static bool service_name_ok(const struct plan *plan, plan_str string)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	if (!field_filled(plan, string) || !field_shorter(plan, string, 63))
		return false;
	const char *name = plan_string(plan, string);
	return strchr(letters, name[0]) &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static const char *check_service_lists(const struct plan *plan, const struct plan_service *service)
{
	if (service->argv.count == 0 || !field_strings(plan, service->argv, PLAN_MAX_ARGUMENTS))
		return "argv is not a list of strings";
	if (!field_absolute(plan, *plan_ref(plan, service->argv.first)))
		return "argv[0] is not an absolute path";
	if (!field_strings(plan, service->environment, PLAN_MAX_ENVIRONMENT))
		return "the environment is not a list of strings";
	for (uint32_t i = 0; i < service->environment.count; i++) {
		const char *variable = plan_list_string(plan, service->environment, i);
		size_t name = strcspn(variable, "=");
		if (name == 0 || variable[name] != '=')
			return "a variable of the environment is not NAME=value";
		if (name > 255)
			return "the name of a variable is too long";
	}
	if (!field_list(plan, service->groups, PLAN_REFS, PLAN_MAX_GROUPS))
		return "the groups lie outside their section";
	if (!field_list(plan, service->limits, PLAN_LIMITS, PLAN_MAX_LIMITS))
		return "the limits lie outside their section";
	if (!field_list(plan, service->probes, PLAN_PROBES, PLAN_MAX_PROBES))
		return "the probes lie outside their section, or are more than 32";
	if (!field_list(plan, service->cgroup_settings, PLAN_SETTINGS, PLAN_MAX_SETTINGS))
		return "the cgroup's settings lie outside their section";
	for (uint32_t i = 0; i < service->cgroup_settings.count; i++) {
		uint32_t at = service->cgroup_settings.first + i;
		if (strchr(plan_string(plan, plan_setting(plan, at)->path), '/'))
			return "a setting of a cgroup is not a file name";
	}
	return NULL;
}

static const char *check_service_output(const struct plan *plan, const struct plan_service *service)
{
	switch (service->output) {
	case PLAN_OUTPUT_NULL:
	case PLAN_OUTPUT_KMSG:
		return service->output_path ? "an output that has no path has one" : NULL;
	case PLAN_OUTPUT_LOG:
		if (plan->system->logger == PLAN_NONE)
			return "output to the log without a logger";
		if (service->flags & PLAN_SERVICE_LOGGER)
			return "the logger logs to itself";
		if (service->log_max_bytes == 0)
			return "a log without a size";
		__attribute__((fallthrough));
	case PLAN_OUTPUT_TTY:
		return field_absolute(plan, service->output_path)
			       ? NULL
			       : "the path of an output is not absolute";
	default: return "unknown kind of output";
	}
}

const char *plan_check_service(const struct plan *plan, uint32_t i)
{
	const struct plan_service *service = plan_service(plan, i);
	const char *reason;

	if (!service_name_ok(plan, service->name))
		return "not a name of a service";
	if (service->kind != PLAN_SERVICE_DAEMON && service->kind != PLAN_SERVICE_ONESHOT)
		return "unknown kind of service";
	if (service->flags & ~(PLAN_SERVICE_CRITICAL | PLAN_SERVICE_MANUAL | PLAN_SERVICE_LOGGER |
			       PLAN_SERVICE_DELEGATE))
		return "unknown flag of a service";
	if (!!(service->flags & PLAN_SERVICE_LOGGER) != (plan->system->logger == i))
		return "the logger is not the system's logger";
	if (service->restart < PLAN_RESTART_NEVER || service->restart > PLAN_RESTART_ALWAYS)
		return "unknown kind of restart";
	if (service->kill != PLAN_KILL_CGROUP && service->kill != PLAN_KILL_MAIN)
		return "unknown kind of kill";
	if (service->stop_signal < 1 || service->stop_signal > 64)
		return "not a signal";
	if (service->policy != PLAN_NONE && service->policy >= plan->span[PLAN_POLICIES].count)
		return "no such policy";
	if (!field_absolute(plan, service->directory))
		return "the working directory is not absolute";
	if (!field_cgroup(plan, service->cgroup))
		return "not a name of a cgroup";
	if (service->uid == UINT32_MAX || service->gid == UINT32_MAX)
		return "not a user or group";
	if (service->oom_score_adj < -1000 || service->oom_score_adj > 1000)
		return "oom_score_adj out of range";
	if (service->nice < -20 || service->nice > 19)
		return "nice out of range";
	if (service->umask > 0777)
		return "umask out of range";
	if (service->start_timeout_ns == 0 || service->stop_timeout_ns == 0)
		return "a wait without an end";
	if (service->backoff_min_ns == 0 || service->backoff_min_ns > service->backoff_max_ns)
		return "backoff out of order";
	reason = check_service_output(plan, service);
	if (!reason)
		reason = check_service_lists(plan, service);
	if (!reason && service->kind == PLAN_SERVICE_DAEMON && service->probes.count == 0)
		reason = "a daemon without a probe";
	return reason;
}
