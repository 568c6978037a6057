/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/peer.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "svc/cgroup.h"
#include "svc/fd.h"
#include "svc/format.h"

#define PEER_PIDFD 77 /* SO_PEERPIDFD: Linux 6.5 */

enum peer_rights peer_judge(const struct peer *peer, uint64_t own)
{
	if (peer->uid != 0)
		return PEER_NOTHING;
	if (peer->pid == 0)
		return PEER_CHANGE;
	if (peer->owner == OWNER_POD)
		return PEER_NOTHING;
	if (!peer->same_user_namespace || peer->owner == OWNER_CONFINED)
		return PEER_LOOK;
	return peer->owner == OWNER_ALLOWED || (own & ~peer->capabilities) == 0 ? PEER_CHANGE
										: PEER_LOOK;
}

/* Permitted capabilities of a process, 0 for oneself; false: it is gone. */
static bool permitted(int32_t pid, uint64_t *capabilities)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3,
						  .pid = pid};
	struct __user_cap_data_struct sets[2];

	if (syscall(SYS_capget, &header, sets) < 0)
		return false;
	*capabilities = (uint64_t)sets[1].permitted << 32 | sets[0].permitted;
	return true;
}

static bool in_our_user_namespace(int32_t pid)
{
	struct stat own;
	struct stat other;
	char path[32];

	format_text(path, sizeof path, "/proc/%d/ns/user", (int)pid);
	return stat("/proc/self/ns/user", &own) == 0 && stat(path, &other) == 0 &&
	       own.st_ino == other.st_ino && own.st_dev == other.st_dev;
}

/* The process that connected lives, as far as the kernel can tell: no other one has its number. */
static bool lives(int fd)
{
	int made = -1;
	socklen_t size = sizeof made;

	if (getsockopt(fd, SOL_SOCKET, PEER_PIDFD, &made, &size) < 0)
		return errno == ENOPROTOOPT;
	owned_fd int pidfd = made;

	return syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0;
}

/* Of a process that lives after all of it was read. */
static bool read_peer(const struct plan *plan, int fd, struct peer *peer)
{
	char group[CGROUP_PATH_BYTES];

	if (!permitted(peer->pid, &peer->capabilities))
		return false;
	/* After its capabilities: unshare(2) gives it all of them, and no way back to our namespace. */
	peer->same_user_namespace = in_our_user_namespace(peer->pid);
	if (cgroup_of_process(peer->pid, group) != 0)
		return false;
	peer->owner = owner_kind_of_group(plan, group);
	return lives(fd);
}

enum peer_rights peer_rights(const struct plan *plan, int fd)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;
	uint64_t own = UINT64_MAX;
	struct peer peer = {0};

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return PEER_NOTHING;
	peer.uid = credentials.uid;
	peer.pid = credentials.pid;
	if (peer.uid == 0 && peer.pid != 0 && (!permitted(0, &own) || !read_peer(plan, fd, &peer)))
		return PEER_NOTHING;
	return peer_judge(&peer, own);
}
