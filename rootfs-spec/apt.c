// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/apt.h"

#include "rootfs-spec/cache.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/nearest.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/run.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LISTS_FRESH_S 3600

/*
 * apt.conf(5): the file that APT_CONFIG names is read first, so it sets only what Debian's own
 * configuration leaves alone; the sources and keys stay where the machine has them.
 */
static const char configuration[] = "Dir::State \"%s/state\";\n"
				    "Dir::State::status \"%s/status\";\n"
				    "Dir::Cache \"%s/cache\";\n"
				    "APT::Sandbox::User \"\";\n"
				    "APT::Install-Recommends \"false\";\n"
				    "APT::Install-Suggests \"false\";\n"
				    "Acquire::Languages \"none\";\n"
				    "Acquire::Retries \"3\";\n";

int apt_open(struct apt *apt, struct pool *pool, const char *cache)
{
	struct bytes text = {0};
	const char *config;
	int error;

	*apt = (struct apt){.pool = pool};
	apt->downloads = cache_subdirectory(pool, cache, "packages");
	apt->directory = cache_subdirectory(pool, cache, "packages/apt");
	if (apt->downloads == NULL || apt->directory == NULL ||
	    cache_subdirectory(pool, apt->directory, "state/lists/partial") == NULL ||
	    cache_subdirectory(pool, apt->directory, "cache/archives/partial") == NULL)
		return -EIO;
	config = pool_printf(pool, "%s/apt.conf", apt->directory);
	apt->config = pool_printf(pool, "APT_CONFIG=%s", config);
	bytes_printf(&text, configuration, apt->directory, apt->directory, apt->directory);
	error = file_write(config, text.data, text.size, 0644);
	bytes_free(&text);
	if (error == 0)
		error = file_write(pool_printf(pool, "%s/status", apt->directory), "", 0, 0644);
	return error;
}

static int apt_run(struct apt *apt, const char *step, const char *const *argv,
		   const char *directory, struct bytes *output, struct bytes *errors)
{
	const char *environment[] = {apt->config, "DEBIAN_FRONTEND=noninteractive", NULL};
	struct run call = {.step = step,
			   .argv = argv,
			   .directory = directory,
			   .environment = environment,
			   .output = output,
			   .errors = errors};

	return run(&call);
}

/* `head`, then `list`, then NULL. */
static const char *const *join(struct apt *apt, const char *const *head, const char *const *list,
			       size_t count)
{
	size_t fixed = 0;
	const char **argv;

	while (head[fixed] != NULL)
		fixed++;
	argv = pool_alloc(apt->pool, (fixed + count + 1) * sizeof(*argv));
	memcpy(argv, head, fixed * sizeof(*argv));
	if (count > 0)
		memcpy(argv + fixed, list, count * sizeof(*argv));
	return argv;
}

static bool lists_are_fresh(const char *stamp)
{
	struct stat status;

	return stat(stamp, &status) == 0 && time(NULL) - status.st_mtime < LISTS_FRESH_S;
}

/* One source out of reach is no reason to stop: what is missed then is told by name. */
int apt_refresh(struct apt *apt)
{
	static const char *const update[] = {"apt-get", "update", "-qq", NULL};
	const char *stamp = pool_printf(apt->pool, "%s/updated", apt->directory);
	struct bytes errors = {0};
	int error;

	if (lists_are_fresh(stamp))
		return 0;
	report_step("fetch the package lists of this machine's sources");
	error = apt_run(apt, "fetch the package lists", update, NULL, NULL, &errors);
	if (error == -ECHILD) {
		report_step("some package lists could not be fetched:\n%s",
			    errors.size > 0 ? (char *)errors.data : "");
		error = 0;
	} else if (error == 0) {
		error = file_write(stamp, "", 0, 0644);
	}
	bytes_free(&errors);
	return error;
}

static int load_names(struct apt *apt)
{
	static const char *const list[] = {"apt-cache", "pkgnames", NULL};
	struct bytes names = {0};
	int error;

	if (apt->names != NULL)
		return 0;
	error = apt_run(apt, "list package names", list, NULL, &names, NULL);
	if (error == 0)
		apt->names = pool_copy(apt->pool, (char *)names.data, names.size);
	bytes_free(&names);
	return error;
}

bool apt_knows(struct apt *apt, const char *name, const char **nearest)
{
	size_t best = nearest_limit(name);

	*nearest = NULL;
	if (load_names(apt) < 0)
		return true; /* the error was told; apt itself will say what it misses */
	for (char *at = apt->names; *at != '\0';) {
		size_t length = strcspn(at, "\n");
		char *candidate;

		if (length == strlen(name) && memcmp(at, name, length) == 0)
			return true;
		/* Names with another first letter are seldom meant, and there are 60000. */
		if (*at == *name) {
			candidate = pool_copy(apt->pool, at, length);
			if (nearest_improves(name, candidate, &best))
				*nearest = candidate;
		}
		at += length + (at[length] == '\n');
	}
	return false;
}

/* "Inst runc (1.1.5+ds1-1+deb12u1 Debian:12/oldstable [amd64])", maybe with "[installed]" before
 * the parenthesis. Returns "runc:amd64=1.1.5+ds1-1+deb12u1" or NULL. */
static const char *parse_inst(struct pool *pool, const char *line, size_t length)
{
	const char *end = line + length;
	const char *name = line + strlen("Inst ");
	const char *version;
	const char *architecture;
	size_t name_length;

	if (length < strlen("Inst ") || memcmp(line, "Inst ", strlen("Inst ")) != 0)
		return NULL;
	version = memchr(name, '(', (size_t)(end - name));
	if (version == NULL)
		return NULL;
	architecture = memchr(version, '[', (size_t)(end - version));
	if (architecture == NULL)
		return NULL;
	name_length = strcspn(name, " :");
	return pool_printf(pool, "%.*s:%.*s=%.*s", (int)name_length, name,
			   (int)strcspn(architecture + 1, "]"), architecture + 1,
			   (int)strcspn(version + 1, " )"), version + 1);
}

int apt_closure(struct apt *apt, const char *const *names, size_t name_count, const char ***chosen,
		size_t *count)
{
	static const char *const simulate[] = {"apt-get", "install", "-s", "-qq", "--", NULL};
	struct bytes output = {0};
	int error;

	error = apt_run(apt, "resolve dependencies", join(apt, simulate, names, name_count), NULL,
			&output, NULL);
	for (const char *at = (char *)output.data; error == 0 && at != NULL && *at != '\0';) {
		size_t length = strcspn(at, "\n");
		const char *package = parse_inst(apt->pool, at, length);

		if (package != NULL) {
			POOL_GROW(apt->pool, *chosen, *count);
			(*chosen)[(*count)++] = package;
		}
		at += length + (at[length] == '\n');
	}
	bytes_free(&output);
	return error;
}

/* In file names apt writes a version's ':' as %3a. */
static char *decode(struct pool *pool, const char *text, size_t length)
{
	char *decoded = pool_alloc(pool, length + 1);
	char *to = decoded;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '%' && i + 2 < length) {
			char hex[3] = {text[i + 1], text[i + 2], '\0'};

			*to++ = (char)strtoul(hex, NULL, 16);
			i += 2;
		} else {
			*to++ = text[i];
		}
	}
	return decoded;
}

/* "'URI' name_version_arch.deb SIZE SHA256:hex" */
static bool parse_uri(struct pool *pool, const char *line, size_t length, struct package *package)
{
	char *copy = pool_copy(pool, line, length);
	char *file = strstr(copy, "' ");
	char *hash = strstr(copy, " SHA256:");
	char *version;
	char *architecture;
	char *end;

	if (*copy != '\'' || file == NULL || hash == NULL)
		return false;
	file += 2;
	version = strchr(file, '_');
	architecture = version != NULL ? strchr(version + 1, '_') : NULL;
	end = architecture != NULL ? strstr(architecture, ".deb ") : NULL;
	if (end == NULL)
		return false;
	*package = (struct package){
		.name = pool_copy(pool, file, (size_t)(version - file)),
		.version = decode(pool, version + 1, (size_t)(architecture - version - 1)),
		.architecture = pool_copy(pool, architecture + 1, (size_t)(end - architecture - 1)),
		.sha256 = hash + strlen(" SHA256:")};
	return strlen(package->sha256) == SHA256_TEXT_BYTES - 1;
}

int apt_identify(struct apt *apt, const char *const *chosen, size_t count, struct package_set *set)
{
	static const char *const uris[] = {"apt-get",      "download", "-qq",
					   "--print-uris", "--",       NULL};
	struct bytes output = {0};
	size_t before = set->count;
	int error;

	if (count == 0)
		return 0;
	error = apt_run(apt, "find packages", join(apt, uris, chosen, count), NULL, &output, NULL);
	for (const char *at = (char *)output.data; error == 0 && at != NULL && *at != '\0';) {
		size_t length = strcspn(at, "\n");

		POOL_GROW(apt->pool, set->list, set->count);
		if (parse_uri(apt->pool, at, length, &set->list[set->count]))
			set->count++;
		at += length + (at[length] == '\n');
	}
	if (error == 0 && set->count - before != count)
		error = report_refusal("find packages: apt named %zu packages for %zu",
				       set->count - before, count);
	bytes_free(&output);
	return error;
}

/* Move each downloaded package to the name of its digest. */
static int adopt_downloads(struct apt *apt, const char *directory)
{
	DIR *listing = opendir(directory);
	struct dirent *entry;
	int error = 0;

	if (listing == NULL)
		return report_errno(errno, "read %s", directory);
	while (error == 0 && (entry = readdir(listing)) != NULL) {
		const char *path = pool_printf(apt->pool, "%s/%s", directory, entry->d_name);
		uint8_t digest[SHA256_BYTES];
		char text[SHA256_TEXT_BYTES];

		if (entry->d_name[0] == '.')
			continue;
		error = sha256_file(path, digest);
		if (error < 0) {
			report_errno(-error, "read %s", path);
			break;
		}
		sha256_text(digest, text);
		error = file_rename(path,
				    pool_printf(apt->pool, "%s/%s.deb", apt->downloads, text));
	}
	closedir(listing);
	return error;
}

static int download(struct apt *apt, const char *const *wanted, size_t count)
{
	static const char *const get[] = {"apt-get", "download", "-qq", "--", NULL};
	const char *directory = cache_scratch(apt->pool, apt->downloads);
	int error;

	if (directory == NULL)
		return -EIO;
	report_step("download %zu package%s", count, count == 1 ? "" : "s");
	error = apt_run(apt, "download packages", join(apt, get, wanted, count), directory, NULL,
			NULL);
	if (error == 0)
		error = adopt_downloads(apt, directory);
	file_remove_tree(directory);
	return error;
}

static int list_missing(struct apt *apt, const struct package_set *set, const char ***missing,
			size_t *count)
{
	*count = 0;
	for (size_t i = 0; i < set->count; i++) {
		struct package *package = &set->list[i];

		package->deb = pool_printf(apt->pool, "%s/%s.deb", apt->downloads, package->sha256);
		if (file_exists(package->deb))
			continue;
		POOL_GROW(apt->pool, *missing, *count);
		(*missing)[(*count)++] = pool_printf(apt->pool, "%s:%s=%s", package->name,
						     package->architecture, package->version);
	}
	return 0;
}

int apt_fetch(struct apt *apt, struct package_set *set)
{
	const char **missing = NULL;
	size_t count;
	int error;

	list_missing(apt, set, &missing, &count);
	if (count == 0)
		return 0;
	error = apt_refresh(apt);
	if (error == 0)
		error = download(apt, missing, count);
	if (error < 0)
		return error;
	list_missing(apt, set, &missing, &count);
	if (count > 0)
		return report_refusal("download packages: %s came with another SHA-256 than the "
				      "lock says; `keelson lock` writes a new one",
				      missing[0]);
	return 0;
}
