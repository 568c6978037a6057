/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct out {
	char *buffer;
	size_t size; /* of the buffer, with room for the NUL */
	size_t length;
};

static void put(struct out *out, char c)
{
	if (out->length + 1 < out->size)
		out->buffer[out->length++] = c;
}

static void put_padded(struct out *out, const char *text, size_t length, size_t width, char pad)
{
	for (; width > length; width--)
		put(out, pad);
	for (size_t i = 0; i < length; i++)
		put(out, text[i]);
}

/* The digits of `value`, right-aligned in `digits`; returns where they begin. */
static const char *to_digits(uint64_t value, unsigned base, char digits[static 24], size_t *length)
{
	char *end = digits + 24, *at = end;

	do {
		*--at = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	*length = (size_t)(end - at);
	return at;
}

static void put_unsigned(struct out *out, uint64_t value, unsigned base, bool negative,
			 size_t width, char pad)
{
	char digits[24];
	size_t length;
	const char *at = to_digits(value, base, digits, &length);

	/* The sign is part of the width: before zeros, after spaces. */
	if (negative && width > 0)
		width--;
	if (negative && pad == ' ') {
		for (; width > length; width--)
			put(out, pad);
	}
	if (negative)
		put(out, '-');
	put_padded(out, at, length, width, pad);
}

/* One conversion as it was read: %[0][width][.*]{l,ll,z}c */
struct conversion {
	char pad;
	size_t width;
	int precision; /* -1: none */
	int longs;     /* 0 int, 1 long, 2 long long, 3 size_t */
};

static uint64_t take_unsigned(va_list *arguments, int longs)
{
	switch (longs) {
	case 0: return va_arg(*arguments, unsigned);
	case 1: return va_arg(*arguments, unsigned long);
	case 2: return va_arg(*arguments, unsigned long long);
	default: return va_arg(*arguments, size_t);
	}
}

static int64_t take_signed(va_list *arguments, int longs)
{
	switch (longs) {
	case 0: return va_arg(*arguments, int);
	case 1: return va_arg(*arguments, long);
	case 2: return va_arg(*arguments, long long);
	default: return (int64_t)va_arg(*arguments, size_t);
	}
}

static void put_string(struct out *out, const char *text, const struct conversion *conversion)
{
	if (!text)
		text = "(null)";
	size_t length = conversion->precision < 0 ? strlen(text)
						  : strnlen(text, (size_t)conversion->precision);

	put_padded(out, text, length, conversion->width, ' ');
}

/* Read flags, width, precision and length at `format`; returns where the letter is. */
static const char *read_conversion(const char *format, struct conversion *conversion,
				   va_list *arguments)
{
	*conversion = (struct conversion){.pad = ' ', .precision = -1};
	if (*format == '0') {
		conversion->pad = '0';
		format++;
	}
	for (; *format >= '0' && *format <= '9'; format++)
		conversion->width = conversion->width * 10 + (size_t)(*format - '0');
	if (format[0] == '.' && format[1] == '*') {
		conversion->precision = va_arg(*arguments, int);
		format += 2;
	}
	if (*format == 'z') {
		conversion->longs = 3;
		return format + 1;
	}
	for (; *format == 'l' && conversion->longs < 2; format++)
		conversion->longs++;
	return format;
}

size_t format_text_v(char *buffer, size_t size, const char *format, va_list given)
{
	struct out out = {.buffer = buffer, .size = size};
	va_list arguments;

	va_copy(arguments, given);
	for (; *format; format++) {
		struct conversion conversion;
		const char *begin = format;

		if (*format != '%') {
			put(&out, *format);
			continue;
		}
		format = read_conversion(format + 1, &conversion, &arguments);
		switch (*format) {
		case '%': put(&out, '%'); break;
		case 'c': put(&out, (char)va_arg(arguments, int)); break;
		case 's': put_string(&out, va_arg(arguments, const char *), &conversion); break;
		case 'u':
		case 'x':
			put_unsigned(&out, take_unsigned(&arguments, conversion.longs),
				     *format == 'x' ? 16 : 10, false, conversion.width,
				     conversion.pad);
			break;
		case 'd':
		case 'i': {
			int64_t value = take_signed(&arguments, conversion.longs);
			uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

			put_unsigned(&out, magnitude, 10, value < 0, conversion.width,
				     conversion.pad);
			break;
		}
		default:
			for (; begin < format; begin++)
				put(&out, *begin);
			format--; /* the loop looks at this character again, or at the NUL */
			break;
		}
	}
	va_end(arguments);
	buffer[out.length] = '\0';
	return out.length;
}

size_t format_text(char *buffer, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	size_t length = format_text_v(buffer, size, format, arguments);
	va_end(arguments);
	return length;
}
