/* SPDX-License-Identifier: Apache-2.0 */
#include "init/reboot_required.h"

#include <stdio.h>

#define REBOOT_REQUIRED "/run/reboot-required"

void reboot_required(const struct slot_header *header)
{
	FILE *file = fopen(REBOOT_REQUIRED ".pkgs", "we");

	/* Last comes what others wait for: they may read the rest, and reboot, at once. */
	if (file) {
		fprintf(file, "%s %s\n", (const char *)header->name,
			(const char *)header->image_version);
		fclose(file);
	}
	file = fopen(REBOOT_REQUIRED, "we");
	if (file) {
		fputs("*** System restart required ***\n", file);
		fclose(file);
	}
}
