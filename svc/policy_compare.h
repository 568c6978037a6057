/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says of a running service, against what its policy means. Pure: policy_live.h reads
 * the kernel.
 *
 * A program may give up more than its policy takes, and many do: that is told, and is no difference.
 * A difference is something that it has and should not, or a thing of its own that it lacks.
 */
#ifndef KEELSON_POLICY_COMPARE_H
#define KEELSON_POLICY_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"
#include "svc/cgroup.h"
#include "svc/exec_caps.h"
#include "svc/process.h"

enum policy_namespace { NS_MOUNT, NS_IPC, NS_UTS, NS_NET, NS_PID, NS_CGROUP, NS_USER, NS_COUNT };

#define POLICY_NOT_ASKED 1 /* of what is otherwise 0 or a negative errno */
#define POLICY_OTHER 2     /* the process has no such filter */

struct policy_live {
	int pid;
	struct process_status process, pid1;
	struct exec_file file;         /* the program that runs */
	bool own[NS_COUNT];            /* not PID 1's namespace */
	char group[CGROUP_PATH_BYTES]; /* "" if not known */
	const char *mountinfo; /* text of its /proc/PID/mountinfo; NULL: could not be read */
	int filter;            /* 0: it has the plan's filter, byte for byte; POLICY_* */
	int device_programs;   /* of its group; a negative errno */
	int32_t landlock_abi;  /* that PID 1 found; a negative errno */
	bool (*exists)(const void *context, const char *path); /* in its view */
	const void *context;
};

enum policy_verdict {
	POLICY_SAME,
	POLICY_LESS,    /* it has less than it may */
	POLICY_DIFFERS, /* ... or more, or not what it should have for itself */
	POLICY_UNSEEN   /* the kernel shows it to nobody */
};

#define POLICY_TEXT_BYTES 640
#define POLICY_ROWS (24 + PLAN_MAX_SANDBOX)

struct policy_row {
	enum policy_verdict verdict;
	char title[24];
	char seen[POLICY_TEXT_BYTES];
	char planned[POLICY_TEXT_BYTES]; /* where it is another thing */
};

/* Fill `rows`; how many. */
uint32_t policy_compare(const struct plan *plan, const struct plan_service *service,
			const struct policy_live *live, struct policy_row rows[static POLICY_ROWS]);

/* The filter of the service's policy for this machine; NULL: none. */
const struct plan_filter *policy_filter(const struct plan *plan,
					const struct plan_service *service);

/* Capabilities as people read them: names, "none", "all", "all but ...". */
void policy_capabilities(uint64_t mask, char *text, size_t size);

/*
 * The topmost mount at `path` in the text of mountinfo (proc(5)): false: nothing is mounted there.
 * `type` is cut.
 */
bool policy_mount_at(const char *mountinfo, const char *path, bool *read_only,
		     char type[static 16]);

#endif
