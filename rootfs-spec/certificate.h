/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and keys of the builder's machine, by openssl(1): X.509 certificates of RSA keys as
 * the node's kernel takes them (crypto/asymmetric_keys/x509_cert_parser.c). Errors are reported.
 */
#ifndef KEELSON_CERTIFICATE_H
#define KEELSON_CERTIFICATE_H

#include <stdbool.h>

#include "rootfs-spec/plan.h"
#include "rootfs-spec/pool.h"
#include "rootfs-spec/sha256.h"
#include "rootfs-spec/slot_header.h"

/* The subject of keys that keelson makes for itself. It proves nothing about who built an image. */
#define CERTIFICATE_DEVELOPMENT "keelson development key"

struct certificate {
	const char *path;
	struct bytes der;               /* the caller's to free */
	struct bytes public_key;        /* PEM; the caller's to free */
	uint8_t id[SHA256_BYTES];       /* SHA-256 of `der` */
	char name[SLOT_KEY_NAME_BYTES]; /* common name of its subject; may be "" */
	uint32_t signature_bytes;       /* of a signature by its key: 256, 384 or 512 */
};

/* PEM or DER. */
int certificate_read(const char *path, struct certificate *certificate);
void certificate_free(struct certificate *certificate);

bool certificate_is_development(const struct certificate *certificate);

/* The certificates that an image trusts, in the order of its plans. Free each. */
struct trust {
	struct certificate list[PLAN_MAX_KEYS];
	size_t count;
};

/* Add a certificate, unless it is there already; refused when the list is full. */
int trust_add(struct trust *trust, const char *path);
void trust_free(struct trust *trust);

/* The certificate of that id, or NULL. */
const struct certificate *trust_find(const struct trust *trust, const uint8_t id[SHA256_BYTES]);

/* 0; -EKEYREJECTED when the signature is not one of `data` by that key, without a word. */
int certificate_verify(const struct certificate *certificate, const void *data, size_t size,
		       const void *signature, size_t signature_bytes);

/*
 * Make a key of `bits` (PEM, readable by its owner only) and a certificate of that name with it
 * (PEM, or DER at a path that ends so). Neither file may exist: -EEXIST, nothing is replaced.
 */
int certificate_make(const char *name, unsigned int bits, unsigned int days, const char *key,
		     const char *path);

#endif
