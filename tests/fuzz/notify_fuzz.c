/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd_notify(3) messages: whatever a sender writes, and wherever it is cut, its meaning is the same,
 * and everything in it is within bounds. The first byte says where the cut is.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "svc/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(const struct notify_message *message)
{
	bool bounded = memchr(message->status, '\0', sizeof message->status) != NULL;

	for (const char *c = message->status; bounded && *c; c++)
		bounded = *c >= ' ' && *c <= '~';
	if (!bounded || message->main_pid < 0 || message->error < 0 || message->error > 4095 ||
	    (message->keys & NOTIFY_MAINPID && message->main_pid == 0) ||
	    (message->keys & NOTIFY_BARRIER && message->keys != NOTIFY_BARRIER))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct notify_message whole, pieces;
	struct notify_parser parser;

	if (size == 0)
		return 0;
	const char *text = (const char *)bytes + 1;
	size_t length = size - 1, cut = bytes[0] < length ? bytes[0] : length;

	notify_parse(text, length, &whole);
	notify_parse_begin(&parser, &pieces);
	notify_parse_piece(&parser, text, cut);
	notify_parse_piece(&parser, text + cut, length - cut);
	notify_parse_end(&parser, true);
	check(&whole);
	if (memcmp(&whole, &pieces, sizeof whole) != 0)
		abort();
	return 0;
}
