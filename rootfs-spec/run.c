// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/run.h"

#include "rootfs-spec/report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Half a program's error output is worse than none; the end holds the reason. */
#define TAIL_LINES 12
#define STILL_RUNNING_MS 10000

struct child {
	const struct run *run;
	pid_t pid;
	int output; /* read ends, or -1 */
	int errors;
	struct bytes error_text;
	time_t began;
};

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* mkfs, sfdisk and veritysetup live in sbin, which an ordinary user's PATH may lack. */
static void search_sbin(void)
{
	const char *path = getenv("PATH");
	char longer[4096];

	snprintf(longer, sizeof(longer), "%s:/usr/sbin:/sbin",
		 path != NULL && *path != '\0' ? path : "/usr/bin:/bin");
	setenv("PATH", longer, 1);
}

static _Noreturn void child_exec(const struct run *run, int in, int out, int err, int report)
{
	int error;

	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0 || (run->directory != NULL && chdir(run->directory) < 0))
		goto failed;
	signal(SIGPIPE, SIG_DFL);
	search_sbin();
	setenv("LC_ALL", "C", 1);
	setenv("TZ", "UTC0", 1);
	for (size_t i = 0; run->environment != NULL && run->environment[i] != NULL; i++)
		putenv((char *)(uintptr_t)run->environment[i]);
	execvp(run->argv[0], (char *const *)(uintptr_t)run->argv);
failed:
	error = errno;
	if (write(report, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

/* An anonymous file with the input in it: no deadlock between writing it and reading output. */
static int input_file(const struct run *run)
{
	int fd;

	if (run->input == NULL)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd >= 0 && (write(fd, run->input, run->input_bytes) != (ssize_t)run->input_bytes ||
			lseek(fd, 0, SEEK_SET) < 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Start with `in` as standard input (consumed). `out`: standard output (consumed), or -1. */
static int start(struct child *child, const struct run *run, int in, int out)
{
	int errors[2] = {-1, -1};
	int output[2] = {-1, -1};
	int report[2] = {-1, -1};
	int error = 0;

	*child =
		(struct child){.run = run, .pid = -1, .output = -1, .errors = -1, .began = now_s()};
	if (in < 0 || pipe2(errors, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
		error = errno;
	if (error == 0 && out < 0) {
		if (run->output != NULL) {
			if (pipe2(output, O_CLOEXEC) < 0)
				error = errno;
			out = output[1];
		} else {
			out = open("/dev/null", O_WRONLY | O_CLOEXEC);
		}
	}
	if (error == 0) {
		child->pid = fork();
		if (child->pid == 0)
			child_exec(run, in, out, errors[1], report[1]);
		if (child->pid < 0)
			error = errno;
	}
	close(in);
	close(out);
	close(errors[1]);
	close(report[1]);
	child->errors = errors[0];
	child->output = output[0];
	if (error == 0 && read(report[0], &error, sizeof(error)) < 0)
		error = errno;
	close(report[0]);
	if (error == ENOENT)
		report_refusal("%s: the program %s is not installed", run->step, run->argv[0]);
	else if (error != 0)
		report_errno(error, "%s: start %s", run->step, run->argv[0]);
	return -error;
}

static void drain(int *fd, struct bytes *into)
{
	char buffer[1 << 14];
	ssize_t n = read(*fd, buffer, sizeof(buffer));

	if (n > 0) {
		if (into != NULL)
			bytes_add(into, buffer, (size_t)n);
	} else if (n == 0 || errno != EINTR) {
		close(*fd);
		*fd = -1;
	}
}

static const char *last_lines(struct bytes *text)
{
	const char *at;
	int lines = 0;

	while (text->size > 0 && text->data[text->size - 1] == '\n')
		text->data[--text->size] = '\0';
	if (text->size == 0)
		return "";
	for (at = (char *)text->data + text->size; at > (char *)text->data; at--)
		if (at[-1] == '\n' && ++lines == TAIL_LINES)
			break;
	return at;
}

static int report_end(struct child *child, int status)
{
	const struct run *run = child->run;
	const char *tail = last_lines(&child->error_text);
	const char *gap = *tail != '\0' ? ":\n" : "";

	if (WIFSIGNALED(status))
		report_refusal("%s: %s was killed by signal %d (%s)%s%s", run->step, run->argv[0],
			       WTERMSIG(status), strsignal(WTERMSIG(status)), gap, tail);
	else
		report_refusal("%s: %s ended with status %d%s%s", run->step, run->argv[0],
			       WEXITSTATUS(status), gap, tail);
	return -ECHILD;
}

static int finish(struct child *child)
{
	const struct run *run = child->run;
	int status = 0;
	int error = 0;

	while (child->output >= 0 || child->errors >= 0) {
		struct pollfd wait[2] = {{.fd = child->output, .events = POLLIN},
					 {.fd = child->errors, .events = POLLIN}};
		int ready = poll(wait, 2, STILL_RUNNING_MS);

		if (ready == 0)
			report_step("%s: %s still running after %ld s", run->step, run->argv[0],
				    (long)(now_s() - child->began));
		if (ready > 0 && wait[0].revents != 0)
			drain(&child->output, run->output);
		if (ready > 0 && wait[1].revents != 0)
			drain(&child->errors, &child->error_text);
	}
	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR)
			return report_errno(errno, "%s: wait for %s", run->step, run->argv[0]);
	if (status != 0 && run->errors != NULL) {
		bytes_add(run->errors, child->error_text.data, child->error_text.size);
		error = -ECHILD;
	} else if (status != 0) {
		error = report_end(child, status);
	}
	bytes_free(&child->error_text);
	return error;
}

/* Of a child that did not start: nothing to wait for, or it has said why and left. */
static void abandon(struct child *child)
{
	if (child->output >= 0)
		close(child->output);
	if (child->errors >= 0)
		close(child->errors);
	if (child->pid > 0)
		waitpid(child->pid, NULL, 0);
}

int run(const struct run *run)
{
	struct child child;
	int error = start(&child, run, input_file(run), -1);

	if (error < 0) {
		abandon(&child);
		return error;
	}
	return finish(&child);
}

int run_pipe(const struct run *first, const struct run *second)
{
	struct child left;
	struct child right;
	int between[2];
	int error;
	int error_left;

	if (pipe2(between, O_CLOEXEC) < 0)
		return report_errno(errno, "%s: pipe", first->step);
	error = start(&left, first, input_file(first), between[1]);
	if (error < 0) {
		close(between[0]);
		abandon(&left);
		return error;
	}
	error = start(&right, second, between[0], -1);
	if (error < 0) {
		abandon(&right);
		kill(left.pid, SIGTERM);
		abandon(&left);
		return error;
	}
	error = finish(&right);
	error_left = finish(&left);
	return error_left < 0 && error == 0 ? error_left : error;
}
