/* SPDX-License-Identifier: Apache-2.0 */
/* The bill of materials of an image, as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rootfs-spec/spdx.h"

#define D64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define E64 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define COMMON(digest, license)                                                                    \
	"      \"downloadLocation\": \"NOASSERTION\",\n"                                           \
	"      \"filesAnalyzed\": false,\n"                                                        \
	"      \"checksums\": [{\"algorithm\": \"SHA256\", \"checksumValue\": \"" digest "\"}],\n" \
	"      \"licenseConcluded\": \"NOASSERTION\",\n"                                           \
	"      \"licenseDeclared\": \"" license "\",\n"                                            \
	"      \"copyrightText\": \"NOASSERTION\""

static struct package packages[] = {
	{.name = "libstdc++6", .version = "1:12.2.0-14+b1", .architecture = "amd64", .sha256 = D64},
	{.name = "runc", .version = "1.1.5~rc+b2", .architecture = "amd64", .sha256 = E64},
	{.name = "mine", .version = "1", .architecture = "all", .sha256 = D64},
};
static const struct spdx_source sources[] = {{"gcc-12", "12.2.0-14"},
					     {"runc", "1.1.5~rc"},
					     {NULL, NULL}};

static struct tree_entry entries[] = {
	{.path = "/etc/motd", .kind = TREE_FILE, .layer = TREE_FILES, .mode = 0644},
	{.path = "/usr/bin", .kind = TREE_DIRECTORY, .layer = TREE_KEELSON, .mode = 0755},
	{.path = "/usr/bin/kubelet",
	 .kind = TREE_FILE,
	 .layer = TREE_FILES,
	 .mode = 0755,
	 .identity = D64},
	{.path = "/usr/bin/runc", .kind = TREE_FILE, .layer = TREE_PACKAGE, .mode = 0755},
	{.path = "/usr/sbin/halt", .kind = TREE_LINK, .layer = TREE_KEELSON, .mode = 0777},
	{.path = "/usr/sbin/init",
	 .kind = TREE_FILE,
	 .layer = TREE_KEELSON,
	 .mode = 0755,
	 .identity = E64},
	{.path = "/usr/share/pause.tar",
	 .kind = TREE_FILE,
	 .layer = TREE_FILES,
	 .mode = 0644,
	 .identity = D64},
};
static const struct tree tree = {.list = entries, .count = sizeof(entries) / sizeof(entries[0])};
static struct spec_pod_image pod_images[] = {{.to = {.text = "/usr/share/pause.tar"}}};
static const struct spec_pods pods = {.images = pod_images, .image_count = 1};
static const uint8_t build_id[SHA256_BYTES] = {7};

static void print(const uint8_t *id, struct bytes *json)
{
	struct package_set set = {.list = packages, .count = 3};
	struct spdx spdx = {.name = "edge \"1\"",
			    .version = "0.1",
			    .build_id = id,
			    .root_sha256 = E64,
			    .packages = &set,
			    .sources = sources,
			    .pods = &pods,
			    .tree = &tree};

	spdx_print(&spdx, json);
}

static void it_names_the_image_its_packages_and_its_programs(void **state)
{
	static const char *const parts[] = {
		"{\n"
		"  \"spdxVersion\": \"SPDX-2.3\",\n"
		"  \"dataLicense\": \"CC0-1.0\",\n"
		"  \"SPDXID\": \"SPDXRef-DOCUMENT\",\n"
		"  \"name\": \"edge \\\"1\\\"\",\n"
		"  \"documentNamespace\": \"urn:uuid:",
		"\",\n"
		"  \"creationInfo\": {\"created\": \"2020-01-01T00:00:00Z\", \"creators\": "
		"[\"Tool: keelson-" KEELSON_VERSION "\"]},\n"
		"  \"packages\": [\n"
		"    {\n"
		"      \"SPDXID\": \"SPDXRef-Image\",\n"
		"      \"name\": \"edge \\\"1\\\"\",\n"
		"      \"versionInfo\": \"0.1\",\n"
		"      \"primaryPackagePurpose\": \"OPERATING-SYSTEM\",\n" COMMON(E64,
										  "NOASSERTION"),
		"\n    },\n"
		"    {\n"
		"      \"SPDXID\": \"SPDXRef-Package-0-libstdc--6\",\n"
		"      \"name\": \"libstdc++6\",\n"
		"      \"versionInfo\": \"1:12.2.0-14+b1\",\n" COMMON(D64, "NOASSERTION"),
		",\n      \"sourceInfo\": \"built from the source package gcc-12 12.2.0-14\",\n"
		"      \"externalRefs\": [{\"referenceCategory\": \"PACKAGE-MANAGER\", "
		"\"referenceType\": \"purl\", \"referenceLocator\": \"pkg:deb/debian/"
		"libstdc%2B%2B6@1:12.2.0-14%2Bb1?arch=amd64&upstream=gcc-12%4012.2.0-14\"}]\n"
		"    },\n",
		/* Built again from the same source. */
		"\"pkg:deb/debian/runc@1.1.5~rc%2Bb2?arch=amd64&upstream=runc%401.1.5~rc\"}]\n",
		/* Nobody knows its source. */
		"      \"SPDXID\": \"SPDXRef-Package-2-mine\",\n"
		"      \"name\": \"mine\",\n"
		"      \"versionInfo\": \"1\",\n" COMMON(D64,
							 "NOASSERTION") ",\n"
									"      \"externalRefs\"",
		/* No version: nobody but who gave it knows. */
		"    {\n"
		"      \"SPDXID\": \"SPDXRef-Program-2-usr-bin-kubelet\",\n"
		"      \"name\": \"kubelet\",\n"
		"      \"packageFileName\": \"/usr/bin/kubelet\",\n"
		"      \"primaryPackagePurpose\": \"APPLICATION\",\n" COMMON(D64, "NOASSERTION"),
		"    {\n"
		"      \"SPDXID\": \"SPDXRef-Program-5-usr-sbin-init\",\n"
		"      \"name\": \"init\",\n"
		"      \"versionInfo\": \"" KEELSON_VERSION "\",\n"
		"      \"packageFileName\": \"/usr/sbin/init\",\n"
		"      \"primaryPackagePurpose\": \"APPLICATION\",\n" COMMON(E64, "Apache-2.0"),
		"      \"name\": \"pause.tar\",\n"
		"      \"packageFileName\": \"/usr/share/pause.tar\",\n"
		"      \"primaryPackagePurpose\": \"CONTAINER\",\n" COMMON(D64, "NOASSERTION"),
		"\n    }\n  ],\n"
		"  \"relationships\": [\n"
		"    {\"spdxElementId\": \"SPDXRef-DOCUMENT\", \"relationshipType\": "
		"\"DESCRIBES\", \"relatedSpdxElement\": \"SPDXRef-Image\"},\n"
		"    {\"spdxElementId\": \"SPDXRef-Image\", \"relationshipType\": \"CONTAINS\", "
		"\"relatedSpdxElement\": \"SPDXRef-Package-0-libstdc--6\"},\n",
		"\"SPDXRef-Program-5-usr-sbin-init\"},\n",
		"\"SPDXRef-Program-6-usr-share-pause.tar\"}\n  ]\n}\n",
	};
	struct bytes json = {0};
	const char *at;

	(void)state;
	print(build_id, &json);
	at = (const char *)json.data;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *found = strstr(at, parts[i]);

		if (found == NULL)
			print_error("missing:\n%s\nafter that came:\n%s\n", parts[i], at);
		assert_non_null(found);
		at = found + strlen(parts[i]);
	}
	assert_string_equal(at, "");
	/* Files that are no programs, links, and what packages brought are not told on their own. */
	assert_null(strstr((char *)json.data, "motd"));
	assert_null(strstr((char *)json.data, "halt"));
	assert_null(strstr((char *)json.data, "/usr/bin/runc"));
	bytes_free(&json);
}

static void its_namespace_follows_from_the_build_id(void **state)
{
	static const uint8_t other[SHA256_BYTES] = {8};
	struct bytes first = {0}, again = {0}, second = {0};

	(void)state;
	print(build_id, &first);
	print(build_id, &again);
	print(other, &second);
	assert_string_equal((char *)first.data, (char *)again.data);
	assert_int_equal(first.size, second.size);
	assert_string_not_equal((char *)first.data, (char *)second.data);
	bytes_free(&first);
	bytes_free(&again);
	bytes_free(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_names_the_image_its_packages_and_its_programs),
		cmocka_unit_test(its_namespace_follows_from_the_build_id),
	};

	return cmocka_run_group_tests_name("spdx", tests, NULL, NULL);
}
