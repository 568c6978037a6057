/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `keelson build` tells people. The functions of the image part report an error where it
 * happens, once, with object and step, and return a negative errno; their callers only pass it on.
 */
#ifndef KEELSON_REPORT_H
#define KEELSON_REPORT_H

/* One progress line with the time since the program began: "[00:12] unpack containerd". */
void report_step(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "keelson: TEXT: strerror(error)" on standard error; returns -error. `error` is positive. */
int report_errno(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "keelson: TEXT" on standard error, for what no errno describes; returns -EINVAL. */
int report_refusal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Quiet: no progress lines. Errors are always told. */
void report_set_quiet(int quiet);

#endif
