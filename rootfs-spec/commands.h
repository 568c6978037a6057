/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `keelson` that read specs and plans, as main() calls them: argv[0] is the
 * command. Exit status 0; 1 when the spec or the plan is wrong; 2 when the command line is.
 */
#ifndef KEELSON_COMMANDS_H
#define KEELSON_COMMANDS_H

enum { COMMAND_OK = 0, COMMAND_WRONG = 1, COMMAND_USAGE = 2 };

int command_check(int argc, char **argv);
int command_compile(int argc, char **argv);
int command_show(int argc, char **argv);
int command_policy(int argc, char **argv);

#endif
