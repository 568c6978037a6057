/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls: what system calls cost under filters, many sets of filters beside each other.
 *
 *     calls ROUNDS TIMES NAME[=FILE[,FILE]...]...
 *
 * Each NAME is a process that loads its files (struct sock_filter; the first is loaded first) and then
 * makes a call TIMES times whenever it is its turn: all names after each other for one call, then for the
 * next call, and all that ROUNDS times, so that what else the machine does meets all of them. The
 * clock is the thread's own CPU time. One JSON object a line: {"name": ..., "call": ..., "result": the
 * call's result or negative errno, "instructions": of BPF that the call takes in all filters, as the
 * tests' interpreter counts them, "bitmap": whether the kernel lets the call through without running
 * any (filter_run.h), "ns": [nanoseconds of one call, a number for each round]}.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rootfs-spec/filter_run.h"
#include "tests/unit/bpf.h"

#define NAMES 64
#define FILTERS 8
#define MOST 4096 /* BPF_MAXINSNS */
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "calls: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the calls ---- */

static int null_fd, epoll_fd;

static long do_getppid(void)
{
	return syscall(SYS_getppid);
}

static long do_read(void)
{
	return syscall(SYS_read, null_fd, NULL, 0);
}

static long do_futex(void)
{
	static uint32_t word;

	return syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static long do_epoll_wait(void)
{
	struct epoll_event event;

	return syscall(SYS_epoll_wait, epoll_fd, &event, 1, 0);
}

/* Judged by its flags, and then refused by the kernel, before it does anything, for these. */
static long do_clone(void)
{
	return syscall(SYS_clone, CLONE_THREAD, NULL, NULL, NULL, NULL);
}

/* Denied; without a filter refused for its argument. */
static long do_swapoff(void)
{
	return syscall(SYS_swapoff, NULL);
}

static const struct {
	const char *name;
	int number;
	long (*make)(void);
	uint64_t first; /* argument, as far as filters look at it */
} calls[] = {
	{"getppid", SYS_getppid, do_getppid, 0},
	{"read", SYS_read, do_read, 0},
	{"futex", SYS_futex, do_futex, 0},
	{"epoll_wait", SYS_epoll_wait, do_epoll_wait, 0},
	{"clone", SYS_clone, do_clone, CLONE_THREAD},
	{"swapoff", SYS_swapoff, do_swapoff, 0},
};

struct answer {
	int64_t result; /* or negative errno */
	double ns;
};

static struct answer measure(size_t call, unsigned long times)
{
	struct timespec begin, end;
	struct answer answer;

	answer.result = calls[call].make();
	if (answer.result < 0)
		answer.result = -errno;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	for (unsigned long i = 0; i < times; i++)
		calls[call].make();
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	answer.ns = ((double)(end.tv_sec - begin.tv_sec) * 1e9 +
		     (double)(end.tv_nsec - begin.tv_nsec)) /
		    (double)times;
	return answer;
}

/* ---- one process for each set of filters ---- */

struct set {
	const char *name;
	struct sock_fprog filters[FILTERS];
	size_t count;
	int socket;
};

static struct sock_fprog read_filter(const char *path)
{
	struct sock_fprog program = {.filter = calloc(MOST, sizeof(struct sock_filter))};
	FILE *file = fopen(path, "re");

	if (file == NULL || program.filter == NULL)
		die(path);
	program.len = (unsigned short)fread(program.filter, sizeof(struct sock_filter), MOST, file);
	fclose(file);
	return program;
}

static struct set read_set(char *words)
{
	char *files = strchr(words, '='), *file;
	struct set set = {.name = words};

	if (files != NULL)
		*files++ = '\0';
	while ((file = strsep(&files, ",")) != NULL && set.count < FILTERS)
		set.filters[set.count++] = read_filter(file);
	return set;
}

static _Noreturn void serve(int socket, const struct set *set, unsigned long times)
{
	uint8_t call;

	for (size_t i = 0; i < set->count; i++)
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &set->filters[i]) < 0)
			die(set->name);
	while (read(socket, &call, 1) == 1) {
		struct answer answer = measure(call, times);
		if (write(socket, &answer, sizeof(answer)) != sizeof(answer))
			die("write");
	}
	_exit(0);
}

static void start(struct set *set, unsigned long times)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair");
	switch (fork()) {
	case -1: die("fork");
	case 0: close(ends[0]); serve(ends[1], set, times);
	default: break;
	}
	close(ends[1]);
	set->socket = ends[0];
}

static struct answer ask(int socket, size_t call, const char *name)
{
	const uint8_t byte = (uint8_t)call;
	struct answer answer;

	if (write(socket, &byte, 1) != 1 || read(socket, &answer, sizeof(answer)) != sizeof(answer))
		die(name);
	return answer;
}

static void print_set(const struct set *set, size_t call, const struct answer *answers,
		      size_t rounds)
{
	const struct seccomp_data data = {
		.nr = calls[call].number, .arch = AUDIT_ARCH_X86_64, .args = {calls[call].first}};
	uint32_t instructions = 0, steps = 0;
	bool bitmap = set->count > 0;

	for (size_t i = 0; i < set->count; i++) {
		const struct sock_fprog *filter = &set->filters[i];
		bpf_run(filter->filter, filter->len, &data, &steps);
		instructions += steps;
		bitmap &= filter_is_constant_allow(filter->filter, filter->len, data.arch,
						   (uint32_t)data.nr);
	}
	printf("{\"name\": \"%s\", \"call\": \"%s\", \"result\": %lld, \"instructions\": %u, "
	       "\"bitmap\": %s, \"ns\": [",
	       set->name, calls[call].name, (long long)answers[0].result, instructions,
	       bitmap ? "true" : "false");
	for (size_t round = 0; round < rounds; round++)
		printf("%s%.2f", round ? ", " : "", answers[round].ns);
	puts("]}");
}

int main(int argc, char **argv)
{
	const size_t rounds = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;
	const unsigned long times = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
	const size_t count = argc > 3 ? (size_t)argc - 3 : 0;
	static struct set sets[NAMES];
	struct answer *answers;
	cpu_set_t one;

	if (rounds == 0 || times == 0 || count > NAMES) {
		fputs("usage: calls ROUNDS TIMES NAME[=FILE[,FILE]...]...\n", stderr);
		return 2;
	}
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		die("sched_setaffinity");
	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	answers = calloc(COUNT(calls) * count * rounds, sizeof(*answers));
	if (null_fd < 0 || epoll_fd < 0 || answers == NULL)
		die("start");
	for (size_t i = 0; i < count; i++) {
		sets[i] = read_set(argv[i + 3]);
		start(&sets[i], times);
	}
	for (size_t round = 0; round < rounds; round++)
		for (size_t call = 0; call < COUNT(calls); call++)
			for (size_t i = 0; i < count; i++) {
				size_t who = (i + round) % count;
				answers[(call * count + who) * rounds + round] =
					ask(sets[who].socket, call, sets[who].name);
			}
	for (size_t call = 0; call < COUNT(calls); call++)
		for (size_t i = 0; i < count; i++)
			print_set(&sets[i], call, &answers[(call * count + i) * rounds], rounds);
	free(answers);
	return 0;
}
