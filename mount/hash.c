/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/hash.h"

#include <errno.h>
#include <linux/if_alg.h>
#include <sys/socket.h>

#include "mount/sys.h"

int hash_open(void)
{
	struct sockaddr_alg address = {
		.salg_family = AF_ALG,
		.salg_type = "hash",
		.salg_name = "sha256",
	};
	cleanup_fd fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return give_fd(&fd);
}

/* Everything goes in with MSG_MORE: the digest is finished by reading it. */
static int feed(int operation, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	while (size) {
		ssize_t n = send(operation, at, size, MSG_MORE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static int finish(int operation, uint8_t digest[HASH_BYTES])
{
	ssize_t n;

	do {
		n = recv(operation, digest, HASH_BYTES, 0);
	} while (n < 0 && errno == EINTR);
	if (n != HASH_BYTES)
		return n < 0 ? -errno : -EIO;
	return 0;
}

int hash_sha256(int hash, const struct iovec *parts, size_t count, uint8_t digest[HASH_BYTES])
{
	cleanup_fd operation = accept4(hash, NULL, NULL, SOCK_CLOEXEC);
	int error = operation < 0 ? -errno : 0;

	for (size_t i = 0; i < count && !error; i++)
		error = feed(operation, parts[i].iov_base, parts[i].iov_len);
	return error ? error : finish(operation, digest);
}
