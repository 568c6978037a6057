/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-spec/check_image.h"
#include "rootfs-spec/check_root.h"
#include "rootfs-spec/commands.h"
#include "rootfs-spec/compile.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/modules.h"
#include "rootfs-spec/plan_print.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/schema.h"
#include "rootfs-spec/usage.h"

static const char check_help[] =
	"usage: keelson check SPEC [OPTION...]\n"
	"\n"
	"Find everything that is wrong with SPEC and say where. What SPEC puts into an image is\n"
	"composed in the cache and looked into: packages, programs and their libraries, kernel\n"
	"modules, mount points. Nothing else is written.\n"
	"\n"
	"      --spec-only          look at the spec alone\n"
	"      --root DIR           look into this root instead of composing one\n"
	"      --programs DIR       a build or an installation of keelson with the node's "
	"programs\n"
	"      --program NAME=PATH  what `program:NAME` in the spec is; may be repeated\n"
	"      --profiles DIR       where `extends: NAME` is looked up, too\n"
	"  -v, --verbose            say what is being done, not only on a terminal\n";

static const char compile_help[] =
	"usage: keelson compile SPEC -o PLAN [--root DIR] [--profiles DIR]\n"
	"       keelson compile SPEC -o PLAN --boot [--root DIR] [--key PATH]... [--profiles DIR]\n"
	"\n"
	"Turn SPEC into the node's plan, or with --boot into the initramfs's.\n"
	"\n"
	"  -o, --output PLAN    the file to write; untouched when SPEC is wrong\n"
	"      --boot           the boot plan: storage modules and keys\n"
	"      --root DIR       the composed root that modules are found in\n"
	"      --key PATH       a certificate's path in the initramfs; may be repeated\n"
	"      --profiles DIR   where `extends: NAME` is looked up, too\n";

static const char show_help[] =
	"usage: keelson show SPEC [--profiles DIR]\n"
	"       keelson show --plan FILE\n"
	"       keelson show --schema[=man]\n"
	"\n"
	"Print SPEC with all that it extends merged in, each line with its origin.\n"
	"\n"
	"      --plan FILE      print a plan in readable form instead\n"
	"      --schema[=man]   print the description of the language instead, as Markdown or as\n"
	"                       a man page\n"
	"      --profiles DIR   where `extends: NAME` is looked up, too\n";

#define MAX_KEYS PLAN_MAX_KEYS
#define MAX_PROGRAMS 64u

struct options {
	const char *spec;
	const char *output;
	const char *root;
	const char *profiles;
	const char *plan;
	const char *keys[MAX_KEYS];
	size_t key_count;
	const char *programs;
	const char *given[MAX_PROGRAMS];
	size_t given_count;
	bool boot;
	bool schema;
	bool man;
	bool spec_only;
	bool verbose;
};

enum option_code {
	OPTION_ROOT = 256,
	OPTION_PROFILES,
	OPTION_BOOT,
	OPTION_KEY,
	OPTION_PLAN,
	OPTION_SCHEMA,
	OPTION_SPEC_ONLY,
	OPTION_PROGRAMS,
	OPTION_PROGRAM
};

#define COMMON                                                                                    \
	{"profiles", required_argument, NULL, OPTION_PROFILES}, {"help", no_argument, NULL, 'h'}, \
	{                                                                                         \
		NULL, 0, NULL, 0                                                                  \
	}

static const struct option check_options[] = {{"root", required_argument, NULL, OPTION_ROOT},
					      {"spec-only", no_argument, NULL, OPTION_SPEC_ONLY},
					      {"programs", required_argument, NULL,
					       OPTION_PROGRAMS},
					      {"program", required_argument, NULL, OPTION_PROGRAM},
					      {"verbose", no_argument, NULL, 'v'},
					      COMMON};
static const struct option compile_options[] = {{"output", required_argument, NULL, 'o'},
						{"boot", no_argument, NULL, OPTION_BOOT},
						{"root", required_argument, NULL, OPTION_ROOT},
						{"key", required_argument, NULL, OPTION_KEY},
						COMMON};
static const struct option show_options[] = {{"plan", required_argument, NULL, OPTION_PLAN},
					     {"schema", optional_argument, NULL, OPTION_SCHEMA},
					     COMMON};

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, const char *shorts, const struct option *table,
		 const char *help, struct options *options)
{
	int code;

	optind = 0; /* getopt(3): begin anew */
	opterr = 0;
	while ((code = getopt_long(argc, argv, shorts, table, NULL)) != -1) {
		switch (code) {
		case 'h': fputs(help, stdout); return COMMAND_OK;
		case 'o': options->output = optarg; break;
		case OPTION_ROOT: options->root = optarg; break;
		case OPTION_PROFILES: options->profiles = optarg; break;
		case OPTION_BOOT: options->boot = true; break;
		case OPTION_PLAN: options->plan = optarg; break;
		case OPTION_SCHEMA:
			options->schema = true;
			options->man = optarg;
			if (optarg && strcmp(optarg, "man") != 0)
				return usage_wrong(argv[0], "--schema or --schema=man, not '%s'",
						   optarg);
			break;
		case OPTION_SPEC_ONLY: options->spec_only = true; break;
		case OPTION_PROGRAMS: options->programs = optarg; break;
		case OPTION_PROGRAM:
			if (options->given_count == MAX_PROGRAMS || !strchr(optarg, '='))
				return usage_wrong(argv[0], "--program is NAME=PATH, not '%s'",
						   optarg);
			options->given[options->given_count++] = optarg;
			break;
		case 'v': options->verbose = true; break;
		case OPTION_KEY:
			if (options->key_count == MAX_KEYS || strncmp(optarg, "/", 1) != 0)
				return usage_wrong(argv[0],
						   "--key is at most %u absolute paths, not '%s'",
						   MAX_KEYS, optarg);
			options->keys[options->key_count++] = optarg;
			break;
		default: return usage_option(code, argv, table);
		}
	}
	/* `show` has no spec beside a plan or the language. */
	if (!options->plan && !options->schema && usage_operand(argc, argv, "SPEC"))
		return COMMAND_USAGE;
	options->spec = argv[optind];
	return -1;
}

/* A spec on its way through a command, and what is told about it at the end. */
struct session {
	struct pool pool;
	struct diagnostics diagnostics;
	struct spec spec;
};

static int begin(struct session *session, const struct options *options)
{
	*session = (struct session){0};
	session->diagnostics.pool = &session->pool;
	return spec_load(options->spec, options->profiles, &session->pool, &session->spec,
			 &session->diagnostics);
}

/* Every error was told, here or where it happened. */
static int finish(struct session *session, int error)
{
	struct diagnostics *diagnostics = &session->diagnostics;
	size_t errors = diagnostics->errors;

	diagnostics_print(diagnostics, stderr, isatty(STDERR_FILENO) == 1);
	pool_free(&session->pool);
	return error || errors ? COMMAND_WRONG : COMMAND_OK;
}

static int check(struct session *session, const struct options *options)
{
	struct spec *spec = &session->spec;
	struct diagnostics *diagnostics = &session->diagnostics;
	struct programs programs = {.directory = options->programs,
				    .given = options->given,
				    .given_count = options->given_count};
	void *plan = NULL;
	size_t size;
	int error = 0;

	if (options->root)
		error = check_root(spec, options->root, diagnostics);
	else if (!options->spec_only && check_image_needed(spec))
		return check_image(spec, options->spec, programs, diagnostics);
	/* What only compiling sees: filters that do not fit, plans that are too large. */
	if (!error && (options->root || !spec->kernel.module_count))
		error = compile_node_plan(spec, options->root, NULL, diagnostics, &plan, &size);
	free(plan);
	return error;
}

int command_check(int argc, char **argv)
{
	struct options options = {0};
	struct session session;
	int status = parse(argc, argv, ":hv", check_options, check_help, &options);

	if (status >= 0)
		return status;
	/* The first check on a machine downloads: somebody who waits wants to know for what. */
	report_set_quiet(!options.verbose && isatty(STDERR_FILENO) != 1);
	int error = begin(&session, &options);
	/* A root of half a spec would only miss what the other half says. */
	if (!error)
		error = check(&session, &options);
	return finish(&session, error);
}

/* Storage modules as the initramfs of `keelson build` holds them. */
static int compile_boot(struct session *session, const struct options *options, void **bytes,
			size_t *size)
{
	struct spec *spec = &session->spec;
	const struct spec_kernel *kernel = &spec->kernel;
	const char **names = pool_alloc(&session->pool,
					(kernel->storage_count + 1) * sizeof(*names));
	const char *below = options->root ? check_root_modules(options->root, &session->pool)
					  : NULL;
	struct module_list list = {0};
	const char *missing = NULL;
	int error = 0;

	for (size_t i = 0; i < kernel->storage_count; i++)
		names[i] = kernel->storage[i].name.text;
	if (kernel->storage_count && !below) {
		diagnose(&session->diagnostics, kernel->storage[0].name.where,
			 "modules are found in the image's root: --root DIR");
		return -EINVAL;
	}
	if (kernel->storage_count)
		error = modules_resolve(pool_printf(&session->pool, "%s/%s", options->root, below),
					names, kernel->storage_count, &list, &missing);
	if (error) {
		diagnose(&session->diagnostics, kernel->storage[0].name.where,
			 "the kernel has no module '%s'", missing ? missing : "?");
		return -EINVAL;
	}
	const char **paths = pool_alloc(&session->pool, (list.count + 1) * sizeof(*paths));
	const char **parameters = pool_alloc(&session->pool, (list.count + 1) * sizeof(*paths));
	for (size_t i = 0; i < list.count; i++) {
		const char *slash = strrchr(list.paths[i], '/');
		paths[i] = pool_printf(&session->pool, "/keelson/modules/%s",
				       slash ? slash + 1 : list.paths[i]);
		parameters[i] = compile_module_parameters(kernel->storage, kernel->storage_count,
							  list.paths[i]);
	}
	struct boot_facts facts = {.modules = paths,
				   .parameters = parameters,
				   .module_count = list.count,
				   .keys = options->keys,
				   .key_count = options->key_count};
	error = compile_boot_plan(spec, &facts, NULL, &session->diagnostics, bytes, size);
	modules_free(&list);
	return error;
}

int command_compile(int argc, char **argv)
{
	struct options options = {0};
	struct session session;
	void *bytes = NULL;
	size_t size = 0;
	int status = parse(argc, argv, ":o:h", compile_options, compile_help, &options);

	if (status >= 0)
		return status;
	if (!options.output)
		return usage_wrong(argv[0], "--output PLAN is missing");
	int error = begin(&session, &options);
	if (!error && options.boot)
		error = compile_boot(&session, &options, &bytes, &size);
	else if (!error)
		error = compile_node_plan(&session.spec, options.root, NULL, &session.diagnostics,
					  &bytes, &size);
	status = finish(&session, error);
	/* file_write() tells its own errors. */
	if (status == COMMAND_OK && file_write(options.output, bytes, size, 0644) < 0)
		status = COMMAND_WRONG;
	free(bytes);
	return status;
}

static int write_out(struct bytes *out)
{
	int status = COMMAND_OK;

	if (fwrite(out->data, 1, out->size, stdout) != out->size || fflush(stdout) != 0) {
		fprintf(stderr, "keelson: standard output: %s\n", strerror(errno));
		status = COMMAND_WRONG;
	}
	bytes_free(out);
	return status;
}

static int show_plan(const char *path)
{
	struct bytes file = {0}, out = {0};
	struct plan_fault fault = {0};
	struct plan plan;

	if (file_read(path, &file) < 0)
		return COMMAND_WRONG;
	int error = plan_verify(file.data, file.size, PLAN_KIND_NODE, &plan, &fault);
	if (error == -EPROTONOSUPPORT)
		error = plan_verify(file.data, file.size, PLAN_KIND_BOOT, &plan, &fault);
	if (error) {
		fprintf(stderr, "keelson: %s: %s, record %u: %s\n", path,
			plan_section_name(fault.section), fault.index, fault.reason);
		bytes_free(&file);
		return COMMAND_WRONG;
	}
	plan_print(&plan, &out);
	bytes_free(&file);
	return write_out(&out);
}

int command_show(int argc, char **argv)
{
	struct options options = {0};
	struct session session;
	struct bytes out = {0};
	int status = parse(argc, argv, ":h", show_options, show_help, &options);

	if (status >= 0)
		return status;
	if (!!options.spec + !!options.plan + options.schema != 1)
		return usage_wrong(argv[0], "a spec, --plan or --schema: one of them");
	if (options.plan)
		return show_plan(options.plan);
	if (options.schema) {
		options.man ? schema_print_man(&out) : schema_print(&out);
		return write_out(&out);
	}
	int error = begin(&session, &options);
	if (!error)
		spec_print(&session.spec, true, &out);
	status = finish(&session, error);
	if (status == COMMAND_OK)
		return write_out(&out);
	bytes_free(&out);
	return status;
}
