/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd_notify(3): services say READY=1 and the like in datagrams to /run/keelson/notify, one socket
 * for all, made before any service.
 *
 * Who speaks. The kernel stamps each datagram with the sender's pid (SCM_CREDENTIALS, unix(7)):
 * NOTIFY_SOCKET is inherited by everything that a service starts, so a message alone proves nothing.
 * What the main process says counts; what other processes of the service's cgroup say counts with
 * `notify: all` only. Who has CAP_SYS_ADMIN may send in another's name, as systemd-notify(1) does for
 * the shell that it is called from. A main process is told by its pid for certain, for it keeps that
 * until PID 1 reaped it. Any other sender is told by /proc/PID/cgroup, as long as it is there: one
 * that ends at once waits for BARRIER=1, as systemd-notify(1) does, or may not be heard. (A pidfd that
 * comes with the message, SCM_PIDFD, would tell it still; the kernels that keelson ships have none.)
 *
 * What they say. Lines KEY=VALUE; of a key that comes twice the last one counts, and so does the last
 * one of READY, RELOADING and STOPPING. Numbers are decimal, without sign or space.
 *     READY=1               ready, or done with a reload
 *     RELOADING=1           reloads; MONOTONIC_USEC= tells since when
 *     STOPPING=1            stops by itself: the stop timeout runs
 *     STATUS=               for people: the first bytes, what is not printable ASCII as "?"
 *     ERRNO=                why it is about to fail, for people
 *     MAINPID=              another process of its cgroup is the main one from now on
 *     WATCHDOG=1            it lives; =trigger: it wants to be restarted as if it did not
 *     WATCHDOG_USEC=        WATCHDOG=1 is to be expected so often from now on; 0: not at all
 *     EXTEND_TIMEOUT_USEC=  it starts or stops for so long from now on, if not in time
 *     BARRIER=1             by itself, with one descriptor: it is closed when all that came before
 *                           was acted on
 * Of what else sd_notify(3) documents nothing has an effect:
 *     FDSTORE, FDSTOREREMOVE, FDNAME, FDPOLL  descriptors do not outlive a service: whatever comes
 *                           along is closed, by a child (foreign.h)
 *     NOTIFYACCESS          who may speak is the spec's to say
 *     RESTART_RESET         the burst limit is the spec's; being up for the stable period resets it
 *     MAINPIDFD, MAINPIDFDID  MAINPID is checked through a pidfd of PID 1's own
 *     BUSERROR, VARLINKERROR  errors of buses that the node does not have; ERRNO tells
 *     EXIT_STATUS           for the manager above a manager; a service's own is its exit
 *
 * A message may be of any size and its lines in any order: what does not fit the buffer is read in
 * pieces.
 */
#ifndef KEELSON_NOTIFY_H
#define KEELSON_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_SOCKET_NAME "notify" /* in the runtime directory */
#define NOTIFY_PIECE_BYTES 4096u
#define NOTIFY_RIGHTS_PIECES 16 /* what a child costs, in pieces */
#define NOTIFY_STATUS_BYTES 64u
#define NOTIFY_LINE_BYTES 96u /* of a line more does not matter */

/* What a message holds. */
enum notify_key {
	NOTIFY_READY = 1 << 0,
	NOTIFY_RELOADING = 1 << 1,
	NOTIFY_STOPPING = 1 << 2,
	NOTIFY_STATUS = 1 << 3,
	NOTIFY_ERRNO = 1 << 4,
	NOTIFY_MAINPID = 1 << 5,
	NOTIFY_WATCHDOG = 1 << 6,
	NOTIFY_TRIGGER = 1 << 7, /* WATCHDOG=trigger */
	NOTIFY_WATCHDOG_USEC = 1 << 8,
	NOTIFY_EXTEND = 1 << 9,
	NOTIFY_MONOTONIC = 1 << 10,
	NOTIFY_BARRIER = 1 << 11 /* then nothing else */
};

struct notify_message {
	uint32_t keys;    /* enum notify_key, or'ed: which of the fields below were said */
	int32_t main_pid; /* > 0 */
	int32_t error;    /* ERRNO=, 0 to 4095 */
	uint64_t watchdog_us;
	uint64_t extend_us;
	uint64_t monotonic_us;
	char status[NOTIFY_STATUS_BYTES];
};

/*
 * Pure: a message that comes in pieces, cut anywhere. notify_parse_end() closes the last line; with
 * `whole` false the end of the message is missing, and a line that it may have cut does not count.
 * None of them can fail: what is not understood is skipped.
 */
struct notify_parser {
	struct notify_message *message;
	uint32_t length; /* of the line so far */
	bool cut;        /* ... of which some did not fit */
	char line[NOTIFY_LINE_BYTES];
};

void notify_parse_begin(struct notify_parser *parser, struct notify_message *message);
void notify_parse_piece(struct notify_parser *parser, const char *text, size_t size);
void notify_parse_end(struct notify_parser *parser, bool whole);

/* Pure: a message in one piece. */
void notify_parse(const char *text, size_t size, struct notify_message *message);

/* Make the socket at `path` (replaced if it exists), mode 0666, CLOEXEC, non-blocking. fd or errno. */
int notify_open(const char *path);

/*
 * Take one datagram, fill `message` and the sender's `pid` (0: unknown). Returns 0 when there is none,
 * else how many pieces it was, and NOTIFY_RIGHTS_PIECES more if it brought descriptors: these a child
 * takes (foreign.h), for which PID 1 waits 20 ms at most. A negative errno: that is not done yet
 * (-EINPROGRESS), or no child can be made: the message is still there, ask again later.
 */
int notify_receive(int fd, struct notify_message *message, int *pid);

#endif
