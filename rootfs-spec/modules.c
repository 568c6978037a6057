// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/modules.h"

#include "rootfs-spec/nearest.h"
#include "rootfs-spec/pool.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of modules.dep: "kernel/a/b.ko: kernel/c/d.ko kernel/e/f.ko" (modules.dep(5)). */
struct line {
	char *path;    /* cut at the colon */
	char *depends; /* the rest */
	enum { UNSEEN, OPEN, LISTED } state;
};

struct index {
	struct line *lines;
	size_t count;
};

/* Quiet: who asks knows which kernel it is about. */
static int read_text(const char *directory, const char *name, struct bytes *text)
{
	char path[PATH_MAX];
	char buffer[1 << 14];
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "re");
	if (file == NULL)
		return -errno;
	while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
		bytes_add(text, buffer, n);
	fclose(file);
	bytes_add(text, "", 0);
	return 0;
}

/* The part of a path that names the module: "kernel/fs/fuse/fuse.ko.xz" -> "fuse". */
static void module_name(const char *path, char *name, size_t size)
{
	const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	size_t length = strcspn(base, ".");

	if (length >= size)
		length = size - 1;
	memcpy(name, base, length);
	name[length] = '\0';
}

static bool same_name(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++)
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	return *a == *b;
}

static bool path_is_module(const char *path, const char *name)
{
	char own[NAME_MAX + 1];

	module_name(path, own, sizeof(own));
	return same_name(own, name);
}

static struct index index_lines(char *text)
{
	struct index index = {0};
	size_t lines = 0;

	if (text == NULL)
		return index;
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	index.lines = calloc(lines + 1, sizeof(*index.lines));
	if (index.lines == NULL)
		return index;
	for (char *next, *at = text; at != NULL && *at != '\0'; at = next) {
		char *colon;

		next = strchr(at, '\n');
		if (next != NULL)
			*next++ = '\0';
		colon = strchr(at, ':');
		if (colon == NULL)
			continue;
		*colon = '\0';
		index.lines[index.count++] = (struct line){.path = at, .depends = colon + 1};
	}
	return index;
}

static struct line *index_name(const struct index *index, const char *name)
{
	for (size_t i = 0; i < index->count; i++)
		if (path_is_module(index->lines[i].path, name))
			return &index->lines[i];
	return NULL;
}

static struct line *index_path(const struct index *index, const char *path, size_t length)
{
	for (size_t i = 0; i < index->count; i++)
		if (strlen(index->lines[i].path) == length &&
		    memcmp(index->lines[i].path, path, length) == 0)
			return &index->lines[i];
	return NULL;
}

/*
 * Dependencies before dependents. modules.dep lists the whole closure of a module with the deepest
 * dependency last, so the recursion is seldom more than one level deep; OPEN catches a cycle.
 */
static int list_module(struct index *index, struct line *line, struct module_list *list)
{
	const char *at = line->depends + strlen(line->depends);

	if (line->state == LISTED)
		return 0;
	if (line->state == OPEN)
		return -ELOOP;
	line->state = OPEN;
	while (at > line->depends) {
		const char *end = at;
		struct line *needed;

		while (end > line->depends && end[-1] == ' ')
			end--;
		at = end;
		while (at > line->depends && at[-1] != ' ')
			at--;
		if (at == end)
			break;
		needed = index_path(index, at, (size_t)(end - at));
		if (needed == NULL)
			return -EBADMSG;
		int error = list_module(index, needed, list);
		if (error < 0)
			return error;
	}
	line->state = LISTED;
	list->paths[list->count++] = line->path;
	return 0;
}

static bool is_builtin(const struct bytes *builtin, const char *name)
{
	const char *at = (const char *)builtin->data;

	while (at != NULL && *at != '\0') {
		char own[PATH_MAX];
		size_t length = strcspn(at, "\n");

		if (length < sizeof(own)) {
			memcpy(own, at, length);
			own[length] = '\0';
			if (path_is_module(own, name))
				return true;
		}
		at += length + (at[length] == '\n');
	}
	return false;
}

int modules_resolve(const char *directory, const char *const *names, size_t count,
		    struct module_list *list, const char **missing)
{
	struct bytes builtin = {0};
	struct bytes text = {0};
	struct index index = {0};
	int error;

	*missing = NULL;
	*list = (struct module_list){0};
	error = read_text(directory, "modules.dep", &text);
	if (error == 0)
		error = read_text(directory, "modules.builtin", &builtin);
	if (error == 0) {
		list->text = (char *)text.data;
		index = index_lines(list->text);
		list->paths = calloc(index.count + 1, sizeof(*list->paths));
		if (list->paths == NULL || index.lines == NULL)
			error = -ENOMEM;
	}
	for (size_t i = 0; i < count && error == 0; i++) {
		struct line *line = index_name(&index, names[i]);

		if (line != NULL) {
			error = list_module(&index, line, list);
		} else if (!is_builtin(&builtin, names[i])) {
			*missing = names[i];
			error = -ENOENT;
		}
	}
	free(index.lines);
	bytes_free(&builtin);
	if (error < 0) {
		list->text = (char *)text.data;
		modules_free(list);
	}
	return error;
}

void modules_free(struct module_list *list)
{
	free(list->paths);
	free(list->text);
	*list = (struct module_list){0};
}

void modules_nearest(const char *directory, const char *name, char *nearest, size_t size)
{
	struct bytes text = {0};
	struct index index = {0};
	size_t best = nearest_limit(name);

	nearest[0] = '\0';
	if (read_text(directory, "modules.dep", &text) == 0)
		index = index_lines((char *)text.data);
	for (size_t i = 0; i < index.count; i++) {
		char own[NAME_MAX + 1];

		module_name(index.lines[i].path, own, sizeof(own));
		if (nearest_improves(name, own, &best))
			snprintf(nearest, size, "%s", own);
	}
	free(index.lines);
	bytes_free(&text);
}
