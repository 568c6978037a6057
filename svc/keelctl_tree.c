/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl status --tree: the services by what they need, states beside them. */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/keelctl.h"
#include "svc/show.h"
#include "svc/tree.h"

struct drawing {
	const struct node_status *status;
	bool lines; /* the terminal knows more than ASCII */
};

static void draw(void *context, const struct tree_line *line)
{
	const struct drawing *drawing = context;
	bool lines = drawing->lines;

	for (unsigned i = 1; i < line->depth; i++)
		fputs(line->last >> i & 1 ? "   " : lines ? "│  " : "|  ", stdout);
	if (line->depth > 0)
		fputs(line->last >> line->depth & 1 ? lines ? "└─ " : "`- "
		      : lines                       ? "├─ "
						    : "|- ",
		      stdout);
	printf("%s%s  ", line->service->name, line->wanted ? " (wanted)" : "");
	show_state(drawing->status, line->service);
	puts(line->again ? "  (see above)" : "");
}

/* musl's C locale is UTF-8 and says so; so does every locale that is. */
static bool draws_lines(void)
{
	const char *terminal = getenv("TERM");

	setlocale(LC_CTYPE, "");
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 &&
	       !(terminal && strcmp(terminal, "linux") == 0);
}

void show_tree(const struct node_status *status, const struct control_service *only)
{
	struct drawing drawing = {status, draws_lines()};

	tree_walk(status->services, status->count, only, draw, &drawing);
}
