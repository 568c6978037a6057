/* SPDX-License-Identifier: Apache-2.0 */
#include "init/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/cmdline.h"
#include "init/kept.h"
#include "init/marks.h"
#include "init/phase.h"
#include "init/plan_map.h"
#include "init/power.h"
#include "init/rescue.h"
#include "init/survive.h"
#include "svc/log.h"

struct node node = {
	.world_fd = -1,
	.epoll_fd = -1,
	.signal_fd = -1,
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

/* The memfd stays open: it is sealed, and the next execution of PID 1 needs it again. */
int node_take_record(void)
{
	int fd = node.options.record;
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

/* A record that cannot be read is not fatal: the slot runs, unproven, and its tries count down. */
static bool take_record_head(void)
{
	int error = node_take_record();

	if (error)
		log_error("boot record: take over: %s", log_errno(error));
	return !error;
}

/* Checked before, and sealed. */
static void take_timeline(void)
{
	struct record *record = mmap(NULL, sizeof(*record), PROT_READ, MAP_SHARED,
				     node.options.record, 0);

	if (record == MAP_FAILED) {
		log_error("boot record: timeline: %s", log_errno(errno));
		return;
	}
	*node_timeline = record->timeline;
	munmap(record, sizeof(*record));
}

const char *node_plan_path(void)
{
	return node.options.plan ? node.options.plan : PLAN_NODE_PATH;
}

bool node_is_machine(void)
{
	return reboot(RB_DISABLE_CAD) == 0;
}

void node_survive_again(const char *program, const struct survive_again *again)
{
	struct survive_config config = {
		.program = program ? program : "init",
		.plan = node.options.plan,
		.container = node.options.container,
		.period_ns = SURVIVE_PERIOD_NS,
		.again = *again,
	};
	int error;

	if (node.options.crash_period_s != UINT32_MAX)
		config.period_ns = (uint64_t)node.options.crash_period_s * 1000000000u;
	error = survive_arm(&config);
	if (error)
		log_error("survival: prepare: %s", log_errno(error));
}

void node_survive(const char *program)
{
	static const struct survive_again first;

	node_survive_again(program, &first);
}

int node_plan(void)
{
	/* First the record: a plan that is refused is noted beside the slot, which it names. */
	bool recorded = node.options.record >= 0 && take_record_head();
	int error = plan_map(node_plan_path(), PLAN_KIND_NODE, &node.plan);

	if (error)
		return error;
	error = world_create(&node.plan, &node.world, &node.world_fd);
	if (error)
		return fault("world", "create", error);
	kept_init(node.world);
	kept_in(node.world)->taken_over_ns = node.taken_over_ns;
	node.world->phase = NODE_BOOTING;
	node_timeline = &node.world->timeline;
	if (recorded)
		take_timeline();
	return 0;
}

void node_boot_failed(void)
{
	if (node.options.container)
		_exit(NODE_EXIT_BOOT);
	if (node.record)
		marks_note_failure_timed(&(struct slot_failure){
			.disk = node.record->disk,
			.device = node.record->header_device,
			.disk_guid = node.record->disk_guid,
			.slot = node.record->slot,
			.image_version = (const char *)node.record->header.image_version,
			.reason = SLOT_REASON_BOOT,
			.detail = fault_text(),
		});
	if (node.plan.system && (node.plan.system->flags & PLAN_SYSTEM_RESCUE))
		rescue_shell();
	power_reboot_now("boot failed");
}
