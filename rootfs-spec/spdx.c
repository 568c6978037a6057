// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/spdx.h"

#include "rootfs-spec/identity.h"
#include "rootfs-spec/json.h"
#include "rootfs-spec/rootimage.h"

#include <string.h>

/* ---- names of things ---- */

/* An identifier has letters, digits, '.' and '-'; the number keeps two names apart. */
static void print_id(struct bytes *json, const char *kind, size_t number, const char *name)
{
	bytes_printf(json, "SPDXRef-%s-%zu-", kind, number);
	for (; *name != '\0'; name++) {
		bool plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
			     (*name >= '0' && *name <= '9') || *name == '.';

		bytes_add(json, plain ? name : "-", 1);
	}
}

/* What purl-spec leaves as it is; Debian has '+' in names and versions. */
static void print_encoded(struct bytes *json, const char *text)
{
	for (; *text != '\0'; text++) {
		bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
			     (*text >= '0' && *text <= '9') || strchr(".-_~:", *text) != NULL;

		if (plain)
			bytes_add(json, text, 1);
		else
			bytes_printf(json, "%%%02X", (unsigned int)(unsigned char)*text);
	}
}

static void print_purl(struct bytes *json, const struct package *package,
		       const struct spdx_source *source)
{
	bytes_text(json, "pkg:deb/debian/");
	print_encoded(json, package->name);
	bytes_text(json, "@");
	print_encoded(json, package->version);
	bytes_printf(json, "?arch=%s", package->architecture);
	/* The qualifier that scanners look for; only what differs is said. */
	if (source->name == NULL || (strcmp(source->name, package->name) == 0 &&
				     strcmp(source->version, package->version) == 0))
		return;
	bytes_text(json, "&upstream=");
	print_encoded(json, source->name);
	if (strcmp(source->version, package->version) != 0) {
		bytes_text(json, "%40");
		print_encoded(json, source->version);
	}
}

/* ---- packages of the document ---- */

struct part {
	const char *name;
	const char *version; /* NULL: not known */
	const char *file;    /* NULL: none */
	const char *sha256;
	const char *license;
	const char *purpose; /* NULL: not said */
};

/* All of a package but its end and, before that, what only one kind of them has. */
static void print_part(struct bytes *json, const struct part *part)
{
	bytes_text(json, "\",\n      ");
	json_key_string(json, "name", part->name);
	if (part->version != NULL) {
		bytes_text(json, ",\n      ");
		json_key_string(json, "versionInfo", part->version);
	}
	if (part->file != NULL) {
		bytes_text(json, ",\n      ");
		json_key_string(json, "packageFileName", part->file);
	}
	if (part->purpose != NULL) {
		bytes_text(json, ",\n      ");
		json_key_string(json, "primaryPackagePurpose", part->purpose);
	}
	bytes_printf(
		json,
		",\n      \"downloadLocation\": \"NOASSERTION\",\n"
		"      \"filesAnalyzed\": false,\n"
		"      \"checksums\": [{\"algorithm\": \"SHA256\", \"checksumValue\": \"%s\"}],\n"
		"      \"licenseConcluded\": \"NOASSERTION\",\n"
		"      \"licenseDeclared\": \"%s\",\n"
		"      \"copyrightText\": \"NOASSERTION\"",
		part->sha256, part->license);
}

static void print_debian(struct bytes *json, const struct spdx *spdx, size_t number)
{
	const struct package *package = &spdx->packages->list[number];
	const struct spdx_source *source = &spdx->sources[number];
	struct part part = {.name = package->name,
			    .version = package->version,
			    .sha256 = package->sha256,
			    .license = "NOASSERTION"};

	bytes_text(json, ",\n    {\n      \"SPDXID\": \"");
	print_id(json, "Package", number, package->name);
	print_part(json, &part);
	if (source->name != NULL) {
		bytes_text(json, ",\n      \"sourceInfo\": \"built from the source package ");
		bytes_printf(json, "%s %s\"", source->name, source->version);
	}
	bytes_text(json, ",\n      \"externalRefs\": [{\"referenceCategory\": \"PACKAGE-MANAGER\", "
			 "\"referenceType\": \"purl\", \"referenceLocator\": \"");
	print_purl(json, package, source);
	bytes_text(json, "\"}]\n    }");
}

static bool is_pod_image(const struct spdx *spdx, const struct tree_entry *entry)
{
	for (size_t i = 0; i < spdx->pods->image_count; i++)
		if (strcmp(spdx->pods->images[i].to.text, entry->path) == 0)
			return true;
	return false;
}

/* A program that no package brought, or an archive of one. */
static bool is_program(const struct spdx *spdx, const struct tree_entry *entry)
{
	return entry->kind == TREE_FILE && entry->layer >= TREE_KEELSON &&
	       ((entry->mode & 0111) != 0 || is_pod_image(spdx, entry));
}

static void print_program(struct bytes *json, const struct spdx *spdx, size_t number)
{
	const struct tree_entry *entry = &spdx->tree->list[number];
	bool own = entry->layer == TREE_KEELSON;
	struct part part = {.name = strrchr(entry->path, '/') + 1,
			    .version = own ? KEELSON_VERSION : NULL,
			    .file = entry->path,
			    .sha256 = entry->identity,
			    .license = own ? "Apache-2.0" : "NOASSERTION",
			    .purpose = is_pod_image(spdx, entry) ? "CONTAINER" : "APPLICATION"};

	bytes_text(json, ",\n    {\n      \"SPDXID\": \"");
	print_id(json, "Program", number, entry->path + 1);
	print_part(json, &part);
	bytes_text(json, "\n    }");
}

static void print_packages(struct bytes *json, const struct spdx *spdx)
{
	struct part image = {.name = spdx->name,
			     .version = spdx->version,
			     .sha256 = spdx->root_sha256,
			     .license = "NOASSERTION",
			     .purpose = "OPERATING-SYSTEM"};

	bytes_text(json, "  \"packages\": [\n    {\n      \"SPDXID\": \"SPDXRef-Image");
	print_part(json, &image);
	bytes_text(json, "\n    }");
	for (size_t i = 0; i < spdx->packages->count; i++)
		print_debian(json, spdx, i);
	for (size_t i = 0; i < spdx->tree->count; i++)
		if (is_program(spdx, &spdx->tree->list[i]))
			print_program(json, spdx, i);
	bytes_text(json, "\n  ],\n");
}

/* ---- relations ---- */

static void print_contains(struct bytes *json, const char *kind, size_t number, const char *name)
{
	bytes_text(json, ",\n    {\"spdxElementId\": \"SPDXRef-Image\", "
			 "\"relationshipType\": \"CONTAINS\", \"relatedSpdxElement\": \"");
	print_id(json, kind, number, name);
	bytes_text(json, "\"}");
}

static void print_relations(struct bytes *json, const struct spdx *spdx)
{
	bytes_text(json, "  \"relationships\": [\n"
			 "    {\"spdxElementId\": \"SPDXRef-DOCUMENT\", \"relationshipType\": "
			 "\"DESCRIBES\", \"relatedSpdxElement\": \"SPDXRef-Image\"}");
	for (size_t i = 0; i < spdx->packages->count; i++)
		print_contains(json, "Package", i, spdx->packages->list[i].name);
	for (size_t i = 0; i < spdx->tree->count; i++)
		if (is_program(spdx, &spdx->tree->list[i]))
			print_contains(json, "Program", i, spdx->tree->list[i].path + 1);
	bytes_text(json, "\n  ]\n");
}

void spdx_print(const struct spdx *spdx, struct bytes *json)
{
	char uuid[UUID_TEXT_BYTES];

	identity_uuid(spdx->build_id, "sbom", uuid);
	bytes_text(json, "{\n  \"spdxVersion\": \"SPDX-2.3\",\n  \"dataLicense\": \"CC0-1.0\",\n"
			 "  \"SPDXID\": \"SPDXRef-DOCUMENT\",\n  ");
	json_key_string(json, "name", spdx->name);
	bytes_printf(json,
		     ",\n  \"documentNamespace\": \"urn:uuid:%s\",\n"
		     "  \"creationInfo\": {\"created\": \"" IMAGE_EPOCH_DATE
		     "\", \"creators\": [\"Tool: keelson-" KEELSON_VERSION "\"]},\n",
		     uuid);
	print_packages(json, spdx);
	print_relations(json, spdx);
	bytes_text(json, "}\n");
}
