/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-spec/check_programs.h"
#include "rootfs-spec/elf_needs.h"
#include "rootfs-spec/nearest.h"
#include "rootfs-spec/root_path.h"

#define MAX_DEPTH 32u /* of libraries that need libraries, and of directories */

struct checker {
	const struct spec *spec;
	int fd; /* of the root */
	struct pool *pool;
	struct diagnostics *diagnostics;
	/* Programs and libraries that were looked at already: each is told once. */
	struct texts seen;
	bool warn;                      /* what is found is no service's own program */
	const struct spec_policy *held; /* by Landlock: the policy; else NULL */
};

static void tell(struct checker *checker, struct where where, const char *text)
{
	if (checker->warn)
		diagnose_warning(checker->diagnostics, where, "%s", text);
	else
		diagnose(checker->diagnostics, where, "%s", text);
}

void check_suggest_beside(int root_fd, const char *path, struct diagnostics *diagnostics)
{
	const char *slash = strrchr(path, '/');
	const char *directory = pool_copy(diagnostics->pool, path, (size_t)(slash - path));
	int fd = root_path_open(root_fd, directory, O_RDONLY | O_DIRECTORY);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	struct nearest nearest = {.name = slash + 1};
	struct dirent *entry;

	while (listing && (entry = readdir(listing)))
		nearest_offer(&nearest, pool_strdup(diagnostics->pool, entry->d_name));
	if (nearest.best)
		diagnose_suggest(diagnostics,
				 pool_printf(diagnostics->pool, "%s/%s", directory, nearest.best));
	if (listing)
		closedir(listing);
	else if (fd >= 0)
		close(fd);
}

/* Where a descriptor leads, below the root: Landlock goes by that, not by the names on the way. */
static const char *place_of(const struct checker *checker, int fd)
{
	char root[PLAN_MAX_PATH + 1], path[PLAN_MAX_PATH + 1];
	ssize_t base = readlink(pool_printf(checker->pool, "/proc/self/fd/%d", checker->fd), root,
				sizeof(root) - 1);
	ssize_t length = readlink(pool_printf(checker->pool, "/proc/self/fd/%d", fd), path,
				  sizeof(path) - 1);

	if (base == 1 && root[0] == '/')
		base = 0;
	return base < 0 || length < base
		       ? NULL
		       : pool_copy(checker->pool, path + base, (size_t)(length - base));
}

static bool lies_below(const char *path, const char *top)
{
	const size_t length = strlen(top);

	return length == 0 ||
	       (strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == '\0'));
}

/* landlock(7): what a file may be used for is the sum of the rules on all directories above it. */
static void check_held(struct checker *checker, struct where where, const char *path, int fd,
		       bool execute)
{
	const uint64_t need = LANDLOCK_ACCESS_FS_READ_FILE |
			      (execute ? LANDLOCK_ACCESS_FS_EXECUTE : 0);
	const struct spec_policy *policy = checker->held;
	uint64_t given = 0;

	if (!policy)
		return;
	const char *place = place_of(checker, fd);
	for (size_t i = 0; place && i < policy->landlock_count; i++) {
		const struct spec_landlock_rule *rule = &policy->landlock[i];
		int top = rule->kind == PLAN_LANDLOCK_PATH
				  ? root_path_open(checker->fd, rule->path.text, O_PATH)
				  : -1;
		const char *above = top < 0 ? NULL : place_of(checker, top);
		if (above && lies_below(place, above))
			given |= rule->access;
		if (top >= 0)
			close(top);
	}
	if (!place || (given & need) == need)
		return;
	diagnose(checker->diagnostics, where,
		 "Landlock of policy '%s' lets nobody %s %s: the service could not start",
		 policy->name.text, execute ? "execute" : "read", path);
	diagnose_hint(checker->diagnostics, "'%s' of the policy's 'landlock' does not cover it",
		      execute ? "execute" : "read");
}

/* Where the loader looks without a cache or an environment (ld.so(8)), Debian's places. */
static const char *const library_places[] = {
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
	"/lib/aarch64-linux-gnu",
	"/usr/lib/aarch64-linux-gnu",
	"/lib",
	"/usr/lib",
	"/lib64",
	"/usr/lib64",
};

static bool seen_before(struct checker *checker, const char *path)
{
	for (size_t i = 0; i < checker->seen.count; i++)
		if (strcmp(checker->seen.list[i].text, path) == 0)
			return true;
	POOL_GROW(checker->pool, checker->seen.list, checker->seen.count);
	checker->seen.list[checker->seen.count++] = (struct text){.text = path};
	return false;
}

static void check_elf(struct checker *checker, struct where where, const char *path, int fd,
		      const char *chain, unsigned depth);

static const char *expand_origin(struct checker *checker, const char *directory, const char *path)
{
	static const char *const names[] = {"$ORIGIN", "${ORIGIN}"};
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < 2; i++) {
		size_t length = strlen(names[i]);
		if (strncmp(directory, names[i], length) == 0)
			return pool_printf(checker->pool, "%.*s%s", (int)(slash - path), path,
					   directory + length);
	}
	return directory;
}

static int open_library(struct checker *checker, const struct elf *elf, const char *path,
			const char *name, const char **found)
{
	if (strchr(name, '/')) {
		*found = name;
		return root_path_open(checker->fd, name, O_RDONLY);
	}
	const char *search = elf->runpath;
	while (search && *search) {
		size_t length = strcspn(search, ":");
		const char *directory =
			expand_origin(checker, pool_copy(checker->pool, search, length), path);
		*found = pool_printf(checker->pool, "%s/%s", directory, name);
		int fd = root_path_open(checker->fd, *found, O_RDONLY);
		if (fd >= 0)
			return fd;
		search += length + (search[length] == ':');
	}
	for (size_t i = 0; i < sizeof(library_places) / sizeof(library_places[0]); i++) {
		*found = pool_printf(checker->pool, "%s/%s", library_places[i], name);
		int fd = root_path_open(checker->fd, *found, O_RDONLY);
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

static void check_libraries(struct checker *checker, struct where where, const char *path,
			    const struct elf *elf, const char *chain, unsigned depth)
{
	for (size_t i = 0; i < elf->needed_count; i++) {
		const char *found, *name = elf->needed[i];
		int fd = open_library(checker, elf, path, name, &found);
		if (fd < 0) {
			tell(checker, where,
			     pool_printf(checker->pool,
					 "%s needs the library %s, which is not in the image",
					 chain, name));
			if (!checker->spec->packages.dependencies)
				diagnose_hint(
					checker->diagnostics,
					"'packages.dependencies' is false: its package is to be "
					"named in 'install', too");
			continue;
		}
		check_held(checker, where, found, fd, false);
		/* Two names of one library are looked at twice, which costs little. */
		if (!seen_before(checker, found))
			check_elf(checker, where, found, fd,
				  pool_printf(checker->pool, "%s -> %s", chain, name), depth + 1);
		close(fd);
	}
}

static void check_interpreter(struct checker *checker, struct where where, const char *path,
			      const char *interpreter)
{
	int fd = root_path_open(checker->fd, interpreter, O_RDONLY);

	if (fd < 0)
		tell(checker, where,
		     pool_printf(checker->pool,
				 "%s needs the interpreter %s, which is not in the image", path,
				 interpreter));
	if (fd < 0)
		return;
	check_held(checker, where, interpreter, fd, true);
	close(fd);
}

static void check_elf(struct checker *checker, struct where where, const char *path, int fd,
		      const char *chain, unsigned depth)
{
	struct elf elf = {0};
	int error = elf_read(fd, checker->pool, &elf);

	if (error == -ENOEXEC && elf.script)
		check_interpreter(checker, where, path, elf.script);
	else if (error && !checker->warn)
		diagnose(checker->diagnostics, where, "%s is neither a program nor a script", path);
	if (error || depth > MAX_DEPTH)
		return;
	if (elf.interpreter)
		check_interpreter(checker, where, path, elf.interpreter);
	check_libraries(checker, where, path, &elf, chain, depth);
}

/* The mount that hides what the image has at `path`, or NULL; an overlay shows it. */
static const struct spec_mount *mount_over(const struct spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *mount = &spec->mounts[i];
		size_t length = strlen(mount->target.text);

		if (mount->source_kind != PLAN_SOURCE_OVERLAY && length > 1 &&
		    strncmp(path, mount->target.text, length) == 0 && path[length] == '/')
			return mount;
	}
	return NULL;
}

/* Under Landlock everything is looked at for this service alone: another may be held elsewhere. */
static void check_program_file(struct checker *checker, const struct spec_service *service,
			       const struct text *program, int fd)
{
	const struct spec_policy *policy =
		service->policy.text ? spec_policy(checker->spec, service->policy.text) : NULL;
	const struct texts seen = checker->seen;

	if (!policy || !policy->landlock_fs || policy->mode == PLAN_MODE_AUDIT) {
		if (!seen_before(checker, program->text))
			check_elf(checker, program->where, program->text, fd, program->text, 0);
		return;
	}
	checker->held = policy;
	checker->seen = (struct texts){0};
	check_held(checker, program->where, program->text, fd, true);
	check_elf(checker, program->where, program->text, fd, program->text, 0);
	checker->held = NULL;
	checker->seen = seen;
}

static void check_program(void *context, const struct spec_service *service,
			  const struct text *program)
{
	struct checker *checker = context;
	const char *path = program->text;
	const struct spec_mount *mount = mount_over(checker->spec, path);
	struct stat status;

	if (mount) {
		diagnose_warning(checker->diagnostics, program->where,
				 "%s comes from the mount %s: nobody can look for it now", path,
				 mount->target.text);
		return;
	}

	int fd = root_path_open(checker->fd, path, O_RDONLY);

	if (fd < 0) {
		diagnose(checker->diagnostics, program->where, "%s is not in the image", path);
		check_suggest_beside(checker->fd, path, checker->diagnostics);
		return;
	}
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		diagnose(checker->diagnostics, program->where, "%s is not a regular file", path);
	else if (!(status.st_mode & 0111))
		diagnose(checker->diagnostics, program->where, "%s is not executable", path);
	else
		check_program_file(checker, service, program, fd);
	close(fd);
}

/*
 * Programs that services run in turn, such as runc: nobody names them here, so what they lack may
 * never be missed, and is only a warning.
 */
static void check_others(struct checker *checker, const char *directory, unsigned depth)
{
	int fd = root_path_open(checker->fd, directory, O_RDONLY | O_DIRECTORY);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat status;

	while (listing && (entry = readdir(listing))) {
		const char *path = pool_printf(checker->pool, "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] == '.' ||
		    fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(status.st_mode) && depth < MAX_DEPTH) {
			check_others(checker, path, depth + 1);
		} else if (S_ISREG(status.st_mode) && status.st_mode & 0111 &&
			   !seen_before(checker, path)) {
			struct elf elf;
			int file = root_path_open(checker->fd, path, O_RDONLY);
			/* Libraries count with the programs that need them; scripts are too many. */
			if (file >= 0 && elf_read(file, checker->pool, &elf) == 0 &&
			    elf.interpreter)
				check_elf(checker, (struct where){0}, path, file, path, 0);
			if (file >= 0)
				close(file);
		}
	}
	if (listing)
		closedir(listing);
	else if (fd >= 0)
		close(fd);
}

void check_programs(const struct spec *spec, int root_fd, struct diagnostics *diagnostics)
{
	struct checker checker = {
		.spec = spec, .fd = root_fd, .pool = spec->pool, .diagnostics = diagnostics};

	spec_each_program(spec, check_program, &checker);
	checker.warn = true;
	check_others(&checker, "", 0);
}
