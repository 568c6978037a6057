/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `keelson build` and `keelson lock`: from a spec to a signed image, as an ordinary user.
 *
 *     DIR/disk.img        what a machine boots
 *     DIR/vmlinuz, initramfs.zst   for a loader, or for starting the kernel directly
 *     DIR/root.erofs (or .squashfs), root.verity, header.bin   the three partitions of a slot
 *     DIR/node.plan, boot.plan, key.der
 *     DIR/manifest.json, sbom.spdx.json, size.txt
 *
 * All of it is made in DIR.tmp and renamed: DIR is never half an image.
 */
#ifndef KEELSON_BUILD_H
#define KEELSON_BUILD_H

#include <stdbool.h>
#include <stddef.h>

struct build_options {
	const char *spec;
	const char *output;
	const char *profiles;     /* directory with profiles, or NULL */
	const char *programs;     /* --programs, or NULL */
	const char *const *given; /* --program NAME=PATH */
	size_t given_count;
	const char *key; /* --key and --cert, both NULL: the development key; no key: signed later */
	const char *certificate;
	bool update;  /* --update: resolve packages again if there is no lock */
	bool release; /* --release: no development key */
	bool fresh;   /* --fresh: nothing that an earlier build packed is used */
};

/* 0 or a negative errno; what went wrong was told on standard error. */
int build(const struct build_options *options);

/* Write the lock file of a spec, whatever one there was before. */
int build_lock(const char *path, const char *profiles);

/* The commands with their options, as main() calls them; argv[0] is the command. Exit statuses. */
int build_command(int argc, char **argv);
int build_lock_command(int argc, char **argv);

#endif
