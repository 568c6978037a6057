/* SPDX-License-Identifier: Apache-2.0 */
/* What of the kernel a service has for itself: its keyring and its namespaces. */
#include <asm/unistd.h>
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <sys/socket.h>

#include "svc/confine_steps.h"
#include "svc/raw.h"
#include "svc/sandbox.h"

/*
 * Of those that a child makes for itself. A pid namespace is made by the clone; a mount namespace is
 * each process's own, its main process's and its commands', as it always was.
 */
#define JOINED (CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP)

/* A keyring without a name, which the program may use as it likes; PID 1's is shared by nobody. */
long confine_keyring(struct confine_child *child)
{
	const struct plan_policy *policy = confine_policy(child);

	if (!policy || !(policy->flags & PLAN_POLICY_KEYRING))
		return 0;
	return raw_syscall2(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0);
}

/* A network namespace begins with `lo`, and that down (netdevice(7)). */
static long raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	long fd = raw_syscall3(__NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	request.ifr_flags = IFF_UP;
	long error = raw_syscall3(__NR_ioctl, fd, SIOCSIFFLAGS, (long)&request);

	raw_syscall1(__NR_close, fd);
	return error;
}

long confine_namespaces(struct confine_child *child)
{
	const struct plan_policy *policy = confine_policy(child);
	long own = policy ? (long)policy->namespaces & JOINED : 0;
	long error = 0;

	if (own != 0 && child->join_fd >= 0)
		error = raw_syscall2(__NR_setns, child->join_fd, own);
	else if (own != 0)
		error = raw_syscall1(__NR_unshare, own);
	if (error >= 0 && own & CLONE_NEWNET && child->join_fd < 0)
		error = raise_loopback();
	if (error < 0)
		return error;
	return sandbox_begin(&child->sandbox, child->plan, child->service);
}

long confine_sources(struct confine_child *child)
{
	return sandbox_sources(&child->sandbox, &child->item);
}

long confine_proc(struct confine_child *child)
{
	return sandbox_proc(&child->sandbox);
}

long confine_dev(struct confine_child *child)
{
	return sandbox_dev(&child->sandbox);
}

long confine_sandbox(struct confine_child *child)
{
	return sandbox_enter(&child->sandbox, &child->item);
}
