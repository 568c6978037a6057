/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/supervisor.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "svc/cgroup.h"
#include "svc/fd.h"
#include "svc/format.h"
#include "svc/graph.h"
#include "svc/log.h"
#include "svc/notify.h"
#include "svc/service.h"
#include "svc/supervisor_state.h"

/* Messages taken in one turn, so that a flood does not keep the rest waiting. */
#define NOTIFY_TURN 32

/* Children reaped in one turn: orphans may die as fast as they are reaped. */
#define REAP_TURN 256

#define GENERATION_MASK 0xffffffu
#define PATH_BYTES 128

/* ---- opening ---- */

/* Everything that grows with the plan, in one mapping that is never given back. */
struct sizes {
	size_t lives, probes, pipes, passed, total;
};

static struct sizes sizes_for(const struct plan *plan)
{
	size_t services = plan_count(plan, PLAN_SERVICES);
	struct sizes sizes = {
		.lives = services * sizeof(struct life),
		.probes = plan_count(plan, PLAN_PROBES) * sizeof(struct ready_probe),
		.pipes = services * sizeof(struct output_pipe),
		.passed = services * sizeof(int),
	};

	sizes.total = sizeof(struct supervisor) + sizes.lives + sizes.probes + sizes.pipes +
		      sizes.passed;
	return sizes;
}

static int call_request(void *context, enum control_verb verb, uint32_t service);
static int call_power(void *context, enum control_power action);
static int call_slot_status(void *context, struct control_slot_status *status);

/* Sockets live in the runtime directory; a path that does not fit is refused at the socket. */
static void runtime_path(const struct supervisor *supervisor, const char *name,
			 char path[static PATH_BYTES])
{
	format_text(path, PATH_BYTES, "%s/%s", supervisor->config.runtime_directory, name);
}

static void open_cgroups(struct supervisor *supervisor)
{
	const char *root = supervisor->config.cgroup_root;
	int fd = cgroup_open(root);

	supervisor->cgroup_root = -1;
	if (fd < 0) {
		log_error("cgroup: %s: no service can start: %s", root, log_errno(fd));
		return;
	}
	int error = cgroup_init(fd, plan_string(supervisor->plan,
						supervisor->plan->system->controllers));

	if (error != 0)
		log_warning("cgroup: %s: leaf %s or controllers: %s", root, CGROUP_INIT_LEAF,
			    log_errno(error));
	supervisor->cgroup_root = fd;
}

static void open_notify(struct supervisor *supervisor)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = source_key(SOURCE_NOTIFY)};
	char path[PATH_BYTES];

	runtime_path(supervisor, NOTIFY_SOCKET_NAME, path);
	format_text(supervisor->notify_environment, sizeof supervisor->notify_environment,
		    "NOTIFY_SOCKET=%s", path);
	supervisor->notify_fd = notify_open(path);
	if (supervisor->notify_fd < 0)
		log_error("notify: %s: %s", path, log_errno(supervisor->notify_fd));
	else if (epoll_ctl(supervisor->config.epoll_fd, EPOLL_CTL_ADD, supervisor->notify_fd,
			   &event) < 0)
		log_error("notify: %s: epoll: %s", path, log_errno(errno));
}

static void open_control(struct supervisor *supervisor)
{
	char path[PATH_BYTES];

	supervisor->calls = (struct control_calls){.context = supervisor,
						   .request = call_request,
						   .power = call_power,
						   .slot_status = call_slot_status};
	supervisor->control.plan = supervisor->plan;
	supervisor->control.world = supervisor->world;
	supervisor->control.calls = &supervisor->calls;
	supervisor->control.epoll_fd = supervisor->config.epoll_fd;
	supervisor->control.listen_key = source_key(SOURCE_LISTEN);
	supervisor->control.client_key = source_key(SOURCE_CLIENT);
	runtime_path(supervisor, CONTROL_SOCKET_NAME, path);
	int error = control_server_open(&supervisor->control, path);

	if (error != 0)
		log_error("control: %s: %s", path, log_errno(error));
}

static uint32_t last_capability(void)
{
	int cap = 0;

	while (cap < 63 && prctl(PR_CAPBSET_READ, cap + 1, 0, 0, 0) >= 0)
		cap++;
	return (uint32_t)cap;
}

static void seed(struct supervisor *supervisor)
{
	if (getrandom(&supervisor->random, sizeof supervisor->random, GRND_NONBLOCK) < 0 ||
	    supervisor->random == 0)
		supervisor->random = (uint32_t)clock_boottime_ns() | 1;
}

int supervisor_open(const struct supervisor_config *config, struct supervisor **supervisor)
{
	struct sizes sizes = sizes_for(config->plan);
	uint8_t *at = mmap(NULL, sizes.total, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	struct supervisor *made = (void *)at;

	made->config = *config;
	made->plan = config->plan;
	made->world = config->world;
	made->last_capability = last_capability();
	seed(made);
	at += sizeof *made;
	made->lives = (void *)at;
	at += sizes.lives;
	ready_init(&made->ready, config->plan, config->world, config->epoll_fd,
		   source_key(SOURCE_PROBE), (void *)at);
	at += sizes.probes;
	struct output_pipe *pipes = (void *)at;

	made->passed = (void *)(at + sizes.pipes);
	life_init(made);
	if (mkdir(config->runtime_directory, 0755) < 0 && errno != EEXIST)
		log_error("runtime directory: %s: %s", config->runtime_directory, log_errno(errno));
	open_cgroups(made);
	int error = output_open(&made->output, config->plan, pipes);

	if (error != 0)
		log_error("output: pipes: %s", log_errno(error));
	open_notify(made);
	open_control(made);
	*supervisor = made;
	return 0;
}

void supervisor_close(struct supervisor *supervisor)
{
	control_server_close(&supervisor->control);
	if (supervisor->notify_fd >= 0)
		epoll_ctl(supervisor->config.epoll_fd, EPOLL_CTL_DEL, supervisor->notify_fd, NULL);
	fd_close(&supervisor->notify_fd);
}

/* ---- acting ---- */

/* After anything happened: let the graph act, tell who waits, note that the node is up. */
static void settle(struct supervisor *supervisor)
{
	const struct supervisor_hooks *hooks = supervisor->config.hooks;
	struct world *world = supervisor->world;

	if (!supervisor->dirty)
		return;
	graph_act(supervisor->plan, world, life_deliver, supervisor);
	supervisor->dirty = false;
	control_server_settle(&supervisor->control, clock_boottime_ns());
	if (world->up_ns != 0 || supervisor->ending || !graph_all_up(world))
		return;
	world->up_ns = clock_boottime_ns();
	if (hooks && hooks->up)
		hooks->up(hooks->context);
}

static int mark(struct supervisor *supervisor, enum control_verb verb, uint32_t service)
{
	switch (verb) {
	case CONTROL_VERB_START:
		graph_mark_start(supervisor->plan, supervisor->world, service);
		break;
	case CONTROL_VERB_STOP:
		graph_mark_stop(supervisor->plan, supervisor->world, service);
		break;
	case CONTROL_VERB_RESTART:
		graph_mark_restart(supervisor->plan, supervisor->world, service);
		break;
	default: return -EINVAL;
	}
	supervisor->dirty = true;
	return 0;
}

static int call_request(void *context, enum control_verb verb, uint32_t service)
{
	struct supervisor *supervisor = context;

	return supervisor->ending ? -ESHUTDOWN : mark(supervisor, verb, service);
}

static int call_power(void *context, enum control_power action)
{
	struct supervisor *supervisor = context;
	const struct supervisor_hooks *hooks = supervisor->config.hooks;
	int error = hooks && hooks->power ? hooks->power(hooks->context, action) : -ENOTSUP;

	if (error == 0)
		supervisor_ending(supervisor);
	return error;
}

static int call_slot_status(void *context, struct control_slot_status *status)
{
	const struct supervisor *supervisor = context;
	const struct supervisor_hooks *hooks = supervisor->config.hooks;

	return hooks && hooks->slot_status ? hooks->slot_status(hooks->context, status) : -ENODATA;
}

int supervisor_request(struct supervisor *supervisor, enum control_verb verb, uint32_t service)
{
	int error = mark(supervisor, verb, service);

	settle(supervisor);
	return error;
}

void supervisor_start(struct supervisor *supervisor)
{
	graph_mark_boot(supervisor->plan, supervisor->world);
	supervisor->dirty = true;
	settle(supervisor);
}

void supervisor_ending(struct supervisor *supervisor)
{
	supervisor->ending = true;
}

void supervisor_stop_all(struct supervisor *supervisor)
{
	supervisor_ending(supervisor);
	graph_mark_shutdown(supervisor->plan, supervisor->world);
	supervisor->dirty = true;
	settle(supervisor);
}

void supervisor_kill_all(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->world->service_count; i++)
		if (service_is_active(supervisor->world->services[i].state))
			life_kill(supervisor, i);
}

bool supervisor_stopped(const struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->world->service_count; i++)
		if (service_is_active(supervisor->world->services[i].state))
			return false;
	return true;
}

bool supervisor_settled(const struct supervisor *supervisor)
{
	return !supervisor->dirty && graph_settled(supervisor->world);
}

/* ---- hearing ---- */

/* The active service whose main process or cgroup `pid` belongs to; PLAN_NONE: nobody's. */
static uint32_t find_sender(const struct supervisor *supervisor, int pid)
{
	const struct world *world = supervisor->world;
	char path[CGROUP_PATH_BYTES];

	if (pid <= 0)
		return PLAN_NONE;
	for (uint32_t i = 0; i < world->service_count; i++)
		if (world->services[i].pid == pid)
			return i;
	if (cgroup_of_process(pid, path) != 0)
		return PLAN_NONE;
	for (uint32_t i = 0; i < world->service_count; i++) {
		const struct plan_service *service = plan_service(supervisor->plan, i);

		if (service_is_active(world->services[i].state) &&
		    cgroup_contains(plan_string(supervisor->plan, service->cgroup), path))
			return i;
	}
	return PLAN_NONE;
}

static void take_message(struct supervisor *supervisor, const struct notify_message *message,
			 int pid)
{
	uint32_t index = find_sender(supervisor, pid);

	if (index == PLAN_NONE) {
		log_debug("notify: a message from pid %d, which is no service's", pid);
		return;
	}
	struct world_service *state = &supervisor->world->services[index];

	if (message->has_status)
		memcpy(state->status, message->status, sizeof state->status);
	if (message->ready && state->state == SERVICE_STARTING) {
		ready_met(&supervisor->ready, index, PLAN_PROBE_NOTIFY, clock_boottime_ns());
		life_check_ready(supervisor, index);
	}
}

static void receive_messages(struct supervisor *supervisor)
{
	for (int i = 0; i < NOTIFY_TURN; i++) {
		struct notify_message message;
		int pid, result = notify_receive(supervisor->notify_fd, &message, &pid);

		if (result == 0)
			return;
		if (result > 0)
			take_message(supervisor, &message, pid);
	}
}

static void handle_probe(struct supervisor *supervisor, uint32_t probe, uint32_t generation)
{
	uint32_t service = ready_handle(&supervisor->ready, probe, generation, clock_boottime_ns());

	if (service != PLAN_NONE)
		life_check_ready(supervisor, service);
}

void supervisor_handle(struct supervisor *supervisor, const struct epoll_event *event)
{
	uint64_t key = event->data.u64;
	uint32_t index = (uint32_t)key;
	uint32_t generation = (uint32_t)(key >> 32) & GENERATION_MASK;

	switch ((enum supervisor_source)(key >> 56)) {
	case SOURCE_LISTEN: control_server_accept(&supervisor->control, clock_boottime_ns()); break;
	case SOURCE_CLIENT:
		control_server_handle(&supervisor->control, index, generation, clock_boottime_ns());
		break;
	case SOURCE_NOTIFY: receive_messages(supervisor); break;
	case SOURCE_PROBE: handle_probe(supervisor, index, generation); break;
	case SOURCE_REPORT:
		if (index < supervisor->world->service_count)
			life_report(supervisor, index, generation);
		break;
	case SOURCE_GROUP:
		if (index < supervisor->world->service_count)
			life_group_changed(supervisor, index, generation);
		break;
	}
	settle(supervisor);
}

uint64_t supervisor_deadline_ns(const struct supervisor *supervisor)
{
	uint64_t deadline = control_server_deadline_ns(&supervisor->control);

	for (uint32_t i = 0; i < supervisor->world->service_count; i++) {
		const struct world_service *state = &supervisor->world->services[i];
		uint64_t probe = state->state == SERVICE_STARTING
					 ? ready_deadline_ns(&supervisor->ready, i)
					 : UINT64_MAX;

		if (state->deadline_ns != 0 && state->deadline_ns < deadline)
			deadline = state->deadline_ns;
		if (probe < deadline)
			deadline = probe;
	}
	return deadline;
}

void supervisor_tick(struct supervisor *supervisor, uint64_t now_ns)
{
	for (uint32_t i = 0; i < supervisor->world->service_count; i++) {
		const struct world_service *state = &supervisor->world->services[i];

		if (state->state == SERVICE_STARTING) {
			ready_tick(&supervisor->ready, i, now_ns);
			life_check_ready(supervisor, i);
		}
		if (state->deadline_ns != 0 && state->deadline_ns <= now_ns)
			life_deliver(supervisor, i, SERVICE_TIMEOUT);
	}
	control_server_tick(&supervisor->control, now_ns);
	settle(supervisor);
}

static uint32_t find_main(const struct world *world, int pid)
{
	for (uint32_t i = 0; i < world->service_count; i++)
		if (world->services[i].pid == pid)
			return i;
	return PLAN_NONE;
}

static void reap_other(struct supervisor *supervisor, const siginfo_t *info)
{
	const struct supervisor_hooks *hooks = supervisor->config.hooks;
	siginfo_t reaped;

	if (hooks && hooks->child_ended)
		hooks->child_ended(hooks->context, info);
	supervisor->world->reaped_orphans++;
	waitid(P_PID, (id_t)info->si_pid, &reaped, WEXITED | WNOHANG);
}

bool supervisor_reap(struct supervisor *supervisor)
{
	bool more = true;

	for (uint32_t i = 0; more && i < REAP_TURN; i++) {
		siginfo_t info = {0};

		more = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		       info.si_pid != 0;
		if (!more)
			break;
		uint32_t index = find_main(supervisor->world, info.si_pid);

		if (index == PLAN_NONE)
			reap_other(supervisor, &info);
		else
			life_main_ended(supervisor, index, &info);
	}
	settle(supervisor);
	return more;
}
