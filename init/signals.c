/* SPDX-License-Identifier: Apache-2.0 */
#include "init/signals.h"

#include <signal.h>

struct signal_request signal_means(uint32_t signal)
{
	switch (signal) {
	case SIGTERM:
	case SIGPWR:
	case SIGNALS_RTMIN + 4: return (struct signal_request){true, false, CONTROL_POWEROFF};
	case SIGINT:
	case SIGNALS_RTMIN + 5: return (struct signal_request){true, false, CONTROL_REBOOT};
	case SIGNALS_RTMIN + 3: return (struct signal_request){true, false, CONTROL_HALT};
	case SIGNALS_RTMIN + 13: return (struct signal_request){true, true, CONTROL_HALT};
	case SIGNALS_RTMIN + 14: return (struct signal_request){true, true, CONTROL_POWEROFF};
	case SIGNALS_RTMIN + 15: return (struct signal_request){true, true, CONTROL_REBOOT};
	default: return (struct signal_request){.wanted = false};
	}
}
