/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>

#include "rootfs-spec/plan_check.h"

/* linux/mount.h: the attributes that fsmount(2) and mount_setattr(2) know. */
#define KNOWN_ATTRIBUTES \
	0x2000ffull            /* RDONLY NOSUID NODEV NOEXEC atime(3) NODIRATIME NOSYMFOLLOW */
#define KNOWN_SECUREBITS 0xffu /* linux/securebits.h: four bits and a lock for each */
#define MAX_SOCKET_PATH 107u   /* unix(7): sun_path */
#define MAX_PARTITION 36u      /* UEFI: a GPT partition's name in UTF-16 units */
#define MAX_HOSTNAME 64u       /* sethostname(2) */
#define MAX_CGROUP 255u
#define MAX_TRIES 15u /* four bits of the GPT's attributes */

static bool string_ok(const struct plan *plan, plan_str string)
{
	return string < plan->span[PLAN_STRINGS].count;
}

static bool list_in(const struct plan *plan, struct plan_list list, enum plan_section section,
		    uint32_t most)
{
	uint32_t count = plan->span[section].count;

	if (list.count == 0)
		return list.first == 0;
	return list.count <= most && list.first < count && list.count <= count - list.first;
}

static bool strings_ok(const struct plan *plan, struct plan_list list, uint32_t most)
{
	if (!list_in(plan, list, PLAN_REFS, most))
		return false;
	for (uint32_t i = 0; i < list.count; i++)
		if (!string_ok(plan, *plan_ref(plan, list.first + i)))
			return false;
	return true;
}

/* No component of a path is "..", and the path is not longer than the kernel takes. */
static bool no_parent(const char *path)
{
	size_t length = strnlen(path, PLAN_MAX_PATH + 1);

	if (length > PLAN_MAX_PATH)
		return false;
	for (const char *at = path; at; at = strchr(at, '/'), at = at ? at + 1 : NULL)
		if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == '\0'))
			return false;
	return true;
}

static bool absolute(const struct plan *plan, plan_str string)
{
	if (!string_ok(plan, string))
		return false;
	const char *path = plan_string(plan, string);
	return path[0] == '/' && no_parent(path);
}

static bool filled(const struct plan *plan, plan_str string)
{
	return string_ok(plan, string) && plan_string(plan, string)[0] != '\0';
}

static bool shorter(const struct plan *plan, plan_str string, size_t most)
{
	return string_ok(plan, string) && strnlen(plan_string(plan, string), most + 1) <= most;
}

/* "a" or "a/b": below the cgroup root, every component a name, no leading or trailing slash. */
static bool cgroup_ok(const struct plan *plan, plan_str string)
{
	if (!filled(plan, string) || !shorter(plan, string, MAX_CGROUP))
		return false;
	const char *path = plan_string(plan, string);
	char before = '/';
	for (const char *at = path; *at; before = *at++)
		if (before == '/' && (*at == '/' || *at == '.'))
			return false;
	return before != '/';
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *check_module(const struct plan *plan, uint32_t i)
{
	const struct plan_module *module = plan_module(plan, i);

	if (!absolute(plan, module->path))
		return "the path of a module is not absolute";
	return string_ok(plan, module->parameters) ? NULL : "a string lies outside its section";
}

static const char *check_path(const struct plan *plan, uint32_t i)
{
	const struct plan_path *path = plan_path(plan, i);

	if (!absolute(plan, path->path))
		return "a path is not absolute";
	if (!string_ok(plan, path->content))
		return "a string lies outside its section";
	if (path->mode > 07777)
		return "a mode has unknown bits";
	switch (path->kind) {
	case PLAN_PATH_DIRECTORY: return path->content ? "a directory has content" : NULL;
	case PLAN_PATH_SYMLINK:
		return filled(plan, path->content) ? NULL : "a link without a target";
	case PLAN_PATH_FILE: return NULL;
	case PLAN_PATH_COPY:
		return absolute(plan, path->content) ? NULL
						     : "the source of a copy is not absolute";
	default: return "unknown kind of path";
	}
}

static const char *check_setting(const struct plan *plan, uint32_t i)
{
	const struct plan_setting *setting = plan_setting(plan, i);

	if (!filled(plan, setting->path) || !string_ok(plan, setting->value))
		return "a string lies outside its section";
	if (!no_parent(plan_string(plan, setting->path)))
		return "the path of a setting leads upwards";
	if (setting->flags & ~PLAN_SETTING_OPTIONAL)
		return "unknown flag of a setting";
	return setting->zero ? "a reserved field is not zero" : NULL;
}

static const char *check_overlay(const struct plan *plan, const struct plan_mount *mount)
{
	if (mount->source_kind != PLAN_SOURCE_OVERLAY)
		return mount->lowers.count || mount->upper || mount->work
			       ? "layers on a mount that is no overlay"
			       : NULL;
	if (mount->lowers.count == 0)
		return "an overlay without a lower layer";
	for (uint32_t i = 0; i < mount->lowers.count; i++)
		if (!absolute(plan, *plan_ref(plan, mount->lowers.first + i)))
			return "a lower layer is not an absolute path";
	if (!mount->upper && !mount->work)
		return NULL;
	return absolute(plan, mount->upper) && absolute(plan, mount->work)
		       ? NULL
		       : "the upper layer or its work directory is not an absolute path";
}

static const char *check_mount(const struct plan *plan, uint32_t i)
{
	const struct plan_mount *mount = plan_mount(plan, i);

	if (!absolute(plan, mount->target))
		return "the target of a mount is not absolute";
	if (!filled(plan, mount->type) || !string_ok(plan, mount->source) ||
	    !string_ok(plan, mount->data))
		return "a string lies outside its section";
	if (mount->attributes & ~KNOWN_ATTRIBUTES)
		return "unknown mount attribute";
	if (mount->mount_flags > UINT32_MAX)
		return "unknown mount flag";
	switch (mount->propagation & ~(uint64_t)MS_REC) {
	case MS_SHARED:
	case MS_PRIVATE:
	case MS_SLAVE:
	case MS_UNBINDABLE: break;
	case 0:
		if (mount->propagation == 0)
			break;
		__attribute__((fallthrough));
	default: return "unknown propagation";
	}
	if (mount->flags & ~(PLAN_MOUNT_MAKE | PLAN_MOUNT_GROW | PLAN_MOUNT_CHECK |
			     PLAN_MOUNT_OPTIONAL | PLAN_MOUNT_RECURSIVE))
		return "unknown flag of a mount";
	if (!strings_ok(plan, mount->options, PLAN_MAX_OPTIONS) || mount->options.count % 2)
		return "the options of a mount are not pairs of strings";
	for (uint32_t j = 0; j < mount->options.count; j += 2)
		if (!plan_list_string(plan, mount->options, j)[0])
			return "a mount option without a name";
	if (!strings_ok(plan, mount->lowers, PLAN_MAX_LOWERS) || !string_ok(plan, mount->upper) ||
	    !string_ok(plan, mount->work))
		return "a string lies outside its section";
	switch (mount->source_kind) {
	case PLAN_SOURCE_NONE:
	case PLAN_SOURCE_OVERLAY: break;
	case PLAN_SOURCE_DEVICE:
	case PLAN_SOURCE_BIND:
		if (!absolute(plan, mount->source))
			return "the source of a mount is not absolute";
		break;
	case PLAN_SOURCE_PARTITION:
		if (!filled(plan, mount->source) || !shorter(plan, mount->source, MAX_PARTITION))
			return "not a name of a partition";
		break;
	default: return "unknown kind of source";
	}
	return check_overlay(plan, mount);
}

static const char *check_policy(const struct plan *plan, uint32_t i)
{
	const struct plan_policy *policy = plan_policy(plan, i);
	struct plan_blob filter = policy->seccomp;
	uint32_t bytes = plan->span[PLAN_BYTES].count;

	if (!filled(plan, policy->name))
		return "a policy without a name";
	if (policy->flags & ~(PLAN_POLICY_NO_NEW_PRIVS | PLAN_POLICY_CAPS))
		return "unknown flag of a policy";
	if (policy->zero)
		return "a reserved field is not zero";
	if (policy->securebits & ~KNOWN_SECUREBITS)
		return "unknown securebits";
	/* capabilities(7): the kernel refuses an ambient capability that is not in both. */
	if (policy->cap_ambient & ~(policy->cap_permitted & policy->cap_inheritable))
		return "an ambient capability is not permitted and inheritable";
	if (filter.size_bytes == 0)
		return filter.offset ? "an empty filter has a place" : NULL;
	if (filter.offset % 8 || filter.size_bytes % 8 || filter.size_bytes / 8 > PLAN_MAX_FILTER)
		return "a seccomp filter is not a list of at most 4096 instructions";
	if (filter.offset >= bytes || filter.size_bytes > bytes - filter.offset)
		return "a seccomp filter lies outside its section";
	return NULL;
}

static const char *check_limit(const struct plan *plan, uint32_t i)
{
	const struct plan_limit *limit = plan_limit(plan, i);

	if (limit->resource >= PLAN_MAX_LIMITS)
		return "unknown resource";
	if (limit->zero)
		return "a reserved field is not zero";
	return limit->soft <= limit->hard ? NULL : "a soft limit above the hard one";
}

static const char *check_probe(const struct plan *plan, uint32_t i)
{
	const struct plan_probe *probe = plan_probe(plan, i);

	if (!string_ok(plan, probe->target))
		return "a string lies outside its section";
	if (probe->zero)
		return "a reserved field is not zero";
	if (probe->kind != PLAN_PROBE_HTTP && probe->port)
		return "a port for a probe that has none";
	switch (probe->kind) {
	case PLAN_PROBE_EXEC:
	case PLAN_PROBE_NOTIFY:
		return probe->target || probe->interval_ns
			       ? "a probe that is not polled has a target"
			       : NULL;
	case PLAN_PROBE_SOCKET:
		if (!absolute(plan, probe->target) ||
		    !shorter(plan, probe->target, MAX_SOCKET_PATH))
			return "not a path of a socket";
		break;
	case PLAN_PROBE_HTTP:
		if (probe->port == 0 || probe->port > 65535)
			return "not a port";
		if (plan_string(plan, probe->target)[0] != '/' ||
		    !shorter(plan, probe->target, PLAN_MAX_PATH))
			return "not a request path";
		break;
	default: return "unknown kind of probe";
	}
	return probe->interval_ns ? NULL : "a probe that is polled without an interval";
}

static bool service_name_ok(const struct plan *plan, plan_str string)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	if (!filled(plan, string) || !shorter(plan, string, 63))
		return false;
	const char *name = plan_string(plan, string);
	return strchr(letters, name[0]) &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static const char *check_service_lists(const struct plan *plan, const struct plan_service *service)
{
	if (service->argv.count == 0 || !strings_ok(plan, service->argv, PLAN_MAX_ARGUMENTS))
		return "argv is not a list of strings";
	if (!absolute(plan, *plan_ref(plan, service->argv.first)))
		return "argv[0] is not an absolute path";
	if (!strings_ok(plan, service->environment, PLAN_MAX_ENVIRONMENT))
		return "the environment is not a list of strings";
	for (uint32_t i = 0; i < service->environment.count; i++) {
		const char *variable = plan_list_string(plan, service->environment, i);
		size_t name = strcspn(variable, "=");
		if (name == 0 || variable[name] != '=')
			return "a variable of the environment is not NAME=value";
		if (name > 255)
			return "the name of a variable is too long";
	}
	if (!list_in(plan, service->groups, PLAN_REFS, PLAN_MAX_GROUPS))
		return "the groups lie outside their section";
	if (!list_in(plan, service->limits, PLAN_LIMITS, PLAN_MAX_LIMITS))
		return "the limits lie outside their section";
	if (!list_in(plan, service->probes, PLAN_PROBES, PLAN_MAX_PROBES))
		return "the probes lie outside their section, or are more than 32";
	if (!list_in(plan, service->cgroup_settings, PLAN_SETTINGS, PLAN_MAX_SETTINGS))
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
		return absolute(plan, service->output_path)
			       ? NULL
			       : "the path of an output is not absolute";
	default: return "unknown kind of output";
	}
}

static const char *check_service(const struct plan *plan, uint32_t i)
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
	if (!absolute(plan, service->directory))
		return "the working directory is not absolute";
	if (!cgroup_ok(plan, service->cgroup))
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

static const char *check_healthy(const struct plan *plan, const struct plan_system *system)
{
	if (!list_in(plan, system->healthy, PLAN_REFS, PLAN_MAX_SERVICES))
		return "the health condition lies outside its section";
	for (uint32_t i = 0; i < system->healthy.count; i++)
		if (*plan_ref(plan, system->healthy.first + i) >= plan->span[PLAN_SERVICES].count)
			return "the health condition names no service";
	return NULL;
}

/* "+cpu +memory" as cgroup.subtree_control takes it, or nothing. */
static bool controllers_ok(const char *text)
{
	if (text[0] == '\0')
		return true;
	for (;;) {
		if (*text++ != '+')
			return false;
		size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
		text += name;
		if (name == 0)
			return false;
		if (*text == '\0')
			return true;
		if (*text++ != ' ')
			return false;
	}
}

static const char *check_system(const struct plan *plan, uint32_t i)
{
	const struct plan_system *system = plan->system;
	bool node = plan->header->kind == PLAN_KIND_NODE;

	(void)i;
	if (!filled(plan, system->name) || !string_ok(plan, system->image_version) ||
	    !string_ok(plan, system->controllers))
		return "a string lies outside its section";
	if (!shorter(plan, system->hostname, MAX_HOSTNAME))
		return "the host name is too long";
	if (system->flags & ~(PLAN_SYSTEM_RESCUE | PLAN_SYSTEM_LOOPBACK | PLAN_SYSTEM_MACHINE_ID))
		return "unknown flag of the system";
	if (!list_in(plan, system->sysctls, PLAN_SETTINGS, UINT32_MAX))
		return "the sysctls lie outside their section";
	for (uint32_t j = 0; j < system->sysctls.count; j++) {
		const struct plan_setting *setting = plan_setting(plan, system->sysctls.first + j);
		if (!has_prefix(plan_string(plan, setting->path), "/proc/sys/"))
			return "a sysctl is not below /proc/sys";
	}
	if (system->tries > MAX_TRIES)
		return "more tries than a partition's attributes hold";
	if (system->logger != PLAN_NONE && system->logger >= plan->span[PLAN_SERVICES].count)
		return "no such logger";
	if (!string_ok(plan, system->pods_cgroup) ||
	    (system->pods_cgroup && !cgroup_ok(plan, system->pods_cgroup)))
		return "not a name of a cgroup";
	if (!controllers_ok(plan_string(plan, system->controllers)))
		return "not a list of controllers";
	if (node && system->shutdown_timeout_ns == 0)
		return "a shutdown without an end";
	if (!strings_ok(plan, system->keys, PLAN_MAX_KEYS))
		return "the keys are not a list of strings";
	for (uint32_t j = 0; j < system->keys.count; j++)
		if (!absolute(plan, *plan_ref(plan, system->keys.first + j)))
			return "the path of a key is not absolute";
	if (node && system->keys.count)
		return "keys in a node plan";
	return check_healthy(plan, system);
}

/* A boot plan holds nothing of the node. */
static const char *check_boot(const struct plan *plan, uint32_t *section)
{
	static const uint8_t node_only[] = {PLAN_BYTES,  PLAN_PATHS,  PLAN_MOUNTS, PLAN_POLICIES,
					    PLAN_LIMITS, PLAN_PROBES, PLAN_EDGES,  PLAN_SERVICES};

	for (size_t i = 0; i < sizeof(node_only); i++) {
		*section = node_only[i];
		if (plan->span[*section].count)
			return "a boot plan holds something of the node";
	}
	return NULL;
}

const char *plan_check_records(const struct plan *plan, uint32_t *section, uint32_t *index)
{
	static const struct {
		enum plan_section section;
		const char *(*check)(const struct plan *plan, uint32_t index);
	} walks[] = {
		{PLAN_MODULES, check_module},   {PLAN_PATHS, check_path},
		{PLAN_SETTINGS, check_setting}, {PLAN_MOUNTS, check_mount},
		{PLAN_POLICIES, check_policy},  {PLAN_LIMITS, check_limit},
		{PLAN_PROBES, check_probe},     {PLAN_SYSTEM, check_system},
		{PLAN_SERVICES, check_service},
	};
	const char *reason;

	*index = 0;
	if (plan->header->kind == PLAN_KIND_BOOT) {
		reason = check_boot(plan, section);
		if (reason)
			return reason;
	}
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		*section = walks[i].section;
		for (*index = 0; *index < plan->span[*section].count; (*index)++) {
			reason = walks[i].check(plan, *index);
			if (reason)
				return reason;
		}
	}
	return NULL;
}
