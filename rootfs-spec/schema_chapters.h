/* SPDX-License-Identifier: Apache-2.0 */
/* The language in the order in which it is described, for schema_print.c and schema_man.c. */
#ifndef KEELSON_SCHEMA_CHAPTERS_H
#define KEELSON_SCHEMA_CHAPTERS_H

#include "rootfs-spec/schema.h"

#define SCHEMA_MAX_CHAPTERS 64u

/* A map of fixed keys: "services.NAME.ready"; "" is the document. */
struct schema_chapter {
	const char *title;
	const struct schema *schema;
};

/* All maps, each once, a map before those that its keys hold. Returns how many. */
size_t schema_chapters(struct schema_chapter list[SCHEMA_MAX_CHAPTERS], struct pool *pool);

/* "a duration such as 30s, or list of (`a` `b`)", appended; words of the language in backticks. */
void schema_type_text(const struct schema *schema, struct bytes *out);

#endif
