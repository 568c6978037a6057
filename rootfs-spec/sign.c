// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/sign.h"

#include <errno.h>
#include <unistd.h>

#include "rootfs-spec/cache.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/run.h"

#define DEVELOPMENT_BITS 2048u
#define DEVELOPMENT_DAYS 36500u

static int find_development_key(struct pool *pool, const char *cache, const char **key,
				const char **certificate)
{
	const char *directory = cache_subdirectory(pool, cache, "keys");
	int error = 0;
	int lock;

	if (directory == NULL)
		return -EIO;
	lock = file_lock(pool_printf(pool, "%s/lock", directory));
	if (lock < 0)
		return lock;
	*key = pool_printf(pool, "%s/development.key", directory);
	*certificate = pool_printf(pool, "%s/development.der", directory);
	if (!file_exists(*key)) {
		report_step("make a development key in %s", directory);
		unlink(*certificate); /* of a run that was killed between the two */
		error = certificate_make(CERTIFICATE_DEVELOPMENT, DEVELOPMENT_BITS,
					 DEVELOPMENT_DAYS, *key, *certificate);
	}
	close(lock);
	return error;
}

int sign_open(struct signer *signer, struct pool *pool, const char *cache, const char *key,
	      const char *certificate)
{
	int error = 0;

	*signer = (struct signer){0};
	if (key != NULL && certificate == NULL)
		return report_refusal("--key goes with --cert");
	if (certificate == NULL)
		error = find_development_key(pool, cache, &key, &certificate);
	signer->key = key;
	return error < 0 ? error : certificate_read(certificate, &signer->certificate);
}

int sign(const struct signer *signer, const void *data, size_t size, struct bytes *signature)
{
	const struct certificate *certificate = &signer->certificate;
	const char *argv[] = {"openssl", "dgst", "-sha256", "-sign", signer->key, NULL};
	struct run call = {.step = "sign the slot header",
			   .argv = argv,
			   .input = data,
			   .input_bytes = size,
			   .output = signature};
	size_t before = signature->size;
	int error;

	if (signer->key == NULL) {
		bytes_zero(signature, certificate->signature_bytes);
		return 0;
	}
	error = run(&call);
	if (error < 0)
		return error;
	error = signature->size - before == certificate->signature_bytes
			? certificate_verify(certificate, data, size, signature->data + before,
					     signature->size - before)
			: -EKEYREJECTED;
	if (error == -EKEYREJECTED)
		return report_refusal("%s is not the key of %s", signer->key, certificate->path);
	return error;
}
