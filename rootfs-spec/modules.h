/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files a list of kernel modules means, and in which order to load them: the closure over
 * modules.dep, decided at build time: PID 1 looks nothing up.
 *
 * `directory` is a kernel's module directory as seen from the builder's machine, for example
 * ROOT/usr/lib/modules/6.1.0-56-cloud-amd64. It needs modules.dep and modules.builtin
 * (modules.dep(5), depmod(8)). In names '-' and '_' are the same, as everywhere in the kernel's
 * tools.
 */
#ifndef KEELSON_MODULES_H
#define KEELSON_MODULES_H

#include <stddef.h>

struct module_list {
	char **paths; /* below `directory`, in load order, each once: "kernel/fs/fuse/fuse.ko" */
	size_t count;
	char *text; /* what the paths point into */
};

/*
 * Resolve `count` names with everything they depend on. A module that is built into the kernel
 * resolves to nothing. 0; -ENOENT with `*missing` the first name that the kernel does not have (it
 * points into `names`; NULL: the directory has no modules.dep); -ELOOP when modules.dep is
 * cyclic; other negative errnos from reading. The list belongs to the caller.
 */
int modules_resolve(const char *directory, const char *const *names, size_t count,
		    struct module_list *list, const char **missing);

void modules_free(struct module_list *list);

/*
 * The name in the kernel's module directory that is nearest to `name` (for error messages), copied
 * to `nearest` (empty if there is none).
 */
void modules_nearest(const char *directory, const char *name, char *nearest, size_t size);

#endif
