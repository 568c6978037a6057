/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup v2 tree (Documentation/admin-guide/cgroup-v2.rst): PID 1 in the leaf `init`, each
 * service in a leaf of its own, processes in leaves only. All functions return 0 or more, or a
 * negative errno; descriptors are CLOEXEC and belong to the caller. The files are the kernel's and
 * never block.
 */
#ifndef KEELSON_CGROUP_H
#define KEELSON_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#define CGROUP_INIT_LEAF "init"
#define CGROUP_PATH_BYTES 512u

/* The root of the tree as a directory descriptor. -ENOTSUP: there is no cgroup2 mounted there. */
int cgroup_open(const char *root);

/*
 * Move the calling process into the leaf `init` and enable `controllers` ("+cpu +memory ...", or "")
 * for the groups below the root. A controller that the kernel does not have or that is in use
 * elsewhere is left out; the first such error is returned after all have been tried.
 */
int cgroup_init(int root, const char *controllers);

/*
 * Make the group `path` ("a/b", no leading slash) and its parents as needed, with `controllers`
 * enabled in the parents, and return a descriptor of it.
 */
int cgroup_make(int root, const char *path, const char *controllers);

/* Write one of the group's files. */
int cgroup_write(int group, const char *file, const char *value);

/* SIGKILL to every process in the group and below it. */
int cgroup_kill(int group);

/* cgroup.events of the group: epoll tells EPOLLPRI when it changed since it was last read. */
int cgroup_open_events(int group);

/* 1: a process lives in the group or below it, 0: none. */
int cgroup_populated(int events);

/* Remove the group with everything below it, as far as no processes are left. */
int cgroup_remove(int root, const char *path);

/* Pure: the value of `populated` in the text of cgroup.events: 0, 1, or -EBADMSG. */
int cgroup_parse_populated(const char *text, size_t size);

/*
 * Pure: the cgroup v2 path in the text of /proc/PID/cgroup (cgroups(7)), without its leading slash,
 * into `path`. 0, -ENOENT (no v2 line), -ENAMETOOLONG.
 */
int cgroup_parse_path(const char *text, size_t size, char path[static CGROUP_PATH_BYTES]);

/* Pure: `path` is `group` or below it. */
bool cgroup_contains(const char *group, const char *path);

/* The group that `pid` is in now, as cgroup_parse_path(). */
int cgroup_of_process(int pid, char path[static CGROUP_PATH_BYTES]);

#endif
