/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a system call takes, for conditions on its arguments. A filter sees registers: it cannot
 * follow a pointer, and of an `int` the kernel looks at 32 bits where the filter sees 64.
 */
#ifndef KEELSON_CALL_ARGUMENTS_H
#define KEELSON_CALL_ARGUMENTS_H

#include <stdbool.h>

/*
 * A letter for each argument: 'i' 32 bits, 'l' as wide as a register, 'o' 64 bits, which an i386
 * program gives in two registers, 'p' a pointer. NULL: not known.
 */
const char *call_arguments(const char *name);

/*
 * Can an i386 program make the call so that a filter does not see its arguments? Through
 * socketcall(2) and ipc(2), or because its old form takes a pointer to them (mmap(2), select(2)).
 */
bool call_is_hidden(const char *name);

#endif
