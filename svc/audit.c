/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/audit.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "svc/calls.h"
#include "svc/cgroup.h"
#include "svc/fault_point.h"
#include "svc/fd.h"
#include "svc/log.h"
#include "svc/owner.h"

/* MAX_AUDIT_MESSAGE_LENGTH of the kernel is 8970: of longer ones the beginning is enough. */
#define RECORD_BYTES 9216

static int open_socket(void)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK,
					    .nl_groups = 1u << (AUDIT_NLGRP_READLOG - 1)};
	const int size = AUDIT_BUFFER_BYTES;
	owned_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
				 NETLINK_AUDIT);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		return -errno;
	return fd_take(&fd);
}

void audit_open(struct supervisor *supervisor)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = source_key(SOURCE_AUDIT)};
	int32_t *fd = &supervisor->world->calls.fd;

	if (*fd < 0) {
		int made = open_socket();

		supervisor->world->calls.error = made < 0 ? made : 0;
		if (made < 0) {
			log_info("audit: what filters deny is not heard: %s", log_errno(made));
			return;
		}
		*fd = made;
	}
	if (epoll_ctl(supervisor->config.epoll_fd, EPOLL_CTL_ADD, *fd, &event) == 0)
		return;
	supervisor->world->calls.error = -errno;
	log_error("audit: epoll: %s", log_errno(errno));
	fd_close(fd);
}

/* ---- whose it is ---- */

static uint32_t owner_of(struct supervisor *supervisor, int pid, uint32_t *flags)
{
	uint32_t owner = pids_find(&supervisor->pids, pid);
	char path[CGROUP_PATH_BYTES];

	*flags = 0;
	if (owner != PIDS_NONE)
		return owner & PIDS_TASK ? supervisor->tasks[owner & ~PIDS_TASK].service : owner;
	if (cgroup_of_process(pid, path) == 0) {
		bool elsewhere;
		uint32_t service = owner_of_filter(supervisor->plan, path, &elsewhere);

		*flags = elsewhere ? WORLD_CALL_POD : 0;
		return service;
	}
	for (uint32_t i = 0; i < AUDIT_REMEMBERED; i++)
		if (supervisor->reaped[i].pid == pid)
			return supervisor->reaped[i].owner;
	return PLAN_NONE;
}

void audit_reaped(struct supervisor *supervisor, int pid, uint32_t service)
{
	supervisor->reaped[supervisor->reaped_count++ % AUDIT_REMEMBERED] =
		(struct pid_slot){.pid = pid, .owner = service};
}

/* ---- hearing ---- */

static void take_record(struct supervisor *supervisor, const char *text, size_t size)
{
	struct audit_record record;
	uint32_t flags = 0, owner;

	if (audit_parse_seccomp(text, size, &record) != 0) {
		supervisor->world->calls.unread++;
		return;
	}
	owner = owner_of(supervisor, record.pid, &flags);
	calls_note(supervisor->world, &record, owner, flags, clock_boottime_ns());
}

/* One datagram is one record; nlmsg_len counts its text only (kauditd_send_multicast_skb()). */
static void take(struct supervisor *supervisor, const struct nlmsghdr *header, size_t size)
{
	const char *text = (const char *)(header + 1);
	uint64_t serial;

	if (size < sizeof *header)
		return;
	size -= sizeof *header;
	if (audit_parse_serial(text, size, &serial) == 0)
		calls_heard(&supervisor->world->calls, serial);
	if (header->nlmsg_type == AUDIT_SECCOMP)
		take_record(supervisor, text, size);
}

void audit_hear(struct supervisor *supervisor)
{
	static union {
		struct nlmsghdr header;
		uint8_t bytes[RECORD_BYTES];
	} room;

	for (int turn = 0; turn < AUDIT_TURN && supervisor->world->calls.fd >= 0; turn++) {
		struct sockaddr_nl sender = {0};
		socklen_t length = sizeof sender;
		ssize_t size = recvfrom(supervisor->world->calls.fd, room.bytes, sizeof room, 0,
					(struct sockaddr *)&sender, &length);

		if (size < 0 && errno == ENOBUFS) {
			calls_overrun(&supervisor->world->calls);
			continue;
		}
		if (size < 0)
			return;
		fault_point("audit: record");
		/* Whoever has CAP_NET_ADMIN may send to the group: the kernel has no port. */
		if (sender.nl_pid == 0)
			take(supervisor, &room.header, (size_t)size);
	}
}
