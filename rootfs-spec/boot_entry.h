/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an image has for whoever starts it, inside its root, and the boot loader's entry that starts
 * it, on the EFI system partition: a Boot Loader Specification entry of type 1
 * (https://uapi-group.org/specifications/specs/boot_loader_specification/).
 *
 *     /keelson/vmlinuz-DIGEST, initramfs-DIGEST.zst   DIGEST: the first 16 digits of their SHA-256
 *     /loader/entries/keelson.conf                    the entry that names them
 *     /loader/entries/keelson-previous.conf           the entry before it: init/esp.h
 *
 * A file on the ESP never changes: another content has another name. So an entry that is replaced as
 * a whole names either the old files or the new. The builder's machine and the node write the same
 * text. Pure.
 */
#ifndef KEELSON_BOOT_ENTRY_H
#define KEELSON_BOOT_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_INITRAMFS_PATH "/usr/lib/keelson/initramfs.zst" /* of the image, inside its root */
#define SLOT_CMDLINE_PATH "/usr/lib/keelson/cmdline" /* its kernel.cmdline: one line of words */

#define BOOT_ENTRY_DIRECTORY "keelson" /* of the ESP */
#define BOOT_ENTRY_PATH "loader/entries/keelson.conf"
#define BOOT_ENTRY_PREVIOUS_PATH "loader/entries/keelson-previous.conf"

#define BOOT_ENTRY_NAME_BYTES 40u
#define BOOT_ENTRY_BYTES 8192u /* of an entry's text; a longer one is none of ours */

struct boot_entry {
	const char *name;    /* of the image */
	const char *version; /* of the image */
	const char *vmlinuz; /* file names in BOOT_ENTRY_DIRECTORY */
	const char *initramfs;
	const char *options; /* the image's kernel.cmdline */
};

void boot_entry_vmlinuz(char name[BOOT_ENTRY_NAME_BYTES], const uint8_t sha256[32]);
void boot_entry_initramfs(char name[BOOT_ENTRY_NAME_BYTES], const uint8_t sha256[32]);

/*
 * The text of an entry into `text`. `before` is the entry that it replaces, or NULL: lines of its own
 * that are not ours go along, as somebody put them there. Ours are title, version, sort-key, linux,
 * initrd, comments, and the first `options`, which are the image's. 0 or -E2BIG.
 */
int boot_entry_format(char *text, size_t size, const struct boot_entry *entry, const char *before);

/* The same entry as the one that was before: another title and place in the loader's menu, else as it
 * is. 0 or -E2BIG. */
int boot_entry_format_previous(char *text, size_t size, const char *entry);

/* Does a `linux` or `initrd` line name the file `name` of BOOT_ENTRY_DIRECTORY? */
bool boot_entry_uses(const char *entry, const char *name);

#endif
