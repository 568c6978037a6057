/* SPDX-License-Identifier: Apache-2.0 */
/* The packets of an answer, one at a time and in order: what control_server.c sends. */
#ifndef KEELSON_CONTROL_ANSWER_H
#define KEELSON_CONTROL_ANSWER_H

#include <stddef.h>

#include "svc/control_server.h"

/* Room for any packet, aligned for its payload. */
union control_packet {
	struct control_reply reply;
	uint64_t align;
	uint8_t bytes[CONTROL_PACKET_BYTES];
};

/*
 * Make the packet at client->cursor and move the cursor. Returns its size, or 0 when END has to wait
 * for the service to settle; *last is set with END.
 */
size_t control_answer_next(const struct control_server *server, struct control_client *client,
			   uint64_t now_ns, union control_packet *packet, bool *last);

#endif
