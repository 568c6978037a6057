/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor makes once, before the first service, and closes at the end. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "svc/cgroup.h"
#include "svc/fd.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/notify.h"
#include "svc/supervisor_state.h"

#define PATH_BYTES 128

/* Everything that grows with the plan, in one mapping that is never given back. */
struct sizes {
	size_t lives, probes, pipes, passed, total;
};

/* Bytes that keep what comes after them aligned for any type. */
static size_t aligned(size_t size)
{
	return (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
}

static struct sizes sizes_for(const struct plan *plan)
{
	size_t services = plan_count(plan, PLAN_SERVICES);
	struct sizes sizes = {
		.lives = aligned(services * sizeof(struct life)),
		.probes = aligned(plan_count(plan, PLAN_PROBES) * sizeof(struct ready_probe)),
		.pipes = aligned(services * sizeof(struct output_pipe)),
		.passed = aligned(services * sizeof(int)),
	};

	sizes.total = aligned(sizeof(struct supervisor)) + sizes.lives + sizes.probes +
		      sizes.pipes + sizes.passed;
	return sizes;
}

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
						   .request = supervisor_call_request,
						   .power = supervisor_call_power,
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

	supervisor->descriptors = UINT64_MAX;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	supervisor->descriptors = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warning("descriptors: raise limit: %s", log_errno(errno));
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
	raise_descriptors(made);
	seed(made);
	at += aligned(sizeof *made);
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
