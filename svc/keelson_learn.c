/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelson-learn: what `keelctl policy learn` executes (learn.h). It ends at once; what it began goes on
 * in the kernel. An image without this file does not learn by itself.
 *
 *     keelson-learn [--plan FILE] start|stop
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "svc/learn_start.h"
#include "svc/plan_file.h"

static int usage(void)
{
	fputs("usage: keelctl policy learn start|stop\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"plan", required_argument, NULL, 'p'},
						{NULL, 0, NULL, 0}};
	const char *path = PLAN_NODE_PATH;
	struct plan plan;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option != 'p')
			return usage();
		path = optarg;
	}
	if (argc - optind != 1)
		return usage();
	if (strcmp(argv[optind], "stop") == 0)
		return learn_stop() == 0 ? 0 : 1;
	if (strcmp(argv[optind], "start") != 0)
		return usage();
	if (plan_file_map("keelson-learn", path, &plan) != 0)
		return 1;
	return learn_start(&plan) == 0 ? 0 : 1;
}
