/* SPDX-License-Identifier: Apache-2.0 */
#include "init/summary.h"

#include "svc/format.h"

#define SECONDS_BYTES 24

size_t summary_seconds(char *text, size_t size, uint64_t ns)
{
	uint64_t ms = ns / 1000000;

	return format_text(text, size, "%llu.%03u", (unsigned long long)(ms / 1000),
			   (unsigned int)(ms % 1000));
}

/* Append "NAME from..to" to what was written of the line. */
static size_t part(char *text, size_t at, const char *before, const char *name, uint64_t from_ns,
		   uint64_t to_ns)
{
	char seconds[SECONDS_BYTES];

	summary_seconds(seconds, sizeof(seconds), to_ns > from_ns ? to_ns - from_ns : 0);
	return at + format_text(text + at, SUMMARY_BYTES - at, "%s%s %s", before, name, seconds);
}

size_t summary_format(char text[SUMMARY_BYTES], const struct summary *summary)
{
	uint64_t kernel_ns = summary->init_ns ? summary->init_ns : summary->node_ns;
	char seconds[SECONDS_BYTES];
	size_t at;

	summary_seconds(seconds, sizeof(seconds), summary->up_ns);
	at = format_text(text, SUMMARY_BYTES, "up in %s s ", seconds);
	at = part(text, at, "(", "kernel", 0, kernel_ns);
	if (summary->init_ns)
		at = part(text, at, ", ", "initramfs", summary->init_ns, summary->node_ns);
	at = part(text, at, ", ", "system", summary->node_ns, summary->services_ns);
	at = part(text, at, ", ", "services", summary->services_ns, summary->up_ns);
	at += format_text(text + at, SUMMARY_BYTES - at, "): %u service%s", summary->services,
			  summary->services == 1 ? "" : "s");
	if (summary->slot >= 0)
		at += format_text(text + at, SUMMARY_BYTES - at, ", slot %c", 'a' + summary->slot);
	if (*summary->image)
		at += format_text(text + at, SUMMARY_BYTES - at, ", image %s", summary->image);
	return at;
}
