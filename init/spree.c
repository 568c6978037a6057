/* SPDX-License-Identifier: Apache-2.0 */
#include "init/spree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mount/child.h"
#include "mount/directory.h"
#include "mount/sys.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/timeline.h"

#define SECOND_NS 1000000000ull
#define ASKED_NS SECOND_NS        /* for who was asked, to end */
#define KILLED_NS (2 * SECOND_NS) /* for who was killed */
#define CALL_NS (2 * SECOND_NS)   /* for signalling all of them */
#define PASSES_MAX 50
#define LEFT_MAX 8              /* so many are told by name */
#define HUNG_MAX 64             /* more that stay after SIGKILL are taken for ones that fork */
#define PF_KTHREAD 0x00200000ul /* include/linux/sched.h; field 9 of /proc/PID/stat shows it */

bool spree_parse(const char *stat, struct spree_process *process)
{
	const char *name = strchr(stat, '(');
	const char *end = strrchr(stat, ')'); /* the name's own parentheses come before it */
	unsigned long flags = 0;
	size_t length;

	if (!name || !end || end <= name || end[1] != ' ' || end[2] == '\0')
		return false;
	memset(process, 0, sizeof(*process));
	length = (size_t)(end - name) - 1;
	if (length >= sizeof(process->name))
		length = sizeof(process->name) - 1;
	for (size_t i = 0; i < length; i++)
		process->name[i] = name[i + 1] >= ' ' && name[i + 1] <= '~' ? name[i + 1] : '?';
	process->state = end[2];
	/* state ppid pgrp session tty_nr tpgid flags: each after a space. */
	end += 2;
	for (int field = 0; *end && field < 4; end++)
		field += *end == ' ';
	process->terminal = *end != '0';
	for (int field = 4; *end && field < 6; end++)
		field += *end == ' ';
	if (*end < '0' || *end > '9')
		return false;
	while (*end >= '0' && *end <= '9')
		flags = flags * 10 + (unsigned long)(*end++ - '0');
	process->kernel_thread = flags & PF_KTHREAD;
	return true;
}

/* A process's number, or 0: another entry of /proc. */
static pid_t number(const char *name)
{
	pid_t pid = 0;

	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9' || pid > 99999999)
			return 0;
		pid = pid * 10 + (*name - '0');
	}
	return pid;
}

/* /proc/PID/stat takes no lock of the process's memory, which a hung one may hold; cmdline would. */
static bool look(int proc, const char *name, struct spree_process *process)
{
	char path[32];
	char text[512];
	ssize_t n;

	format_text(path, sizeof(path), "%s/stat", name);
	cleanup_fd fd = openat(proc, path, O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return spree_parse(text, process);
}

/* Somebody to end: no kernel thread, not dead, not PID 1 or this process. */
static bool is_somebody(int proc, const char *name, struct spree_process *process)
{
	pid_t pid = number(name);

	return pid > 1 && pid != getpid() && look(proc, name, process) && !process->kernel_thread &&
	       process->state != 'Z' && process->state != 'X';
}

static bool send(pid_t pid, int signal)
{
	cleanup_fd pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	return pidfd >= 0 && sys_pidfd_send_signal(pidfd, signal) == 0;
}

/* Signal everybody that /proc lists; how many heard it, or negative errno. */
static int signal_all(int proc, int signal)
{
	struct directory directory = {.fd = proc};
	struct spree_process process;
	const char *name;
	int sent = 0;

	if (lseek(proc, 0, SEEK_SET) < 0)
		return -errno;
	while ((name = directory_next(&directory))) {
		if (!is_somebody(proc, name, &process) || !send(number(name), signal))
			continue;
		/* Interactive shells ignore SIGTERM; who is stopped has to run to hear it. */
		if (signal == SIGTERM && process.terminal)
			send(number(name), SIGHUP);
		if (signal == SIGTERM)
			send(number(name), SIGCONT);
		sent++;
	}
	return sent;
}

/* In a child: a signal may wait for locks that a hung process holds. */
static int signal_everybody(void *argument)
{
	const int *signal = argument;
	const struct timespec nap = {.tv_nsec = 2000000};
	cleanup_fd proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int before = 0;

	for (int pass = 0; proc >= 0 && pass < PASSES_MAX; pass++) {
		int sent = signal_all(proc, *signal);

		if (sent < 0)
			break;
		/* Who ignores SIGTERM would be sent it for ever; who is killed and stays, hangs. */
		if (sent == 0 || *signal == SIGTERM ||
		    (pass > 2 && sent <= before && sent < HUNG_MAX))
			return 0;
		before = sent;
		nanosleep(&nap, NULL);
	}
	return kill(-1, *signal) < 0 && errno != ESRCH ? -errno : 0;
}

/*
 * In a child, or, when processes have taken every number and none can be made, by PID 1 itself: who
 * is killed makes the room that flushing and unmounting need.
 */
static int signal_timed(int signal)
{
	int error = run_timed(signal_everybody, &signal, CALL_NS);

	if (error == 0 || error == -ETIMEDOUT || signal != SIGKILL)
		return error;
	return kill(-1, SIGKILL) < 0 && errno != ESRCH ? -errno : 0;
}

/*
 * Reap until no child is left (every process is one, sooner or later) or the time is over, which it
 * also is while new ones keep dying; who was only asked is waited for until somebody hurries.
 */
static bool everybody_gone(uint64_t for_ns, bool can_hurry)
{
	const struct timespec nap = {.tv_nsec = 5000000};
	uint64_t deadline_ns = clock_boottime_ns() + for_ns;

	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return true;
		if (clock_boottime_ns() >= deadline_ns || (can_hurry && child_hurried()))
			return false;
		if (pid <= 0)
			nanosleep(&nap, NULL);
	}
}

/* Who cannot be killed: what kind of sleep it is in, it is told by its state. */
static void tell_left(struct last *last)
{
	cleanup_fd proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct directory directory = {.fd = proc};
	struct spree_process process;
	char text[LAST_NOTE_BYTES];
	const char *name;
	int told = 0;

	while (proc >= 0 && told < LEFT_MAX && (name = directory_next(&directory))) {
		if (!is_somebody(proc, name, &process))
			continue;
		format_text(text, sizeof(text), "process %s (%s) left behind in state %c", name,
			    process.name, process.state);
		log_warning("shutdown: %s", text);
		last_note(last, text);
		told++;
	}
}

int spree(bool forced, struct last *last)
{
	static const struct {
		int signal;
		uint64_t wait_ns;
	} rounds[] = {{SIGTERM, ASKED_NS}, {SIGKILL, KILLED_NS}};

	if (everybody_gone(0, false))
		return 0;
	for (size_t i = forced ? 1 : 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
		int signal = rounds[i].signal;
		int error = signal_timed(signal);

		if (error)
			log_error("shutdown: signal %d to all: %s", signal, log_errno(error));
		if (everybody_gone(rounds[i].wait_ns, signal == SIGTERM))
			return 0;
	}
	tell_left(last);
	return -EBUSY;
}
