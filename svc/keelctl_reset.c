/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelctl reset --state: the file systems that the plan makes are made anew at the next boot. Here
 * they are only marked (rootfs-spec/state_mark.h); PID 1 makes them before anything is mounted. A
 * power cut on either side of the mark, and during the making, changes nothing of that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "rootfs-spec/plan.h"
#include "rootfs-spec/state_mark.h"
#include "svc/fd.h"
#include "svc/keelctl.h"
#include "svc/plan_file.h"
#include "svc/show.h"

#define RESETS_MAX 16u
#define EXT4_MAGIC_AT (1024 + 0x38)

struct reset {
	const char *target; /* borrowed from the plan */
	char device[256];
};

static int failed(const char *object, const char *step, int error)
{
	fprintf(stderr, "keelctl: reset: %s: %s: %s\n", object, step, strerror(-error));
	return error;
}

/* The kernel's name of a block device: the DEVNAME line of its uevent. */
static int device_name(dev_t number, char *name, size_t size)
{
	char path[64], line[256];
	FILE *file;
	int error = -ENODEV;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major(number), minor(number));
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (error && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "DEVNAME=", 8) == 0 &&
		    (size_t)snprintf(name, size, "/dev/%s", line + 8) < size)
			error = 0;
	}
	fclose(file);
	return error;
}

/* What is mounted at `target` must be a file system of its own, on a block device. */
static int find_device(struct reset *reset)
{
	struct stat here, above, device;
	char parent[PLAN_MAX_PATH + 4];
	int error;

	snprintf(parent, sizeof(parent), "%s/..", reset->target);
	if (stat(reset->target, &here) < 0 || stat(parent, &above) < 0)
		return failed(reset->target, "look", -errno);
	if (here.st_dev == above.st_dev || major(here.st_dev) == 0) {
		fprintf(stderr,
			"keelctl: reset: %s: not mounted; the kernel word"
			" keelson.reset=state makes it anew all the same\n",
			reset->target);
		return -ENODEV;
	}
	error = device_name(here.st_dev, reset->device, sizeof(reset->device));
	if (error)
		return failed(reset->target, "name of its device", error);
	if (stat(reset->device, &device) < 0)
		return failed(reset->device, "look", -errno);
	if (!S_ISBLK(device.st_mode) || device.st_rdev != here.st_dev)
		return failed(reset->device, "compare with what is mounted", -ESTALE);
	return 0;
}

static int write_mark(const struct reset *reset)
{
	owned_fd int fd = open(reset->device, O_RDWR | O_CLOEXEC);
	uint8_t mark[STATE_MARK_BYTES], magic[2];

	if (fd < 0)
		return failed(reset->device, "open", -errno);
	/* What lies there must be what the plan makes, not some other thing mounted by hand. */
	if (pread(fd, magic, sizeof(magic), EXT4_MAGIC_AT) != (ssize_t)sizeof(magic) ||
	    magic[0] != 0x53 || magic[1] != 0xef)
		return failed(reset->device, "look for ext4", -EMEDIUMTYPE);
	state_mark_fill(mark);
	if (pwrite(fd, mark, sizeof(mark), 0) != (ssize_t)sizeof(mark) || fsync(fd) < 0)
		return failed(reset->device, "mark", errno ? -errno : -EIO);
	return 0;
}

/* Without a terminal nobody can be asked: then only --yes is an answer. */
static bool confirmed(const struct keelctl *keelctl, const struct reset *resets, size_t count)
{
	char line[16] = "";

	if (keelctl->yes)
		return true;
	fputs("At the next boot all data is lost on", stderr);
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, " %s (%s)", resets[i].target, resets[i].device);
	fputs(".\n", stderr);
	if (!isatty(STDIN_FILENO)) {
		fputs("keelctl: reset: not a terminal: give --yes\n", stderr);
		return false;
	}
	fputs("Type yes: ", stderr);
	if (fgets(line, sizeof(line), stdin) && strcmp(line, "yes\n") == 0)
		return true;
	fputs("keelctl: reset: nothing was done\n", stderr);
	return false;
}

static void tell(const struct keelctl *keelctl, const struct reset *reset)
{
	if (!keelctl->json) {
		printf("%s (%s) is made anew at the next boot\n", reset->target, reset->device);
		return;
	}
	fputs("{", stdout);
	show_json_field(stdout, true, "event", "marked");
	show_json_field(stdout, false, "mount", reset->target);
	show_json_field(stdout, false, "device", reset->device);
	fputs("}\n", stdout);
}

int command_reset(const struct keelctl *keelctl)
{
	static struct reset resets[RESETS_MAX];
	struct plan plan;
	size_t count = 0;

	if (!(keelctl->given & OPTION_STATE)) {
		fputs("usage: keelctl reset --state [--yes]\n", stderr);
		return KEELCTL_USAGE;
	}
	if (plan_file_map("keelctl: reset", PLAN_NODE_PATH, &plan) != 0)
		return KEELCTL_FAILED;
	for (uint32_t i = 0; i < plan_count(&plan, PLAN_MOUNTS) && count < RESETS_MAX; i++) {
		const struct plan_mount *mount = plan_mount(&plan, i);

		if (!(mount->flags & PLAN_MOUNT_MAKE))
			continue;
		resets[count].target = plan_string(&plan, mount->target);
		if (find_device(&resets[count++]))
			return KEELCTL_FAILED;
	}
	if (count == 0) {
		fputs("keelctl: reset: the image makes no file system (`make: if-empty`)\n",
		      stderr);
		return KEELCTL_NOT_UP;
	}
	if (!confirmed(keelctl, resets, count))
		return KEELCTL_USAGE;
	for (size_t i = 0; i < count; i++) {
		if (write_mark(&resets[i]))
			return KEELCTL_FAILED;
		tell(keelctl, &resets[i]);
	}
	return KEELCTL_OK;
}
