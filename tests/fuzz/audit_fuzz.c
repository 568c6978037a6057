/* SPDX-License-Identifier: Apache-2.0 */
/* Audit records: whatever the text is, it is refused or what was read of it is within bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "svc/audit_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *text = (const char *)bytes;
	struct audit_record record;
	uint64_t serial;

	if (audit_parse_seccomp(text, size, &record) != 0)
		return 0;
	if (audit_parse_serial(text, size, &serial) != 0 || serial != record.serial ||
	    record.pid < 0 || (record.action & 0xffff) != 0 ||
	    !memchr(record.comm, '\0', sizeof record.comm))
		abort();
	for (const char *c = record.comm; *c; c++)
		if (*c < ' ' || *c > '~')
			abort();
	return 0;
}
