/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spec language as data. What a value may be, which keys a map takes, what they mean and what
 * holds when they are not there: one table, from which validation, defaults, merging, suggestions
 * and docs/spec.md all come.
 *
 * YAML has three kinds of nodes, so a schema says what each may be: as a scalar, as a list, as a
 * map of fixed keys or of free ones. What it does not say is not allowed.
 */
#ifndef KEELSON_SCHEMA_H
#define KEELSON_SCHEMA_H

#include "rootfs-spec/node.h"
#include "rootfs-spec/plan.h"

enum schema_scalar {
	SCHEMA_NO_SCALAR = 0,
	SCHEMA_TEXT,
	SCHEMA_WORD,      /* not empty, no blanks */
	SCHEMA_NAME,      /* of a service or policy: [a-z0-9][a-z0-9._-]*, at most 63 bytes */
	SCHEMA_PATH,      /* absolute path on the node, no ".." */
	SCHEMA_HOST_PATH, /* path on the builder's machine, relative to the file that says it */
	SCHEMA_PROGRAM,   /* such a path, or without a '/' the name of one of keelson's programs */
	SCHEMA_GLOB,      /* absolute path with * ? ** */
	SCHEMA_INTEGER,   /* least..most */
	SCHEMA_BOOLEAN,
	SCHEMA_DURATION,
	SCHEMA_SIZE,
	SCHEMA_MODE,
	SCHEMA_SIGNAL,
	SCHEMA_CHOICE, /* one of `choices` */
	SCHEMA_RESOURCE,
	SCHEMA_SYSCTL,    /* "net.ipv4.ip_forward" or with slashes */
	SCHEMA_VARIABLE,  /* name of an environment variable */
	SCHEMA_FILE_NAME, /* a cgroup file */
	SCHEMA_CGROUP,    /* path below the cgroup root */
	SCHEMA_LIMIT,     /* a number or "unlimited" */
	SCHEMA_CONTROLLER,
	SCHEMA_CAPABILITY, /* a name of libcap, with or without "cap_" */
	SCHEMA_CALL,       /* a system call that libseccomp knows, or "@GROUP" of call_groups.h */
	SCHEMA_ANSWER,     /* of a filter: "allow", "log", "kill", "errno(NAME)" */
	SCHEMA_DEVICE,     /* "c 1:3 rw" */
	SCHEMA_CPUS,       /* "0-1,3" */
	SCHEMA_SCALARS
};

/* What happens to an inherited value when the spec gives one, too. */
enum schema_merge {
	SCHEMA_MERGE = 0, /* maps by key; everything else is replaced */
	SCHEMA_APPEND, /* lists are joined; an entry of the same identity takes the old one's place */
	SCHEMA_REPLACE /* maps are replaced as a whole, too */
};

struct schema_key;

struct schema {
	const char *what; /* "a service", for messages and the documentation */
	enum schema_scalar scalar;
	const char *const *choices; /* NULL-terminated; SCHEMA_CHOICE, or words that stand for all */
	int64_t least, most;
	const struct schema *element;  /* as a list */
	const struct schema_key *keys; /* as a map of fixed keys; ends with a NULL name */
	const struct schema *value;    /* as a map of free keys, alone or beside `keys` */
	enum schema_scalar key;        /* what the free keys are */
	enum schema_merge merge;
	const char *identity; /* SCHEMA_APPEND: the key that tells entries apart */
};

struct schema_key {
	const char *name;
	const struct schema *schema;
	const char *fallback; /* value when missing, as it would be written; NULL: nothing */
	const char *doc;      /* one sentence or more */
	bool required;
};

/* The whole language. */
extern const struct schema schema_spec;

/*
 * Tell everything about `node` that the schema does not allow, and mark it bad. `label` names the
 * value in messages: "'exec'", "an entry of 'exec'".
 */
void schema_check(struct node *node, const struct schema *schema, const char *label,
		  struct pool *pool, struct diagnostics *diagnostics);

/* The key of a map's schema, or NULL. */
const struct schema_key *schema_find(const struct schema *schema, const char *name);

/* "a duration such as 30s": what a kind of scalar looks like. */
const char *schema_scalar_text(enum schema_scalar scalar);

/* The language as Markdown: docs/spec.md. */
void schema_print(struct bytes *out);

/* The same as a man page: docs/keelson-spec.5. */
void schema_print_man(struct bytes *out);

#endif
