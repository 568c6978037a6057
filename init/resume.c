/* SPDX-License-Identifier: Apache-2.0 */
#include "init/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/gate.h"
#include "init/kept.h"
#include "init/last_words.h"
#include "init/loop.h"
#include "init/milestones.h"
#include "init/node.h"
#include "init/phase.h"
#include "init/plan_map.h"
#include "init/power.h"
#include "init/stop.h"
#include "init/survive.h"
#include "init/watchdog.h"
#include "mount/directory.h"
#include "svc/adopt.h"
#include "svc/fault_point.h"
#include "svc/log.h"
#include "svc/world_check.h"

#define WORLD_BYTES_MAX (64u << 20)
#define DESCRIPTORS_USUAL 1024u /* INR_OPEN_CUR of the kernel; PID 1's own limit was raised */

static struct survive_again again;
static bool fresh;       /* the world is not the one of the execution before */
static bool transcribed; /* ... but says what that one's frozen part said */
static bool forgotten;   /* ... and nothing of what happened in this boot */

bool resume_is(void)
{
	return node.options.again && survive_parse(node.options.again, &again);
}

/* As at the first time: an execveat(2) of a descriptor names the process after its number. */
static void take_name(const char *program)
{
	const char *slash = strrchr(program, '/');

	prctl(PR_SET_NAME, slash ? slash + 1 : program);
}

void resume_begin(const char *program)
{
	node_hold_signals();
	node_survive_again(program, &again);
	/*
	 * Until it is known what there is: all that was inherited, with a world that may be none.
	 */
	(void)survive_with(node.options.world, node.options.record, node.options.watchdog,
			   WORLD_DESCRIPTORS);
	take_name(program);
	watchdog_adopt(node.options.watchdog);
	node_log();
}

int resume_plan(void)
{
	fault_point("resume: begin");
	return plan_map(node_plan_path(), PLAN_KIND_NODE, &node.plan);
}

/* ---- the world ---- */

/* The memfd that was kept; NULL: there is none that can be read. */
static struct world *map_old(int fd, size_t *size)
{
	struct stat st;
	void *at;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(struct world) ||
	    st.st_size > (off_t)WORLD_BYTES_MAX)
		return NULL;
	*size = (size_t)st.st_size;
	at = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

/* Why it cannot be used as it is; NULL: it can. */
static const char *refusal(struct world *world, size_t size)
{
	struct world_fault fault = {.service = PLAN_NONE};

	if (again.crashes >= SURVIVE_CRASHES_MAX && again.signal != 0)
		return "the second crash in a row";
	if (!world)
		return "it cannot be read";
	if (world_check(world, size, &node.plan, &fault) != 0)
		return fault.reason;
	if (world->phase > NODE_STOPPING || kept_check(kept_in(world)) != 0)
		return "what init keeps";
	return NULL;
}

static int keep(struct world *world, size_t size)
{
	if (mlock(world, size) < 0 || madvise(world, size, MADV_DONTFORK) < 0 ||
	    fcntl(node.options.world, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	world_mend(world);
	node.world = world;
	node.world_fd = node.options.world;
	return 0;
}

/* What init/ kept is in a world of this layout only, and believed if all of it can be. */
static void take_kept(struct world *old)
{
	if (old->version == WORLD_VERSION && old->header_bytes == sizeof(*old) &&
	    kept_check(kept_in(old)) == 0)
		*kept_in(node.world) = *kept_in(old);
}

static int make_fresh(struct world *old, size_t size)
{
	int error = world_create(&node.plan, &node.world, &node.world_fd);

	if (error)
		return error;
	fresh = true;
	kept_init(node.world);
	if (old) {
		transcribed = world_transcribe(old, size, &node.plan, node.world) > 0;
		take_kept(old);
		munmap(old, size);
	}
	forgotten = node.world->timeline.count == 0;
	if (node.world->phase > NODE_STOPPING || !transcribed)
		node.world->phase = NODE_BOOTING;
	if (node.world->descriptors == 0)
		node.world->descriptors = DESCRIPTORS_USUAL;
	return 0;
}

static void count_execution(void)
{
	struct world *world = node.world;

	world->executions++;
	if (again.signal != 0) {
		world->crashes++;
		world->crash_signal = (int32_t)again.signal;
		world->crash_ns = again.crash_ns;
		world->crash_address = again.address;
	}
	world_note(world, &(struct world_event){
				  .at_ns = again.at_ns,
				  .service = PLAN_NONE,
				  .pid = 1,
				  .kind = WORLD_EVENT_REEXEC,
				  .status = (int32_t)again.signal,
			  });
}

int resume_world(void)
{
	size_t size = 0;
	struct world *old = map_old(node.options.world, &size);
	const char *why = refusal(old, size);
	int error;

	fault_point("resume: world");
	if (why)
		log_warning("world: %s: a fresh one", why);
	error = why ? make_fresh(old, size) : keep(old, size);
	if (error)
		return fault("world", why ? "create" : "take over", error);
	(void)survive_with(node.world_fd, node.options.record, node.options.watchdog,
			   WORLD_DESCRIPTORS);
	node_timeline = &node.world->timeline;
	count_execution();
	if (node.options.record >= 0) {
		error = node_take_record();
		if (error)
			log_error("boot record: take over: %s", log_errno(error));
	}
	return 0;
}

/* ---- descriptors ---- */

static void own(void *context, int32_t *fd)
{
	(void)context;
	(void)fcntl(*fd, F_SETFD, FD_CLOEXEC);
}

/* One of the world's that is also one of init's own: the number is wrong. */
static void disown(void *context, int32_t *fd)
{
	(void)context;
	if (*fd == node.world_fd || *fd == node.options.record || *fd == watchdog_fd())
		*fd = -1;
}

static void take_milestones(void)
{
	int32_t *fd = &kept_in(node.world)->milestones_fd;

	if (*fd >= 0 && milestones_is(*fd))
		own(NULL, fd);
	else
		*fd = -1;
}

/*
 * Close what the execution before had open and this one makes anew: its pidfds, groups, clients.
 * What this one opened or took over is CLOEXEC, what it only inherited is not: the crash handler
 * cleared that flag (execve(2) had closed it otherwise).
 */
static void close_unknown(int fd, void *context)
{
	(void)context;
	if (fd > 2 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
		close(fd);
}

static void find_highest(int fd, void *context)
{
	int *highest = context;

	if (fd > *highest)
		*highest = fd;
}

static void each_open(void (*visit)(int fd, void *context), void *context)
{
	struct directory directory = {
		.fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	const char *name;

	if (directory.fd < 0)
		return;
	while ((name = directory_next(&directory))) {
		int fd = 0;

		for (; *name >= '0' && *name <= '9' && fd < (int)WORLD_DESCRIPTORS; name++)
			fd = fd * 10 + (*name - '0');
		visit(fd, context);
	}
	close(directory.fd);
}

/* ---- services ---- */

static unsigned long long microseconds(uint64_t ns)
{
	return ns / 1000;
}

static uint32_t with_process(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < node.world->service_count; i++)
		count += node.world->services[i].pid != 0;
	return count;
}

static void tell(void)
{
	unsigned long long us = microseconds(clock_boottime_ns() - again.at_ns);

	if (again.signal == 0)
		log_notice(
			"execution %u: as asked, %u services run, supervised again after %llu us",
			node.world->executions, with_process(), us);
	else
		log_warning("execution %u: after signal %u at +0x%llx, %u services run, supervised "
			    "again after %llu us",
			    node.world->executions, again.signal,
			    (unsigned long long)again.instruction, with_process(), us);
}

int resume_supervisor(void)
{
	int highest = 2;
	int error;

	node_find_cgroups();
	if (fresh) {
		each_open(find_highest, &highest);
		adopt_find(&node.plan, node.world, node.cgroup_root, NODE_RUNTIME_DIRECTORY,
			   highest, transcribed);
	} else {
		world_each_descriptor(node.world, disown, NULL);
		adopt_verify(node.world);
	}
	/* People are refused while the node ends, and at no other time: a crash may lie between. */
	node.world->ending = stop_under_way();
	world_each_descriptor(node.world, own, NULL);
	take_milestones();
	each_open(close_unknown, NULL);
	fault_point("resume: descriptors");
	error = node_supervisor();
	if (error)
		return error;
	supervisor_resume(node.supervisor, again.signal != 0);
	/* Services had not been started, or nobody knows who was wanted: whom the boot wants. */
	if (node.world->phase == NODE_BOOTING && !stop_under_way())
		(void)node_services();
	else if (again.signal != 0 && !stop_under_way())
		last_words_running();
	fault_point("resume: supervised");
	gate_resume(clock_boottime_ns(), forgotten);
	stop_resume();
	/* Who ended meanwhile, or was read from the descriptor and not yet reaped. */
	node.children_ended = true;
	tell();
	return 0;
}

void resume_failed(void)
{
	if (node.options.container)
		_exit(NODE_EXIT_CRASH);
	power_reboot_now("execution after a crash failed");
}
