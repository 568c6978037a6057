// SPDX-License-Identifier: Apache-2.0
/*
 * keelson-pause: the process that holds a pod sandbox open.
 *
 * As process 1 of the sandbox's (or a container's) pid namespace it reaps what is orphaned there
 * and leaves on TERM or INT. Process 1 of a namespace has no default signal actions
 * (pid_namespaces(7)), but a blocked signal is queued all the same, so everything is taken
 * synchronously with sigwaitinfo(2) and no handler is installed.
 *
 *     keelson-pause [--mark FILE] [--say TEXT]
 *
 * `--mark` creates FILE, `--say` prints TEXT and a newline; then it waits. So one image serves as
 * the sandbox and as the smallest container that proves it runs: a file in the node's
 * /run/keelson/milestones is stamped by PID 1, a line goes to the pod's log.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int mark(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* One write, so that a log reader never sees half a line; short writes do not happen on a pipe
 * below PIPE_BUF (pipe(7)). */
static int say(char *text)
{
	struct iovec line[] = {
		{.iov_base = text, .iov_len = strlen(text)},
		{.iov_base = (char[]){'\n'}, .iov_len = 1},
	};

	return writev(STDOUT_FILENO, line, 2) < 0 ? -errno : 0;
}

static void reap_all(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static int wait_for_the_end(const sigset_t *signals)
{
	for (;;) {
		switch (sigwaitinfo(signals, NULL)) {
		case SIGCHLD: reap_all(); break;
		case SIGINT:
		case SIGTERM: return 0;
		case -1:
			if (errno != EINTR)
				return EXIT_FAILED;
		}
	}
}

int main(int argc, char **argv)
{
	const char *file = NULL;
	char *text = NULL;
	sigset_t signals;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return EXIT_USAGE;
		if (strcmp(argv[i], "--mark") == 0)
			file = argv[i + 1];
		else if (strcmp(argv[i], "--say") == 0)
			text = argv[i + 1];
		else
			return EXIT_USAGE;
	}
	if (file && mark(file) < 0)
		return EXIT_FAILED;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return EXIT_FAILED;

	if (text && say(text) < 0)
		return EXIT_FAILED;

	return wait_for_the_end(&signals);
}
