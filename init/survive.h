/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How PID 1 outlives its own crash. SIGSEGV, SIGBUS, SIGABRT, SIGILL and SIGFPE are handled on an
 * alternate stack by raw system calls and what was prepared beforehand: PID 1 executes its own
 * program anew (execveat(2) of an O_PATH descriptor), with the world, the boot record and the
 * watchdog kept open, and the new execution takes the services over (resume.h). Their processes,
 * pods and pipes never notice.
 *
 *     crash in the period     what follows
 *     first                   the same world, checked field by field
 *     second                  a fresh world; services are adopted from their cgroups
 *     third                   sync and reboot(2) in timed children, sysrq-b; the slot's try stays
 *                             burned
 *
 * Before there is a supervisor to go on with, and once the end of the node has come to the file
 * systems, a crash is treated like the third. In a container PID 1 exits with NODE_EXIT_CRASH
 * instead of reboot(2).
 *
 * The new execution begins with the signal mask of the handler (execve(2) keeps it): it has to
 * reset that first, a blocked SIGSEGV would make the next one fatal. A SIGSEGV that PID 1 is sent
 * rather than raises (kill(1)) counts the same.
 *
 * Children never run the handler: spawn() has CLONE_CLEAR_SIGHAND, those of mount/child.h reset all
 * handlers first, and for the instructions before that the handler looks whose pid it has.
 *
 * Sources: signal(7), sigaltstack(2), execve(2), execveat(2), pid_namespaces(7).
 */
#ifndef KEELSON_SURVIVE_H
#define KEELSON_SURVIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "svc/control.h"

#define SURVIVE_PERIOD_NS 60000000000ull
#define SURVIVE_CRASHES_MAX 2u /* in a period: one more ends the node */

/* What an execution is told about why it is, and the one before knew: option --again=. */
struct survive_again {
	uint32_t crashes;     /* in a row, each within the period of the one before */
	uint32_t signal;      /* that ended the execution before; 0: it was asked to */
	uint64_t crash_ns;    /* the last crash, CLOCK_BOOTTIME; 0: there was none */
	uint64_t at_ns;       /* when the execution before ended */
	uint64_t address;     /* si_addr of the crash */
	uint64_t instruction; /* where in the program, as an offset that addr2line(1) takes */
	uint32_t sender;      /* the process that sent the signal; 0: it was raised by a fault */
};

#define SURVIVE_AGAIN_BYTES 128

/* Pure: as text, for the argument, and back. False: it is no such text. */
void survive_format(const struct survive_again *again, char text[static SURVIVE_AGAIN_BYTES]);
bool survive_parse(const char *text, struct survive_again *again);

/*
 * Pure: what the execution after a crash at `now_ns` is told, given what this one was. Crashes that
 * are further apart than `period_ns` are each a first one.
 */
struct survive_again survive_next(const struct survive_again *before, uint32_t signal,
				  uint64_t now_ns, uint64_t period_ns);

struct survive_config {
	const char *program; /* argv[0], kept as it is */
	const char *plan;    /* --plan=; NULL: none */
	bool container;
	uint64_t period_ns;
	struct survive_again again; /* what this execution was told */
};

/*
 * Prepare everything and install the handlers: from now on a crash ends the node in order (a line,
 * sync, reboot) instead of a kernel panic. Strings are copied. 0 or negative errno: then a crash is
 * a panic.
 */
int survive_arm(const struct survive_config *config);

/*
 * From now on a crash is survived. `descriptors`: above the highest one that has to be kept. -1:
 * there is no record, no watchdog. -ENOENT: the program cannot be executed again, /proc is missing.
 */
int survive_with(int world_fd, int record_fd, int watchdog_fd, uint32_t descriptors);

/* From now on a crash ends the node by `action`: nothing is left that could go on. */
void survive_final(enum control_power action);

/* Execute the program anew on purpose. Returns only when it failed: negative errno. */
int survive_execute(void);

#endif
