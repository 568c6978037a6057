/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/relief.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "svc/timeline.h"

static struct relief {
	struct stream *streams;
	struct relief_watch *watches;
	uint32_t count;
} relief;

/* The lock is held. A service that writes without end does not keep it for ever. */
static void throw_away(struct stream *stream)
{
	static char bytes[STREAM_CHUNK_BYTES];

	for (int turn = 0; turn < 16; turn++) {
		ssize_t got = read(stream->pipe, bytes, sizeof bytes);

		if (got <= 0)
			return;
		size_t copied = (size_t)got < stream->held_bytes ? (size_t)got : stream->held_bytes;

		stream->held_bytes -= copied;
		stream->lost_bytes += (size_t)got - copied;
	}
}

static bool is_half_full(int pipe)
{
	int room = fcntl(pipe, F_GETPIPE_SZ), filled = 0;

	return room > 0 && ioctl(pipe, FIONREAD, &filled) == 0 && filled >= room / 2;
}

bool relief_look(struct stream *stream, struct relief_watch *watch, uint64_t now_ns)
{
	pthread_mutex_lock(&stream->lock);
	if (stream->moves != watch->moves)
		*watch = (struct relief_watch){.moves = stream->moves};
	if (!is_half_full(stream->pipe)) {
		watch->since_ns = 0;
	} else if (watch->since_ns == 0 && watch->held_ns == 0) {
		watch->since_ns = now_ns;
	} else if (watch->held_ns != 0 || now_ns - watch->since_ns >= RELIEF_PATIENCE_NS) {
		throw_away(stream);
		watch->held_ns = now_ns;
	}
	pthread_mutex_unlock(&stream->lock);
	if (watch->held_ns != 0 && now_ns - watch->held_ns >= RELIEF_CALM_NS)
		watch->held_ns = 0;
	return watch->held_ns != 0;
}

static void *run(void *unused)
{
	bool held = false;

	(void)unused;
	for (;;) {
		struct timespec nap = {.tv_nsec = held ? RELIEF_HELD_NS : RELIEF_LOOK_NS};

		nanosleep(&nap, NULL);
		held = false;
		for (uint32_t i = 0; i < relief.count; i++)
			if (relief.streams[i].may_drop)
				held |= relief_look(&relief.streams[i], &relief.watches[i],
						    clock_boottime_ns());
	}
	return NULL;
}

int relief_start(struct stream *streams, uint32_t count)
{
	bool wanted = false;
	pthread_t thread;

	for (uint32_t i = 0; i < count; i++)
		wanted |= streams[i].may_drop;
	if (!wanted)
		return 0;
	relief = (struct relief){streams, calloc(count, sizeof(struct relief_watch)), count};
	return relief.watches ? -pthread_create(&thread, NULL, run, NULL) : -ENOMEM;
}
