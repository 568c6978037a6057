// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/tree.h"

#include "rootfs-spec/report.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int walk_link(struct tree *tree, const struct tree_walk *walk, const char *source,
		     const char *path)
{
	char target[PATH_MAX];
	ssize_t length = readlink(source, target, sizeof(target));

	if (length < 0)
		return report_errno(errno, "read link %s", source);
	tree_link(tree, walk->layer, walk->owner, path,
		  pool_copy(tree->pool, target, (size_t)length));
	return 0;
}

static int walk_file(struct tree *tree, const struct tree_walk *walk, const char *source,
		     const char *path, const struct stat *status)
{
	if (walk->identity == NULL)
		return tree_file(tree, walk->layer, walk->owner, path,
				 (status->st_mode & 0111) != 0 ? 0755 : 0644, source);
	tree_cached_file(tree, walk->layer, walk->owner, path, status->st_mode & 0777, source,
			 (uint64_t)status->st_size,
			 pool_printf(tree->pool, "%s:%s", walk->identity,
				     source + strlen(walk->source)));
	return 0;
}

static int walk_directory(struct tree *tree, const struct tree_walk *walk, const char *below);

static int walk_entry(struct tree *tree, const struct tree_walk *walk, const char *below)
{
	const char *source = pool_printf(tree->pool, "%s%s", walk->source, below);
	const char *path = pool_printf(tree->pool, "%s%s", walk->to, below);
	const char *merged = tree_usr_merge(tree->pool, path);
	struct stat status;

	if (lstat(source, &status) < 0)
		return report_errno(errno, "read %s", source);
	if (walk->wanted != NULL && !walk->wanted(merged, walk->context))
		return S_ISDIR(status.st_mode) ? walk_directory(tree, walk, below) : 0;
	switch (status.st_mode & S_IFMT) {
	case S_IFDIR:
		tree_directory(tree, walk->layer, walk->owner, path,
			       walk->identity != NULL ? status.st_mode & 01777 : 0755);
		return walk_directory(tree, walk, below);
	case S_IFLNK: return walk_link(tree, walk, source, path);
	case S_IFREG: return walk_file(tree, walk, source, path, &status);
	default:
		return report_refusal("%s: only files, directories and links can be in a root",
				      source);
	}
}

/* What a directory that is not wanted itself holds may still be wanted. */
static int walk_directory(struct tree *tree, const struct tree_walk *walk, const char *below)
{
	const char *directory = pool_printf(tree->pool, "%s%s", walk->source, below);
	struct dirent **names = NULL;
	int count = scandir(directory, &names, NULL, alphasort);
	int error = 0;

	if (count < 0)
		return report_errno(errno, "read %s", directory);
	for (int i = 0; i < count; i++) {
		const char *name = names[i]->d_name;

		if (error == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			error = walk_entry(tree, walk,
					   pool_printf(tree->pool, "%s/%s", below, name));
		free(names[i]);
	}
	free(names);
	return error;
}

int tree_walk(struct tree *tree, const struct tree_walk *walk)
{
	return walk_directory(tree, walk, "");
}
