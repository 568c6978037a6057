/* SPDX-License-Identifier: Apache-2.0 */
/* What lies around whoever lives under a policy: namespaces, paths, /proc, /dev, devices, Landlock. */
#include <linux/landlock.h>
#include <linux/sched.h>
#include <string.h>

#include "rootfs-spec/policy_values.h"
#include "rootfs-spec/spec_policies.h"
#include "rootfs-spec/spec_services.h"

static void set_flag(const struct view *view, const char *key, const char *on, uint32_t flag,
		     struct spec_policy *policy)
{
	if (!view_has(view, key))
		return;
	policy->flags &= ~flag;
	if (on ? text_is(view_text(view, key), on) : view_boolean(view, key))
		policy->flags |= flag;
}

static void read_namespaces(const struct view *view, struct spec_policy *policy)
{
	static const struct {
		const char *name;
		uint64_t flag;
	} known[] = {
		{"mount", CLONE_NEWNS}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS},
		{"net", CLONE_NEWNET},  {"pid", CLONE_NEWPID}, {"cgroup", CLONE_NEWCGROUP},
	};
	struct texts names = view_texts(view, "namespaces");

	if (view_has(view, "namespaces"))
		policy->namespaces = 0;
	for (size_t i = 0; i < names.count; i++)
		for (size_t j = 0; j < sizeof(known) / sizeof(known[0]); j++)
			if (strcmp(known[j].name, names.list[i].text) == 0)
				policy->namespaces |= known[j].flag;
}

/* A path that this policy speaks of takes the place of what was inherited for it. */
static void read_paths(const struct view *view, struct spec_policy *policy)
{
	const struct spec_policy before = *policy;
	struct spec_service own = {0};

	service_read_sandbox(view, &own);
	policy->sandbox = NULL;
	policy->sandbox_count = 0;
	for (size_t i = 0; i < before.sandbox_count + own.sandbox_count; i++) {
		const bool old = i < before.sandbox_count;
		const struct spec_sandbox *entry = old ? &before.sandbox[i]
						       : &own.sandbox[i - before.sandbox_count];
		bool replaced = false;
		for (size_t j = 0; old && j < own.sandbox_count; j++)
			replaced |= strcmp(own.sandbox[j].path.text, entry->path.text) == 0;
		if (replaced)
			continue;
		POOL_GROW(view->pool, policy->sandbox, policy->sandbox_count);
		policy->sandbox[policy->sandbox_count++] = *entry;
	}
}

static bool is_below(const char *path, const char *top)
{
	const size_t length = strlen(top);

	return strncmp(path, top, length) == 0 && (path[length] == '/' || !path[length]);
}

bool spec_path_may_be_private(const char *path)
{
	return is_below(path, "/proc") || is_below(path, "/dev") || is_below(path, "/sys");
}

static void check_shared(const struct view *view, const struct spec_policy *policy)
{
	if (!(policy->flags & PLAN_POLICY_SHARED_MOUNTS))
		return;
	for (size_t i = 0; i < policy->sandbox_count; i++) {
		const char *path = policy->sandbox[i].path.text;
		if (!spec_path_may_be_private(path))
			diagnose(view->diagnostics, policy->sandbox[i].path.where,
				 "with 'shared-mounts' only paths below /proc, /dev and /sys can "
				 "differ, not '%s'",
				 path);
	}
}

static void read_nodes(const struct view *view, struct spec_policy *policy)
{
	struct texts nodes = view_texts(view, "private-dev");

	if (!view_has(view, "private-dev"))
		return;
	policy->flags |= PLAN_POLICY_PRIVATE_DEV;
	policy->nodes = nodes;
	for (size_t i = 0; i < nodes.count; i++)
		if (strncmp(nodes.list[i].text, "/dev/", 5) != 0)
			diagnose(view->diagnostics, nodes.list[i].where, "'%s' is not below /dev",
				 nodes.list[i].text);
	if (nodes.count > PLAN_MAX_DEVICES)
		diagnose(view->diagnostics, view_where(view, "private-dev"), "more than %u devices",
			 PLAN_MAX_DEVICES);
}

static void read_devices(const struct view *policy_view, struct spec_policy *policy)
{
	struct view view = view_map(policy_view, "devices");
	const bool allow = view_has(&view, "allow");

	if (!view_node(policy_view, "devices"))
		return;
	if (allow == view_has(&view, "deny")) {
		diagnose(view.diagnostics, view.where,
			 allow ? "'deny' and 'allow' together: it is one or the other"
			       : "'devices' without 'deny' or 'allow'");
		return;
	}
	if (!policy->devices || policy->devices_allow != allow) {
		policy->device_rules = NULL;
		policy->device_count = 0;
	}
	policy->devices = true;
	policy->devices_allow = allow;
	struct texts texts = view_texts(&view, allow ? "allow" : "deny");
	for (size_t i = 0; i < texts.count; i++) {
		struct spec_device device;
		value_device(texts.list[i].text, &device);
		device.said = texts.list[i];
		bool again = false;
		for (size_t j = 0; j < policy->device_count; j++)
			again |= strcmp(policy->device_rules[j].said.text, device.said.text) == 0;
		if (again) {
			diagnose_warning(view.diagnostics, device.said.where,
					 "'%s' is there already", device.said.text);
			continue;
		}
		/* A copy: what is inherited belongs to the policy that says it. */
		struct spec_device *list = pool_alloc(view.pool,
						      (policy->device_count + 1) * sizeof(*list));
		if (policy->device_count)
			memcpy(list, policy->device_rules, policy->device_count * sizeof(*list));
		list[policy->device_count++] = device;
		policy->device_rules = list;
	}
	if (policy->device_count > PLAN_MAX_DEVICES)
		diagnose(view.diagnostics, view.where, "more than %u rules for devices",
			 PLAN_MAX_DEVICES);
}

void policy_read_surroundings(const struct view *view, struct spec_policy *policy)
{
	static const char *const procs[] = {"all", "own", "processes"};

	read_namespaces(view, policy);
	read_paths(view, policy);
	if (view_has(view, "proc"))
		for (uint32_t i = 0; i < 3; i++)
			if (text_is(view_text(view, "proc"), procs[i]))
				policy->proc = PLAN_PROC_ALL + i;
	set_flag(view, "shared-mounts", NULL, PLAN_POLICY_SHARED_MOUNTS, policy);
	set_flag(view, "keyring", "own", PLAN_POLICY_KEYRING, policy);
	set_flag(view, "control", "allow", PLAN_POLICY_CONTROL, policy);
	set_flag(view, "no-new-privs", NULL, PLAN_POLICY_NO_NEW_PRIVS, policy);
	check_shared(view, policy);
	read_nodes(view, policy);
	read_devices(view, policy);
}

/* ---- Landlock: linux/landlock.h, Documentation/userspace-api/landlock.rst ---- */

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* What the ABI can handle: bits 0-12, REFER from 2 on, TRUNCATE from 3 on, IOCTL_DEV from 5 on. */
static uint64_t known_by(int64_t abi)
{
	return abi >= 5 ? 0xffff : abi >= 3 ? 0x7fff : abi == 2 ? 0x3fff : 0x1fff;
}

static void add_landlock(const struct view *view, struct spec_policy *policy,
			 struct spec_landlock_rule rule)
{
	POOL_GROW(view->pool, policy->landlock, policy->landlock_count);
	policy->landlock[policy->landlock_count++] = rule;
}

static void add_landlock_paths(const struct view *view, const char *key, uint64_t access,
			       struct spec_policy *policy)
{
	struct texts paths = view_texts(view, key);

	for (size_t i = 0; i < paths.count; i++)
		add_landlock(view, policy,
			     (struct spec_landlock_rule){.kind = PLAN_LANDLOCK_PATH,
							 .access = access & policy->landlock_fs,
							 .path = paths.list[i]});
}

static void add_landlock_ports(const struct view *view, const char *key, uint64_t access,
			       struct spec_policy *policy)
{
	struct texts ports = view_texts(view, key);

	if (!view_has(view, key))
		return;
	policy->landlock_net |= access;
	for (size_t i = 0; i < ports.count; i++) {
		uint32_t port = 0;
		for (const char *digit = ports.list[i].text; *digit; digit++)
			port = port * 10 + (uint32_t)(*digit - '0');
		add_landlock(view, policy,
			     (struct spec_landlock_rule){
				     .kind = PLAN_LANDLOCK_PORT, .access = access, .port = port});
	}
}

static void check_abi(const struct view *view, const char *key, int64_t least, int64_t abi)
{
	if (view_has(view, key) && abi < least)
		diagnose(view->diagnostics, view_where(view, key), "'%s' needs 'abi: %d'", key,
			 (int)least);
}

void policy_read_landlock(const struct view *policy_view, struct spec_policy *policy)
{
	struct view view = view_map(policy_view, "landlock");
	const int64_t abi = view_integer(&view, "abi");

	if (!view_node(policy_view, "landlock"))
		return;
	check_abi(&view, "tcp-bind", 4, abi);
	check_abi(&view, "tcp-connect", 4, abi);
	check_abi(&view, "scopes", 6, abi);
	/* Said anew as a whole: what one ruleset denies, a part of another does not explain. */
	policy->landlock = NULL;
	policy->landlock_count = 0;
	policy->landlock_net = 0;
	policy->landlock_scoped = 0;
	policy->flags |= PLAN_POLICY_LANDLOCK;
	set_flag(&view, "if-supported", NULL, PLAN_POLICY_LANDLOCK_IF_SUPPORTED, policy);
	policy->landlock_fs = view_has(&view, "read") || view_has(&view, "execute") ||
					      view_has(&view, "write")
				      ? known_by(abi)
				      : 0;
	add_landlock_paths(&view, "read", FS_READ, policy);
	add_landlock_paths(&view, "execute", FS_READ | LANDLOCK_ACCESS_FS_EXECUTE, policy);
	add_landlock_paths(&view, "write",
			   FS_READ | (0xfff2 & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE), policy);
	add_landlock_ports(&view, "tcp-bind", 1, policy);
	add_landlock_ports(&view, "tcp-connect", 2, policy);
	struct texts scopes = view_texts(&view, "scopes");
	for (size_t i = 0; i < scopes.count; i++)
		policy->landlock_scoped |= text_is(scopes.list[i], "signals") ? 2 : 1;
	if (!policy->landlock_fs && !policy->landlock_net && !policy->landlock_scoped)
		diagnose(view.diagnostics, view.where, "'landlock' without anything it denies");
	if (policy->landlock_count > PLAN_MAX_LANDLOCK)
		diagnose(view.diagnostics, view.where, "more than %u rules of Landlock",
			 PLAN_MAX_LANDLOCK);
}
