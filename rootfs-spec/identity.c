// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/identity.h"

#include <stdio.h>
#include <string.h>

static void derive(const uint8_t build_id[SHA256_BYTES], const char *label,
		   uint8_t digest[SHA256_BYTES])
{
	struct sha256 hash;

	sha256_begin(&hash);
	sha256_add(&hash, build_id, SHA256_BYTES);
	sha256_add(&hash, label, strlen(label));
	sha256_end(&hash, digest);
}

void identity_uuid(const uint8_t build_id[SHA256_BYTES], const char *label,
		   char text[UUID_TEXT_BYTES])
{
	uint8_t d[SHA256_BYTES];

	derive(build_id, label, d);
	d[6] = (uint8_t)((d[6] & 0x0f) | 0x80);
	d[8] = (uint8_t)((d[8] & 0x3f) | 0x80);
	snprintf(text, UUID_TEXT_BYTES,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0], d[1],
		 d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14],
		 d[15]);
}

void identity_serial(const uint8_t build_id[SHA256_BYTES], const char *label, char text[9])
{
	uint8_t d[SHA256_BYTES];

	derive(build_id, label, d);
	snprintf(text, 9, "%02x%02x%02x%02x", d[0], d[1], d[2], d[3]);
}
