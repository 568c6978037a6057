/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/keyring.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <string.h>

#include "mount/sys.h"

int keyring_open(struct keyring *keyring)
{
	*keyring = (struct keyring){0};
	keyring->id = sys_add_key("keyring", "keelson", NULL, 0, KEY_SPEC_PROCESS_KEYRING);
	return keyring->id < 0 ? keyring->id : 0;
}

/* Read a whole small file: its size, or -EMSGSIZE. */
static ssize_t read_certificate(const char *path, uint8_t bytes[KEYRING_CERTIFICATE_MAX_BYTES])
{
	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t used = 0;
	uint8_t beyond;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (used < KEYRING_CERTIFICATE_MAX_BYTES) {
		n = read(fd, bytes + used, KEYRING_CERTIFICATE_MAX_BYTES - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return (ssize_t)used;
		used += (size_t)n;
	}
	n = read(fd, &beyond, 1);
	if (n < 0)
		return -errno;
	return n ? -EMSGSIZE : (ssize_t)used;
}

int keyring_trust(struct keyring *keyring, int hash, const char *path)
{
	uint8_t bytes[KEYRING_CERTIFICATE_MAX_BYTES];
	ssize_t size = read_certificate(path, bytes);
	struct iovec part = {.iov_base = bytes, .iov_len = size > 0 ? (size_t)size : 0};
	uint32_t at = keyring->count;
	int error;

	if (size < 0)
		return (int)size;
	if (at == KEYRING_KEYS_MAX)
		return -ENOSPC;
	error = hash_sha256(hash, &part, 1, keyring->keys[at].id);
	if (error)
		return error;
	/* Without a description the key type takes one from the certificate. */
	keyring->keys[at].key = sys_add_key("asymmetric", NULL, bytes, part.iov_len, keyring->id);
	if (keyring->keys[at].key < 0)
		return keyring->keys[at].key;
	keyring->count++;
	return 0;
}

int keyring_verify(const struct keyring *keyring, const uint8_t key_id[HASH_BYTES],
		   const uint8_t digest[HASH_BYTES], const void *signature, size_t size)
{
	for (uint32_t i = 0; i < keyring->count; i++) {
		struct keyctl_pkey_params parameters = {
			.key_id = keyring->keys[i].key,
			.in_len = HASH_BYTES,
			.in2_len = (uint32_t)size,
		};

		if (memcmp(keyring->keys[i].id, key_id, HASH_BYTES) != 0)
			continue;
		/* keyctl_pkey_verify(3): the input is the digest, not the message. */
		return (int)sys_result(syscall(SYS_keyctl, KEYCTL_PKEY_VERIFY, &parameters,
					       "enc=pkcs1 hash=sha256", digest, signature));
	}
	return -ENOKEY;
}
