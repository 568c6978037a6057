/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/install_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "mount/gpt_io.h"
#include "mount/sys.h"
#include "rootfs-spec/crc32.h"

static uint32_t checksum(const struct install_journal *journal)
{
	return crc32_without(journal, sizeof(*journal), offsetof(struct install_journal, crc32));
}

static bool is_whole(const struct install_journal *journal)
{
	static const uint8_t magic[] = INSTALL_JOURNAL_MAGIC;

	for (size_t i = 0; i < sizeof(journal->magic); i++)
		if (journal->magic[i] != magic[i])
			return false;
	/* The last number there is can have no successor: somebody else's. */
	return journal->version == INSTALL_JOURNAL_VERSION && journal->sequence < UINT64_MAX &&
	       journal->crc32 == checksum(journal);
}

int install_journal_read(const char *path, struct install_journal *journal)
{
	struct install_journal copies[2] = {{.version = 0}};
	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : disk_read(fd, copies, sizeof(copies), INSTALL_JOURNAL_OFFSET);

	*journal = (struct install_journal){0};
	for (int i = 0; i < 2 && !error; i++)
		if (is_whole(&copies[i]) && copies[i].sequence >= journal->sequence)
			*journal = copies[i];
	return error;
}

/* Copies take turns: an odd sequence is the second. */
int install_journal_write(const char *path, struct install_journal *journal)
{
	static const uint8_t magic[] = INSTALL_JOURNAL_MAGIC;
	cleanup_fd fd = open(path, O_RDWR | O_CLOEXEC);
	int error = fd < 0 ? -errno : 0;

	for (size_t i = 0; i < sizeof(journal->magic); i++)
		journal->magic[i] = magic[i];
	journal->version = INSTALL_JOURNAL_VERSION;
	journal->sequence++;
	journal->crc32 = checksum(journal);
	if (!error)
		error = disk_write(fd, journal, sizeof(*journal),
				   INSTALL_JOURNAL_OFFSET +
					   journal->sequence % 2 * INSTALL_JOURNAL_BYTES);
	if (!error && fsync(fd) < 0)
		error = -errno;
	return error;
}
