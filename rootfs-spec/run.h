/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running the programs of the builder's machine: an argument vector, never a shell. The locale is
 * C, the time zone UTC, so that no output depends on who builds.
 */
#ifndef KEELSON_RUN_H
#define KEELSON_RUN_H

#include "rootfs-spec/pool.h"

struct run {
	const char *step;        /* what for: "make the root file system" */
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH and the sbins */
	const char *directory;   /* to run in; NULL: where we are */
	const char *const *environment; /* "NAME=value" beyond what is inherited; NULL: none */
	const void *input;              /* standard input; NULL: empty */
	size_t input_bytes;
	struct bytes *output; /* standard output is appended; NULL: dropped */
	struct bytes *errors; /* with it set, a non-zero exit is not reported but returned as
				  * -ECHILD, and standard error is appended; NULL: reported */
};

/*
 * Run to the end. 0 when the program exited with status 0. Otherwise reports step, program, exit
 * status and the last lines of its standard error, and returns a negative errno (-ENOENT when the
 * program is not installed).
 */
int run(const struct run *run);

/* `first | second`, both to the end. Only `second` may have an output, neither an input. */
int run_pipe(const struct run *first, const struct run *second);

#endif
