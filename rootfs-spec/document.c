/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-spec/document.h"
#include "rootfs-spec/document_merge.h"
#include "rootfs-spec/nearest.h"
#include "rootfs-spec/schema.h"
#include "rootfs-spec/view.h"

#define MAX_EXTENDS 8u /* generations */
#define POLICIES_PROFILE "policies"
#define MAX_PLACES 4u /* where a profile is looked up */

struct loader {
	struct pool *pool;
	struct diagnostics *diagnostics;
	const char *profiles;
	struct stat seen[MAX_EXTENDS + 1];
	uint32_t count;
	int error; /* of reading the spec itself */
};

static const char *read_error(int error, struct pool *pool)
{
	switch (error) {
	case EFBIG:
		return pool_printf(pool, "larger than %u MiB, which no spec is",
				   NODE_MAX_BYTES >> 20);
	case EINVAL: return "not a regular file";
	default: return strerror(error);
	}
}

static char *read_file(const char *path, struct pool *pool, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text = NULL;
	struct stat status;
	int error = 0;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) < 0)
		error = errno;
	else if (S_ISDIR(status.st_mode))
		error = EISDIR;
	else if (!S_ISREG(status.st_mode))
		error = EINVAL;
	else if (status.st_size > (off_t)NODE_MAX_BYTES)
		error = EFBIG;
	if (!error) {
		text = pool_alloc(pool, (size_t)status.st_size + 1);
		*size = 0;
		while (*size < (size_t)status.st_size) {
			ssize_t got = read(fd, text + *size, (size_t)status.st_size - *size);
			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0) {
				error = got < 0 ? errno : 0;
				break;
			}
			*size += (size_t)got;
		}
	}
	close(fd);
	errno = error;
	return error ? NULL : text;
}

static bool is_profile_name(const char *text)
{
	const char *dot = strrchr(text, '.');

	return !strchr(text, '/') && !(dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml")));
}

/* Readable, and none of the files that are already being read. */
static bool is_other_file(const struct loader *loader, const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0 || !S_ISREG(status.st_mode))
		return false;
	for (uint32_t i = 0; i < loader->count; i++)
		if (loader->seen[i].st_dev == status.st_dev &&
		    loader->seen[i].st_ino == status.st_ino)
			return false;
	return true;
}

/* The directory of the running program, for profiles beside an installation or a build. */
static const char *program_directory(struct pool *pool)
{
	char path[PLAN_MAX_PATH + 1];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length <= 0)
		return NULL;
	path[length] = '\0';
	char *slash = strrchr(path, '/');
	*slash = '\0';
	return pool_strdup(pool, path);
}

/* Where the profile `name` may be: a path for each place, the first that is there counts. */
static size_t profile_paths(const struct loader *loader, struct text extends, const char *name,
			    const char *paths[MAX_PLACES])
{
	static const char *const places[] = {"../share/keelson/profiles",
					     "../../../rootfs-spec/profiles"};
	struct pool *pool = loader->pool;
	const char *program = program_directory(pool);
	struct text beside = {pool_printf(pool, "%s.yaml", name), extends.where};
	size_t count = 0;

	paths[count++] = view_resolve(beside, pool);
	if (loader->profiles)
		paths[count++] = pool_printf(pool, "%s/%s.yaml", loader->profiles, name);
	for (size_t i = 0; program && i < sizeof(places) / sizeof(places[0]); i++)
		paths[count++] = pool_printf(pool, "%s/%s/%s.yaml", program, places[i], name);
	return count;
}

/* Without "/../", which the way from the program to its profiles is full of. */
static const char *tidy_path(const char *path, struct pool *pool)
{
	char *real = strstr(path, "/../") ? realpath(path, NULL) : NULL;
	const char *tidy = real ? pool_strdup(pool, real) : path;

	free(real);
	return tidy;
}

static const char *find_base(const struct loader *loader, struct text extends)
{
	const char *paths[MAX_PLACES];

	if (!is_profile_name(extends.text))
		return view_resolve(extends, loader->pool);
	size_t count = profile_paths(loader, extends, extends.text, paths);
	for (size_t i = 0; i < count; i++)
		if (is_other_file(loader, paths[i]))
			return tidy_path(paths[i], loader->pool);
	return NULL;
}

static void tell_no_profile(struct loader *loader, struct text extends)
{
	const char *paths[MAX_PLACES];
	size_t count = profile_paths(loader, extends, extends.text, paths);
	struct nearest nearest = {.name = extends.text};
	struct stat status;

	for (size_t i = 0; i < count; i++)
		if (stat(paths[i], &status) == 0 && S_ISREG(status.st_mode)) {
			diagnose(loader->diagnostics, extends.where, "'%s' extends itself",
				 extends.text);
			return;
		}
	diagnose(loader->diagnostics, extends.where, "there is no profile '%s'", extends.text);
	diagnose_hint(loader->diagnostics,
		      "looked for %s.yaml beside this file%s%s and where keelson is installed",
		      extends.text, loader->profiles ? ", in " : "",
		      loader->profiles ? loader->profiles : "");
	for (size_t i = 0; i < count; i++) {
		const char *slash = strrchr(paths[i], '/');
		DIR *listing = opendir(
			slash ? pool_copy(loader->pool, paths[i], (size_t)(slash - paths[i]))
			      : ".");
		struct dirent *entry;
		while (listing && (entry = readdir(listing))) {
			const char *dot = strrchr(entry->d_name, '.');
			if (dot && strcmp(dot, ".yaml") == 0)
				nearest_offer(&nearest, pool_copy(loader->pool, entry->d_name,
								  (size_t)(dot - entry->d_name)));
		}
		if (listing)
			closedir(listing);
	}
	diagnose_suggest(loader->diagnostics, nearest.best);
}

static struct node *load(struct loader *loader, const char *path, struct where from);

static struct node *load_base(struct loader *loader, const struct node *extends)
{
	const char *path = find_base(loader, (struct text){extends->text, extends->where});

	if (!path) {
		tell_no_profile(loader, (struct text){extends->text, extends->where});
		return NULL;
	}
	if (loader->count > MAX_EXTENDS) {
		diagnose(loader->diagnostics, extends->where, "extended more than %u times over",
			 MAX_EXTENDS);
		return NULL;
	}
	struct stat status;
	if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && !is_other_file(loader, path)) {
		diagnose(loader->diagnostics, extends->where, "'%s' extends itself", extends->text);
		return NULL;
	}
	return load(loader, path, extends->where);
}

static void drop(struct node *map, const char *key)
{
	struct node_entry *entry = node_entry(map, key);

	if (!entry)
		return;
	size_t after = map->count - (size_t)(entry - map->entries) - 1;
	memmove(entry, entry + 1, after * sizeof(*entry));
	map->count--;
}

static struct node *load_source(struct loader *loader, struct source *source)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	size_t mark = strlen(byte_order_mark);

	if (strncmp(source->text, byte_order_mark, mark) == 0) {
		source->text += mark;
		source->size -= mark;
	}
	struct node *node = node_read(source, loader->pool, loader->diagnostics);

	if (!node)
		return NULL;
	schema_check(node, &schema_spec, "a spec", loader->pool, loader->diagnostics);
	if (node->kind != NODE_MAP)
		return NULL;
	struct node *extends = node_value(node, "extends"), *base = NULL;
	if (extends && !extends->bad && !node_is_null(extends))
		base = load_base(loader, extends);
	/* Without what it builds on, a spec would only be told what follows from that. */
	if (extends && !node_is_null(extends) && !base)
		return NULL;
	struct node *merged = document_merge(base, node, loader->pool, loader->diagnostics);
	drop(merged, "extends"); /* what it says is in the document now */
	return merged;
}

static struct node *load(struct loader *loader, const char *path, struct where from)
{
	struct source *source = pool_alloc(loader->pool, sizeof(*source));

	source->path = path;
	source->order = loader->count;
	source->text = read_file(path, loader->pool, &source->size);
	if (!source->text) {
		int error = errno ? errno : EIO;
		diagnose(loader->diagnostics, from, "%s: %s", path,
			 read_error(error, loader->pool));
		if (!from.source)
			loader->error = -error;
		return NULL;
	}
	if (stat(path, &loader->seen[loader->count]) == 0)
		loader->count++;
	return load_source(loader, source);
}

/* ---- policies that come with keelson ---- */

static struct node *free_map(struct loader *loader, struct node *root, const char *key)
{
	struct node_entry *entry = node_entry(root, key);

	if (entry)
		return entry->value;
	struct node *map = pool_alloc(loader->pool, sizeof(*map));
	*map = (struct node){.kind = NODE_MAP, .where = root->where};
	POOL_GROW(loader->pool, root->entries, root->count);
	root->entries[root->count++] = (struct node_entry){key, root->where, map};
	return map;
}

/*
 * A policy that the spec names and does not have is looked up in the profile of policies, and so is
 * the one that it extends.
 */
static void import_policy(struct loader *loader, struct node *root, const struct node *name,
			  struct node **curated)
{
	struct node *own = node_value(root, "policies");

	if (!name || name->bad || name->kind != NODE_SCALAR ||
	    (own && (own->kind != NODE_MAP || node_entry(own, name->text))))
		return;
	if (!*curated) {
		static struct node nothing = {.kind = NODE_MAP};
		const struct text profile = {POLICIES_PROFILE, name->where};
		const char *path = loader->count <= MAX_EXTENDS ? find_base(loader, profile) : NULL;
		struct node *document = path ? load(loader, path, name->where) : NULL;
		*curated = document ? node_value(document, "policies") : NULL;
		if (!*curated || (*curated)->kind != NODE_MAP)
			*curated = &nothing;
	}
	const struct node_entry *found = node_entry(*curated, name->text);
	if (!found)
		return;
	own = free_map(loader, root, "policies");
	POOL_GROW(loader->pool, own->entries, own->count);
	own->entries[own->count++] = *found;
}

static void import_policies(struct loader *loader, struct node *root)
{
	static const struct {
		const char *map;
		const char *key;
	} names[] = {{"services", "policy"}, {"policies", "extends"}};
	struct node *curated = NULL;

	for (size_t i = 0; i < 2; i++) {
		const struct node *map = node_value(root, names[i].map);
		/* Policies that come in are looked at, too: they are behind the others. */
		for (size_t j = 0; map && map->kind == NODE_MAP && j < map->count; j++) {
			const struct node *value = map->entries[j].value;
			if (value->kind == NODE_MAP)
				import_policy(loader, root, node_value(value, names[i].key),
					      &curated);
		}
	}
}

int document_load(const char *path, const char *profiles, struct pool *pool,
		  struct diagnostics *diagnostics, struct node **root)
{
	struct loader loader = {.pool = pool, .diagnostics = diagnostics, .profiles = profiles};

	*root = load(&loader, path, (struct where){0});
	if (loader.error)
		return loader.error;
	if (*root)
		import_policies(&loader, *root);
	return diagnostics->errors || !*root ? -EINVAL : 0;
}

int document_read(const char *path, const char *text, size_t size, const char *profiles,
		  struct pool *pool, struct diagnostics *diagnostics, struct node **root)
{
	struct loader loader = {.pool = pool, .diagnostics = diagnostics, .profiles = profiles};
	struct source *source = pool_alloc(pool, sizeof(*source));

	*source = (struct source){path, pool_copy(pool, text, size), size, 0};
	loader.count = 1;
	*root = load_source(&loader, source);
	if (*root)
		import_policies(&loader, *root);
	return diagnostics->errors || !*root ? -EINVAL : 0;
}
