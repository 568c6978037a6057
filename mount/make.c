/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "mount/sys.h"

/* One level; that it is there already is fine, also where nothing could be made. */
static int make_directory(const char *path)
{
	struct stat st;

	if (mkdir(path, 0755) == 0)
		return 0;

	int error = -errno;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	return error;
}

int make_directories(const char *path)
{
	char copy[PATH_MAX];
	size_t length = strlen(path);
	int error;

	if (length >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, path, length + 1);
	for (size_t i = 1; i < length; i++) {
		if (copy[i] != '/')
			continue;
		copy[i] = '\0';
		error = make_directory(copy);
		if (error)
			return error;
		copy[i] = '/';
	}
	return make_directory(copy);
}

/* Add one option, value "" for a flag. */
static int configure(int fs, const char *key, const char *value)
{
	return sys_fsconfig(fs, value[0] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key,
			    value[0] ? value : NULL);
}

int mount_filesystem(const char *type, const char *source, const char *target, uint64_t attributes,
		     const char *const *options, const char **step)
{
	int error;

	*step = "fsopen";

	cleanup_fd fs = sys_fsopen(type);

	if (fs < 0)
		return fs;
	*step = "fsconfig";
	error = source[0] ? configure(fs, "source", source) : 0;
	if (!error && attributes & MOUNT_ATTR_RDONLY)
		error = configure(fs, "ro", "");
	for (; options && options[0] && !error; options += 2) {
		*step = options[0];
		error = configure(fs, options[0], options[1]);
	}
	if (error)
		return error;
	*step = "create superblock";
	error = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (error)
		return error;
	*step = "fsmount";

	cleanup_fd mount_fd = sys_fsmount(fs, attributes);

	if (mount_fd < 0)
		return mount_fd;
	*step = "move_mount";
	return sys_move_mount(mount_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
}

int mount_propagation(const char *target, uint64_t propagation)
{
	return mount(NULL, target, NULL, (unsigned long)propagation, NULL) < 0 ? -errno : 0;
}
