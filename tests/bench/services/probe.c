// SPDX-License-Identifier: Apache-2.0
/*
 * probe: what the services benchmark runs and measures with; the same program under every init.
 *
 *     probe stamp FILE PROGRAM...   note the time, become PROGRAM
 *     probe serve FILE              a service: note that it runs; at SIGTERM note that, and end
 *     probe live FILE MS [OFFSET]   a service that ends by itself after so many ms, noting both
 *     probe storm FILE              note the time, SIGKILL whoever noted that it runs
 *     probe notify FILE COUNT       a service: say READY=1, then COUNT messages, note how long it took
 *     run                           (called by this name) serve $PROBE_FILE, or live if $PROBE_LIVE_MS
 *
 * A note is 16 bytes appended to FILE, on a tmpfs: time since boot in ns, pid in this namespace,
 * what. It is no more than an open and a write, so what is measured is the supervisor and the
 * kernel. `run` is for supervisors that start ./run of a directory: they need no shell either.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum what { BEGAN = 1, RUNS, TOLD, ENDS, KILLED, HEARD };

struct note {
	uint64_t at_ns;
	uint32_t pid;
	uint32_t what;
};

static const char *file;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void note_at(uint64_t at_ns, enum what what)
{
	struct note note = {at_ns, (uint32_t)getpid(), what};
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0 || write(fd, &note, sizeof note) != sizeof note)
		_exit(100);
	close(fd);
}

static void note(enum what what)
{
	note_at(now_ns(), what);
}

static void told(int number)
{
	(void)number;
	note(TOLD);
	_exit(0);
}

static _Noreturn void serve(void)
{
	struct sigaction action = {.sa_handler = told};
	sigset_t none;

	note(RUNS);
	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (;;)
		pause();
}

/* The first life of all is longer by `offset_ms`, so that many do not die at once. */
static int live(long ms, long offset_ms)
{
	struct stat begun;
	char path[4096];

	note(RUNS);
	snprintf(path, sizeof path, "%s.%ld", file, offset_ms);
	if (offset_ms && stat(path, &begun) < 0) {
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
		ms += offset_ms;
	}
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
	note(ENDS);
	return 0;
}

/* The pids were noted by processes of this pid namespace. */
static int storm(void)
{
	struct stat size;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &size) < 0)
		return 100;
	size_t count = (size_t)size.st_size / sizeof(struct note);
	const struct note *notes = mmap(NULL, (size_t)size.st_size, PROT_READ, MAP_SHARED, fd, 0);

	note(KILLED);
	for (size_t i = 0; i < count; i++)
		if (notes[i].what == RUNS)
			kill((pid_t)notes[i].pid, SIGKILL);
	return 0;
}

/* The last message carries a descriptor that PID 1 closes when it has come to it (BARRIER=1). */
static int barrier(int to, const struct sockaddr_un *address)
{
	static char text[] = "BARRIER=1";
	char control[CMSG_SPACE(sizeof(int))] = {0}, byte;
	struct iovec part = {text, sizeof text - 1};
	struct msghdr message = {
		.msg_name = (void *)(uintptr_t)address,
		.msg_namelen = sizeof *address,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control,
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
	if (sendmsg(to, &message, 0) < 0)
		return -1;
	close(ends[1]);
	return read(ends[0], &byte, 1) == 0 ? 0 : -1;
}

static int notify(long count)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	int to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[64];

	if (!path || to < 0)
		return 101;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	sendto(to, "READY=1", 7, 0, (struct sockaddr *)&address, sizeof address);
	uint64_t began = now_ns();

	for (long i = 0; i < count; i++) {
		int length = snprintf(text, sizeof text, "STATUS=message %ld\nWATCHDOG=1", i);

		while (sendto(to, text, (size_t)length, 0, (struct sockaddr *)&address,
			      sizeof address) < 0)
			if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
				return 102;
	}
	if (barrier(to, &address) < 0)
		return 103;
	note_at(began, BEGAN);
	note(HEARD);
	for (;;)
		pause();
}

static long number(const char *text)
{
	return text ? strtol(text, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');

	name = name ? name + 1 : argv[0];
	if (strcmp(name, "run") == 0) {
		const char *ms = getenv("PROBE_LIVE_MS");

		file = getenv("PROBE_FILE");
		if (!file)
			return 100;
		if (ms)
			return live(number(ms), number(getenv("PROBE_OFFSET_MS")));
		serve();
	}
	if (argc < 3)
		return 100;
	file = argv[2];
	if (strcmp(argv[1], "stamp") == 0 && argc > 3) {
		note(BEGAN);
		execv(argv[3], argv + 3);
		return 111;
	}
	if (strcmp(argv[1], "serve") == 0)
		serve();
	if (strcmp(argv[1], "live") == 0 && argc > 3)
		return live(number(argv[3]), argc > 4 ? number(argv[4]) : 0);
	if (strcmp(argv[1], "storm") == 0)
		return storm();
	if (strcmp(argv[1], "notify") == 0 && argc > 3)
		return notify(number(argv[3]));
	return 100;
}
