// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/sign.h"

#include "rootfs-spec/cache.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/run.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * What the kernel's parser wants (crypto/asymmetric_keys/x509_cert_parser.c): v3, RSA, SHA-256, a
 * subject key identifier. digitalSignature is what the key is for.
 */
static const char request_config[] = "[req]\n"
				     "distinguished_name = name\n"
				     "x509_extensions = extensions\n"
				     "prompt = no\n"
				     "[name]\n"
				     "CN = keelson development key\n"
				     "[extensions]\n"
				     "basicConstraints = critical,CA:FALSE\n"
				     "keyUsage = critical,digitalSignature\n"
				     "subjectKeyIdentifier = hash\n"
				     "authorityKeyIdentifier = keyid\n";

static int make_development_key(struct pool *pool, const char *directory, const char *key,
				const char *certificate)
{
	const char *config = pool_printf(pool, "%s/request.cnf", directory);
	const char *new_key = pool_printf(pool, "%s.new", key);
	const char *argv[] = {"openssl",  "req",    "-x509",     "-new",  "-newkey",
			      "rsa:2048", "-nodes", "-sha256",   "-days", "36500",
			      "-config",  config,   "-keyout",   new_key, "-outform",
			      "DER",      "-out",   certificate, NULL};
	struct run call = {.step = "make a development key", .argv = argv};
	int error;

	report_step("make a development key in %s", directory);
	error = file_write(config, request_config, strlen(request_config), 0644);
	if (error == 0)
		error = run(&call);
	if (error == 0 && chmod(new_key, 0600) < 0)
		error = report_errno(errno, "protect %s", new_key);
	/* Last: the key's presence says that both are complete. */
	return error < 0 ? error : file_rename(new_key, key);
}

static int find_development_key(struct signer *signer, struct pool *pool, const char *cache)
{
	const char *directory = cache_subdirectory(pool, cache, "keys");
	int error = 0;
	int lock;

	if (directory == NULL)
		return -EIO;
	lock = file_lock(pool_printf(pool, "%s/lock", directory));
	if (lock < 0)
		return lock;
	signer->key = pool_printf(pool, "%s/development.key", directory);
	signer->certificate = pool_printf(pool, "%s/development.der", directory);
	if (!file_exists(signer->key))
		error = make_development_key(pool, directory, signer->key, signer->certificate);
	close(lock);
	return error;
}

/* DER is what the kernel reads; PEM is what people keep. */
static int read_certificate(struct signer *signer)
{
	const char *argv[] = {"openssl",  "x509", "-in", signer->certificate,
			      "-outform", "DER",  NULL};
	struct run call = {.step = "read the certificate", .argv = argv, .output = &signer->der};
	int error = run(&call);

	if (error == 0)
		sha256_bytes(signer->der.data, signer->der.size, signer->key_id);
	return error;
}

int sign_open(struct signer *signer, struct pool *pool, const char *cache, const char *key,
	      const char *certificate)
{
	int error = 0;

	*signer = (struct signer){.key = key, .certificate = certificate};
	if ((key == NULL) != (certificate == NULL))
		return report_refusal("--key and --cert belong together");
	if (key == NULL)
		error = find_development_key(signer, pool, cache);
	return error < 0 ? error : read_certificate(signer);
}

int sign(const struct signer *signer, const void *data, size_t size, struct bytes *signature)
{
	const char *argv[] = {"openssl", "dgst", "-sha256", "-sign", signer->key, NULL};
	struct run call = {.step = "sign the slot header",
			   .argv = argv,
			   .input = data,
			   .input_bytes = size,
			   .output = signature};
	size_t before = signature->size;
	int error = run(&call);
	size_t length = signature->size - before;

	if (error == 0 && length != 256 && length != 384 && length != 512)
		return report_refusal("sign the slot header: %s is no RSA key of 2048, 3072 or "
				      "4096 bits",
				      signer->key);
	return error;
}
