/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A spec that was read, merged with what it extends, and turned from text into values. Everything
 * points into the pool that spec_load() was given. Names that the builder's machine can judge alone
 * (services in edges, policies, capabilities, system calls, signals, options of mounts) have been
 * checked; what needs the composed root is in check_root.h.
 *
 * Every value keeps the place it came from, for messages. A field that the spec does not set holds
 * its default, with a `where` without a source.
 */
#ifndef KEELSON_SPEC_H
#define KEELSON_SPEC_H

#include "rootfs-spec/diagnostics.h"
#include "rootfs-spec/plan.h"

struct node;

struct text {
	const char *text; /* NULL: not set */
	struct where where;
};

struct texts {
	struct text *list;
	size_t count;
};

/* ---- what goes into the root image ---- */

/* A Debian package; with `files`, only those paths and directories of it (globs as in exclude). */
struct spec_package {
	struct text name;
	struct texts files;
};

struct spec_packages {
	struct spec_package *install;
	size_t install_count;
	struct texts exclude; /* globs of paths: '*' and '?' stay in a component, '**' does not */
	struct texts include; /* globs of paths that `exclude` does not take */
	struct texts local; /* .deb files of the builder's machine, absolute or from its directory */
	bool dependencies;  /* install what they depend on, too */
};

enum spec_file_kind {
	SPEC_FILE_FROM = 1, /* `source` is a file of the builder's machine */
	SPEC_FILE_CONTENT,  /* `content` is the text */
	SPEC_FILE_TREE,     /* `source` is a directory of the builder's machine, merged into `to` */
	SPEC_FILE_LINK,     /* `content` is the target of a symbolic link */
	SPEC_FILE_DIRECTORY, /* an empty directory */
};

struct spec_file {
	struct text to; /* absolute path in the root */
	enum spec_file_kind kind;
	struct text source; /* resolved against the directory of the file that says it; "program:NAME"
			      * stays as it is */
	struct text content;
	uint32_t mode; /* for FROM without a mode: 0755 if the source is executable, else 0644 */
	bool mode_given;
	uint32_t uid;
	uint32_t gid;
	struct where where;
};

struct spec_image {
	struct text format;      /* "erofs" or "squashfs" */
	struct text compression; /* erofs: "lz4", "lz4hc", "none"; squashfs: "zstd", "none" */
	uint64_t budget_bytes;   /* of the root without its kernel; 0: none */
	struct where budget_where;
	bool release; /* not with the development key */
	struct where release_where;
};

struct spec_module {
	struct text name;
	const char *parameters; /* "" for none */
};

struct spec_kernel {
	struct text package;         /* NULL: the image has no kernel */
	struct spec_module *modules; /* loaded on the node */
	size_t module_count;
	struct spec_module *storage; /* loaded by the initramfs to reach the disk */
	size_t storage_count;
	struct texts on_demand; /* loaded by the kernel, through /sbin/modprobe */
	struct texts cmdline;   /* words */
};

/* An OCI image of one static program, made at build time and kept in the root as an archive. */
struct spec_pod_image {
	struct text name;    /* "localhost/keelson/pause:1" */
	struct text program; /* a program of keelson by name, or a resolved path */
	struct text to;      /* absolute path of the archive in the root */
};

struct spec_pods {
	struct spec_pod_image *images;
	size_t image_count;
	struct text cgroup; /* where pods live; "" for none */
	uint64_t grace_ns;
};

struct spec_disk {
	uint64_t esp_bytes;   /* 0: the disk has no ESP */
	uint64_t state_bytes; /* the smallest state partition; it grows on the node */
};

struct spec_slots {
	uint32_t tries;
	uint64_t size_bytes; /* of a slot's root partition; 0: as large as the image, rounded up */
	bool fill_both;      /* the built disk holds the image twice */
	uint64_t epoch;      /* security epoch of the image */
	struct texts healthy_services;
	struct texts healthy_commands; /* the services that they became, spec_health.c */
	uint64_t healthy_for_ns;
	uint64_t healthy_deadline_ns;
	struct where where;
};

/* ---- what the node does ---- */

struct spec_mount {
	struct text target;
	struct text type; /* "bind" for a bind mount */
	struct text source;
	enum plan_source source_kind;
	struct texts options; /* single options, as written: "size=10%" */
	struct text propagation;
	uint32_t flags; /* PLAN_MOUNT_* */
	struct texts lowers;
	struct text upper; /* "tmpfs", an absolute path, or not set */
	struct text work;
	struct where where;
};

/* A path that is made at boot if it is missing. */
struct spec_path {
	struct text path;
	enum plan_path_kind kind;
	struct text content;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	struct where where;
};

struct spec_setting {
	struct text name; /* sysctl: "net.ipv4.ip_forward"; cgroup: file name */
	const char *value;
	bool optional;
	struct where value_where;
};

struct spec_limit {
	uint32_t resource;
	uint64_t soft;
	uint64_t hard;
};

struct spec_probe {
	enum plan_probe_kind kind;
	uint32_t number; /* port or descriptor */
	struct text target;
	struct texts command;
	uint64_t interval_ns;
	uint64_t timeout_ns;
	uint32_t failures; /* of a probe of life; else 0 */
	struct where where;
};

/* A program that is run to its end. */
struct spec_command {
	struct texts argv;
	uint64_t timeout_ns;
	bool optional;
};

struct spec_commands {
	struct spec_command *list;
	size_t count;
};

struct spec_condition {
	enum plan_condition_kind kind;
	struct text value;
	bool negated;
};

struct spec_sandbox {
	enum plan_sandbox_kind kind;
	struct text path;
	struct text source;
	bool optional;
};

struct spec_edge {
	struct text name;
	enum plan_edge_kind kind;
	uint32_t service; /* index into spec.services, PLAN_NONE if there is no such one */
};

struct spec_service {
	struct text name;
	enum plan_service_kind kind;
	uint32_t flags; /* PLAN_SERVICE_* */
	enum plan_restart restart;
	enum plan_kill kill;
	enum plan_output output;
	struct text output_path;
	uint64_t log_max_bytes;
	uint32_t log_keep;
	uint32_t stop_signal;
	struct text policy;
	struct texts exec;
	struct texts environment; /* "NAME=value" */
	struct text directory;
	struct text cgroup;
	struct spec_setting *cgroup_settings;
	size_t cgroup_setting_count;
	struct spec_limit *limits;
	size_t limit_count;
	struct spec_probe *probes;
	size_t probe_count;
	struct spec_probe *liveness;
	size_t liveness_count;
	struct spec_commands pre;
	struct spec_commands post;
	struct spec_commands reload; /* one or none */
	uint32_t reload_signal;      /* 0: none */
	struct spec_condition *conditions;
	size_t condition_count;
	struct spec_sandbox *sandbox; /* in the order to mount them */
	size_t sandbox_count;
	struct spec_edge *edges;
	size_t edge_count;
	uint32_t *groups;
	size_t group_count;
	uint32_t uid;
	uint32_t gid;
	int32_t oom_score_adj;
	int32_t nice;
	uint32_t umask;
	uint32_t scheduler; /* SCHED_* */
	uint32_t scheduler_priority;
	uint32_t io_priority;
	uint64_t cpus[PLAN_MAX_CPUS / 64]; /* all zero: any */
	uint64_t exits_clean[4];
	uint64_t exits_final[4];
	uint64_t watchdog_ns;
	uint64_t timer_first_ns;
	uint64_t timer_every_ns;
	uint64_t timer_jitter_ns;
	uint32_t burst;
	uint64_t start_timeout_ns;
	uint64_t stop_timeout_ns;
	uint64_t backoff_min_ns;
	uint64_t backoff_max_ns;
	uint64_t stable_ns;
	struct where where;
};

enum spec_operator {
	SPEC_EQUAL = 1, /* (argument & mask) == value */
	SPEC_NOT_EQUAL,
	SPEC_LESS,
	SPEC_LESS_EQUAL,
	SPEC_GREATER,
	SPEC_GREATER_EQUAL
};

/* A condition on one argument of a system call, compared without sign. */
struct spec_argument {
	uint32_t number;
	enum spec_operator operator;
	uint64_t value;
	uint64_t mask; /* of what is compared with SPEC_EQUAL: of an argument of 32 bits at most
			  those; 32 bits, too, with SPEC_NOT_EQUAL and a negative int; else all ones */
	struct where where;
};

/*
 * What a filter answers to a call when all conditions hold. Of one call a policy has either one rule
 * without conditions, or rules with conditions of which no two with different answers can hold at
 * once: so their order means nothing. Where none holds, the policy's default does.
 */
struct spec_rule {
	const char *call;
	struct text said; /* the entry: the call, or the group that it came with */
	uint32_t answer;  /* SECCOMP_RET_* with its data */
	struct spec_argument *when;
	size_t when_count;
	const char *policy; /* whose entry it is: this policy, or one that it extends */
};

struct spec_landlock_rule {
	enum plan_landlock_kind kind;
	uint64_t access;
	struct text path;
	uint32_t port;
};

/* A class of device nodes. */
struct spec_device {
	char type;     /* 'b', 'c', 'a': both */
	int64_t major; /* -1: any */
	int64_t minor;
	uint32_t access; /* BPF_DEVCG_ACC_* */
	struct text said;
};

/* Why a line is there: by the line's text. */
struct spec_reason {
	struct text line;
	const char *why;
	const char *policy;
};

struct spec_policy {
	struct text name;
	struct text extends;
	enum plan_mode mode;
	uint32_t flags;    /* PLAN_POLICY_* */
	uint64_t bounding; /* bit n is capability n */
	uint64_t permitted;
	uint64_t inheritable;
	uint64_t ambient;
	const char *bounding_policy[64]; /* who dropped capability n, or kept it; NULL: nobody */
	uint32_t securebits;
	bool seccomp; /* there is a filter */
	uint32_t default_answer;
	struct text default_said;
	const char *default_policy;
	struct spec_rule *rules;
	size_t rule_count;
	uint64_t namespaces; /* CLONE_NEW* */
	struct spec_sandbox *sandbox;
	size_t sandbox_count;
	enum plan_proc proc;
	struct texts nodes; /* of a private /dev */
	bool devices;       /* there are rules for devices */
	bool devices_allow; /* the rules say what is allowed, not what is denied */
	struct spec_device *device_rules;
	size_t device_count;
	uint64_t landlock_fs;
	uint64_t landlock_net;
	uint64_t landlock_scoped;
	struct spec_landlock_rule *landlock;
	size_t landlock_count;
	struct spec_reason *reasons;
	size_t reason_count;
	bool used; /* by a service, or told by the spec itself: it is in the plan */
	struct where where;
};

struct spec {
	struct pool *pool;
	struct node *root; /* the merged document, for `keelson show` */
	struct text name;
	struct text version; /* of the image */
	struct text hostname;
	bool rescue_console;
	bool machine_id;
	bool loopback;
	struct texts controllers; /* of cgroup v2: "cpu", "memory" */
	uint64_t shutdown_timeout_ns;
	enum plan_critical critical;
	struct spec_packages packages;
	struct spec_file *files;
	size_t file_count;
	struct spec_image image;
	struct texts keys; /* certificates of the builder's machine, resolved; none: the signer's */
	struct spec_kernel kernel;
	struct spec_pods pods;
	struct spec_disk disk;
	struct spec_slots slots;
	struct spec_mount *mounts; /* in the order to mount them */
	size_t mount_count;
	struct spec_path *paths;
	size_t path_count;
	struct spec_setting *sysctls;
	size_t sysctl_count;
	struct spec_policy *policies;
	size_t policy_count;
	struct spec_service *services; /* in the order of the document, the implicit logger last */
	size_t service_count;
	uint32_t *order; /* indices of services in topological order */
	uint32_t logger; /* index of the logger in `services`, or PLAN_NONE */
};

/*
 * Read the spec at `path`, what it extends (a relative path, or the name of a profile looked up
 * beside it, in `profiles`, which may be NULL, and where keelson is installed), merge, and check
 * everything that needs no root. Everything found is in `diagnostics`; a spec is usable only while
 * `diagnostics->errors` is 0. 0; -EINVAL with errors told; another negative errno when `path`
 * itself cannot be read (told, too).
 */
int spec_load(const char *path, const char *profiles, struct pool *pool, struct spec *spec,
	      struct diagnostics *diagnostics);

/* The same of a text in memory that messages call `path`. */
int spec_parse(const char *path, const char *text, size_t size, const char *profiles,
	       struct pool *pool, struct spec *spec, struct diagnostics *diagnostics);

/*
 * The resolved spec as YAML, appended to `out`: a spec that means the same. With `origins`, each line
 * says which file and line it came from, and paths of this machine are absolute. Without, two specs that mean the same give the same text: input of the build id.
 */
void spec_print(const struct spec *spec, bool origins, struct bytes *out);

/* Call `visit` for every program that a service runs: itself, and the commands beside it. */
void spec_each_program(const struct spec *spec,
		       void (*visit)(void *context, const struct spec_service *service,
				     const struct text *program),
		       void *context);

/* The policy of that name, or NULL. */
const struct spec_policy *spec_policy(const struct spec *spec, const char *name);

/* "net.ipv4.ip_forward" -> "/proc/sys/net/ipv4/ip_forward" */
const char *spec_sysctl_path(const char *name, struct pool *pool);

#endif
