/* SPDX-License-Identifier: Apache-2.0 */
/* The records that go with a service: commands, probes, conditions, what it sees differently. */
#include <string.h>

#include "rootfs-spec/plan_check.h"
#include "rootfs-spec/plan_fields.h"

#define MAX_SOCKET_PATH 107u /* unix(7): sun_path */
#define MAX_WORD 255u        /* of a condition */
#define FIRST_FD 3u          /* below lie input, output and errors */

const char *plan_check_command(const struct plan *plan, uint32_t i)
{
	const struct plan_command *command = plan_command(plan, i);

	if (command->argv.count == 0 || !field_strings(plan, command->argv, PLAN_MAX_ARGUMENTS))
		return "the command is not a list of strings";
	if (!field_absolute(plan, *plan_ref(plan, command->argv.first)))
		return "the program of a command is not an absolute path";
	if (command->timeout_ns == 0)
		return "a command without an end";
	if (command->flags & ~PLAN_COMMAND_OPTIONAL)
		return "unknown flag of a command";
	return command->zero ? "a reserved field is not zero" : NULL;
}

static const char *check_target(const struct plan *plan, const struct plan_probe *probe)
{
	switch (probe->kind) {
	case PLAN_PROBE_SOCKET:
		return field_absolute(plan, probe->target) &&
				       field_shorter(plan, probe->target, MAX_SOCKET_PATH)
			       ? NULL
			       : "not a path of a socket";
	case PLAN_PROBE_HTTP:
		return plan_string(plan, probe->target)[0] == '/' &&
				       field_shorter(plan, probe->target, PLAN_MAX_PATH)
			       ? NULL
			       : "not a request path";
	default: return probe->target ? "a probe that has no target has one" : NULL;
	}
}

static const char *check_number(const struct plan_probe *probe)
{
	switch (probe->kind) {
	case PLAN_PROBE_HTTP:
		return probe->number == 0 || probe->number > 65535 ? "not a port" : NULL;
	case PLAN_PROBE_FD:
		return probe->number < FIRST_FD || probe->number > PLAN_MAX_FD
			       ? "not a descriptor of a service"
			       : NULL;
	default: return probe->number ? "a number for a probe that has none" : NULL;
	}
}

/* The time that an attempt may take is written twice for a command; it is one time. */
static const char *check_probe_command(const struct plan *plan, const struct plan_probe *probe)
{
	if (probe->kind != PLAN_PROBE_COMMAND)
		return probe->command == PLAN_NONE ? NULL : "a command for a probe that has none";
	if (probe->command >= plan->span[PLAN_COMMANDS].count)
		return "no such command";
	const struct plan_command *command = plan_command(plan, probe->command);
	if (command->flags)
		return "the command of a probe is optional";
	return command->timeout_ns == probe->timeout_ns
		       ? NULL
		       : "the command of a probe has another timeout";
}

const char *plan_check_probe(const struct plan *plan, uint32_t i)
{
	const struct plan_probe *probe = plan_probe(plan, i);
	bool polled = probe->kind == PLAN_PROBE_SOCKET || probe->kind == PLAN_PROBE_HTTP ||
		      probe->kind == PLAN_PROBE_COMMAND;
	const char *reason;

	if (probe->kind < PLAN_PROBE_EXEC || probe->kind > PLAN_PROBE_COMMAND)
		return "unknown kind of probe";
	if (!field_string(plan, probe->target))
		return "a string lies outside its section";
	if (probe->zero)
		return "a reserved field is not zero";
	reason = check_target(plan, probe);
	if (!reason)
		reason = check_number(probe);
	if (reason)
		return reason;
	if (polled != (probe->interval_ns != 0))
		return polled ? "a probe that is polled without an interval"
			      : "a probe that is not polled has an interval";
	if ((polled && probe->kind != PLAN_PROBE_SOCKET) != (probe->timeout_ns != 0))
		return probe->timeout_ns ? "a timeout for a probe that does not wait"
					 : "an attempt without an end";
	if (probe->failures && !polled)
		return "a probe that is not polled tells of life";
	return check_probe_command(plan, probe);
}

const char *plan_check_condition(const struct plan *plan, uint32_t i)
{
	const struct plan_condition *condition = plan_condition(plan, i);

	if (!field_string(plan, condition->value))
		return "a string lies outside its section";
	if (condition->flags & ~PLAN_CONDITION_NOT)
		return "unknown flag of a condition";
	if (condition->zero)
		return "a reserved field is not zero";
	switch (condition->kind) {
	case PLAN_CONDITION_PATH:
		return field_absolute(plan, condition->value) ? NULL
							      : "the path of a condition is not "
								"absolute";
	case PLAN_CONDITION_FIRST_BOOT:
		return condition->value ? "a condition that has no value has one" : NULL;
	case PLAN_CONDITION_KERNEL_WORD:
	case PLAN_CONDITION_ARCHITECTURE:
	case PLAN_CONDITION_VIRTUALIZATION: break;
	default: return "unknown kind of condition";
	}
	if (!field_filled(plan, condition->value) ||
	    !field_shorter(plan, condition->value, MAX_WORD) ||
	    strpbrk(plan_string(plan, condition->value), " \t\n"))
		return "the value of a condition is not a word";
	return NULL;
}

const char *plan_check_sandbox(const struct plan *plan, uint32_t i)
{
	const struct plan_sandbox *sandbox = plan_sandbox(plan, i);
	bool bind = sandbox->kind == PLAN_SANDBOX_BIND ||
		    sandbox->kind == PLAN_SANDBOX_BIND_READ_ONLY;

	if (sandbox->kind < PLAN_SANDBOX_TMP || sandbox->kind > PLAN_SANDBOX_BIND_READ_ONLY)
		return "unknown kind of sandbox";
	if (sandbox->flags & ~PLAN_SANDBOX_OPTIONAL)
		return "unknown flag of a sandbox";
	if (!field_absolute(plan, sandbox->path))
		return "the path of a sandbox is not absolute";
	if (bind ? !field_absolute(plan, sandbox->source) : sandbox->source != 0)
		return bind ? "the source of a bind is not absolute"
			    : "a sandbox that has no source has one";

	const char *path = plan_string(plan, sandbox->path);
	if (sandbox->kind == PLAN_SANDBOX_TMP && strcmp(path, "/tmp") != 0 &&
	    strcmp(path, "/var/tmp") != 0)
		return "a directory for temporary files elsewhere";
	/* A root that is covered or replaced leaves nothing to execute. */
	if (sandbox->kind != PLAN_SANDBOX_READ_ONLY && path[strspn(path, "/.")] == '\0')
		return "the root itself is covered";
	return NULL;
}
