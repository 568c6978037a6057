/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "init/cmdline.h"
#include "init/files.h"
#include "svc/log.h"

static char text[CMDLINE_BYTES];

void cmdline_look(struct cmdline *cmdline)
{
	text[0] = '\0';
	(void)file_read("/proc/cmdline", text, sizeof(text));
	cmdline_parse(text, cmdline);
}

void cmdline_read(struct cmdline *cmdline)
{
	ssize_t n = file_read("/proc/cmdline", text, sizeof(text));

	if (n == -EFBIG)
		log_warning("command line: only its first %u bytes are read", CMDLINE_BYTES - 1);
	else if (n < 0)
		log_error("/proc/cmdline: read: %s", log_errno((int)n));
	cmdline_parse(text, cmdline);
	if (cmdline->log_level >= 0)
		log_set_level((enum log_level)cmdline->log_level);
	for (unsigned int i = 0; i < cmdline->complaint_count; i++)
		log_warning("command line: %.*s: not a word of keelson's",
			    cmdline->complaints[i].length, cmdline->complaints[i].word);
}
