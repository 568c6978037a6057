/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `keelctl slot install` on a disk of cut_disk.h: init/slot_install.c and all that it is made of, fed
 * with a bundle from memory. Only the device-mapper, the keyring and PID 1 are played.
 */
#ifndef KEELSON_TESTS_CUT_INSTALL_H
#define KEELSON_TESTS_CUT_INSTALL_H

#include "init/record.h"
#include "mount/header_io.h"

struct cut_bundle {
	const struct slot_header_block *block;
	const void *root;
	const void *tree;
	uint32_t frame_blocks;
	uint32_t frames; /* that are given before it ends; 0: all */
};

/*
 * Install into the slot that `running` did not boot. Returns the exit status; what is told goes
 * nowhere.
 */
int cut_install(const struct cut_bundle *bundle, const struct record *running);

#endif
