/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl policy show: what a service really has, and where that is not what its policy says. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "svc/client.h"
#include "svc/keelctl.h"
#include "svc/plan_file.h"
#include "svc/policy_live.h"
#include "svc/show.h"

static const char *verdict_name(enum policy_verdict verdict)
{
	static const char *const names[] = {
		[POLICY_SAME] = "same",
		[POLICY_LESS] = "less",
		[POLICY_DIFFERS] = "differs",
		[POLICY_UNSEEN] = "unseen",
	};

	return names[verdict];
}

static void show_row(const struct policy_row *row)
{
	printf("%s %-13s%s\n", row->verdict == POLICY_DIFFERS ? "!" : " ", row->title, row->seen);
	if (*row->planned)
		printf("  %-13s%s%s\n", "",
		       row->verdict == POLICY_LESS ? "may have: " : "the plan says: ",
		       row->planned);
}

static void json_rows(const char *service, const char *policy, int pid,
		      const struct policy_row *rows, uint32_t count, bool differs)
{
	fputs("{", stdout);
	show_json_field(stdout, true, "service", service);
	show_json_field(stdout, false, "policy", policy);
	show_json_number(stdout, false, "pid", (uint64_t)pid);
	show_json_bool(stdout, false, "differs", differs);
	fputs(", \"rows\": [", stdout);
	for (uint32_t i = 0; i < count; i++) {
		fputs(i ? ", {" : "{", stdout);
		show_json_field(stdout, true, "title", rows[i].title);
		show_json_field(stdout, false, "seen", rows[i].seen);
		show_json_field(stdout, false, "planned", rows[i].planned);
		show_json_field(stdout, false, "verdict", verdict_name(rows[i].verdict));
		fputs("}", stdout);
	}
	fputs("]}\n", stdout);
}

static int show(const struct keelctl *keelctl, const struct plan *plan,
		const struct plan_service *service, const struct policy_live *live)
{
	static struct policy_row rows[POLICY_ROWS];
	const struct plan_policy *policy = service->policy == PLAN_NONE
						   ? NULL
						   : plan_policy(plan, service->policy);
	const char *name = keelctl->words[1];
	const char *policy_name = policy ? plan_string(plan, policy->name) : "";
	uint32_t count = policy_compare(plan, service, live, rows);
	bool differs = false;

	for (uint32_t i = 0; i < count; i++)
		differs |= rows[i].verdict == POLICY_DIFFERS;
	if (keelctl->json) {
		json_rows(name, policy_name, live->pid, rows, count, differs);
		return differs ? KEELCTL_FAILED : KEELCTL_OK;
	}
	printf("%s%s%s  pid %d, policy %s%s\n", show_bold(), name, show_plain(), live->pid,
	       policy ? policy_name : "none",
	       policy && policy->mode == PLAN_MODE_AUDIT ? ", which only learns (mode: audit)"
							 : "");
	for (uint32_t i = 0; i < count; i++)
		show_row(&rows[i]);
	if (differs)
		puts("what is marked with ! is not what the plan says");
	return differs ? KEELCTL_FAILED : KEELCTL_OK;
}

int policy_show(const struct keelctl *keelctl, int32_t landlock_abi)
{
	struct node_status status = {0};
	struct policy_live live;
	struct plan plan;
	int result = node_fetch(keelctl, &status);
	const char *name = keelctl->words[1];

	if (result != 0)
		return KEELCTL_FAILED;
	const struct control_service *running = node_find(&status, name);
	int pid = running ? running->world.pid : 0;

	node_free(&status);
	if (!running)
		return complain(keelctl, "policy", name, -ENOENT);
	if (plan_file_map("keelctl", keelctl->plan ? keelctl->plan : PLAN_NODE_PATH, &plan) != 0)
		return KEELCTL_FAILED;
	const uint32_t index = plan_file_service(&plan, name);

	if (index == PLAN_NONE) {
		fprintf(stderr, "keelctl: %s: the plan has no such service\n", name);
		return KEELCTL_FAILED;
	}
	const struct plan_service *service = plan_service(&plan, index);
	if (pid <= 0 ||
	    policy_live_read(&live, pid, plan_string(&plan, service->cgroup), &plan,
			     keelctl->verbose ? policy_filter(&plan, service) : NULL) != 0) {
		fprintf(stderr, "keelctl: %s: it does not run\n", name);
		return KEELCTL_NOT_UP;
	}
	live.landlock_abi = landlock_abi;
	result = show(keelctl, &plan, service, &live);
	policy_live_free(&live);
	return result;
}
