/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/cmdline.h"
#include "init/files.h"
#include "init/kexec.h"
#include "mount/child.h"
#include "mount/sys.h"
#include "rootfs-spec/boot_entry.h"
#include "svc/format.h"

/* Some ten MiB are read from the disk, hashed and copied. */
#define LOAD_NS 60000000000ull
#define START_NS 30000000000ull
#define PATH_BYTES 128u
#define INITRAMFS "/keelson/next" /* in the memory of the initramfs that runs */

struct load {
	const char *root;
	const char *running_cmdline;
	const struct handover *handover;
	const struct timeline *timeline;
	char *step; /* shared with PID 1 */
};

static int failed(const struct load *load, const char *object, const char *step, int error)
{
	format_text(load->step, KEXEC_STEP_BYTES, "%s: %s", object, step);
	return error;
}

/* A file of the slot's root. */
static int open_file(const struct load *load, const char *name)
{
	char path[PATH_BYTES];
	int fd;

	format_text(path, sizeof(path), "%s%s", load->root, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? failed(load, name, "open", -errno) : fd;
}

static int copy(int from, int to, uint64_t *size_bytes)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return -errno;
	*size_bytes = (uint64_t)st.st_size;
	for (uint64_t at = 0; at < *size_bytes;) {
		ssize_t n = sendfile(to, from, NULL, *size_bytes - at);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (uint64_t)n;
	}
	return 0;
}

/*
 * The slot's initramfs with the handover behind it, opened for reading: the kernel refuses a file
 * that is open for writing (ETXTBSY).
 */
static int make_initramfs(const struct load *load)
{
	struct timeline_event phases[HANDOVER_PHASES_MAX];
	size_t count = handover_phases(load->timeline, clock_boottime_ns(), phases);
	char archive[HANDOVER_ARCHIVE_BYTES];
	cleanup_fd from = open_file(load, SLOT_INITRAMFS_PATH);
	cleanup_fd to = open(INITRAMFS, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint64_t size_bytes = 0;
	size_t length;
	int error;
	int fd;

	if (from < 0)
		return from;
	if (to < 0)
		return failed(load, INITRAMFS, "create", -errno);
	error = copy(from, to, &size_bytes);
	if (error)
		return failed(load, SLOT_INITRAMFS_PATH, "copy", error);
	length = handover_archive(archive, size_bytes, load->handover, phases, count);
	if (write(to, archive, length) != (ssize_t)length)
		return failed(load, INITRAMFS, "write", -ENOSPC);
	fd = open(INITRAMFS, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? failed(load, INITRAMFS, "open", -errno) : fd;
}

static int make_cmdline(const struct load *load, char text[KEXEC_CMDLINE_BYTES])
{
	static char present[CMDLINE_BYTES], slot[CMDLINE_BYTES];
	char path[PATH_BYTES];
	ssize_t n = file_read("/proc/cmdline", present, sizeof(present));
	int error;

	if (n < 0)
		return failed(load, "/proc/cmdline", "read", (int)n);
	format_text(path, sizeof(path), "%s%s", load->root, SLOT_CMDLINE_PATH);
	n = file_read(path, slot, sizeof(slot));
	if (n < 0)
		return failed(load, SLOT_CMDLINE_PATH, "read", (int)n);
	error = kexec_cmdline(text, present, load->running_cmdline, slot);
	return error ? failed(load, "command line", "join", error) : 0;
}

/* kexec_file_load(2): libc has no wrapper. */
static int load_kernel(void *argument)
{
	const struct load *load = argument;
	char cmdline[KEXEC_CMDLINE_BYTES];
	cleanup_fd kernel = open_file(load, SLOT_KERNEL_PATH);
	cleanup_fd initramfs = -1;
	int error;

	if (kernel < 0)
		return kernel;
	initramfs = make_initramfs(load);
	if (initramfs < 0)
		return initramfs;
	error = make_cmdline(load, cmdline);
	if (error)
		return error;
	if (syscall(SYS_kexec_file_load, kernel, initramfs, strlen(cmdline) + 1, cmdline, 0ul) < 0)
		return failed(load, SLOT_KERNEL_PATH, "kexec_file_load", -errno);
	return 0;
}

int kexec_load(const char *root, const char *running_cmdline, const struct handover *handover,
	       const struct timeline *timeline, char step[KEXEC_STEP_BYTES])
{
	char *shared = mmap(NULL, KEXEC_STEP_BYTES, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct load load = {root, running_cmdline, handover, timeline, shared};
	int error;

	format_text(step, KEXEC_STEP_BYTES, "memory");
	if (shared == MAP_FAILED)
		return -errno;
	/* What a child that was killed leaves behind says nothing else. */
	format_text(shared, KEXEC_STEP_BYTES, SLOT_KERNEL_PATH ": load");
	error = run_timed(load_kernel, &load, LOAD_NS);
	memcpy(step, shared, KEXEC_STEP_BYTES);
	step[KEXEC_STEP_BYTES - 1] = '\0';
	munmap(shared, KEXEC_STEP_BYTES);
	(void)unlink(INITRAMFS);
	return error;
}

int kexec_handed(struct handover *handover)
{
	char bytes[sizeof(*handover) + 2]; /* file_read() ends it with a NUL */
	ssize_t n = file_read(HANDOVER_PATH, bytes, sizeof(bytes));

	if (n < 0)
		return (int)n;
	memcpy(handover, bytes, sizeof(*handover));
	return handover_check(handover, (size_t)n);
}

void kexec_handed_phases(struct timeline *timeline)
{
	char bytes[HANDOVER_PHASES_MAX * sizeof(struct timeline_event) + 1];
	struct timeline_event phases[HANDOVER_PHASES_MAX];
	ssize_t n = file_read(HANDOVER_PHASES_PATH, bytes, sizeof(bytes));

	if (n <= 0)
		return;
	memcpy(phases, bytes, (size_t)n);
	handover_note_phases(timeline, phases, (size_t)n / sizeof(phases[0]));
}

static int call_kexec(void *unused)
{
	(void)unused;
	reboot(RB_KEXEC);
	return -errno;
}

int kexec_start(void)
{
	return run_timed(call_kexec, NULL, START_NS);
}
