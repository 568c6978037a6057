/* SPDX-License-Identifier: Apache-2.0 */
#include "init/milestones.h"

#include <stdbool.h>

void milestone_name(const char *file, char name[MILESTONE_NAME_BYTES])
{
	size_t i;

	for (i = 0; i < MILESTONE_NAME_BYTES - 1 && file[i] != '\0'; i++) {
		char c = file[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';

		name[i] = plain ? c : '?';
	}
	name[i] = '\0';
}
