/* SPDX-License-Identifier: Apache-2.0 */
#include "init/options.h"

#include <stddef.h>
#include <string.h>

/* The value of `argument` if it begins with `name`, else NULL. */
static const char *value_of(const char *argument, const char *name)
{
	size_t length = strlen(name);

	return strncmp(argument, name, length) == 0 ? argument + length : NULL;
}

/* A descriptor's number above the standard three, or -1. */
static int descriptor(const char *text)
{
	int number = 0;

	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9' || number > 99999)
			return -1;
		number = number * 10 + (*text - '0');
	}
	return number > 2 ? number : -1;
}

static bool take(const char *argument, struct options *options)
{
	const char *value = value_of(argument, "--plan=");

	if (value) {
		options->plan = value;
		return true;
	}
	value = value_of(argument, "--record=");
	if (value) {
		options->record = descriptor(value);
		return options->record >= 0;
	}
	value = value_of(argument, "--watchdog=");
	if (value) {
		options->watchdog = descriptor(value);
		return options->watchdog >= 0;
	}
	options->container |= strcmp(argument, "--container") == 0;
	options->version |= strcmp(argument, "--version") == 0;
	return strcmp(argument, "--container") == 0 || strcmp(argument, "--version") == 0;
}

void options_parse(int argc, char **argv, struct options *options)
{
	*options = (struct options){.record = -1, .watchdog = -1};
	for (int i = 1; i < argc; i++)
		if (!take(argv[i], options) && !options->unknown)
			options->unknown = argv[i];
}
