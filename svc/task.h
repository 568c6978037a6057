/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands beside a service: its hooks, its reload, the commands of its probes. Each is a child of
 * PID 1 in the service's cgroup, confined as the service is, with a deadline; it is killed through
 * its pidfd when that passes. Its state is a struct world_task; whoever started it learns its end.
 *
 *     task i                    a hook or the reload of service i (one at a time)
 *     task service_count + p    the command of probe p
 *
 * A command has the service's environment and MAINPID= of its main process; its output goes where
 * the service's does, but for a terminal, which it does not get. It does not outlive the service:
 * what still runs when a life is over is killed and forgotten.
 *
 * An end that is dropped, or that comes after a re-exec has lost its pipe, lacks nothing but the
 * name of a step that failed.
 */
#ifndef KEELSON_TASK_H
#define KEELSON_TASK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "svc/world.h"

struct supervisor;

/* What the supervisor has of a task beyond what the world remembers. */
struct task_life {
	uint32_t service; /* index: whose it is */
	int report_fd;    /* read end; -1: none */
};

/* The task of service `service`'s hooks and reload, and of the command of probe `probe`. */
static inline uint32_t task_of_service(uint32_t service)
{
	return service;
}

static inline uint32_t task_of_probe(const struct world *world, uint32_t probe)
{
	return world->service_count + probe;
}

/* Once, before any other function: nothing runs. */
void task_init(struct supervisor *supervisor);

/*
 * Run `command`, an index into PLAN_COMMANDS, as `task`, until its timeout at the latest. 0; -EBUSY:
 * the task runs already; -ENOTCONN: the service has no cgroup, so nothing can run beside it; another
 * negative errno: no process, transient ones (spawn.h) may succeed a little later.
 */
int task_start(struct supervisor *supervisor, uint32_t task, uint32_t command);

/*
 * Ask in a child, as `task`, what PID 1 must not wait for: the child holds nothing of PID 1's and is
 * in its group; it makes raw system calls only and exits with what `answer` returns for `text`. 0,
 * -EBUSY, or another negative errno, as task_start().
 */
int task_ask(struct supervisor *supervisor, uint32_t task, int (*answer)(const char *text),
	     const char *text, uint64_t timeout_ns);

/* A process of the task runs, or ended and has not been reaped. */
bool task_running(const struct supervisor *supervisor, uint32_t task);

/* Send it a signal. Its end is told as usual. */
void task_signal(struct supervisor *supervisor, uint32_t task, int number);

/* Kill it if it runs, and forget it: nobody learns its end, the task may be started again at once. */
void task_drop(struct supervisor *supervisor, uint32_t task);

/* Drop everything that runs beside `service`. */
void task_drop_all(struct supervisor *supervisor, uint32_t service);

/*
 * After a re-exec: take up a task whose pid the world still has. 0; -ESRCH: there is no such child
 * any more, and the task is forgotten.
 */
int task_adopt(struct supervisor *supervisor, uint32_t task);

/*
 * The task's process ended as `info` says and is not reaped yet; it is when this returns. Then
 * life_task_ended() or probe_command_ended() (supervisor_state.h) is told.
 */
void task_ended(struct supervisor *supervisor, uint32_t task, const siginfo_t *info);

/* Kill what is late. task_deadline_ns(): when that is due next for the tasks of `service`. */
void task_tick(struct supervisor *supervisor, uint32_t service, uint64_t now_ns);
uint64_t task_deadline_ns(const struct supervisor *supervisor, uint32_t service);

/*
 * How a command ended, as it is told: a world_death whose `error` is negative when no status counts:
 * `step` failed before the execve, or with CONFINE_NONE, -ETIMEDOUT: it took too long.
 */
bool task_succeeded(const struct world_death *death);

#endif
