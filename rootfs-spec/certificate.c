// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/run.h"

/* ---- reading ---- */

/* What stands behind `label` up to the end of its line; "" when there is none. */
static const char *line_after(const struct bytes *text, const char *label, size_t *length)
{
	const char *at = text->size > 0 ? strstr((char *)text->data, label) : NULL;

	at = at != NULL ? at + strlen(label) : "";
	*length = strcspn(at, "\n");
	return at;
}

/* The header takes printable ASCII, and people see it on terminals. */
static void take_name(struct certificate *certificate, const struct bytes *text)
{
	size_t length;
	const char *name = line_after(text, "\n    commonName = ", &length);
	size_t most = sizeof(certificate->name) - 1;

	for (size_t i = 0; i < length && i < most; i++)
		certificate->name[i] = (char)(name[i] >= 0x20 && name[i] < 0x7f ? name[i] : '?');
}

static int take_key(struct certificate *certificate, const struct bytes *text)
{
	static const char begin[] = "-----BEGIN PUBLIC KEY-----";
	const char *key = text->size > 0 ? strstr((char *)text->data, begin) : NULL;
	size_t digits;
	const char *modulus = line_after(text, "Modulus=", &digits);

	certificate->signature_bytes = (uint32_t)digits / 2;
	if (strspn(modulus, "0123456789ABCDEF") != digits || key == NULL ||
	    (digits != 512 && digits != 768 && digits != 1024))
		return report_refusal("%s is not of an RSA key of 2048, 3072 or 4096 bits",
				      certificate->path);
	bytes_text(&certificate->public_key, key);
	return 0;
}

int certificate_read(const char *path, struct certificate *certificate)
{
	const char *as_der[] = {"openssl", "x509", "-in", path, "-outform", "DER", NULL};
	const char *as_text[] = {"openssl",  "x509",     "-in",     path,       "-noout",
				 "-subject", "-modulus", "-pubkey", "-nameopt", "multiline,-align",
				 NULL};
	struct bytes text = {0};
	struct run der = {
		.step = "read a certificate", .argv = as_der, .output = &certificate->der};
	struct run told = {.step = "read a certificate", .argv = as_text, .output = &text};
	int error;

	*certificate = (struct certificate){.path = path};
	error = run(&der);
	if (error == 0)
		error = run(&told);
	if (error == 0) {
		sha256_bytes(certificate->der.data, certificate->der.size, certificate->id);
		take_name(certificate, &text);
		error = take_key(certificate, &text);
	}
	bytes_free(&text);
	if (error < 0)
		certificate_free(certificate);
	return error;
}

void certificate_free(struct certificate *certificate)
{
	bytes_free(&certificate->der);
	bytes_free(&certificate->public_key);
}

bool certificate_is_development(const struct certificate *certificate)
{
	return strcmp(certificate->name, CERTIFICATE_DEVELOPMENT) == 0;
}

/* ---- lists ---- */

int trust_add(struct trust *trust, const char *path)
{
	struct certificate certificate;
	int error = certificate_read(path, &certificate);

	if (error < 0)
		return error;
	if (trust_find(trust, certificate.id) != NULL) {
		certificate_free(&certificate);
		return 0;
	}
	if (trust->count == PLAN_MAX_KEYS) {
		certificate_free(&certificate);
		return report_refusal("%s: an image trusts at most %u keys", path, PLAN_MAX_KEYS);
	}
	trust->list[trust->count++] = certificate;
	return 0;
}

void trust_free(struct trust *trust)
{
	for (size_t i = 0; i < trust->count; i++)
		certificate_free(&trust->list[i]);
	trust->count = 0;
}

const struct certificate *trust_find(const struct trust *trust, const uint8_t id[SHA256_BYTES])
{
	for (size_t i = 0; i < trust->count; i++)
		if (memcmp(trust->list[i].id, id, SHA256_BYTES) == 0)
			return &trust->list[i];
	return NULL;
}

/* ---- signatures ---- */

/* openssl takes key and signature from files only. */
int certificate_verify(const struct certificate *certificate, const void *data, size_t size,
		       const void *signature, size_t signature_bytes)
{
	char directory[] = "/tmp/keelson-verify.XXXXXX";
	struct pool pool = {0};
	int error;

	if (mkdtemp(directory) == NULL)
		return report_errno(errno, "make a directory in /tmp");
	const char *key = pool_printf(&pool, "%s/key", directory);
	const char *file = pool_printf(&pool, "%s/signature", directory);
	const char *argv[] = {"openssl", "dgst",       "-sha256", "-verify",
			      key,       "-signature", file,      NULL};
	struct bytes errors = {0};
	struct run call = {.step = "verify a signature",
			   .argv = argv,
			   .input = data,
			   .input_bytes = size,
			   .errors = &errors};

	error = file_write(key, certificate->public_key.data, certificate->public_key.size, 0600);
	if (error == 0)
		error = file_write(file, signature, signature_bytes, 0600);
	if (error == 0)
		error = run(&call);
	if (error == -ECHILD)
		error = -EKEYREJECTED;
	file_remove_tree(directory);
	bytes_free(&errors);
	pool_free(&pool);
	return error;
}

/* ---- making ---- */

/*
 * What the kernel's parser wants: v3, RSA, SHA-256, a subject key identifier. digitalSignature is
 * what the key is for.
 */
static const char request[] = "[req]\n"
			      "distinguished_name = name\n"
			      "x509_extensions = extensions\n"
			      "prompt = no\n"
			      "[name]\n"
			      "CN = \"%s\"\n"
			      "[extensions]\n"
			      "basicConstraints = critical,CA:FALSE\n"
			      "keyUsage = critical,digitalSignature\n"
			      "subjectKeyIdentifier = hash\n"
			      "authorityKeyIdentifier = keyid\n";

/* DER where the name says so, else PEM. */
static const char *form_of(const char *path)
{
	size_t length = strlen(path);

	return length > 4 && strcmp(path + length - 4, ".der") == 0 ? "DER" : "PEM";
}

static int generate(struct pool *pool, const char *directory, const char *name, unsigned int bits,
		    unsigned int days, const char *form)
{
	const char *config = pool_printf(pool, "%s/request", directory);
	const char *text = pool_printf(pool, request, name);
	const char *argv[] = {"openssl",  "req",
			      "-x509",    "-new",
			      "-nodes",   "-sha256",
			      "-newkey",  pool_printf(pool, "rsa:%u", bits),
			      "-days",    pool_printf(pool, "%u", days),
			      "-config",  config,
			      "-outform", form,
			      "-keyout",  pool_printf(pool, "%s/key", directory),
			      "-out",     pool_printf(pool, "%s/certificate", directory),
			      NULL};
	struct run call = {.step = "make a key", .argv = argv};
	int error = file_write(config, text, strlen(text), 0600);

	return error < 0 ? error : run(&call);
}

/* link(2) replaces nothing, whoever else makes the same file now. */
static int place(const char *from, const char *to, mode_t mode)
{
	if (chmod(from, mode) < 0 || link(from, to) < 0)
		return report_errno(errno, "make %s", to);
	return 0;
}

int certificate_make(const char *name, unsigned int bits, unsigned int days, const char *key,
		     const char *path)
{
	struct pool pool = {0};
	char *directory = pool_printf(&pool, "%s.XXXXXX", key);
	int error = 0;

	/* Told before a key is made that nobody would keep. */
	if (file_exists(key) || file_exists(path))
		error = report_errno(EEXIST, "make %s", file_exists(key) ? key : path);
	else if (mkdtemp(directory) == NULL)
		error = report_errno(errno, "make a directory beside %s", key);
	if (error < 0) {
		pool_free(&pool);
		return error;
	}
	error = generate(&pool, directory, name, bits, days, form_of(path));
	if (error == 0)
		error = place(pool_printf(&pool, "%s/certificate", directory), path, 0644);
	if (error == 0) {
		/* Last: the key's presence says that both are complete. */
		error = place(pool_printf(&pool, "%s/key", directory), key, 0600);
		if (error < 0)
			unlink(path);
	}
	file_remove_tree(directory);
	pool_free(&pool);
	return error;
}
