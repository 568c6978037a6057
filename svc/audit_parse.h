/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel tells of a system call that a seccomp filter did not just allow: the audit record
 * AUDIT_SECCOMP (1326), in the text that audit_seccomp() of kernel/auditsc.c writes:
 *
 *     audit(1795982409.407:2): auid=4294967295 uid=0 gid=0 ses=4294967295 subj=unconfined pid=80
 *     comm="init" exe="/init" sig=0 arch=c000003e syscall=83 compat=0 ip=0x43b0f9 code=0x50000
 *
 * Values that a process chose (comm, exe) are in double quotes, or hexadecimal without quotes when
 * they hold a quote, a blank or a byte that cannot be printed, so a process cannot write a key of its
 * own into a record (audit_log_n_untrustedstring()). Pure.
 */
#ifndef KEELSON_AUDIT_PARSE_H
#define KEELSON_AUDIT_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_COMM_BYTES 16u /* TASK_COMM_LEN */

struct audit_record {
	uint64_t serial;
	int32_t pid; /* the process, not the thread, in the first pid namespace */
	uint32_t arch;
	uint32_t syscall;            /* as the program called it: with the bit of x32 */
	uint32_t action;             /* SECCOMP_RET_*, without its data */
	char comm[AUDIT_COMM_BYTES]; /* of the thread; NUL-terminated, what is not printable as '?' */
};

/* The serial number of any record: "audit(SECONDS.MS:SERIAL)". 0 or -EBADMSG. */
int audit_parse_serial(const char *text, size_t size, uint64_t *serial);

/* `size` bytes of a seccomp record. 0, or -EBADMSG: it is none, or something in it is missing. */
int audit_parse_seccomp(const char *text, size_t size, struct audit_record *record);

#endif
