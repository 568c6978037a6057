/* SPDX-License-Identifier: Apache-2.0 */
/* What `extends` means: a spec laid over the one that it builds on. */
#ifndef KEELSON_DOCUMENT_MERGE_H
#define KEELSON_DOCUMENT_MERGE_H

#include "rootfs-spec/node.h"

/*
 * `over` laid over `base`, each checked against the schema, which says what merges, what adds up and
 * what replaces (enum schema_merge). `base` may be NULL: then a null in `over` removes nothing, and
 * is told. Parts of both go on living in the result.
 */
struct node *document_merge(struct node *base, struct node *over, struct pool *pool,
			    struct diagnostics *diagnostics);

#endif
