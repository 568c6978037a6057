/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: whatever plan_verify() accepts can be walked. Magic, version, size and checksum are put
 * right first, so that the fuzzer spends its time behind them.
 */
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/crc32.h"
#include "rootfs-spec/plan.h"
#include "tests/unit/plan_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan_fault fault = {0};
	struct plan plan;

	if (size < sizeof(struct plan_header))
		return 0;
	uint8_t *copy = malloc(size); /* exactly as large, and aligned */
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	struct plan_header *header = (void *)copy;
	memcpy(header->magic, PLAN_MAGIC, sizeof(header->magic));
	header->version = PLAN_VERSION;
	header->size_bytes = (uint32_t)size;
	header->crc32 = 0;
	header->crc32 = crc32(0, copy, size);
	enum plan_kind kind = header->kind == PLAN_KIND_BOOT ? PLAN_KIND_BOOT : PLAN_KIND_NODE;
	if (plan_verify(copy, size, kind, &plan, &fault) == 0)
		plan_walk(&plan);
	else if (!fault.reason)
		abort();
	free(copy);
	return 0;
}
