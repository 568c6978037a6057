/* SPDX-License-Identifier: Apache-2.0 */
/* Named groups of system calls: "@reboot", "@mount". */
#ifndef KEELSON_CALL_GROUPS_H
#define KEELSON_CALL_GROUPS_H

/* The calls of a group as words with blanks between, or NULL: no such group. `name` begins with '@'. */
const char *call_group(const char *name);

const char *call_group_nearest(const char *name);

/* The i-th group's name, NULL behind the last. */
const char *call_group_name(unsigned i);

#endif
