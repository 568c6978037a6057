/* SPDX-License-Identifier: Apache-2.0 */
#include "init/slot_answer.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/slot_status.h"
#include "svc/fd.h"

static struct {
	pid_t pid; /* 0: none reads */
	int pidfd;
	int answer; /* read end of its pipe */
	uint64_t since_ns;
} asking = {.pidfd = -1, .answer = -1};

int slot_answer_ask(const struct record *record, const struct plan *plan, uint64_t now_ns)
{
	if (asking.pid != 0) {
		if (now_ns - asking.since_ns > SLOT_ANSWER_NS)
			syscall(SYS_pidfd_send_signal, asking.pidfd, SIGKILL, NULL, 0);
		return -EINPROGRESS;
	}
	pid_t pid = slot_status_start(record, plan, &asking.pidfd, &asking.answer);

	if (pid < 0)
		return pid;
	asking.pid = pid;
	asking.since_ns = now_ns;
	return -EINPROGRESS;
}

bool slot_answer_child_ended(pid_t pid, int exit_status, int *error,
			     struct control_slot_status *status)
{
	if (asking.pid == 0 || pid != asking.pid)
		return false;
	*error = exit_status != 0 ? -exit_status : slot_status_read(asking.answer, status);
	asking.pid = 0;
	fd_close(&asking.pidfd);
	fd_close(&asking.answer);
	return true;
}
