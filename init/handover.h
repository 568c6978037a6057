/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the PID 1 that starts another kernel tells the one of that kernel: which slot was chosen, that
 * its try is burned, and which kernel it was to get. With it the second half of the boot takes the slot
 * as it is, burns nothing and starts no third kernel.
 *
 * It is a file of the initramfs that kexec_file_load(2) is given, behind the slot's own: an archive
 * of one file (Documentation/driver-api/early-userspace/buffer-format.rst). So it lives in memory
 * only, once: nothing has to be written before the kexec or erased after it. A boot loader that is given
 * a second initramfs with such a file forges it, or gives an old one; that equals replacing the
 * initramfs, PID 1 with it. It is no authority: the slot is examined as ever, and must be sound and the
 * same image on the same disk.
 *
 * PID 1 of two images may read and write it: the layout is frozen per version. One of another version
 * says only that this is the second kernel of a boot.
 *
 * Beside it lies what people want to know and nothing decides by: the phases of the first kernel's PID 1,
 * an array of struct timeline_event.
 *
 * Little-endian, pointer-free. Pure.
 */
#ifndef KEELSON_HANDOVER_H
#define KEELSON_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "rootfs-spec/slot_header.h"
#include "svc/timeline.h"

#define HANDOVER_PATH "/keelson/handover" /* in the initramfs */
#define HANDOVER_PHASES_PATH "/keelson/phases"
#define HANDOVER_PHASES_MAX 12u
#define HANDOVER_MAGIC "KEELKEXE"
#define HANDOVER_VERSION 1u
#define HANDOVER_RELEASE_BYTES 72u

struct handover {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size_bytes;
	uint32_t crc32;          /* of the whole with this field zero */
	uint32_t slot;           /* 0: a, 1: b */
	uint32_t burned;         /* 1: this boot took a try from the slot */
	uint32_t forced;         /* as in the boot record */
	uint32_t last_resort;    /* as in the boot record */
	uint32_t watchdog_reset; /* 1: the device said that it did the last reset; it says so once */
	uint64_t boot_ns;        /* CLOCK_BOOTTIME when the kexec began: it starts anew after it */
	uint8_t disk_guid[16];
	uint8_t root_hash[SLOT_DIGEST_BYTES];     /* of the slot's image */
	uint8_t kernel_sha256[SLOT_DIGEST_BYTES]; /* that was loaded */
	char release[HANDOVER_RELEASE_BYTES];     /* of the kernel that ran before */
};

_Static_assert(sizeof(struct handover) == 200, "the layout of the handover is frozen");

void handover_seal(struct handover *handover);

/* 0, -EPROTONOSUPPORT (another version), -EBADMSG. */
int handover_check(const struct handover *handover, size_t size);

/* The phases that PID 1 noted, the last ones if there are more; one that is under way ends at `now_ns`. */
size_t handover_phases(const struct timeline *timeline, uint64_t now_ns,
		       struct timeline_event phases[HANDOVER_PHASES_MAX]);

/* Put them, of which nothing is believed, into the second kernel's timeline as TIMELINE_BOOTSTRAP. */
void handover_note_phases(struct timeline *timeline, const struct timeline_event *phases,
			  size_t count);

/*
 * The archive to put behind an initramfs of `initramfs_bytes`: first zeros up to a multiple of four,
 * then both files. Returns its length; the buffer is large enough.
 */
#define HANDOVER_ARCHIVE_BYTES (800u + HANDOVER_PHASES_MAX * sizeof(struct timeline_event))
size_t handover_archive(char archive[HANDOVER_ARCHIVE_BYTES], uint64_t initramfs_bytes,
			const struct handover *handover, const struct timeline_event *phases,
			size_t count);

#endif
