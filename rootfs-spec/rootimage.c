// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/rootimage.h"

#include "rootfs-spec/cache.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/identity.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Finished images are large; a few let one go back and forth between specs. */
#define ROOTS_KEPT 6
#define ROOTS_AGE_S 3600

/*
 * Clusters of 16 KiB take a tenth off clusters of 4 KiB and boot as fast; 64 KiB take another tenth
 * off, but a small read then decompresses, and with verity hashes, four times as much: a tenth more
 * boot time (docs/benchmarks.md). Packing tails into inodes gains a thousandth, and the kernel calls
 * it experimental. Level 12 is lz4hc's best.
 */
static int make_erofs(const struct spec_image *format, struct pool *pool, const char *root,
		      const char *uuid, const char *image)
{
	static const char time_option[] = "-T" IMAGE_EPOCH_TEXT;
	const char *argv[16] = {"mkfs.erofs", "--quiet",   "--all-root",
				"-x-1",       time_option, pool_printf(pool, "-U%s", uuid)};
	struct run call = {.step = "make the root file system", .argv = argv};
	const char *compression = format->compression.text;
	size_t n = 6;

	if (strcmp(compression, "none") != 0) {
		argv[n++] = strcmp(compression, "lz4") == 0 ? "-zlz4" : "-zlz4hc,12";
		argv[n++] = "-C16384";
	}
	argv[n++] = image;
	argv[n++] = root;
	return run(&call);
}

static int make_squashfs(const struct spec_image *format, const char *root, const char *image)
{
	const char *argv[24] = {"mksquashfs",   root,
				image,          "-noappend",
				"-no-xattrs",   "-all-root",
				"-all-time",    IMAGE_EPOCH_TEXT,
				"-mkfs-time",   IMAGE_EPOCH_TEXT,
				"-no-progress", "-quiet",
				"-b",           "1M"};
	struct run call = {.step = "make the root file system", .argv = argv};
	size_t n = 14;

	if (strcmp(format->compression.text, "none") == 0) {
		argv[n++] = "-no-compression";
	} else {
		argv[n++] = "-comp";
		argv[n++] = "zstd";
		argv[n++] = "-Xcompression-level";
		argv[n++] = "22";
	}
	return run(&call);
}

static int pad_to_block(const char *image)
{
	int64_t size = file_size(image);
	int64_t rest;

	if (size < 0)
		return (int)size;
	rest = size % VERITY_BLOCK_BYTES;
	if (rest != 0 && truncate(image, size + VERITY_BLOCK_BYTES - rest) < 0)
		return report_errno(errno, "pad %s", image);
	return 0;
}

int rootimage_make(const struct spec_image *format, struct pool *pool, const char *root,
		   const uint8_t build_id[32], const char *image)
{
	char uuid[UUID_TEXT_BYTES];
	int error;

	identity_uuid(build_id, "root", uuid);
	report_step("make the root file system (%s, %s)", format->format.text,
		    format->compression.text);
	if (strcmp(format->format.text, "erofs") == 0)
		error = make_erofs(format, pool, root, uuid, image);
	else
		error = make_squashfs(format, root, image);
	return error < 0 ? error : pad_to_block(image);
}

static int make_both(const struct spec_image *format, struct pool *pool, const char *root,
		     const uint8_t build_id[32], const char *directory, struct verity_tree *tree)
{
	const char *image = pool_printf(pool, "%s/root.img", directory);
	const char *hashes = pool_printf(pool, "%s/root.verity", directory);
	char uuid[UUID_TEXT_BYTES];
	int error = rootimage_make(format, pool, root, build_id, image);

	if (error < 0)
		return error;
	report_step("make the hash tree");
	identity_uuid(build_id, "verity", uuid);
	error = verity_tree_make(image, hashes, build_id, uuid, tree);
	if (error == 0)
		error = file_write(pool_printf(pool, "%s/tree", directory), tree, sizeof(*tree),
				   0644);
	return error;
}

static bool remembered(struct pool *pool, const char *directory, struct verity_tree *tree)
{
	const char *path = pool_printf(pool, "%s/tree", directory);
	struct bytes content = {0};
	bool found = file_exists(path) && file_read(path, &content) == 0 &&
		     content.size == sizeof(*tree);

	if (found)
		memcpy(tree, content.data, sizeof(*tree));
	bytes_free(&content);
	return found;
}

int rootimage_get(const struct spec_image *format, struct pool *pool, const char *cache, bool fresh,
		  const char *root, const uint8_t build_id[32], const uint8_t key[32],
		  const char **directory, struct verity_tree *tree)
{
	const char *roots = cache_subdirectory(pool, cache, "roots");
	const char *scratch;
	char name[SHA256_TEXT_BYTES];
	int error;

	if (roots == NULL)
		return -EIO;
	sha256_text(key, name);
	*directory = pool_printf(pool, "%s/%s", roots, name);
	if (!fresh && remembered(pool, *directory, tree)) {
		report_step("the root file system has not changed");
		utimensat(AT_FDCWD, *directory, NULL, 0); /* the age that cache_prune() looks at */
		return 0;
	}
	scratch = cache_scratch(pool, cache);
	if (scratch == NULL)
		return -EIO;
	error = make_both(format, pool, root, build_id, scratch, tree);
	if (error == 0)
		error = file_remove_tree(*directory);
	if (error == 0)
		error = file_rename(scratch, *directory);
	if (error < 0)
		file_remove_tree(scratch);
	cache_prune(pool, roots, ROOTS_KEPT, ROOTS_AGE_S);
	return error;
}
