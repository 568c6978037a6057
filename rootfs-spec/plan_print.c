/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/securebits.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>

#include "rootfs-spec/plan_print.h"
#include "rootfs-spec/value.h"

static const char *const service_kinds[] = {"?", "daemon", "oneshot"};
static const char *const restarts[] = {"?", "never", "on-failure", "always"};
static const char *const kills[] = {"?", "cgroup", "main"};
static const char *const outputs[] = {"?", "none", "log", "kmsg", "tty"};
static const char *const edges[] = {"?", "requires", "wants", "after"};
static const char *const paths[] = {"?", "directory", "link", "file", "copy"};
static const char *const sources[] = {"?", "none", "device", "partition", "bind", "overlay"};

static void print_duration(struct bytes *out, const char *name, uint64_t ns)
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

static void print_strings(struct bytes *out, const struct plan *plan, const char *name,
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

static void print_flags(struct bytes *out, const char *name, uint64_t flags,
			const char *const *names)
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

static void print_optional(struct bytes *out, const struct plan *plan, const char *name,
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
	print_flags(out, "flags", system->flags, flags);
	print_strings(out, plan, "keys", system->keys);
	if (plan->header->kind != PLAN_KIND_NODE)
		return;
	print_optional(out, plan, "controllers", system->controllers);
	print_optional(out, plan, "pods-cgroup", system->pods_cgroup);
	print_duration(out, "pods-grace", system->pods_grace_ns);
	print_duration(out, "shutdown-timeout", system->shutdown_timeout_ns);
	if (system->healthy.count) {
		bytes_text(out, "healthy:");
		for (uint32_t i = 0; i < system->healthy.count; i++) {
			uint32_t service = *plan_ref(plan, system->healthy.first + i);
			bytes_printf(out, " %s",
				     plan_string(plan, plan_service(plan, service)->name));
		}
		bytes_text(out, "\n");
	}
	print_duration(out, "healthy-for", system->healthy_for_ns);
	print_duration(out, "healthy-deadline", system->healthy_deadline_ns);
	for (uint32_t i = 0; i < system->sysctls.count; i++) {
		const struct plan_setting *setting = plan_setting(plan, system->sysctls.first + i);
		bytes_printf(out, "sysctl: %s = %s%s\n", plan_string(plan, setting->path),
			     plan_string(plan, setting->value),
			     setting->flags & PLAN_SETTING_OPTIONAL ? " (optional)" : "");
	}
}

static void print_mounts(struct bytes *out, const struct plan *plan)
{
	static const char *const flags[] = {"make", "grow", "check", "optional", "recursive", NULL};

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
		print_optional(out, plan, "  data", mount->data);
		print_strings(out, plan, "  lower", mount->lowers);
		print_optional(out, plan, "  upper", mount->upper);
		print_optional(out, plan, "  work", mount->work);
		print_flags(out, "  flags", mount->flags, flags);
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
		if (policy->seccomp.size_bytes)
			bytes_printf(out, "  seccomp: %u instructions\n",
				     policy->seccomp.size_bytes / 8);
	}
}

static void print_probe(struct bytes *out, const struct plan *plan, const struct plan_probe *probe)
{
	switch (probe->kind) {
	case PLAN_PROBE_EXEC: bytes_text(out, "  ready: exec\n"); break;
	case PLAN_PROBE_NOTIFY: bytes_text(out, "  ready: notify\n"); break;
	case PLAN_PROBE_SOCKET:
		bytes_printf(out, "  ready: socket %s", plan_string(plan, probe->target));
		print_duration(out, " every", probe->interval_ns);
		break;
	default:
		bytes_printf(out, "  ready: http 127.0.0.1:%u%s", probe->port,
			     plan_string(plan, probe->target));
		print_duration(out, " every", probe->interval_ns);
	}
}

static void print_limits(struct bytes *out, const struct plan *plan, struct plan_list list)
{
	for (uint32_t i = 0; i < list.count; i++) {
		const struct plan_limit *limit = plan_limit(plan, list.first + i);
		uint64_t values[2] = {limit->soft, limit->hard};
		uint32_t number, name = 0;
		while (value_resources[name] && !(value_resource(value_resources[name], &number) &&
						  number == limit->resource))
			name++;
		bytes_printf(out, "  limit: %s",
			     value_resources[name] ? value_resources[name] : "?");
		for (size_t j = 0; j < 2; j++)
			if (values[j] == UINT64_MAX)
				bytes_text(out, " unlimited");
			else
				bytes_printf(out, " %llu", (unsigned long long)values[j]);
		bytes_text(out, "\n");
	}
}

static void print_edges(struct bytes *out, const struct plan *plan,
			const struct plan_service *service)
{
	for (uint32_t i = 0; i < service->needs.count; i++) {
		const struct plan_edge *edge = plan_edge(plan, service->needs.first + i);
		bytes_printf(out, "  %s: %s\n", edges[edge->kind],
			     plan_string(plan, plan_service(plan, edge->to)->name));
	}
	for (uint32_t i = 0; i < service->needed_by.count; i++) {
		const struct plan_edge *edge = plan_edge(plan, service->needed_by.first + i);
		bytes_printf(out, "  %s by: %s\n",
			     edge->kind == PLAN_EDGE_AFTER ? "before, said" : edges[edge->kind],
			     plan_string(plan, plan_service(plan, edge->from)->name));
	}
}

static void print_service(struct bytes *out, const struct plan *plan, uint32_t index)
{
	static const char *const flags[] = {"critical", "manual", "logger", "delegate", NULL};
	const struct plan_service *service = plan_service(plan, index);

	bytes_printf(out, "\nservice %u: %s\n  kind: %s\n", index, plan_string(plan, service->name),
		     service_kinds[service->kind]);
	print_strings(out, plan, "  exec", service->argv);
	print_flags(out, "  flags", service->flags, flags);
	print_edges(out, plan, service);
	for (uint32_t i = 0; i < service->probes.count; i++)
		print_probe(out, plan, plan_probe(plan, service->probes.first + i));
	bytes_printf(out, "  restart: %s\n  burst: %u\n", restarts[service->restart],
		     service->burst);
	print_duration(out, "  backoff-min", service->backoff_min_ns);
	print_duration(out, "  backoff-max", service->backoff_max_ns);
	print_duration(out, "  stable", service->stable_ns);
	print_duration(out, "  start-timeout", service->start_timeout_ns);
	print_duration(out, "  stop-timeout", service->stop_timeout_ns);
	bytes_printf(out, "  stop-signal: %u\n  kill: %s\n", service->stop_signal,
		     kills[service->kill]);
	bytes_printf(out, "  output: %s%s%s\n", outputs[service->output],
		     service->output_path ? " " : "", plan_string(plan, service->output_path));
	if (service->output == PLAN_OUTPUT_LOG)
		bytes_printf(out, "  log-max: %llu\n  log-keep: %u\n",
			     (unsigned long long)service->log_max_bytes, service->log_keep);
	if (service->policy != PLAN_NONE)
		bytes_printf(out, "  policy: %s\n",
			     plan_string(plan, plan_policy(plan, service->policy)->name));
	bytes_printf(out, "  user: %u\n  group: %u\n", service->uid, service->gid);
	for (uint32_t i = 0; i < service->groups.count; i++)
		bytes_printf(out, "  supplementary: %u\n",
			     *plan_ref(plan, service->groups.first + i));
	bytes_printf(out, "  directory: %s\n  cgroup: %s\n", plan_string(plan, service->directory),
		     plan_string(plan, service->cgroup));
	for (uint32_t i = 0; i < service->cgroup_settings.count; i++) {
		const struct plan_setting *setting =
			plan_setting(plan, service->cgroup_settings.first + i);
		bytes_printf(out, "  %s: %s\n", plan_string(plan, setting->path),
			     plan_string(plan, setting->value));
	}
	print_limits(out, plan, service->limits);
	bytes_printf(out, "  oom-score-adj: %d\n  nice: %d\n  umask: 0%03o\n",
		     service->oom_score_adj, service->nice, service->umask);
	for (uint32_t i = 0; i < service->environment.count; i++)
		bytes_printf(out, "  environment: %s\n",
			     plan_list_string(plan, service->environment, i));
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
		print_service(out, plan, i);
}
