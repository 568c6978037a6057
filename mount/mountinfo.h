/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/self/mountinfo (proc(5)), a line at a time, in place. Pure. */
#ifndef KEELSON_MOUNTINFO_H
#define KEELSON_MOUNTINFO_H

#include <stddef.h>
#include <stdint.h>

/* One mount; the texts point into the line that was parsed, octal escapes undone. */
struct mountinfo {
	uint32_t id;
	uint32_t parent;
	uint32_t major;
	uint32_t minor;
	const char *root;
	const char *target;
	const char *options;
	const char *type;
	const char *source;
	const char *super_options;
};

/*
 * Parse one line (NUL-terminated, without newline), overwriting it. 0 or -EBADMSG; then nothing in
 * `info` may be used.
 */
int mountinfo_parse(char *line, struct mountinfo *info);

/*
 * Undo the kernel's \040 \011 \012 \134 \043 in place (mangle_path() in fs/seq_file.c), as they also
 * stand in /proc/swaps. Returns `text`.
 */
char *mountinfo_unescape(char *text);

#endif
