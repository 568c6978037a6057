/* SPDX-License-Identifier: Apache-2.0 */
#include "init/loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "init/bless.h"
#include "init/gate.h"
#include "init/groups.h"
#include "init/memory.h"
#include "init/milestones.h"
#include "init/node.h"
#include "init/phase.h"
#include "init/signals.h"
#include "init/stop.h"
#include "init/summary.h"
#include "init/watchdog.h"
#include "svc/log.h"
#include "svc/service.h"

#define EVENTS_AT_ONCE 32
#define WAIT_MAX_NS 3600000000000ull
#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_ROOT_HYBRID "/sys/fs/cgroup/unified"
#define RUNTIME_DIRECTORY "/run/keelson"
#ifndef CGROUP2_SUPER_MAGIC
#define CGROUP2_SUPER_MAGIC 0x63677270
#endif

enum key { KEY_SIGNALS = 1, KEY_MILESTONES }; /* epoll_data.u64 of PID 1's own descriptors */

/* ---- what the supervisor asks ---- */

static int on_power(void *context, enum control_power action)
{
	(void)context;
	stop_ask(action, STOP_BY_PERSON);
	return 0;
}

static int on_slot_status(void *context, struct control_slot_status *status)
{
	int error = node.record ? bless_status(node.record, status) : -ENODATA;

	(void)context;
	if (!error)
		status->blessed = node.world->blessed_ns != 0;
	return error;
}

static void on_child_ended(void *context, const siginfo_t *info)
{
	(void)context;
	(void)gate_child_ended(info->si_pid, info->si_code == CLD_EXITED ? info->si_status : EIO);
}

static uint32_t services_up(void)
{
	uint32_t up = 0;

	for (uint32_t i = 0; i < node.world->service_count; i++)
		up += service_is_up(node.world->services[i].state);
	return up;
}

static void on_up(void *context)
{
	const struct timeline *timeline = node_timeline;
	char text[SUMMARY_BYTES];
	struct summary summary = {
		.init_ns = node.record && timeline->count ? timeline->events[0].start_ns : 0,
		.node_ns = node.taken_over_ns,
		.services_ns = node.services_ns,
		.up_ns = node.world->up_ns,
		.services = services_up(),
		.slot = node.record ? (int)node.record->slot : -1,
		.image = plan_string(&node.plan, node.plan.system->image_version),
	};

	(void)context;
	summary_format(text, &summary);
	log_notice("%s", text);
}

static const struct supervisor_hooks hooks = {
	.power = on_power,
	.slot_status = on_slot_status,
	.child_ended = on_child_ended,
	.up = on_up,
};

/* ---- set-up ---- */

static int watch(int fd, enum key key)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = key};

	return epoll_ctl(node.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* All but those that a fault of PID 1's own raises: a blocked one would be fatal (signal(7)). */
static void fill_signals(sigset_t *set)
{
	sigfillset(set);
	sigdelset(set, SIGSEGV);
	sigdelset(set, SIGBUS);
	sigdelset(set, SIGILL);
	sigdelset(set, SIGFPE);
	sigdelset(set, SIGABRT);
	sigdelset(set, SIGTRAP);
	sigdelset(set, SIGSYS);
}

void node_hold_signals(void)
{
	sigset_t set;

	fill_signals(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

/* Every signal is read from a descriptor: none can interrupt PID 1. */
static int take_signals(void)
{
	sigset_t set;

	fill_signals(&set);
	node.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return node.signal_fd < 0 ? -errno : watch(node.signal_fd, KEY_SIGNALS);
}

/* Where cgroup2 is mounted: a container may have been given a machine's hybrid tree. */
static const char *find_cgroup_root(void)
{
	struct statfs fs;

	if (statfs(CGROUP_ROOT_HYBRID, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
		return CGROUP_ROOT_HYBRID;
	return CGROUP_ROOT;
}

static void open_milestones(void)
{
	int fd = milestones_open();
	int error = fd < 0 ? fd : watch(fd, KEY_MILESTONES);

	if (error)
		log_error("milestones: %s: watch: %s", MILESTONES_DIRECTORY, log_errno(error));
	node.milestones_fd = fd;
}

int node_supervisor(void)
{
	struct supervisor_config config = {
		.plan = &node.plan,
		.world = node.world,
		.runtime_directory = RUNTIME_DIRECTORY,
		.hooks = &hooks,
	};
	int error;

	node.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (node.epoll_fd < 0)
		return fault("loop", "epoll_create1", -errno);
	error = take_signals();
	if (error)
		return fault("loop", "signals", error);
	/* Ctrl-alt-del becomes SIGINT instead of an immediate reset (reboot(2)). */
	if (!node.options.container && reboot(RB_DISABLE_CAD) < 0)
		log_error("loop: ctrl-alt-del: %s", log_errno(errno));
	node.cgroup_root = find_cgroup_root();
	node.cgroups_foreign = node.options.container && groups_is_machine(node.cgroup_root);
	config.cgroup_root = node.cgroup_root;
	config.epoll_fd = node.epoll_fd;
	error = supervisor_open(&config, &node.supervisor);
	if (error)
		return fault("supervisor", "open", error);
	open_milestones();
	error = memory_lock(&node.plan);
	if (error)
		log_warning("memory: lock: %s", log_errno(error));
	return 0;
}

int node_services(void)
{
	node.services_ns = clock_boottime_ns();
	node.world->phase = NODE_RUNNING;
	supervisor_start(node.supervisor);
	return 0;
}

/* ---- running ---- */

static void obey(uint32_t signal)
{
	struct signal_request request = signal_means(signal);

	if (!request.wanted)
		return;
	stop_ask(request.action, STOP_BY_PERSON);
	if (request.forced)
		stop_ask(request.action, STOP_BY_PERSON);
}

/*
 * SIGCHLD is one bit however many children ended: it is remembered until there is none left. What is
 * more than one turn takes, of signals as of children, is taken after everything else that is due.
 */
static void read_signals(void)
{
	struct signalfd_siginfo infos[8];
	ssize_t n = read(node.signal_fd, infos, sizeof(infos));

	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(infos[0]); i++) {
		if (infos[i].ssi_signo == SIGCHLD)
			node.children_ended = true;
		else
			obey(infos[i].ssi_signo);
	}
}

static void handle(const struct epoll_event *event)
{
	if (supervisor_owns(event->data.u64))
		supervisor_handle(node.supervisor, event);
	else if (event->data.u64 == KEY_SIGNALS)
		read_signals();
	else if (event->data.u64 == KEY_MILESTONES)
		milestones_read(&node.milestones_fd);
}

/*
 * With keelson.trace: every event once the node is up, later ones as they happen. A verdict on the
 * slot or the node's end come before that when something never came up.
 */
static void trace(void)
{
	char line[TIMELINE_LINE_BYTES];

	if (!node.trace || (node.world->up_ns == 0 && !gate_settled() && !stop_under_way()))
		return;
	for (; node.traced < node_timeline->count; node.traced++) {
		timeline_trace_line(&node_timeline->events[node.traced], line, sizeof(line));
		log_notice("%s", line + strlen("keelson: ")); /* log_line() writes that itself */
	}
}

static uint64_t feed_watchdog(uint64_t now_ns)
{
	if (watchdog_fd() < 0)
		return UINT64_MAX;
	if (now_ns >= node.fed_ns + watchdog_feed_ns()) {
		watchdog_feed();
		node.fed_ns = now_ns;
	}
	return node.fed_ns + watchdog_feed_ns();
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Act on everything that is due; returns when to wake at the latest. */
static uint64_t advance(uint64_t now_ns)
{
	uint64_t wake_ns;

	if (node.children_ended)
		node.children_ended = supervisor_reap(node.supervisor);
	supervisor_tick(node.supervisor, now_ns);
	if (!stop_under_way())
		gate_advance(now_ns);
	trace();
	if (stop_under_way())
		stop_advance(now_ns);
	wake_ns = earlier(feed_watchdog(now_ns), supervisor_deadline_ns(node.supervisor));
	if (node.children_ended)
		return now_ns;
	return earlier(wake_ns, stop_under_way() ? stop_wake_ns() : gate_wake_ns());
}

/* Milliseconds for epoll_wait(2), rounded up so as not to wake just before a deadline. */
static int timeout_ms(uint64_t wake_ns, uint64_t now_ns)
{
	uint64_t wait_ns = wake_ns > now_ns ? wake_ns - now_ns : 0;

	return (int)((earlier(wait_ns, WAIT_MAX_NS) + 999999) / 1000000);
}

void loop_run(void)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	for (;;) {
		uint64_t wake_ns = advance(clock_boottime_ns());
		int n = epoll_wait(node.epoll_fd, events, EVENTS_AT_ONCE,
				   timeout_ms(wake_ns, clock_boottime_ns()));

		for (int i = 0; i < n; i++)
			handle(&events[i]);
	}
}
