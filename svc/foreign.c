/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/foreign.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "svc/raw.h"

static bool closes_at_once(int fd)
{
	static const struct linger off;

	return fcntl(fd, F_GETPIPE_SZ) >= 0 ||
	       setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off) == 0;
}

/* It shares nothing of libc's idea of a thread with PID 1, so it makes raw system calls only. */
static _Noreturn void close_in_child(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		raw_syscall1(__NR_close, fds[i]);
	for (;;)
		raw_syscall1(__NR_exit_group, 0);
}

void foreign_close(const int *fds, size_t count)
{
	struct clone_args arguments = {.flags = CLONE_FILES | CLONE_CLEAR_SIGHAND,
				       .exit_signal = SIGCHLD};
	int slow[256];
	size_t slow_count = 0;

	for (size_t i = 0; i < count; i++) {
		if (closes_at_once(fds[i]) || slow_count == sizeof slow / sizeof slow[0])
			close(fds[i]);
		else
			slow[slow_count++] = fds[i];
	}
	if (slow_count == 0)
		return;
	long pid = raw_syscall2(__NR_clone3, (long)&arguments, sizeof arguments);

	if (pid == 0)
		close_in_child(slow, slow_count);
	/* No room for a child: rather wait than run out of descriptors. */
	for (size_t i = 0; pid < 0 && i < slow_count; i++)
		close(slow[i]);
}
