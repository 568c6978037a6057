/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that the table of the language is made of, private to its files. */
#ifndef KEELSON_SPEC_SCHEMA_H
#define KEELSON_SPEC_SCHEMA_H

#include "rootfs-spec/schema.h"

/* The value of `services`. */
extern const struct schema schema_services;

/* The value of `policies`. */
extern const struct schema schema_policies;

#endif
