/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content of an installation (slot_install.c): where it goes on when it was interrupted, unpacking
 * and writing, reading back. Every function returns 0 or a slot_exit that was told.
 */
#ifndef KEELSON_SLOT_FILL_H
#define KEELSON_SLOT_FILL_H

#include "init/slot_node.h"
#include "rootfs-spec/bundle_stream.h"

/* More than 1 MiB: static storage. */
struct installation {
	struct slot_node *node;
	const struct install_options *options;
	uint32_t slot;
	struct install_target target;
	char header_device[DEVICE_NAME_BYTES];
	struct slot_header_block block; /* the bundle's */
	struct bundle_stream stream;
	struct install_journal journal;
	bool rejected; /* and to be installed all the same */
	unsigned told; /* percent */
	_Alignas(4096) uint8_t buffer[READ_BACK_BYTES];
};

/*
 * Before anything is written: does the slot's journal tell of this very bundle? A stream that begins
 * elsewhere (install_options.from) is refused.
 */
int slot_fill_look(struct installation *install);

/* Tell the byte of the bundle from which on it is needed. */
void slot_fill_tell_next(const struct installation *install);

/* After the header is gone and before content is written: what the slot held is worth nothing. */
int slot_fill_begin(struct installation *install);

int slot_fill(struct installation *install);

/* Is it what the header signs? If not, the next attempt begins anew. */
int slot_fill_verify(struct installation *install);

/* It is armed: nothing is under way any more. */
void slot_fill_end(struct installation *install);

#endif
