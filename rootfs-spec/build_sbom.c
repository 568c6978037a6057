// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/build_job.h"

#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/run.h"
#include "rootfs-spec/spdx.h"

#include <errno.h>
#include <string.h>

/* deb-substvars(5): the package's own name and version where it does not say others. */
static int find_source(struct pool *pool, const struct package *package, struct spdx_source *source)
{
	static const char format[] = "--showformat=${source:Package} ${source:Version}";
	const char *query[] = {"dpkg-deb", "-W", format, package->deb, NULL};
	struct bytes output = {0};
	struct run call = {
		.step = "find the source of a package", .argv = query, .output = &output};
	int error = package->deb != NULL ? run(&call) : 0;
	char *fields = pool_copy(pool, (char *)output.data, output.size);

	source->name = strsep(&fields, " ");
	source->version = fields;
	if (source->version == NULL || *source->version == '\0')
		source->name = NULL;
	bytes_free(&output);
	return error;
}

int build_sbom(struct job *job)
{
	const struct package_set *packages = &job->packages;
	struct spdx_source *sources = pool_alloc(job->pool,
						 (packages->count + 1) * sizeof(*sources));
	char root_sha256[SHA256_TEXT_BYTES];
	uint8_t digest[SHA256_BYTES];
	const char *root = build_output_path(job, build_root_name(job));
	struct spdx spdx = {.name = job->spec.name.text,
			    .version = job->spec.version.text,
			    .build_id = job->build_id,
			    .root_sha256 = root_sha256,
			    .packages = packages,
			    .sources = sources,
			    .pods = &job->spec.pods,
			    .tree = &job->tree};
	struct bytes json = {0};
	int error = sha256_file(root, digest);

	if (error < 0)
		return report_errno(-error, "read %s", root);
	sha256_text(digest, root_sha256);
	for (size_t i = 0; i < packages->count && error == 0; i++)
		error = find_source(job->pool, &packages->list[i], &sources[i]);
	if (error == 0) {
		spdx_print(&spdx, &json);
		error = file_write(build_output_path(job, "sbom.spdx.json"), json.data, json.size,
				   0644);
	}
	bytes_free(&json);
	return error;
}
