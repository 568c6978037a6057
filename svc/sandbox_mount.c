/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/sandbox_mount.h"

#include <errno.h>
#include <linux/openat2.h>

#define SIZE_VER0 32 /* struct mount_attr, mount_setattr(2) */
#define PRIVATE_PROPAGATION \
	(1 << 18) /* MS_PRIVATE: sys/mount.h and linux/mount.h exclude another */

long mount_place(const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};

	return raw_syscall4(__NR_openat2, AT_FDCWD, (long)path, (long)&how, sizeof how);
}

long mount_is_directory(long place)
{
	long fd = raw_syscall4(__NR_openat, place, (long)".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd == -ENOTDIR)
		return 0;
	close_raw(fd);
	return fd < 0 ? fd : 1;
}

/* The place, whose mount is private from now on; -EINVAL: nothing is mounted just there. */
static long make_private(const char *path)
{
	struct mount_attr attributes = {.propagation = PRIVATE_PROPAGATION};
	long place = mount_place(path);

	if (place < 0)
		return place;
	long error = raw_syscall5(__NR_mount_setattr, place, (long)"", AT_EMPTY_PATH,
				  (long)&attributes, SIZE_VER0);

	if (error >= 0)
		return place;
	close_raw(place);
	return error;
}

/* The same of the path or its nearest parent where something is mounted: at the latest "/". */
static long make_private_around(const char *path)
{
	char around[PLAN_MAX_PATH + 1];
	unsigned length = 0;

	for (; path[length] != '\0' && length < PLAN_MAX_PATH; length++)
		around[length] = path[length];
	for (;;) {
		around[length] = '\0';
		long root = make_private(length > 0 ? around : "/");

		if (root != -EINVAL || length == 0)
			return root;
		while (length > 0 && around[length - 1] != '/')
			length--;
		while (length > 0 && around[length - 1] == '/')
			length--;
	}
}

long mount_place_to_cover(const struct sandbox *sandbox, const char *path, long *root)
{
	long place = mount_place(path);

	*root = -1;
	if (place < 0 || !sandbox->shared)
		return place;
	*root = make_private_around(path);
	if (*root >= 0)
		return place;
	close_raw(place);
	return *root;
}

long mount_copy(long directory, const char *path, long flags)
{
	return raw_syscall3(__NR_open_tree, directory, (long)path,
			    flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

long mount_make_read_only(long mount)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};

	return raw_syscall5(__NR_mount_setattr, mount, (long)"", AT_EMPTY_PATH | AT_RECURSIVE,
			    (long)&attributes, SIZE_VER0);
}

long mount_put(long mount, long place)
{
	return raw_syscall5(__NR_move_mount, mount, (long)"", place, (long)"",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static long set_option(long fs, const char *key, const char *value)
{
	if (value[0] == '\0')
		return raw_syscall5(__NR_fsconfig, fs, FSCONFIG_SET_FLAG, (long)key, 0, 0);
	return raw_syscall5(__NR_fsconfig, fs, FSCONFIG_SET_STRING, (long)key, (long)value, 0);
}

long mount_make(const char *type, const char *const *options, long attributes)
{
	long fs = raw_syscall2(__NR_fsopen, (long)type, FSOPEN_CLOEXEC);
	long result = fs;

	for (; result >= 0 && options && *options; options += 2)
		result = set_option(fs, options[0], options[1]);
	if (result >= 0)
		result = raw_syscall5(__NR_fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
	if (result >= 0)
		result = raw_syscall3(__NR_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
	close_raw(fs);
	return result;
}
