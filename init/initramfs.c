/* SPDX-License-Identifier: Apache-2.0 */
#include "init/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/files.h"
#include "init/initramfs_state.h"
#include "init/modules.h"
#include "init/own_kernel.h"
#include "init/phase.h"
#include "init/plan_map.h"
#include "init/power.h"
#include "init/rescue.h"
#include "init/switchroot.h"
#include "init/watchdog.h"
#include "mount/apply.h"
#include "mount/sys.h"
#include "svc/format.h"
#include "svc/log.h"

#define INIT_PATH "/sbin/init"

struct initramfs_boot boot;
struct timeline *initramfs_timeline;

/* ---- kernel ---- */

static int mount_kernel_filesystems(void)
{
	static const struct {
		const char *type;
		const char *target;
		uint64_t attributes;
	} mounts[] = {
		{"proc", "/proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
		{"sysfs", "/sys", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
		{"devtmpfs", "/dev", MOUNT_ATTR_NOSUID},
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const char *step = "make directory";
		int error = 0;

		if (mkdir(mounts[i].target, 0755) < 0 && errno != EEXIST)
			error = -errno;
		if (!error)
			error = mount_filesystem(mounts[i].type, mounts[i].type, mounts[i].target,
						 mounts[i].attributes, NULL, &step);
		if (error)
			return fault(mounts[i].target, step, error);
	}
	return 0;
}

static int make_record(void)
{
	boot.record_fd = memfd_create("keelson-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (boot.record_fd < 0 || ftruncate(boot.record_fd, sizeof(*boot.record)) < 0)
		return fault("boot record", "memfd", -errno);
	boot.record = mmap(NULL, sizeof(*boot.record), PROT_READ | PROT_WRITE, MAP_SHARED,
			   boot.record_fd, 0);
	if (boot.record == MAP_FAILED)
		return fault("boot record", "map", -errno);
	initramfs_timeline = &boot.record->timeline;
	return 0;
}

/* By default the kernel hangs on a panic and lives on after an oops: a node does neither. */
static void set_kernel(void)
{
	static const char *const settings[][2] = {
		{"/proc/sys/kernel/panic", "10"},
		{"/proc/sys/kernel/panic_on_oops", "1"},
		/* Else ten lines in five seconds; the newline is wanted here and only here. */
		{"/proc/sys/kernel/printk_devkmsg", "on\n"},
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		int error = file_write(settings[i][0], settings[i][1]);

		/* printk_devkmsg is locked when the command line set it. */
		if (error && error != -EINVAL)
			log_error("%s: write: %s", settings[i][0], log_errno(error));
	}
}

int initramfs_kernel(void)
{
	int error = mount_kernel_filesystems();
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		log_open(fd, 1);
	if (error)
		return error;
	set_kernel();
	cmdline_read(&boot.words);
	error = make_record();
	if (!error)
		boot.handed = own_kernel_handed(boot.record);
	return error;
}

/* ---- plan, modules, watchdog ---- */

int initramfs_plan(void)
{
	return plan_map(PLAN_BOOT_PATH, PLAN_KIND_BOOT, &boot.plan);
}

int initramfs_modules(void)
{
	/* Logged; whether it was indispensable shows when the disk or the root is missing. */
	(void)modules_load(&boot.plan, initramfs_timeline);
	return 0;
}

int initramfs_watchdog(void)
{
	int fd = watchdog_arm();

	if (fd < 0 && fd != -ENOENT)
		log_warning("watchdog: arm: %s", log_errno(fd));
	return 0;
}

/* ---- switch root ---- */

/* No writable mapping may be left when the memfd is sealed against writing (memfd_create(2)). */
static int seal_record(void)
{
	struct timeline *timeline = initramfs_timeline;

	timeline_end(timeline, timeline->count - 1, clock_boottime_ns(), 0);
	record_seal(boot.record);
	initramfs_timeline = NULL;
	munmap(boot.record, sizeof(*boot.record));
	if (fcntl(boot.record_fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0 ||
	    fcntl(boot.record_fd, F_SETFD, 0) < 0)
		return -errno;
	return 0;
}

int initramfs_switch(void)
{
	static char program[] = INIT_PATH;
	char record[32], watchdog[32];
	char *argv[] = {program, record, NULL, NULL};
	const char *step;
	int error = switch_root(INITRAMFS_NEW_ROOT, &step);

	if (error)
		return fault("switch root", step, error);
	error = seal_record();
	if (error)
		return fault("boot record", "seal", error);
	format_text(record, sizeof(record), "--record=%d", boot.record_fd);
	if (watchdog_fd() >= 0 && fcntl(watchdog_fd(), F_SETFD, 0) == 0) {
		format_text(watchdog, sizeof(watchdog), "--watchdog=%d", watchdog_fd());
		argv[2] = watchdog;
	}
	execve(INIT_PATH, argv, environ);
	return fault(INIT_PATH, "exec", -errno);
}

void initramfs_failed(void)
{
	if (boot.plan.system && (boot.plan.system->flags & PLAN_SYSTEM_RESCUE))
		rescue_shell();
	power_reboot_now("boot failed");
}
