// SPDX-License-Identifier: Apache-2.0
/* keelson key */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/image_commands.h"
#include "rootfs-spec/image_dir.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/usage.h"

static const char help[] =
	"usage: keelson key new NAME [--bits 3072|4096] [--days N]\n"
	"       keelson key rotate DIR DIR... [--loader-follows]\n"
	"\n"
	"new     make NAME.key, an RSA key that only you can read, and NAME.pem, its certificate.\n"
	"        Nothing is overwritten.\n"
	"rotate  would nodes follow these images, in this order? Each must be signed with a key "
	"that\n"
	"        the one before trusts, and so must the way back be. Exit status 1 if not.\n"
	"\n"
	"      --bits N          length of the key (default 3072)\n"
	"      --days N          how long the certificate is valid (default 7300); no node looks\n"
	"      --loader-follows  what the boot loader starts is replaced after each image; "
	"without,\n"
	"                        it stays that of the first, and every image must be signed with "
	"a\n"
	"                        key that the first trusts\n";

enum { OPTION_BITS = 256, OPTION_DAYS, OPTION_LOADER };

static const struct option table[] = {
	{"bits", required_argument, NULL, OPTION_BITS},
	{"days", required_argument, NULL, OPTION_DAYS},
	{"loader-follows", no_argument, NULL, OPTION_LOADER},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* What needs no quoting in openssl's configuration, and fits the header. */
static bool is_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._@+-";

	return name[0] != '\0' && name[strspn(name, letters)] == '\0' &&
	       strlen(name) < SLOT_KEY_NAME_BYTES;
}

static int make(const char *path, unsigned int bits, unsigned int days, struct pool *pool)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	const char *key = pool_printf(pool, "%s.key", path);
	const char *certificate = pool_printf(pool, "%s.pem", path);
	int error;

	if (!is_name(name))
		return report_refusal("'%s' is no name of a key: at most %u letters, digits and "
				      ". _ @ + -",
				      name, SLOT_KEY_NAME_BYTES - 1);
	error = certificate_make(name, bits, days, key, certificate);
	if (error == 0)
		printf("%s: the key, keep it secret\n%s: the certificate, for `keys` and --cert\n",
		       key, certificate);
	return error;
}

/* ---- rotate ---- */

struct step {
	struct image_dir image;
	struct trust trust;
};

static bool trusts(const struct step *who, const struct step *whom)
{
	return trust_find(&who->trust, whom->image.block.header.key_id) != NULL;
}

static int complain(const char *who, const char *what, const struct step *signer)
{
	return report_refusal("%s %s %s (signed with '%s')", who, what, signer->image.path,
			      (const char *)signer->image.block.header.key_name);
}

static int check_order(const struct step *steps, size_t count, bool loader_follows)
{
	int error = 0;

	for (size_t i = 1; i < count; i++) {
		const struct step *old = &steps[i - 1], *new = &steps[i];

		if (!trusts(old, new))
			error = complain(old->image.path, "would not install", new);
		else if (!loader_follows && !trusts(&steps[0], new))
			error = complain("the boot loader's initramfs, that of the first image,",
					 "would not boot", new);
		if (!trusts(new, old))
			error = complain(new->image.path, "would have no way back to", old);
	}
	return error;
}

static int rotate(char **paths, size_t count, bool loader_follows, struct pool *pool)
{
	struct step *steps = pool_alloc(pool, count * sizeof(*steps));
	int error = 0;

	for (size_t i = 0; i < count && error == 0; i++) {
		error = image_dir_open(&steps[i].image, pool, paths[i]);
		if (error == 0)
			error = image_dir_trust(&steps[i].image, pool, &steps[i].trust);
		if (error == 0)
			error = slot_header_block_verify(&steps[i].image.block, &steps[i].trust,
							 paths[i]);
	}
	if (error == 0)
		error = check_order(steps, count, loader_follows);
	if (error == 0)
		printf("nodes follow: each of %zu images installs the next and can go back\n",
		       count);
	for (size_t i = 0; i < count; i++)
		trust_free(&steps[i].trust);
	return error;
}

static bool read_number(const char *text, unsigned int most, unsigned int *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || value == 0 || value > most)
		return false;
	*number = (unsigned int)value;
	return true;
}

static int run_action(int argc, char **argv, unsigned int bits, unsigned int days,
		      bool loader_follows)
{
	struct pool pool = {0};
	int given = argc - optind - 1;
	int error;

	if (optind < argc && strcmp(argv[optind], "new") == 0) {
		if (given != 1)
			return usage_wrong(argv[0], "new wants one NAME");
		error = make(argv[optind + 1], bits, days, &pool);
	} else if (optind < argc && strcmp(argv[optind], "rotate") == 0) {
		if (given < 2)
			return usage_wrong(argv[0], "rotate wants two images or more");
		error = rotate(argv + optind + 1, (size_t)given, loader_follows, &pool);
	} else {
		return usage_wrong(argv[0], "new or rotate");
	}
	pool_free(&pool);
	return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int key_command(int argc, char **argv)
{
	unsigned int bits = 3072, days = 7300;
	bool loader_follows = false;
	int code;

	optind = 0; /* getopt(3): begin anew */
	opterr = 0;
	while ((code = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
		switch (code) {
		case 'h': fputs(help, stdout); return EXIT_SUCCESS;
		case OPTION_BITS:
			if (!read_number(optarg, 4096, &bits) || (bits != 3072 && bits != 4096))
				return usage_wrong(argv[0], "--bits is 3072 or 4096");
			break;
		case OPTION_DAYS:
			if (!read_number(optarg, 36500, &days))
				return usage_wrong(argv[0], "--days is a number up to 36500");
			break;
		case OPTION_LOADER: loader_follows = true; break;
		default: return usage_option(code, argv, table);
		}
	}
	return run_action(argc, argv, bits, days, loader_follows);
}
