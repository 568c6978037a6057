/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/sched.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>

#include "rootfs-spec/plan_print.h"
#include "rootfs-spec/plan_print_parts.h"

static const char *const criticals[] = {"?", "reboot", "poweroff", "halt"};
static const char *const paths[] = {"?", "directory", "link", "file", "copy"};
static const char *const sources[] = {"?", "none", "device", "partition", "bind", "overlay"};

void plan_print_duration(struct bytes *out, const char *name, uint64_t ns)
{
	if (ns % 1000000000)
		bytes_printf(out, "%s: %llu.%03llus\n", name, (unsigned long long)(ns / 1000000000),
			     (unsigned long long)(ns % 1000000000 / 1000000));
	else
		bytes_printf(out, "%s: %llus\n", name, (unsigned long long)(ns / 1000000000));
}

static void print_quoted(struct bytes *out, const char *text)
{
	bytes_text(out, " \"");
	for (; *text; text++)
		if (*text == '\n')
			bytes_text(out, "\\n");
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			bytes_printf(out, "\\x%02x", (unsigned char)*text);
		else
			bytes_printf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	bytes_text(out, "\"");
}

void plan_print_strings(struct bytes *out, const struct plan *plan, const char *name,
			struct plan_list list)
{
	if (!list.count)
		return;
	bytes_printf(out, "%s:", name);
	for (uint32_t i = 0; i < list.count; i++) {
		const char *text = plan_list_string(plan, list, i);
		if (!*text || strpbrk(text, " \t\n\"\\"))
			print_quoted(out, text);
		else
			bytes_printf(out, " %s", text);
	}
	bytes_text(out, "\n");
}

void plan_print_flags(struct bytes *out, const char *name, uint64_t flags, const char *const *names)
{
	if (!flags)
		return;
	bytes_printf(out, "%s:", name);
	for (uint32_t i = 0; names[i]; i++)
		if (flags >> i & 1)
			bytes_printf(out, " %s", names[i]);
	bytes_text(out, "\n");
}

struct bit {
	uint64_t mask;
	const char *name;
};

/* The kernel's names in the places of its numbers, and the number of what has no name here. */
static void print_bits(struct bytes *out, const char *name, uint64_t value, const struct bit *bits)
{
	if (!value)
		return;
	bytes_printf(out, "%s:", name);
	for (; bits->mask; bits++)
		if ((value & bits->mask) == bits->mask) {
			bytes_printf(out, " %s", bits->name);
			value &= ~bits->mask;
		}
	if (value)
		bytes_printf(out, " 0x%llx", (unsigned long long)value);
	bytes_text(out, "\n");
}

/* MOUNT_ATTR_* of linux/mount.h, which not every libc's headers go with. */
static const struct bit attributes[] = {
	{0x1, "ro"},          {0x2, "nosuid"},           {0x4, "nodev"},
	{0x8, "noexec"},      {0x10, "noatime"},         {0x20, "strictatime"},
	{0x80, "nodiratime"}, {0x200000, "nosymfollow"}, {0, NULL},
};

static const struct bit mount_flags[] = {
	{MS_RDONLY, "ro"},         {MS_NOSUID, "nosuid"},           {MS_NODEV, "nodev"},
	{MS_NOEXEC, "noexec"},     {MS_SYNCHRONOUS, "sync"},        {MS_DIRSYNC, "dirsync"},
	{MS_MANDLOCK, "mand"},     {MS_NOATIME, "noatime"},         {MS_NODIRATIME, "nodiratime"},
	{MS_RELATIME, "relatime"}, {MS_STRICTATIME, "strictatime"}, {1 << 25, "lazytime"},
	{1 << 8, "nosymfollow"},   {MS_SILENT, "silent"},           {MS_BIND, "bind"},
	{MS_REC, "rec"},           {MS_UNBINDABLE, "unbindable"},   {MS_PRIVATE, "private"},
	{MS_SLAVE, "slave"},       {MS_SHARED, "shared"},           {0, NULL},
};

static const struct bit securebits[] = {
	{SECBIT_NOROOT, "noroot"},
	{SECBIT_NOROOT_LOCKED, "noroot-locked"},
	{SECBIT_NO_SETUID_FIXUP, "no-setuid-fixup"},
	{SECBIT_NO_SETUID_FIXUP_LOCKED, "no-setuid-fixup-locked"},
	{SECBIT_KEEP_CAPS, "keep-caps"},
	{SECBIT_KEEP_CAPS_LOCKED, "keep-caps-locked"},
	{SECBIT_NO_CAP_AMBIENT_RAISE, "no-cap-ambient-raise"},
	{SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED, "no-cap-ambient-raise-locked"},
	{0, NULL},
};

void plan_print_optional(struct bytes *out, const struct plan *plan, const char *name,
			 plan_str text)
{
	if (text)
		bytes_printf(out, "%s: %s\n", name, plan_string(plan, text));
}

static void print_system(struct bytes *out, const struct plan *plan)
{
	static const char *const flags[] = {"rescue", "loopback", "machine-id", NULL};
	const struct plan_system *system = plan->system;

	bytes_printf(out, "name: %s\nversion: %s\nhostname: %s\n", plan_string(plan, system->name),
		     plan_string(plan, system->image_version), plan_string(plan, system->hostname));
	bytes_printf(out, "kind: %s plan\nbuild-id: ",
		     plan->header->kind == PLAN_KIND_NODE ? "node" : "boot");
	for (size_t i = 0; i < sizeof(plan->header->build_id); i++)
		bytes_printf(out, "%02x", plan->header->build_id[i]);
	bytes_printf(out, "\nsize: %u bytes\ntries: %u\n", plan->header->size_bytes, system->tries);
	plan_print_flags(out, "flags", system->flags, flags);
	plan_print_strings(out, plan, "keys", system->keys);
	plan_print_optional(out, plan, "kernel", system->kernel_release);
	plan_print_optional(out, plan, "kernel-cmdline", system->kernel_cmdline);
	if (plan->header->kind != PLAN_KIND_NODE)
		return;
	bytes_printf(out, "critical: %s\n", criticals[system->critical]);
	plan_print_optional(out, plan, "controllers", system->controllers);
	plan_print_optional(out, plan, "pods-cgroup", system->pods_cgroup);
	plan_print_duration(out, "pods-grace", system->pods_grace_ns);
	plan_print_duration(out, "shutdown-timeout", system->shutdown_timeout_ns);
	if (system->healthy.count) {
		bytes_text(out, "healthy:");
		for (uint32_t i = 0; i < system->healthy.count; i++) {
			uint32_t service = *plan_ref(plan, system->healthy.first + i);
			bytes_printf(out, " %s",
				     plan_string(plan, plan_service(plan, service)->name));
		}
		bytes_text(out, "\n");
	}
	plan_print_duration(out, "healthy-for", system->healthy_for_ns);
	plan_print_duration(out, "healthy-deadline", system->healthy_deadline_ns);
	for (uint32_t i = 0; i < system->sysctls.count; i++) {
		const struct plan_setting *setting = plan_setting(plan, system->sysctls.first + i);
		bytes_printf(out, "sysctl: %s = %s%s\n", plan_string(plan, setting->path),
			     plan_string(plan, setting->value),
			     setting->flags & PLAN_SETTING_OPTIONAL ? " (optional)" : "");
	}
}

static void print_mounts(struct bytes *out, const struct plan *plan)
{
	static const char *const flags[] = {"make",      "grow",       "check", "optional",
					    "recursive", "slot-layer", NULL};

	for (uint32_t i = 0; i < plan_count(plan, PLAN_MOUNTS); i++) {
		const struct plan_mount *mount = plan_mount(plan, i);
		bytes_printf(out, "\nmount %u: %s\n  type: %s\n  source: %s (%s)\n", i,
			     plan_string(plan, mount->target), plan_string(plan, mount->type),
			     plan_string(plan, mount->source), sources[mount->source_kind]);
		print_bits(out, "  attributes", mount->attributes, attributes);
		print_bits(out, "  mount-flags", mount->mount_flags, mount_flags);
		print_bits(out, "  propagation", mount->propagation, mount_flags);
		for (uint32_t j = 0; j < mount->options.count; j += 2)
			bytes_printf(out, "  option: %s%s%s\n",
				     plan_list_string(plan, mount->options, j),
				     plan_list_string(plan, mount->options, j + 1)[0] ? "=" : "",
				     plan_list_string(plan, mount->options, j + 1));
		plan_print_optional(out, plan, "  data", mount->data);
		plan_print_strings(out, plan, "  lower", mount->lowers);
		plan_print_optional(out, plan, "  upper", mount->upper);
		plan_print_optional(out, plan, "  work", mount->work);
		plan_print_flags(out, "  flags", mount->flags, flags);
	}
}

static void print_capabilities(struct bytes *out, const char *name, uint64_t mask)
{
	bytes_printf(out, "  %s: 0x%llx", name, (unsigned long long)mask);
	/* The shorter of the two lists tells more. */
	bool most = __builtin_popcountll(mask) > 20;
	if (most)
		bytes_text(out, " all but");
	for (int i = 0; i <= CAP_LAST_CAP; i++) {
		char *text = (mask >> i & 1) != most ? cap_to_name(i) : NULL;
		if (text)
			bytes_printf(out, " %s", strncmp(text, "cap_", 4) == 0 ? text + 4 : text);
		cap_free(text);
	}
	bytes_text(out, "\n");
}

/* Names of the policy's flags that no other line tells of, and what is not as it is without it. */
static void print_surroundings(struct bytes *out, const struct plan *plan,
			       const struct plan_policy *policy)
{
	static const struct bit namespaces[] = {{CLONE_NEWNS, "mount"},
						{CLONE_NEWIPC, "ipc"},
						{CLONE_NEWUTS, "uts"},
						{CLONE_NEWNET, "net"},
						{CLONE_NEWPID, "pid"},
						{CLONE_NEWCGROUP, "cgroup"},
						{0}};
	static const char *const procs[] = {NULL, NULL, "own", "processes"};

	if (policy->mode == PLAN_MODE_AUDIT)
		bytes_text(out, "  mode: audit\n");
	if (policy->flags & PLAN_POLICY_CONTROL)
		bytes_text(out, "  control: allow\n");
	if (policy->flags & PLAN_POLICY_KEYRING)
		bytes_text(out, "  keyring: own\n");
	if (policy->flags & PLAN_POLICY_SHARED_MOUNTS)
		bytes_text(out, "  shared-mounts: true\n");
	print_bits(out, "  namespaces", policy->namespaces, namespaces);
	if (procs[policy->proc])
		bytes_printf(out, "  proc: %s\n", procs[policy->proc]);
	plan_print_sandbox(out, plan, policy->sandbox);
	if (policy->flags & PLAN_POLICY_PRIVATE_DEV)
		bytes_text(out, "  private-dev: true\n");
	plan_print_strings(out, plan, "  device", policy->devices);
	if (policy->device_program.size_bytes)
		bytes_printf(out, "  device-program: %u instructions\n",
			     policy->device_program.size_bytes / 8);
	if (policy->flags & PLAN_POLICY_LANDLOCK)
		bytes_printf(out, "  landlock: %u rules%s, handled 0x%llx 0x%llx 0x%llx\n",
			     policy->landlock.count,
			     policy->flags & PLAN_POLICY_LANDLOCK_IF_SUPPORTED ? " if supported"
									       : "",
			     (unsigned long long)policy->landlock_fs,
			     (unsigned long long)policy->landlock_net,
			     (unsigned long long)policy->landlock_scoped);
}

static void print_policies(struct bytes *out, const struct plan *plan)
{
	for (uint32_t i = 0; i < plan_count(plan, PLAN_POLICIES); i++) {
		const struct plan_policy *policy = plan_policy(plan, i);
		bytes_printf(out, "\npolicy %u: %s\n", i, plan_string(plan, policy->name));
		if (policy->flags & PLAN_POLICY_NO_NEW_PRIVS)
			bytes_text(out, "  no-new-privs: true\n");
		if (policy->flags & PLAN_POLICY_CAPS) {
			print_capabilities(out, "bounding", policy->cap_bounding);
			print_capabilities(out, "permitted", policy->cap_permitted);
			print_capabilities(out, "inheritable", policy->cap_inheritable);
			print_capabilities(out, "ambient", policy->cap_ambient);
		}
		print_bits(out, "  securebits", policy->securebits, securebits);
		print_surroundings(out, plan, policy);
		for (uint32_t j = 0; j < policy->filters.count; j++)
			bytes_printf(
				out, "  seccomp: %u instructions\n",
				plan_filter(plan, policy->filters.first + j)->program.size_bytes /
					8);
	}
}

void plan_print(const struct plan *plan, struct bytes *out)
{
	print_system(out, plan);
	for (uint32_t i = 0; i < plan_count(plan, PLAN_MODULES); i++) {
		const struct plan_module *module = plan_module(plan, i);
		bytes_printf(out, "module: %s%s%s\n", plan_string(plan, module->path),
			     module->parameters ? " " : "", plan_string(plan, module->parameters));
	}
	for (uint32_t i = 0; i < plan_count(plan, PLAN_PATHS); i++) {
		const struct plan_path *path = plan_path(plan, i);
		bytes_printf(out, "path: %s %s mode 0%03o owner %u:%u", paths[path->kind],
			     plan_string(plan, path->path), path->mode, path->uid, path->gid);
		if (path->kind == PLAN_PATH_FILE)
			print_quoted(out, plan_string(plan, path->content));
		else if (path->kind != PLAN_PATH_DIRECTORY)
			bytes_printf(out, " %s %s", path->kind == PLAN_PATH_COPY ? "of" : "to",
				     plan_string(plan, path->content));
		bytes_text(out, "\n");
	}
	print_mounts(out, plan);
	print_policies(out, plan);
	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES); i++)
		plan_print_service(plan, i, out);
}
