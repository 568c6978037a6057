/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault injection: places where a test makes PID 1 crash. Only in builds with
 * -Dfault_injection=true; in what ships the macro is nothing.
 *
 * A test writes the name of a point to FAULT_POINT_FILE: the next time PID 1 passes it, it removes
 * the file and writes to address 0. "NAME:3" lets it pass twice before; "NAME:*" keeps the file, so
 * that it crashes each time. A name is "where: what just happened", such as "spawn: cloned".
 */
#ifndef KEELSON_FAULT_POINT_H
#define KEELSON_FAULT_POINT_H

#define FAULT_POINT_FILE "/run/keelson-fault"

#ifdef KEELSON_FAULT_INJECTION
void fault_point_passed(const char *name);
#define fault_point(name) fault_point_passed(name)
#else
#define fault_point(name) ((void)0)
#endif

#endif
