/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 by the kernel: AF_ALG sockets (Documentation/crypto/userspace-if.rst). Needs the modules
 * af_alg and algif_hash where they are not built in.
 */
#ifndef KEELSON_HASH_H
#define KEELSON_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define HASH_BYTES 32u

/* A socket that hash_sha256() takes; the caller closes it. Negative errno: socket(2), bind(2). */
int hash_open(void);

/* The digest of the concatenated parts. 0 or negative errno. */
int hash_sha256(int hash, const struct iovec *parts, size_t count, uint8_t digest[HASH_BYTES]);

#endif
