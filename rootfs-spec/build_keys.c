// SPDX-License-Identifier: Apache-2.0
/* Whose images this image will boot and install. Decided first: the certificates are in the root. */
#include "rootfs-spec/build_job.h"

#include <errno.h>
#include <string.h>

static bool is_wrong_for_release(struct job *job, const struct certificate *certificate,
				 const char *what)
{
	if (!job->release || !certificate_is_development(certificate))
		return false;
	diagnose(job->diagnostics,
		 job->spec.image.release ? job->spec.image.release_where : (struct where){0},
		 "a release cannot be %s the development key (%s)", what, certificate->path);
	diagnose_hint(job->diagnostics, "`keelson key new NAME` makes a key, --key and --cert sign "
					"with it");
	return true;
}

/*
 * PID 1 boots no slot that is signed by a key it does not trust: a node would never start such an
 * image.
 */
static int check_signer(struct job *job)
{
	const struct certificate *signer = &job->signer.certificate;

	if (trust_find(&job->trust, signer->id) != NULL)
		return 0;
	diagnose(job->diagnostics, job->spec.keys.list[0].where,
		 "the image would lock its nodes out: it is signed with the key of %s (%s), which "
		 "'keys' does not trust",
		 signer->path, signer->name);
	diagnose_hint(job->diagnostics, "--key and --cert sign with another key");
	return -EINVAL;
}

int build_open_keys(struct job *job)
{
	const struct texts *keys = &job->spec.keys;
	int error = sign_open(&job->signer, job->pool, job->cache, job->options->key,
			      job->options->certificate);
	bool wrong;

	job->release = job->options->release || job->spec.image.release;
	if (error < 0)
		return error;
	wrong = is_wrong_for_release(job, &job->signer.certificate, "signed with");
	for (size_t i = 0; i < keys->count && error == 0; i++)
		error = trust_add(&job->trust, keys->list[i].text);
	if (keys->count == 0)
		error = trust_add(&job->trust, job->signer.certificate.path);
	for (size_t i = 0; i < job->trust.count && error == 0 && !wrong; i++)
		wrong = is_wrong_for_release(job, &job->trust.list[i], "made to trust");
	if (error < 0 || wrong)
		return error < 0 ? error : -EINVAL;
	return check_signer(job);
}

void build_add_keys(struct job *job)
{
	for (size_t i = 0; i < job->trust.count; i++)
		tree_content(&job->tree, TREE_KEELSON, "keelson",
			     pool_printf(job->pool, PLAN_NODE_KEYS "/%zu.der", i), 0644,
			     job->trust.list[i].der.data, job->trust.list[i].der.size);
}
