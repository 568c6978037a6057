// SPDX-License-Identifier: Apache-2.0
/* keelson bundle */
#include <stdio.h>
#include <stdlib.h>

#include "rootfs-spec/bundle_file.h"
#include "rootfs-spec/image_commands.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/sizes.h"
#include "rootfs-spec/usage.h"

static const char help[] =
	"usage: keelson bundle DIR -o FILE [--delta-from DIR]\n"
	"       keelson bundle --show FILE\n"
	"\n"
	"Make one file of the image in DIR, which `keelctl slot install` puts into a node's other\n"
	"slot.\n"
	"\n"
	"  -o, --output FILE     where to; an older file is replaced when all is done\n"
	"      --delta-from DIR  only what differs from this image: for nodes that run it\n"
	"      --show FILE       say what is in a bundle; nothing of it is checked that\n"
	"                        `keelson verify` checks\n"
	"  -q, --quiet           no progress lines\n";

enum { OPTION_DELTA_FROM = 256, OPTION_SHOW };

static const struct option table[] = {
	{"output", required_argument, NULL, 'o'},
	{"delta-from", required_argument, NULL, OPTION_DELTA_FROM},
	{"show", required_argument, NULL, OPTION_SHOW},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int show(const char *path, struct pool *pool)
{
	struct bundle_file bundle;
	struct bytes text = {0};
	int error = bundle_file_open(&bundle, path);

	if (error == 0) {
		bundle_file_print(&bundle, pool, &text);
		fwrite(text.data, 1, text.size, stdout);
		if (fflush(stdout) != 0)
			error = report_refusal("standard output cannot be written");
	}
	bytes_free(&text);
	return error;
}

static int make(const char *path, const char *base_path, const char *output, struct pool *pool)
{
	struct image_dir image;
	struct image_dir base;
	struct bundle_head head = {.version = 0};
	struct trust trust = {0};
	int error = image_dir_open(&image, pool, path);

	if (error == 0)
		error = image_dir_trust(&image, pool, &trust);
	if (error == 0)
		error = slot_header_block_verify(&image.block, &trust, path);
	trust_free(&trust);
	if (error == 0 && base_path != NULL)
		error = image_dir_open(&base, pool, base_path);
	if (error == 0)
		report_step("pack %s",
			    sizes_text(pool, image.block.header.data_blocks * BUNDLE_BLOCK_BYTES));
	if (error == 0)
		error = bundle_file_make(&image, base_path != NULL ? &base : NULL, output, &head);
	if (error < 0)
		return error;
	printf("%s: %s, %.1f %% of the image\n", output,
	       sizes_text(pool, BUNDLE_STREAM_OFFSET + head.stream_bytes),
	       100.0 * (double)head.stream_bytes / (double)head.unpacked_bytes);
	return 0;
}

int bundle_command(int argc, char **argv)
{
	const char *output = NULL, *base = NULL, *shown = NULL;
	struct pool pool = {0};
	int code, error;

	optind = 0; /* getopt(3): begin anew */
	opterr = 0;
	while ((code = getopt_long(argc, argv, ":o:qh", table, NULL)) != -1) {
		switch (code) {
		case 'o': output = optarg; break;
		case 'q': report_set_quiet(1); break;
		case 'h': fputs(help, stdout); return EXIT_SUCCESS;
		case OPTION_DELTA_FROM: base = optarg; break;
		case OPTION_SHOW: shown = optarg; break;
		default: return usage_option(code, argv, table);
		}
	}
	if (shown != NULL && (output != NULL || base != NULL || optind < argc))
		return usage_wrong(argv[0], "--show stands alone");
	if (shown == NULL && usage_operand(argc, argv, "DIR"))
		return USAGE_STATUS;
	if (shown == NULL && (output == NULL || !output[0]))
		return usage_wrong(argv[0], "--output FILE is missing");
	error = shown != NULL ? show(shown, &pool) : make(argv[optind], base, output, &pool);
	pool_free(&pool);
	return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
