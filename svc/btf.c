/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/btf.h"

#include <errno.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <string.h>

#define ANONYMOUS_DEPTH 8  /* structures without a name within each other */
#define ANONYMOUS_MAX 256u /* and how many of them are looked into: damage may lead in circles */
#define NUMBERS_MAX (1u << 22)

/* Bytes that follow a type of this kind; a negative errno: no kind that is known. */
static long behind(const struct btf_type *type)
{
	const long count = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG: return 0;
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG: return sizeof(uint32_t);
	case BTF_KIND_ARRAY: return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return count * (long)sizeof(struct btf_member);
	case BTF_KIND_ENUM: return count * (long)sizeof(struct btf_enum);
	case BTF_KIND_FUNC_PROTO: return count * (long)sizeof(struct btf_param);
	case BTF_KIND_DATASEC: return count * (long)sizeof(struct btf_var_secinfo);
	case BTF_KIND_ENUM64: return count * (long)sizeof(struct btf_enum64);
	default: return -EBADMSG;
	}
}

/* The type at `*at`, whole, and `*at` behind it. NULL: the end (`*at` is there), or damage. */
static const struct btf_type *next(const struct btf *btf, size_t *at)
{
	const struct btf_type *type = (const void *)(btf->types + *at);

	if (btf->types_bytes - *at < sizeof *type)
		return NULL;
	const long more = behind(type);

	if (more < 0 || btf->types_bytes - *at - sizeof *type < (size_t)more)
		return NULL;
	*at += sizeof *type + (size_t)more;
	return type;
}

static bool is_named(const struct btf *btf, uint32_t offset, const char *name)
{
	return offset < btf->strings_bytes && strcmp(btf->strings + offset, name) == 0;
}

/* What a walk looks for: a type by number, or by kind and name. */
struct search {
	uint32_t number; /* 0: by name */
	uint32_t kind;
	const char *name;
};

static int find(const struct btf *btf, const struct search *search, const struct btf_type **found,
		uint32_t *number)
{
	const struct btf_type *type;
	size_t at = 0;

	for (uint32_t n = 1; n < NUMBERS_MAX && (type = next(btf, &at)) != NULL; n++) {
		if (search->number ? n != search->number
				   : BTF_INFO_KIND(type->info) != search->kind ||
					     !is_named(btf, type->name_off, search->name))
			continue;
		*found = type;
		*number = n;
		return 0;
	}
	return at == btf->types_bytes ? -ENOENT : -EBADMSG;
}

int btf_open(struct btf *btf, const void *bytes, size_t size)
{
	const struct btf_header *header = bytes;

	if (size < sizeof *header || header->magic != BTF_MAGIC || header->version != BTF_VERSION ||
	    header->hdr_len < sizeof *header || header->hdr_len > size)
		return -EBADMSG;
	size -= header->hdr_len;
	if (header->hdr_len % 4 != 0 || header->type_off % 4 != 0 || header->type_off > size ||
	    header->type_len > size - header->type_off || header->str_off > size ||
	    header->str_len > size - header->str_off || header->str_len == 0)
		return -EBADMSG;
	const uint8_t *base = (const uint8_t *)bytes + header->hdr_len;

	*btf = (struct btf){
		.types = base + header->type_off,
		.types_bytes = header->type_len,
		.strings = (const char *)base + header->str_off,
		.strings_bytes = header->str_len,
	};
	return btf->strings[btf->strings_bytes - 1] == '\0' ? 0 : -EBADMSG;
}

/* What is looked for, and how much more may be looked into. */
struct wanted {
	const char *name;
	uint32_t left;
};

static int member_of(const struct btf *btf, const struct btf_type *type, struct wanted *wanted,
		     int depth, uint64_t *bits);

/* Within a member without a name, if it is a structure. */
static int member_within(const struct btf *btf, uint32_t number, struct wanted *wanted, int depth,
			 uint64_t *bits)
{
	const struct search search = {.number = number};
	const struct btf_type *type;
	uint32_t same;

	if (number == 0 || depth == 0 || wanted->left == 0)
		return -ENOENT;
	wanted->left--;
	int error = find(btf, &search, &type, &same);

	return error ? error : member_of(btf, type, wanted, depth - 1, bits);
}

static int member_of(const struct btf *btf, const struct btf_type *type, struct wanted *wanted,
		     int depth, uint64_t *bits)
{
	const struct btf_member *members = (const void *)(type + 1);
	const uint32_t kind = BTF_INFO_KIND(type->info);

	if (kind != BTF_KIND_STRUCT && kind != BTF_KIND_UNION)
		return -ENOENT;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		const uint64_t own = BTF_INFO_KFLAG(type->info)
					     ? BTF_MEMBER_BIT_OFFSET(members[i].offset)
					     : members[i].offset;
		uint64_t inner = 0;

		if (is_named(btf, members[i].name_off, wanted->name)) {
			*bits = own;
			return 0;
		}
		if (!is_named(btf, members[i].name_off, "") ||
		    member_within(btf, members[i].type, wanted, depth, &inner) != 0)
			continue;
		*bits = own + inner;
		return 0;
	}
	return -ENOENT;
}

int btf_member(const struct btf *btf, const char *structure, const char *member, uint32_t *offset)
{
	const struct search search = {.kind = BTF_KIND_STRUCT, .name = structure};
	struct wanted wanted = {member, ANONYMOUS_MAX};
	const struct btf_type *type;
	uint64_t bits;
	uint32_t number;
	int error = find(btf, &search, &type, &number);

	if (!error)
		error = member_of(btf, type, &wanted, ANONYMOUS_DEPTH, &bits);
	if (error)
		return error;
	*offset = (uint32_t)(bits / 8);
	return bits % 8 == 0 && bits / 8 <= INT32_MAX ? 0 : -ENOENT;
}

int btf_function(const struct btf *btf, const char *name, uint32_t *number)
{
	const struct search search = {.kind = BTF_KIND_FUNC, .name = name};
	const struct btf_type *type;

	return find(btf, &search, &type, number);
}
