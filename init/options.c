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

/* A number of at most six digits, or -1. */
static int number(const char *text)
{
	int value = 0;

	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9' || value > 99999)
			return -1;
		value = value * 10 + (*text - '0');
	}
	return value;
}

/* A descriptor's number above the standard three, or -1. */
static int descriptor(const char *text)
{
	int fd = number(text);

	return fd > 2 ? fd : -1;
}

static bool take_descriptor(const char *argument, const char *name, int *fd)
{
	const char *value = value_of(argument, name);

	if (value)
		*fd = descriptor(value);
	return value && *fd >= 0;
}

static bool take(const char *argument, struct options *options)
{
	const char *value = value_of(argument, "--plan=");

	if (value) {
		options->plan = value;
		return true;
	}
	value = value_of(argument, "--again=");
	if (value) {
		options->again = value;
		return true;
	}
	value = value_of(argument, "--crash-period=");
	if (value && number(value) >= 0) {
		options->crash_period_s = (uint32_t)number(value);
		return true;
	}
	if (take_descriptor(argument, "--record=", &options->record) ||
	    take_descriptor(argument, "--watchdog=", &options->watchdog) ||
	    take_descriptor(argument, "--world=", &options->world))
		return true;
	options->container |= strcmp(argument, "--container") == 0;
	options->version |= strcmp(argument, "--version") == 0;
	return strcmp(argument, "--container") == 0 || strcmp(argument, "--version") == 0;
}

void options_parse(int argc, char **argv, struct options *options)
{
	*options = (struct options){
		.record = -1, .watchdog = -1, .world = -1, .crash_period_s = UINT32_MAX};
	for (int i = 1; i < argc; i++)
		if (!take(argv[i], options) && !options->unknown)
			options->unknown = argv[i];
}

void options_of_machine(struct options *options)
{
	options->container = false;
	options->version = false;
	options->crash_period_s = UINT32_MAX;
}
