/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifying reader. It refuses everything that is not exactly what the writer makes: sections
 * lie in order without gaps, unused fields and padding are zero, lists have small bounds. So there
 * is one form of a plan, and every step here costs at most a constant for each record.
 */
#include <errno.h>
#include <string.h>

#include "rootfs-spec/crc32.h"
#include "rootfs-spec/plan.h"
#include "rootfs-spec/plan_check.h"

static const struct {
	const char *name;
	uint32_t stride;
} sections[PLAN_SECTION_COUNT] = {
	[PLAN_SYSTEM] = {"system", sizeof(struct plan_system)},
	[PLAN_STRINGS] = {"strings", 1},
	[PLAN_REFS] = {"refs", sizeof(uint32_t)},
	[PLAN_BYTES] = {"bytes", 1},
	[PLAN_MODULES] = {"modules", sizeof(struct plan_module)},
	[PLAN_PATHS] = {"paths", sizeof(struct plan_path)},
	[PLAN_SETTINGS] = {"settings", sizeof(struct plan_setting)},
	[PLAN_MOUNTS] = {"mounts", sizeof(struct plan_mount)},
	[PLAN_FILTERS] = {"filters", sizeof(struct plan_filter)},
	[PLAN_LANDLOCK] = {"landlock", sizeof(struct plan_landlock)},
	[PLAN_POLICIES] = {"policies", sizeof(struct plan_policy)},
	[PLAN_LIMITS] = {"limits", sizeof(struct plan_limit)},
	[PLAN_PROBES] = {"probes", sizeof(struct plan_probe)},
	[PLAN_COMMANDS] = {"commands", sizeof(struct plan_command)},
	[PLAN_CONDITIONS] = {"conditions", sizeof(struct plan_condition)},
	[PLAN_SANDBOX] = {"sandbox", sizeof(struct plan_sandbox)},
	[PLAN_EDGES] = {"edges", sizeof(struct plan_edge)},
	[PLAN_SERVICES] = {"services", sizeof(struct plan_service)},
};

/* The file is the structs: a hole would be bytes that nobody wrote and nobody checks. */
_Static_assert(sizeof(struct plan_header) == 64, "plan header layout");
_Static_assert(sizeof(struct plan_system) == 136, "plan system layout");
_Static_assert(sizeof(struct plan_mount) == 72, "plan mount layout");
_Static_assert(sizeof(struct plan_filter) == 16, "plan filter layout");
_Static_assert(sizeof(struct plan_landlock) == 24, "plan landlock layout");
_Static_assert(sizeof(struct plan_policy) == 128, "plan policy layout");
_Static_assert(sizeof(struct plan_command) == 24, "plan command layout");
_Static_assert(sizeof(struct plan_probe) == 40, "plan probe layout");
_Static_assert(sizeof(struct plan_condition) == 16, "plan condition layout");
_Static_assert(sizeof(struct plan_sandbox) == 16, "plan sandbox layout");
_Static_assert(sizeof(struct plan_service) == 352, "plan service layout");

const char *plan_section_name(uint32_t section)
{
	return section < PLAN_SECTION_COUNT ? sections[section].name : "header";
}

uint32_t plan_section_stride(uint32_t section)
{
	return section < PLAN_SECTION_COUNT ? sections[section].stride : 0;
}

static const char *check_header(const struct plan_header *header, size_t size)
{
	if (header->size_bytes != size)
		return "the size in the header is not the size of the file";
	if (header->section_count != PLAN_SECTION_COUNT)
		return "wrong number of sections";
	if (header->zero)
		return "a reserved field is not zero";

	if (crc32_without(header, size, offsetof(struct plan_header, crc32)) != header->crc32)
		return "the checksum does not match";
	return NULL;
}

/* Sections follow each other, each padded with zeroes to 8 bytes, and end where the file ends. */
static const char *check_table(struct plan *plan, size_t size, uint32_t *section)
{
	uint64_t at = sizeof(struct plan_header) + sizeof(plan->span);

	memcpy(plan->span, plan->base + sizeof(struct plan_header), sizeof(plan->span));
	for (uint32_t i = 0; i < PLAN_SECTION_COUNT; i++) {
		const struct plan_span *span = &plan->span[i];
		*section = i;
		if (span->zero)
			return "a reserved field is not zero";
		if (span->stride != sections[i].stride)
			return "wrong record size";
		if (span->offset != at)
			return "the section is not where the one before it ends";
		at += (uint64_t)span->count * span->stride;
		if (at > size)
			return "the section runs over the end of the file";
		for (; at % 8; at++)
			if (at >= size || plan->base[at])
				return "the padding is missing or not zero";
	}
	if (at != size)
		return "there are bytes after the last section";
	return NULL;
}

static const char *check_basics(const struct plan *plan, uint32_t *section)
{
	const struct plan_span *strings = &plan->span[PLAN_STRINGS];

	*section = PLAN_SYSTEM;
	if (plan->span[PLAN_SYSTEM].count != 1)
		return "there must be exactly one record";
	*section = PLAN_STRINGS;
	if (strings->count == 0 || plan->base[strings->offset] != 0)
		return "the first string is not the empty one";
	if (plan->base[strings->offset + strings->count - 1] != 0)
		return "the last string does not end";
	*section = PLAN_SERVICES;
	if (plan->span[PLAN_SERVICES].count > PLAN_MAX_SERVICES)
		return "too many services";
	return NULL;
}

static int refuse(struct plan_fault *fault, const char *reason, uint32_t section, uint32_t index,
		  int error)
{
	if (fault)
		*fault = (struct plan_fault){.reason = reason, .section = section, .index = index};
	return error;
}

int plan_verify(const void *base, size_t size, enum plan_kind kind, struct plan *plan,
		struct plan_fault *fault)
{
	const struct plan_header *header = base;
	uint32_t section = PLAN_NONE, index = 0;
	const char *reason;

	if (size < sizeof(*header) + sizeof(plan->span))
		return refuse(fault, "the file is too short", PLAN_NONE, 0, -EMSGSIZE);
	if (size > PLAN_MAX_BYTES)
		return refuse(fault, "the file is too long", PLAN_NONE, 0, -EMSGSIZE);
	if ((uintptr_t)base % 8)
		return refuse(fault, "the mapping is not aligned", PLAN_NONE, 0, -EBADMSG);
	if (memcmp(header->magic, PLAN_MAGIC, sizeof(header->magic)) != 0)
		return refuse(fault, "this is not a plan", PLAN_NONE, 0, -EBADMSG);
	if (header->version != PLAN_VERSION)
		return refuse(fault, "a plan of another version", PLAN_NONE, 0, -EPROTONOSUPPORT);

	reason = check_header(header, size);
	if (reason)
		return refuse(fault, reason, PLAN_NONE, 0, -EBADMSG);
	if (header->kind != kind)
		return refuse(fault, "a plan of another kind", PLAN_NONE, 0, -EPROTONOSUPPORT);

	*plan = (struct plan){.base = base, .header = header};
	reason = check_table(plan, size, &section);
	if (!reason)
		reason = check_basics(plan, &section);
	if (!reason) {
		plan->system = (const void *)(plan->base + plan->span[PLAN_SYSTEM].offset);
		reason = plan_check_records(plan, &section, &index);
	}
	if (!reason)
		reason = plan_check_graph(plan, &section, &index);
	if (!reason)
		reason = plan_check_names(plan, &section, &index);
	if (!reason)
		reason = plan_check_sharing(plan, &section, &index);
	return reason ? refuse(fault, reason, section, index, -EBADMSG) : 0;
}
