// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/packages.h"

#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/run.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

static int check_digest(const struct package *package)
{
	uint8_t digest[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	int error = sha256_file(package->deb, digest);

	if (error < 0)
		return report_errno(-error, "read %s", package->deb);
	sha256_text(digest, text);
	if (strcmp(text, package->sha256) != 0)
		return report_refusal("%s is damaged: its SHA-256 is %s; delete it", package->deb,
				      text);
	return 0;
}

/* Debian's kernels come without modules.dep: their postinst makes it. */
static int index_modules(struct pool *pool, const char *tree)
{
	const char *directory = pool_printf(pool, "%s/lib/modules", tree);
	DIR *listing = opendir(directory);
	struct dirent *entry;
	int error = 0;

	while (listing != NULL && error == 0 && (entry = readdir(listing)) != NULL) {
		const char *argv[] = {"depmod", "-b", tree, entry->d_name, NULL};
		struct run call = {.step = "index kernel modules", .argv = argv};

		if (entry->d_name[0] != '.')
			error = run(&call);
	}
	if (listing != NULL)
		closedir(listing);
	return error;
}

static int unpack(struct pool *pool, struct package *package)
{
	const char *temporary = pool_printf(pool, "%s.new", package->tree);
	const char *open[] = {"dpkg-deb", "--fsys-tarfile", package->deb, NULL};
	const char *extract[] = {"tar", "-x",      "-p", "-f", "-", "--no-same-owner",
				 "-C",  temporary, NULL};
	const char *step = pool_printf(pool, "unpack %s", package->name);
	struct run first = {.step = step, .argv = open};
	struct run second = {.step = step, .argv = extract};
	int error = check_digest(package);

	if (error == 0)
		error = file_remove_tree(temporary);
	if (error == 0)
		error = file_make_directories(temporary);
	if (error == 0)
		error = run_pipe(&first, &second);
	if (error == 0)
		error = index_modules(pool, temporary);
	if (error == 0)
		error = file_rename(temporary, package->tree);
	return error;
}

/* What a .deb says of itself; its digest stands for it. */
static int describe_local(const char *path, struct pool *pool, struct package *package)
{
	static const char format[] = "--showformat=${Package} ${Version} ${Architecture}";
	const char *query[] = {"dpkg-deb", "-W", format, path, NULL};
	struct bytes output = {0};
	struct run call = {.step = "read a local package", .argv = query, .output = &output};
	uint8_t digest[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	char *fields;
	int error = run(&call);

	if (error == 0) {
		error = sha256_file(path, digest);
		if (error < 0)
			report_errno(-error, "read %s", path);
	}
	if (error == 0) {
		sha256_text(digest, text);
		fields = pool_copy(pool, (char *)output.data, output.size);
		package->name = strsep(&fields, " ");
		package->version = strsep(&fields, " ");
		package->architecture = strsep(&fields, " ");
		package->sha256 = pool_strdup(pool, text);
		package->deb = path;
	}
	bytes_free(&output);
	return error;
}

static int add_local(const struct spec *spec, struct pool *pool, struct package_set *set)
{
	int error = 0;

	for (size_t i = 0; i < spec->packages.local.count && error == 0; i++) {
		POOL_GROW(pool, set->list, set->count);
		error = describe_local(spec->packages.local.list[i].text, pool,
				       &set->list[set->count]);
		if (error == 0)
			set->count++;
	}
	return error;
}

int packages_unpack(const struct spec *spec, struct apt *apt, struct package_set *set)
{
	size_t todo = 0;
	int error = apt_fetch(apt, set);

	if (error == 0)
		error = add_local(spec, apt->pool, set);
	for (size_t i = 0; i < set->count; i++) {
		set->list[i].tree = pool_printf(apt->pool, "%s/%s.tree", apt->downloads,
						set->list[i].sha256);
		todo += !file_exists(set->list[i].tree);
	}
	if (todo > 0)
		report_step("unpack %zu package%s", todo, todo == 1 ? "" : "s");
	for (size_t i = 0; i < set->count && error == 0; i++)
		if (!file_exists(set->list[i].tree))
			error = unpack(apt->pool, &set->list[i]);
	return error;
}
