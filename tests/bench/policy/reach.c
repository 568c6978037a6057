/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach: what the policies of a plan leave, by running their filters for every system call.
 *
 *     reach node|boot PLAN [DIRECTORY]
 *
 * One JSON object a line: {"policy": NAME, "capabilities": [NUMBER...], "calls": [NUMBER...]}: the
 * bounding set, and the calls of x86-64 whose answer is not the same refusal whatever their arguments
 * (of these, all zero and all ones are tried). Numbers, because names are the builder's business.
 * DIRECTORY/NAME.bpf becomes the filter's program (struct sock_filter).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-spec/plan.h"
#include "tests/unit/bpf.h"

#define CALLS 512
#define CAPABILITIES 41

static bool passes(const struct plan *plan, const struct plan_policy *policy, int number)
{
	for (uint32_t i = 0; i < policy->filters.count; i++) {
		const struct plan_filter *filter = plan_filter(plan, policy->filters.first + i);
		struct seccomp_data call = {.nr = number, .arch = AUDIT_ARCH_X86_64};
		const struct sock_filter *program = plan_bytes(plan, filter->program);
		size_t count = filter->program.size_bytes / sizeof(*program);
		bool allowed;

		if (filter->audit_arch != AUDIT_ARCH_X86_64)
			continue;
		allowed = bpf_run(program, count, &call, NULL) == SECCOMP_RET_ALLOW;
		memset(call.args, 0xff, sizeof(call.args));
		return allowed || bpf_run(program, count, &call, NULL) == SECCOMP_RET_ALLOW;
	}
	return true; /* no filter */
}

static void print_policy(const struct plan *plan, const struct plan_policy *policy)
{
	const char *comma = "";

	printf("{\"policy\": \"%s\", \"capabilities\": [", plan_string(plan, policy->name));
	for (unsigned int i = 0; i < CAPABILITIES; i++)
		if (!(policy->flags & PLAN_POLICY_CAPS) || policy->cap_bounding >> i & 1) {
			printf("%s%u", comma, i);
			comma = ", ";
		}
	printf("], \"calls\": [");
	comma = "";
	for (int i = 0; i < CALLS; i++)
		if (passes(plan, policy, i)) {
			printf("%s%d", comma, i);
			comma = ", ";
		}
	puts("]}");
}

static void write_filter(const struct plan *plan, const struct plan_policy *policy,
			 const char *directory)
{
	const char *name = plan_string(plan, policy->name);
	char path[4096];

	for (uint32_t i = 0; i < policy->filters.count; i++) {
		const struct plan_filter *filter = plan_filter(plan, policy->filters.first + i);
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s.bpf", directory, name);
		if (filter->audit_arch != AUDIT_ARCH_X86_64)
			continue;
		file = fopen(path, "we");
		if (!file ||
		    fwrite(plan_bytes(plan, filter->program), filter->program.size_bytes, 1,
			   file) != 1 ||
		    fclose(file)) {
			perror(path);
			exit(1);
		}
	}
}

int main(int argc, char **argv)
{
	enum plan_kind kind = argc >= 3 && strcmp(argv[1], "boot") == 0 ? PLAN_KIND_BOOT
									: PLAN_KIND_NODE;
	struct plan_fault fault = {0};
	struct plan plan;
	struct stat status;
	void *bytes;
	int file;

	if (argc != 3 && argc != 4) {
		fputs("usage: reach node|boot PLAN [DIRECTORY]\n", stderr);
		return 2;
	}
	file = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &status) < 0) {
		perror(argv[2]);
		return 1;
	}
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	if (bytes == MAP_FAILED ||
	    plan_verify(bytes, (size_t)status.st_size, kind, &plan, &fault)) {
		fprintf(stderr, "%s: not a plan of this kind: %s\n", argv[2],
			fault.reason != NULL ? fault.reason : "");
		return 1;
	}
	for (uint32_t i = 0; i < plan_count(&plan, PLAN_POLICIES); i++) {
		print_policy(&plan, plan_policy(&plan, i));
		if (argc == 4)
			write_filter(&plan, plan_policy(&plan, i), argv[3]);
	}
	return 0;
}
