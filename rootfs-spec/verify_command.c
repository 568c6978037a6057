// SPDX-License-Identifier: Apache-2.0
/* keelson verify */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rootfs-spec/bundle_file.h"
#include "rootfs-spec/disk_slots.h"
#include "rootfs-spec/image_commands.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/usage.h"

static const char help[] =
	"usage: keelson verify DIR [--cert FILE]...\n"
	"       keelson verify BUNDLE --cert FILE... [--delta-from DIR]\n"
	"       keelson verify DISK --cert FILE...\n"
	"\n"
	"Is it signed with a trusted key, and is every byte what the signature stands for? Of a\n"
	"built image every file is looked at, of a disk both slots.\n"
	"\n"
	"      --cert FILE       a trusted certificate; may be repeated. A DIR without any is "
	"asked\n"
	"                        whether it would boot: by the certificates that it trusts itself\n"
	"      --delta-from DIR  the image that a delta is against\n";

enum { OPTION_CERTIFICATE = 256, OPTION_DELTA_FROM };

static const struct option table[] = {
	{"cert", required_argument, NULL, OPTION_CERTIFICATE},
	{"delta-from", required_argument, NULL, OPTION_DELTA_FROM},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void tell(const char *what, const union slot_header_block *block, const struct trust *trust)
{
	const struct slot_header *header = &block->header;
	const struct certificate *certificate = trust_find(trust, header->key_id);

	printf("%s: %s %s, signed by '%s'%s\n", what, (const char *)header->name,
	       (const char *)header->image_version, (const char *)header->key_name,
	       certificate != NULL && certificate_is_development(certificate)
		       ? ", which proves nothing about who built it"
		       : "");
}

/* `expected`: every slot that is not empty holds this image; NULL: any image. */
static int verify_disk(const char *path, const struct trust *trust, struct pool *pool,
		       const union slot_header_block *expected)
{
	struct disk_slots slots;
	size_t filled = 0;
	int error = disk_slots_read(path, &slots);

	for (size_t i = 0; i < slots.count && error == 0; i++) {
		const char *name = pool_printf(pool, "%s, slot %c", path, "ab"[i]);
		union slot_header_block block;
		bool empty;

		error = disk_slot_header(path, &slots.list[i], name, &block, &empty);
		if (error < 0 || empty)
			continue;
		filled++;
		/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): bytes of a disk */
		if (expected != NULL && memcmp(&block, expected, sizeof(block)) != 0)
			error = report_refusal("%s: its header is not header.bin", name);
		if (error == 0)
			error = disk_slot_check(path, &slots.list[i], name, &block, trust);
		if (error == 0)
			tell(name, &block, trust);
	}
	if (error == 0 && filled == 0)
		return report_refusal("%s: no slot holds an image", path);
	return error;
}

static int verify_directory(const char *path, struct trust *trust, struct pool *pool)
{
	const char *disk = pool_printf(pool, "%s/disk.img", path);
	struct image_dir image;
	int error = image_dir_open(&image, pool, path);

	if (error == 0 && trust->count == 0)
		error = image_dir_trust(&image, pool, trust);
	if (error == 0)
		error = slot_header_block_verify(&image.block, trust, path);
	if (error == 0)
		error = image_dir_check_files(&image, pool);
	if (error == 0)
		error = image_dir_check(&image);
	if (error == 0)
		tell(path, &image.block, trust);
	return error < 0 || !file_exists(disk) ? error
					       : verify_disk(disk, trust, pool, &image.block);
}

static int verify_bundle(const char *path, const struct trust *trust, const char *base_path,
			 struct pool *pool)
{
	struct bundle_file bundle;
	struct image_dir base;
	int error = bundle_file_open(&bundle, path);

	if (error == 0)
		error = slot_header_block_verify(&bundle.block, trust, path);
	if (error == 0 && base_path != NULL)
		error = image_dir_open(&base, pool, base_path);
	if (error == 0)
		error = bundle_file_check(&bundle, base_path != NULL ? &base : NULL);
	if (error == 0)
		tell(path, &bundle.block, trust);
	return error;
}

static int verify(const char *path, struct trust *trust, const char *base, struct pool *pool)
{
	struct bytes start = {0};
	struct stat status;
	bool is_bundle;
	int error;

	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		return verify_directory(path, trust, pool);
	if (trust->count == 0)
		return report_refusal("%s: --cert is missing: it cannot vouch for itself", path);
	error = file_read_part(path, 0, strlen(SLOT_HEADER_MAGIC), &start);
	is_bundle = error == 0 && memcmp(start.data, SLOT_HEADER_MAGIC, start.size) == 0;
	bytes_free(&start);
	if (error < 0)
		return error;
	return is_bundle ? verify_bundle(path, trust, base, pool)
			 : verify_disk(path, trust, pool, NULL);
}

int verify_command(int argc, char **argv)
{
	struct trust trust = {0};
	struct pool pool = {0};
	const char *base = NULL;
	int code, error = 0, status = -1;

	optind = 0; /* getopt(3): begin anew */
	opterr = 0;
	while (status < 0 && (code = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
		switch (code) {
		case 'h':
			fputs(help, stdout);
			status = EXIT_SUCCESS;
			break;
		case OPTION_CERTIFICATE:
			error = trust_add(&trust, optarg);
			status = error < 0 ? EXIT_FAILURE : -1;
			break;
		case OPTION_DELTA_FROM: base = optarg; break;
		default: status = usage_option(code, argv, table);
		}
	}
	if (status < 0 && usage_operand(argc, argv, "FILE"))
		status = USAGE_STATUS;
	if (status < 0)
		status = verify(argv[optind], &trust, base, &pool) < 0 ? EXIT_FAILURE
								       : EXIT_SUCCESS;
	trust_free(&trust);
	pool_free(&pool);
	return status;
}
