/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/sandbox.h"

#include <errno.h>
#include <linux/sched.h>
#include <sys/stat.h>

#include "svc/sandbox_mount.h"

/* MS_SLAVE | MS_REC of mount(2): sys/mount.h and linux/mount.h exclude another */
#define SLAVE_RECURSIVE ((1l << 19) | (1l << 14))

bool sandbox_is_needed(const struct plan_policy *policy, const struct plan_service *service)
{
	if (service->sandbox.count != 0)
		return true;
	return policy && (policy->sandbox.count != 0 || policy->proc != PLAN_PROC_ALL ||
			  policy->flags & PLAN_POLICY_PRIVATE_DEV ||
			  policy->namespaces & (CLONE_NEWNS | CLONE_NEWPID));
}

long sandbox_begin(struct sandbox *sandbox, const struct plan *plan,
		   const struct plan_service *service)
{
	const struct plan_policy *policy = service->policy == PLAN_NONE
						   ? NULL
						   : plan_policy(plan, service->policy);

	sandbox->plan = plan;
	sandbox->policy = policy;
	sandbox->lists[0] = policy ? policy->sandbox : (struct plan_list){0};
	sandbox->lists[1] = service->sandbox;
	sandbox->hiding = -ENOENT;
	sandbox->own = sandbox_is_needed(policy, service);
	sandbox->shared = sandbox->own && policy && (policy->flags & PLAN_POLICY_SHARED_MOUNTS);
	if (!sandbox->own)
		return 0;
	long error = raw_syscall1(__NR_unshare, CLONE_NEWNS);

	if (error < 0 || sandbox->shared)
		return error;
	return raw_syscall5(__NR_mount, (long)"none", (long)"/", 0, SLAVE_RECURSIVE, 0);
}

static uint32_t count(const struct sandbox *sandbox)
{
	uint32_t all = sandbox->lists[0].count + sandbox->lists[1].count;

	return all < PLAN_MAX_SANDBOX ? all : PLAN_MAX_SANDBOX;
}

/* Entry i of both lists, as an index into PLAN_SANDBOX. */
static uint32_t index_of(const struct sandbox *sandbox, uint32_t i)
{
	uint32_t first = sandbox->lists[0].count;

	return i < first ? sandbox->lists[0].first + i : sandbox->lists[1].first + i - first;
}

static const struct plan_sandbox *entry_of(const struct sandbox *sandbox, uint32_t i)
{
	return plan_sandbox(sandbox->plan, index_of(sandbox, i));
}

static long put_tmp(long place)
{
	/* a tenth of memory: tmpfs(5) */
	static const char *const options[] = {"mode", "1777", "size", "10%", NULL};
	long mount = mount_make("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	long error = mount < 0 ? mount : mount_put(mount, place);

	close_raw(mount);
	return error;
}

static long put_read_only(long place)
{
	long mount = mount_copy(place, "", AT_EMPTY_PATH | AT_RECURSIVE);
	long error = mount < 0 ? mount : mount_make_read_only(mount);

	if (error >= 0)
		error = mount_put(mount, place);
	close_raw(mount);
	return error;
}

/* Found by what was opened before: its path can be covered by now. */
static long put_hidden(const struct sandbox *sandbox, long place)
{
	long directory = sandbox->hiding < 0 ? sandbox->hiding : mount_is_directory(place);

	if (directory < 0)
		return directory;
	long mount = mount_copy(sandbox->hiding, directory ? HIDING_DIRECTORY : HIDING_FILE, 0);
	long error = mount < 0 ? mount : mount_put(mount, place);

	close_raw(mount);
	return error;
}

/* ---- the entries ---- */

/* What is mounted on the root is not seen from it: only its attributes can change. */
static bool is_root(const char *path)
{
	return path[0] == '/' && path[1] == '\0';
}

static long put_bind(long source, long place, bool read_only)
{
	long error = read_only ? mount_make_read_only(source) : 0;

	return error < 0 ? error : mount_put(source, place);
}

static bool is_bind(const struct plan_sandbox *entry)
{
	return entry->kind == PLAN_SANDBOX_BIND || entry->kind == PLAN_SANDBOX_BIND_READ_ONLY;
}

static bool may_lack(const struct plan_sandbox *entry, long error)
{
	return (entry->flags & PLAN_SANDBOX_OPTIONAL) && (error == -ENOENT || error == -ENOTDIR);
}

static long take_source(struct sandbox *sandbox, uint32_t i)
{
	const struct plan_sandbox *entry = entry_of(sandbox, i);

	sandbox->sources[i] = -1;
	if (entry->kind == PLAN_SANDBOX_HIDDEN && sandbox->hiding < 0)
		sandbox->hiding = mount_place(SANDBOX_HIDING);
	if (!is_bind(entry))
		return 0;
	long place = mount_place(plan_string(sandbox->plan, entry->source));
	long source = place;

	if (place >= 0)
		source = mount_copy(place, "", AT_EMPTY_PATH | AT_RECURSIVE);
	close_raw(place);
	sandbox->sources[i] = (int)source;
	return source < 0 && !may_lack(entry, source) ? source : 0;
}

static long put_on(const struct sandbox *sandbox, uint32_t i, long place)
{
	const struct plan_sandbox *entry = entry_of(sandbox, i);

	switch (entry->kind) {
	case PLAN_SANDBOX_TMP: return put_tmp(place);
	case PLAN_SANDBOX_READ_ONLY:
		return is_root(plan_string(sandbox->plan, entry->path))
			       ? mount_make_read_only(place)
			       : put_read_only(place);
	case PLAN_SANDBOX_HIDDEN: return put_hidden(sandbox, place);
	default:
		return put_bind(sandbox->sources[i], place,
				entry->kind == PLAN_SANDBOX_BIND_READ_ONLY);
	}
}

static long put_entry(const struct sandbox *sandbox, uint32_t i)
{
	const struct plan_sandbox *entry = entry_of(sandbox, i);
	const char *path = plan_string(sandbox->plan, entry->path);

	if (is_bind(entry) && sandbox->sources[i] < 0)
		return 0;
	if (is_root(path) && entry->kind != PLAN_SANDBOX_READ_ONLY)
		return -EINVAL;
	/* Nothing is mounted on the root. */
	long place = is_root(path) ? mount_place(path) : mount_place_to_cover(sandbox, path);
	long error = place;

	if (place < 0)
		return may_lack(entry, place) ? 0 : place;
	error = put_on(sandbox, i, place);
	close_raw(place);
	return error;
}

long sandbox_sources(struct sandbox *sandbox, uint32_t *item)
{
	long error = 0;

	for (uint32_t i = 0; error >= 0 && i < count(sandbox); i++) {
		*item = index_of(sandbox, i);
		error = take_source(sandbox, i);
	}
	return error;
}

long sandbox_enter(struct sandbox *sandbox, uint32_t *item)
{
	long error = 0;

	for (uint32_t i = 0; error >= 0 && i < count(sandbox); i++) {
		*item = index_of(sandbox, i);
		error = put_entry(sandbox, i);
	}
	/* Sources that are still open, and what hides, are closed with everything else, by a later step. */
	return error < 0 ? error : 0;
}
