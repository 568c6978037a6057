// SPDX-License-Identifier: Apache-2.0
/*
 * bare [-g DIRECTORY] COUNT PROGRAM...: the limit. The least that starts, keeps and stops COUNT processes: a loop of
 * clone3 and exec, a loop of waitid that starts again whoever ended, and at SIGTERM one kill(-1).
 * No plan, no groups, no readiness, no output, no order, no state.
 *
 * With -g each is born into a cgroup of its own below DIRECTORY, made anew for each life: what the kernel
 * takes of a supervisor that can tell who belongs to a service.
 *
 * clone3 without CLONE_VFORK and with CLONE_PIDFD, as any supervisor that must not stall needs it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t ending;
static const char *groups;

static void end(int number)
{
	(void)number;
	ending = 1;
	kill(-1, SIGTERM);
}

static int open_group(long number)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%ld", groups, number);
	rmdir(path);
	mkdir(path, 0755);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Returns the pid; `*slot` remembers the descriptor of the process. */
static pid_t start(char **argv, long number, int *slot)
{
	int pidfd = -1;
	int group = groups ? open_group(number) : -1;
	struct clone_args arguments = {
		.flags = CLONE_PIDFD | (groups ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint32_t)group,
	};
	long pid = syscall(SYS_clone3, &arguments, sizeof arguments);

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	if (group >= 0)
		close(group);
	*slot = pidfd;
	return (pid_t)pid;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "-g") == 0) {
		groups = argv[2];
		argc -= 2;
		argv += 2;
	}
	long count = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
	pid_t *pids = calloc((size_t)count + 1, sizeof *pids);
	int *pidfds = calloc((size_t)count + 1, sizeof *pidfds);
	struct sigaction action = {.sa_handler = end};

	if (count <= 0 || !pids || !pidfds)
		return 100;
	sigaction(SIGTERM, &action, NULL);
	for (long i = 0; i < count; i++)
		pids[i] = start(argv + 2, i, &pidfds[i]);
	for (;;) {
		siginfo_t info = {0};

		if (waitid(P_ALL, 0, &info, WEXITED) < 0 && errno == EINTR)
			continue;
		if (info.si_pid == 0)
			return 0; /* nobody is left */
		for (long i = 0; i < count; i++) {
			if (pids[i] != info.si_pid)
				continue;
			close(pidfds[i]);
			pids[i] = 0;
			if (!ending)
				pids[i] = start(argv + 2, i, &pidfds[i]);
		}
	}
}
