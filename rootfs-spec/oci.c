// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/oci.h"

#include "rootfs-spec/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ustar, IEEE Std 1003.1 (pax, "ustar Interchange Format"). */
struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char pad[12];
};
_Static_assert(sizeof(struct ustar) == 512, "a tar header is one block");

static void octal(char *field, size_t size, size_t value)
{
	snprintf(field, size, "%0*zo", (int)size - 1, value);
}

static void tar_add(struct bytes *tar, const char *name, unsigned int mode, char type,
		    const void *data, size_t size)
{
	struct ustar header = {.type = type,
			       .magic = "ustar\0"
					"00"};
	const unsigned char *at = (const unsigned char *)&header;
	size_t sum = 0;

	snprintf(header.name, sizeof(header.name), "%s", name);
	octal(header.mode, sizeof(header.mode), mode);
	octal(header.uid, sizeof(header.uid), 0);
	octal(header.gid, sizeof(header.gid), 0);
	octal(header.size, sizeof(header.size), size);
	octal(header.mtime, sizeof(header.mtime), 0);
	octal(header.major, sizeof(header.major), 0);
	octal(header.minor, sizeof(header.minor), 0);
	memset(header.checksum, ' ', sizeof(header.checksum));
	for (size_t i = 0; i < sizeof(header); i++)
		sum += at[i];
	octal(header.checksum, sizeof(header.checksum) - 1, sum);
	bytes_add(tar, &header, sizeof(header));
	bytes_add(tar, data, size);
	bytes_zero(tar, (512 - size % 512) % 512);
}

static void tar_directory(struct bytes *tar, const char *name)
{
	tar_add(tar, name, 0755, '5', NULL, 0);
}

static void tar_end(struct bytes *tar)
{
	bytes_zero(tar, 1024);
}

struct blob {
	struct bytes bytes;
	char digest[SHA256_TEXT_BYTES];
};

static void blob_seal(struct blob *blob)
{
	uint8_t digest[SHA256_BYTES];

	sha256_bytes(blob->bytes.data, blob->bytes.size, digest);
	sha256_text(digest, blob->digest);
}

static int by_digest(const void *a, const void *b)
{
	return strcmp((*(const struct blob *const *)a)->digest,
		      (*(const struct blob *const *)b)->digest);
}

static void descriptor(struct bytes *json, const char *type, const struct blob *blob)
{
	bytes_printf(json,
		     "{\"mediaType\":\"application/vnd.oci.image.%s\",\"digest\":\"sha256:%s\","
		     "\"size\":%zu",
		     type, blob->digest, blob->bytes.size);
}

static void make_config(const struct oci_image *image, const struct blob *layer,
			struct blob *config)
{
	bytes_printf(&config->bytes,
		     "{\"architecture\":\"%s\",\"config\":{\"Entrypoint\":[\"/%s\"]},"
		     "\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"sha256:%s\"],"
		     "\"type\":\"layers\"}}",
		     image->architecture, image->program_name, layer->digest);
	blob_seal(config);
}

static void make_manifest(const struct blob *layer, const struct blob *config,
			  struct blob *manifest)
{
	struct bytes *json = &manifest->bytes;

	bytes_text(json, "{\"schemaVersion\":2,\"mediaType\":"
			 "\"application/vnd.oci.image.manifest.v1+json\",\"config\":");
	descriptor(json, "config.v1+json", config);
	bytes_text(json, "},\"layers\":[");
	descriptor(json, "layer.v1.tar", layer);
	bytes_text(json, "}]}");
	blob_seal(manifest);
}

/* The name goes into an annotation that containerd reads on import. */
static void make_index(const struct oci_image *image, const struct blob *manifest,
		       struct bytes *index)
{
	const char *tag = strrchr(image->name, ':');

	bytes_text(index, "{\"schemaVersion\":2,\"mediaType\":"
			  "\"application/vnd.oci.image.index.v1+json\",\"manifests\":[");
	descriptor(index, "manifest.v1+json", manifest);
	bytes_printf(index,
		     ",\"platform\":{\"architecture\":\"%s\",\"os\":\"linux\"},\"annotations\":{"
		     "\"io.containerd.image.name\":\"%s\","
		     "\"org.opencontainers.image.ref.name\":\"%s\"}}]}",
		     image->architecture, image->name, tag != NULL ? tag + 1 : "latest");
}

void oci_pack(const struct oci_image *image, struct bytes *archive)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	struct blob layer = {0};
	struct blob config = {0};
	struct blob manifest = {0};
	struct bytes index = {0};
	struct blob *blobs[] = {&layer, &config, &manifest};

	tar_add(&layer.bytes, image->program_name, 0755, '0', image->program, image->program_bytes);
	tar_end(&layer.bytes);
	blob_seal(&layer);
	make_config(image, &layer, &config);
	make_manifest(&layer, &config, &manifest);
	make_index(image, &manifest, &index);

	qsort((void *)blobs, 3, sizeof(struct blob *), by_digest);
	tar_directory(archive, "blobs/");
	tar_directory(archive, "blobs/sha256/");
	for (size_t i = 0; i < 3; i++) {
		char name[32 + SHA256_TEXT_BYTES];

		snprintf(name, sizeof(name), "blobs/sha256/%s", blobs[i]->digest);
		tar_add(archive, name, 0644, '0', blobs[i]->bytes.data, blobs[i]->bytes.size);
	}
	tar_add(archive, "index.json", 0644, '0', index.data, index.size);
	tar_add(archive, "oci-layout", 0644, '0', layout, sizeof(layout) - 1);
	tar_end(archive);
	for (size_t i = 0; i < 3; i++)
		bytes_free(&blobs[i]->bytes);
	bytes_free(&index);
}
