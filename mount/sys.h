/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that musl 1.2.3 has no wrapper for, and the cleanup attribute for descriptors.
 * Every function returns a result >= 0 or a negative errno; errno is not for callers to read.
 * Descriptors are CLOEXEC from birth.
 */
#ifndef KEELSON_MOUNT_SYS_H
#define KEELSON_MOUNT_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* A descriptor that its scope owns; give_fd() gives it away. */
#define cleanup_fd __attribute__((cleanup(close_fd))) int

static inline int give_fd(int *fd)
{
	int given = *fd;

	*fd = -1;
	return given;
}

static inline long sys_result(long result)
{
	return result < 0 ? -(long)errno : result;
}

/* The mount API of Linux 5.2: fsopen(2), fsconfig(2), fsmount(2), move_mount(2), open_tree(2). */
static inline int sys_fsopen(const char *type)
{
	return (int)sys_result(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
}

static inline int sys_fsconfig(int fs, unsigned int command, const char *key, const char *value)
{
	return (int)sys_result(syscall(SYS_fsconfig, fs, command, key, value, 0));
}

static inline int sys_fsmount(int fs, uint64_t attributes)
{
	return (int)sys_result(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned int)attributes));
}

static inline int sys_open_tree(int directory, const char *path, unsigned int flags)
{
	return (int)sys_result(syscall(SYS_open_tree, directory, path, flags | OPEN_TREE_CLOEXEC));
}

static inline int sys_move_mount(int from, const char *from_path, int to, const char *to_path,
				 unsigned int flags)
{
	return (int)sys_result(syscall(SYS_move_mount, from, from_path, to, to_path, flags));
}

/* Linux 5.12: mount_setattr(2). */
static inline int sys_mount_setattr(int directory, const char *path, unsigned int flags,
				    struct mount_attr *attributes)
{
	return (int)sys_result(syscall(SYS_mount_setattr, directory, path, flags, attributes,
				       sizeof(*attributes)));
}

/* ioctl(2): glibc's request is unsigned long, musl's int; the kernel's is unsigned int. */
static inline int sys_ioctl(int fd, unsigned long request, void *argument)
{
	return (int)sys_result(syscall(SYS_ioctl, fd, request, argument));
}

/* pidfd_send_signal(2); `pidfd` of a child that was not reaped yet. */
static inline int sys_pidfd_send_signal(int pidfd, int signal)
{
	return (int)sys_result(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

static inline int32_t sys_add_key(const char *type, const char *description, const void *payload,
				  size_t size, int32_t keyring)
{
	return (int32_t)sys_result(syscall(SYS_add_key, type, description, payload, size, keyring));
}

static inline long sys_keyctl(int operation, unsigned long a, unsigned long b, unsigned long c,
			      unsigned long d)
{
	return sys_result(syscall(SYS_keyctl, operation, a, b, c, d));
}

#endif
