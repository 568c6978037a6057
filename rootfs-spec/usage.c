/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rootfs-spec/nearest.h"
#include "rootfs-spec/usage.h"

#define LONGEST 64

static void tell(const char *command, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void tell(const char *command, const char *format, va_list arguments)
{
	fprintf(stderr, "keelson %s: ", command);
	vfprintf(stderr, format, arguments);
	fputs("\n", stderr);
}

static int read_on(const char *command)
{
	fprintf(stderr, "    `keelson %s --help` tells more\n", command);
	return USAGE_STATUS;
}

int usage_wrong(const char *command, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell(command, format, arguments);
	va_end(arguments);
	return read_on(command);
}

int usage_option(int code, char **argv, const struct option *options)
{
	const char *word = argv[optind - 1];
	char name[LONGEST] = "";
	struct nearest nearest = {.name = name};

	/* A word of several short options may not be over yet: then optopt knows which it was. */
	if (strncmp(word, "--", 2) != 0)
		return usage_wrong(
			argv[0], code == ':' ? "-%c wants a value" : "unknown option -%c", optopt);
	if (code == ':')
		return usage_wrong(argv[0], "%s wants a value", word);
	size_t length = strcspn(word + 2, "=");
	if (length < sizeof(name))
		memcpy(name, word + 2, length);
	for (; options->name; options++) {
		if (strcmp(options->name, name) == 0)
			return usage_wrong(argv[0], "--%s takes no value", name);
		nearest_offer(&nearest, options->name);
	}
	if (!name[0] || !nearest.best)
		return usage_wrong(argv[0], "unknown option %s", word);
	return usage_wrong(argv[0], "unknown option %s, did you mean --%s?", word, nearest.best);
}

int usage_operand(int argc, char **argv, const char *what)
{
	if (optind == argc || !argv[optind][0])
		return usage_wrong(argv[0], "%s is missing", what);
	if (argc - optind > 1)
		return usage_wrong(argv[0], "one %s, not also '%s'", what, argv[optind + 1]);
	return 0;
}
