/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup of a service's life, what is watched of it, and who is born into it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "svc/cgroup.h"
#include "svc/fd.h"
#include "svc/log.h"
#include "svc/supervisor_state.h"

#define LOOK_AGAIN_NS 100000000ull

int life_watch(struct supervisor *supervisor, uint32_t index, int fd, enum supervisor_source source,
	       uint32_t events)
{
	const struct life *life = &supervisor->lives[index];
	struct epoll_event event = {
		.events = events,
		.data.u64 = source_key(source) | (uint64_t)life->generation << 32 | index,
	};

	return epoll_ctl(supervisor->config.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static const char *group_path(const struct supervisor *supervisor, uint32_t index)
{
	return plan_string(supervisor->plan, plan_of(supervisor, index)->cgroup);
}

/* `existed` (may be NULL): it was there already. */
static int make_group(struct supervisor *supervisor, uint32_t index, bool *existed)
{
	struct life *life = &supervisor->lives[index];

	if (supervisor->cgroup_root < 0)
		return -ENOTSUP;
	life->cgroup_fd = cgroup_make(
		supervisor->cgroup_root, group_path(supervisor, index),
		plan_string(supervisor->plan, supervisor->plan->system->controllers), existed);
	life->has_group = life->cgroup_fd >= 0;
	return life->has_group ? 0 : life->cgroup_fd;
}

int life_open_group(struct supervisor *supervisor, uint32_t index)
{
	return make_group(supervisor, index, NULL);
}

int life_group(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];

	if (!life->has_group)
		return -ENOENT;
	if (life->cgroup_fd < 0)
		life->cgroup_fd = openat(supervisor->cgroup_root, group_path(supervisor, index),
					 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return life->cgroup_fd < 0 ? -errno : life->cgroup_fd;
}

static void close_group(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];

	fd_close(&life->cgroup_fd);
	life->has_group = false;
}

/* Watched before it is read: what changes in between is told. */
static int watch_group(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];
	int group = life_group(supervisor, index);
	owned_fd int fd = group < 0 ? group : cgroup_open_events(group);
	int error = fd < 0 ? fd : life_watch(supervisor, index, fd, SOURCE_GROUP, EPOLLPRI);

	if (error == 0)
		life->events_fd = fd_take(&fd);
	return error;
}

bool life_is_populated(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];

	if (plan_of(supervisor, index)->kill != PLAN_KILL_CGROUP || !life->has_group)
		return false;
	int error = life->events_fd < 0 ? watch_group(supervisor, index) : 0;

	if (error == -ENOENT || error == -ENODEV) /* somebody removed it, so it was empty */
		return false;
	if (error != 0) { /* no descriptor or memory just now: nobody would tell that it is empty */
		life->look_ns = clock_boottime_ns() + LOOK_AGAIN_NS;
		if (supervisor->due_ns[index] > life->look_ns)
			supervisor->due_ns[index] = life->look_ns;
		return true;
	}
	return cgroup_populated(life->events_fd) == 1;
}

/* What an earlier life left in its group is killed; -EAGAIN until the group is gone. */
static int remove_old_group(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];
	int error;

	error = cgroup_remove(supervisor->cgroup_root, group_path(supervisor, index));
	if (error != -EBUSY)
		return error;
	if (life->room_waits++ == 0)
		log_warning(
			"service: %s: processes of an earlier life are in its way: killing them",
			state_of(supervisor, index)->name);
	error = life_open_group(supervisor, index);
	if (error == 0 && life_is_populated(supervisor, index))
		error = cgroup_kill(life->cgroup_fd);
	return error == 0 ? -EAGAIN : error;
}

/* The policy's device program, if it has one and is not just learning: the first start loads it. */
static int attach_devices(const struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *service = plan_of(supervisor, index);
	const struct plan_policy *policy = service->policy == PLAN_NONE
						   ? NULL
						   : plan_policy(supervisor->plan, service->policy);

	if (!policy || policy->device_program.size_bytes == 0 || policy->mode != PLAN_MODE_ENFORCE)
		return 0;

	int *program = &supervisor->device_programs[service->policy];

	if (*program <= 0)
		*program = cgroup_load_devices(plan_bytes(supervisor->plan, policy->device_program),
					       policy->device_program.size_bytes);
	return *program < 0 ? *program
			    : cgroup_attach_devices(supervisor->lives[index].cgroup_fd, *program);
}

int life_make_group(struct supervisor *supervisor, uint32_t index, enum confine_step *step)
{
	const struct plan_service *service = plan_of(supervisor, index);
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];
	bool existed = false;
	int error;

	*step = CONFINE_CGROUP;
	life_unwatch(supervisor, &life->events_fd);
	close_group(supervisor, index);
	error = make_group(supervisor, index, &existed);
	if (error == 0 && existed && service->kill == PLAN_KILL_CGROUP) {
		close_group(supervisor, index);
		error = remove_old_group(supervisor, index);
		if (error == 0)
			error = make_group(supervisor, index, NULL);
	}
	if (error != 0)
		return error;
	state->oom_kills_before = 0;
	if (service->kill != PLAN_KILL_CGROUP) /* else the group is new, and so are its counters */
		(void)cgroup_oom_kills(life->cgroup_fd, &state->oom_kills_before);
	if (service->flags & PLAN_SERVICE_DELEGATE)
		error = cgroup_delegate(life->cgroup_fd, service->uid, service->gid);
	if (error == 0)
		error = cgroup_apply(supervisor->plan, service, life->cgroup_fd);
	if (error != 0)
		return error;
	*step = CONFINE_DEVICES;
	error = attach_devices(supervisor, index);
	/* Not before: what is tried again must not find a group without its limits and its guard. */
	if (error == 0)
		life->group_killed = false;
	return error;
}

static int renew_group(struct supervisor *supervisor, uint32_t index)
{
	enum confine_step step;

	if (life_is_populated(supervisor, index))
		return -EAGAIN;
	return life_make_group(supervisor, index, &step);
}

int life_kill_group(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];
	int group = life_group(supervisor, index);

	if (!life->has_group)
		return -ESRCH;
	if (group < 0)
		return group;
	life->group_killed = true;
	return cgroup_kill(group);
}

static int spawn_into_leaf(struct supervisor *supervisor, uint32_t index,
			   struct spawn_request *request, struct spawned *spawned)
{
	owned_fd int leaf = cgroup_make(life_group(supervisor, index), LIFE_LEAF, "", NULL);

	if (leaf < 0)
		return leaf;
	request->cgroup_fd = leaf;
	return spawn(request, spawned);
}

int life_spawn(struct supervisor *supervisor, uint32_t index, struct spawn_request *request,
	       bool is_command, struct spawned *spawned)
{
	struct life *life = &supervisor->lives[index];

	if (life->group_killed) {
		int renewed = renew_group(supervisor, index);

		if (renewed != 0)
			return renewed;
	}
	request->cgroup_fd = life_group(supervisor, index);
	if (request->cgroup_fd < 0)
		return request->cgroup_fd;
	bool leaf = is_command && plan_of(supervisor, index)->flags & PLAN_SERVICE_DELEGATE;
	int error = leaf ? -EBUSY : spawn(request, spawned);

	if (error == -EBUSY)
		error = spawn_into_leaf(supervisor, index, request, spawned);
	fd_close(&life->cgroup_fd);
	return error;
}
