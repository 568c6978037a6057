/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that must be unique and yet the same in every build of the same inputs: UUIDs and serial
 * numbers derived from the build id and a label.
 */
#ifndef KEELSON_IDENTITY_H
#define KEELSON_IDENTITY_H

#include "rootfs-spec/sha256.h"

#define UUID_TEXT_BYTES 37u

/* Version 8 of RFC 9562 (custom), from SHA-256 of build id and label. */
void identity_uuid(const uint8_t build_id[SHA256_BYTES], const char *label,
		   char text[UUID_TEXT_BYTES]);

/* A 32-bit serial number, as eight hex digits. */
void identity_serial(const uint8_t build_id[SHA256_BYTES], const char *label, char text[9]);

#endif
