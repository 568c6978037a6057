/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelson's own programs for the node, and other programs that are built rather than packaged.
 *
 * Node programs are looked for in the directory that the user names (--programs), else where the
 * running keelson was installed or built. They go into the image stripped (strip(1) of the
 * machine); the stripped copy is kept by the digest of the original.
 *
 * An *artifact* is a file that a spec names without a path, `from: artifact:kubelet`, because only
 * the builder's machine knows where it is: `--artifact kubelet=PATH`, else the cache's own
 * kubelet/kubelet.
 */
#ifndef KEELSON_PROGRAMS_H
#define KEELSON_PROGRAMS_H

#include "rootfs-spec/pool.h"

#include <stddef.h>

struct programs {
	struct pool *pool;
	const char *cache;
	const char *directory;        /* --programs, or NULL */
	const char *const *artifacts; /* "NAME=PATH" */
	size_t artifact_count;
};

/* The stripped program of that name ("keelson-init"), or NULL (reported). */
const char *programs_find(const struct programs *programs, const char *name);

/*
 * If `source` names an artifact, where that file is (NULL: nowhere; reported); any other `source`
 * as it is.
 */
const char *programs_artifact(const struct programs *programs, const char *source);

#endif
