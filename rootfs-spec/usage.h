/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command line that cannot be meant: what is wrong with it, on standard error, and where to read
 * on; not the whole help, in which one line would be lost. Each returns the exit status.
 */
#ifndef KEELSON_USAGE_H
#define KEELSON_USAGE_H

#include <getopt.h>

#define USAGE_STATUS 2

/* "keelson COMMAND: ..." */
int usage_wrong(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * For what getopt_long(3) answered with '?' or ':'; opterr must be 0 and its short options begin
 * with ':'. argv[0] is the command.
 */
int usage_option(int code, char **argv, const struct option *options);

/* Exactly one operand behind the options; 0, or the exit status. `what` names it: "SPEC". */
int usage_operand(int argc, char **argv, const char *what);

#endif
