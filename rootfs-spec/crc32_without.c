/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs-spec/crc32.h"

uint32_t crc32_without(const void *bytes, size_t size, size_t field)
{
	static const uint8_t zero[4];
	const uint8_t *byte = bytes;
	size_t after = field + sizeof(zero);

	return crc32(crc32(crc32(0, byte, field), zero, sizeof(zero)), byte + after, size - after);
}
