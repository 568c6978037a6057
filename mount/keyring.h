/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures checked by the kernel: X.509 certificates added as "asymmetric" keys, RSA PKCS#1 v1.5
 * over SHA-256 by KEYCTL_PKEY_VERIFY (Documentation/security/keys/core.rst, add_key(2), keyctl(2)).
 * There is no cryptography in PID 1.
 *
 * The keys live in a private keyring that hangs on the process keyring, so they are gone when this
 * program execs the next.
 */
#ifndef KEELSON_KEYRING_H
#define KEELSON_KEYRING_H

#include <stddef.h>
#include <stdint.h>

#include "mount/hash.h"

#define KEYRING_KEYS_MAX 8u
#define KEYRING_CERTIFICATE_MAX_BYTES 4096u

struct keyring {
	int32_t id;
	uint32_t count;
	struct {
		int32_t key;
		uint8_t id[HASH_BYTES]; /* SHA-256 of the certificate */
	} keys[KEYRING_KEYS_MAX];
};

/* Make an empty private keyring. 0 or negative errno (add_key(2)). */
int keyring_open(struct keyring *keyring);

/*
 * Trust the certificate (DER) in the file `path`. 0 or negative errno: -ENOSPC (too many),
 * -EMSGSIZE (file too large), -EBADMSG (not a certificate), -ENOPKG (algorithm not in the kernel).
 */
int keyring_trust(struct keyring *keyring, int hash, const char *path);

/*
 * Is `signature` the signature of a message with this SHA-256 digest by the trusted key with
 * `key_id`? 0: yes. -ENOKEY: no such key is trusted. -EKEYREJECTED: no. Else negative errno.
 */
int keyring_verify(const struct keyring *keyring, const uint8_t key_id[HASH_BYTES],
		   const uint8_t digest[HASH_BYTES], const void *signature, size_t size);

#endif
