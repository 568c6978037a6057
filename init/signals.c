/* SPDX-License-Identifier: Apache-2.0 */
#include "init/signals.h"

#include <signal.h>
#include <stddef.h>

struct meaning {
	uint32_t signal;
	bool forced;
	enum control_power machine;
	enum control_power container;
};

static const struct meaning meanings[] = {
	{SIGTERM, false, CONTROL_REBOOT, CONTROL_POWEROFF},
	{SIGINT, false, CONTROL_REBOOT, CONTROL_POWEROFF},
	{SIGUSR1, false, CONTROL_HALT, CONTROL_HALT},
	{SIGUSR2, false, CONTROL_POWEROFF, CONTROL_POWEROFF},
	{SIGPWR, false, CONTROL_POWEROFF, CONTROL_POWEROFF},
	{SIGNALS_RTMIN + 3, false, CONTROL_HALT, CONTROL_HALT},
	{SIGNALS_RTMIN + 4, false, CONTROL_POWEROFF, CONTROL_POWEROFF},
	{SIGNALS_RTMIN + 5, false, CONTROL_REBOOT, CONTROL_REBOOT},
	{SIGNALS_RTMIN + 6, false, CONTROL_KEXEC, CONTROL_KEXEC},
	{SIGNALS_RTMIN + 13, true, CONTROL_HALT, CONTROL_HALT},
	{SIGNALS_RTMIN + 14, true, CONTROL_POWEROFF, CONTROL_POWEROFF},
	{SIGNALS_RTMIN + 15, true, CONTROL_REBOOT, CONTROL_REBOOT},
	{SIGNALS_RTMIN + 16, true, CONTROL_KEXEC, CONTROL_KEXEC},
};

struct signal_request signal_means(uint32_t signal, bool container)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		const struct meaning *meaning = &meanings[i];

		if (meaning->signal == signal)
			return (struct signal_request){true, meaning->forced,
						       container ? meaning->container
								 : meaning->machine};
	}
	return (struct signal_request){.wanted = false};
}
