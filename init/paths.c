/* SPDX-License-Identifier: Apache-2.0 */
#include "init/paths.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/files.h"

/* mkdir(2) takes the umask and cannot set an owner: the mode is set after the owner, which would
 * clear its set-id bits. */
static int make_directory(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	if (mkdir(path, 0700) < 0 || chown(path, uid, gid) < 0 || chmod(path, mode) < 0)
		return -errno;
	return 0;
}

static int make_link(const char *path, const char *target, uid_t uid, gid_t gid)
{
	if (symlink(target, path) < 0 || lchown(path, uid, gid) < 0)
		return -errno;
	return 0;
}

static int make(const struct plan *plan, const struct plan_path *path)
{
	const char *name = plan_string(plan, path->path);
	const char *content = plan_string(plan, path->content);

	switch ((enum plan_path_kind)path->kind) {
	case PLAN_PATH_DIRECTORY: return make_directory(name, path->mode, path->uid, path->gid);
	case PLAN_PATH_SYMLINK: return make_link(name, content, path->uid, path->gid);
	case PLAN_PATH_FILE:
		return file_create(name, content, strlen(content), path->mode, path->uid,
				   path->gid);
	case PLAN_PATH_COPY: return file_copy(content, name, path->mode, path->uid, path->gid);
	}
	return -EINVAL;
}

int path_make(const struct plan *plan, const struct plan_path *path)
{
	const char *name = plan_string(plan, path->path);
	struct stat st;
	int error;

	if (lstat(name, &st) == 0)
		return 0;
	error = directories_above(name);
	if (!error)
		error = make(plan, path);
	return error == -EEXIST ? 0 : error;
}
