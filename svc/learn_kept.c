/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/learn_kept.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "svc/bpf_read.h"
#include "svc/fd.h"

const char *const learn_links[LEARN_PROGRAMS] = {
	[LEARN_MKDIR] = "mkdir",     [LEARN_RMDIR] = "rmdir",
	[LEARN_ENTER] = "enter",     [LEARN_FILTERED] = "filtered-calls",
	[LEARN_CAPABLE] = "capable",
};

const char *learn_path(const char *name, char path[static LEARN_KEPT_BYTES])
{
	snprintf(path, LEARN_KEPT_BYTES, LEARN_DIRECTORY "/%s", name);
	return path;
}

int learn_open(const char *name)
{
	char path[LEARN_KEPT_BYTES];

	return bpf_open_kept(learn_path(name, path));
}

int learn_missed(uint64_t *missed)
{
	int error = 0;

	*missed = 0;
	for (size_t i = 0; i < LEARN_PROGRAMS; i++) {
		owned_fd int link = learn_open(learn_links[i]);
		uint64_t of_link = 0;
		int failed = link < 0 ? link : bpf_link_missed(link, &of_link);

		/* What this kernel cannot attach is not there. */
		if (failed != -ENOENT && failed != 0 && !error)
			error = failed;
		*missed += of_link;
	}
	return error;
}
