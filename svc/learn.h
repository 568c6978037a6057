/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning: which system calls the services of a node make, and which capabilities the kernel asks
 * them for, so that a policy can be written that holds just these.
 *
 * A filter tells what it does not let through (audit.h), never what it lets. A log line for every
 * call is no way either: the kernel keeps 64 records and makes who calls wait. So the counting is
 * done where the calls are: five small BPF programs (learn_program.h) on
 *
 *   raw_syscalls:sys_enter   a call that its filter let through begins: counted by service, kind of
 *                            program and number
 *   cap_capable() returns    the one function that decides about capabilities: counted by service,
 *                            capability, answer, and whether the kernel meant it as a check or as a
 *                            hint (CAP_OPT_NOAUDIT)
 *   audit_seccomp() begins   a filter denied or logged a call that its policy wants in the log: what PID
 *                            1 hears of as well (audit.h), but here the process is still there, so that
 *                            of one that lives for a millisecond it is known whose it was
 *   cgroup:cgroup_mkdir,     a service's group is made anew each time it starts: which number is
 *   cgroup:cgroup_rmdir      whose follows the groups
 *
 * Why not histograms of tracefs (events/raw_syscalls/sys_enter/trigger), which count without loss as
 * well: their key is a process that may be gone when they are read, and not the group that it was in;
 * they do not tell calls of a 32-bit program from those of a 64-bit one; and they count what PID 1's
 * child does before its program begins as the service's. Why not a kprobe event on cap_capable(): the
 * question and the answer are two events there, here they are one. What the kernel has that is needed
 * is CONFIG_DEBUG_INFO_BTF, CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS, and for what is attached to a
 * function CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, all of which Debian's kernels have.
 *
 * Whose a call is: the service's in whose group the process is at that moment, so nothing is missed
 * of a process that lives for a millisecond. What happens in the group of pods, or in a group that is
 * nobody's (where containerd puts its shims), is the runtime's and kept apart, whether it has a policy
 * or not: one that it gets is over them as well. PID 1's own children do not count until they execute:
 * whoever still runs PID 1's program and is its child is on its way to be a service.
 *
 * keelson-learn starts it and ends: programs and tables stay as files below LEARN_DIRECTORY, and
 * `keelctl policy report` reads them. PID 1 has no part in it. keelson-learn is a program of its own so
 * that an image without it does not learn by itself: only the profile `debug` has it. It takes nothing
 * away and gives nothing: every policy holds as before, and each call costs more.
 *
 * This header is what keelson-learn and keelctl share: the tables. All values are in the order of
 * bytes of the machine.
 */
#ifndef KEELSON_LEARN_H
#define KEELSON_LEARN_H

#include <stdint.h>

#define LEARN_PROGRAM "/usr/lib/keelson/keelson-learn"
#define LEARN_DIRECTORY "/sys/fs/bpf/keelson-learn"

/*
 * A slot is whose something is: 2 * the service's index for what is in its own group, 1 more for
 * what it started elsewhere: shims and pods, over which its filter is.
 */
#define LEARN_NOBODY UINT32_MAX

static inline uint32_t learn_slot(uint32_t service, uint32_t elsewhere)
{
	return 2 * service + elsewhere;
}

/* LEARN_DIRECTORY/calls and /filtered, arrays of uint64_t: how often. */
enum learn_kind { LEARN_X86_64, LEARN_I386, LEARN_X32, LEARN_KINDS };
#define LEARN_NUMBERS 640u /* of each kind; the x32 ones are without their bit */
#define LEARN_CALLS (LEARN_KINDS * LEARN_NUMBERS) /* of a slot */

static inline uint32_t learn_call(uint32_t slot, uint32_t kind, uint32_t number)
{
	return slot * LEARN_CALLS + kind * LEARN_NUMBERS + number;
}

/* LEARN_DIRECTORY/capabilities, an array of uint64_t: how often. */
#define LEARN_CAPABILITIES 64u
#define LEARN_REFUSED 1u /* or'ed: the process did not have it */
#define LEARN_HINT 2u    /* or'ed: CAP_OPT_NOAUDIT */
#define LEARN_ANSWERS 4u

static inline uint32_t learn_capability(uint32_t slot, uint32_t capability, uint32_t answer)
{
	return (slot * LEARN_CAPABILITIES + capability) * LEARN_ANSWERS + answer;
}

/* LEARN_DIRECTORY/services, an array of names by index. */
#define LEARN_NAME_BYTES 64u

/* LEARN_DIRECTORY/facts, an array of uint64_t. */
enum learn_fact {
	LEARN_FACT_STARTED_NS,   /* CLOCK_BOOTTIME */
	LEARN_FACT_SERVICES,     /* how many */
	LEARN_FACT_CAPABILITIES, /* 1: they are counted, too */
	LEARN_FACT_FILTERED,     /* 1: so are calls that filters did not just allow */
	LEARN_FACT_BEYOND,       /* calls with a number that no table has */
	LEARN_FACT_NO_ROOM, /* groups that found no room: what is done in them is not counted */
	LEARN_FACT_MISSED,  /* times that a program could not run, until learning was stopped ... */
#define LEARN_MISSED_UNKNOWN UINT64_MAX /* ... which nobody could tell then */
	LEARN_FACT_RUNTIME, /* 1 + the service that runs pods; 0: none (owner_runtime()) */
	LEARN_FACTS
};

/* The programs. Attached, each is LEARN_DIRECTORY/NAME (learn_kept.h); gone when learning was stopped. */
enum learn_which {
	LEARN_MKDIR,
	LEARN_RMDIR,
	LEARN_ENTER, /* attached last and taken away first: it learns while this one is there */
	LEARN_FILTERED,
	LEARN_CAPABLE,
	LEARN_PROGRAMS
};

#endif
