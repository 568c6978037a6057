/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup v2 tree (Documentation/admin-guide/cgroup-v2.rst): PID 1 in the leaf `init`, each
 * service in a leaf of its own, processes in leaves only. All functions return 0 or more, or a
 * negative errno; descriptors are CLOEXEC and belong to the caller. The files are the kernel's and
 * never block.
 *
 * Every parent of a service's group has the node's controllers enabled for what is below it, so
 * that a service finds them all in its own group: its settings are written there before anything
 * runs in it. A controller that the kernel lacks is missed only by the service that sets something
 * of it.
 */
#ifndef KEELSON_CGROUP_H
#define KEELSON_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"

#define CGROUP_INIT_LEAF "init"
#define CGROUP_PATH_BYTES 512u
#define CGROUP_LIST_BYTES 128u /* names of controllers */

/* The root of the tree as a directory descriptor. -ENOTSUP: there is no cgroup2 mounted there. */
int cgroup_open(const char *root);

/* Move the calling process into the leaf `init`. */
int cgroup_enter_leaf(int root);

/*
 * Enable `controllers` ("+cpu +memory ...", or "") for the groups below this one, as far as they are
 * there: the others are named in `missing` (" cpu io", or ""). Returns the first other error.
 */
int cgroup_enable(int group, const char *controllers, char missing[static CGROUP_LIST_BYTES]);

/* Make every group that services of the plan lie below, with the node's controllers. */
int cgroup_make_parents(int root, const struct plan *plan);

/*
 * Make the group `path` ("a/b", no leading slash), with `controllers` enabled in the parents that
 * are not there yet, and return a descriptor of it. `existed` (may be NULL): it was there already.
 */
int cgroup_make(int root, const char *path, const char *controllers, bool *existed);

/* Write one of the group's files. */
int cgroup_write(int group, const char *file, const char *value);

/* SIGKILL to every process in the group and below it. */
int cgroup_kill(int group);

/* cgroup.events of the group: epoll tells EPOLLPRI when it changed since it was last read. */
int cgroup_open_events(int group);

/* 1: a process lives in the group or below it, 0: none. */
int cgroup_populated(int events);

/*
 * Write the service's settings into its group. A device by its path ("/dev/vda rbps=1048576") in a
 * file of the io controller becomes the number that this boot gave it. What fails is logged; the
 * error of the first setting that is not optional is returned.
 */
int cgroup_apply(const struct plan *plan, const struct plan_service *service, int group);

/*
 * Give the group to a user as far as a delegation goes (cgroup-v2.rst, "Delegation"): the directory
 * and the files that place processes and distribute controllers, not those that limit the group
 * itself. Which controllers go to groups below is the owner's affair; all are there.
 */
int cgroup_delegate(int group, uint32_t uid, uint32_t gid);

/*
 * Load a device program (struct bpf_insn[], verified with the plan) into the kernel, which takes far
 * longer than to attach it: a descriptor, or a negative errno (bpf(2)): -EPERM without CAP_BPF and
 * CAP_NET_ADMIN, -EINVAL from a kernel without CONFIG_CGROUP_BPF.
 */
int cgroup_load_devices(const void *program, uint32_t size_bytes);

/*
 * Let such a program decide which devices everybody in the group and below may open and make; groups
 * below may have stricter ones of their own. It takes the place of what an earlier life attached. 0
 * or a negative errno.
 */
int cgroup_attach_devices(int group, int program);

/* How many the group itself has; a negative errno. */
int cgroup_device_programs(int group);

/*
 * Processes in the group and below that the kernel killed for want of memory since the group was
 * made: its own limit's or the machine's. 0 without a memory controller.
 */
int cgroup_oom_kills(int group, uint64_t *count);

/*
 * Remove the group with everything below it. -EBUSY: processes are left in it, or so many groups that
 * another call has to go on.
 */
int cgroup_remove(int root, const char *path);

/* Pure: the value of `populated` in the text of cgroup.events: 0, 1, or -EBADMSG. */
int cgroup_parse_populated(const char *text, size_t size);

/* Pure: the number after `key` ("oom_kill ") in a flat keyed file. 0, or -EBADMSG. */
int cgroup_parse_counter(const char *text, size_t size, const char *key, uint64_t *value);

/*
 * Pure: split "PATH rest" at the first blank, for a value that begins with the path of a device.
 * Returns the length of the path, 0 if it does not begin with one.
 */
size_t cgroup_device_length(const char *value);

/*
 * Pure: the cgroup v2 path in the text of /proc/PID/cgroup (cgroups(7)), without its leading slash and
 * without the " (deleted)" of a removed group (cgroup-v2.rst, "Processes"), into `path`. 0, -ENOENT (no
 * v2 line), -ENAMETOOLONG.
 */
int cgroup_parse_path(const char *text, size_t size, char path[static CGROUP_PATH_BYTES]);

/* Pure: `path` is `group` or below it. */
bool cgroup_contains(const char *group, const char *path);

/* The group that `pid` is in now, as cgroup_parse_path(). */
int cgroup_of_process(int pid, char path[static CGROUP_PATH_BYTES]);

#endif
