// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/programs.h"

#include "rootfs-spec/cache.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/run.h"
#include "rootfs-spec/sha256.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "program:"

/* Where they are below a build directory, and beside an installed bin/keelson. */
static const char *const places[] = {
	"", "init", "svc", "rootfs-spec", "rootfs-spec/pause", "libexec/keelson"};

static bool is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* The directory above the one that holds the running program. */
static const char *own_place(struct pool *pool)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (length < 0)
		return NULL;
	path[length] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(path, '/');
		if (slash == NULL)
			return NULL;
		*slash = '\0';
	}
	return pool_strdup(pool, path);
}

static const char *strip(const struct programs *programs, const char *path)
{
	const char *directory = cache_subdirectory(programs->pool, programs->cache, "programs");
	uint8_t digest[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	const char *stripped;
	const char *temporary;
	int error = sha256_file(path, digest);

	if (error < 0) {
		report_errno(-error, "read %s", path);
		return NULL;
	}
	if (directory == NULL)
		return NULL;
	sha256_text(digest, text);
	stripped = pool_printf(programs->pool, "%s/%s", directory, text);
	temporary = pool_printf(programs->pool, "%s.%d", stripped, (int)getpid());
	const char *argv[] = {"strip", "-o", temporary, path, NULL};
	struct run call = {.step = "strip", .argv = argv};
	if (!file_exists(stripped) &&
	    (run(&call) < 0 || chmod(temporary, 0755) < 0 || file_rename(temporary, stripped) < 0))
		return NULL;
	return stripped;
}

static const char *find_given(const struct programs *programs, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < programs->given_count; i++) {
		const char *given = programs->given[i];

		if (strncmp(given, name, length) == 0 && given[length] == '=')
			return given + length + 1;
	}
	return NULL;
}

/* Below a build or an installation: --programs, or our own. */
static const char *find_built(const struct programs *programs, const char *name)
{
	const char *base = programs->directory != NULL ? programs->directory
						       : own_place(programs->pool);

	for (size_t i = 0; base != NULL && i < sizeof(places) / sizeof(places[0]); i++) {
		const char *path = pool_printf(programs->pool, "%s/%s/%s", base, places[i], name);

		if (is_program(path))
			return path;
	}
	return NULL;
}

static const char *find(const struct programs *programs, const char *name)
{
	const char *path = find_given(programs, name);

	if (path != NULL)
		return path;
	path = find_built(programs, name);
	if (path != NULL)
		return strip(programs, path);
	path = pool_printf(programs->pool, "%s/%s/%s", programs->cache, name, name);
	return is_program(path) ? path : NULL;
}

const char *programs_find(const struct programs *programs, const char *name)
{
	const char *path = find(programs, name);

	if (path == NULL)
		report_refusal("the program %s is in no build of keelson and not in the cache; "
			       "--program %s=PATH says where it is",
			       name, name);
	return path;
}

const char *programs_name(const char *source)
{
	const char *name = strrchr(source, '/') != NULL ? strrchr(source, '/') + 1 : source;

	return strncmp(name, PROGRAM, strlen(PROGRAM)) == 0 ? name + strlen(PROGRAM) : NULL;
}

const char *programs_source(const struct programs *programs, const char *source)
{
	const char *name = programs_name(source);

	return name != NULL ? find(programs, name) : source;
}
