/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/diagnostics.h"
#include "rootfs-spec/utf8.h"

#define QUOTE_BYTES 160u /* of a source line; what is longer is cut */

static const char *format_text(struct pool *pool, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
static void add(struct diagnostics *diagnostics, struct where where, bool warning,
		const char *format, va_list arguments) __attribute__((format(printf, 4, 0)));

static const char *format_text(struct pool *pool, const char *format, va_list arguments)
{
	va_list again;

	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		return format;
	char *text = pool_alloc(pool, (size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	return text;
}

static void add(struct diagnostics *diagnostics, struct where where, bool warning,
		const char *format, va_list arguments)
{
	POOL_GROW(diagnostics->pool, diagnostics->list, diagnostics->count);
	diagnostics->list[diagnostics->count++] = (struct diagnostic){
		.where = where,
		.text = format_text(diagnostics->pool, format, arguments),
		.warning = warning,
	};
	diagnostics->errors += !warning;
}

void diagnose(struct diagnostics *diagnostics, struct where where, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(diagnostics, where, false, format, arguments);
	va_end(arguments);
}

void diagnose_warning(struct diagnostics *diagnostics, struct where where, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(diagnostics, where, true, format, arguments);
	va_end(arguments);
}

void diagnose_hint(struct diagnostics *diagnostics, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	diagnostics->list[diagnostics->count - 1].suggestion = format_text(diagnostics->pool,
									   format, arguments);
	va_end(arguments);
}

void diagnose_suggest(struct diagnostics *diagnostics, const char *name)
{
	if (name)
		diagnose_hint(diagnostics, "did you mean '%s'?", name);
}

static int compare_places(const struct where *a, const struct where *b)
{
	/* What has no place comes last. */
	uint32_t order_a = a->source ? a->source->order : UINT32_MAX;
	uint32_t order_b = b->source ? b->source->order : UINT32_MAX;

	if (order_a != order_b)
		return order_a < order_b ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->column < b->column ? -1 : a->column > b->column;
}

static int compare(const void *a, const void *b)
{
	const struct diagnostic *left = a, *right = b;
	int order = compare_places(&left->where, &right->where);

	return order ? order : strcmp(left->text, right->text);
}

/* A text of a spec may hold what would command a terminal: that becomes '?'. */
static size_t put_character(const char *text, const char *kept, FILE *out)
{
	uint32_t code;
	size_t length = utf8_next(text, &code);

	if (utf8_is_printable(code) || (code < 0x80 && strchr(kept, (int)code)))
		fwrite(text, 1, length, out);
	else
		fputc('?', out);
	return length;
}

static void put_text(const char *text, FILE *out)
{
	while (*text)
		text += put_character(text, "\n\t", out);
}

/* Where quoting has got to: places come sorted, so that each source is walked through once. */
struct cursor {
	const struct source *source;
	uint32_t line;
	const char *text; /* NULL: after the last line */
};

static const char *line_of(struct cursor *cursor, const struct where *where)
{
	if (cursor->source != where->source || cursor->line > where->line)
		*cursor = (struct cursor){where->source, 1, where->source->text};
	for (; cursor->line < where->line && cursor->text; cursor->line++) {
		const char *end = strchr(cursor->text, '\n');
		cursor->text = end ? end + 1 : NULL;
	}
	return where->line ? cursor->text : NULL;
}

/* The source line and a caret below the column; tabs stay tabs so that both line up. */
static void quote(struct cursor *cursor, const struct where *where, FILE *out)
{
	const char *line = line_of(cursor, where);
	size_t length = line ? strcspn(line, "\r\n") : 0;

	if (length > QUOTE_BYTES)
		length = QUOTE_BYTES;
	if (length == 0 || where->column > length + 1)
		return;
	fputs("    ", out);
	for (const char *at = line; at < line + length;)
		at += put_character(at, "\t", out);
	fputs("\n    ", out);
	/* Columns count characters, not bytes. */
	uint32_t column = 1, code;
	for (const char *at = line; column < where->column && at < line + length; column++) {
		fputc(*at == '\t' ? '\t' : ' ', out);
		at += utf8_next(at, &code);
	}
	fputs("^\n", out);
}

void diagnostics_print(struct diagnostics *diagnostics, FILE *out, bool colour)
{
	struct cursor cursor = {0};
	const char *bold = colour ? "\033[1m" : "", *plain = colour ? "\033[0m" : "";

	if (diagnostics->count)
		qsort(diagnostics->list, diagnostics->count, sizeof(*diagnostics->list), compare);
	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *one = &diagnostics->list[i];
		const char *red = colour ? (one->warning ? "\033[35m" : "\033[31m") : "";
		if (i && compare(one, one - 1) == 0)
			continue;
		if (one->where.source && one->where.line)
			fprintf(out, "%s%s:%u:%u:%s ", bold, one->where.source->path,
				one->where.line, one->where.column, plain);
		else if (one->where.source)
			fprintf(out, "%s%s:%s ", bold, one->where.source->path, plain);
		fprintf(out, "%s%s%s:%s ", bold, red, one->warning ? "warning" : "error", plain);
		put_text(one->text, out);
		fputc('\n', out);
		if (one->where.source)
			quote(&cursor, &one->where, out);
		if (one->suggestion) {
			fputs("    ", out);
			put_text(one->suggestion, out);
			fputc('\n', out);
		}
	}
}
