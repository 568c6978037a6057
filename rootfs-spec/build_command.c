// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/build.h"

#include "rootfs-spec/report.h"
#include "rootfs-spec/usage.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char build_help[] =
	"usage: keelson build SPEC -o DIR [OPTION...]\n"
	"\n"
	"Make the image that SPEC describes, in the new directory DIR.\n"
	"\n"
	"  -o, --output DIR         where to; an image that is there is replaced when all is done\n"
	"      --programs DIR       a build or an installation of keelson with the node's "
	"programs\n"
	"      --program NAME=PATH  what `program:NAME` in the spec is; may be repeated\n"
	"      --profiles DIR       where `extends: NAME` is looked up, too\n"
	"      --key FILE           sign with this RSA key (PEM) ...\n"
	"      --cert FILE          ... and its certificate (PEM or DER); without both, a\n"
	"                           development key from the cache; with --cert alone the image "
	"is\n"
	"                           signed later (`keelson sign`)\n"
	"      --release            refuse the development key, as `image: {release: true}` does\n"
	"      --update             without a lock file: the packages that the sources have now\n"
	"      --fresh              use nothing that an earlier build packed\n"
	"  -q, --quiet              no progress lines\n"
	"\n"
	"What is downloaded and packed is kept in $KEELSON_CACHE (~/.cache/keelson).\n";

static const char lock_help[] =
	"usage: keelson lock SPEC [--profiles DIR]\n"
	"\n"
	"Resolve the packages of SPEC by this machine's sources and write names, versions and\n"
	"SHA-256 to the lock file beside it; `keelson build` then uses exactly these.\n";

enum option_code {
	OPTION_PROGRAMS = 256,
	OPTION_PROGRAM,
	OPTION_PROFILES,
	OPTION_KEY,
	OPTION_CERTIFICATE,
	OPTION_UPDATE,
	OPTION_RELEASE,
	OPTION_FRESH
};

static const struct option build_table[] = {
	{"output", required_argument, NULL, 'o'},
	{"programs", required_argument, NULL, OPTION_PROGRAMS},
	{"program", required_argument, NULL, OPTION_PROGRAM},
	{"profiles", required_argument, NULL, OPTION_PROFILES},
	{"key", required_argument, NULL, OPTION_KEY},
	{"cert", required_argument, NULL, OPTION_CERTIFICATE},
	{"update", no_argument, NULL, OPTION_UPDATE},
	{"fresh", no_argument, NULL, OPTION_FRESH},
	{"release", no_argument, NULL, OPTION_RELEASE},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const struct option lock_table[] = {
	{"profiles", required_argument, NULL, OPTION_PROFILES},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* -1: go on. `given` has room for every argument. */
static int parse(int argc, char **argv, const char *shorts, const struct option *table,
		 const char *help, struct build_options *options, const char **given)
{
	int code;

	optind = 0; /* getopt(3): begin anew */
	opterr = 0;
	while ((code = getopt_long(argc, argv, shorts, table, NULL)) != -1) {
		switch (code) {
		case 'o': options->output = optarg; break;
		case 'q': report_set_quiet(1); break;
		case 'h': fputs(help, stdout); return EXIT_SUCCESS;
		case OPTION_PROGRAMS: options->programs = optarg; break;
		case OPTION_PROGRAM:
			if (strchr(optarg, '=') == NULL)
				return usage_wrong(argv[0], "--program is NAME=PATH, not '%s'",
						   optarg);
			given[options->given_count++] = optarg;
			break;
		case OPTION_PROFILES: options->profiles = optarg; break;
		case OPTION_KEY: options->key = optarg; break;
		case OPTION_CERTIFICATE: options->certificate = optarg; break;
		case OPTION_UPDATE: options->update = true; break;
		case OPTION_RELEASE: options->release = true; break;
		case OPTION_FRESH: options->fresh = true; break;
		default: return usage_option(code, argv, table);
		}
	}
	if (usage_operand(argc, argv, "SPEC"))
		return USAGE_STATUS;
	options->spec = argv[optind];
	return -1;
}

static bool is_readable(const char *path)
{
	return access(path, R_OK) == 0 || report_errno(errno, "read %s", path) == 0;
}

/* "out/" means "out": DIR.tmp must lie beside it. */
static void drop_trailing_slashes(char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		path[--length] = '\0';
}

int build_command(int argc, char **argv)
{
	struct build_options options = {0};
	const char **given = calloc((size_t)argc, sizeof(*given));
	char *output = NULL;
	int status;

	if (given == NULL)
		return EXIT_FAILURE;
	options.given = given;
	status = parse(argc, argv, ":o:qh", build_table, build_help, &options, given);
	if (status < 0 && (options.output == NULL || !options.output[0]))
		status = usage_wrong(argv[0], "--output DIR is missing");
	/* Told now, not after minutes of packing. */
	if (status < 0 && options.key != NULL && options.certificate == NULL)
		status = usage_wrong(argv[0], "--key goes with --cert");
	if (status < 0 && ((options.key != NULL && !is_readable(options.key)) ||
			   (options.certificate != NULL && !is_readable(options.certificate))))
		status = EXIT_FAILURE;
	if (status < 0) {
		output = strdup(options.output);
		if (output != NULL) {
			drop_trailing_slashes(output);
			options.output = output;
		}
		status = build(&options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	free(output);
	free(given);
	return status;
}

int build_lock_command(int argc, char **argv)
{
	struct build_options options = {0};
	const char **given = calloc((size_t)argc, sizeof(*given));
	int status;

	if (given == NULL)
		return EXIT_FAILURE;
	status = parse(argc, argv, ":h", lock_table, lock_help, &options, given);
	if (status < 0)
		status = build_lock(options.spec, options.profiles) < 0 ? EXIT_FAILURE
									: EXIT_SUCCESS;
	free(given);
	return status;
}
