/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node: what PID 1 in the slot's root holds on to. One process, one node, so there is one of
 * it. What would have to survive a re-exec of PID 1 is not here but in the world, in the boot
 * record (whose memfd stays open) or in the kernel.
 */
#ifndef KEELSON_INIT_NODE_H
#define KEELSON_INIT_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "init/options.h"
#include "init/record.h"
#include "init/shutdown.h"
#include "rootfs-spec/plan.h"
#include "svc/control.h"
#include "svc/supervisor.h"
#include "svc/world.h"

enum node_phase { NODE_BOOTING, NODE_RUNNING, NODE_STOPPING }; /* world->phase */

/*
 * How keelson-init --container ends; on a machine it never does. A critical service that failed
 * gives the status instead: shutdown_exit_status().
 */
enum node_exit {
	NODE_EXIT_ASKED = 0,
	NODE_EXIT_BOOT = 125,  /* a phase before services failed */
	NODE_EXIT_CRASH = 126, /* PID 1 crashed, too often or where nothing could go on */
	NODE_EXIT_REBOOT = 133 /* asked to reboot, and not allowed to say so by reboot(2) */
};

#define NODE_RUNTIME_DIRECTORY "/run/keelson"

struct node {
	struct options options;
	struct plan plan;
	struct world *world;
	int world_fd;
	const struct record *record; /* NULL: not booted from a slot. Only what precedes its timeline
					is mapped */
	struct supervisor *supervisor;
	int epoll_fd;
	int signal_fd;
	const char *cgroup_root;
	bool cgroups_foreign; /* a container that was shown the machine's: nothing is killed by group */
	bool children_ended; /* some may be left to reap */
	bool reexec_asked;   /* by a person: at the end of the turn */
	bool trace;
	uint64_t taken_over_ns; /* when this program began */
	uint64_t fed_ns;        /* watchdog */
};

extern struct node node;

/* The timeline, once there is a world; else NULL. */
extern struct timeline *node_timeline;

/*
 * From now on signals wait until the loop reads them: one that asks for the end is not lost while
 * the phases run, as PID 1 ignores what it does not handle (signal(7)).
 */
void node_hold_signals(void);

/*
 * PID 1 of the machine itself, whatever its arguments say: reboot(2) refuses ctrl-alt-del to any
 * other pid namespace (and it is told here that it is not to reset the machine, either way).
 */
bool node_is_machine(void);

struct survive_again;

/* A crash ends the node in order from now on, or, when there is a supervisor, is survived. */
void node_survive(const char *program);
void node_survive_again(const char *program, const struct survive_again *again);

/* The path of the plan. */
const char *node_plan_path(void);

/*
 * Check the boot record that node.options.record holds and keep what precedes its timeline mapped.
 * 0 or negative errno.
 */
int node_take_record(void);

/* Where the cgroup tree is, and whose it is. */
void node_find_cgroups(void);

/* ---- phases of the slot's PID 1, in the order of main.c ---- */

int node_log(void);     /* where log lines go; keelson.log= and the record's words */
int node_plan(void);    /* map and verify the node plan, make the world, take the record over */
int node_modules(void); /* in the plan's order, all from the root itself */
int node_mounts(void);  /* root shared, then the plan's mounts in order */
int node_sysctls(void);
int node_paths(void);      /* directories, links, files and copies */
int node_host(void);       /* name, machine id, loopback, clock, limits */
int node_supervisor(void); /* cgroups, sockets, event loop: the last memory is allocated here */
int node_services(void);   /* start what the boot wants */

/* A phase failed: the reason into the slot's marks, a rescue shell if the plan has one, reboot. */
_Noreturn void node_boot_failed(void);

#endif
