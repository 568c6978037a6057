/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The partition types of a keelson disk, as text (for the tool that makes the disk and for people)
 * and as bytes in the order they have on disk (for the code that reads it).
 *
 * Root, tree and state use the types of the Discoverable Partitions Specification
 * (https://uapi-group.org/specifications/specs/discoverable_partitions_specification/), so other
 * tools know what they see. The header has no relative there: its type is keelson's own.
 *
 * A GUID on disk has its first three fields little-endian (UEFI specification, appendix A).
 */
#ifndef KEELSON_GPT_TYPES_H
#define KEELSON_GPT_TYPES_H

#include <stdint.h>

#define GPT_GUID_BYTES 16u

/* An initialiser of uint8_t[16] from the five groups of a GUID's text. */
#define GPT_GUID(a, b, c, d, e)                                                               \
	{                                                                                     \
		(uint8_t)((a)&0xff), (uint8_t)((a) >> 8 & 0xff), (uint8_t)((a) >> 16 & 0xff), \
			(uint8_t)((a) >> 24 & 0xff), (uint8_t)((b)&0xff),                     \
			(uint8_t)((b) >> 8 & 0xff), (uint8_t)((c)&0xff),                      \
			(uint8_t)((c) >> 8 & 0xff), (uint8_t)((d) >> 8 & 0xff),               \
			(uint8_t)((d)&0xff), (uint8_t)((e) >> 40 & 0xff),                     \
			(uint8_t)((e) >> 32 & 0xff), (uint8_t)((e) >> 24 & 0xff),             \
			(uint8_t)((e) >> 16 & 0xff), (uint8_t)((e) >> 8 & 0xff),              \
			(uint8_t)((e)&0xff)                                                   \
	}

#define GPT_TYPE_ESP_TEXT "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
#define GPT_TYPE_ESP GPT_GUID(0xc12a7328, 0xf81f, 0x11d2, 0xba4b, 0x00a0c93ec93bull)

#define GPT_TYPE_ROOT_X86_64_TEXT "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
#define GPT_TYPE_ROOT_X86_64 GPT_GUID(0x4f68bce3, 0xe8cd, 0x4db1, 0x96e7, 0xfbcaf984b709ull)
#define GPT_TYPE_VERITY_X86_64_TEXT "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"
#define GPT_TYPE_VERITY_X86_64 GPT_GUID(0x2c7357ed, 0xebd2, 0x46d9, 0xaec1, 0x23d437ec2bf5ull)

#define GPT_TYPE_ROOT_ARM64_TEXT "b921b045-1df0-41c3-af44-4c6f280d3fae"
#define GPT_TYPE_ROOT_ARM64 GPT_GUID(0xb921b045, 0x1df0, 0x41c3, 0xaf44, 0x4c6f280d3faeull)
#define GPT_TYPE_VERITY_ARM64_TEXT "df3300ce-d69f-4c92-978c-9bfb0f38d820"
#define GPT_TYPE_VERITY_ARM64 GPT_GUID(0xdf3300ce, 0xd69f, 0x4c92, 0x978c, 0x9bfb0f38d820ull)

/* The slot's third partition: rootfs-spec/slot_header.h. The same on every architecture. */
#define GPT_TYPE_HEADER_TEXT "7ce50f29-4502-449f-8471-d2c1bece736f"
#define GPT_TYPE_HEADER GPT_GUID(0x7ce50f29, 0x4502, 0x449f, 0x8471, 0xd2c1bece736full)

/* The node's mutable state (/var): the only partition that is written while the node runs. */
#define GPT_TYPE_STATE_TEXT "4d21b016-b534-45c2-a9fb-5c16e091fd2d"
#define GPT_TYPE_STATE GPT_GUID(0x4d21b016, 0xb534, 0x45c2, 0xa9fb, 0x5c16e091fd2dull)

/* Names are for people and for `source: partition:NAME`; slots are found by type and order. */
#define GPT_NAME_ESP "esp"
#define GPT_NAME_ROOT_A "root-a"
#define GPT_NAME_VERITY_A "root-a-verity"
#define GPT_NAME_HEADER_A "root-a-header"
#define GPT_NAME_ROOT_B "root-b"
#define GPT_NAME_VERITY_B "root-b-verity"
#define GPT_NAME_HEADER_B "root-b-header"
#define GPT_NAME_STATE "state"

/*
 * Attributes of the root data partition, and only of it: the bits that ChromeOS and Flatcar use
 * (vboot, cgptlib_internal.h). docs/slots.md says what they mean here.
 */
#define GPT_ATTRIBUTE_PRIORITY_SHIFT 48u
#define GPT_ATTRIBUTE_PRIORITY_MAX 15u
#define GPT_ATTRIBUTE_TRIES_SHIFT 52u
#define GPT_ATTRIBUTE_TRIES_MAX 15u
#define GPT_ATTRIBUTE_SUCCESSFUL_SHIFT 56u

#endif
