/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock: rights on files, ports and scopes that nobody below can have again (landlock(7)). The
 * ruleset is made with the rights that PID 1's child still has, so that it may name paths that the
 * service itself could not open; it binds the child itself from the point on that confine.h names.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>

#include "svc/confine_steps.h"
#include "svc/landlock.h"
#include "svc/raw.h"

#define RULE_PATH_BENEATH 1 /* enum landlock_rule_type */
#define RULE_NET_PORT 2

struct path_rule { /* struct landlock_path_beneath_attr */
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

struct port_rule { /* struct landlock_net_port_attr */
	uint64_t allowed;
	uint64_t port;
};

static bool is_directory(long place)
{
	long fd = raw_syscall4(__NR_openat, place, (long)".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd >= 0)
		raw_syscall1(__NR_close, fd);
	return fd >= 0;
}

/* Not through a symbolic link: a service that writes there would choose what it is given. */
static long add_path(long ruleset, const char *path, uint64_t allowed, bool optional)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	long place = raw_syscall4(__NR_openat2, AT_FDCWD, (long)path, (long)&how, sizeof how);

	if (place < 0)
		return optional && (place == -ENOENT || place == -ENOTDIR) ? 0 : place;
	/* A file has fewer rights; to give it those of a directory is EINVAL. */
	struct path_rule rule = {
		.allowed = is_directory(place) ? allowed : allowed & PLAN_LANDLOCK_FILE_KNOWN,
		.parent_fd = (int32_t)place,
	};
	long error = 0;

	if (rule.allowed != 0)
		error = raw_syscall4(__NR_landlock_add_rule, ruleset, RULE_PATH_BENEATH,
				     (long)&rule, 0);
	raw_syscall1(__NR_close, place);
	return error;
}

/* What this kernel does not handle no rule may give. */
static long add_rule(const struct confine_child *child, long ruleset,
		     const struct plan_landlock *rule, const struct landlock_handled *handled)
{
	if (rule->kind == PLAN_LANDLOCK_PATH) {
		uint64_t allowed = rule->access & handled->fs;

		return allowed == 0
			       ? 0
			       : add_path(ruleset, plan_string(child->plan, rule->path), allowed,
					  (rule->flags & PLAN_LANDLOCK_OPTIONAL) != 0);
	}
	struct port_rule port = {.allowed = rule->access & handled->net, .port = rule->port};

	return port.allowed == 0 ? 0
				 : raw_syscall4(__NR_landlock_add_rule, ruleset, RULE_NET_PORT,
						(long)&port, 0);
}

static long restrict_self(struct confine_child *child)
{
	long error = raw_syscall2(__NR_landlock_restrict_self, child->landlock_fd, 0);

	raw_syscall1(__NR_close, child->landlock_fd);
	return error;
}

long confine_landlock(struct confine_child *child)
{
	const struct plan_policy *policy = confine_policy(child);
	struct landlock_handled handled;

	child->landlock_fd = -1;
	child->item = PLAN_NONE;
	if (!landlock_wanted(policy))
		return 0;
	if (!landlock_choose(policy, child->landlock_abi, &handled))
		return -EOPNOTSUPP;
	if ((handled.fs | handled.net | handled.scoped) == 0)
		return 0;
	/* Fields that an older kernel does not know are zero: it accepts them (copy_struct_from_user). */
	long ruleset = raw_syscall3(__NR_landlock_create_ruleset, (long)&handled, sizeof handled,
				    0);
	long error = ruleset;

	for (uint32_t i = 0; error >= 0 && i < policy->landlock.count; i++) {
		child->item = policy->landlock.first + i;
		error = add_rule(child, ruleset, plan_landlock(child->plan, child->item), &handled);
	}
	if (error < 0)
		return error;
	child->item = PLAN_NONE;
	child->landlock_fd = (int)ruleset;
	return policy->flags & PLAN_POLICY_NO_NEW_PRIVS ? 0 : restrict_self(child);
}

long confine_landlock_last(struct confine_child *child)
{
	const struct plan_policy *policy = confine_policy(child);

	child->item = PLAN_NONE;
	if (child->landlock_fd < 0 || !(policy->flags & PLAN_POLICY_NO_NEW_PRIVS))
		return 0;
	return restrict_self(child);
}
