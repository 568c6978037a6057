/* SPDX-License-Identifier: Apache-2.0 */
#include "init/descriptors.h"

#include <fcntl.h>

void descriptors_standard(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest free number: this one. */
		if (open("/dev/null", O_RDWR | O_NOCTTY) < 0)
			(void)open("/", O_RDONLY | O_DIRECTORY);
	}
}
