/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of a spec that mean numbers. Each returns true and the value, or false. */
#ifndef KEELSON_VALUE_H
#define KEELSON_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"

/* Decimal, or hexadecimal with 0x; an optional minus. */
bool value_integer(const char *text, int64_t *value);

/* "true" or "false", nothing else: what YAML 1.1 also takes for one ("yes", "off") is not. */
bool value_boolean(const char *text, bool *value);

/* "30s", "5min", "1min30s", "100ms": ns us ms s min h d. A number alone only if it is 0. */
bool value_duration(const char *text, uint64_t *ns);

/* What a spec may say: so that a node can add any two of them to a clock. */
#define VALUE_MAX_DURATION_NS (365 * 86400 * 1000000000ull)

/* "64KiB", "4Mi", "96MiB", "1GiB", or a number of bytes. Powers of 1024 only. */
bool value_size(const char *text, uint64_t *bytes);

/* Octal digits: "0755", "755", "4755". */
bool value_mode(const char *text, uint32_t *mode);

/* "TERM", "SIGTERM", "RTMIN+3", or a number 1 to 64. */
bool value_signal(const char *text, uint32_t *number);

/*
 * "0-1,3", the form of the kernel's own lists, as a set for sched_setaffinity(2): at least one CPU,
 * each below PLAN_MAX_CPUS, none twice.
 */
#define VALUE_CPU_WORDS (PLAN_MAX_CPUS / 64)
bool value_cpus(const char *text, uint64_t words[VALUE_CPU_WORDS]);

/* The names value_signal() knows, NULL-terminated, for suggestions. */
extern const char *const value_signals[];

/* "NOFILE", "nofile", "RLIMIT_NOFILE": RLIMIT_*. */
bool value_resource(const char *text, uint32_t *resource);
extern const char *const value_resources[];

#endif
