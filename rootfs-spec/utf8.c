/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs-spec/utf8.h"

size_t utf8_next(const char *text, uint32_t *code)
{
	/* The least code point that needs so many bytes. */
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)*text;
	size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	uint32_t value = length == 1 ? first : first & (0x7fu >> length);

	*code = UTF8_INVALID;
	if ((first >= 0x80 && first < 0xc0) || first > 0xf4)
		return 1;
	for (size_t i = 1; i < length; i++) {
		unsigned char next = (unsigned char)text[i];
		if ((next & 0xc0) != 0x80)
			return 1;
		value = value << 6 | (next & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 1;
	*code = value;
	return length;
}

bool utf8_is_printable(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0, 0x1f}, {0x7f, 0x9f}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return false;
	return code != UTF8_INVALID;
}
