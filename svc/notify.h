/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd_notify(3): services say READY=1 and the like in datagrams to /run/keelson/notify, one socket
 * for all, made before any service. The kernel stamps each datagram with the sender's pid
 * (SCM_CREDENTIALS, unix(7)); descriptors that come along are closed. A message counts for the
 * service whose main process sent it, or in whose cgroup the sender is: NOTIFY_SOCKET is inherited
 * by everything that a service starts, so a message alone proves nothing. A sender that is gone
 * before its message is read can no longer be told (and, on kernels before 6.5 that pass no pidfd, a
 * process that got its number meanwhile is taken for it): one that ends at once waits for BARRIER=1, as
 * systemd-notify(1) does, whose descriptor is closed here when what was sent before it was read.
 */
#ifndef KEELSON_NOTIFY_H
#define KEELSON_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>

#define NOTIFY_SOCKET_NAME "notify" /* in the runtime directory */
#define NOTIFY_MESSAGE_BYTES 4096u  /* a longer one is dropped */
#define NOTIFY_STATUS_BYTES 64u

/* What a message says that keelson acts on. */
struct notify_message {
	bool ready; /* READY=1 */
	bool has_status;
	char status[NOTIFY_STATUS_BYTES]; /* STATUS=, cut; what is not printable ASCII is a "?" */
};

/*
 * Pure: read `size` bytes of newline-separated KEY=VALUE lines. All others are skipped; it cannot
 * fail. Of those that sd_notify(3) knows:
 * - MAINPID: the main process is the one that was spawned, and is never anybody else;
 * - STOPPING: who stops by itself has ended in a moment, and that is what counts;
 * - EXTEND_TIMEOUT_USEC: timeouts are the plan's, no service prolongs its own;
 * - WATCHDOG, RELOADING, FDSTORE, ERRNO, BUSERROR: nothing on the node makes use of them.
 */
void notify_parse(const char *text, size_t size, struct notify_message *message);

/* Make the socket at `path` (replaced if it exists), mode 0666, CLOEXEC, non-blocking. fd or errno. */
int notify_open(const char *path);

/*
 * Take one datagram. Descriptors that it brings are closed, without waiting for what they are. Returns 1 and fills `message` and the sender's `pid` (0: unknown), 0 when there
 * is none left, or a negative errno for one that was dropped.
 */
int notify_receive(int fd, struct notify_message *message, int *pid);

#endif
