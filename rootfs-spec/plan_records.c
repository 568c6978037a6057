/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>

#include "rootfs-spec/plan_check.h"
#include "rootfs-spec/plan_fields.h"

/* linux/mount.h: the attributes that fsmount(2) and mount_setattr(2) know. */
#define KNOWN_ATTRIBUTES \
	0x2000ffull       /* RDONLY NOSUID NODEV NOEXEC atime(3) NODIRATIME NOSYMFOLLOW */
#define MAX_PARTITION 36u /* UEFI: a GPT partition's name in UTF-16 units */

static const char *check_module(const struct plan *plan, uint32_t i)
{
	const struct plan_module *module = plan_module(plan, i);

	if (!field_absolute(plan, module->path))
		return "the path of a module is not absolute";
	return field_string(plan, module->parameters) ? NULL : "a string lies outside its section";
}

static const char *check_path(const struct plan *plan, uint32_t i)
{
	const struct plan_path *path = plan_path(plan, i);

	if (!field_absolute(plan, path->path))
		return "a path is not absolute";
	if (!field_string(plan, path->content))
		return "a string lies outside its section";
	if (path->mode > 07777)
		return "a mode has unknown bits";
	switch (path->kind) {
	case PLAN_PATH_DIRECTORY: return path->content ? "a directory has content" : NULL;
	case PLAN_PATH_SYMLINK:
		return field_filled(plan, path->content) ? NULL : "a link without a target";
	case PLAN_PATH_FILE: return NULL;
	case PLAN_PATH_COPY:
		return field_absolute(plan, path->content) ? NULL
							   : "the source of a copy is not absolute";
	default: return "unknown kind of path";
	}
}

static const char *check_setting(const struct plan *plan, uint32_t i)
{
	const struct plan_setting *setting = plan_setting(plan, i);

	if (!field_filled(plan, setting->path) || !field_string(plan, setting->value))
		return "a string lies outside its section";
	if (!field_no_parent(plan_string(plan, setting->path)))
		return "the path of a setting leads upwards";
	if (setting->flags & ~PLAN_SETTING_OPTIONAL)
		return "unknown flag of a setting";
	return setting->zero ? "a reserved field is not zero" : NULL;
}

static const char *check_overlay(const struct plan *plan, const struct plan_mount *mount)
{
	if (mount->source_kind != PLAN_SOURCE_OVERLAY)
		return mount->lowers.count || mount->upper || mount->work ||
				       mount->flags & PLAN_MOUNT_SLOT_LAYER
			       ? "layers on a mount that is no overlay"
			       : NULL;
	if (mount->lowers.count == 0)
		return "an overlay without a lower layer";
	for (uint32_t i = 0; i < mount->lowers.count; i++)
		if (!field_absolute(plan, *plan_ref(plan, mount->lowers.first + i)))
			return "a lower layer is not an absolute path";
	if (!mount->upper && !mount->work)
		return mount->flags & PLAN_MOUNT_SLOT_LAYER ? "a slot's layer without a place"
							    : NULL;
	return field_absolute(plan, mount->upper) && field_absolute(plan, mount->work)
		       ? NULL
		       : "the upper layer or its work directory is not an absolute path";
}

static const char *check_mount(const struct plan *plan, uint32_t i)
{
	const struct plan_mount *mount = plan_mount(plan, i);

	if (!field_absolute(plan, mount->target))
		return "the target of a mount is not absolute";
	if (!field_filled(plan, mount->type) || !field_string(plan, mount->source) ||
	    !field_string(plan, mount->data))
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
			     PLAN_MOUNT_OPTIONAL | PLAN_MOUNT_RECURSIVE | PLAN_MOUNT_SLOT_LAYER))
		return "unknown flag of a mount";
	if (!field_strings(plan, mount->options, PLAN_MAX_OPTIONS) || mount->options.count % 2)
		return "the options of a mount are not pairs of strings";
	for (uint32_t j = 0; j < mount->options.count; j += 2)
		if (!plan_list_string(plan, mount->options, j)[0])
			return "a mount option without a name";
	if (!field_strings(plan, mount->lowers, PLAN_MAX_LOWERS) ||
	    !field_string(plan, mount->upper) || !field_string(plan, mount->work))
		return "a string lies outside its section";
	switch (mount->source_kind) {
	case PLAN_SOURCE_NONE:
	case PLAN_SOURCE_OVERLAY: break;
	case PLAN_SOURCE_DEVICE:
	case PLAN_SOURCE_BIND:
		if (!field_absolute(plan, mount->source))
			return "the source of a mount is not absolute";
		break;
	case PLAN_SOURCE_PARTITION:
		if (!field_filled(plan, mount->source) ||
		    !field_shorter(plan, mount->source, MAX_PARTITION))
			return "not a name of a partition";
		break;
	default: return "unknown kind of source";
	}
	return check_overlay(plan, mount);
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

/* A boot plan holds nothing of the node. */
static const char *check_boot(const struct plan *plan, uint32_t *section)
{
	static const uint8_t node_only[] = {PLAN_BYTES,      PLAN_PATHS,    PLAN_MOUNTS,
					    PLAN_FILTERS,    PLAN_LANDLOCK, PLAN_POLICIES,
					    PLAN_LIMITS,     PLAN_PROBES,   PLAN_COMMANDS,
					    PLAN_CONDITIONS, PLAN_SANDBOX,  PLAN_EDGES,
					    PLAN_SERVICES};

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
		{PLAN_MODULES, check_module},         {PLAN_PATHS, check_path},
		{PLAN_SETTINGS, check_setting},       {PLAN_MOUNTS, check_mount},
		{PLAN_LIMITS, check_limit},           {PLAN_COMMANDS, plan_check_command},
		{PLAN_PROBES, plan_check_probe},      {PLAN_CONDITIONS, plan_check_condition},
		{PLAN_SANDBOX, plan_check_sandbox},   {PLAN_FILTERS, plan_check_filter},
		{PLAN_LANDLOCK, plan_check_landlock}, {PLAN_POLICIES, plan_check_policy},
		{PLAN_SYSTEM, plan_check_system},     {PLAN_SERVICES, plan_check_service},
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
