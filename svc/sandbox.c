/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/sandbox.h"

#include <errno.h>
#include <linux/sched.h>
#include <sys/stat.h>

#include "svc/sandbox_mount.h"

#define UMOUNT_DETACH \
	2 /* MNT_DETACH of umount2(2): sys/mount.h and linux/mount.h exclude another */
#define SLAVE_RECURSIVE ((1l << 19) | (1l << 14)) /* MS_SLAVE | MS_REC of mount(2), as above */

#define HIDDEN_DIRECTORY "directory"
#define HIDDEN_FILE "file"

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
	sandbox->store = -1;
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

/* ---- what hides ---- */

/* A detached tmpfs with both kinds of what hides. */
static long fill_store(void)
{
	static const char *const options[] = {"mode", "700", "size", "64k", NULL};
	long store = mount_make("tmpfs", options,
				MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	long error = store;

	if (error >= 0)
		error = raw_syscall3(__NR_mkdirat, store, (long)HIDDEN_DIRECTORY, 0);
	if (error >= 0)
		error = raw_syscall4(__NR_mknodat, store, (long)HIDDEN_FILE, S_IFREG, 0);
	if (error >= 0)
		error = mount_make_read_only(store);
	if (error >= 0)
		return store;
	close_raw(store);
	return error;
}

/* Unmount what is open as `store`. The working directory is set by a later step. */
static void drop_store(long store)
{
	if (store < 0)
		return;
	if (raw_syscall1(__NR_fchdir, store) >= 0)
		raw_syscall2(__NR_umount2, (long)".", UMOUNT_DETACH);
	close_raw(store);
}

/*
 * A copy can only be taken of what is mounted in this namespace (open_tree(2)), so the store is
 * mounted on the root for the time being: there it covers nothing, as the root of a process is what
 * lies below it.
 */
static long keep_store(struct sandbox *sandbox)
{
	long store = fill_store();

	if (store < 0)
		return store;
	long error = raw_syscall5(__NR_move_mount, store, (long)"", AT_FDCWD, (long)"/",
				  MOVE_MOUNT_F_EMPTY_PATH);

	if (error < 0)
		close_raw(store);
	else
		sandbox->store = store;
	return error;
}

/* A detached copy of one kind of what hides. */
static long copy_hidden(struct sandbox *sandbox, bool directory)
{
	long error = sandbox->store < 0 ? keep_store(sandbox) : 0;

	return error < 0
		       ? error
		       : mount_copy(sandbox->store, directory ? HIDDEN_DIRECTORY : HIDDEN_FILE, 0);
}

/*
 * On the root of a namespace that shares its mounts the node would see the store. There the root of
 * the mount that something is covered on, which is private by now, holds it for the moment.
 */
static long copy_hidden_file_at(long root)
{
	long store = fill_store();

	if (store < 0)
		return store;
	long copy = mount_put(store, root);

	if (copy < 0) {
		close_raw(store);
		return copy;
	}
	copy = mount_copy(store, HIDDEN_FILE, 0);
	drop_store(store);
	return copy;
}

static long make_hidden_directory(void)
{
	static const char *const options[] = {"mode", "0", "size", "4k", NULL};

	return mount_make("tmpfs", options,
			  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				  MOUNT_ATTR_NOEXEC);
}

static long put_hidden(struct sandbox *sandbox, long place, long root)
{
	long directory = mount_is_directory(place);
	long mount;

	if (directory < 0)
		return directory;
	if (!sandbox->shared)
		mount = copy_hidden(sandbox, directory != 0);
	else
		mount = directory ? make_hidden_directory() : copy_hidden_file_at(root);
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

static long put_on(struct sandbox *sandbox, uint32_t i, long place, long root)
{
	const struct plan_sandbox *entry = entry_of(sandbox, i);

	switch (entry->kind) {
	case PLAN_SANDBOX_TMP: return put_tmp(place);
	case PLAN_SANDBOX_READ_ONLY:
		return is_root(plan_string(sandbox->plan, entry->path))
			       ? mount_make_read_only(place)
			       : put_read_only(place);
	case PLAN_SANDBOX_HIDDEN: return put_hidden(sandbox, place, root);
	default:
		return put_bind(sandbox->sources[i], place,
				entry->kind == PLAN_SANDBOX_BIND_READ_ONLY);
	}
}

static long put_entry(struct sandbox *sandbox, uint32_t i)
{
	const struct plan_sandbox *entry = entry_of(sandbox, i);
	const char *path = plan_string(sandbox->plan, entry->path);
	long root = -1;

	if (is_bind(entry) && sandbox->sources[i] < 0)
		return 0;
	if (is_root(path) && entry->kind != PLAN_SANDBOX_READ_ONLY)
		return -EINVAL;
	/* Nothing is mounted on the root. */
	long place = is_root(path) ? mount_place(path) : mount_place_to_cover(sandbox, path, &root);

	if (place < 0)
		return may_lack(entry, place) ? 0 : place;
	long error = put_on(sandbox, i, place, root);

	close_raw(place);
	close_raw(root);
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
	drop_store(sandbox->store);
	/* The sources that are still open are closed with everything else, by a later step. */
	return error < 0 ? error : 0;
}
