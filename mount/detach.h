/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block devices made of other things: at the end of the node they are taken apart, so that what is
 * below them is written and free. Each function makes its system calls in timed children (child.h)
 * and stops at a deadline. No md arrays: no profile of keelson's assembles any.
 */
#ifndef KEELSON_DETACH_H
#define KEELSON_DETACH_H

#include <stdint.h>

/* How long single calls and all of them may take; times are of CLOCK_MONOTONIC. */
struct detach_budget {
	uint64_t step_ns;
	uint64_t deadline_ns;
	uint64_t began_ns;
	uint64_t hurried_ns; /* all that is left once somebody hurries (child.h) */
};

/* How long the next call may take; 0: nothing is left. Somebody who hurries is heard. */
uint64_t detach_step_ns(const struct detach_budget *budget);

/*
 * Detach loop devices that are bound and not in use; a partition goes with its device. Returns how
 * many were.
 */
int detach_loops(const struct detach_budget *budget);

/*
 * Remove device-mapper devices that nobody has open, from the top down (DM_REMOVE_ALL of
 * linux/dm-ioctl.h). The root's is mounted and so stays. 0, also without device-mapper, or negative
 * errno.
 */
int detach_mapped(const struct detach_budget *budget);

/* Switch swapping off (/proc/swaps), which frees the files and devices it uses. Returns how many. */
int detach_swaps(const struct detach_budget *budget);

#endif
