/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of keelson-init (keelson-init(8)). */
#ifndef KEELSON_OPTIONS_H
#define KEELSON_OPTIONS_H

#include <stdbool.h>

struct options {
	const char *plan; /* --plan=PATH: the node plan; NULL: PLAN_NODE_PATH */
	bool container;   /* --container: PID 1 of a namespace; end by exit(2), never reboot(2) */
	int record;       /* --record=N: descriptor of the boot record, -1: none */
	int watchdog;     /* --watchdog=N: descriptor of the armed watchdog, -1: none */
	bool version;     /* --version */
	const char *unknown; /* the first argument that is none of these, or NULL */
};

/*
 * Pure. An unknown argument is no error for PID 1: the kernel hands words of its command line that
 * it does not know to init.
 */
void options_parse(int argc, char **argv, struct options *options);

#endif
