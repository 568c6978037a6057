/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process at the other end of a control connection may ask.
 *
 * Everything on a node runs as uid 0, kubelet and many pods too, so the uid alone would let a service
 * that may not call reboot(2) ask PID 1 for it. The rule is the kernel's own for ptrace(2)
 * (cap_ptrace_access_check() in security/commoncap.c): to act through PID 1 a process must be in
 * PID 1's user namespace and have every capability that PID 1 has. A service with a policy that
 * drops one, and everything below it, can look but not change; a root shell, and a service without
 * a policy, can do both.
 *
 * The spec may say otherwise of a service, by its policy: `control: allow` lets it change things
 * whatever it lacks, and without it a service with a policy can only look, even if that drops nothing.
 * A process of a pod is told nothing. Whose a process is its cgroup says (owner.h).
 *
 * The kernel's account is taken: SO_PEERCRED (unix(7)) of the time of connect(2), capget(2) of that
 * process, and the identity of its user namespace (namespaces(7)). What cannot be found out is no
 * right: so is a process that is gone, which SO_PEERPIDFD tells (Linux 6.5); before that another one
 * may have got its number since it connected. A process of an outer pid namespace, which has no number here, is nobody that PID 1
 * started.
 */
#ifndef KEELSON_PEER_H
#define KEELSON_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "svc/owner.h"

enum peer_rights {
	PEER_NOTHING,
	PEER_LOOK,  /* root */
	PEER_CHANGE /* ... and PID 1's equal */
};

/* Who asks, as far as it matters. Pure input of peer_judge(). */
struct peer {
	uint32_t uid;
	int32_t pid; /* 0: of an outer pid namespace */
	bool same_user_namespace;
	uint64_t capabilities; /* permitted */
	enum owner_kind owner;
};

/* `own`: the capabilities that PID 1 has (permitted). */
enum peer_rights peer_judge(const struct peer *peer, uint64_t own);

/* The rights of the peer of the connected socket `fd`. `plan`: whose groups there are. */
enum peer_rights peer_rights(const struct plan *plan, int fd);

#endif
