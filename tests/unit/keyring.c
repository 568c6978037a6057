/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures checked by the kernel's keys, with keys and signatures that openssl made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "mount/keyring.h"
#include "mount/sys.h"
#include "rootfs-spec/sha256.h"

static char directory[] = "/tmp/keelson-keyring-XXXXXX";
static struct keyring keyring;
static uint8_t digest[HASH_BYTES];
static uint8_t signature[512];
static bool ready;

static ssize_t slurp(const char *name, uint8_t *bytes, size_t size)
{
	char path[sizeof(directory) + 16];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, bytes, size);
	close(fd);
	return n;
}

/* Trust a certificate without hash_open(), which this machine's kernel may not have. */
static int trust(const char *name)
{
	uint8_t der[KEYRING_CERTIFICATE_MAX_BYTES];
	ssize_t size = slurp(name, der, sizeof(der));
	uint32_t at = keyring.count;

	if (size <= 0)
		return -EIO;
	sha256_bytes(der, (size_t)size, keyring.keys[at].id);
	keyring.keys[at].key = sys_add_key("asymmetric", NULL, der, (size_t)size, keyring.id);
	if (keyring.keys[at].key < 0)
		return keyring.keys[at].key;
	keyring.count++;
	return 0;
}

static int make_keys(void **state)
{
	static const char command[] =
		"cd \"$DIR\" && command -v openssl >/dev/null && for k in one two; do"
		" openssl req -x509 -newkey rsa:4096 -nodes -keyout $k.pem -subj /CN=$k -days 30"
		" -outform DER -out $k.der 2>/dev/null || exit 1; done &&"
		" printf message >message && openssl dgst -sha256 -sign one.pem -out signature "
		"message";

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	setenv("DIR", directory, 1);
	if (system(command) != 0 || keyring_open(&keyring) != 0 || trust("two.der") != 0 ||
	    trust("one.der") != 0)
		return 0; /* no openssl, or a kernel without such keys */
	sha256_bytes("message", 7, digest);
	ready = slurp("signature", signature, sizeof(signature)) == sizeof(signature);
	return 0;
}

static int remove_keys(void **state)
{
	(void)state;
	return system("rm -rf \"$DIR\"");
}

static int verify(uint32_t key)
{
	return keyring_verify(&keyring, keyring.keys[key].id, digest, signature, sizeof(signature));
}

static void a_signature_of_a_trusted_key_verifies(void **state)
{
	(void)state;
	if (!ready)
		skip();
	assert_int_equal(verify(1), 0);
}

static void anything_else_does_not(void **state)
{
	uint8_t unknown[HASH_BYTES] = {0};

	(void)state;
	if (!ready)
		skip();
	assert_true(verify(0) < 0); /* the other key */
	assert_int_equal(keyring_verify(&keyring, unknown, digest, signature, 512), -ENOKEY);
	digest[0] ^= 1;
	assert_true(verify(1) < 0);
	digest[0] ^= 1;
	signature[511] ^= 1;
	assert_true(verify(1) < 0);
	signature[511] ^= 1;
	assert_int_equal(verify(1), 0);
}

static void a_file_that_is_no_certificate_is_not_trusted(void **state)
{
	struct keyring empty;
	int hash = hash_open();
	char path[sizeof(directory) + 16];

	(void)state;
	if (!ready || hash < 0)
		skip(); /* a kernel without AF_ALG hashes */
	assert_int_equal(keyring_open(&empty), 0);
	snprintf(path, sizeof(path), "%s/message", directory);
	assert_int_equal(keyring_trust(&empty, hash, path), -EBADMSG);
	assert_int_equal(keyring_trust(&empty, hash, "/nonexistent"), -ENOENT);
	assert_int_equal(empty.count, 0);
	snprintf(path, sizeof(path), "%s/one.der", directory);
	assert_int_equal(keyring_trust(&empty, hash, path), 0);
	assert_memory_equal(empty.keys[0].id, keyring.keys[1].id, HASH_BYTES);
	close(hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signature_of_a_trusted_key_verifies),
		cmocka_unit_test(anything_else_does_not),
		cmocka_unit_test(a_file_that_is_no_certificate_is_not_trusted),
	};

	return cmocka_run_group_tests_name("keyring", tests, make_keys, remove_keys);
}
