/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/directory.h"

#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct entry { /* struct linux_dirent64 of getdents64(2) */
	uint64_t inode;
	int64_t offset;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

const char *directory_next(struct directory *directory)
{
	for (;;) {
		const struct entry *entry;

		if (directory->at >= directory->end) {
			directory->at = 0;
			directory->end = syscall(SYS_getdents64, directory->fd, directory->buffer,
						 sizeof(directory->buffer));
			if (directory->end <= 0)
				return NULL;
		}
		entry = (const void *)(directory->buffer + directory->at);
		directory->at += entry->bytes;
		directory->type = entry->type;
		if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0)
			return entry->name;
	}
}
