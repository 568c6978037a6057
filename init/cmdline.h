/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's command line, as far as it speaks to keelson (keelson-init(8)):
 *
 *     keelson.slot=a|b    boot this slot if it is signed and sound, whatever its priority
 *     keelson.log=LEVEL   err, warning, notice, info or debug: what PID 1 writes to the kernel log
 *     keelson.trace       print every event of the boot's timeline to the kernel log
 *     keelson.reset=state make the file systems anew that the plan makes (`make: if-empty`): what
 *                         is on them is lost, at every boot with this word
 *
 * Words are separated by white space; a double quote begins and ends a part in which white space
 * does not separate (Documentation/admin-guide/kernel-parameters.rst). What does not begin with
 * "keelson." belongs to somebody else. The last of two equal words counts. A word that begins with
 * "keelson." and is not one of these, or has another value, is kept as a complaint for the log:
 * a typing error there must not cost a boot.
 *
 * Parsing is pure: no system call, no allocation.
 */
#ifndef KEELSON_CMDLINE_H
#define KEELSON_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

/* COMMAND_LINE_SIZE is 2048 on the architectures keelson runs on; a boot config may add to it. */
#define CMDLINE_BYTES 4096u
#define CMDLINE_COMPLAINTS 4u

struct cmdline_complaint {
	const char *word; /* points into the text that was parsed */
	int length;       /* in bytes, for %.*s */
};

struct cmdline {
	int slot;      /* 0: a, 1: b, -1: not given */
	int log_level; /* LOG_ERR .. LOG_DEBUG as in syslog(3), -1: not given */
	bool trace;
	bool reset_state;
	unsigned int complaint_count; /* at most CMDLINE_COMPLAINTS are kept */
	struct cmdline_complaint complaints[CMDLINE_COMPLAINTS];
};

/*
 * The next word: skips white space at `*text` and returns its length; 0 at the end. A caller goes on
 * behind it.
 */
size_t cmdline_word(const char **text);

/* Parse `text`, a NUL-terminated string, into `cmdline`. Cannot fail. */
void cmdline_parse(const char *text, struct cmdline *cmdline);

/* Parse /proc/cmdline, take its log level over and log the complaints. */
void cmdline_read(struct cmdline *cmdline);

/* Parse /proc/cmdline and do nothing else: for whoever comes later in the boot. */
void cmdline_look(struct cmdline *cmdline);

#endif
