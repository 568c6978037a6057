/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trouble: what a node's end must get over, made inside the guest.
 *
 *     trouble fuse DIR FILE   Mount a FUSE file system at DIR whose server stops answering, and leave a
 *                             process behind that waits for it for ever: killed, in an
 *                             uninterruptible sleep, with FILE open for writing and the server's
 *                             descriptor, so that nobody's death ends the connection. Says so when
 *                             it does.
 *     trouble mapped NAME DEV A device-mapper device NAME over all of DEV (linear).
 *     trouble suspend NAME    Its disk does not answer from now on: whoever writes to it waits for ever.
 *     trouble kexec KERNEL COMMAND-LINE   Load a kernel, without an initramfs.
 *
 * The kernel's own interfaces, no library: fuse.h, dm-ioctl.h, kexec_file_load(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/kexec.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "trouble: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- fuse ---- */

static union {
	struct fuse_in_header header;
	char bytes[FUSE_MIN_READ_BUFFER + 65536];
} request;

static void answer(int fuse, uint64_t unique, const void *payload, size_t size)
{
	char bytes[512];
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + size),
		.unique = unique,
	};

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), payload, size);
	if (write(fuse, bytes, sizeof(header) + size) < 0)
		die("fuse: answer");
}

static uint32_t next(int fuse)
{
	if (read(fuse, &request, sizeof(request)) < 0)
		die("fuse: read");
	return request.header.opcode;
}

static void greet(int fuse)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = 4096,
	};

	if (next(fuse) != FUSE_INIT)
		die("fuse: the first request is not INIT");
	answer(fuse, request.header.unique, &init, sizeof(init));
}

static int fuse(const char *directory, const char *file)
{
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[128];
	char path[256];
	struct stat st;

	if (device < 0)
		die("/dev/fuse");
	mkdir(directory, 0755);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
	if (mount("trouble", directory, "fuse", 0, options) < 0)
		die(directory);
	greet(device);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (fork() == 0) {
		int held = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (held < 0 || write(held, "held", 4) != 4)
			die(file);
		snprintf(path, sizeof(path), "%s/never", directory);
		exit(stat(path, &st));
	}
	/* Once it was read, a request cannot be taken back: its process has to wait for the answer. */
	while (next(device) != FUSE_LOOKUP)
		;
	puts("hung");
	fflush(stdout);
	for (;;)
		pause();
}

/* ---- mapped ---- */

static struct {
	struct dm_ioctl ioctl;
	struct dm_target_spec target;
	char parameters[256];
} table;

static void ask(int control, unsigned long command, const char *name, const char *what)
{
	table.ioctl.version[0] = 4;
	table.ioctl.data_size = sizeof(table);
	table.ioctl.data_start = sizeof(table.ioctl);
	snprintf(table.ioctl.name, sizeof(table.ioctl.name), "%s", name);
	if (syscall(SYS_ioctl, control, command, &table) < 0)
		die(what);
}

static int mapped(const char *name, const char *device)
{
	int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	int below = open(device, O_RDONLY | O_CLOEXEC);
	uint64_t bytes = 0;

	if (control < 0 || below < 0 || syscall(SYS_ioctl, below, BLKGETSIZE64, &bytes) < 0)
		die(device);
	ask(control, DM_DEV_CREATE, name, "DM_DEV_CREATE");
	memset(&table, 0, sizeof(table));
	table.ioctl.target_count = 1;
	table.target.length = bytes / 512;
	strcpy(table.target.target_type, "linear");
	snprintf(table.parameters, sizeof(table.parameters), "%s 0", device);
	ask(control, DM_TABLE_LOAD, name, "DM_TABLE_LOAD");
	memset(&table, 0, sizeof(table));
	ask(control, DM_DEV_SUSPEND, name, "DM_DEV_SUSPEND");
	printf("/dev/dm-%u\n", (unsigned)(table.ioctl.dev & 0xff));
	return 0;
}

static int suspend(const char *name)
{
	int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	table.ioctl.flags = DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG;
	ask(control, DM_DEV_SUSPEND, name, "DM_DEV_SUSPEND");
	return 0;
}

/* ---- kexec ---- */

static int load(const char *kernel, const char *words)
{
	int fd = open(kernel, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(kernel);
	if (syscall(SYS_kexec_file_load, fd, -1, strlen(words) + 1, words,
		    (unsigned long)KEXEC_FILE_NO_INITRAMFS) < 0)
		die("kexec_file_load");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "fuse") == 0)
		return fuse(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "mapped") == 0)
		return mapped(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "suspend") == 0)
		return suspend(argv[2]);
	if (argc == 4 && strcmp(argv[1], "kexec") == 0)
		return load(argv[2], argv[3]);
	fputs("usage: trouble fuse DIR FILE | mapped NAME DEV | suspend NAME | "
	      "kexec KERNEL COMMAND-LINE\n",
	      stderr);
	return 2;
}
