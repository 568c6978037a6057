/* SPDX-License-Identifier: Apache-2.0 */
/* Strings in JSON (RFC 8259, section 7), appended to a text. */
#ifndef KEELSON_JSON_H
#define KEELSON_JSON_H

#include "rootfs-spec/pool.h"

/* "TEXT", quoted */
void json_string(struct bytes *json, const char *text);

/* "KEY": "TEXT" */
void json_key_string(struct bytes *json, const char *key, const char *text);

#endif
