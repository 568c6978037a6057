/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32 as GPT (UEFI specification, section 5.3) and zlib use it: polynomial 0x04c11db7,
 * reflected, initial value and final xor all ones. Detects damage, not malice.
 */
#ifndef KEELSON_CRC32_H
#define KEELSON_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continue `crc` (0 to begin) over `size` bytes: crc32(crc32(0, a), b) is the CRC of ab. */
uint32_t crc32(uint32_t crc, const void *bytes, size_t size);

/*
 * The CRC of `size` bytes as if the four at offset `field` were zero: how every record here, and the
 * header of a GPT, holds its own. `field` + 4 is at most `size`.
 */
uint32_t crc32_without(const void *bytes, size_t size, size_t field);

#endif
