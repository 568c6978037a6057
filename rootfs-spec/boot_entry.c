/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs-spec/boot_entry.h"

#include <errno.h>
#include <string.h>

#define DIGEST_BYTES_NAMED 8u
#define SORT_KEY "keelson"
#define PREVIOUS "-previous"
#define TITLE_PREVIOUS " (previous)"

/* ---- a text that may not fit ---- */

struct out {
	char *text;
	size_t size;
	size_t length; /* of what was to be written: larger than `size` when it did not fit */
};

static void put_bytes(struct out *out, const char *bytes, size_t count)
{
	if (out->length + count < out->size)
		memcpy(out->text + out->length, bytes, count);
	out->length += count;
}

static void put(struct out *out, const char *text)
{
	put_bytes(out, text, strlen(text));
}

static void put_line(struct out *out, const char *key, const char *prefix, const char *value)
{
	put(out, key);
	put(out, " ");
	put(out, prefix);
	put(out, value);
	put(out, "\n");
}

static int end(struct out *out)
{
	if (out->length >= out->size)
		return -E2BIG;
	out->text[out->length] = '\0';
	return 0;
}

/* ---- names ---- */

static void digest_name(char *name, const char *prefix, const uint8_t *sha256, const char *suffix)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = strlen(prefix);

	memcpy(name, prefix, at);
	for (size_t i = 0; i < DIGEST_BYTES_NAMED; i++) {
		name[at++] = digits[sha256[i] >> 4];
		name[at++] = digits[sha256[i] & 15];
	}
	memcpy(name + at, suffix, strlen(suffix) + 1);
}

void boot_entry_vmlinuz(char name[BOOT_ENTRY_NAME_BYTES], const uint8_t sha256[32])
{
	digest_name(name, "vmlinuz-", sha256, "");
}

void boot_entry_initramfs(char name[BOOT_ENTRY_NAME_BYTES], const uint8_t sha256[32])
{
	digest_name(name, "initramfs-", sha256, ".zst");
}

/* ---- lines ---- */

struct line {
	const char *text;
	size_t length; /* without the newline */
	const char *value;
	size_t value_length;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The line at `*at`, which moves behind it; false at the end. */
static bool next_line(const char **at, struct line *line)
{
	const char *text = *at;
	size_t key = 0;

	if (*text == '\0')
		return false;
	line->text = text;
	line->length = strcspn(text, "\n");
	*at = text + line->length + (text[line->length] == '\n');
	while (line->length > 0 && is_blank(*line->text)) {
		line->text++;
		line->length--;
	}
	while (line->length > 0 && is_blank(line->text[line->length - 1]))
		line->length--;
	while (key < line->length && !is_blank(line->text[key]))
		key++;
	line->value = line->text + key;
	line->value_length = line->length - key;
	while (line->value_length > 0 && is_blank(*line->value)) {
		line->value++;
		line->value_length--;
	}
	return true;
}

static bool has_key(const struct line *line, const char *key)
{
	size_t length = strlen(key);

	return line->length >= length && memcmp(line->text, key, length) == 0 &&
	       (line->length == length || is_blank(line->text[length]));
}

static bool is_ours(const struct line *line)
{
	static const char *const keys[] = {"title", "version", "sort-key", "linux", "initrd"};

	if (line->length == 0 || *line->text == '#')
		return true;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (has_key(line, keys[i]))
			return true;
	return false;
}

static void put_others(struct out *out, const char *before)
{
	bool options = false;
	struct line line;

	while (next_line(&before, &line)) {
		if (is_ours(&line))
			continue;
		if (has_key(&line, "options") && !options) {
			options = true;
			continue;
		}
		put_bytes(out, line.text, line.length);
		put(out, "\n");
	}
}

/* ---- entries ---- */

int boot_entry_format(char *text, size_t size, const struct boot_entry *entry, const char *before)
{
	struct out out = {.text = text, .size = size};

	put(&out, "# keelson replaces this file. Another `options` line of yours stays.\n");
	put_line(&out, "title", "keelson ", entry->name);
	put_line(&out, "version", "", entry->version);
	put_line(&out, "sort-key", "", SORT_KEY);
	put_line(&out, "linux", "/" BOOT_ENTRY_DIRECTORY "/", entry->vmlinuz);
	put_line(&out, "initrd", "/" BOOT_ENTRY_DIRECTORY "/", entry->initramfs);
	/* There even when it is empty: the first one is the image's. */
	put_line(&out, "options", "", entry->options);
	if (before)
		put_others(&out, before);
	return end(&out);
}

int boot_entry_format_previous(char *text, size_t size, const char *entry)
{
	struct out out = {.text = text, .size = size};
	struct line line;

	put_line(&out, "sort-key", "", SORT_KEY PREVIOUS);
	while (next_line(&entry, &line)) {
		if (has_key(&line, "sort-key"))
			continue;
		put_bytes(&out, line.text, line.length);
		if (has_key(&line, "title"))
			put(&out, TITLE_PREVIOUS);
		put(&out, "\n");
	}
	return end(&out);
}

bool boot_entry_uses(const char *entry, const char *name)
{
	static const char directory[] = "/" BOOT_ENTRY_DIRECTORY "/";
	const size_t prefix = sizeof(directory) - 1;
	size_t length = strlen(name);
	struct line line;

	while (next_line(&entry, &line))
		if ((has_key(&line, "linux") || has_key(&line, "initrd")) &&
		    line.value_length == prefix + length &&
		    memcmp(line.value, directory, prefix) == 0 &&
		    memcmp(line.value + prefix, name, length) == 0)
			return true;
	return false;
}
