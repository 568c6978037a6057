/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input, output and error of PID 1. The kernel leaves them closed when the initramfs has
 * no /dev/console; whatever is opened next would then become one of them.
 */
#ifndef KEELSON_DESCRIPTORS_H
#define KEELSON_DESCRIPTORS_H

/* Open those of 0, 1 and 2 that are closed on /dev/null, or on "/" while there is no /dev. */
void descriptors_standard(void);

#endif
