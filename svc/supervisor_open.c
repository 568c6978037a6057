/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor makes once, before the first service, and closes at the end. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "svc/audit.h"
#include "svc/cgroup.h"
#include "svc/fd.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/notify.h"
#include "svc/supervisor_state.h"

#define PATH_BYTES 128

/* Everything that grows with the plan, in mappings that are never given back. */
struct sizes {
	size_t lives, due, tasks, pids, probes, device_programs, for_children, total;
	uint32_t pid_slots;
};

/* Bytes that keep what comes after them aligned for any type. */
static size_t aligned(size_t size)
{
	return (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
}

static uint32_t count_asked(const struct plan *plan, struct plan_list list)
{
	uint32_t asked = 0;

	for (uint32_t i = 0; i < list.count; i++) {
		uint32_t kind = plan_probe(plan, list.first + i)->kind;

		asked += kind == PLAN_PROBE_COMMAND || kind == PLAN_PROBE_SOCKET;
	}
	return asked;
}

/*
 * Of each service its main process, its hook, one that asks for each probe that a child asks, and the
 * child that another main process replaced, if it can say so.
 */
static uint32_t children_at_once(const struct plan *plan)
{
	uint32_t children = 0;

	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES); i++) {
		const struct plan_service *service = plan_service(plan, i);

		children += 2 + life_is_heard(plan, service) + count_asked(plan, service->probes) +
			    count_asked(plan, service->liveness);
	}
	return children;
}

static struct sizes sizes_for(const struct plan *plan, const struct world *world)
{
	size_t services = plan_count(plan, PLAN_SERVICES);
	uint32_t slots = pids_slots(children_at_once(plan));
	struct sizes sizes = {
		.lives = aligned(services * sizeof(struct life)),
		.due = aligned(services * sizeof(uint64_t)),
		.tasks = aligned(world->task_count * sizeof(struct task_life)),
		.pids = aligned(slots * sizeof(struct pid_slot)),
		.probes = aligned(plan_count(plan, PLAN_PROBES) * sizeof(struct probe)),
		.device_programs = aligned(plan_count(plan, PLAN_POLICIES) * sizeof(int)),
		.for_children = sizeof(struct for_children) + services * sizeof(int),
		.pid_slots = slots,
	};

	sizes.total = aligned(sizeof(struct supervisor)) + sizes.lives + sizes.due + sizes.tasks +
		      sizes.pids + sizes.probes + sizes.device_programs;
	return sizes;
}

/* Sockets live in the runtime directory; a path that does not fit is refused at the socket. */
static void runtime_path(const struct supervisor *supervisor, const char *name,
			 char path[static PATH_BYTES])
{
	format_text(path, PATH_BYTES, "%s/%s", supervisor->config.runtime_directory, name);
}

/* A missing controller is no fault of the node: a service that sets something of it will say so. */
static void prepare_cgroups(const struct supervisor *supervisor, const char *root, int fd)
{
	const struct plan *plan = supervisor->plan;
	char missing[CGROUP_LIST_BYTES];
	int error = cgroup_enter_leaf(fd);

	if (error != 0)
		log_warning("cgroup: %s: leaf " CGROUP_INIT_LEAF ": %s", root, log_errno(error));
	error = cgroup_enable(fd, plan_string(plan, plan->system->controllers), missing);
	if (missing[0])
		log_info("cgroup: %s: controllers that are not there:%s", root, missing);
	if (error != 0)
		log_warning("cgroup: %s: controllers: %s", root, log_errno(error));
	error = cgroup_make_parents(fd, plan);
	if (error != 0)
		log_warning("cgroup: %s: groups: %s", root, log_errno(error));
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
	supervisor->cgroup_root = fd;
	/* Another execution finds it prepared: to enter a group anew waits for the kernel for 10 ms. */
	if (supervisor->world->executions == 1)
		prepare_cgroups(supervisor, root, fd);
}

static bool hears_members(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES); i++)
		if (plan_service(plan, i)->flags & PLAN_SERVICE_NOTIFY_ALL)
			return true;
	return false;
}

static void open_notify(struct supervisor *supervisor)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = source_key(SOURCE_NOTIFY)};
	char path[PATH_BYTES];

	supervisor->hears_members = hears_members(supervisor->plan);
	runtime_path(supervisor, NOTIFY_SOCKET_NAME, path);
	format_text(supervisor->for_children->notify_environment,
		    sizeof supervisor->for_children->notify_environment, "NOTIFY_SOCKET=%s", path);
	/* One that was kept over a re-exec holds what services said meanwhile. */
	if (supervisor->world->notify_fd < 0)
		supervisor->world->notify_fd = notify_open(path);
	if (supervisor->world->notify_fd < 0)
		log_error("notify: %s: %s", path, log_errno(supervisor->world->notify_fd));
	else if (epoll_ctl(supervisor->config.epoll_fd, EPOLL_CTL_ADD, supervisor->world->notify_fd,
			   &event) < 0)
		log_error("notify: %s: epoll: %s", path, log_errno(errno));
}

static void open_control(struct supervisor *supervisor)
{
	char path[PATH_BYTES];

	supervisor->calls = (struct control_calls){.context = supervisor,
						   .request = supervisor_call_request,
						   .reload = supervisor_call_reload,
						   .kill = supervisor_call_kill,
						   .power = supervisor_call_power,
						   .reexec = supervisor_call_reexec,
						   .bless = supervisor_call_bless,
						   .slot_status = supervisor_call_slot_status};
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

/*
 * PID 1 holds several descriptors for each service, so it takes what the hard limit allows. Services
 * get the soft limit that it was given: programs that close every descriptor up to their limit, or
 * that use select(2), rely on a low one.
 */
static void raise_descriptors(struct supervisor *supervisor)
{
	struct rlimit limit;

	/* What an earlier execution found is what PID 1 was given; now it is what that raised. */
	if (supervisor->world->descriptors != 0)
		return;
	supervisor->world->descriptors = UINT64_MAX;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	supervisor->world->descriptors = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warning("descriptors: raise limit: %s", log_errno(errno));
}

/* PID 1's own sets: they are what it may give, and nobody takes anything away from it later. */
static void read_capabilities(struct supervisor *supervisor)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	for (uint32_t cap = 0; cap <= supervisor->last_capability; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			supervisor->bounding |= 1ull << cap;
	if (syscall(SYS_capget, &header, data) < 0)
		log_error("capabilities: %s", log_errno(errno));
	supervisor->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
}

static uint32_t last_capability(void)
{
	int cap = 0;

	while (cap < 63 && prctl(PR_CAPBSET_READ, cap + 1, 0, 0, 0) >= 0)
		cap++;
	return (uint32_t)cap;
}

/* The ABI, or a negative errno: landlock_create_ruleset(2). */
static int32_t landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : (int32_t)abi;
}

static void seed(struct supervisor *supervisor)
{
	if (getrandom(&supervisor->random, sizeof supervisor->random, GRND_NONBLOCK) < 0 ||
	    supervisor->random == 0)
		supervisor->random = (uint32_t)clock_boottime_ns() | 1;
}

static void *map(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

int supervisor_open(const struct supervisor_config *config, struct supervisor **supervisor)
{
	struct sizes sizes = sizes_for(config->plan, config->world);
	uint8_t *at = map(sizes.total);
	struct for_children *for_children = map(sizes.for_children);

	if (!at || !for_children)
		return -ENOMEM;
	/*
	 * No child has business here, and what fork(2) shares PID 1 would have to copy, page by page,
	 * as it writes to it after every start. Where the kernel refuses it costs only that.
	 */
	(void)madvise(at, sizes.total, MADV_DONTFORK);
	struct supervisor *made = (void *)at;

	made->for_children = for_children;
	made->config = *config;
	made->plan = config->plan;
	made->world = config->world;
	made->last_capability = last_capability();
	read_capabilities(made);
	made->ignored_signals = confine_ignored_signals();
	made->world->landlock_abi = landlock_abi();
	raise_descriptors(made);
	seed(made);
	condition_read(&made->facts, config->container, config->first_boot);
	at += aligned(sizeof *made);
	made->lives = (void *)at;
	at += sizes.lives;
	made->due_ns = (void *)at;
	at += sizes.due;
	made->tasks = (void *)at;
	at += sizes.tasks;
	pids_init(&made->pids, (void *)at, sizes.pid_slots);
	at += sizes.pids;
	probing_init(made, (void *)at);
	at += sizes.probes;
	made->device_programs = (void *)at;
	life_init(made);
	task_init(made);
	if (mkdir(config->runtime_directory, 0755) < 0 && errno != EEXIST)
		log_error("runtime directory: %s: %s", config->runtime_directory, log_errno(errno));
	open_cgroups(made);
	int error = output_open(&made->output, config->plan, config->world);

	if (error != 0)
		log_error("output: pipes: %s", log_errno(error));
	open_notify(made);
	open_control(made);
	audit_open(made);
	*supervisor = made;
	return 0;
}

void supervisor_close(struct supervisor *supervisor)
{
	control_server_close(&supervisor->control);
	if (supervisor->world->notify_fd >= 0)
		epoll_ctl(supervisor->config.epoll_fd, EPOLL_CTL_DEL, supervisor->world->notify_fd,
			  NULL);
	fd_close(&supervisor->world->notify_fd);
}
