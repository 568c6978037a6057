// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/cpio.h"

#include <string.h>
#include <sys/stat.h>

static void pad(struct bytes *archive)
{
	bytes_zero(archive, (4 - archive->size % 4) % 4);
}

/* Header, name and data, name and data padded to four bytes each. */
static void entry(struct cpio *cpio, const char *path, mode_t mode, const void *data, size_t size,
		  uint32_t major, uint32_t minor)
{
	struct bytes *archive = &cpio->archive;

	/* magic ino mode uid gid nlink mtime filesize maj min rmaj rmin namesize chksum */
	bytes_printf(archive, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		     cpio->next_inode++, (unsigned int)mode, 0u, 0u, S_ISDIR(mode) ? 2u : 1u, 0u,
		     (unsigned int)size, 0u, 0u, major, minor, (unsigned int)strlen(path) + 1, 0u);
	bytes_add(archive, path, strlen(path) + 1);
	pad(archive);
	bytes_add(archive, data, size);
	pad(archive);
}

void cpio_directory(struct cpio *cpio, const char *path, mode_t mode)
{
	entry(cpio, path, S_IFDIR | mode, NULL, 0, 0, 0);
}

void cpio_file(struct cpio *cpio, const char *path, mode_t mode, const void *data, size_t size)
{
	entry(cpio, path, S_IFREG | mode, data, size, 0, 0);
}

void cpio_symlink(struct cpio *cpio, const char *path, const char *target)
{
	entry(cpio, path, S_IFLNK | 0777, target, strlen(target), 0, 0);
}

void cpio_character_device(struct cpio *cpio, const char *path, mode_t mode, uint32_t major,
			   uint32_t minor)
{
	entry(cpio, path, S_IFCHR | mode, NULL, 0, major, minor);
}

void cpio_end(struct cpio *cpio)
{
	cpio->next_inode = 0;
	entry(cpio, "TRAILER!!!", 0, NULL, 0, 0, 0);
}
