// SPDX-License-Identifier: Apache-2.0
/*
 * ns-herd COUNT: let so many children end and reap none of them; /run/born says that all have ended.
 * When /run/go is there, end, too: they are PID 1's then, all at once.
 *
 * A program of its own, for a fork costs what the parent's memory costs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	long count = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

	for (long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0) {
			perror("ns-herd: fork");
			return 1;
		}
	}
	if (open("/run/born", O_WRONLY | O_CREAT | O_CLOEXEC, 0644) < 0) {
		perror("ns-herd: /run/born");
		return 1;
	}
	while (access("/run/go", F_OK) != 0)
		nanosleep(&pause, NULL);
	return 0;
}
