/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1's own lines: one record of /dev/kmsg each ("<6>keelson: ..."), or of stderr before there is
 * one. A serial console would block PID 1, the kernel's ring does not; a record that it refuses, or
 * that stderr has no room for, is dropped (Documentation/ABI/testing/dev-kmsg). Never allocates; a line longer than LOG_LINE_BYTES
 * is cut. The formats are those of format.h.
 *
 * An error names the object and the step: log_error("mount: %s: ext4 on %s: %s", ...).
 */
#ifndef KEELSON_LOG_H
#define KEELSON_LOG_H

#define LOG_LINE_BYTES 512

enum log_level {
	LOG_LEVEL_ERROR = 3, /* syslog(3)'s numbers */
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/*
 * Write to `fd` from now on (borrowed; -1: drop every line). `is_kmsg`: prefix "<level>". The
 * default is stderr.
 */
void log_open(int fd, int is_kmsg);

/* Where lines go: what log_open() was given. */
int log_descriptor(void);

/* Lines of a higher number are dropped; LOG_LEVEL_INFO by default. */
void log_set_level(enum log_level level);
enum log_level log_level(void);

#define LOG_FORMAT(n) __attribute__((format(printf, n, n + 1)))
void log_line(enum log_level level, const char *format, ...) LOG_FORMAT(2);
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Text of a negative or positive errno; never NULL. */
const char *log_errno(int error);

#endif
