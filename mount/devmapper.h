/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device-mapper by its ioctls on /dev/mapper/control (linux/dm-ioctl.h): one read-only verity
 * device, created, loaded, resumed; on failure removed again. The node in /dev is devtmpfs's
 * business: /dev/dm-MINOR.
 */
#ifndef KEELSON_DEVMAPPER_H
#define KEELSON_DEVMAPPER_H

#include <stdint.h>

#define DM_PATH_BYTES 32u

/*
 * Make the device `name` (uuid "CRYPT-VERITY-" and `name`, as veritysetup would) of `sectors`
 * 512-byte sectors with one verity target and write its path to `path`. 0 or negative errno;
 * `*step` names the ioctl.
 */
int dm_create_verity(const char *name, uint64_t sectors, const char *table,
		     char path[DM_PATH_BYTES], const char **step);

/* Remove it; -EBUSY while it is mounted. */
int dm_remove(const char *name);

#endif
