/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's types: whatever the bytes are, nothing outside of them is read, and it ends. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "svc/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint32_t *aligned = malloc(size ? size : 1);
	uint32_t value = 0;
	struct btf btf;

	if (!aligned)
		return 0;
	memcpy(aligned, bytes, size);
	if (btf_open(&btf, aligned, size) == 0) {
		int error = btf_member(&btf, "task_struct", "mm", &value);

		if ((error == 0 && value > INT32_MAX) ||
		    (error != 0 && error != -ENOENT && error != -EBADMSG))
			abort();
		error = btf_function(&btf, "cap_capable", &value);
		if (error != 0 && error != -ENOENT && error != -EBADMSG)
			abort();
	}
	free(aligned);
	return 0;
}
