/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power button. The kernel tells of it through an input device that has the key KEY_POWER
 * (Documentation/input/event-codes.rst): ACPI's by its driver `button`, those of boards by gpio_keys,
 * a virtual machine's by either; `evdev` gives them a file each, /dev/input/event*. In Debian's cloud
 * kernel both are modules that the plan has to load. Keyboards have such keys too, and count: whoever
 * can press them stands before the machine.
 *
 * The devices that are there when services start are heard, and those that come later.
 *
 * A press asks for a power-off, KEY_RESTART for a reboot. Some machines tell of one press twice, by
 * the fixed button and by a device of the firmware's: a press within BUTTON_BOUNCE_NS of the last one
 * is the same. A later one is a second request, which forces.
 */
#ifndef KEELSON_BUTTON_H
#define KEELSON_BUTTON_H

#include <stdbool.h>
#include <stdint.h>

#include "svc/control.h"

#define BUTTON_DEVICES_MAX 8u
#define BUTTON_BOUNCE_NS 1000000000ull
#define BUTTON_KEYS 2u /* epoll keys that button_open() uses from its first one on */

/*
 * Find the buttons and watch them in `epoll_fd` under the keys first_key (new devices) and
 * first_key + 1 (presses). 0, also when there is none, or negative errno.
 */
int button_open(int epoll_fd, uint64_t first_key);

/* Read presses, if there are any. */
void button_look(void);

/* Something was heard under `key`: look for new devices, or read presses. */
void button_handle(uint64_t key);

/*
 * Pure: what a press of key `code` at `now_ns` asks for, when the last one was at `last_ns` (0:
 * none). False: nothing.
 */
bool button_means(uint16_t code, uint64_t now_ns, uint64_t last_ns, enum control_power *action);

#endif
