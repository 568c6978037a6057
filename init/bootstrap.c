/* SPDX-License-Identifier: Apache-2.0 */
#include "init/bootstrap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mount/child.h"
#include "mount/sys.h"
#include "svc/log.h"

#define PROGRAM "/usr/lib/keelson/keelson-slot"

bool bootstrap_is_old(const struct record *record)
{
	return record->kexecs > 0 || memcmp(record->boot_build_id, record->header.build_id,
					    sizeof(record->boot_build_id)) != 0;
}

/* Raw system calls only: child.h. */
static int execute(void *unused)
{
	static char program[] = PROGRAM, kmsg[] = "--kmsg", verb[] = "bootstrap";
	static char *const argv[] = {program, kmsg, verb, NULL};
	static char *const environment[] = {NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)unused;
	setsid();
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			return -errno;
	if (null < 3)
		(void)fcntl(null, F_SETFD, 0);
	execve(PROGRAM, argv, environment);
	return -errno;
}

void bootstrap_replace(const struct record *record)
{
	cleanup_fd pidfd = -1;
	pid_t pid;

	if (!bootstrap_is_old(record))
		return;
	pid = child_start(execute, NULL, &pidfd);
	if (pid < 0)
		log_error("bootstrap: fork: %s", log_errno((int)pid));
}
