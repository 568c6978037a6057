/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a blessing: let the boot loader's kernel and initramfs be replaced by those of the image that
 * proved itself, so that the next boot needs no kexec (kexec.h) and its initramfs trusts what the image
 * trusts. keelson-slot does it (slot_bootstrap.c), which may sleep and be killed at any time.
 */
#ifndef KEELSON_BOOTSTRAP_H
#define KEELSON_BOOTSTRAP_H

#include <stdbool.h>

#include "init/record.h"

/* Pure: did this boot begin with another image's kernel or initramfs? */
bool bootstrap_is_old(const struct record *record);

/* Begin to replace it if it is old. Nobody waits for the child; it says itself what it did. */
void bootstrap_replace(const struct record *record);

#endif
