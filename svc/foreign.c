/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/foreign.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "svc/fd.h"
#include "svc/process.h"
#include "svc/raw.h"
#include "svc/timeline.h"

#define PASSED_MAX 253 /* SCM_MAX_FD of the kernel */

/* The child that is on it, if there is one. */
static struct {
	int report_fd; /* an eventfd, in which it says that the datagram is taken */
	int pidfd;
	uint64_t began_ns;
} taker = {.report_fd = -1, .pidfd = -1};

static int children[FOREIGN_HUNG_MAX]; /* pids of those that have not ended; 0: none */

/* All others of its copies: should it hang, nobody waits for what PID 1 has closed. */
static void keep_only(int a, int b)
{
	unsigned int low = (unsigned int)(a < b ? a : b), high = (unsigned int)(a < b ? b : a);

	if (low > 0)
		raw_syscall3(__NR_close_range, 0, low - 1, 0);
	if (high > low + 1)
		raw_syscall3(__NR_close_range, low + 1, high - 1, 0);
	raw_syscall3(__NR_close_range, high + 1, ~0u, 0);
}

/* With room for all of them: what the kernel drops within recvmsg(2) it drops before the report. */
static _Noreturn void take_and_end(int socket, int report)
{
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(PASSED_MAX * sizeof(int))];
	struct msghdr header = {.msg_control = control, .msg_controllen = sizeof control};
	uint64_t one = 1;

	keep_only(socket, report);
	raw_syscall3(__NR_recvmsg, socket, (long)&header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	raw_syscall3(__NR_write, report, (long)&one, sizeof one);
	for (;;)
		raw_syscall1(__NR_exit_group, 0);
}

static int *place_of(int pid)
{
	for (uint32_t i = 0; i < FOREIGN_HUNG_MAX; i++)
		if (children[i] == pid)
			return &children[i];
	return NULL;
}

void foreign_ended(int pid)
{
	int *place = place_of(pid);

	if (place)
		*place = 0;
}

/* Those whose end nobody looked at yet. They are only ever this file's own. */
static void reap_ended(void)
{
	for (uint32_t i = 0; i < FOREIGN_HUNG_MAX; i++) {
		siginfo_t info = {0};

		if (children[i] != 0 &&
		    waitid(P_PID, (id_t)children[i], &info, WEXITED | WNOHANG) == 0 &&
		    info.si_pid != 0)
			children[i] = 0;
	}
}

static void forget(void)
{
	fd_close(&taker.report_fd);
	fd_close(&taker.pidfd);
}

/* Whether it is dead: then it says nothing more. */
static bool is_gone(void)
{
	siginfo_t info = {0};

	return waitid((idtype_t)PROCESS_P_PIDFD, (id_t)taker.pidfd, &info,
		      WEXITED | WNOHANG | WNOWAIT) < 0 ||
	       info.si_pid != 0;
}

int foreign_taken(void)
{
	struct pollfd told[] = {{.fd = taker.report_fd, .events = POLLIN},
				{.fd = taker.pidfd, .events = POLLIN}};
	const struct timespec wait = {.tv_nsec = FOREIGN_WAIT_NS};

	(void)ppoll(told, 2, &wait, NULL);
	/* It ends after it told, so a dead one that did not tell never will. */
	bool gone = is_gone();
	uint64_t count;

	if (read(taker.report_fd, &count, sizeof count) == sizeof count) {
		forget();
		return 0;
	}
	if (!gone && clock_boottime_ns() < clock_after_ns(taker.began_ns, FOREIGN_LOST_NS))
		return -EINPROGRESS;
	(void)syscall(SYS_pidfd_send_signal, taker.pidfd, SIGKILL, NULL, 0);
	forget();
	return -ECHILD;
}

int foreign_take(int socket)
{
	struct clone_args arguments = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&taker.pidfd,
		.exit_signal = SIGCHLD,
	};
	int *place = place_of(0);

	if (!place) {
		reap_ended();
		place = place_of(0);
	}
	if (!place)
		return -EBUSY;
	taker.report_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (taker.report_fd < 0)
		return -errno;
	long pid = raw_syscall2(__NR_clone3, (long)&arguments, sizeof arguments);

	if (pid == 0)
		take_and_end(socket, taker.report_fd);
	if (pid < 0) {
		forget();
		return (int)pid;
	}
	*place = (int)pid;
	taker.began_ns = clock_boottime_ns();
	return foreign_taken();
}
