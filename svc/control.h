/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control protocol: what keelctl and PID 1 say to each other over /run/keelson/control, a
 * SOCK_SEQPACKET socket of mode 0600 whose clients must have uid 0, and all of PID 1's capabilities
 * to ask for more than STATUS, SERVICE, EVENTS, TIMELINE, SLOTS, POLICY and what is dry, unless the
 * policy of their service says otherwise (peer.h).
 *
 * A client sends one request, a fixed-size packet. The answer is a row of packets, each a struct
 * control_reply and its payload, closed by one of type CONTROL_END whose `error` says how it went;
 * then the server closes. Everything is bounded, versioned, pointer-free and in host order: both
 * ends run on one machine from one image.
 *
 *     STATUS     NODE, SERVICE for every service in plan order, END
 *     SERVICE    NODE, SERVICE, END
 *     START      AFFECTED for each other service that moves, END: what it pulls in starts, what it
 *                displaces stops, and what requires that
 *     STOP       as START: what requires it stops
 *     RESTART    as START: what requires it stops and comes back
 *     RELOAD     END when the reload is over
 *     KILL       END: a signal to everything of the service's own, or to the main process only
 *     EVENTS     HAPPENED (any number), END; with CONTROL_FOLLOW never an END: more as they happen
 *     TIMELINE   NODE, EVENTS (any number), END
 *     SLOTS      SLOTS, END
 *     POLICY     POLICY, CALLS (any number), END: what of a service's filter was not just allowed
 *     BLESS      END: the blessing of the slot that runs has begun; SLOTS tells when it is done
 *     POWER      END
 *     REEXEC     END, then PID 1 executes itself anew and every connection breaks off
 *
 * START, STOP and RESTART close with END when the service has settled: up or done, down, or failed
 * (-EIO: it failed or waits for a retry; -EHOSTUNREACH: something it requires is not up; -ECANCELED:
 * somebody wanted otherwise meanwhile). RELOAD closes when it is over: -EIO its command failed,
 * -ETIMEDOUT it took too long, -ECANCELED the service went down meanwhile. With CONTROL_NO_WAIT they
 * close at once; with CONTROL_DRY_RUN the first three only tell what else would move.
 *
 * EVENTS begins with number `since` (0: the oldest that is kept, CONTROL_FROM_NOW: the next one). A
 * number that is not one more than the one before it, or than what was asked for, tells how many
 * were lost: they were too many for PID 1 to keep, or for a slow listener to take. A number lower
 * than `since` tells that PID 1 lost its memory and counts anew. Who follows and reads nothing for
 * CONTROL_STUCK_NS is closed, and may come back with `since`.
 *
 * Errors of any verb: -ENOENT no such service, -EPERM not root, or a pod, -EACCES root, but
 * confined or not PID 1's equal, -EBADMSG not a request, -EPROTO
 * another version, -ESHUTDOWN the node is going down, -EALREADY under way already, -EBUSY too many
 * wait or listen already (what was asked for was done all the same), -ENOTSUP it has no such thing
 * (no `reload`, no kernel loaded to kexec), -ESRCH nothing of it runs, -EHOSTDOWN it is not up,
 * -ENODATA nothing to tell, -ETIMEDOUT no answer from the disk, -EKEYREJECTED the rules do not allow
 * that slot to be blessed.
 *
 * This file is pure: the packets and their checks. The sockets are control_server.h's.
 */
#ifndef KEELSON_CONTROL_H
#define KEELSON_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "svc/timeline.h"
#include "svc/world.h"

#define CONTROL_VERSION 3u
#define CONTROL_NAME_BYTES WORLD_NAME_BYTES
#define CONTROL_TEXT_BYTES 128u
#define CONTROL_EVENTS_PER_PACKET 32u   /* of EVENTS */
#define CONTROL_HAPPENED_PER_PACKET 16u /* of HAPPENED */
#define CONTROL_CALLS_PER_PACKET 32u    /* of CALLS */
#define CONTROL_FROM_NOW UINT64_MAX     /* since: nothing of what happened before */
#define CONTROL_STUCK_NS 60000000000ull
#define CONTROL_SIGNAL_MAX 64u
#define CONTROL_SOCKET_NAME "control" /* in the runtime directory, /run/keelson */

enum control_verb {
	CONTROL_VERB_STATUS = 1,
	CONTROL_VERB_SERVICE,
	CONTROL_VERB_START,
	CONTROL_VERB_STOP,
	CONTROL_VERB_RESTART,
	CONTROL_VERB_TIMELINE,
	CONTROL_VERB_POWER,
	CONTROL_VERB_SLOTS,
	CONTROL_VERB_RELOAD,
	CONTROL_VERB_KILL,
	CONTROL_VERB_EVENTS,
	CONTROL_VERB_REEXEC,
	CONTROL_VERB_POLICY,
	CONTROL_VERB_BLESS
};

enum control_power { CONTROL_POWEROFF = 1, CONTROL_REBOOT, CONTROL_HALT, CONTROL_KEXEC };

#define CONTROL_NO_WAIT 1u
#define CONTROL_DRY_RUN 2u /* START, STOP, RESTART: say what else would move, and do nothing */
#define CONTROL_FORCE 4u   /* POWER: do not wait for anything: kill, sync, go */
#define CONTROL_FOLLOW 8u  /* EVENTS: go on with what happens from now on */
#define CONTROL_MAIN 16u   /* KILL: the main process only, not everything of its own */

struct control_request {
	uint32_t version;
	uint32_t verb;     /* enum control_verb */
	uint32_t flags;    /* CONTROL_* */
	uint32_t argument; /* POWER: enum control_power; KILL: signal; else 0 */
	uint64_t since;    /* EVENTS: number of the first event that is wanted; else 0 */
	char name[CONTROL_NAME_BYTES]; /* the service; "" for verbs without one */
};

enum control_type {
	CONTROL_TYPE_NODE = 1, /* struct control_node */
	CONTROL_TYPE_SERVICE,  /* struct control_service */
	CONTROL_TYPE_AFFECTED, /* struct control_affected */
	CONTROL_TYPE_EVENTS,   /* struct timeline_event [count] */
	CONTROL_TYPE_SLOTS,    /* struct control_slot_status */
	CONTROL_TYPE_END,      /* nothing */
	CONTROL_TYPE_HAPPENED, /* struct control_event [count] */
	CONTROL_TYPE_POLICY,   /* struct control_policy */
	CONTROL_TYPE_CALLS     /* struct world_call [count] */
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
	uint32_t executions; /* of PID 1: 1, and one more for each re-exec */
	uint32_t events;     /* in the timeline */
	uint32_t events_dropped;
	uint32_t crashes;     /* of PID 1, ever */
	int32_t crash_signal; /* of the last one */
	uint32_t ending;      /* 1: the node is going down */
	uint32_t zero;
	uint64_t crash_ns;
	uint64_t event_count; /* of EVENTS, ever */
};

enum control_move { CONTROL_MOVE_START = 1, CONTROL_MOVE_STOP, CONTROL_MOVE_RESTART };

struct control_affected {
	char name[CONTROL_NAME_BYTES];
	uint32_t move; /* enum control_move */
	uint32_t zero;
};

enum control_reload { CONTROL_RELOAD_NONE, CONTROL_RELOAD_SIGNAL, CONTROL_RELOAD_COMMAND };

/* struct world_event, with its number and its service's name. */
struct control_event {
	uint64_t number;               /* of all since PID 1's memory began, the first is 0 */
	char name[CONTROL_NAME_BYTES]; /* "" for an event of the node */
	struct world_event event;
};

struct control_service {
	char name[CONTROL_NAME_BYTES];
	char policy[CONTROL_NAME_BYTES];      /* "" for none */
	char waiting_for[CONTROL_NAME_BYTES]; /* WAITING: the first need that is not met */
	char cgroup[CONTROL_TEXT_BYTES];      /* below the cgroup root */
	char output_path[CONTROL_TEXT_BYTES]; /* log file or tty; "" for none */
	char program[CONTROL_TEXT_BYTES];     /* argv[0] */
	char condition[CONTROL_TEXT_BYTES];   /* skipped: the condition that did not hold */
	uint32_t index;
	uint32_t kind;     /* enum plan_service_kind */
	uint32_t flags;    /* PLAN_SERVICE_* */
	uint32_t restart;  /* enum plan_restart */
	uint32_t output;   /* enum plan_output */
	uint32_t probes;   /* of readiness, how many */
	uint32_t liveness; /* probes of liveness, how many */
	uint32_t burst;    /* restarts without a stable period that make it fail; 0: no limit */
	uint32_t stop_signal;
	uint32_t reload;      /* enum control_reload */
	uint32_t needs_count; /* entries of needs[] */
	uint64_t timer_every_ns;
	uint32_t needs[32];      /* indices of services it needs, ordered; cut if there are more */
	uint32_t need_kinds[32]; /* enum plan_edge_kind */
	struct world_service world;
};

#define CONTROL_NO_SLOT 2u
#define CONTROL_WORD_BYTES 24u

struct control_slot {
	uint32_t present; /* 0: no such partition */
	uint32_t priority;
	uint32_t tries;
	uint32_t successful;
	uint32_t rejected;        /* 1: its image is on the list of either slot */
	uint32_t suspected;       /* 1: its image was given up before, nobody knows why */
	uint32_t rejected_images; /* on this slot's list */
	uint32_t zero;
	uint64_t epoch;                   /* of the image */
	uint64_t epoch_blessed;           /* the highest, as this slot's marks say */
	char verdict[CONTROL_WORD_BYTES]; /* "sound", ...: as the next boot will find it */
	char reason[CONTROL_WORD_BYTES]; /* why the last try of this image failed; "": it did not */
	char detail[CONTROL_TEXT_BYTES]; /* the same for people: object and step */
	char image[CONTROL_NAME_BYTES];  /* its name, from its header; "" if not verified */
	char version[CONTROL_NAME_BYTES];   /* the same */
	char partition[CONTROL_NAME_BYTES]; /* kernel name of the root partition */
};

struct control_slot_status {
	uint32_t booted;  /* 0: a, 1: b */
	uint32_t blessed; /* 1: blessed in this boot */
	uint32_t forced;
	uint32_t last_resort;
	char disk[CONTROL_NAME_BYTES];
	uint8_t disk_guid[16];
	uint8_t root_hash[32]; /* of the image that runs, verified when it was booted */
	uint32_t entry;        /* index of its root's GPT entry */
	uint32_t next;         /* boots next, as things are: 0, 1, or CONTROL_NO_SLOT */
	struct control_slot slots[2];
};

enum control_mode { CONTROL_MODE_ENFORCE = 1, CONTROL_MODE_AUDIT };

/* A service's policy, what PID 1 hears of filters (audit.h), and how sure it can be. */
struct control_policy {
	char name[CONTROL_NAME_BYTES]; /* of the policy; "" for none */
	uint32_t mode;                 /* enum control_mode */
	uint32_t flags;                /* PLAN_POLICY_* */
	int32_t heard_error;           /* 0: it hears; else why not: negative errno */
	int32_t landlock_abi;          /* of this kernel; a negative errno: it has none */
	uint64_t heard;                /* records of any kind, of the whole node */
	uint64_t lost;                 /* ... that the kernel had no room for */
	uint64_t no_room;              /* seccomp records of calls that are not counted by name */
	uint64_t unknown; /* ... of processes that were gone: nobody knows whose they were */
};

/* The largest packet of either side. */
#define CONTROL_PACKET_BYTES \
	(sizeof(struct control_reply) + CONTROL_EVENTS_PER_PACKET * sizeof(struct timeline_event))

/*
 * Check `size` received bytes as a request and copy it out: known verb, flags, argument and `since`
 * that belong to it, a name that ends and has a service name's characters where one is needed, zero
 * bytes after it. 0, -EBADMSG, or -EPROTO (another version).
 */
int control_request_parse(const void *bytes, size_t size, struct control_request *request);

/* Whether more than looking is asked for: of any verb that is not known to change nothing. */
bool control_changes(const struct control_request *request);

/*
 * Check `size` received bytes as a reply: `*payload` points at its items in `bytes`. 0, -EBADMSG or
 * -EPROTO. `bytes` must be 8-aligned; strings in the payload end within it.
 */
int control_reply_parse(const void *bytes, size_t size, const struct control_reply **reply,
			const void **payload);

/* "start", "stop", ...; "?" for a number that is none. */
const char *control_verb_name(uint32_t verb);

/* A text that can be a service's name: [a-z0-9][a-z0-9._-]*, shorter than CONTROL_NAME_BYTES. */
bool control_is_service_name(const char *name);

#endif
