/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A moment of CLOCK_BOOTTIME on the wall clock as it is set now, for people. systemd's form:
 * "Wed 2017-01-04 13:54:04 UTC".
 */
#ifndef KEELSON_WALL_H
#define KEELSON_WALL_H

#include <stdint.h>

#define WALL_BYTES 48

/* `at_ns` was; it is `now_ns`. "" for 0, which never was. */
const char *wall_text(uint64_t at_ns, uint64_t now_ns, char text[static WALL_BYTES]);

#endif
