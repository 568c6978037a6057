/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of control.h: one request, its answer packet by packet. Blocking; for programs. */
#ifndef KEELSON_CLIENT_H
#define KEELSON_CLIENT_H

#include "svc/control.h"

#define CLIENT_SOCKET "/run/keelson/" CONTROL_SOCKET_NAME

/* Called for each packet but END; a negative return ends the conversation with that error. */
typedef int client_packet(void *context, const struct control_reply *reply, const void *payload);

/*
 * Send `request` to the socket at `path` and hand the answer to `packet`. Returns what END says, or a
 * negative errno of this side: -ENOENT and -ECONNREFUSED from connect(2) come as -ENOTCONN, so that
 * "no such service" stays apart from "no keelson"; -ECONNRESET: the answer broke off.
 */
int client_ask(const char *path, const struct control_request *request, client_packet *packet,
	       void *context);

#endif
