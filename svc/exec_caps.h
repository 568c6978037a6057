/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process may do after execve(2), told beforehand: capabilities(7), "Transformation of
 * capabilities during execve()", "Capabilities and execution of programs by root", "Safety checking
 * for capability-dumb binaries", "The securebits flags"; prctl(2), PR_SET_NO_NEW_PRIVS; and where
 * these are short, security/commoncap.c. Pure; `keelctl policy show` compares it with what the
 * kernel says, and a test with what many random sets really become.
 *
 * Of one user namespace, and of a process that nobody traces and that shares its working directory
 * with nobody: all that confine.h makes are like that.
 */
#ifndef KEELSON_EXEC_CAPS_H
#define KEELSON_EXEC_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"

/* Bit n = capability n. */
struct exec_sets {
	uint64_t inheritable, permitted, effective, bounding, ambient;
};

struct exec_process {
	struct exec_sets sets;
	uint32_t uid; /* real, effective and saved */
	uint32_t gid;
	uint32_t securebits;
	bool no_new_privs;
};

/* The program that is executed, on a file system without nosuid. Zeroed: an ordinary file. */
struct exec_file {
	bool has_caps; /* security.capability, even an empty one */
	bool cap_effective;
	uint64_t cap_permitted, cap_inheritable;
	bool is_setuid, is_setgid;
	uint32_t uid, gid; /* its owners */
};

/*
 * What `process` is after it executed `file`. 0, or -EPERM: the kernel refuses, as the program would
 * believe in capabilities of its file that it does not get.
 */
int exec_caps_predict(const struct exec_process *process, const struct exec_file *file,
		      struct exec_process *after);

/*
 * What a child of `parent`, which has uid 0, has made of itself when it executes: the steps ids,
 * securebits, bounding, capabilities, ambient and no_new_privs of confine.h. `policy`: NULL for none.
 */
void exec_caps_confined(const struct exec_process *parent, const struct plan_policy *policy,
			uint32_t uid, uint32_t gid, struct exec_process *child);

#endif
