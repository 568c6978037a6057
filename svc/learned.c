/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/learned.h"

#include <errno.h>
#include <linux/audit.h>
#include <string.h>

#include "svc/bpf_read.h"
#include "svc/fd.h"
#include "svc/learn_kept.h"

static const struct {
	uint32_t arch, bit;
} kinds[LEARN_KINDS] = {
	[LEARN_X86_64] = {AUDIT_ARCH_X86_64, 0},
	[LEARN_I386] = {AUDIT_ARCH_I386, 0},
	[LEARN_X32] = {AUDIT_ARCH_X86_64, 0x40000000},
};

static int read_facts(int table, uint64_t facts[static LEARN_FACTS])
{
	int error = 0;

	for (uint32_t key = 0; key < LEARN_FACTS && !error; key++)
		error = bpf_table_get(table, &key, &facts[key]);
	return error;
}

/* The index that it has in the tables, which are of the plan at the start. */
static int find_service(const char *service, uint32_t count, uint32_t *index)
{
	owned_fd int names = learn_open("services");
	char name[LEARN_NAME_BYTES];

	if (names < 0)
		return names;
	for (*index = 0; *index < count; ++*index) {
		int error = bpf_table_get(names, index, name);

		if (error)
			return error;
		if (strncmp(name, service, sizeof name) == 0)
			return 0;
	}
	return -ENOENT;
}

static int read_calls(int table, uint32_t service, bool elsewhere, struct learned_call *calls,
		      uint32_t *count)
{
	for (uint32_t i = 0; i < LEARN_CALLS; i++) {
		const uint32_t key = learn_call(learn_slot(service, elsewhere), 0, i);
		struct learned_call *call = &calls[*count];
		int error = bpf_table_get(table, &key, &call->count);

		if (error)
			return error;
		if (call->count == 0)
			continue;
		call->arch = kinds[i / LEARN_NUMBERS].arch;
		call->number = i % LEARN_NUMBERS | kinds[i / LEARN_NUMBERS].bit;
		call->elsewhere = elsewhere;
		++*count;
	}
	return 0;
}

static int read_capabilities(int table, uint32_t service, uint32_t elsewhere,
			     struct learned *learned)
{
	uint64_t *entries = &learned->capabilities[elsewhere][0][0];

	for (uint32_t i = 0; i < LEARN_CAPABILITIES * LEARN_ANSWERS; i++) {
		const uint32_t key = learn_capability(learn_slot(service, elsewhere), 0, i);
		int error = bpf_table_get(table, &key, &entries[i]);

		if (error)
			return error;
	}
	return 0;
}

/* How often programs did not run: they know it while they are there, and a fact after that. */
static void read_missed(const uint64_t facts[static LEARN_FACTS], struct learned *learned)
{
	if (learned->goes_on) {
		learned->missed_unknown = learn_missed(&learned->missed) != 0;
		return;
	}
	learned->missed_unknown = facts[LEARN_FACT_MISSED] == LEARN_MISSED_UNKNOWN;
	learned->missed = learned->missed_unknown ? 0 : facts[LEARN_FACT_MISSED];
}

static void take_facts(const uint64_t facts[static LEARN_FACTS], uint32_t service,
		       struct learned *learned)
{
	owned_fd int enter = learn_open(learn_links[LEARN_ENTER]);

	learned->goes_on = enter >= 0;
	learned->is_runtime = facts[LEARN_FACT_RUNTIME] == (uint64_t)service + 1;
	learned->has_capabilities = facts[LEARN_FACT_CAPABILITIES] != 0;
	learned->has_filtered = facts[LEARN_FACT_FILTERED] != 0;
	learned->started_ns = facts[LEARN_FACT_STARTED_NS];
	learned->no_room = facts[LEARN_FACT_NO_ROOM];
	learned->beyond = facts[LEARN_FACT_BEYOND];
	read_missed(facts, learned);
}

int learned_read(const char *service, struct learned *learned)
{
	owned_fd int facts_table = learn_open("facts"), calls = learn_open("calls"),
		     filtered = learn_open("filtered"), capabilities = learn_open("capabilities");
	uint64_t facts[LEARN_FACTS] = {0};
	uint32_t index = 0;

	memset(learned, 0, sizeof *learned);
	if (facts_table < 0 || calls < 0 || filtered < 0 || capabilities < 0)
		return facts_table < 0 ? facts_table : -ESTALE;
	int error = read_facts(facts_table, facts);

	if (!error)
		error = find_service(service, (uint32_t)facts[LEARN_FACT_SERVICES], &index);
	for (uint32_t elsewhere = 0; elsewhere < 2 && !error; elsewhere++) {
		error = read_calls(calls, index, elsewhere, learned->calls, &learned->count);
		if (!error)
			error = read_calls(filtered, index, elsewhere, learned->filtered,
					   &learned->filtered_count);
		if (!error)
			error = read_capabilities(capabilities, index, elsewhere, learned);
	}
	if (!error)
		take_facts(facts, index, learned);
	return error;
}
