/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelson-log --plan PATH - the logger: from the pipes that PID 1 keeps to files (log_protocol.h).
 *
 * Told to stop, it empties the pipes and exits with 0. Its own complaints go to stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "svc/fd.h"
#include "svc/log_protocol.h"
#include "svc/log.h"
#include "svc/relief.h"
#include "svc/stream.h"
#include "svc/timeline.h"

#define EXIT_USAGE 2

/* When it is told to stop it does not follow a service that writes without end. */
#define DRAIN_CHUNKS 64u

static volatile sig_atomic_t stopping;

static void on_stop(int number)
{
	(void)number;
	stopping = 1;
}

/* The stop signals stay blocked but while waiting, so that none slips in just before. */
static void handle_signals(sigset_t *waiting)
{
	struct sigaction stop = {.sa_handler = on_stop};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, waiting);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}

static int map_plan(const char *path, struct plan *plan)
{
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct plan_fault fault = {.reason = "cannot be read"};
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0) {
		fprintf(stderr, "keelson-log: %s: %s\n", path, strerror(errno));
		return -1;
	}
	if (status.st_size <= 0 || status.st_size > PLAN_MAX_BYTES) {
		fprintf(stderr, "keelson-log: %s: not a plan: size\n", path);
		return -1;
	}
	size_t size = (size_t)status.st_size;
	void *base = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (base == MAP_FAILED || plan_verify(base, size, PLAN_KIND_NODE, plan, &fault) != 0) {
		fprintf(stderr, "keelson-log: %s: not a plan: %s\n", path, fault.reason);
		return -1;
	}
	return 0;
}

static struct stream stream_of(const struct plan *plan, uint32_t index, int fd)
{
	const struct plan_service *service = plan_service(plan, index);

	/* Only this program reads from the pipe, so nobody else is surprised. */
	if (fcntl(fd, F_SETFL, O_RDONLY | O_NONBLOCK) < 0)
		fprintf(stderr, "keelson-log: %s: descriptor %d: %s\n",
			plan_string(plan, service->name), fd, strerror(errno));
	return (struct stream){
		.name = plan_string(plan, service->name),
		.pipe = fd,
		.line_start = true,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.may_drop = service->flags & PLAN_SERVICE_LOG_DROP,
		.file = {.path = plan_string(plan, service->output_path),
			 .max_bytes = service->log_max_bytes,
			 .keep = service->log_keep,
			 .fd = -1},
	};
}

/* The array of streams, in the order of the inherited descriptors. */
static struct stream *open_streams(const struct plan *plan, uint32_t *count)
{
	uint32_t services = plan_count(plan, PLAN_SERVICES);
	struct stream *streams = calloc(services + 1, sizeof *streams);

	*count = 0;
	for (uint32_t i = log_next_service(plan, 0); streams && i < services;
	     i = log_next_service(plan, i + 1)) {
		streams[*count] = stream_of(plan, i, LOG_FIRST_FD + (int)*count);
		++*count;
	}
	return streams;
}

static int open_scratch(struct stream_scratch *scratch)
{
	scratch->chunk = malloc(STREAM_CHUNK_BYTES);
	scratch->lines = malloc(STREAM_CHUNK_BYTES);
	return scratch->chunk && scratch->lines && pipe2(scratch->pipe, O_CLOEXEC) == 0 ? 0 : -1;
}

/*
 * What waits for its file is not polled: its pipe would be readable all the time. Nor does a pipe become
 * readable when relief.h empties it, which may be just before this sleeps.
 */
static int wait_for_output(struct stream *streams, struct pollfd *polls, uint32_t count,
			   const sigset_t *waiting)
{
	static const struct timespec pause = {.tv_nsec = STREAM_RETRY_NS};
	bool retry = false;

	for (uint32_t i = 0; i < count; i++) {
		bool waits = streams[i].retry_ns != 0 && streams[i].dropped_bytes == 0;

		polls[i] = (struct pollfd){.fd = waits ? -1 : streams[i].pipe, .events = POLLIN};
		retry |= waits || streams[i].may_drop || stream_owes(&streams[i]);
	}
	return ppoll(polls, count, retry ? &pause : NULL, waiting);
}

static void run(struct stream *streams, struct pollfd *polls, uint32_t count,
		const struct stream_scratch *scratch, const sigset_t *waiting)
{
	while (!stopping) {
		if (wait_for_output(streams, polls, count, waiting) < 0)
			continue; /* a signal */
		/* One chunk each: a service that writes without end does not silence the rest. */
		for (uint32_t i = 0; i < count; i++)
			if (polls[i].fd < 0 || polls[i].revents & POLLIN ||
			    stream_owes(&streams[i]))
				stream_move(&streams[i], scratch, clock_boottime_ns());
	}
	for (uint32_t i = 0; i < count; i++)
		for (unsigned n = 0; n < DRAIN_CHUNKS; n++)
			if (!stream_move(&streams[i], scratch, clock_boottime_ns()))
				break;
	/* Of the first of them more may have been thrown away while the last were written. */
	for (uint32_t i = 0; i < count; i++)
		if (stream_owes(&streams[i]))
			stream_move(&streams[i], scratch, clock_boottime_ns());
}

int main(int argc, char **argv)
{
	struct stream_scratch scratch;
	struct plan plan;
	sigset_t waiting;
	uint32_t count;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("keelson-log %s\n", KEELSON_VERSION);
		return 0;
	}
	if (argc != 3 || strcmp(argv[1], "--plan") != 0) {
		fprintf(stderr, "usage: keelson-log --plan PATH\n");
		return EXIT_USAGE;
	}
	if (map_plan(argv[2], &plan) != 0)
		return 1;
	handle_signals(&waiting);
	struct stream *streams = open_streams(&plan, &count);
	struct pollfd *polls = calloc(count + 1, sizeof *polls);

	if (!streams || !polls || open_scratch(&scratch) != 0) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the process ends */
		fprintf(stderr, "keelson-log: no memory\n");
		return 1;
	}
	int error = relief_start(streams, count);

	if (error != 0)
		fprintf(stderr, "keelson-log: no thread: services wait for the log: %s\n",
			strerror(-error));
	run(streams, polls, count, &scratch, &waiting);
	return 0;
}
