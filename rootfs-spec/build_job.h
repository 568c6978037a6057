/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One build, as its steps see it. Private to build.c (the order of the steps, the root) and
 * build_output.c and build_sbom.c (what is made from the packed root).
 */
#ifndef KEELSON_BUILD_JOB_H
#define KEELSON_BUILD_JOB_H

#include "rootfs-spec/build.h"
#include "rootfs-spec/compose.h"
#include "rootfs-spec/sign.h"
#include "rootfs-spec/slot_header.h"
#include "rootfs-spec/verity_tree.h"

/* Everything one build knows; filled from top to bottom. */
struct job {
	const struct build_options *options;
	struct pool *pool;
	struct diagnostics *diagnostics;
	const char *cache;
	const char *scratch;
	const char *output; /* DIR.tmp */
	struct spec spec;
	struct package_set packages;
	struct kernel kernel;
	struct programs programs;
	struct tree tree;
	uint8_t build_id[SHA256_BYTES];
	const char *root;
	const char *packed; /* directory with root.img and root.verity */
	struct verity_tree verity;
	struct signer signer;
	struct trust trust;
	bool release; /* --release, or the spec says so */
	struct slot_header header;
};

/* A path in DIR.tmp. */
const char *build_output_path(struct job *job, const char *name);

/* "root.erofs" or "root.squashfs". */
const char *build_root_name(struct job *job);

/* Signer and trusted certificates, before the root: they are in it. And its certificates. */
int build_open_keys(struct job *job);
void build_add_keys(struct job *job);

/* The initramfs, before the root: it is in it. */
int build_initramfs(struct job *job);

/* The steps after the root was packed, in this order. */
int build_header(struct job *job);
int build_disk(struct job *job);
int build_reports(struct job *job);
int build_sbom(struct job *job);

#endif
