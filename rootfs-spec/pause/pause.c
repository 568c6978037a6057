// SPDX-License-Identifier: Apache-2.0
/*
 * keelson-pause: the process that holds a pod sandbox open.
 *
 * As process 1 of the sandbox's (or a container's) pid namespace it reaps what is orphaned there
 * and leaves on TERM or INT. Process 1 of a namespace has no default signal actions
 * (pid_namespaces(7)), but a blocked signal is queued all the same, so everything is taken
 * synchronously with sigwaitinfo(2) and no handler is installed.
 *
 *     keelson-pause               wait
 *     keelson-pause --say TEXT    print TEXT and a newline first, then wait
 *
 * `--say` lets one image serve as the sandbox and as the smallest container that proves it runs.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* One write, so that a log reader never sees half a line; short writes do not happen on a pipe
 * below PIPE_BUF (pipe(7)). */
static int say(char *text)
{
	struct iovec line[] = {
		{.iov_base = text, .iov_len = strlen(text)},
		{.iov_base = "\n", .iov_len = 1},
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
	sigset_t signals;

	if (argc != 1 && !(argc == 3 && strcmp(argv[1], "--say") == 0))
		return EXIT_USAGE;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return EXIT_FAILED;

	if (argc == 3 && say(argv[2]) < 0)
		return EXIT_FAILED;

	return wait_for_the_end(&signals);
}
