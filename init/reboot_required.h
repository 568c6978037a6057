/* SPDX-License-Identifier: Apache-2.0 */
/* What kured and others look for when a node should be rebooted (docs/slots.md). */
#ifndef KEELSON_REBOOT_REQUIRED_H
#define KEELSON_REBOOT_REQUIRED_H

#include "rootfs-spec/slot_header.h"

/* Say in /run/reboot-required that a reboot is due, and in .pkgs for which image. Best effort. */
void reboot_required(const struct slot_header *header);

#endif
