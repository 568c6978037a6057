/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelctl etc: what was changed in /etc since the image was made, and back to the image's. The
 * layers are those of the overlay that is mounted there; what a reset removes is removed at the next
 * boot, before it is mounted: the layers of a mounted overlay must not change (kernel documentation,
 * filesystems/overlayfs.rst). PID 1 runs `keelctl etc clean` there, when it finds something to do.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-spec/slot_layer.h"
#include "svc/etc_diff.h"
#include "svc/fd.h"
#include "svc/keelctl.h"
#include "svc/show.h"

#define ETC "/etc"
#define OPTIONS_BYTES 8192
#define MARKS_MAX 1024

static int failed(const char *object, const char *step, int error)
{
	fprintf(stderr, "keelctl: etc: %s: %s: %s\n", object, step, strerror(-error));
	return error;
}

struct layers {
	char lowers[OPTIONS_BYTES];
	char upper[OPTIONS_BYTES];
	int upper_fd, lower_fd;
};

static bool take_option(const struct mntent *mount, const char *name, char *value)
{
	const char *found = hasmntopt(mount, name);
	size_t length = found ? strcspn(found, ",") : 0, skip = strlen(name) + 1;

	if (length <= skip || found[skip - 1] != '=' || length - skip >= OPTIONS_BYTES)
		return false;
	memcpy(value, found + skip, length - skip);
	value[length - skip] = '\0';
	return true;
}

/* The last mount at /etc is the one that is seen. */
static int find_layers(struct layers *layers)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	static char line[4 * OPTIONS_BYTES];
	struct mntent mount;
	bool overlay = false, writable = false;

	if (!mounts)
		return failed("/proc/self/mounts", "open", -errno);
	while (getmntent_r(mounts, &mount, line, sizeof(line))) {
		if (strcmp(mount.mnt_dir, ETC) != 0)
			continue;
		overlay = strcmp(mount.mnt_type, "overlay") == 0 &&
			  take_option(&mount, "lowerdir", layers->lowers);
		writable = overlay && take_option(&mount, "upperdir", layers->upper);
	}
	endmntent(mounts);
	if (writable)
		return 0;
	fprintf(stderr, "keelctl: etc: " ETC " is %s\n",
		overlay ? "an overlay that nothing can be written to"
			: "not an overlay: it is the image's own");
	return -ENODATA;
}

/*
 * The image's /etc lies under the mount. In a mount namespace of our own it is taken away; the lower
 * layers are seen there as they are, without what is mounted on them: so does the overlay.
 */
static int open_layers(struct layers *layers)
{
	const char *lower = layers->lowers;
	static char data[OPTIONS_BYTES + 16];

	layers->upper_fd = open(layers->upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (layers->upper_fd < 0)
		return failed(layers->upper, "open", -errno);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    umount2(ETC, MNT_DETACH) < 0)
		return failed(ETC, "look below the overlay", -errno);
	if (strchr(layers->lowers, ':')) {
		snprintf(data, sizeof(data), "lowerdir=%s", layers->lowers);
		if (mount("overlay", ETC, "overlay", MS_RDONLY, data) < 0)
			return failed(layers->lowers, "mount the lower layers", -errno);
		lower = ETC;
	}
	layers->lower_fd = open(lower, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return layers->lower_fd < 0 ? failed(lower, "open", -errno) : 0;
}

/* ---- diff ---- */

struct report {
	bool json;
	size_t count;
};

static int show_difference(void *context, const struct etc_difference *difference)
{
	struct report *report = context;
	const struct etc_entry *entry = difference->upper->exists && !difference->upper->whiteout
						? difference->upper
						: difference->lower;

	report->count++;
	if (!report->json) {
		printf("%-12s " ETC "/%s%s\n", etc_change_name(difference->change),
		       difference->path, S_ISDIR(entry->mode) ? "/" : "");
		return 0;
	}
	static char path[8192];

	snprintf(path, sizeof(path), ETC "/%s", difference->path);
	fputs("{", stdout);
	show_json_field(stdout, true, "change", etc_change_name(difference->change));
	show_json_field(stdout, false, "path", path);
	show_json_bool(stdout, false, "directory", S_ISDIR(entry->mode));
	fputs("}\n", stdout);
	return 0;
}

static int diff(const struct keelctl *keelctl)
{
	static struct layers layers;
	struct report report = {.json = keelctl->json};
	const char *at;
	int error = find_layers(&layers);

	if (error == -ENODATA)
		return KEELCTL_NOT_UP;
	if (error || open_layers(&layers))
		return KEELCTL_FAILED;
	error = etc_walk(layers.upper_fd, layers.lower_fd, show_difference, &report, &at);
	if (error)
		(void)failed(at, "compare", error);
	return error ? KEELCTL_FAILED : KEELCTL_OK;
}

/* ---- reset ---- */

struct wanted {
	const char *path; /* below /etc; "." for all of it */
	bool found;
	char hidden_by[4096]; /* what above it keeps the image's from being seen again */
};

static bool lies_in(const char *path, const char *above)
{
	size_t length = strlen(above);

	return strcmp(above, ".") == 0 ||
	       (strncmp(path, above, length) == 0 && (path[length] == '/' || path[length] == '\0'));
}

static int look_for(void *context, const struct etc_difference *difference)
{
	struct wanted *wanted = context;

	if (lies_in(difference->path, wanted->path))
		wanted->found = true;
	else if (lies_in(wanted->path, difference->path) &&
		 (difference->upper->opaque || difference->upper->whiteout ||
		  difference->change == ETC_TYPE))
		snprintf(wanted->hidden_by, sizeof(wanted->hidden_by), "%s", difference->path);
	return 0;
}

/* The directory of the slot's layer: `.../upper` of slot_layer.h. */
static int open_marks(const struct layers *layers, char directory[OPTIONS_BYTES])
{
	size_t length = strlen(layers->upper), end = strlen(SLOT_LAYER_UPPER);

	if (strncmp(layers->upper, SLOT_LAYER_BASE "/", strlen(SLOT_LAYER_BASE) + 1) != 0 ||
	    length <= end || strcmp(layers->upper + length - end, SLOT_LAYER_UPPER) != 0) {
		fprintf(stderr, "keelctl: etc: %s is not a slot's layer (`upper: slot`): %s\n",
			layers->upper, "a layer in memory is gone at a reboot, any other is yours");
		return -1;
	}
	snprintf(directory, OPTIONS_BYTES, "%.*s" SLOT_LAYER_RESET, (int)(length - end),
		 layers->upper);
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return failed(directory, "make", -errno), -1;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		(void)failed(directory, "open", -errno);
	return fd;
}

/* A mark is a symbolic link to the path, made in one step; which number it has does not matter. */
static int mark(int marks, const char *path)
{
	char name[16];

	for (unsigned number = 0; number < MARKS_MAX; number++) {
		snprintf(name, sizeof(name), "%u", number);
		if (symlinkat(path, marks, name) == 0)
			return fsync(marks) < 0 ? -errno : 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -ENOSPC;
}

/* "/etc/hosts" and "hosts" are the same. NULL: not a path in /etc. */
static const char *below_etc(char *word)
{
	size_t length = strlen(word);

	while (length > 1 && word[length - 1] == '/')
		word[--length] = '\0';
	if (strcmp(word, ETC) == 0)
		return ".";
	if (strncmp(word, ETC "/", strlen(ETC) + 1) == 0)
		word += strlen(ETC) + 1;
	for (const char *part = word;; part++) {
		size_t n = strcspn(part, "/");

		if (n == 0 || (part[0] == '.' && (n == 1 || (n == 2 && part[1] == '.'))))
			return NULL;
		part += n;
		if (*part == '\0')
			return word;
	}
}

static bool may_be_reset(const struct layers *layers, struct wanted *wanted)
{
	const char *at;
	int error = etc_walk(layers->upper_fd, layers->lower_fd, look_for, wanted, &at);

	if (error)
		return failed(at, "compare", error), false;
	if (wanted->hidden_by[0])
		fprintf(stderr,
			"keelctl: etc: /etc/%s: the image's is hidden by /etc/%s: reset that\n",
			wanted->path, wanted->hidden_by);
	else if (!wanted->found)
		fprintf(stderr, "keelctl: etc: /etc/%s: is the image's already\n", wanted->path);
	return wanted->found && !wanted->hidden_by[0];
}

static int reset(const struct keelctl *keelctl)
{
	static struct layers layers;
	static struct wanted wanted[KEELCTL_WORDS];
	static char directory[OPTIONS_BYTES];
	int count = keelctl->count - 1;
	int error = find_layers(&layers);

	if (error)
		return error == -ENODATA ? KEELCTL_NOT_UP : KEELCTL_FAILED;
	for (int i = 0; i < count; i++) {
		wanted[i].path = below_etc(keelctl->words[i + 1]);
		if (!wanted[i].path) {
			fprintf(stderr, "keelctl: etc: %s: not a path in /etc\n",
				keelctl->words[i + 1]);
			return KEELCTL_USAGE;
		}
	}
	owned_fd int marks = open_marks(&layers, directory);

	if (marks < 0 || open_layers(&layers))
		return KEELCTL_FAILED;
	/* All of them or none. */
	for (int i = 0; i < count; i++)
		if (!may_be_reset(&layers, &wanted[i]))
			return KEELCTL_FAILED;
	if (count == 0)
		wanted[count++].path = ".";
	for (int i = 0; i < count; i++) {
		error = mark(marks, wanted[i].path);
		if (error) {
			(void)failed(directory, "mark", error);
			return KEELCTL_FAILED;
		}
		printf("/etc%s%s is the image's again at the next boot\n",
		       wanted[i].path[0] == '.' ? "" : "/",
		       strcmp(wanted[i].path, ".") == 0 ? "" : wanted[i].path);
	}
	return KEELCTL_OK;
}

/* ---- clean, before the overlay is mounted ---- */

static int remove_marked(int layer, int marks)
{
	int upper = openat(layer, SLOT_LAYER_UPPER + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(marks);
	struct dirent *entry;
	char path[4096];
	int error = 0;

	while (dir && (entry = readdir(dir))) {
		ssize_t n = readlinkat(marks, entry->d_name, path, sizeof(path) - 1);

		if (n < 0)
			continue;
		path[n] = '\0';
		error = upper < 0 ? 0 : etc_remove(upper, path);
		/* What became impossible meanwhile must not be tried at every boot. */
		if (error)
			(void)failed(path, "reset", error);
	}
	if (upper >= 0)
		close(upper);
	return 0;
}

/* All that was removed is on the disk before the marks go. */
static int clean_marks(int layer)
{
	int marks = openat(layer, SLOT_LAYER_RESET + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (marks < 0)
		return errno == ENOENT ? 0 : -errno;
	error = remove_marked(layer, marks);
	if (syncfs(layer) < 0)
		error = -errno;
	return error ? error : etc_remove(layer, SLOT_LAYER_RESET + 1);
}

/* Layers of images that this slot held before. */
static int clean_others(const char *slot, const char *keep)
{
	owned_fd int fd = open(slot, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : opendir(slot);
	struct dirent *entry;
	int error = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		int removed;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    strcmp(entry->d_name, keep) == 0)
			continue;
		removed = etc_remove(fd, entry->d_name);
		if (removed)
			error = failed(entry->d_name, "remove", removed);
	}
	closedir(dir);
	return error;
}

/* DIR is SLOT_LAYER_BASE/NAME/SLOT/IMAGE. */
static int clean(const char *directory)
{
	char slot[OPTIONS_BYTES];
	const char *image = strrchr(directory, '/');
	int error;

	if (!image || strlen(directory) >= sizeof(slot) ||
	    strncmp(directory, SLOT_LAYER_BASE "/", strlen(SLOT_LAYER_BASE) + 1) != 0)
		return failed(directory, "clean", -EINVAL), KEELCTL_USAGE;
	snprintf(slot, sizeof(slot), "%.*s", (int)(image - directory), directory);
	error = clean_others(slot, image + 1);

	owned_fd int layer = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (layer >= 0)
		error = clean_marks(layer);
	if (error)
		(void)failed(directory, "clean", error);
	return error ? KEELCTL_FAILED : KEELCTL_OK;
}

int command_etc(const struct keelctl *keelctl)
{
	const char *word = keelctl->words[0];

	if (strcmp(word, "diff") == 0 && keelctl->count == 1)
		return diff(keelctl);
	if (strcmp(word, "reset") == 0 && !keelctl->json)
		return reset(keelctl);
	if (strcmp(word, "clean") == 0 && keelctl->count == 2 && !keelctl->json)
		return clean(keelctl->words[1]);
	fputs("usage: keelctl etc diff [--json]\n       keelctl etc reset [PATH...]\n", stderr);
	return KEELCTL_USAGE;
}
