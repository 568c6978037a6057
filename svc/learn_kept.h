/* SPDX-License-Identifier: Apache-2.0 */
/* What learning keeps below LEARN_DIRECTORY (learn.h), as far as it is only looked at. */
#ifndef KEELSON_LEARN_KEPT_H
#define KEELSON_LEARN_KEPT_H

#include <stdint.h>

#include "svc/learn.h"

#define LEARN_KEPT_BYTES 64u

/* The names of the programs there. */
extern const char *const learn_links[LEARN_PROGRAMS];

/* The path of one of the names; returns `path`. */
const char *learn_path(const char *name, char path[static LEARN_KEPT_BYTES]);

/* A descriptor that is CLOEXEC and the caller's; -ENOENT, or another negative errno of bpf(2). */
int learn_open(const char *name);

/*
 * How often the programs that are attached were not run, all together. 0, or the first negative errno
 * of one that did not tell: then it was more.
 */
int learn_missed(uint64_t *missed);

#endif
