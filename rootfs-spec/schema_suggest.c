/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "rootfs-spec/call_groups.h"
#include "rootfs-spec/names.h"
#include "rootfs-spec/policy_values.h"
#include "rootfs-spec/nearest.h"
#include "rootfs-spec/schema_suggest.h"
#include "rootfs-spec/value.h"

/* Words for the same thing in systemd.service(5), Kubernetes and Compose. */
static const struct {
	const char *theirs;
	const char *ours;
} foreign[] = {
	{"ExecStart", "exec"},
	{"command", "exec"},
	{"args", "exec"},
	{"entrypoint", "exec"},
	{"env", "environment"},
	{"Type", "kind"},
	{"dependsOn", "requires"},
	{"depends_on", "requires"},
	{"depends", "requires"},
	{"needs", "requires"},
	{"BindsTo", "requires"},
	{"restartPolicy", "restart"},
	{"TimeoutStartSec", "start-timeout"},
	{"TimeoutStopSec", "stop-timeout"},
	{"terminationGracePeriodSeconds", "stop-timeout"},
	{"stop_grace_period", "stop-timeout"},
	{"KillSignal", "stop-signal"},
	{"KillMode", "kill"},
	{"RestartSec", "backoff"},
	{"StartLimitBurst", "backoff"},
	{"WorkingDirectory", "directory"},
	{"workingDir", "directory"},
	{"cwd", "directory"},
	{"ExecStartPre", "pre"},
	{"preStart", "pre"},
	{"ExecStopPost", "post"},
	{"ExecReload", "reload"},
	{"WatchdogSec", "watchdog"},
	{"NotifyAccess", "notify"},
	{"Conflicts", "conflicts"},
	{"livenessProbe", "liveness"},
	{"SuccessExitStatus", "restart"},
	{"RestartPreventExitStatus", "restart"},
	{"failureThreshold", "failures"},
	{"retries", "failures"},
	{"timeoutSeconds", "timeout"},
	{"ConditionPathExists", "conditions"},
	{"ConditionKernelCommandLine", "conditions"},
	{"ConditionFirstBoot", "conditions"},
	{"ConditionArchitecture", "conditions"},
	{"ConditionVirtualization", "conditions"},
	{"OnBootSec", "first"},
	{"OnUnitInactiveSec", "every"},
	{"OnUnitActiveSec", "every"},
	{"RandomizedDelaySec", "jitter"},
	{"schedule", "timer"},
	{"CPUSchedulingPolicy", "scheduler"},
	{"CPUAffinity", "cpus"},
	{"IOSchedulingClass", "io-priority"},
	{"ionice", "io-priority"},
	{"PrivateTmp", "private-tmp"},
	{"ReadOnlyPaths", "read-only"},
	{"ProtectSystem", "read-only"},
	{"InaccessiblePaths", "hidden"},
	{"BindPaths", "bind"},
	{"BindReadOnlyPaths", "bind"},
	{"StandardOutput", "output"},
	{"logging", "log"},
	{"readinessProbe", "ready"},
	{"healthcheck", "ready"},
	{"readiness", "ready"},
	{"Slice", "cgroup"},
	{"resources", "cgroup-settings"},
	{"MemoryMax", "cgroup-settings"},
	{"CPUQuota", "cgroup-settings"},
	{"ulimits", "limits"},
	{"LimitNOFILE", "limits"},
	{"LimitNPROC", "limits"},
	{"LimitCORE", "limits"},
	{"OOMScoreAdjust", "oom-score-adj"},
	{"SupplementaryGroups", "groups"},
	{"runAsUser", "user"},
	{"uid", "user"},
	{"runAsGroup", "group"},
	{"gid", "group"},
	{"securityContext", "policy"},
	{"NoNewPrivileges", "no-new-privs"},
	{"allowPrivilegeEscalation", "no-new-privs"},
	{"CapabilityBoundingSet", "capabilities"},
	{"caps", "capabilities"},
	{"AmbientCapabilities", "ambient"},
	{"add", "keep"},
	{"SystemCallFilter", "seccomp"},
	{"syscalls", "seccomp"},
	{"What", "source"},
	{"device", "source"},
	{"fstype", "type"},
	{"httpGet", "http"},
	{"periodSeconds", "every"},
	{"dest", "to"},
	{"target", "to"},
	{"src", "from"},
	{"source", "from"},
	{"text", "content"},
	{"symlink", "link"},
	{"sysctls", "sysctl"},
	{"volumes", "mounts"},
	{"units", "services"},
	{"add", "install"},
	{"remove", "exclude"},
};

const char *schema_suggest_key(const struct schema *schema, const char *name)
{
	struct nearest nearest = {.name = name};

	for (const struct schema_key *key = schema->keys; key && key->name; key++)
		if (strcasecmp(key->name, name) == 0)
			return key->name;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (strcasecmp(foreign[i].theirs, name) == 0 &&
		    schema_find(schema, foreign[i].ours))
			return foreign[i].ours;
	for (const struct schema_key *key = schema->keys; key && key->name; key++)
		nearest_offer(&nearest, key->name);
	return nearest.best;
}

static const char *nearest_choice(const char *const *choices, const char *text)
{
	size_t count = 0;

	while (choices[count])
		count++;
	return nearest_name(text, choices, count);
}

/* What YAML 1.1 and others take for a truth value. */
static const char *truth(const char *text)
{
	static const char *const yes[] = {"true", "yes", "on", "y", "1"};
	static const char *const no[] = {"false", "no", "off", "n", "0"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcasecmp(text, yes[i]) == 0)
			return "true";
		if (strcasecmp(text, no[i]) == 0)
			return "false";
	}
	return NULL;
}

/* "30", "30 s", "30sec" -> "30s" */
static const char *duration(const char *text, struct pool *pool)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits + strspn(text + digits, " ");
	const char *fixed = strncasecmp(unit, "mi", 2) == 0 ? "min" : "s";

	if (!digits || strchr(unit, ' ') || strpbrk(unit, "0123456789."))
		return NULL;
	if (unit > text + digits) {
		uint64_t ns;
		fixed = pool_printf(pool, "%.*s%s", (int)digits, text, unit);
		return value_duration(fixed, &ns) ? fixed : NULL;
	}
	if (*unit && strncasecmp(unit, "sec", 3) != 0 && strncasecmp(unit, "mi", 2) != 0)
		return NULL;
	return pool_printf(pool, "%.*s%s", (int)digits, text, fixed);
}

/* "64M", "64 MB", "64mib" -> "64MiB" */
static const char *size(const char *text, struct pool *pool)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits + strspn(text + digits, " ");
	char letter = (char)toupper((unsigned char)*unit);

	if (!digits || !letter || !strchr("KMGT", letter) || strlen(unit) > 3)
		return NULL;
	return pool_printf(pool, "%.*s%ciB", (int)digits, text, letter);
}

/* Names of machines in Debian, Go and container images: uname(2) has others. */
static const struct {
	const char *theirs;
	const char *ours;
} machines[] = {{"amd64", "x86_64"}, {"x64", "x86_64"}, {"arm64", "aarch64"}, {"i386", "i686"}};

static const char *choice(const char *const *choices, const char *text)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		for (size_t j = 0; choices && choices[j]; j++)
			if (strcmp(machines[i].theirs, text) == 0 &&
			    strcmp(machines[i].ours, choices[j]) == 0)
				return choices[j];
	return nearest_choice(choices, text);
}

const char *schema_suggest_value(const struct schema *schema, const char *text, struct pool *pool)
{
	switch (schema->scalar) {
	case SCHEMA_CHOICE: return choice(schema->choices, text);
	case SCHEMA_BOOLEAN: return truth(text);
	case SCHEMA_DURATION: return duration(text, pool);
	case SCHEMA_SIZE: return size(text, pool);
	case SCHEMA_SIGNAL:
		return nearest_choice(value_signals,
				      strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text);
	case SCHEMA_RESOURCE: return nearest_choice(value_resources, text);
	case SCHEMA_CAPABILITY: return names_nearest_capability(text, pool);
	case SCHEMA_CALL:
		return text[0] == '@' ? call_group_nearest(text)
				      : names_nearest_system_call(text, pool);
	case SCHEMA_ANSWER: return value_answer_nearest(text, pool);
	default: return NULL;
	}
}
