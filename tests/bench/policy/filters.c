/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filters: the seccomp filters that a process lives under, as the kernel has them (ptrace(2),
 * PTRACE_SECCOMP_GET_FILTER; needs root and a caller without filters).
 *
 *     filters PID PREFIX
 *
 * Writes PREFIX.0, the first that was loaded, PREFIX.1, ... as struct sock_filter, and prints how many
 * there are.
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define MOST 4096 /* BPF_MAXINSNS */

static int write_filter(const char *prefix, long which, const struct sock_filter *program,
			size_t count)
{
	char path[4096];
	FILE *file;
	size_t written;

	snprintf(path, sizeof(path), "%s.%ld", prefix, which);
	file = fopen(path, "we");
	if (file == NULL)
		return -1;
	written = fwrite(program, sizeof(*program), count, file);
	return fclose(file) == 0 && written == count ? 0 : -1;
}

int main(int argc, char **argv)
{
	static struct sock_filter program[MOST];
	long count = 0, size;
	int pid = argc == 3 ? atoi(argv[1]) : 0;

	if (pid <= 0) {
		fputs("usage: filters PID PREFIX\n", stderr);
		return 2;
	}
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, NULL, __WALL) < 0) {
		perror("filters: ptrace");
		return 1;
	}
	/* 0 is the newest. */
	while (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)count, NULL) > 0)
		count++;
	if (errno != ENOENT) {
		perror("filters: PTRACE_SECCOMP_GET_FILTER");
		return 1;
	}
	for (long i = 0; i < count; i++) {
		size = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)(count - 1 - i), program);
		if (size <= 0 || write_filter(argv[2], i, program, (size_t)size) < 0) {
			perror(argv[2]);
			return 1;
		}
	}
	printf("%ld\n", count);
	return 0;
}
