/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl policy: what a service may do, what its filter did not just allow, and what it used. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-spec/nearest.h"
#include "svc/client.h"
#include "svc/keelctl.h"
#include "svc/policy_report.h"
#include "svc/timeline.h"

static int take_report(void *context, const struct control_reply *reply, const void *payload)
{
	struct policy_report *report = context;

	if (reply->type == CONTROL_TYPE_POLICY) {
		memcpy(&report->policy, payload, sizeof report->policy);
		return 0;
	}
	if (reply->type != CONTROL_TYPE_CALLS || report->count + reply->count > WORLD_CALLS)
		return -EBADMSG;
	memcpy(report->calls + report->count, payload, reply->count * sizeof report->calls[0]);
	report->count += reply->count;
	return 0;
}

/* report->calls has room for WORLD_CALLS. */
static int ask_report(const struct keelctl *keelctl, struct policy_report *report)
{
	struct control_request request;
	int error = -ENOENT;

	if (request_make(&request, CONTROL_VERB_POLICY, report->service))
		error = client_ask(keelctl->socket, &request, take_report, report);
	return error ? complain(keelctl, "policy", report->service, error) : KEELCTL_OK;
}

/* NULL: nothing is known. */
static const struct learned *ask_learned(const char *service)
{
	static struct learned learned;
	int error = learned_read(service, &learned);

	if (error != 0 && error != -ENOENT)
		fprintf(stderr, "keelctl: policy: what was learned cannot be read: %s\n",
			strerror(-error));
	return error == 0 ? &learned : NULL;
}

static int report(const struct keelctl *keelctl)
{
	static struct world_call calls[WORLD_CALLS];
	struct policy_report told = {.service = keelctl->words[1], .calls = calls};
	int status = ask_report(keelctl, &told);

	if (status != KEELCTL_OK)
		return status;
	told.now_ns = clock_boottime_ns();
	told.learned = ask_learned(told.service);
	policy_report_sort(&told);
	if (keelctl->json)
		policy_report_json(stdout, &told);
	else
		policy_report_show(stdout, &told);
	return KEELCTL_OK;
}

static int show(const struct keelctl *keelctl)
{
	static struct world_call calls[WORLD_CALLS];
	struct policy_report told = {.service = keelctl->words[1], .calls = calls};
	int status = ask_report(keelctl, &told);

	return status == KEELCTL_OK ? policy_show(keelctl, told.policy.landlock_abi) : status;
}

/* Loading programs into the kernel is another program's, which only some images have. */
static int learn(const struct keelctl *keelctl)
{
	const char *argv[6] = {LEARN_PROGRAM};
	int count = 1;

	if (keelctl->plan) {
		argv[count++] = "--plan";
		argv[count++] = keelctl->plan;
	}
	argv[count++] = keelctl->words[1];
	/* execv(3) changes none of them. */
	execv(LEARN_PROGRAM, (char *const *)(uintptr_t)argv);
	if (errno == ENOENT)
		fputs("keelctl: policy learn: this image does not learn by itself: it is "
		      "without " LEARN_PROGRAM "\n",
		      stderr);
	else
		fprintf(stderr, "keelctl: " LEARN_PROGRAM ": %s\n", strerror(errno));
	return KEELCTL_FAILED;
}

static const struct action {
	const char *name;
	int (*run)(const struct keelctl *keelctl);
} actions[] = {{"report", report}, {"show", show}, {"learn", learn}};

int command_policy(const struct keelctl *keelctl)
{
	struct nearest nearest = {.name = keelctl->words[0]};

	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (strcmp(actions[i].name, keelctl->words[0]) == 0)
			return actions[i].run(keelctl);
		nearest_offer(&nearest, actions[i].name);
	}
	fprintf(stderr, "keelctl: policy: no action `%s`", keelctl->words[0]);
	if (nearest.best)
		fprintf(stderr, ", did you mean `%s`?", nearest.best);
	fputs("\n", stderr);
	return KEELCTL_USAGE;
}
