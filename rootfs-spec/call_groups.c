/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "rootfs-spec/call_groups.h"
#include "rootfs-spec/nearest.h"

static const struct {
	const char *name;
	const char *calls;
} groups[] = {
	{"@reboot", "kexec_load kexec_file_load reboot"},
	{"@module", "init_module finit_module delete_module"},
	{"@swap", "swapon swapoff"},
	{"@raw-io", "iopl ioperm pciconfig_iobase pciconfig_read pciconfig_write"},
	/* Of no use to any program of today; several are not in the kernel any more. */
	{"@obsolete", "nfsservctl lookup_dcookie uselib ustat sysfs _sysctl afs_syscall bdflush "
		      "break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx prof "
		      "profil putpmsg query_module security stty tuxcall ulimit vserver"},
	{"@accounting", "acct quotactl quotactl_fd"},
	{"@clock", "adjtimex clock_adjtime clock_adjtime64 clock_settime clock_settime64 "
		   "settimeofday stime"},
	{"@mount", "mount umount umount2 mount_setattr move_mount open_tree fsopen fsconfig "
		   "fsmount fspick pivot_root chroot"},
	{"@namespace", "setns unshare"},
	{"@keyring", "keyctl add_key request_key"},
	{"@debug", "ptrace process_vm_readv process_vm_writev perf_event_open kcmp pidfd_getfd"},
	{"@bpf", "bpf"},
	{"@io-uring", "io_uring_setup io_uring_enter io_uring_register"},
	{"@handles", "name_to_handle_at open_by_handle_at"},
	{"@host-name", "sethostname setdomainname"},
	{"@kernel-log", "syslog"},
	{"@fault", "userfaultfd"},
	{"@file-watch", "fanotify_init fanotify_mark"},
	{"@legacy-cpu", "vm86 vm86old modify_ldt"},
	{"@device-node", "mknod mknodat"},
};

const char *call_group(const char *name)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (strcmp(groups[i].name, name) == 0)
			return groups[i].calls;
	return NULL;
}

const char *call_group_nearest(const char *name)
{
	struct nearest nearest = {.name = name};

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		nearest_offer(&nearest, groups[i].name);
	return nearest.best;
}

const char *call_group_name(unsigned i)
{
	return i < sizeof(groups) / sizeof(groups[0]) ? groups[i].name : NULL;
}
