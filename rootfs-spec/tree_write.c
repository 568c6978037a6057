// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/tree.h"

#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* A hard link when the cache's file can serve as it is; mkfs only reads it. */
static int write_file(const struct tree_entry *entry, const char *path)
{
	struct stat status;

	if (entry->source == NULL)
		return file_write(path, entry->content, entry->size_bytes, entry->mode);
	if (entry->linkable && lstat(entry->source, &status) == 0 &&
	    (status.st_mode & 07777) == entry->mode && link(entry->source, path) == 0)
		return 0;
	return file_copy(entry->source, path, entry->mode);
}

static int write_entry(const struct tree_entry *entry, const char *path)
{
	switch (entry->kind) {
	case TREE_DIRECTORY:
		return mkdir(path, 0755) < 0 ? report_errno(errno, "make %s", path) : 0;
	case TREE_LINK:
		return symlink(entry->target, path) < 0 ? report_errno(errno, "make %s", path) : 0;
	case TREE_FILE: return write_file(entry, path);
	}
	return -EINVAL;
}

int tree_write(const struct tree *tree, const char *directory)
{
	int error = 0;

	for (size_t i = 0; i < tree->count && error == 0; i++)
		error = write_entry(&tree->list[i],
				    pool_printf(tree->pool, "%s%s", directory, tree->list[i].path));
	/* Children first: a mode may forbid to write into a directory. */
	for (size_t i = tree->count; i-- > 0 && error == 0;) {
		const char *path;

		if (tree->list[i].kind != TREE_DIRECTORY || tree->list[i].mode == 0755)
			continue;
		path = pool_printf(tree->pool, "%s%s", directory, tree->list[i].path);
		if (chmod(path, tree->list[i].mode) < 0)
			error = report_errno(errno, "change the mode of %s", path);
	}
	return error;
}
