/* SPDX-License-Identifier: Apache-2.0 */
/* `keelson policy`: what a policy costs, and why each of its lines is there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-spec/call_groups.h"
#include "rootfs-spec/commands.h"
#include "rootfs-spec/names.h"
#include "rootfs-spec/nearest.h"
#include "rootfs-spec/policy_show.h"
#include "rootfs-spec/usage.h"

static const char help[] =
	"usage: keelson policy show [NAME] [--spec SPEC] [--profiles DIR]\n"
	"       keelson policy explain NAME [CALL|CAPABILITY] [--spec SPEC] [--profiles DIR]\n"
	"\n"
	"show: how large the filter is, what the dearest call costs, and which calls the kernel "
	"lets\n"
	"through without running it. explain: each line with its reason, or what becomes of one\n"
	"system call or capability.\n"
	"\n"
	"      --spec SPEC      the policies of this spec; without it those that come with "
	"keelson\n"
	"      --profiles DIR   where `extends: NAME` is looked up, too\n";

enum { OPTION_SPEC = 256, OPTION_PROFILES };

static const struct option options[] = {{"spec", required_argument, NULL, OPTION_SPEC},
					{"profiles", required_argument, NULL, OPTION_PROFILES},
					{"help", no_argument, NULL, 'h'},
					{NULL, 0, NULL, 0}};

struct request {
	const char *spec;
	const char *profiles;
	const char *name;
	const char *question;
	bool explain;
};

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct request *request)
{
	int code;

	optind = 0;
	opterr = 0;
	while ((code = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (code) {
		case 'h': fputs(help, stdout); return COMMAND_OK;
		case OPTION_SPEC: request->spec = optarg; break;
		case OPTION_PROFILES: request->profiles = optarg; break;
		default: return usage_option(code, argv, options);
		}
	}
	const int words = argc - optind;
	const char *verb = words ? argv[optind] : "";
	request->explain = strcmp(verb, "explain") == 0;
	if (!request->explain && strcmp(verb, "show") != 0)
		return usage_wrong(argv[0], "show or explain%s%s", *verb ? ", not " : "", verb);
	if (words > (request->explain ? 3 : 2))
		return usage_wrong(argv[0], "'%s' is one word too many",
				   argv[optind + (request->explain ? 3 : 2)]);
	if (request->explain && words < 2)
		return usage_wrong(argv[0], "explain which policy?");
	request->name = words > 1 ? argv[optind + 1] : NULL;
	request->question = words > 2 ? argv[optind + 2] : NULL;
	return -1;
}

static int unknown(const char *what, const char *name, const char *best)
{
	fprintf(stderr, "keelson: unknown %s '%s'\n", what, name);
	if (best)
		fprintf(stderr, "    did you mean '%s'?\n", best);
	return -EINVAL;
}

static int unknown_policy(const struct spec *spec, const char *name)
{
	struct nearest nearest = {.name = name};

	for (size_t i = 0; i < spec->policy_count; i++)
		nearest_offer(&nearest, spec->policies[i].name.text);
	return unknown("policy", name, nearest.best);
}

static int explain(const struct spec_policy *policy, const char *question,
		   struct diagnostics *diagnostics, struct bytes *out)
{
	if (!question) {
		policy_explain(policy, diagnostics->pool, out);
		return 0;
	}
	/* Some are both (setuid): the call is what a filter is asked about. */
	if (names_system_call(question))
		return policy_explain_call(policy, question, diagnostics, out);
	if (names_capability(question) >= 0) {
		policy_explain_capability(policy, question, out);
		return 0;
	}
	const char *best = names_nearest_system_call(question, diagnostics->pool);
	return unknown("system call or capability", question,
		       best ? best : names_nearest_capability(question, diagnostics->pool));
}

static int answer(const struct request *request, const struct spec *spec,
		  struct diagnostics *diagnostics, struct bytes *out)
{
	const struct spec_policy *policy = request->name ? spec_policy(spec, request->name) : NULL;
	int error = 0;

	if (request->name && !policy)
		return unknown_policy(spec, request->name);
	if (request->explain)
		return explain(policy, request->question, diagnostics, out);
	for (size_t i = 0; i < spec->policy_count && !error; i++)
		if (!policy || policy == &spec->policies[i])
			error = policy_show(&spec->policies[i], diagnostics, out);
	return error;
}

int command_policy(int argc, char **argv)
{
	static const char curated[] = "keelson: 1\nname: policies\nextends: policies\n";
	struct request request = {0};
	struct pool pool = {0};
	struct diagnostics diagnostics = {.pool = &pool};
	struct bytes out = {0};
	struct spec spec;
	int status = parse(argc, argv, &request);

	if (status >= 0)
		return status;
	int error = request.spec
			    ? spec_load(request.spec, request.profiles, &pool, &spec, &diagnostics)
			    : spec_parse("keelson policy", curated, strlen(curated),
					 request.profiles, &pool, &spec, &diagnostics);
	if (!error)
		error = answer(&request, &spec, &diagnostics, &out);
	diagnostics_print(&diagnostics, stderr, isatty(STDERR_FILENO) == 1);
	if (!error && (fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout) != 0)) {
		fprintf(stderr, "keelson: standard output: %s\n", strerror(errno));
		error = -EIO;
	}
	status = error || diagnostics.errors ? COMMAND_WRONG : COMMAND_OK;
	bytes_free(&out);
	pool_free(&pool);
	return status;
}
