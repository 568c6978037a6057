/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl logs: the end of a service's log file, and what is appended to it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "svc/client.h"
#include "svc/fd.h"
#include "svc/keelctl.h"
#include "svc/show.h"

#define BLOCK_BYTES 65536
#define FOLLOW_NS 200000000

static int take_service(void *context, const struct control_reply *reply, const void *payload)
{
	if (reply->type == CONTROL_TYPE_SERVICE)
		memcpy(context, payload, sizeof(struct control_service));
	return 0;
}

/* Where the last `lines` lines of the file begin. */
static off_t find_tail(int fd, off_t size, unsigned long lines)
{
	char block[BLOCK_BYTES];
	off_t at = size;
	unsigned long newlines = 0;

	while (at > 0) {
		size_t length = at < BLOCK_BYTES ? (size_t)at : BLOCK_BYTES;

		at -= (off_t)length;
		if (pread(fd, block, length, at) != (ssize_t)length)
			return at;
		for (size_t i = length; i-- > 0;) {
			/* The newline at the very end ends the last line, it separates nothing. */
			if (block[i] != '\n' || at + (off_t)i == size - 1)
				continue;
			if (++newlines == lines)
				return at + (off_t)i + 1;
		}
	}
	return 0;
}

/*
 * Write from `at` to the end of what there is; the new end. Whatever a service wrote: a terminal is
 * told none of it as a command.
 */
static off_t copy_from(int fd, off_t at)
{
	bool terminal = isatty(STDOUT_FILENO);
	char block[BLOCK_BYTES];
	ssize_t got;

	while ((got = pread(fd, block, sizeof block, at)) > 0) {
		if (terminal)
			show_defuse(block, (size_t)got);
		if (fwrite(block, 1, (size_t)got, stdout) != (size_t)got)
			exit(flush_output(KEELCTL_FAILED));
		at += got;
	}
	flush_output(KEELCTL_FAILED);
	if (ferror(stdout))
		exit(KEELCTL_FAILED);
	return at;
}

/* The file at `path` is another one now: the logger rotated it. */
static bool was_rotated(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino != there.st_ino;
}

static _Noreturn void follow(int fd, const char *path, off_t at)
{
	const struct timespec pause = {.tv_nsec = FOLLOW_NS};

	for (;;) {
		bool rotated = was_rotated(fd, path);

		at = copy_from(fd, at);
		if (rotated) {
			int next = open(path, O_RDONLY | O_CLOEXEC);

			if (next >= 0) {
				close(fd);
				fd = next;
				at = 0;
				continue;
			}
		}
		nanosleep(&pause, NULL);
	}
}

static int show_file(const struct keelctl *keelctl, const char *path)
{
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0) {
		fprintf(stderr, "keelctl: logs: %s: %s\n", path, strerror(errno));
		return KEELCTL_FAILED;
	}
	off_t at = keelctl->lines == 0
			   ? status.st_size
			   : copy_from(fd, find_tail(fd, status.st_size, keelctl->lines));

	if (keelctl->follow)
		follow(fd, path, at);
	return KEELCTL_OK;
}

int command_logs(const struct keelctl *keelctl)
{
	struct control_service service = {0};
	struct control_request request;
	const char *name = keelctl->words[0];
	int error = -ENOENT;

	if (request_make(&request, CONTROL_VERB_SERVICE, name))
		error = client_ask(keelctl->socket, &request, take_service, &service);
	if (error != 0)
		return complain(keelctl, "logs", name, error == -EBADMSG ? -ENOENT : error);
	if (service.output != PLAN_OUTPUT_LOG) {
		fprintf(stderr, "keelctl: logs %s: its output goes to %s, not to a file\n", name,
			service.output == PLAN_OUTPUT_KMSG  ? "the kernel's log"
			: service.output == PLAN_OUTPUT_TTY ? "a terminal"
							    : "nowhere");
		return KEELCTL_FAILED;
	}
	return show_file(keelctl, service.output_path);
}
