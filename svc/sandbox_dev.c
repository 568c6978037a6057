/* SPDX-License-Identifier: Apache-2.0 */
/* A /proc and a /dev of a service's own. */
#include <errno.h>
#include <linux/sched.h>
#include <sys/stat.h>

#include "svc/sandbox_mount.h"

#define DEV_SKIP 5 /* "/dev/" */

/* ---- /proc ---- */

long sandbox_proc(struct sandbox *sandbox)
{
	static const char *const options[] = {"hidepid", "invisible", "subset", "pid", NULL};
	static const char *const own[] = {"hidepid", "invisible", NULL};
	const struct plan_policy *policy = sandbox->policy;
	const char *const *chosen = NULL;
	long root;

	if (!sandbox->own || !policy ||
	    (policy->proc == PLAN_PROC_ALL && !(policy->namespaces & CLONE_NEWPID)))
		return 0;
	if (policy->proc == PLAN_PROC_PROCESSES)
		chosen = options;
	else if (policy->proc == PLAN_PROC_OWN)
		chosen = own;
	long place = mount_place_to_cover(sandbox, "/proc", &root);

	if (place < 0)
		return place;
	long mount = mount_make("proc", chosen,
				MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	long error = mount < 0 ? mount : mount_put(mount, place);

	close_raw(mount);
	close_raw(place);
	close_raw(root);
	return error;
}

/* ---- /dev ---- */

struct devices {
	struct sandbox *sandbox;
	int nodes[PLAN_MAX_DEVICES]; /* detached copies; -1: the node has none such */
};

static const char *name_of(const struct devices *devices, uint32_t i)
{
	return plan_list_string(devices->sandbox->plan, devices->sandbox->policy->devices, i);
}

static uint32_t count_of(const struct devices *devices)
{
	uint32_t count = devices->sandbox->policy->devices.count;

	return count < PLAN_MAX_DEVICES ? count : PLAN_MAX_DEVICES;
}

/* Copies of the node's, before its /dev is covered. */
static long take_nodes(struct devices *devices)
{
	for (uint32_t i = 0; i < count_of(devices); i++) {
		long place = mount_place(name_of(devices, i));
		long copy = place;

		if (place >= 0)
			copy = mount_copy(place, "", AT_EMPTY_PATH | AT_RECURSIVE);
		close_raw(place);
		if (copy < 0 && copy != -ENOENT && copy != -ENOTDIR)
			return copy;
		devices->nodes[i] = copy < 0 ? -1 : (int)copy;
	}
	return 0;
}

/* Directories on the way to `name`, below `dev`. */
static long make_parents(long dev, const char *name)
{
	char parent[PLAN_MAX_PATH + 1];

	for (unsigned n = 0; name[n] != '\0' && n < PLAN_MAX_PATH; n++) {
		parent[n] = '\0';
		if (n > 0 && name[n] == '/') {
			long error = raw_syscall3(__NR_mkdirat, dev, (long)parent, 0755);

			if (error < 0 && error != -EEXIST)
				return error;
		}
		parent[n] = name[n];
	}
	return 0;
}

static long make_mount_points(const struct devices *devices, long dev)
{
	static const struct {
		const char *name, *target;
	} links[] = {
		{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
		{"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
		{"ptmx", "pts/ptmx"},
	};
	long error = raw_syscall3(__NR_mkdirat, dev, (long)"pts", 0755);

	if (error >= 0)
		error = raw_syscall3(__NR_mkdirat, dev, (long)"shm", 0755);
	for (unsigned i = 0; error >= 0 && i < sizeof links / sizeof links[0]; i++)
		error = raw_syscall3(__NR_symlinkat, (long)links[i].target, dev,
				     (long)links[i].name);
	for (uint32_t i = 0; error >= 0 && i < count_of(devices); i++) {
		const char *name = name_of(devices, i) + DEV_SKIP;

		if (devices->nodes[i] < 0)
			continue;
		error = make_parents(dev, name);
		if (error >= 0)
			error = raw_syscall4(__NR_mknodat, dev, (long)name, S_IFREG | 0600, 0);
	}
	return error;
}

static long put_at(long mount, long dev, const char *name)
{
	if (mount < 0)
		return mount;
	long error = raw_syscall5(__NR_move_mount, mount, (long)"", dev, (long)name,
				  MOVE_MOUNT_F_EMPTY_PATH);

	close_raw(mount);
	return error;
}

static long put_nodes(struct devices *devices, long dev)
{
	static const char *const pts[] = {"newinstance", "",     "ptmxmode", "0666",
					  "mode",        "0620", NULL};
	static const char *const shm[] = {"mode", "1777", "size", "10%", NULL};
	long error = 0;

	for (uint32_t i = 0; error >= 0 && i < count_of(devices); i++)
		if (devices->nodes[i] >= 0)
			error = put_at(devices->nodes[i], dev, name_of(devices, i) + DEV_SKIP);
	if (error >= 0)
		error = put_at(mount_make("devpts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC),
			       dev, "pts");
	if (error >= 0)
		error = put_at(mount_make("tmpfs", shm, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV), dev,
			       "shm");
	return error;
}

/* A copy can be mounted on what is mounted only, so the nodes come last. */
long sandbox_dev(struct sandbox *sandbox)
{
	static const char *const options[] = {"mode", "755", "size", "256k", NULL};
	struct devices devices = {.sandbox = sandbox};
	long root;

	if (!sandbox->own || !sandbox->policy ||
	    !(sandbox->policy->flags & PLAN_POLICY_PRIVATE_DEV))
		return 0;
	long error = take_nodes(&devices);
	long place = error < 0 ? error : mount_place_to_cover(sandbox, "/dev", &root);

	if (place < 0)
		return place;
	long dev = mount_make("tmpfs", options,
			      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);

	error = dev < 0 ? dev : make_mount_points(&devices, dev);
	if (error >= 0)
		error = mount_put(dev, place);
	if (error >= 0)
		error = put_nodes(&devices, dev);
	close_raw(dev);
	close_raw(place);
	close_raw(root);
	return error;
}
