/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-spec/check_paths.h"
#include "rootfs-spec/check_programs.h"
#include "rootfs-spec/root_path.h"

const struct spec_mount *check_mount_of(const struct spec *spec, const char *path)
{
	const struct spec_mount *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < spec->mount_count; i++) {
		const char *target = spec->mounts[i].target.text;
		size_t length = strlen(target);
		if (strncmp(path, target, length) == 0 && path[length] == '/' && length > longest) {
			best = &spec->mounts[i];
			longest = length;
		}
	}
	return best;
}

/* `path` is `above` or lies below it. */
static bool is_below(const char *path, const char *above)
{
	size_t length = strlen(above);

	return strncmp(path, above, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

bool check_made_at_boot(const struct spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->path_count; i++)
		if (is_below(spec->paths[i].path.text, path))
			return true;
	return false;
}

bool check_in_root(int root_fd, const char *path)
{
	int fd = root_path_open(root_fd, path, O_PATH);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool check_is_runtime(const char *path)
{
	static const char *const prefixes[] = {"/proc", "/sys", "/dev", "/run"};

	for (size_t i = 0; i < 4; i++)
		if (is_below(path, prefixes[i]))
			return true;
	return false;
}

/* The part of `path` that is a symbolic link, in the image or made at boot; NULL: none is. */
static const char *link_in(const struct spec *spec, int root_fd, const char *path)
{
	/* proc(5) */
	static const char *const links[] = {"/proc/self", "/proc/thread-self", "/proc/net",
					    "/proc/mounts"};
	struct pool *pool = spec->pool;

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (is_below(path, links[i]))
			return links[i];
	for (size_t i = 0; i < spec->path_count; i++)
		if (spec->paths[i].kind == PLAN_PATH_SYMLINK &&
		    is_below(path, spec->paths[i].path.text))
			return spec->paths[i].path.text;
	if (check_mount_of(spec, path) || check_is_runtime(path))
		return NULL;
	for (const char *end = strchr(path + 1, '/');; end = strchr(end + 1, '/')) {
		const char *part = end ? pool_copy(pool, path, (size_t)(end - path)) : path;
		int fd = root_path_open(root_fd, part, O_PATH | O_NOFOLLOW);
		struct stat status;
		bool link = fd >= 0 && fstat(fd, &status) == 0 && S_ISLNK(status.st_mode);
		if (fd >= 0)
			close(fd);
		if (link)
			return part;
		if (!end || fd < 0)
			return NULL;
	}
}

static void check_one(const struct spec *spec, int root_fd, const struct text *path, bool optional,
		      struct diagnostics *diagnostics)
{
	const char *link = link_in(spec, root_fd, path->text);

	if (link) {
		diagnose(diagnostics, path->where,
			 "%s %s a symbolic link, which is not followed here", path->text,
			 strcmp(link, path->text) == 0
				 ? "is"
				 : pool_printf(spec->pool, "goes through %s,", link));
		diagnose_hint(diagnostics, "say the path that it leads to");
		return;
	}
	if (optional || check_mount_of(spec, path->text) || check_is_runtime(path->text) ||
	    check_made_at_boot(spec, path->text) || check_in_root(root_fd, path->text))
		return;
	diagnose(diagnostics, path->where, "%s is not in the image: the service could not start",
		 path->text);
	check_suggest_beside(root_fd, path->text, diagnostics);
}

void check_sandboxes(const struct spec *spec, int root_fd, struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < spec->service_count; i++) {
		const struct spec_service *service = &spec->services[i];
		for (size_t j = 0; j < service->sandbox_count; j++) {
			const struct spec_sandbox *entry = &service->sandbox[j];
			check_one(spec, root_fd, &entry->path, entry->optional, diagnostics);
			/* A bind of a path onto itself is one path. */
			if (entry->source.text && strcmp(entry->source.text, entry->path.text) != 0)
				check_one(spec, root_fd, &entry->source, entry->optional,
					  diagnostics);
		}
	}
}
