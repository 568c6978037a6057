/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an overlay with `upper: slot` keeps what is written to it:
 *
 *     SLOT_LAYER_BASE/NAME       NAME: the target, '/' and '%' as in a URL ("etc")
 *       /SLOT                    "a", "b", or "none" on a node without slots
 *         /IMAGE                 the first 16 hex digits of the plan's build id
 *           /upper /work         overlayfs's
 *           /reset/0 1 2 ...     symbolic links whose targets are paths in `upper` that are to be
 *                                removed before the next mount ("." for all)
 *
 * So an image that is new in a slot begins with an empty layer, and the image before, in the other
 * slot, finds its own as it was. What an earlier image of the slot left is removed then.
 */
#ifndef KEELSON_SLOT_LAYER_H
#define KEELSON_SLOT_LAYER_H

#define SLOT_LAYER_BASE "/var/lib/keelson/overlay"
#define SLOT_LAYER_UPPER "/upper"
#define SLOT_LAYER_WORK "/work"
#define SLOT_LAYER_RESET "/reset"
#define SLOT_LAYER_IMAGE_BYTES 8u /* of the build id */
#define SLOT_LAYER_NO_SLOT "none"
#define SLOT_LAYER_CLEANER "/usr/bin/keelctl" /* run as `keelctl etc clean DIR` */

#endif
