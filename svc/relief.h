/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who does not wait for the logger: services whose output may be lost (PLAN_SERVICE_LOG_DROP). The
 * logger itself waits in write(2) while a disk or a file system hangs, so a thread of its own looks at
 * their pipes. A pipe that is at least half full and from which nothing is taken for RELIEF_PATIENCE_NS
 * is emptied, but for what the logger has a copy of in its hands, and from then on whenever it is half
 * full, until the logger takes something from it again. What is lost is counted, and told in the file by
 * a line in its place (stream.h).
 *
 * "Half full": in a pipe without room for another write every page is more than half full, whatever the
 * size of the writes.
 *
 * The count is the logger's own, and so is the copy once what it was made of is thrown away: a logger that
 * dies meanwhile takes both with it, up to a chunk and what it did not tell.
 *
 * Where there is no logger at all nobody looks: then these services wait as all others do.
 */
#ifndef KEELSON_RELIEF_H
#define KEELSON_RELIEF_H

#include "svc/stream.h"

#define RELIEF_PATIENCE_NS 100000000ull
#define RELIEF_LOOK_NS 50000000ull /* between two looks */
#define RELIEF_HELD_NS 1000000ull  /* ... while the logger is held up */
#define RELIEF_CALM_NS \
	1000000000ull /* nothing was thrown away for so long: it is held up no more */

/* What is remembered of a stream from one look to the next; zero: nothing. */
struct relief_watch {
	uint32_t moves;
	uint64_t since_ns; /* half full, and nothing was taken; 0: it is not */
	uint64_t held_ns; /* when something was thrown away last; 0: not since something was taken */
};

/* One look. True: the logger is held up, look again soon. */
bool relief_look(struct stream *stream, struct relief_watch *watch, uint64_t now_ns);

/*
 * Begin to look, for as long as the program runs, if any of the streams may lose output. 0 or negative
 * errno: nobody looks.
 */
int relief_start(struct stream *streams, uint32_t count);

#endif
