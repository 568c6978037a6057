/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator asks of the slots, but for an installation (slot_install.c): each command looks at
 * the disk under its lock, asks slot.h, writes, notes it in the history, and tells. All return a
 * slot_exit that was told.
 */
#ifndef KEELSON_SLOT_CHANGE_H
#define KEELSON_SLOT_CHANGE_H

#include "init/slot_node.h"

struct change_options {
	uint32_t slot; /* the command is about: 0 or 1 */
	bool force;
	bool json;
};

/* Let the slot boot next. */
int slot_change_switch(struct slot_node *node, const struct change_options *options);

/* Never boot its image again, but as the last resort. */
int slot_change_reject(struct slot_node *node, const struct change_options *options);

/* Back to the slot that does not run, and reject the one that does. `slot` is not looked at. */
int slot_change_rollback(struct slot_node *node, const struct change_options *options);

/* Put the slot on trial again: it has to be blessed anew. */
int slot_change_retry(struct slot_node *node, const struct change_options *options);

/* Read every block of the slot and compare it with the signed root hash. Nothing is written. */
int slot_change_verify(struct slot_node *node, const struct change_options *options);

/* The last events of both slots, oldest first. */
int slot_change_history(struct slot_node *node, const struct change_options *options);

/* The running image's kernel and initramfs onto the ESP: slot_bootstrap.c, told through svc/log.h. */
int slot_bootstrap(struct slot_node *node, const struct change_options *options);

#endif
