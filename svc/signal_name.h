/* SPDX-License-Identifier: Apache-2.0 */
/* Signals by name, as kill(1) takes and tells them. For programs, not for PID 1. */
#ifndef KEELSON_SIGNAL_NAME_H
#define KEELSON_SIGNAL_NAME_H

#define SIGNAL_NAME_BYTES 16

/* "HUP", "SIGHUP", "1", "RTMIN", "SIGRTMIN+5", "RTMAX-2", in any case: its number; 0: none. */
int signal_parse(const char *text);

/* "HUP", "RTMIN+5"; a number that has no name as it is. */
const char *signal_name(int signal, char text[static SIGNAL_NAME_BYTES]);

#endif
