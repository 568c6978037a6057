/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.json: what is in an image, for programs. It holds no time and no path of the builder's
 * machine: the same inputs give the same bytes.
 */
#ifndef KEELSON_MANIFEST_H
#define KEELSON_MANIFEST_H

#include "rootfs-spec/certificate.h"
#include "rootfs-spec/lock.h"
#include "rootfs-spec/pool.h"
#include "rootfs-spec/sizes.h"
#include "rootfs-spec/slot_header.h"

struct manifest_file {
	const char *name; /* in the output directory */
	const char *path;
};

struct manifest {
	const struct slot_header *header;
	const char *kernel_release; /* NULL: no kernel */
	const char *kernel_cmdline; /* for who boots it without the disk's loader entry */
	const struct package_set *packages;
	const struct sizes *owners;            /* installed bytes by package */
	const struct certificate *certificate; /* of the key that signs */
	const struct trust *trust;
	bool is_signed; /* already */
	bool is_release;
	const struct manifest_file *files;
	size_t file_count;
};

/* The lines on who signs, which `keelson sign` puts in the place of the older ones. */
void manifest_print_signature(const struct certificate *certificate, bool is_signed,
			      struct bytes *json);

/* Append the text; hashes the files. */
int manifest_print(const struct manifest *manifest, struct bytes *json);

#endif
