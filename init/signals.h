/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signal to PID 1 asks for (keelson-init(8)). Each has the meaning that those who send it
 * know. The real-time ones are systemd's (systemd(1), "Signals"), which tools know by their numbers
 * (kured: 34+5); they count from glibc's 34, because musl's SIGRTMIN is 35. The classic ones are
 * those of sysvinit and of the tools that know no other way (busybox's reboot, halt, poweroff).
 *
 *                  on a machine                     in a container
 *     SIGTERM      reboot (busybox reboot)          end (every engine's stop)
 *     SIGINT       reboot (ctrl-alt-del)            end (Ctrl-C of who runs it)
 *     SIGUSR1      halt (busybox halt)              end
 *     SIGUSR2      power off (busybox poweroff)     end
 *     SIGPWR       power off (the power fails)      end (LXC's stop)
 *     34+3, 34+13  halt                             end (podman's and nspawn's stop)
 *     34+4, 34+14  power off                        end
 *     34+5, 34+15  reboot                           reboot: the container is to be started anew
 *     34+6, 34+16  kexec                            refused
 *
 * 34+13 to 34+16 mean "now": what is left is killed. SIGTERM is no power-off on a machine: a node
 * that came back by mistake can be reached, one that is off cannot.
 *
 * sysvinit's /run/initctl is not served: what still writes to it (telinit of a sysvinit that is not
 * in the image) speaks of runlevels, which there are none of; its halt and reboot fall back to
 * signals or have --force. Pure.
 */
#ifndef KEELSON_SIGNALS_H
#define KEELSON_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

#include "svc/control.h"

#define SIGNALS_RTMIN 34

struct signal_request {
	bool wanted; /* false: a signal that asks for nothing */
	bool forced;
	enum control_power action;
};

struct signal_request signal_means(uint32_t signal, bool container);

#endif
