// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/packages.h"

#include "rootfs-spec/cache.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KERNEL_PREFIX "linux-image-"

const char *packages_lock_path(struct pool *pool, const char *spec_path)
{
	size_t length = strlen(spec_path);

	if (length > 5 && strcmp(spec_path + length - 5, ".yaml") == 0)
		length -= 5;
	return pool_printf(pool, "%.*s.lock", (int)length, spec_path);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names the spec installs, sorted. */
static const char **sorted_names(const struct spec *spec, struct pool *pool)
{
	const struct spec_packages *packages = &spec->packages;
	const char **names = pool_alloc(pool, (packages->install_count + 1) * sizeof(*names));

	for (size_t i = 0; i < packages->install_count; i++)
		names[i] = packages->install[i].name.text;
	if (packages->install_count > 0)
		qsort(names, packages->install_count, sizeof(*names), compare_names);
	return names;
}

/* What decides the choice of packages, as one hash. */
static void request_digest(const struct spec *spec, struct pool *pool, char text[SHA256_TEXT_BYTES])
{
	const char **names = sorted_names(spec, pool);
	struct bytes request = {0};
	uint8_t digest[SHA256_BYTES];

	for (size_t i = 0; i < spec->packages.install_count; i++)
		bytes_printf(&request, "%s\n", names[i]);
	bytes_printf(&request, "dependencies %d\nkernel %s\n", spec->packages.dependencies,
		     spec->kernel.package.text != NULL ? spec->kernel.package.text : "");
	sha256_bytes(request.data, request.size, digest);
	sha256_text(digest, text);
	bytes_free(&request);
}

static void check_name(struct apt *apt, const struct text *name, struct diagnostics *diagnostics)
{
	const char *nearest;

	if (apt_knows(apt, name->text, &nearest))
		return;
	diagnose(diagnostics, name->where, "no package source has a package '%s'", name->text);
	diagnose_suggest(diagnostics, nearest);
}

static int check_names(const struct spec *spec, struct apt *apt, struct diagnostics *diagnostics)
{
	size_t before = diagnostics->errors;

	for (size_t i = 0; i < spec->packages.install_count; i++)
		check_name(apt, &spec->packages.install[i].name, diagnostics);
	if (spec->kernel.package.text != NULL)
		check_name(apt, &spec->kernel.package, diagnostics);
	return diagnostics->errors > before ? -EINVAL : 0;
}

/*
 * A kernel package depends on what installs kernels on a running machine (initramfs-tools, kmod,
 * linux-base): of its closure only the images themselves belong to a node.
 */
static int resolve_kernel(const struct spec *spec, struct apt *apt, const char ***chosen,
			  size_t *count)
{
	const char **closure = NULL;
	size_t closure_count = 0;
	int error = apt_closure(apt, &spec->kernel.package.text, 1, &closure, &closure_count);

	for (size_t i = 0; i < closure_count && error == 0; i++) {
		if (strncmp(closure[i], KERNEL_PREFIX, strlen(KERNEL_PREFIX)) != 0)
			continue;
		POOL_GROW(apt->pool, *chosen, *count);
		(*chosen)[(*count)++] = closure[i];
	}
	return error;
}

static size_t without_duplicates(struct package_set *set)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->count; i++) {
		const struct package *last = kept > 0 ? &set->list[kept - 1] : NULL;

		if (last == NULL || strcmp(last->sha256, set->list[i].sha256) != 0)
			set->list[kept++] = set->list[i];
	}
	return kept;
}

int packages_resolve(const struct spec *spec, struct apt *apt, struct diagnostics *diagnostics,
		     struct package_set *set)
{
	const char **names = sorted_names(spec, apt->pool);
	size_t name_count = spec->packages.install_count;
	const char **chosen = NULL;
	size_t count = 0;
	int error;

	*set = (struct package_set){0};
	request_digest(spec, apt->pool, set->request);
	error = apt_refresh(apt);
	if (error == 0)
		error = check_names(spec, apt, diagnostics);
	if (error == 0 && spec->packages.dependencies && name_count > 0)
		error = apt_closure(apt, names, name_count, &chosen, &count);
	else if (error == 0)
		error = apt_identify(apt, names, name_count, set);
	if (error == 0 && spec->kernel.package.text != NULL)
		error = resolve_kernel(spec, apt, &chosen, &count);
	if (error == 0)
		error = apt_identify(apt, chosen, count, set);
	lock_sort(set);
	set->count = without_duplicates(set);
	return error;
}

static int read_lock(const char *path, struct pool *pool, struct package_set *set)
{
	struct bytes text = {0};
	size_t line;
	int error = file_read(path, &text);

	if (error == 0) {
		error = lock_parse((char *)text.data, pool, set, &line);
		if (error < 0)
			report_refusal("%s:%zu: not a line of a lock file; `keelson lock` writes "
				       "a new one",
				       path, line);
	}
	bytes_free(&text);
	return error;
}

static int write_lock(const char *path, const struct package_set *set)
{
	struct bytes text = {0};
	int error;

	lock_format(set, &text);
	error = file_write(path, text.data, text.size, 0644);
	bytes_free(&text);
	return error;
}

static int read_current_lock(const char *path, const char *request, struct pool *pool,
			     struct package_set *set)
{
	int error = read_lock(path, pool, set);

	if (error == 0 && strcmp(set->request, request) != 0)
		error = report_refusal("%s was made for another list of packages; `keelson lock` "
				       "brings it up to date",
				       path);
	return error;
}

static int choose(const struct spec *spec, const char *spec_path, struct apt *apt, bool update,
		  struct diagnostics *diagnostics, struct package_set *set)
{
	const char *lock_path = packages_lock_path(apt->pool, spec_path);
	const char *resolved = cache_subdirectory(apt->pool, apt->downloads, "resolved");
	char request[SHA256_TEXT_BYTES];
	const char *remembered;
	int error;

	if (resolved == NULL)
		return -EIO;
	request_digest(spec, apt->pool, request);
	if (file_exists(lock_path))
		return read_current_lock(lock_path, request, apt->pool, set);
	remembered = pool_printf(apt->pool, "%s/%s.lock", resolved, request);
	if (!update && file_exists(remembered))
		return read_lock(remembered, apt->pool, set);
	error = packages_resolve(spec, apt, diagnostics, set);
	return error < 0 ? error : write_lock(remembered, set);
}

int packages_get(const struct spec *spec, const char *spec_path, const char *cache, bool update,
		 struct diagnostics *diagnostics, struct package_set *set)
{
	struct apt apt;
	int error = apt_open(&apt, spec->pool, cache);
	int lock;

	if (error < 0)
		return error;
	lock = file_lock(pool_printf(spec->pool, "%s/lock", apt.downloads));
	if (lock < 0)
		return lock;
	error = choose(spec, spec_path, &apt, update, diagnostics, set);
	if (error == 0)
		error = packages_unpack(spec, &apt, set);
	close(lock);
	return error;
}
