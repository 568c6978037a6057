/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4), for the builder's machine: build ids, digests of OCI blobs, checks of
 * downloaded packages. Nothing here is a secret, and nothing on a node uses it: there the kernel
 * hashes.
 */
#ifndef KEELSON_SHA256_H
#define KEELSON_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32u
#define SHA256_TEXT_BYTES 65u /* 64 hex digits and NUL */

struct sha256 {
	uint32_t state[8];
	uint64_t length_bytes;
	uint8_t block[64];
};

void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *bytes, size_t size);
void sha256_end(struct sha256 *hash, uint8_t digest[SHA256_BYTES]);

/* All three at once. */
void sha256_bytes(const void *bytes, size_t size, uint8_t digest[SHA256_BYTES]);

/* The digest of a regular file's content: 0 or a negative errno. */
int sha256_file(const char *path, uint8_t digest[SHA256_BYTES]);

/* As lower-case hex digits. */
void sha256_text(const uint8_t digest[SHA256_BYTES], char text[SHA256_TEXT_BYTES]);

#endif
