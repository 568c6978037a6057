/* SPDX-License-Identifier: Apache-2.0 */
/* The checks that take more than one part of the spec to see. */
#include <ctype.h>
#include <string.h>

#include "rootfs-spec/nearest.h"
#include "rootfs-spec/spec_parts.h"
#include "rootfs-spec/spec_policies.h"

/* ---- programs ---- */

struct visitor {
	void (*visit)(void *context, const struct spec_service *service,
		      const struct text *program);
	void *context;
	const struct spec_service *service;
};

static void visit_one(const struct visitor *visitor, const struct texts *argv)
{
	if (argv->count)
		visitor->visit(visitor->context, visitor->service, &argv->list[0]);
}

static void visit_commands(const struct visitor *visitor, const struct spec_commands *commands)
{
	for (size_t i = 0; i < commands->count; i++)
		visit_one(visitor, &commands->list[i].argv);
}

void spec_each_program(const struct spec *spec,
		       void (*visit)(void *context, const struct spec_service *service,
				     const struct text *program),
		       void *context)
{
	for (size_t i = 0; i < spec->service_count; i++) {
		const struct spec_service *service = &spec->services[i];
		struct visitor visitor = {visit, context, service};
		visit_one(&visitor, &service->exec);
		for (size_t j = 0; j < service->probe_count; j++)
			visit_one(&visitor, &service->probes[j].command);
		for (size_t j = 0; j < service->liveness_count; j++)
			visit_one(&visitor, &service->liveness[j].command);
		visit_commands(&visitor, &service->pre);
		visit_commands(&visitor, &service->post);
		visit_commands(&visitor, &service->reload);
	}
}

static bool covers(const char *above, const char *path)
{
	size_t length = strlen(above);

	return strncmp(path, above, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* What the service sees at `path` instead of what the node has there; NULL: the same. */
static const struct spec_sandbox *covered_by(const struct spec_service *service, const char *path)
{
	const struct spec_sandbox *cover = NULL;

	for (size_t i = 0; i < service->sandbox_count; i++) {
		const struct spec_sandbox *entry = &service->sandbox[i];
		if (entry->kind == PLAN_SANDBOX_READ_ONLY || !covers(entry->path.text, path))
			continue;
		/* A path that is bound onto itself is the node's again. */
		cover = entry->source.text && strcmp(entry->source.text, entry->path.text) == 0
				? NULL
				: entry;
	}
	return cover;
}

/* Hidden from the very service that is to execute it. What a bind shows there nobody knows now. */
static void check_hidden(void *context, const struct spec_service *service,
			 const struct text *program)
{
	const struct spec_sandbox *cover = covered_by(service, program->text);

	if (cover && !cover->source.text)
		diagnose(context, program->where, "'%s' cannot execute %s: %s is %s",
			 service->name.text, program->text, cover->path.text,
			 cover->kind == PLAN_SANDBOX_TMP ? "empty to it" : "hidden from it");
}

/* PID 1 asks from the node's side: what listens in a place of the service's own is not found. */
static void check_sockets(const struct spec_service *service, const struct spec_probe *probes,
			  size_t count, struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < count; i++) {
		const struct spec_sandbox *cover = probes[i].kind == PLAN_PROBE_SOCKET
							   ? covered_by(service,
									probes[i].target.text)
							   : NULL;
		if (cover)
			diagnose(diagnostics, probes[i].target.where,
				 "PID 1 cannot reach %s: %s of '%s' is not that of the node",
				 probes[i].target.text, cover->path.text, service->name.text);
	}
}

/* ---- names across parts ---- */

/* What comes with a profile and nobody lives under stays out of the plan. */
static void mark_used(struct spec *spec, const struct text *name)
{
	for (size_t i = 0; i < spec->policy_count; i++) {
		struct spec_policy *policy = &spec->policies[i];
		if (!policy->where.source || policy->where.source->order == 0 ||
		    (name->text && strcmp(policy->name.text, name->text) == 0))
			policy->used = true;
	}
}

static void check_policies(struct spec *spec, struct diagnostics *diagnostics)
{
	mark_used(spec, &(struct text){0});
	for (size_t i = 0; i < spec->service_count; i++) {
		const struct text *policy = &spec->services[i].policy;
		mark_used(spec, policy);
		if (!policy->text || spec_policy(spec, policy->text))
			continue;
		struct nearest nearest = {.name = policy->text};
		for (size_t j = 0; j < spec->policy_count; j++)
			nearest_offer(&nearest, spec->policies[j].name.text);
		diagnose(diagnostics, policy->where, "unknown policy '%s'", policy->text);
		diagnose_suggest(diagnostics, nearest.best);
	}
}

/* What keelctl executes to learn (svc/learn.h), wherever it is from, or that program under another name. */
#define LEARN_PROGRAM "/usr/lib/keelson/keelson-learn"

static bool is_learn_program(const struct spec_file *file)
{
	return (file->source.text && strcmp(file->source.text, "program:keelson-learn") == 0) ||
	       (file->to.text && strcmp(file->to.text, LEARN_PROGRAM) == 0);
}

/*
 * What is right while a policy is being made, and not on a node that is relied on. Whoever asks for a
 * shell on the console makes no such node, and is still told that it can learn.
 */
static void check_learning(const struct spec *spec, struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < spec->service_count && !spec->rescue_console; i++) {
		const struct text *name = &spec->services[i].policy;
		const struct spec_policy *policy = name->text ? spec_policy(spec, name->text)
							      : NULL;

		if (!policy || policy->mode != PLAN_MODE_AUDIT)
			continue;
		diagnose_warning(
			diagnostics, name->where,
			"'%s' says 'mode: audit': '%s' is denied no call, capability, path "
			"or device by it",
			name->text, spec->services[i].name.text);
		diagnose_hint(diagnostics, "with 'rescue: console' it is clear that nobody relies "
					   "on this node");
	}
	for (size_t i = 0; i < spec->file_count; i++)
		if (is_learn_program(&spec->files[i])) {
			diagnose_warning(diagnostics, spec->files[i].to.where,
					 "with keelson-learn root can have the kernel watch what "
					 "every process calls");
			diagnose_hint(diagnostics, "it is for images in which policies are made, "
						   "like those of 'debug'");
		}
}

/* A slot that can never be healthy would be rolled back after each update. */
static void check_health(const struct spec *spec, struct diagnostics *diagnostics)
{
	const struct spec_slots *slots = &spec->slots;
	const bool *started = spec_started_at_boot(spec);

	for (size_t i = 0; i < slots->healthy_services.count; i++) {
		struct text name = slots->healthy_services.list[i];
		uint32_t index = spec_find_service(spec, name.text);
		if (index == PLAN_NONE) {
			diagnose(diagnostics, name.where,
				 "the health condition names unknown service '%s'", name.text);
			diagnose_suggest(diagnostics, spec_nearest_service(spec, name.text));
			continue;
		}
		const struct spec_service *service = &spec->services[index];
		if (service->kind != PLAN_SERVICE_DAEMON)
			diagnose(diagnostics, name.where,
				 "the health condition names '%s', a %s, which is never up",
				 name.text,
				 service->kind == PLAN_SERVICE_TIMER ? "timer" : "oneshot");
		else if (!started[index])
			diagnose(diagnostics, name.where,
				 "the health condition names '%s', which is not started at boot",
				 name.text);
	}
	if (slots->healthy_deadline_ns && slots->healthy_for_ns >= slots->healthy_deadline_ns)
		diagnose(diagnostics, slots->where,
			 "no slot can be healthy 'for' longer than 'deadline'");
}

static void check_cgroup(const struct spec *spec, uint32_t index, struct diagnostics *diagnostics)
{
	const struct spec_service *service = &spec->services[index];
	const char *own = service->cgroup.text, *pods = spec->pods.cgroup.text;

	if (!own)
		return;
	size_t length = strlen(own), pods_length = pods ? strlen(pods) : 0;
	for (uint32_t i = 0; i < spec->service_count; i++) {
		const struct spec_service *other = &spec->services[i];
		if (i == index || !other->cgroup.text)
			continue;
		if (i < index && strcmp(own, other->cgroup.text) == 0)
			diagnose(diagnostics, service->cgroup.where,
				 "'%s' and '%s' share the cgroup '%s'", other->name.text,
				 service->name.text, own);
		/* cgroups(7), no internal processes. */
		if (strncmp(own, other->cgroup.text, length) == 0 &&
		    other->cgroup.text[length] == '/')
			diagnose(diagnostics, other->cgroup.where,
				 "the cgroup of '%s' lies inside that of '%s', which has processes",
				 other->name.text, service->name.text);
	}
	if (pods_length && strncmp(own, pods, pods_length) == 0 &&
	    (own[pods_length] == '/' || own[pods_length] == '\0'))
		diagnose(diagnostics, service->cgroup.where, "'%s' is the cgroup of the pods", own);
	if (pods_length && strncmp(own, pods, length) == 0 && pods[length] == '/')
		diagnose(diagnostics, service->cgroup.where,
			 "the pods' cgroup '%s' lies inside that of '%s'", pods,
			 service->name.text);
}

/* PID 1's own; a service there would share it (svc/cgroup.h). */
#define INIT_CGROUP "init"

/* What policies with 'shared-mounts' are held to (spec_surroundings.c) holds for a service's own paths. */
static void check_shared_paths(const struct spec *spec, const struct spec_service *service,
			       struct diagnostics *diagnostics)
{
	const struct spec_policy *policy = service->policy.text
						   ? spec_policy(spec, service->policy.text)
						   : NULL;

	if (!policy || !(policy->flags & PLAN_POLICY_SHARED_MOUNTS))
		return;
	for (size_t i = 0; i < service->sandbox_count; i++)
		if (!spec_path_may_be_private(service->sandbox[i].path.text))
			diagnose(diagnostics, service->sandbox[i].path.where,
				 "'%s' lives under '%s', whose mounts are shared: only paths below "
				 "/proc, /dev and /sys can differ, not '%s'",
				 service->name.text, policy->name.text,
				 service->sandbox[i].path.text);
}

/*
 * What is wrong with one service alone, but takes the node to see.
 */
static void check_service(const struct spec *spec, uint32_t index, struct diagnostics *diagnostics)
{
	const struct spec_service *service = &spec->services[index];
	const char *cgroup = service->cgroup.text;
	size_t length = strlen(INIT_CGROUP);

	if (cgroup && strncmp(cgroup, INIT_CGROUP, length) == 0 &&
	    (cgroup[length] == '\0' || cgroup[length] == '/'))
		diagnose(diagnostics, service->cgroup.where, "'%s' is the cgroup of PID 1", cgroup);
	for (size_t i = 0; index == spec->logger && i < service->probe_count; i++)
		if (service->probes[i].kind == PLAN_PROBE_FD)
			diagnose(diagnostics, service->probes[i].where,
				 "the logger has the pipes of others there: it cannot have 'fd'");
	check_sockets(service, service->probes, service->probe_count, diagnostics);
	check_sockets(service, service->liveness, service->liveness_count, diagnostics);
	/* mount_namespaces(7): what is mounted in a slave does not reach the node. */
	if (service->kill == PLAN_KILL_MAIN && service->sandbox_count) {
		diagnose_warning(diagnostics, service->sandbox[0].path.where,
				 "'%s' sees other paths, so what it mounts is seen by nobody else",
				 service->name.text);
		diagnose_hint(diagnostics, "'kill: main' says that it leaves something behind: the "
					   "mounts of a runtime's containers would be unseen by "
					   "kubelet");
	}
	check_shared_paths(spec, service, diagnostics);
	spec_check_namespaces(spec, service, diagnostics);
	spec_check_settings(spec, service, diagnostics);
}

static void check_logs(const struct spec *spec, uint32_t index, struct diagnostics *diagnostics)
{
	const struct spec_service *service = &spec->services[index];

	if (service->output != PLAN_OUTPUT_LOG || !service->output_path.text)
		return;
	for (uint32_t i = 0; i < index; i++) {
		const struct spec_service *other = &spec->services[i];
		if (other->output == PLAN_OUTPUT_LOG && other->output_path.text &&
		    strcmp(other->output_path.text, service->output_path.text) == 0)
			diagnose(diagnostics,
				 service->output_path.where.source ? service->output_path.where
								   : service->where,
				 "'%s' and '%s' log to the same file", other->name.text,
				 service->name.text);
	}
}

static void check_unique(struct text a, struct text b, const char *what,
			 struct diagnostics *diagnostics)
{
	if (strcmp(a.text, b.text) == 0)
		diagnose(diagnostics, b.where, "%s '%s' is given twice, first in line %u", what,
			 b.text, a.where.line);
}

static void check_duplicates(const struct spec *spec, struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < spec->file_count; i++)
		for (size_t j = 0; j < i; j++)
			if (spec->files[i].kind != SPEC_FILE_TREE &&
			    spec->files[j].kind != SPEC_FILE_TREE)
				check_unique(spec->files[j].to, spec->files[i].to, "the file",
					     diagnostics);
	for (size_t i = 0; i < spec->path_count; i++)
		for (size_t j = 0; j < i; j++)
			check_unique(spec->paths[j].path, spec->paths[i].path, "the path",
				     diagnostics);
	for (size_t i = 0; i < spec->packages.install_count; i++)
		for (size_t j = 0; j < i; j++)
			check_unique(spec->packages.install[j].name, spec->packages.install[i].name,
				     "the package", diagnostics);
}

/* RFC 1123; kubelet registers the node by this name, and takes no other characters. */
static bool is_hostname(const char *name)
{
	char before = '.';

	for (; *name; before = *name++) {
		bool inner = *name == '-' || *name == '.';
		if (!inner && !isalnum((unsigned char)*name))
			return false;
		if ((inner && before == '.') || (*name == '.' && before == '-'))
			return false;
	}
	return before != '.' && before != '-';
}

static void check_hostname(const struct spec *spec, struct diagnostics *diagnostics)
{
	const struct text *hostname = &spec->hostname;

	if (!hostname->text)
		return;
	if (strlen(hostname->text) > 64)
		diagnose(diagnostics, hostname->where, "a host name has at most 64 bytes");
	if (is_hostname(hostname->text))
		return;
	diagnose(diagnostics, hostname->where, "'%s' is no host name: letters, digits, '-' and '.'",
		 hostname->text);
	if (hostname->text == spec->name.text)
		diagnose_hint(diagnostics, "without 'hostname' the name is the host's, too");
}

void spec_check_parts(struct spec *spec, struct diagnostics *diagnostics)
{
	check_policies(spec, diagnostics);
	check_learning(spec, diagnostics);
	spec_each_program(spec, check_hidden, diagnostics);
	spec_check_boot(spec, diagnostics);
	check_health(spec, diagnostics);
	check_duplicates(spec, diagnostics);
	for (uint32_t i = 0; i < spec->service_count; i++) {
		check_cgroup(spec, i, diagnostics);
		check_service(spec, i, diagnostics);
		check_logs(spec, i, diagnostics);
	}
	check_hostname(spec, diagnostics);
}
