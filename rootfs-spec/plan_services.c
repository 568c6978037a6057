/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <string.h>

#include "rootfs-spec/plan_check.h"
#include "rootfs-spec/plan_fields.h"

/* linux/ioprio.h, ioprio_set(2): class above bit 13, level below. */
#define IO_CLASS_SHIFT 13
#define IO_CLASS_IDLE 3u
#define IO_LEVELS 8u

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
	if (!field_list(plan, service->cgroup_settings, PLAN_SETTINGS, PLAN_MAX_SETTINGS))
		return "the cgroup's settings lie outside their section";
	for (uint32_t i = 0; i < service->cgroup_settings.count; i++) {
		uint32_t at = service->cgroup_settings.first + i;
		if (strchr(plan_string(plan, plan_setting(plan, at)->path), '/'))
			return "a setting of a cgroup is not a file name";
	}
	return NULL;
}

/* One descriptor that tells of readiness: there is one place for it in the world. */
static const char *check_probes(const struct plan *plan, const struct plan_service *service)
{
	uint32_t descriptors = 0;

	if (!field_list(plan, service->probes, PLAN_PROBES, PLAN_MAX_PROBES))
		return "the probes lie outside their section, or are more than 32";
	for (uint32_t i = 0; i < service->probes.count; i++) {
		const struct plan_probe *probe = plan_probe(plan, service->probes.first + i);
		if (probe->failures)
			return "a probe of readiness counts failures";
		descriptors += probe->kind == PLAN_PROBE_FD;
	}
	if (descriptors > 1)
		return "two descriptors that tell of readiness";
	if (!field_list(plan, service->liveness, PLAN_PROBES, PLAN_MAX_PROBES))
		return "the probes of life lie outside their section, or are more than 32";
	for (uint32_t i = 0; i < service->liveness.count; i++)
		if (!plan_probe(plan, service->liveness.first + i)->failures)
			return "a probe of life without a number of failures";
	return NULL;
}

static const char *check_beside(const struct plan *plan, const struct plan_service *service)
{
	if (!field_list(plan, service->pre, PLAN_COMMANDS, PLAN_MAX_COMMANDS) ||
	    !field_list(plan, service->post, PLAN_COMMANDS, PLAN_MAX_COMMANDS))
		return "the commands lie outside their section, or are more than 16";
	if (!field_list(plan, service->conditions, PLAN_CONDITIONS, PLAN_MAX_CONDITIONS))
		return "the conditions lie outside their section, or are more than 16";
	if (!field_list(plan, service->sandbox, PLAN_SANDBOX, PLAN_MAX_SANDBOX))
		return "the sandbox lies outside its section, or has more than 64 paths";
	if (service->policy != PLAN_NONE &&
	    service->sandbox.count + plan_policy(plan, service->policy)->sandbox.count >
		    PLAN_MAX_SANDBOX)
		return "the sandbox and that of the policy have more than 64 paths";
	if (service->reload_command == PLAN_NONE)
		return service->reload_signal > 64 ? "not a signal" : NULL;
	if (service->reload_signal)
		return "two ways to reload";
	if (service->reload_command >= plan->span[PLAN_COMMANDS].count)
		return "no such command";
	return plan_command(plan, service->reload_command)->flags
		       ? "the command of a reload is optional"
		       : NULL;
}

/* What belongs to one kind of service only. */
static const char *check_kind(const struct plan_service *service)
{
	bool timer = service->kind == PLAN_SERVICE_TIMER;

	if (service->kind == PLAN_SERVICE_DAEMON && service->probes.count == 0)
		return "a daemon without a probe";
	if (service->kind != PLAN_SERVICE_DAEMON &&
	    (service->liveness.count || service->watchdog_ns))
		return "watching over what does not stay up";
	if (service->kind != PLAN_SERVICE_DAEMON &&
	    (service->reload_signal || service->reload_command != PLAN_NONE))
		return "a reload of what does not stay up";
	if (!timer &&
	    (service->timer_first_ns || service->timer_every_ns || service->timer_jitter_ns))
		return "times of a timer on what is none";
	if (timer && !service->timer_first_ns && !service->timer_every_ns)
		return "a timer without a time";
	return NULL;
}

static const char *check_io_priority(uint32_t priority)
{
	uint32_t class = priority >> IO_CLASS_SHIFT,
		 level = priority & ((1u << IO_CLASS_SHIFT) - 1);

	if (class > IO_CLASS_IDLE || level >= IO_LEVELS)
		return "unknown io priority";
	return level && (class == 0 || class == IO_CLASS_IDLE)
		       ? "a level of an io priority that has none"
		       : NULL;
}

/* One form: whole words of 64 CPUs, the last of which has one. */
static const char *check_affinity(const struct plan *plan, struct plan_blob blob)
{
	uint32_t bytes = plan->span[PLAN_BYTES].count;
	uint64_t last;

	if (blob.size_bytes == 0)
		return blob.offset ? "an empty affinity has a place" : NULL;
	if (blob.offset % 8 || blob.size_bytes % 8 || blob.size_bytes > PLAN_MAX_CPUS / 8)
		return "an affinity is not a set of at most 1024 CPUs";
	if (blob.offset >= bytes || blob.size_bytes > bytes - blob.offset)
		return "an affinity lies outside its section";
	memcpy(&last, (const uint8_t *)plan_bytes(plan, blob) + blob.size_bytes - 8, sizeof(last));
	return last ? NULL : "an affinity ends without a CPU";
}

static const char *check_scheduling(const struct plan *plan, const struct plan_service *service)
{
	bool real_time = service->scheduler == SCHED_FIFO || service->scheduler == SCHED_RR;
	const char *reason;

	switch (service->scheduler) {
	case SCHED_OTHER:
	case SCHED_FIFO:
	case SCHED_RR:
	case SCHED_BATCH:
	case SCHED_IDLE: break;
	default: return "unknown scheduler";
	}
	if (real_time ? service->scheduler_priority < 1 || service->scheduler_priority > 99
		      : service->scheduler_priority != 0)
		return "the priority does not go with the scheduler";
	reason = check_io_priority(service->io_priority);
	return reason ? reason : check_affinity(plan, service->affinity);
}

static const char *check_service_output(const struct plan *plan, const struct plan_service *service)
{
	if (service->flags & PLAN_SERVICE_LOG_DROP && service->output != PLAN_OUTPUT_LOG)
		return "an output that is no log has a log's flag";
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
	if (service->kind < PLAN_SERVICE_DAEMON || service->kind > PLAN_SERVICE_TIMER)
		return "unknown kind of service";
	if (service->flags &
	    ~(PLAN_SERVICE_CRITICAL | PLAN_SERVICE_MANUAL | PLAN_SERVICE_LOGGER |
	      PLAN_SERVICE_DELEGATE | PLAN_SERVICE_NOTIFY_ALL | PLAN_SERVICE_LOG_DROP))
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
	if (service->exits_clean[0] & 1)
		return "exit status 0 is told to be good";
	if (service->zero)
		return "a reserved field is not zero";
	reason = check_service_output(plan, service);
	if (!reason)
		reason = check_service_lists(plan, service);
	if (!reason)
		reason = check_probes(plan, service);
	if (!reason)
		reason = check_beside(plan, service);
	if (!reason)
		reason = check_scheduling(plan, service);
	return reason ? reason : check_kind(service);
}

static bool holds_polled(const struct plan *plan, struct plan_list list)
{
	for (uint32_t i = 0; i < list.count; i++)
		if (plan_probe(plan, list.first + i)->interval_ns)
			return true;
	return false;
}

const char *plan_check_sharing(const struct plan *plan, uint32_t *section, uint32_t *index)
{
	uint32_t end = 0;

	*section = PLAN_SERVICES;
	for (*index = 0; *index < plan_count(plan, PLAN_SERVICES); (*index)++) {
		const struct plan_service *service = plan_service(plan, *index);
		const struct plan_list lists[] = {service->probes, service->liveness};
		for (size_t i = 0; i < 2; i++) {
			if (!holds_polled(plan, lists[i]))
				continue;
			if (lists[i].first < end)
				return "a probe that is polled belongs to two services";
			end = lists[i].first + lists[i].count;
		}
	}
	return NULL;
}
