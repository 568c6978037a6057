/* SPDX-License-Identifier: Apache-2.0 */
/* What is found of the execution before: main processes, pipes and sockets (adopt.h). */
#include "svc/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "svc/cgroup.h"
#include "svc/control.h"
#include "svc/fd.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/log_protocol.h"
#include "svc/notify.h"
#include "svc/process.h"
#include "svc/reconcile.h"
#include "svc/service.h"
#include "svc/supervisor_state.h"

#define PATH_BYTES 640

/* ---- a kept world ---- */

struct verify {
	uint32_t dropped;
};

static void verify_one(void *context, int32_t *fd)
{
	struct verify *verify = context;
	struct stat st;

	if (fstat(*fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		return;
	*fd = -1;
	verify->dropped++;
}

uint32_t adopt_verify(struct world *world)
{
	struct verify verify = {0};

	world_each_descriptor(world, verify_one, &verify);
	return verify.dropped;
}

/* ---- main processes ---- */

static bool is_child(int pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * Does it run the file that the plan names? By what the kernel itself has in memory, for a path that
 * was looked up could lie on a file system that hangs: the file as it is called now; or, for a script,
 * which runs its interpreter, and for what is called by a link, the name that executing it left.
 */
static bool runs_program(const struct plan *plan, const struct plan_service *service, int pid)
{
	const char *program = plan_list_string(plan, service->argv, 0);
	char path[64], running[PATH_BYTES], name[PROCESS_NAME_BYTES];
	ssize_t n;

	format_text(path, sizeof path, "/proc/%d/exe", pid);
	n = readlink(path, running, sizeof running - 1);
	if (n >= 0)
		running[n] = '\0';
	return (n >= 0 && strcmp(running, program) == 0) ||
	       (process_name(pid, name) == 0 &&
		strncmp(name, last_part(program), sizeof name - 1) == 0);
}

struct search {
	const struct plan *plan;
	const struct plan_service *service;
	struct reconcile_child best; /* pid 0: none yet */
};

static void consider(struct search *search, int pid)
{
	struct reconcile_child child = {.pid = pid};

	if (pid <= 1 || !is_child(pid) || process_start_ticks(pid, &child.start_ticks) != 0)
		return;
	child.program = runs_program(search->plan, search->service, pid);
	child.leads = getsid(pid) == pid;
	if (search->best.pid == 0 || reconcile_prefers(&child, &search->best))
		search->best = child;
}

/* Numbers, one in a line; one may be cut by the end of a read. */
static void search_group(struct search *search, const char *path)
{
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t n;
	int pid = 0;

	while (fd >= 0 && (n = read(fd, text, sizeof text)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			consider(search, pid);
			pid = 0;
		}
	}
}

/* The process that the old world named, if it is the one that was meant. */
static bool hint_holds(const struct world_service *state)
{
	uint64_t ticks;

	return state->pid > 1 && is_child(state->pid) &&
	       process_start_ticks(state->pid, &ticks) == 0 && ticks == state->pid_start_ticks;
}

static void find_main(const struct plan *plan, uint32_t index, struct world_service *state,
		      const char *cgroup_root)
{
	const struct plan_service *service = plan_service(plan, index);
	struct search search = {.plan = plan, .service = service};
	const char *group = plan_string(plan, service->cgroup);
	char path[PATH_BYTES];

	if (hint_holds(state))
		return;
	format_text(path, sizeof path, "%s/%s/cgroup.procs", cgroup_root, group);
	search_group(&search, path);
	format_text(path, sizeof path, "%s/%s/" LIFE_LEAF "/cgroup.procs", cgroup_root, group);
	search_group(&search, path);
	/* What only might be it, while nothing was said to run, is a hook or left over. */
	if (!search.best.program && state->state != SERVICE_UP)
		search.best.pid = 0;
	state->pid = search.best.pid;
	state->pid_start_ticks = search.best.pid == 0 ? 0 : search.best.start_ticks;
}

/* ---- states ---- */

static uint32_t state_with_process(const struct plan_service *service,
				   const struct world_service *state)
{
	if (service_is_active(state->state))
		return state->state;
	if (!state->wanted)
		return SERVICE_STOPPING;
	return service->kind == PLAN_SERVICE_DAEMON ? SERVICE_UP : SERVICE_STARTING;
}

/* Waiting and backoff begin anew: who is down and wanted is started as soon as it may be. */
static uint32_t state_without(uint32_t state)
{
	return state == SERVICE_WAITING || state == SERVICE_BACKOFF ? SERVICE_DOWN : state;
}

static uint64_t timer_of(const struct plan_service *service, uint32_t state)
{
	switch (state) {
	case SERVICE_STARTING: return service->start_timeout_ns;
	case SERVICE_STOPPING: return service->stop_timeout_ns;
	case SERVICE_UP: return service->stable_ns;
	case SERVICE_SCHEDULED:
		return service->timer_every_ns ? service->timer_every_ns : service->timer_first_ns;
	default: return 0;
	}
}

static uint32_t all_probes(const struct plan_service *service)
{
	return service->probes.count < 32 ? (1u << service->probes.count) - 1 : UINT32_MAX;
}

/* Its program runs: that much of readiness is certain. */
static uint32_t exec_probes(const struct plan *plan, const struct plan_service *service)
{
	uint32_t met = 0;

	for (uint32_t i = 0; i < service->probes.count; i++)
		if (plan_probe(plan, service->probes.first + i)->kind == PLAN_PROBE_EXEC)
			met |= 1u << i;
	return met;
}

static void set_state(const struct plan *plan, uint32_t index, struct world_service *state,
		      uint64_t now_ns)
{
	const struct plan_service *service = plan_service(plan, index);
	uint64_t timer_ns;

	state->state = state->pid != 0 ? state_with_process(service, state)
				       : state_without(state->state);
	timer_ns = timer_of(service, state->state);
	state->state_since_ns = now_ns;
	state->deadline_ns = timer_ns ? clock_after_ns(now_ns, timer_ns) : 0;
	if (state->pid == 0)
		return;
	state->starts = 1;
	state->started_ns = now_ns;
	state->probes_met = exec_probes(plan, service);
	/* What had ended by itself and left others behind is not told apart: it is started anew. */
	if (state->state == SERVICE_STOPPING) {
		state->flags |= SERVICE_MARK_STOP;
		state->reason = state->wanted ? WORLD_REASON_REQUIREMENT : WORLD_REASON_REQUEST;
	}
	if (state->state != SERVICE_UP)
		return;
	state->ready_ns = now_ns;
	state->probes_met = all_probes(service);
	state->flags |= SERVICE_MARK_READY;
	state->watchdog_ns = service->watchdog_ns;
	if (service->watchdog_ns)
		state->watchdog_deadline_ns = clock_after_ns(now_ns, service->watchdog_ns);
}

/* ---- pipes and sockets ---- */

/*
 * The number of the pipe that `pid` has as its descriptor `fd`; 0: none. From the link's text
 * ("pipe:[1234]"): stat(2) would ask the file system of whatever else it is.
 */
static uint64_t pipe_of(int pid, uint32_t fd)
{
	static const char is_pipe[] = "pipe:[";
	uint64_t number = 0;
	char path[64], text[40];
	ssize_t n;

	format_text(path, sizeof path, "/proc/%d/fd/%u", pid, fd);
	n = readlink(path, text, sizeof text);
	if (n < (ssize_t)sizeof is_pipe || memcmp(text, is_pipe, sizeof is_pipe - 1) != 0)
		return 0;
	for (ssize_t i = sizeof is_pipe - 1; i < n && text[i] >= '0' && text[i] <= '9'; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	return number;
}

/*
 * Which pipe is the output of `index`: as the logger has it, or else the service. 0: nobody knows.
 */
static uint64_t output_pipe(const struct plan *plan, const struct world *world, uint32_t index,
			    uint32_t place)
{
	uint32_t logger = plan->system->logger;
	uint64_t found = 0;

	if (logger != PLAN_NONE && world->services[logger].pid != 0)
		found = pipe_of(world->services[logger].pid, LOG_FIRST_FD + place);
	for (uint32_t fd = 1; found == 0 && fd <= 2 && world->services[index].pid != 0; fd++)
		found = pipe_of(world->services[index].pid, fd);
	return found;
}

/* The pipe of each service, looked up once: 0: it has none, or nobody knows. */
static uint64_t pipes[PLAN_MAX_SERVICES];

static void look_pipes_up(const struct plan *plan, const struct world *world)
{
	uint32_t count = plan_count(plan, PLAN_SERVICES), place = 0;

	for (uint32_t i = log_next_service(plan, 0); i < count;
	     i = log_next_service(plan, i + 1), place++)
		pipes[i] = output_pipe(plan, world, i, place);
}

static void take_pipe(struct world *world, int fd, uint64_t number)
{
	int flags = fcntl(fd, F_GETFL);

	for (uint32_t i = 0; i < world->service_count && flags >= 0; i++) {
		struct world_service *state = &world->services[i];
		int32_t *end = (flags & O_ACCMODE) == O_RDONLY ? &state->output_read_fd
							       : &state->output_write_fd;

		if (*end < 0 && pipes[i] == number) {
			*end = fd;
			return;
		}
	}
}

static bool listens(int fd)
{
	int value = 0;
	socklen_t size = sizeof value;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value;
}

static void take_socket(struct world *world, int fd, const char *runtime_directory)
{
	struct sockaddr_un address = {0};
	socklen_t size = sizeof address - 1;
	char notify[PATH_BYTES], control[PATH_BYTES];

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
	    address.sun_family != AF_UNIX)
		return;
	format_text(notify, sizeof notify, "%s/%s", runtime_directory, NOTIFY_SOCKET_NAME);
	format_text(control, sizeof control, "%s/%s", runtime_directory, CONTROL_SOCKET_NAME);
	if (strcmp(address.sun_path, notify) == 0)
		world->notify_fd = fd;
	else if (strcmp(address.sun_path, control) == 0 && listens(fd))
		world->control_fd = fd;
}

static void take_descriptors(const struct plan *plan, struct world *world,
			     const char *runtime_directory, int highest)
{
	look_pipes_up(plan, world);
	for (int fd = 3; fd <= highest; fd++) {
		struct stat st;
		int flags = fcntl(fd, F_GETFD);

		/* What this execution opened itself is CLOEXEC. */
		if (flags < 0 || (flags & FD_CLOEXEC) || fstat(fd, &st) < 0)
			continue;
		if (S_ISFIFO(st.st_mode))
			take_pipe(world, fd, st.st_ino);
		else if (S_ISSOCK(st.st_mode))
			take_socket(world, fd, runtime_directory);
	}
}

/* Half a pipe is none: both ends are closed with what else is not known, and a new one is made. */
static void drop_halves(struct world *world)
{
	for (uint32_t i = 0; i < world->service_count; i++) {
		struct world_service *state = &world->services[i];

		if (state->output_read_fd < 0 || state->output_write_fd < 0)
			state->output_read_fd = state->output_write_fd = -1;
	}
}

uint32_t adopt_find(const struct plan *plan, struct world *world, const char *cgroup_root,
		    const char *runtime_directory, int highest, bool transcribed)
{
	uint64_t now_ns = clock_boottime_ns();
	uint32_t found = 0;

	for (uint32_t i = 0; i < world->service_count; i++) {
		struct world_service *state = &world->services[i];

		if (!transcribed) {
			state->state = SERVICE_UP; /* if there is a process at all */
			state->wanted = 1;
		}
		find_main(plan, i, state, cgroup_root);
		if (!transcribed && state->pid == 0) {
			state->state = SERVICE_DOWN;
			state->wanted = 0; /* the boot's wish decides */
		}
		set_state(plan, i, state, now_ns);
		found += state->pid != 0;
	}
	take_descriptors(plan, world, runtime_directory, highest);
	drop_halves(world);
	return found;
}
