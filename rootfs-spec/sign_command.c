// SPDX-License-Identifier: Apache-2.0
/* keelson sign */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-spec/bundle_file.h"
#include "rootfs-spec/disk_slots.h"
#include "rootfs-spec/image_commands.h"
#include "rootfs-spec/manifest.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/sign.h"
#include "rootfs-spec/usage.h"

static const char help[] =
	"usage: keelson sign DIR --cert FILE --key FILE [--bundle FILE]...\n"
	"       keelson sign DIR --cert FILE --print-payload > PAYLOAD\n"
	"       keelson sign DIR --cert FILE --attach SIGNATURE [--bundle FILE]...\n"
	"\n"
	"Sign a built image anew: its header, the copies of it on its disk image, its manifest. "
	"The\n"
	"image must trust the key already (`keys` in its spec), or no node would boot it.\n"
	"\n"
	"      --cert FILE       the certificate (PEM or DER)\n"
	"      --key FILE        its RSA key (PEM)\n"
	"      --print-payload   write the bytes to sign, for a key that is elsewhere: RSA, "
	"PKCS#1\n"
	"                        v1.5, SHA-256\n"
	"      --attach FILE     the signature that was made of them\n"
	"      --bundle FILE     a bundle of this image that gets the signature, too; may be "
	"repeated\n";

enum { OPTION_CERTIFICATE = 256, OPTION_KEY, OPTION_PAYLOAD, OPTION_ATTACH, OPTION_BUNDLE };

static const struct option table[] = {
	{"cert", required_argument, NULL, OPTION_CERTIFICATE},
	{"key", required_argument, NULL, OPTION_KEY},
	{"print-payload", no_argument, NULL, OPTION_PAYLOAD},
	{"attach", required_argument, NULL, OPTION_ATTACH},
	{"bundle", required_argument, NULL, OPTION_BUNDLE},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

#define MAX_BUNDLES 64u

struct options {
	const char *certificate;
	const char *key;
	const char *signature;
	bool payload;
	const char *bundles[MAX_BUNDLES];
	size_t bundle_count;
};

struct signing {
	const struct options *options;
	struct pool *pool;
	struct image_dir image;
	struct trust trust;
	struct signer signer;
	struct bytes manifest;
	union slot_header_block block; /* the new one */
};

static const char *in_image(struct signing *signing, const char *name)
{
	return pool_printf(signing->pool, "%s/%s", signing->image.path, name);
}

/* May this key sign this image? */
static int check_key(struct signing *signing)
{
	const struct certificate *certificate = &signing->signer.certificate;

	if (trust_find(&signing->trust, certificate->id) == NULL)
		return report_refusal("%s would lock its nodes out: it does not trust %s (%s); "
				      "build it with that in `keys`",
				      signing->image.path, certificate->path, certificate->name);
	if (certificate_is_development(certificate) &&
	    strstr((char *)signing->manifest.data, "\n  \"release\": true,\n") != NULL)
		return report_refusal("%s is a release: not with the development key",
				      signing->image.path);
	return 0;
}

static void fill_header(struct signing *signing)
{
	const struct certificate *certificate = &signing->signer.certificate;
	struct slot_header *header = &signing->block.header;

	memset(&signing->block, 0, sizeof(signing->block));
	*header = signing->image.block.header;
	header->signature_bytes = certificate->signature_bytes;
	memcpy(header->key_id, certificate->id, sizeof(header->key_id));
	memcpy(header->key_name, certificate->name, sizeof(header->key_name));
}

static int fill_signature(struct signing *signing)
{
	const struct slot_header *header = &signing->block.header;
	const char *file = signing->options->signature;
	struct bytes signature = {0};
	int error = file != NULL ? file_read(file, &signature)
				 : sign(&signing->signer, header, sizeof(*header), &signature);

	if (error == 0 && file != NULL)
		error = signature.size == header->signature_bytes
				? certificate_verify(&signing->signer.certificate, header,
						     sizeof(*header), signature.data,
						     signature.size)
				: -EKEYREJECTED;
	if (error == -EKEYREJECTED)
		error = report_refusal("%s is no signature of this image with the key of %s", file,
				       signing->signer.certificate.path);
	if (error == 0)
		memcpy(signing->block.bytes + sizeof(*header), signature.data, signature.size);
	bytes_free(&signature);
	return error;
}

/* ---- what holds the header, or its digest ---- */

/* The line of a file in the manifest's list: its size and digest are told anew. */
static int replace_file(struct bytes *text, const char *name, const void *data, size_t size)
{
	struct bytes label = {0};
	uint8_t digest[SHA256_BYTES];
	char digits[SHA256_TEXT_BYTES];
	char *at, *end;

	bytes_printf(&label, "\n    {\"name\": \"%s\", ", name);
	at = strstr((char *)text->data, (char *)label.data);
	end = at != NULL ? strchr(at + 1, '}') : NULL;
	if (end == NULL) {
		bytes_free(&label);
		return report_refusal("the manifest lists no %s", name);
	}
	struct bytes changed = {0};
	sha256_bytes(data, size, digest);
	sha256_text(digest, digits);
	bytes_add(&changed, text->data, (size_t)(at - (char *)text->data));
	bytes_add(&changed, label.data, label.size);
	bytes_printf(&changed, "\"bytes\": %zu, \"sha256\": \"%s\"", size, digits);
	bytes_text(&changed, end);
	bytes_free(&label);
	bytes_free(text);
	*text = changed;
	return 0;
}

static int change_manifest(struct signing *signing)
{
	const struct certificate *certificate = &signing->signer.certificate;
	struct bytes *text = &signing->manifest;
	char *from = strstr((char *)text->data, "\"key_id\": ");
	char *to = from != NULL ? strstr(from, "\n  \"release\": ") : NULL;
	struct bytes changed = {0};
	int error;

	if (to == NULL)
		return report_refusal("%s/manifest.json does not tell who signs",
				      signing->image.path);
	bytes_add(&changed, text->data, (size_t)(from - (char *)text->data));
	manifest_print_signature(certificate, true, &changed);
	bytes_text(&changed, to + 1);
	bytes_free(text);
	*text = changed;
	error = replace_file(text, "header.bin", &signing->block, sizeof(signing->block));
	return error < 0 ? error
			 : replace_file(text, "key.der", certificate->der.data,
					certificate->der.size);
}

static int sign_bundle(const struct signing *signing, const char *path)
{
	struct bundle_file bundle;
	int error = bundle_file_open(&bundle, path);

	if (error == 0 && !slot_header_same_image(&bundle.block.header, &signing->block.header))
		return report_refusal("%s is no bundle of %s", path, signing->image.path);
	return error < 0 ? error
			 : file_write_part(path, 0, &signing->block, sizeof(signing->block));
}

/* The manifest last: killed before, `keelson verify` notices, and signing again mends it. */
static int write_all(struct signing *signing)
{
	const struct bytes *der = &signing->signer.certificate.der;
	const char *disk = in_image(signing, "disk.img");
	int error = change_manifest(signing);

	for (size_t i = 0; i < signing->options->bundle_count && error == 0; i++)
		error = sign_bundle(signing, signing->options->bundles[i]);
	if (error == 0 && file_exists(disk))
		error = disk_slots_sign(disk, &signing->block);
	if (error == 0)
		error = file_write(in_image(signing, "header.bin"), &signing->block,
				   sizeof(signing->block), 0644);
	if (error == 0)
		error = file_write(in_image(signing, "key.der"), der->data, der->size, 0644);
	if (error == 0)
		error = file_write(in_image(signing, "manifest.json"), signing->manifest.data,
				   signing->manifest.size, 0644);
	return error;
}

static int print_payload(const struct slot_header *header)
{
	if (fwrite(header, 1, sizeof(*header), stdout) != sizeof(*header) || fflush(stdout) != 0)
		return report_errno(errno, "write standard output");
	return 0;
}

static int sign_image(struct signing *signing, const char *path)
{
	const struct options *options = signing->options;
	int error = image_dir_open(&signing->image, signing->pool, path);

	if (error == 0)
		error = image_dir_trust(&signing->image, signing->pool, &signing->trust);
	if (error == 0)
		error = file_read(in_image(signing, "manifest.json"), &signing->manifest);
	if (error == 0)
		error = sign_open(&signing->signer, signing->pool, NULL, options->key,
				  options->certificate);
	if (error == 0)
		error = check_key(signing);
	if (error < 0)
		return error;
	fill_header(signing);
	if (options->payload)
		return print_payload(&signing->block.header);
	/* What is signed is the image that is there. */
	error = image_dir_check(&signing->image);
	if (error == 0)
		error = fill_signature(signing);
	return error < 0 ? error : write_all(signing);
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct options *options)
{
	int code;

	optind = 0; /* getopt(3): begin anew */
	opterr = 0;
	while ((code = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
		switch (code) {
		case 'h': fputs(help, stdout); return EXIT_SUCCESS;
		case OPTION_CERTIFICATE: options->certificate = optarg; break;
		case OPTION_KEY: options->key = optarg; break;
		case OPTION_PAYLOAD: options->payload = true; break;
		case OPTION_ATTACH: options->signature = optarg; break;
		case OPTION_BUNDLE:
			if (options->bundle_count == MAX_BUNDLES)
				return usage_wrong(argv[0], "at most %u bundles", MAX_BUNDLES);
			options->bundles[options->bundle_count++] = optarg;
			break;
		default: return usage_option(code, argv, table);
		}
	}
	if (usage_operand(argc, argv, "DIR"))
		return USAGE_STATUS;
	if (options->certificate == NULL)
		return usage_wrong(argv[0], "--cert is missing");
	if ((options->key != NULL) + (options->signature != NULL) + options->payload != 1)
		return usage_wrong(argv[0], "--key, --print-payload or --attach: one of them");
	return -1;
}

int sign_command(int argc, char **argv)
{
	struct options options = {0};
	struct pool pool = {0};
	struct signing signing = {.options = &options, .pool = &pool};
	int status = parse(argc, argv, &options);

	if (status < 0)
		status = sign_image(&signing, argv[optind]) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	certificate_free(&signing.signer.certificate);
	trust_free(&signing.trust);
	bytes_free(&signing.manifest);
	pool_free(&pool);
	return status;
}
