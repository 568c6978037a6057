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

#include "init/button.h"
#include "init/files.h"
#include "init/gate.h"
#include "init/groups.h"
#include "init/kept.h"
#include "init/last_words.h"
#include "init/memory.h"
#include "init/milestones.h"
#include "init/node.h"
#include "init/phase.h"
#include "init/signals.h"
#include "init/slot_answer.h"
#include "init/stop.h"
#include "init/summary.h"
#include "init/survive.h"
#include "init/watchdog.h"
#include "mount/child.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/service.h"

#define EVENTS_AT_ONCE 32
#define DESCRIPTORS_OF_INIT 128u
#define DESCRIPTORS_OF_SERVICE 12u
/* epoll_wait(2) does not count the time that the machine sleeps, deadlines do: then they are late. */
#define WAIT_MAX_NS 60000000000ull
#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_ROOT_HYBRID "/sys/fs/cgroup/unified"
#ifndef CGROUP2_SUPER_MAGIC
#define CGROUP2_SUPER_MAGIC 0x63677270
#endif

/* epoll_data.u64 of PID 1's own descriptors */
enum key { KEY_SIGNALS = 1, KEY_MILESTONES, KEY_BUTTON, KEY_END = KEY_BUTTON + BUTTON_KEYS };

/* ---- what the supervisor asks ---- */

static int on_power(void *context, enum control_power action, bool force)
{
	const struct stop_request request = {action, LAST_BY_CONTROL, force, "keelctl"};

	(void)context;
	return stop_ask(&request);
}

static int on_reexec(void *context)
{
	(void)context;
	if (node.reexec_asked)
		return -EALREADY;
	node.reexec_asked = true;
	return 0;
}

static int on_bless(void *context)
{
	(void)context;
	return gate_bless(clock_boottime_ns());
}

static int on_slot_status(void *context, struct control_slot_status *status)
{
	(void)context, (void)status;
	return node.record ? slot_answer_ask(node.record, &node.plan, clock_boottime_ns())
			   : -ENODATA;
}

static void on_child_ended(void *context, const siginfo_t *info)
{
	int result = info->si_code == CLD_EXITED ? info->si_status : EIO;
	struct control_slot_status status;
	int error;

	(void)context;
	if (slot_answer_child_ended(info->si_pid, result, &error, &status)) {
		status.blessed = node.world->blessed_ns != 0;
		supervisor_slots(node.supervisor, error, &status);
		return;
	}
	(void)gate_child_ended(info->si_pid, result);
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
		.node_ns = kept_in(node.world)->taken_over_ns,
		.services_ns = kept_in(node.world)->services_ns,
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
	.reexec = on_reexec,
	.bless = on_bless,
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

void node_find_cgroups(void)
{
	node.cgroup_root = find_cgroup_root();
	node.cgroups_foreign = node.options.container && groups_is_machine(node.cgroup_root);
}

static void open_milestones(void)
{
	int fd, error;

	if (kept_in(node.world)->milestones >= MILESTONES_MAX)
		return;
	fd = kept_in(node.world)->milestones_fd;
	if (fd < 0)
		fd = milestones_open();
	error = fd < 0 ? fd : watch(fd, KEY_MILESTONES);

	if (error)
		log_error("milestones: %s: watch: %s", MILESTONES_DIRECTORY, log_errno(error));
	kept_in(node.world)->milestones_fd = fd;
}

/* A container has no button: what it was shown of /dev is the machine's. */
static void open_buttons(void)
{
	int error = node.options.container ? 0 : button_open(node.epoll_fd, KEY_BUTTON);

	if (error)
		log_error("power button: watch: %s", log_errno(error));
}

int node_supervisor(void)
{
	struct supervisor_config config = {
		.plan = &node.plan,
		.world = node.world,
		.runtime_directory = NODE_RUNTIME_DIRECTORY,
		.hooks = &hooks,
		.container = node.options.container,
		.first_boot = kept_in(node.world)->first_boot != 0,
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
	node_find_cgroups();
	config.cgroup_root = node.cgroup_root;
	config.epoll_fd = node.epoll_fd;
	error = supervisor_open(&config, &node.supervisor);
	if (error)
		return fault("supervisor", "open", error);
	open_milestones();
	open_buttons();
	child_keeps = log_descriptor();
	/*
	 * Pidfd, group, its events, both ends of the output, what its probes and commands have open; and
	 * the device programs of policies.
	 */
	error = survive_with(node.world_fd, node.options.record, watchdog_fd(),
			     DESCRIPTORS_OF_INIT +
				     DESCRIPTORS_OF_SERVICE * node.world->service_count +
				     2 * plan_count(&node.plan, PLAN_PROBES) +
				     plan_count(&node.plan, PLAN_POLICIES));
	if (error)
		log_error("survival: a crash will end the node: %s", log_errno(error));
	error = memory_lock(&node.plan);
	if (error)
		log_warning("memory: lock: %s", log_errno(error));
	error = node.world->executions == 1 ? memory_protect() : 0;
	if (error)
		log_warning("memory: oom_score_adj: PID 1 may be killed when memory runs out: %s",
			    log_errno(error));
	return 0;
}

int node_services(void)
{
	kept_in(node.world)->services_ns = clock_boottime_ns();
	supervisor_start(node.supervisor);
	/* A crash before this does all of it again: what runs is not started twice. */
	node.world->phase = NODE_RUNNING;
	last_words_running();
	return 0;
}

/* ---- running ---- */

/* "signal 39 from kured (612)"; who sent it may be gone, or be of another pid namespace. */
static void name_sender(const struct signalfd_siginfo *info, char who[STOP_WHO_BYTES])
{
	char path[32];
	char name[17];
	ssize_t n = 0;

	if (info->ssi_pid != 0) {
		format_text(path, sizeof(path), "/proc/%u/comm", info->ssi_pid);
		n = file_read(path, name, sizeof(name));
	}
	if (n > 1)
		format_text(who, STOP_WHO_BYTES, "signal %u from %.*s (%u)", info->ssi_signo,
			    (int)n - 1, name, info->ssi_pid);
	else if (info->ssi_pid != 0)
		format_text(who, STOP_WHO_BYTES, "signal %u from process %u", info->ssi_signo,
			    info->ssi_pid);
	else
		format_text(who, STOP_WHO_BYTES, "signal %u", info->ssi_signo);
}

static void obey(const struct signalfd_siginfo *info)
{
	struct signal_request meant = signal_means(info->ssi_signo, node.options.container);
	struct stop_request request = {meant.action, LAST_BY_SIGNAL, meant.forced, NULL};
	char who[STOP_WHO_BYTES];

	if (!meant.wanted)
		return;
	name_sender(info, who);
	request.who = who;
	(void)stop_ask(&request);
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
			obey(&infos[i]);
	}
}

bool node_asked_again(void)
{
	read_signals();
	button_look();
	return stop_forced();
}

static void handle(const struct epoll_event *event)
{
	if (supervisor_owns(event->data.u64))
		supervisor_handle(node.supervisor, event);
	else if (event->data.u64 == KEY_SIGNALS)
		read_signals();
	else if (event->data.u64 >= KEY_BUTTON && event->data.u64 < KEY_END)
		button_handle(event->data.u64);
	else if (event->data.u64 == KEY_MILESTONES)
		milestones_read(&kept_in(node.world)->milestones_fd);
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
	uint32_t *traced = &kept_in(node.world)->traced;

	for (; *traced < node_timeline->count; ++*traced) {
		timeline_trace_line(&node_timeline->events[*traced], line, sizeof(line));
		log_notice("%s", line + strlen("keelson: ")); /* log_line() writes that itself */
	}
}

/* The end of a turn, after which the earliest deadline that is left is `due_ns`: watchdog.h. */
static uint64_t feed_watchdog(uint64_t due_ns)
{
	uint64_t now_ns = clock_boottime_ns();

	if (watchdog_fd() < 0)
		return UINT64_MAX;
	if (now_ns >= node.fed_ns + watchdog_feed_ns() && watchdog_healthy(due_ns, now_ns)) {
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
	uint64_t due_ns;
	uint64_t fed_ns;

	if (node.children_ended)
		node.children_ended = supervisor_reap(node.supervisor);
	supervisor_tick(node.supervisor, now_ns);
	if (!stop_under_way())
		gate_advance(now_ns);
	trace();
	if (stop_under_way())
		stop_advance(now_ns);
	due_ns = earlier(supervisor_deadline_ns(node.supervisor),
			 stop_under_way() ? stop_wake_ns() : gate_wake_ns());
	fed_ns = feed_watchdog(due_ns);
	return node.children_ended ? now_ns : earlier(due_ns, fed_ns);
}

/* Milliseconds for epoll_wait(2), rounded up so as not to wake just before a deadline. */
static int timeout_ms(uint64_t wake_ns, uint64_t now_ns)
{
	uint64_t wait_ns = wake_ns > now_ns ? wake_ns - now_ns : 0;

	return (int)((earlier(wait_ns, WAIT_MAX_NS) + 999999) / 1000000);
}

/* Everything of this turn is done and answered. Returns when the program cannot be executed. */
static void execute_anew(void)
{
	int error = survive_execute();

	node.reexec_asked = false;
	log_error("execution: %s", log_errno(error));
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
		if (node.reexec_asked)
			execute_anew();
	}
}
