/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leave the initramfs: Documentation/filesystems/ramfs-rootfs-initramfs.rst. rootfs cannot be
 * unmounted or pivoted; its files are deleted (they are memory), the new root is moved over "/".
 */
#ifndef KEELSON_SWITCHROOT_H
#define KEELSON_SWITCHROOT_H

/*
 * Move /dev, /proc and /sys into the file system mounted at `root`, delete what the initramfs
 * holds, make `root` the root of this process and go to its "/". 0 or negative errno; `*step` is
 * a constant text that says where it failed. Deleting is last before the point of no return and
 * its own failures are ignored: they cost memory only.
 *
 * Refused with -EBUSY when "/" is not a ramfs or tmpfs: there is nothing there to throw away.
 */
int switch_root(const char *root, const char **step);

#endif
