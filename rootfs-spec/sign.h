/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing slot headers: RSA, PKCS#1 v1.5 over SHA-256, by openssl(1); the node lets its kernel check
 * it against an X.509 certificate (keyctl_pkey_verify(3)).
 *
 * Without a key of the user's own, a development key is made on first use and kept in the cache.
 * It proves nothing about who built an image; it makes the whole path run from the first day.
 */
#ifndef KEELSON_SIGN_H
#define KEELSON_SIGN_H

#include "rootfs-spec/pool.h"
#include "rootfs-spec/sha256.h"

struct signer {
	const char *key;              /* PEM file */
	const char *certificate;      /* PEM or DER file */
	struct bytes der;             /* the certificate; the caller's to free */
	uint8_t key_id[SHA256_BYTES]; /* SHA-256 of `der` */
};

/* With `key` and `certificate` both NULL: the development key. */
int sign_open(struct signer *signer, struct pool *pool, const char *cache, const char *key,
	      const char *certificate);

/* Append the signature of `data` to `signature`: 256, 384 or 512 bytes. */
int sign(const struct signer *signer, const void *data, size_t size, struct bytes *signature);

#endif
