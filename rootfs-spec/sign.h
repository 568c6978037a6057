/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing slot headers: RSA, PKCS#1 v1.5 over SHA-256, by openssl(1); the node lets its kernel check
 * it against an X.509 certificate (keyctl_pkey_verify(3)).
 *
 * Without a key of the user's own, a development key is made on first use and kept in the cache.
 * It proves nothing about who built an image; it makes the whole path run from the first day. With
 * a certificate alone the signature is made later, elsewhere: `keelson sign`.
 */
#ifndef KEELSON_SIGN_H
#define KEELSON_SIGN_H

#include "rootfs-spec/certificate.h"

struct signer {
	const char *key; /* PEM file; NULL: signed later */
	struct certificate certificate;
};

/* With `key` and `certificate` both NULL: the development key. Free with certificate_free(). */
int sign_open(struct signer *signer, struct pool *pool, const char *cache, const char *key,
	      const char *certificate);

/*
 * Append the signature of `data` to `signature`, as long as the certificate says; without a key as
 * many zeroes. A key that is not the certificate's is refused.
 */
int sign(const struct signer *signer, const void *data, size_t size, struct bytes *signature);

#endif
