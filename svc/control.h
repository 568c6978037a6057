/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control protocol: what keelctl and PID 1 say to each other over /run/keelson/control, a
 * SOCK_SEQPACKET socket of mode 0600 whose clients must have uid 0 (SO_PEERCRED, unix(7)).
 *
 * A client sends one request, a fixed-size packet. The answer is a row of packets, each a struct
 * control_reply and its payload, closed by one of type CONTROL_END whose `error` says how it went;
 * then the server closes. Everything is bounded, versioned, pointer-free and in host order: both
 * ends run on one machine from one image.
 *
 *     STATUS     NODE, SERVICE for every service in plan order, END
 *     SERVICE    NODE, SERVICE, END
 *     START      AFFECTED for each service that is pulled in, END
 *     STOP       AFFECTED for each other service that goes down with it, END
 *     RESTART    as STOP
 *     TIMELINE   NODE, EVENTS (several), END
 *     POWER      END
 *     SLOTS      SLOTS, END
 *
 * START, STOP and RESTART close with END when the service has settled: up or done, down, or failed
 * (-EIO: it failed or waits for a retry; -EHOSTUNREACH: something it requires is not up; -ECANCELED:
 * somebody wanted otherwise meanwhile). With CONTROL_NO_WAIT they close at once.
 * Errors of any verb: -ENOENT no such service, -EPERM not root, -EBADMSG not a request, -EPROTO
 * another version, -EBUSY done, but too many wait already, -ESHUTDOWN the node is going down, -ENODATA nothing to tell, -EALREADY.
 *
 * This file is pure: the packets and their checks. The sockets are control_server.h's.
 */
#ifndef KEELSON_CONTROL_H
#define KEELSON_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "svc/timeline.h"
#include "svc/world.h"

#define CONTROL_VERSION 1u
#define CONTROL_NAME_BYTES WORLD_NAME_BYTES
#define CONTROL_TEXT_BYTES 128u
#define CONTROL_EVENTS_PER_PACKET 32u
#define CONTROL_SOCKET_NAME "control" /* in the runtime directory, /run/keelson */

enum control_verb {
	CONTROL_VERB_STATUS = 1,
	CONTROL_VERB_SERVICE,
	CONTROL_VERB_START,
	CONTROL_VERB_STOP,
	CONTROL_VERB_RESTART,
	CONTROL_VERB_TIMELINE,
	CONTROL_VERB_POWER,
	CONTROL_VERB_SLOTS
};

enum control_power { CONTROL_POWEROFF = 1, CONTROL_REBOOT, CONTROL_HALT };

#define CONTROL_NO_WAIT 1u

struct control_request {
	uint32_t version;
	uint32_t verb;                 /* enum control_verb */
	uint32_t flags;                /* CONTROL_NO_WAIT */
	uint32_t argument;             /* POWER: enum control_power; else 0 */
	char name[CONTROL_NAME_BYTES]; /* the service; "" for verbs without one */
};

enum control_type {
	CONTROL_TYPE_NODE = 1, /* struct control_node */
	CONTROL_TYPE_SERVICE,  /* struct control_service */
	CONTROL_TYPE_AFFECTED, /* char [CONTROL_NAME_BYTES] */
	CONTROL_TYPE_EVENTS,   /* struct timeline_event [count] */
	CONTROL_TYPE_SLOTS,    /* struct control_slot_status */
	CONTROL_TYPE_END       /* nothing */
};

struct control_reply {
	uint32_t version;
	uint32_t type;  /* enum control_type */
	int32_t error;  /* END: 0 or negative errno */
	uint32_t count; /* items that follow */
};

struct control_node {
	char name[CONTROL_NAME_BYTES]; /* of the spec */
	char image_version[CONTROL_NAME_BYTES];
	uint64_t now_ns;
	uint64_t up_ns;      /* every wanted service first up; 0: not yet */
	uint64_t blessed_ns; /* 0: not blessed in this boot */
	uint64_t reaped_orphans;
	uint32_t service_count;
	uint32_t executions;
	uint32_t events; /* in the timeline */
	uint32_t events_dropped;
};

struct control_service {
	char name[CONTROL_NAME_BYTES];
	char policy[CONTROL_NAME_BYTES];      /* "" for none */
	char waiting_for[CONTROL_NAME_BYTES]; /* WAITING: the first need that is not met */
	char cgroup[CONTROL_TEXT_BYTES];      /* below the cgroup root */
	char output_path[CONTROL_TEXT_BYTES]; /* log file or tty; "" for none */
	char program[CONTROL_TEXT_BYTES];     /* argv[0] */
	uint32_t index;
	uint32_t kind;        /* enum plan_service_kind */
	uint32_t flags;       /* PLAN_SERVICE_* */
	uint32_t restart;     /* enum plan_restart */
	uint32_t output;      /* enum plan_output */
	uint32_t probes;      /* how many */
	uint32_t needs_count; /* entries of needs[] */
	uint32_t zero;
	uint32_t needs[32];      /* indices of services it needs, ordered; cut if there are more */
	uint32_t need_kinds[32]; /* enum plan_edge_kind */
	struct world_service world;
};

struct control_slot {
	uint32_t present; /* 0: no such partition */
	uint32_t priority;
	uint32_t tries;
	uint32_t successful;
	char version[CONTROL_NAME_BYTES];   /* of the image, from its header; "" if unreadable */
	char partition[CONTROL_NAME_BYTES]; /* kernel name of the root partition */
};

struct control_slot_status {
	uint32_t booted;  /* 0: a, 1: b */
	uint32_t blessed; /* 1: blessed in this boot */
	uint32_t forced;
	uint32_t last_resort;
	char disk[CONTROL_NAME_BYTES];
	struct control_slot slots[2];
};

/* The largest packet of either side. */
#define CONTROL_PACKET_BYTES \
	(sizeof(struct control_reply) + CONTROL_EVENTS_PER_PACKET * sizeof(struct timeline_event))

/*
 * Check `size` received bytes as a request and copy it out: known verb, flags and argument that
 * belong to it, a name that ends and has a service name's characters where one is needed, zero
 * bytes after it. 0, -EBADMSG, or -EPROTO (another version).
 */
int control_request_parse(const void *bytes, size_t size, struct control_request *request);

/*
 * Check `size` received bytes as a reply: `*payload` points at its items in `bytes`. 0, -EBADMSG or
 * -EPROTO. `bytes` must be 8-aligned; strings in the payload end within it.
 */
int control_reply_parse(const void *bytes, size_t size, const struct control_reply **reply,
			const void **payload);

/* "start", "stop", ...; "?" for a number that is none. */
const char *control_verb_name(uint32_t verb);

#endif
