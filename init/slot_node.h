/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's slots as keelson-slot sees them: which one runs, as PID 1 says, and what both hold, as
 * the disk says now. For programs; what fails is told on stderr.
 */
#ifndef KEELSON_SLOT_NODE_H
#define KEELSON_SLOT_NODE_H

#include "init/slot.h"
#include "mount/disk.h"
#include "mount/install.h"
#include "rootfs-spec/plan.h"
#include "svc/control.h"

/* Exit statuses of `keelctl slot`; 0 to 3 are keelctl's own. */
enum slot_exit {
	SLOT_EXIT_OK = 0,
	SLOT_EXIT_FAILED = 1,
	SLOT_EXIT_USAGE = 2,
	SLOT_EXIT_NO_SLOTS = 3,
	SLOT_EXIT_ARCHITECTURE = 10,
	SLOT_EXIT_OUTDATED = 11,
	SLOT_EXIT_UNSIGNED = 12,
	SLOT_EXIT_TOO_LARGE = 13,
	SLOT_EXIT_NEEDED = 14,
	SLOT_EXIT_ALREADY = 15,
	SLOT_EXIT_REJECTED = 16,
	SLOT_EXIT_DELTA = 17,
	SLOT_EXIT_NO_BUNDLE = 18,
	SLOT_EXIT_CUT_OFF = 19,
	SLOT_EXIT_BUSY = 20,
	SLOT_EXIT_ELSEWHERE = 21, /* it goes on at another byte than the one that was given */
	SLOT_EXIT_DAMAGED = 22,
	SLOT_EXIT_UNFIT = 23
};

/* About 80 KiB: static storage. */
struct slot_node {
	const char *socket; /* PID 1's */
	struct control_slot_status status;
	struct plan plan;
	struct keyring keyring;
	int hash;
	struct disk disk;
	struct slot_examination examinations[SLOT_COUNT];
	struct slot_view views[SLOT_COUNT];
};

/* "keelctl: slot: ..." on stderr, as a JSON line on stdout if that was asked for; returns `status`. */
int slot_tell(enum slot_exit status, const char *format, ...) __attribute__((format(printf, 2, 3)));
void slot_tell_json(bool json);

/* Ask PID 1, and trust the keys that the running image trusts. 0 or a slot_exit that was told. */
int slot_node_open(struct slot_node *node, const char *socket);

/* Does PID 1 say now that the slot that runs was blessed? */
bool slot_node_blessed(const char *socket);

/*
 * Read table and slots as they are now. Whoever goes on to write holds the disk's lock. The image
 * that runs must be where PID 1 booted it from. 0 or a slot_exit that was told.
 */
int slot_node_look(struct slot_node *node);

/* A descriptor that holds the disk's lock, or -1: told. */
int slot_node_lock(const struct slot_node *node);

/*
 * A descriptor that holds what only one installation or verification at a time may: the other slot's
 * partitions and the verity device that reads them back. Else a negative slot_exit: told.
 */
int slot_node_alone(void);

int slot_node_target(const struct slot_node *node, uint32_t slot, struct install_target *target,
		     char header_device[DEVICE_NAME_BYTES]);

/* Write the bits of a change that is not refused. 0 or a slot_exit that was told. */
int slot_node_write(struct slot_node *node, const struct slot_change *change);

/* Note it in the slots' history (slot_history.h), with the version of what `slot` holds. */
void slot_node_note(const struct slot_node *node, uint32_t kind, uint32_t slot);

struct install_options {
	const char *path; /* "-": standard input */
	bool force;
	bool json;
	bool next;     /* only tell where in the bundle it would go on */
	uint64_t from; /* behind the head the bundle's byte `from` is given; 0: all of it */
};

int slot_install(struct slot_node *node, const struct install_options *options);

#endif
