// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/manifest.h"

#include "rootfs-spec/files.h"
#include "rootfs-spec/json.h"
#include "rootfs-spec/report.h"

#include <string.h>

static void key_digest(struct bytes *json, const char *key, const uint8_t digest[SHA256_BYTES])
{
	char text[SHA256_TEXT_BYTES];

	sha256_text(digest, text);
	json_key_string(json, key, text);
}

void manifest_print_signature(const struct certificate *certificate, bool is_signed,
			      struct bytes *json)
{
	key_digest(json, "key_id", certificate->id);
	bytes_text(json, ",\n  ");
	json_key_string(json, "key_name", certificate->name);
	bytes_printf(json, ",\n  \"development_key\": %s,\n  \"signed\": %s,\n",
		     certificate_is_development(certificate) ? "true" : "false",
		     is_signed ? "true" : "false");
}

static void print_keys(const struct manifest *manifest, struct bytes *json)
{
	const struct certificate *certificate = manifest->certificate;
	const struct trust *trust = manifest->trust;

	manifest_print_signature(certificate, manifest->is_signed, json);
	bytes_printf(json, "  \"release\": %s,\n  \"trusted_keys\": [",
		     manifest->is_release ? "true" : "false");
	for (size_t i = 0; i < trust->count; i++) {
		bytes_text(json, i > 0 ? ",\n    {" : "\n    {");
		key_digest(json, "key_id", trust->list[i].id);
		bytes_text(json, ", ");
		json_key_string(json, "name", trust->list[i].name);
		bytes_text(json, "}");
	}
	bytes_text(json, "\n  ],\n");
}

static void print_root(const struct slot_header *header, struct bytes *json)
{
	bytes_text(json, "  \"root\": {");
	json_key_string(json, "type", (const char *)header->root_type);
	bytes_printf(json, ", \"bytes\": %llu, ",
		     (unsigned long long)header->data_blocks * header->block_bytes);
	key_digest(json, "root_hash", header->root_hash);
	bytes_text(json, ", ");
	key_digest(json, "salt", header->salt);
	bytes_text(json, "},\n");
}

static void print_kernel(const struct manifest *manifest, struct bytes *json)
{
	if (manifest->kernel_release == NULL)
		return;
	bytes_text(json, "  \"kernel\": {");
	json_key_string(json, "release", manifest->kernel_release);
	bytes_printf(json, ", \"bytes\": %llu, ",
		     (unsigned long long)manifest->header->kernel_bytes);
	key_digest(json, "sha256", manifest->header->kernel_sha256);
	bytes_text(json, ", ");
	json_key_string(json, "cmdline", manifest->kernel_cmdline);
	bytes_text(json, "},\n");
}

static uint64_t installed_bytes(const struct sizes *owners, const char *package)
{
	for (size_t i = 0; i < owners->count; i++)
		if (strcmp(owners->list[i].name, package) == 0)
			return owners->list[i].bytes;
	return 0;
}

static void print_packages(const struct manifest *manifest, struct bytes *json)
{
	bytes_text(json, "  \"packages\": [");
	for (size_t i = 0; i < manifest->packages->count; i++) {
		const struct package *package = &manifest->packages->list[i];

		bytes_text(json, i > 0 ? ",\n    {" : "\n    {");
		json_key_string(json, "name", package->name);
		bytes_text(json, ", ");
		json_key_string(json, "version", package->version);
		bytes_text(json, ", ");
		json_key_string(json, "architecture", package->architecture);
		bytes_text(json, ", ");
		json_key_string(json, "sha256", package->sha256);
		bytes_printf(json, ", \"installed_bytes\": %llu}",
			     (unsigned long long)installed_bytes(manifest->owners, package->name));
	}
	bytes_text(json, "\n  ],\n");
}

static int print_files(const struct manifest *manifest, struct bytes *json)
{
	bytes_text(json, "  \"files\": [");
	for (size_t i = 0; i < manifest->file_count; i++) {
		const struct manifest_file *file = &manifest->files[i];
		uint8_t digest[SHA256_BYTES];
		int64_t size = file_size(file->path);
		int error = size < 0 ? (int)size : sha256_file(file->path, digest);

		if (error < 0)
			return report_errno(-error, "read %s", file->path);
		bytes_text(json, i > 0 ? ",\n    {" : "\n    {");
		json_key_string(json, "name", file->name);
		bytes_printf(json, ", \"bytes\": %lld, ", (long long)size);
		key_digest(json, "sha256", digest);
		bytes_text(json, "}");
	}
	bytes_text(json, "\n  ]\n");
	return 0;
}

int manifest_print(const struct manifest *manifest, struct bytes *json)
{
	const struct slot_header *header = manifest->header;
	int error;

	bytes_text(json, "{\n  \"keelson\": 1,\n  ");
	json_key_string(json, "made_by", "keelson " KEELSON_VERSION);
	bytes_text(json, ",\n  ");
	json_key_string(json, "name", (const char *)header->name);
	bytes_text(json, ",\n  ");
	json_key_string(json, "version", (const char *)header->image_version);
	bytes_printf(json, ",\n  \"machine\": %u,\n  \"security_epoch\": %llu,\n  ",
		     header->machine, (unsigned long long)header->security_epoch);
	key_digest(json, "build_id", header->build_id);
	bytes_text(json, ",\n  ");
	print_keys(manifest, json);
	print_root(header, json);
	print_kernel(manifest, json);
	print_packages(manifest, json);
	error = print_files(manifest, json);
	bytes_text(json, "}\n");
	return error;
}
