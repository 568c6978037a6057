/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot record: what the initramfs's PID 1 hands to the slot's PID 1, in a sealed memfd whose
 * number is the argument `--record=N`. Fixed size, versioned, checksummed, pointer-free. A slot
 * whose PID 1 meets a record of another version boots without it (no blessing, a line in the log):
 * the format is therefore frozen per version and grows only at the end.
 */
#ifndef KEELSON_RECORD_H
#define KEELSON_RECORD_H

#include "rootfs-spec/slot_header.h"
#include "svc/timeline.h"

#define RECORD_MAGIC 0x44524f4345524b45ull
#define RECORD_VERSION 2u

struct record {
	uint64_t magic;
	uint32_t version;
	uint32_t size_bytes;
	uint32_t crc32;       /* of the record with this field zero */
	uint32_t slot;        /* 0: a, 1: b */
	uint32_t tries_left;  /* after this boot's try was burned */
	uint32_t successful;  /* 1: the slot had been blessed before */
	uint32_t forced;      /* 1: chosen by keelson.slot= */
	uint32_t last_resort; /* 1: sound but out of tries, booted for want of a better one */
	char disk[32];        /* kernel name of the disk, "vda" */
	uint8_t disk_guid[16];
	uint32_t sector_bytes;
	uint32_t entry;       /* index of the root partition's GPT entry */
	char root_device[32]; /* kernel name, "vda2" */
	char hash_device[32];
	char header_device[32];
	struct slot_header header; /* verified */
	uint32_t other_state;      /* private to init/slot: verdict of the other slot */
	uint32_t trace;            /* keelson.trace was given */
	uint32_t log_level;        /* keelson.log= */
	uint32_t kexecs;           /* kexecs in this boot, 0 or 1: init/kexec.h */
	uint32_t burned;           /* 1: this boot took a try from the slot */
	uint32_t watchdog_reset;   /* 1: said before a kexec, after which the device does not */
	uint64_t bootstrap_ns;     /* how long the boot took before its kexec; 0: none */
	uint8_t boot_build_id[SLOT_DIGEST_BYTES]; /* of the image whose initramfs this is from */
	struct timeline timeline;
};

/* Fill magic, version, size and CRC. */
void record_seal(struct record *record);

/* 0, -EPROTONOSUPPORT (version or size), -EBADMSG (magic or CRC). */
int record_check(const struct record *record, size_t size);

#endif
