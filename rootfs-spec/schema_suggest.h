/* SPDX-License-Identifier: Apache-2.0 */
/* What was meant, when a key or a value is none that the schema allows; NULL: nobody can tell. */
#ifndef KEELSON_SCHEMA_SUGGEST_H
#define KEELSON_SCHEMA_SUGGEST_H

#include "rootfs-spec/schema.h"

/* A nearly right name, or the key that does what one of systemd's, Kubernetes's or Compose's does. */
const char *schema_suggest_key(const struct schema *schema, const char *name);

/* A nearly right word, or the same value in a form that is allowed: '30s' for '30'. */
const char *schema_suggest_value(const struct schema *schema, const char *text, struct pool *pool);

#endif
