/* SPDX-License-Identifier: Apache-2.0 */
#include "init/rescue.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init/watchdog.h"
#include "svc/log.h"

static _Noreturn void become_shell(void)
{
	static char name[] = "sh", path[] = "PATH=/bin:/sbin:/usr/bin:/usr/sbin", home[] = "HOME=/",
		    term[] = "TERM=linux";
	static char *const argv[] = {name, NULL};
	static char *const environment[] = {path, home, term, NULL};
	sigset_t none;
	int console;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	console = open("/dev/console", O_RDWR | O_CLOEXEC);
	if (console >= 0) {
		ioctl(console, TIOCSCTTY, 1);
		for (int fd = 0; fd < 3; fd++)
			dup2(console, fd);
	}
	execve("/bin/sh", argv, environment);
	_exit(127);
}

void rescue_shell(void)
{
	const struct timespec nap = {.tv_nsec = 100000000};
	pid_t pid;

	if (access("/bin/sh", X_OK) < 0)
		return;
	log_notice("rescue: a shell on the console; its end is a reboot");
	pid = fork();
	if (pid == 0)
		become_shell();
	while (pid > 0) {
		pid_t ended = waitpid(-1, NULL, WNOHANG);

		if (ended == pid || (ended < 0 && errno == ECHILD))
			return;
		/* Somebody may sit there for longer than the watchdog would wait. */
		watchdog_feed();
		if (ended == 0)
			nanosleep(&nap, NULL);
	}
}
