/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attack: what a service must not be able to do to its node, tried from inside it.
 *
 *     attack            Try everything; one line each: `attack NAME RESULT lacks CAPABILITY`
 *     attack NAME...    Only these
 *
 * RESULT is `works`, the name of the errno that denied it, or the signal that ended it. CAPABILITY
 * is the one that the kernel wants and the process does not have, or `-`: so EPERM with `-` was said
 * by a filter, not by a capability that is missing.
 *
 * Every attack is made so that it can succeed without harm: a call is given arguments that the
 * kernel refuses for another reason once it has let the caller in, what is written is what was there
 * before, what is mounted is unmounted. Each runs in a child of its own.
 *
 * reboot(2), kexec_load(2), init_module(2), ptrace(2), seccomp(2), capabilities(7), namespaces(7),
 * Documentation/admin-guide/sysrq.rst, Documentation/admin-guide/sysctl/kernel.rst
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NONE (-1)
#define MAGIC_1 0xfee1dead
#define MAGIC_2 0x28121969
#define TRACE_SECCOMP_OFF (1 << 21) /* PTRACE_O_SUSPEND_SECCOMP */
#define SEIZE 0x4206                /* PTRACE_SEIZE */
#define X32 0x40000000
#define CONTROL_TOOL "/usr/bin/keelctl"

/* An attack: 0 when it worked, else the errno that denied it. */
struct attack {
	const char *name;
	int (*run)(void);
	int capability; /* that the kernel asks for, or NONE */
};

/* The outcome of a call: 0 if it worked. */
static int outcome(long result)
{
	return result < 0 ? errno : 0;
}

/* The same for one that was let in if it failed with `reached`. */
static int outcome_past(long result, int reached)
{
	return result >= 0 || errno == reached ? 0 : errno;
}

/* ---- the kernel itself ---- */

static int kexec_load(void)
{
	return outcome(syscall(SYS_kexec_load, 0, 0, NULL, 0)); /* unloads */
}

static int kexec_file_load(void)
{
	return outcome_past(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 4), EBADF);
}

static int reboot_call(void)
{
	return outcome(syscall(SYS_reboot, MAGIC_1, MAGIC_2, LINUX_REBOOT_CMD_CAD_OFF, NULL));
}

static int init_module(void)
{
	static const char nothing[256] = "not a module";

	return outcome_past(syscall(SYS_init_module, nothing, sizeof(nothing), ""), ENOEXEC);
}

static int finit_module(void)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return outcome_past(syscall(SYS_finit_module, file, "", 0), ENOEXEC);
}

static int delete_module(void)
{
	return outcome_past(syscall(SYS_delete_module, "keelson_none", O_NONBLOCK), ENOENT);
}

static int swap_on(void)
{
	return outcome_past(syscall(SYS_swapon, "/keelson-none", 0), ENOENT);
}

static int swap_off(void)
{
	return outcome_past(syscall(SYS_swapoff, "/keelson-none"), ENOENT);
}

static int accounting(void)
{
	return outcome(syscall(SYS_acct, NULL));
}

static int set_clock(void)
{
	const struct timespec never = {.tv_sec = 0, .tv_nsec = -1};

	return outcome_past(syscall(SYS_clock_settime, 0, &never), EINVAL);
}

static int kernel_log(void)
{
	char line[64];

	return outcome(syscall(SYS_syslog, 3, line, sizeof(line)));
}

/* ---- raw hardware ---- */

static int io_level(void)
{
	return outcome(syscall(SYS_iopl, 3));
}

static int io_ports(void)
{
	return outcome(syscall(SYS_ioperm, 0x80, 1, 1));
}

static int device_memory(void)
{
	return outcome(open("/dev/mem", O_RDWR | O_CLOEXEC));
}

static int device_node(const char *path, unsigned int minor)
{
	int file = open(path, O_RDWR | O_CLOEXEC);

	if (file >= 0 || errno != ENOENT)
		return outcome(file);
	if (mknod(path, S_IFCHR | 0600, makedev(1, minor)) < 0)
		return errno;
	file = outcome(open(path, O_RDWR | O_CLOEXEC));
	unlink(path);
	return file;
}

static int device_kmem(void)
{
	return device_node("/dev/kmem", 2);
}

static int device_port(void)
{
	return device_node("/dev/port", 4);
}

static int raw_disk(void)
{
	char sector[512];
	int disk = open("/dev/vda", O_RDWR | O_CLOEXEC);

	if (disk < 0 || pread(disk, sector, sizeof(sector), 0) != sizeof(sector))
		return errno;
	return outcome(pwrite(disk, sector, sizeof(sector), 0));
}

/* ---- the root ---- */

static int root_file(void)
{
	int file = open("/usr/keelson-attack", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (file >= 0)
		unlink("/usr/keelson-attack");
	return outcome(file);
}

static int root_init(void)
{
	return outcome(open("/proc/1/exe", O_WRONLY | O_CLOEXEC));
}

static int root_sbin(void)
{
	return outcome(open("/sbin/init", O_WRONLY | O_CLOEXEC));
}

/* Some file systems take the call and stay as they are. */
static int root_remount(void)
{
	struct statvfs root;

	if (mount(NULL, "/", NULL, MS_REMOUNT, NULL) < 0 || statvfs("/", &root) < 0)
		return errno;
	return root.f_flag & ST_RDONLY ? EROFS : 0;
}

/* Something else in its place, for everybody who shares the mounts. */
static int root_cover(void)
{
	if (mount("none", "/usr/share", "tmpfs", 0, "size=4k") < 0)
		return errno;
	umount2("/usr/share", MNT_DETACH);
	return 0;
}

/* A program that rewrites itself is how CVE-2019-5736 left its container. */
static int own_program(void)
{
	char path[64];
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return outcome(open(path, O_WRONLY | O_CLOEXEC));
}

/* ---- files of the kernel that ask for no capability but their owner ---- */

static int sysrq(void)
{
	int file = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	return file < 0 ? errno : outcome(write(file, "h", 1)); /* help */
}

/* Write to a file what is in it. */
static int rewrite(const char *path)
{
	char text[256];
	int file = open(path, O_RDWR | O_CLOEXEC);
	ssize_t size = file < 0 ? -1 : read(file, text, sizeof(text));

	return size < 0 ? errno : outcome(pwrite(file, text, (size_t)size, 0));
}

static int core_pattern(void)
{
	return rewrite("/proc/sys/kernel/core_pattern");
}

static int modprobe_path(void)
{
	return rewrite("/proc/sys/kernel/modprobe");
}

static int cgroup_of_init(void)
{
	char own[128] = "/sys/fs/cgroup";
	char line[96] = "";
	FILE *file = fopen("/proc/self/cgroup", "re");
	int join = open("/sys/fs/cgroup/init/cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (file != NULL && fgets(line, sizeof(line), file) == NULL)
		return errno;
	line[strcspn(line, "\n")] = '\0';
	if (join < 0 || write(join, "0", 1) < 0)
		return errno;
	strncat(own, line + 3, sizeof(own) - 32);
	strcat(own, "/cgroup.procs");
	join = open(own, O_WRONLY | O_CLOEXEC);
	if (join >= 0 && write(join, "0", 1) < 0)
		return 0;
	return 0;
}

/* ---- PID 1 ---- */

static int trace_init(void)
{
	return outcome(ptrace(SEIZE, 1, NULL, NULL));
}

/* Where PID 1 has something that can be written. */
static uint64_t place_in_init(void)
{
	char line[256];
	uint64_t place = 0;
	FILE *maps = fopen("/proc/1/maps", "re");
	int error = errno;

	while (maps != NULL && place == 0 && fgets(line, sizeof(line), maps) != NULL)
		if (strstr(line, " rw-p ") != NULL)
			place = strtoull(line, NULL, 16);
	if (maps != NULL)
		fclose(maps);
	errno = maps == NULL ? error : EACCES;
	return place;
}

static int memory_of_init(void)
{
	uint64_t place = place_in_init();
	char byte;
	int memory = open("/proc/1/mem", O_RDWR | O_CLOEXEC);

	if (memory < 0)
		return errno;
	if (place == 0)
		return EACCES;
	if (pread(memory, &byte, 1, (off_t)place) != 1)
		return errno;
	return outcome(pwrite(memory, &byte, 1, (off_t)place));
}

static int write_to_init(void)
{
	uint64_t place = place_in_init();
	char byte = 0;
	struct iovec own = {&byte, 1};
	struct iovec its = {(void *)(uintptr_t)place, 1};

	/* Without a place: the call is asked all the same. */
	if (syscall(SYS_process_vm_readv, 1, &own, 1, &its, 1, 0) < 0)
		return errno;
	return outcome(syscall(SYS_process_vm_writev, 1, &own, 1, &its, 1, 0));
}

static int root_of_init(void)
{
	return outcome(open("/proc/1/root/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int namespaces_of_init(void)
{
	int namespace = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);

	return namespace < 0 ? errno : outcome(setns(namespace, CLONE_NEWNS));
}

static int namespaces_by_pidfd(void)
{
	int init = (int)syscall(SYS_pidfd_open, 1, 0);

	return init < 0 ? errno : outcome(setns(init, CLONE_NEWNS | CLONE_NEWUTS));
}

static int descriptor_of_init(void)
{
	int init = (int)syscall(SYS_pidfd_open, 1, 0);

	return init < 0 ? errno : outcome(syscall(SYS_pidfd_getfd, init, 0, 0));
}

/* Ask for a change that is none: a service that does not exist. Denied, it says so otherwise. */
static int control(void)
{
	char answer[512] = "";
	int ends[2];
	ssize_t size;
	int status = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	if (fork() == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		execl(CONTROL_TOOL, CONTROL_TOOL, "stop", "keelson-none", (char *)NULL);
		_exit(126);
	}
	close(ends[1]);
	size = read(ends[0], answer, sizeof(answer) - 1);
	wait(&status);
	if (size <= 0)
		return EACCES; /* it could not even be executed */
	return strstr(answer, "may ask") != NULL ? EPERM : 0;
}

static int control_as_user(void)
{
	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		return errno;
	return control();
}

/* ---- by another door ---- */

#if defined(__x86_64__)
static long door32(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("push %%rbp\n\txor %%ebp, %%ebp\n\tint $0x80\n\tpop %%rbp"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(0), "D"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	if ((int)result < 0 && (int)result > -4096) {
		errno = -(int)result;
		return -1;
	}
	return result;
}

static int door32_reboot(void)
{
	return outcome(door32(88, (long)MAGIC_1, MAGIC_2, LINUX_REBOOT_CMD_CAD_OFF));
}

static int door32_init_module(void)
{
	return outcome_past(door32(128, 0, 0, 0), ENOEXEC);
}

static int door32_delete_module(void)
{
	return outcome_past(door32(129, 0, 0, 0), EFAULT);
}

static int door32_kexec(void)
{
	return outcome_past(door32(283, 0, 0, 0), EINVAL); /* its flags name no machine */
}

static int door32_iopl(void)
{
	return outcome(door32(110, 3, 0, 0));
}

static int door32_trace(void)
{
	return outcome(door32(26, SEIZE, 1, 0));
}

static int x32_reboot(void)
{
	return outcome(syscall(X32 | SYS_reboot, MAGIC_1, MAGIC_2, LINUX_REBOOT_CMD_CAD_OFF, NULL));
}

static int x32_init_module(void)
{
	return outcome_past(syscall(X32 | SYS_init_module, "", 0, ""), ENOEXEC);
}

/* x32 has numbers of its own from 512 on; there kexec_load is 528. */
static int x32_kexec(void)
{
	return outcome(syscall(X32 | 528, 0, 0, NULL, 0));
}
#endif

/* ---- weaken what confines it ---- */

/* What the filter denies, as a measure: every policy does. */
static int still_denied(void)
{
	return kexec_load();
}

static int filter_off(void)
{
	if (prctl(PR_SET_SECCOMP, 0, NULL) < 0)
		return errno;
	return still_denied();
}

static int filter_over(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {.len = 1, .filter = &allow};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return errno;
	return still_denied();
}

/* A tracer may stop the filters of its tracee, unless it has one itself. */
static int filter_suspend(void)
{
	pid_t child = fork();
	int result;

	if (child == 0) {
		pause();
		_exit(0);
	}
	result = outcome(ptrace(SEIZE, child, NULL, (void *)(uintptr_t)TRACE_SECCOMP_OFF));
	kill(child, SIGKILL);
	return result;
}

static int filter_read(void)
{
	pid_t child = fork();
	int result;

	if (child == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(child, NULL, WUNTRACED);
	if (ptrace(PTRACE_ATTACH, child, NULL, NULL) < 0)
		result = errno;
	else
		result = outcome(ptrace(0x420c /* PTRACE_SECCOMP_GET_FILTER */, child, NULL, NULL));
	kill(child, SIGKILL);
	return result;
}

static int capabilities(struct __user_cap_data_struct *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return (int)syscall(SYS_capget, &header, sets);
}

static bool has(int capability)
{
	struct __user_cap_data_struct sets[2] = {{0}};

	capabilities(sets);
	return sets[capability / 32].effective >> (capability % 32) & 1;
}

static int raise_capability(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {{0}};

	capabilities(sets);
	sets[0].permitted |= 1u << CAP_SYS_BOOT;
	sets[0].effective |= 1u << CAP_SYS_BOOT;
	return outcome(syscall(SYS_capset, &header, sets));
}

static int raise_ambient(void)
{
	return outcome(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_BOOT, 0, 0));
}

/* Executing as root gives a root program all that the bounding set has. */
static int raise_by_exec(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		execl("/proc/self/exe", "attack", "--has-boot", (char *)NULL);
		_exit(errno == EPERM ? EPERM : EACCES);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EACCES;
}

/* ---- namespaces ---- */

static int user_namespace(void)
{
	return outcome(unshare(CLONE_NEWUSER | CLONE_NEWNS));
}

/* Root in a namespace of its own is still nobody to the kernel. */
static int user_namespace_reboot(void)
{
	if (unshare(CLONE_NEWUSER) < 0)
		return errno;
	return reboot_call();
}

static int user_namespace_module(void)
{
	if (unshare(CLONE_NEWUSER) < 0)
		return errno;
	return init_module();
}

/* ... and must not pass for PID 1's equal. */
static int user_namespace_control(void)
{
	int map;

	if (unshare(CLONE_NEWUSER) < 0)
		return errno;
	map = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (map < 0 || write(map, "0 0 1", 5) < 0)
		return errno;
	return control();
}

static int mount_namespace(void)
{
	return outcome(unshare(CLONE_NEWNS));
}

static int pivot(void)
{
	return outcome_past(syscall(SYS_pivot_root, "/keelson-none", "/keelson-none"), ENOENT);
}

static int change_root(void)
{
	return outcome(chroot("/proc"));
}

/* ---- what only a debugger or a runtime has use for ---- */

static int load_bpf(void)
{
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};

	return outcome(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)));
}

static int perf_event(void)
{
	struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(event)};

	return outcome(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}

static int user_faults(void)
{
	return outcome(syscall(SYS_userfaultfd, 0));
}

static int io_ring(void)
{
	return outcome_past(syscall(SYS_io_uring_setup, 1, NULL), EFAULT);
}

static int keys(void)
{
	return outcome(syscall(SYS_add_key, "user", "keelson", "x", 1, -3));
}

static int by_handle(void)
{
	return outcome_past(syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, O_RDONLY), EFAULT);
}

static const struct attack attacks[] = {
	{"kexec_load", kexec_load, CAP_SYS_BOOT},
	{"kexec_file_load", kexec_file_load, CAP_SYS_BOOT},
	{"reboot", reboot_call, CAP_SYS_BOOT},
	{"init_module", init_module, CAP_SYS_MODULE},
	{"finit_module", finit_module, CAP_SYS_MODULE},
	{"delete_module", delete_module, CAP_SYS_MODULE},
	{"swapon", swap_on, CAP_SYS_ADMIN},
	{"swapoff", swap_off, CAP_SYS_ADMIN},
	{"acct", accounting, CAP_SYS_PACCT},
	{"clock_settime", set_clock, CAP_SYS_TIME},
	{"syslog", kernel_log, CAP_SYSLOG},
	{"iopl", io_level, CAP_SYS_RAWIO},
	{"ioperm", io_ports, CAP_SYS_RAWIO},
	{"dev-mem", device_memory, CAP_SYS_RAWIO},
	{"dev-kmem", device_kmem, CAP_SYS_RAWIO},
	{"dev-port", device_port, CAP_SYS_RAWIO},
	{"raw-disk", raw_disk, NONE},
	{"root-file", root_file, NONE},
	{"root-init", root_init, NONE},
	{"root-sbin", root_sbin, NONE},
	{"root-remount", root_remount, CAP_SYS_ADMIN},
	{"root-cover", root_cover, CAP_SYS_ADMIN},
	{"own-program", own_program, NONE},
	{"sysrq-trigger", sysrq, NONE},
	{"core-pattern", core_pattern, NONE},
	{"modprobe-path", modprobe_path, NONE},
	{"cgroup-of-init", cgroup_of_init, NONE},
	{"ptrace-init", trace_init, CAP_SYS_PTRACE},
	{"memory-of-init", memory_of_init, CAP_SYS_PTRACE},
	{"write-to-init", write_to_init, CAP_SYS_PTRACE},
	{"root-of-init", root_of_init, CAP_SYS_PTRACE},
	{"namespaces-of-init", namespaces_of_init, CAP_SYS_PTRACE},
	{"namespaces-by-pidfd", namespaces_by_pidfd, CAP_SYS_PTRACE},
	{"descriptor-of-init", descriptor_of_init, CAP_SYS_PTRACE},
	{"control", control, NONE},
	{"control-as-user", control_as_user, NONE},
#if defined(__x86_64__)
	{"i386-reboot", door32_reboot, CAP_SYS_BOOT},
	{"i386-init_module", door32_init_module, CAP_SYS_MODULE},
	{"i386-delete_module", door32_delete_module, CAP_SYS_MODULE},
	{"i386-kexec_load", door32_kexec, CAP_SYS_BOOT},
	{"i386-iopl", door32_iopl, CAP_SYS_RAWIO},
	{"i386-ptrace-init", door32_trace, CAP_SYS_PTRACE},
	{"x32-reboot", x32_reboot, CAP_SYS_BOOT},
	{"x32-init_module", x32_init_module, CAP_SYS_MODULE},
	{"x32-kexec_load", x32_kexec, CAP_SYS_BOOT},
#endif
	{"filter-off", filter_off, NONE},
	{"filter-over", filter_over, NONE},
	{"filter-suspend", filter_suspend, CAP_SYS_ADMIN},
	{"filter-read", filter_read, CAP_SYS_ADMIN},
	{"raise-capability", raise_capability, CAP_SYS_BOOT},
	{"raise-ambient", raise_ambient, CAP_SYS_BOOT},
	{"raise-by-exec", raise_by_exec, CAP_SYS_BOOT},
	{"user-namespace", user_namespace, NONE},
	{"user-namespace-reboot", user_namespace_reboot, NONE},
	{"user-namespace-module", user_namespace_module, NONE},
	{"user-namespace-control", user_namespace_control, NONE},
	{"mount-namespace", mount_namespace, CAP_SYS_ADMIN},
	{"pivot_root", pivot, CAP_SYS_ADMIN},
	{"chroot", change_root, CAP_SYS_CHROOT},
	{"bpf", load_bpf, CAP_BPF},
	{"perf_event_open", perf_event, CAP_PERFMON},
	{"userfaultfd", user_faults, CAP_SYS_PTRACE},
	{"io_uring", io_ring, NONE},
	{"add_key", keys, NONE},
	{"open_by_handle_at", by_handle, CAP_DAC_READ_SEARCH},
};

/* Names of errno that Linux has and that an attack may meet; the number for any other. */
static const char *error_name(int error)
{
	static char number[16];

	switch (error) {
	case 0: return "works";
	case EPERM: return "EPERM";
	case ENOENT: return "ENOENT";
	case ENXIO: return "ENXIO";
	case EACCES: return "EACCES";
	case EFAULT: return "EFAULT";
	case EBUSY: return "EBUSY";
	case EINVAL: return "EINVAL";
	case ETXTBSY: return "ETXTBSY";
	case EROFS: return "EROFS";
	case ENOSYS: return "ENOSYS";
	case EUSERS: return "EUSERS";
	case ENOSPC: return "ENOSPC";
	default: snprintf(number, sizeof(number), "errno-%d", error); return number;
	}
}

static const char *const capability_names[] = {
	[CAP_DAC_READ_SEARCH] = "dac_read_search",
	[CAP_SYS_MODULE] = "sys_module",
	[CAP_SYS_RAWIO] = "sys_rawio",
	[CAP_SYS_CHROOT] = "sys_chroot",
	[CAP_SYS_PTRACE] = "sys_ptrace",
	[CAP_SYS_PACCT] = "sys_pacct",
	[CAP_SYS_ADMIN] = "sys_admin",
	[CAP_SYS_BOOT] = "sys_boot",
	[CAP_SYS_TIME] = "sys_time",
	[CAP_SYSLOG] = "syslog",
	[CAP_PERFMON] = "perfmon",
	[CAP_BPF] = "bpf",
};

static void try(const struct attack *attack)
{
	const char *lacks = attack->capability == NONE || has(attack->capability)
				    ? "-"
				    : capability_names[attack->capability];
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(attack->run());
	if (child < 0)
		printf("attack %s no-child-%d lacks %s\n", attack->name, errno, lacks);
	else if (waitpid(child, &status, 0) != child || WIFSIGNALED(status))
		printf("attack %s signal-%d lacks %s\n", attack->name, WTERMSIG(status), lacks);
	else
		printf("attack %s %s lacks %s\n", attack->name, error_name(WEXITSTATUS(status)),
		       lacks);
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--has-boot") == 0)
		return has(CAP_SYS_BOOT) ? 0 : EPERM;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		if (wanted(attacks[i].name, argc, argv))
			try(&attacks[i]);
	puts("attack end");
	return 0;
}
