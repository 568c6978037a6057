/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hearing what filters deny: PID 1 is one of any number of readers of the kernel's audit records
 * (netlink(7), NETLINK_AUDIT, group AUDIT_NLGRP_READLOG; audit(8) needs neither to run nor to be
 * away). That takes CAP_AUDIT_READ and the first network namespace: in a container nothing is heard,
 * and `keelctl policy report` says so.
 *
 * The kernel writes a record for SECCOMP_RET_LOG and for what kills, and for an errno when the filter
 * was installed with SECCOMP_FILTER_FLAG_LOG and kernel.seccomp.actions_logged names it. It does so
 * without auditd, and without `audit=1`; `audit=0` on the kernel's command line turns it off. Who is
 * denied waits while 64 records are under way (audit_backlog_limit), so a process that does nothing
 * else is slowed down and nothing is lost there. What is lost is what PID 1 takes too late: the
 * socket holds AUDIT_BUFFER_BYTES, PID 1 takes AUDIT_TURN records in one turn, and losses are counted
 * (calls.h).
 *
 * Whose call it was: a service's by the pid of its main process or command, or by the group of the
 * process when the record arrives (cgroup_of_process()); the runtime's, marked WORLD_CALL_POD, when
 * that is the pods' group or one that is nobody's, for what the runtime started lives under its filter
 * (owner_of_filter()). Records are heard before the dead are reaped, so an orphan's group is still
 * known. A process that somebody else reaped before its record arrived belongs to nobody known, unless
 * PID 1 reaped it itself not long ago: the record has nothing that its service could be known by (the
 * login id and session that children inherit are not PID 1's to set: pam_loginuid(8) in a pod would
 * fail then). While the node learns (learn.h) such a call is known to its service all the same.
 */
#ifndef KEELSON_AUDIT_H
#define KEELSON_AUDIT_H

#include "svc/supervisor_state.h"

#define AUDIT_BUFFER_BYTES (4 << 20)
#define AUDIT_TURN 64

/* Once, and after each re-exec: world->calls.fd is kept. What cannot be opened is told once. */
void audit_open(struct supervisor *supervisor);

/* Take what arrived, as much as a turn allows; epoll tells again if there is more. */
void audit_hear(struct supervisor *supervisor);

/* `pid`, which is about to be reaped, was `owner`'s (a service's index, or that of its command). */
void audit_reaped(struct supervisor *supervisor, int pid, uint32_t service);

#endif
