/* SPDX-License-Identifier: Apache-2.0 */
#include "init/labels.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init/files.h"
#include "init/record.h"
#include "mount/sys.h"
#include "mount/text.h"
#include "rootfs-spec/plan.h"

#define VALUE_MAX 63u

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Its length: at most 63, and what remains of its end may stand there. */
static size_t value_length(const char *value)
{
	size_t length = strnlen(value, VALUE_MAX);

	while (length > 0 && !is_letter(value[length - 1]))
		length--;
	return length;
}

static void put(struct text *text, const char *key, const char *value)
{
	while (*value && !is_letter(*value))
		value++;
	text_string(text, LABELS_PREFIX);
	text_string(text, key);
	text_char(text, '=');
	for (size_t i = 0, length = value_length(value); i < length; i++)
		text_char(text, is_letter(value[i]) || strchr("-_.", value[i]) ? value[i] : '-');
	text_char(text, '\n');
}

static const char *truth(bool value)
{
	return value ? "true" : "false";
}

int labels_text(const struct labels *labels, char *text, size_t size)
{
	struct text out = {.bytes = text, .size = size};

	put(&out, "image", labels->image);
	put(&out, "version", labels->version);
	if (labels->slot) {
		put(&out, "slot", labels->slot);
		text_string(&out, LABELS_PREFIX "epoch=");
		text_number(&out, labels->epoch);
		text_char(&out, '\n');
		put(&out, LABELS_BLESSED, truth(labels->blessed));
		put(&out, LABELS_REBOOT, truth(labels->reboot_required));
	}
	return text_end(&out) < 0 ? -ENAMETOOLONG : 0;
}

bool labels_set(char *text, const char *key)
{
	static const char no[] = "=false\n", yes[] = "=true\n";
	char name[64];
	struct text out = {.bytes = name, .size = sizeof(name)};
	char *at;

	text_string(&out, LABELS_PREFIX);
	text_string(&out, key);
	text_string(&out, no);
	at = text_end(&out) < 0 ? NULL : strstr(text, name);
	if (!at || (at != text && at[-1] != '\n'))
		return false;
	at = strchr(at, '=');
	memcpy(at, yes, sizeof(yes) - 1);
	/* Shorter by a letter. */
	memmove(at + sizeof(yes) - 1, at + sizeof(no) - 1, strlen(at + sizeof(no) - 1) + 1);
	return true;
}

int labels_write(const char *path, const char *text)
{
	char beside[256];
	struct text name = {.bytes = beside, .size = sizeof(beside)};
	size_t size = strlen(text);
	int error;

	text_string(&name, path);
	text_string(&name, ".new");
	if (text_end(&name) < 0)
		return -ENAMETOOLONG;
	error = directories_above(path);
	if (error)
		return error;

	cleanup_fd fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return -errno;
	if (write(fd, text, size) != (ssize_t)size)
		return -EIO;
	return rename(beside, path) < 0 ? -errno : 0;
}

int labels_note(const char *path, const char *key)
{
	char text[LABELS_BYTES];
	ssize_t n = file_read(path, text, sizeof(text));

	if (n < 0)
		return n == -ENOENT ? 0 : (int)n;
	return labels_set(text, key) ? labels_write(path, text) : 0;
}

int labels_publish(const struct plan *plan, const struct record *record, bool blessed)
{
	char text[LABELS_BYTES];
	struct labels labels = {
		.image = plan_string(plan, plan->system->name),
		.version = plan_string(plan, plan->system->image_version),
		.blessed = blessed,
		/* Somebody may have installed an image before the slot that runs was blessed. */
		.reboot_required = access("/run/reboot-required", F_OK) == 0,
	};
	int error;

	if (record) {
		labels.slot = record->slot ? "b" : "a";
		labels.epoch = record->header.security_epoch;
	}
	error = labels_text(&labels, text, sizeof(text));
	return error ? error : labels_write(LABELS_PATH, text);
}
