/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one line in the kernel log when the node is up, and a duration for people.
 *
 *     up in 3.214 s (kernel 1.902, initramfs 0.204, system 0.108, services 1.000): 4 services,
 *     slot a, image 1.0
 *
 * Pure.
 */
#ifndef KEELSON_SUMMARY_H
#define KEELSON_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

#define SUMMARY_BYTES 256u

struct summary {
	uint64_t init_ns;     /* /init began; 0: there was no initramfs of keelson's */
	uint64_t node_ns;     /* the slot's PID 1 began */
	uint64_t services_ns; /* services were started */
	uint64_t up_ns;       /* every wanted service was up */
	uint32_t services;    /* how many are up */
	int slot;             /* 0: a, 1: b, -1: not booted from a slot */
	const char *image;    /* version, "" for none */
};

/* Write the line, without prefix and newline, to `text`; returns its length. */
size_t summary_format(char text[SUMMARY_BYTES], const struct summary *summary);

/* Seconds and milliseconds, "3.214", rounded down. */
size_t summary_seconds(char *text, size_t size, uint64_t ns);

#endif
