/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of file systems by their names. */
#ifndef KEELSON_MOUNT_TYPES_H
#define KEELSON_MOUNT_TYPES_H

enum mount_type {
	MOUNT_TYPE_UNKNOWN = 0, /* a kernel may well have it */
	MOUNT_TYPE_VIRTUAL,     /* of the kernel's own: needs no source */
	MOUNT_TYPE_DEVICE,      /* lies on a block device */
	MOUNT_TYPE_OTHER        /* elsewhere: a host, a tag; the source is its own matter */
};

enum mount_type mount_type_of(const char *name);

/* The known name that is nearest, or NULL. */
const char *mount_type_nearest(const char *name);

#endif
