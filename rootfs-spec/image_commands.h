/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `keelson` that work on a built image, as main() calls them; argv[0] is the
 * command. Exit status 0; 1 when something is wrong or failed; 2 when the command line is wrong.
 */
#ifndef KEELSON_IMAGE_COMMANDS_H
#define KEELSON_IMAGE_COMMANDS_H

int bundle_command(int argc, char **argv);
int key_command(int argc, char **argv);
int sign_command(int argc, char **argv);
int verify_command(int argc, char **argv);

#endif
