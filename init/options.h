/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of keelson-init (keelson-init(8)). */
#ifndef KEELSON_OPTIONS_H
#define KEELSON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	const char *plan; /* --plan=PATH: the node plan; NULL: PLAN_NODE_PATH */
	bool container;   /* --container: PID 1 of a namespace; end by exit(2), never reboot(2) */
	int record;       /* --record=N: descriptor of the boot record, -1: none */
	int watchdog;     /* --watchdog=N: descriptor of the armed watchdog, -1: none */
	int world;        /* --world=N: descriptor of the world of the execution before, -1: none */
	const char *
		again; /* --again=TEXT: why this is another execution (survive.h); NULL: it is not */
	uint32_t crash_period_s; /* --crash-period=SECONDS; UINT32_MAX: not given */
	bool version;            /* --version */
	const char *unknown;     /* the first argument that is none of these, or NULL */
};

/*
 * Pure. An unknown argument is no error for PID 1: the kernel hands words of its command line that
 * it does not know to init.
 */
void options_parse(int argc, char **argv, struct options *options);

/*
 * PID 1 of a machine: what the kernel's command line may hold after `--`, for a person or by mistake,
 * must not make it somebody else's init, nor end it.
 */
void options_of_machine(struct options *options);

#endif
