/* SPDX-License-Identifier: Apache-2.0 */
#include "init/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/cmdline.h"
#include "init/marks.h"
#include "init/phase.h"
#include "init/plan_map.h"
#include "init/power.h"
#include "init/rescue.h"
#include "svc/log.h"

struct node node = {
	.world_fd = -1,
	.epoll_fd = -1,
	.signal_fd = -1,
	.milestones_fd = -1,
};
struct timeline *node_timeline;

_Static_assert(offsetof(struct record, timeline) < 4096, "the record's head is one page");

/* The kernel's command line, for a boot that had no initramfs of ours to read it. */
static void read_command_line(void)
{
	struct cmdline words;

	if (node.options.container)
		return;
	cmdline_read(&words);
	node.trace = words.trace;
}

int node_log(void)
{
	int fd = -1;

	node.taken_over_ns = clock_boottime_ns();
	if (!node.options.container)
		fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		log_open(fd, 1);
	if (node.options.record < 0)
		read_command_line();
	if (node.options.unknown)
		log_info("unknown argument: %s", node.options.unknown);
	return 0;
}

/*
 * Check the record, move its timeline into the world, and keep only the page before it mapped. The
 * memfd stays open: it is sealed, and a re-exec of PID 1 needs it again.
 */
static int take_record(int fd)
{
	struct record *record;
	struct stat st;
	int error;

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != (off_t)sizeof(*record))
		return -EPROTONOSUPPORT;
	record = mmap(NULL, sizeof(*record), PROT_READ, MAP_SHARED, fd, 0);
	if (record == MAP_FAILED)
		return -errno;
	error = record_check(record, sizeof(*record));
	if (!error)
		node.world->timeline = record->timeline;
	munmap(record, sizeof(*record));
	if (error)
		return error;
	record = mmap(NULL, offsetof(struct record, timeline), PROT_READ, MAP_SHARED, fd, 0);
	if (record == MAP_FAILED)
		return -errno;
	node.record = record;
	node.trace = record->trace != 0;
	if (record->log_level != 0)
		log_set_level((enum log_level)record->log_level);
	return 0;
}

int node_plan(void)
{
	const char *path = node.options.plan ? node.options.plan : PLAN_NODE_PATH;
	int error = plan_map(path, PLAN_KIND_NODE, &node.plan);

	if (error)
		return error;
	error = world_create(&node.plan, &node.world, &node.world_fd);
	if (error)
		return fault("world", "create", error);
	node.world->phase = NODE_BOOTING;
	node_timeline = &node.world->timeline;
	if (node.options.record >= 0) {
		/* Not fatal: the slot runs, unproven, and its tries count down. */
		error = take_record(node.options.record);
		if (error)
			log_error("boot record: take over: %s", log_errno(error));
	}
	return 0;
}

void node_boot_failed(void)
{
	if (node.options.container)
		_exit(NODE_EXIT_BOOT);
	if (node.record)
		marks_note_failure_timed(node.record->header_device, SLOT_REASON_BOOT,
					 fault_text());
	if (node.plan.system && (node.plan.system->flags & PLAN_SYSTEM_RESCUE))
		rescue_shell();
	power_reboot_now("boot failed");
}
