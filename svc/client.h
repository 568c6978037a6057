/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of control.h: one request, its answer packet by packet. Blocking; for programs. */
#ifndef KEELSON_CLIENT_H
#define KEELSON_CLIENT_H

#include "svc/control.h"

#define CLIENT_SOCKET "/run/keelson/" CONTROL_SOCKET_NAME

/* Called for each packet but END; a negative return ends the conversation with that error. */
typedef int client_packet(void *context, const struct control_reply *reply, const void *payload);

/* An answer that does not begin or go on for so long is given up: PID 1 hangs, or is kept busy. */
#define CLIENT_ANSWER_S 30u

/*
 * Send `request` to the socket at `path` and hand the answer to `packet`. Returns what END says, or a
 * negative errno of this side: -ENOENT and -ECONNREFUSED from connect(2) come as -ENOTCONN, so that
 * "no such service" stays apart from "no keelson"; -ECONNRESET: the answer broke off; -ETIMEDOUT: no
 * packet within CLIENT_ANSWER_S, or within what client_patience() said. A request that waits for
 * services or for events waits as long as they take, or as client_patience() said.
 */
int client_ask(const char *path, const struct control_request *request, client_packet *packet,
	       void *context);

/* From now on: seconds, 1 to 86400. */
void client_patience(unsigned seconds);

#endif
