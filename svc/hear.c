/* SPDX-License-Identifier: Apache-2.0 */
/* sd_notify(3): who sent a message, and what follows from it (notify.h). */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "svc/cgroup.h"
#include "svc/fault_point.h"
#include "svc/log.h"
#include "svc/notify.h"
#include "svc/supervisor_state.h"

/* Pieces of messages taken in one turn, so that a flood does not keep the rest
 * waiting. */
#define HEAR_TURN 64

/*
 * So many messages may be queued (net.unix.max_dgram_qlen is 10 by default and 512 where it was raised
 * as systemd does), each of any number of pieces: having taken them, PID 1 has heard all that was said
 * before.
 */
#define HEAR_QUEUE 513
/* A message with descriptors takes a child and its time: then it is reaped all the same. */
#define HEAR_DRAIN_NS 100000000ull

/* What cannot be taken now is tried again so much later. */
#define HEAR_AGAIN_NS 50000000ull

/* The service whose main process `pid` is: no file is read for it. */
static uint32_t find_main(struct supervisor *supervisor, int pid)
{
	uint32_t index = life_of_pid(supervisor, pid);

	return index != PLAN_NONE && state_of(supervisor, index)->pid == pid ? index : PLAN_NONE;
}

/* The active service that hears everybody of its cgroup, where `pid` is one. */
static uint32_t find_member(struct supervisor *supervisor, int pid)
{
	char path[CGROUP_PATH_BYTES];

	if (!supervisor->hears_members || cgroup_of_process(pid, path) != 0)
		return PLAN_NONE;
	for (uint32_t i = 0; i < supervisor->world->service_count; i++) {
		const struct plan_service *service = plan_of(supervisor, i);

		if (service->flags & PLAN_SERVICE_NOTIFY_ALL &&
		    service_is_active(state_of(supervisor, i)->state) &&
		    cgroup_contains(plan_string(supervisor->plan, service->cgroup), path))
			return i;
	}
	return PLAN_NONE;
}

static void hear_ready(struct supervisor *supervisor, uint32_t index)
{
	const struct world_service *state = state_of(supervisor, index);

	if (state->flags & SERVICE_MARK_RELOADING) {
		life_reloaded(supervisor, index);
	} else if (state->state == SERVICE_STARTING) {
		ready_met(&supervisor->probes, index, PLAN_PROBE_NOTIFY, clock_boottime_ns());
		life_touch(supervisor, index);
		life_check_ready(supervisor, index);
	}
}

/* Who is the main process first, then what it says, the state last. */
static void act(struct supervisor *supervisor, uint32_t index, const struct notify_message *message)
{
	struct world_service *state = state_of(supervisor, index);
	uint32_t keys = message->keys;

	if (keys & NOTIFY_MAINPID)
		life_main_pid(supervisor, index, message->main_pid);
	if (keys & NOTIFY_STATUS)
		memcpy(state->status, message->status, sizeof state->status);
	if (keys & NOTIFY_ERRNO)
		state->notify_errno = message->error;
	if (keys & NOTIFY_EXTEND)
		life_extend(supervisor, index, message->extend_us);
	if (keys & NOTIFY_WATCHDOG_USEC)
		life_watchdog_period(supervisor, index, message->watchdog_us);
	if (keys & NOTIFY_WATCHDOG)
		life_fed(supervisor, index);
	if (keys & NOTIFY_READY)
		hear_ready(supervisor, index);
	if (keys & NOTIFY_RELOADING)
		life_reloading(supervisor, index,
			       keys & NOTIFY_MONOTONIC ? message->monotonic_us : 0);
	if (keys & NOTIFY_STOPPING)
		life_says_stopping(supervisor, index);
	if (keys & NOTIFY_TRIGGER && state->state == SERVICE_UP)
		life_sick(supervisor, index, WORLD_REASON_WATCHDOG);
}

static void take_message(struct supervisor *supervisor, const struct notify_message *message,
			 int pid)
{
	if (message->keys == 0 || message->keys == NOTIFY_BARRIER || pid <= 0)
		return;
	uint32_t index = find_main(supervisor, pid);

	if (index == PLAN_NONE)
		index = find_member(supervisor, pid);
	if (index == PLAN_NONE)
		log_debug("notify: a message from pid %d, which speaks for no service", pid);
	else
		act(supervisor, index, message);
}

/* Whether epoll tells of messages. */
static void listen_for(struct supervisor *supervisor, bool on)
{
	struct epoll_event event = {.events = on ? EPOLLIN : 0,
				    .data.u64 = source_key(SOURCE_NOTIFY)};

	if (epoll_ctl(supervisor->config.epoll_fd, EPOLL_CTL_MOD, supervisor->world->notify_fd,
		      &event) < 0)
		log_error("notify: epoll: %s", log_errno(errno));
}

/* The first message cannot be taken now: it is looked at again, and epoll is silent until then. */
static void hear_later(struct supervisor *supervisor, int error)
{
	if (supervisor->hear_again_ns == 0)
		listen_for(supervisor, false);
	if (error != -EINPROGRESS && !supervisor->hear_failed)
		log_error("notify: descriptors that were sent cannot be dropped: %s",
			  error == -EBUSY ? "too many children hang" : log_errno(error));
	supervisor->hear_failed = error != -EINPROGRESS;
	supervisor->hear_again_ns = clock_after_ns(clock_boottime_ns(), HEAR_AGAIN_NS);
}

static void hear_now(struct supervisor *supervisor)
{
	supervisor->hear_failed = false;
	if (supervisor->hear_again_ns != 0)
		listen_for(supervisor, true);
	supervisor->hear_again_ns = 0;
}

/* One message; how many pieces it was, 0: there is none, or it can only be taken later. */
static int hear_one(struct supervisor *supervisor)
{
	struct notify_message message;
	int pid, pieces;

	if (supervisor->world->notify_fd < 0)
		return 0;
	pieces = notify_receive(supervisor->world->notify_fd, &message, &pid);
	if (pieces < 0) {
		hear_later(supervisor, pieces);
		return 0;
	}
	hear_now(supervisor);
	if (pieces == 0)
		return 0;
	fault_point("notify: message");
	take_message(supervisor, &message, pid);
	return pieces;
}

void hear_messages(struct supervisor *supervisor)
{
	for (int budget = HEAR_TURN; budget > 0;) {
		int pieces = hear_one(supervisor);

		if (pieces == 0)
			return;
		budget -= pieces;
	}
}

void hear_before_reaping(struct supervisor *supervisor)
{
	if (supervisor->hear_again_ns != 0 && !supervisor->hear_failed)
		hear_messages(supervisor);
	uint64_t end_ns = clock_after_ns(clock_boottime_ns(), HEAR_DRAIN_NS);

	for (int i = 0; i < HEAR_QUEUE && supervisor->hear_again_ns == 0; i++)
		if (hear_one(supervisor) == 0 || clock_boottime_ns() > end_ns)
			return;
}

void hear_tick(struct supervisor *supervisor, uint64_t now_ns)
{
	if (supervisor->hear_again_ns != 0 && supervisor->hear_again_ns <= now_ns)
		hear_messages(supervisor);
}
