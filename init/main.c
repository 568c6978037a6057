/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelson-init: PID 1, first of the initramfs, then of the slot's root. Which one it is shows in
 * what is there: the initramfs carries a boot plan.
 */
#include <errno.h>
#include <unistd.h>

#include "init/descriptors.h"
#include "init/initramfs.h"
#include "init/loop.h"
#include "init/node.h"
#include "init/options.h"
#include "init/phase.h"
#include "init/resume.h"
#include "init/watchdog.h"

#define COUNT(phases) (sizeof(phases) / sizeof((phases)[0]))

static const struct phase initramfs_phases[] = {
	{"kernel", initramfs_kernel},  /* proc, sys, dev; reboot on a panic; the command line */
	{"boot plan", initramfs_plan}, /* map and verify it */
	{"boot modules", initramfs_modules}, /* what storage needs */
	{"watchdog", initramfs_watchdog},    /* arm the hardware watchdog if there is one */
	{"disk", initramfs_disk},            /* wait for the disk that carries slots */
	{"slots", initramfs_slots},          /* both examined: header, signature, root block */
	{"root", initramfs_root},            /* choose one, burn its try, verity, mount */
	{"switch root", initramfs_switch},   /* leave the initramfs; does not come back */
};

static const struct phase node_phases[] = {
	{"plan", node_plan},       /* map and verify it; the world; the boot record */
	{"modules", node_modules}, /* before mounts: they bring file systems */
	{"mounts", node_mounts},
	{"sysctls", node_sysctls},
	{"paths", node_paths},
	{"host", node_host},             /* name, machine id, loopback, limits, clock */
	{"supervisor", node_supervisor}, /* the last memory is allocated here */
	{"services", node_services},     /* what the boot wants starts */
};

/* An execution after another one of the same node: survive.h. */
static const struct phase resume_phases[] = {
	{"plan", resume_plan},
	{"world", resume_world},           /* kept, or made anew from what the kernel says */
	{"supervisor", resume_supervisor}, /* everything else is opened anew; services go on */
};

static int refuse(const char *why)
{
	(void)!write(STDERR_FILENO, why, __builtin_strlen(why));
	return 100;
}

int main(int argc, char **argv)
{
	struct options options;

	options_parse(argc, argv, &options);
	if (getpid() == 1 && node_is_machine())
		options_of_machine(&options);
	if (options.version)
		return refuse("keelson-init " KEELSON_VERSION "\n"), 0;
	if (getpid() != 1)
		return refuse("keelson-init: runs as PID 1 only: keelson-init(8)\n");

	descriptors_standard();
	node.options = options;
	if (resume_is()) {
		struct timeline *no_stamps = NULL;

		resume_begin(argv[0]);
		if (phases_run(resume_phases, COUNT(resume_phases), &no_stamps))
			resume_failed();
		loop_run();
	}
	node_survive(argv[0]);
	if (!options.container && access(PLAN_BOOT_PATH, F_OK) == 0) {
		(void)phases_run(initramfs_phases, COUNT(initramfs_phases), &initramfs_timeline);
		initramfs_failed();
	}

	node_hold_signals();
	watchdog_adopt(options.watchdog);
	node_log();
	if (phases_run(node_phases, COUNT(node_phases), &node_timeline))
		node_boot_failed();
	loop_run();
}
