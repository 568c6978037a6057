/* SPDX-License-Identifier: Apache-2.0 */
/* The names in a directory, without a heap: getdents64(2) into a buffer of the caller's. */
#ifndef KEELSON_DIRECTORY_H
#define KEELSON_DIRECTORY_H

#include <stddef.h>

#define DIRECTORY_BUFFER_BYTES 2048u

/* Set `fd` (borrowed, open for reading) and leave the rest zero. */
struct directory {
	int fd;
	long at;
	long end;
	unsigned char type; /* of the last name, DT_* of readdir(3) */
	_Alignas(8) char buffer[DIRECTORY_BUFFER_BYTES];
};

/*
 * The next name other than "." and "..", valid until the next call; NULL at the end or when the
 * directory cannot be read.
 */
const char *directory_next(struct directory *directory);

#endif
