/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a socket accept? In raw system calls, for a child of PID 1's asks with the same code.
 *
 * The path is opened first, as a mere reference (O_PATH, open(2)); connect(2) is then given the
 * reference's name in /proc/self/fd, so it finds the same object without looking for it again.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "svc/format.h"
#include "svc/probe.h"
#include "svc/raw.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* Linux 5.12 */
#endif

static uint64_t device_of(int fd)
{
	struct statx about = {.stx_mask = 0};

	if (raw_syscall5(__NR_statx, fd, (long)"", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0,
			 (long)&about) < 0)
		return 0;
	return makedev(about.stx_dev_major, about.stx_dev_minor);
}

uint64_t probe_socket_device(const char *path)
{
	long fd = raw_syscall4(__NR_openat, AT_FDCWD, (long)path, O_PATH | O_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	uint64_t device = device_of((int)fd);

	raw_syscall1(__NR_close, fd);
	return device;
}

static long connect_as(int type, const struct sockaddr_un *address)
{
	long fd = raw_syscall3(__NR_socket, AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fd;
	long result = raw_syscall3(__NR_connect, fd, (long)address, sizeof *address);

	raw_syscall1(__NR_close, fd);
	return result;
}

/* Of whatever type it is. */
static int connect_to(int object)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	long result = -EPROTOTYPE;

	format_text(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", object);
	for (unsigned i = 0; i < sizeof types / sizeof types[0] && result == -EPROTOTYPE; i++)
		result = connect_as(types[i], &address);
	return (int)result;
}

int probe_socket_ask(const char *path, uint64_t device)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
	long object = raw_syscall4(__NR_openat2, AT_FDCWD, (long)path, (long)&how, sizeof how);
	int result = 1;

	/* Not in the cache, or a kernel that cannot look there only. */
	if (object == -EAGAIN || object == -EINVAL || object == -ENOSYS)
		return 1;
	if (object < 0)
		return (int)object;
	if (device != 0 && device_of((int)object) == device)
		result = connect_to((int)object);
	raw_syscall1(__NR_close, object);
	return result;
}

int probe_socket_ask_slowly(const char *path)
{
	long object = raw_syscall4(__NR_openat, AT_FDCWD, (long)path, O_PATH | O_CLOEXEC, 0);

	return object < 0 ? (int)object : connect_to((int)object);
}
