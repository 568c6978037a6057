/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl last: how the boot before this one ended (last.h), as PID 1 found it on the disk. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "svc/keelctl.h"
#include "svc/last.h"
#include "svc/show.h"

#define DATE_BYTES 32

static const char *action_name(uint32_t action)
{
	static const char *const names[] = {"none", "poweroff", "reboot", "halt", "kexec"};

	return action < sizeof names / sizeof names[0] ? names[action] : "?";
}

static const char *date(int64_t wall_s, char text[DATE_BYTES])
{
	time_t time = (time_t)wall_s;
	struct tm tm;

	if (!gmtime_r(&time, &tm) || strftime(text, DATE_BYTES, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		return "?";
	return text;
}

static void show_steps(const struct last *last)
{
	char at[SHOW_TIME_BYTES], spent[SHOW_TIME_BYTES];

	for (uint32_t i = 0; i < last->step_count; i++) {
		const struct last_step *step = &last->steps[i];
		uint64_t from_ns = step->start_ns > last->began_ns ? step->start_ns - last->began_ns
								   : 0;

		printf("  %10s  %-22s %10s%s%s\n", show_seconds(from_ns, at), step->name,
		       step->end_ns >= step->start_ns
			       ? show_seconds(step->end_ns - step->start_ns, spent)
			       : "not over",
		       step->error ? "  " : "", step->error ? strerror(-step->error) : "");
	}
}

static void show_last(const struct last *last)
{
	char text[DATE_BYTES], span[SHOW_TIME_BYTES];

	printf("%s%s%s", show_bold(), last_cause_text(last->cause), show_plain());
	if (last->state == LAST_ENDED && last->reset_by_watchdog)
		fputs(", and then the watchdog had to reset the machine", stdout);
	printf("\n  slot       %c, image %s%s\n", 'a' + (int)last->slot, last->image_version,
	       last->blessed ? "" : ", not blessed");
	printf("  booted     %s\n", date(last->booted_s, text));
	printf("  %-10s %s, after %s\n",
	       last->state == LAST_ENDED    ? "ended"
	       : last->state == LAST_ENDING ? "going down"
					    : "last seen",
	       date(last->ended_s, text), show_span(last->ended_ns, span));
	if (last->state != LAST_RUNNING)
		printf("  asked      %s by %s%s\n", action_name(last->action),
		       last_by_text(last->by), last->forced ? ", forced" : "");
	for (uint32_t i = 0; i < last->note_count; i++)
		printf("  %s\n", last->notes[i]);
	if (last->notes_lost)
		printf("  and %u more\n", last->notes_lost);
	show_steps(last);
}

static void json_steps(const struct last *last)
{
	fputs(", \"steps\": [", stdout);
	for (uint32_t i = 0; i < last->step_count; i++) {
		printf("%s{", i ? ", " : "");
		show_json_field(stdout, true, "name", last->steps[i].name);
		show_json_number(stdout, false, "start_ns", last->steps[i].start_ns);
		show_json_number(stdout, false, "end_ns", last->steps[i].end_ns);
		show_json_number(stdout, false, "errno", (uint64_t)-last->steps[i].error);
		fputs("}", stdout);
	}
	fputs("], \"notes\": [", stdout);
	for (uint32_t i = 0; i < last->note_count; i++) {
		fputs(i ? ", " : "", stdout);
		show_json_string(stdout, last->notes[i]);
	}
	fputs("]", stdout);
}

static void json_last(const struct last *last)
{
	static const char *const causes[LAST_CAUSE_COUNT] = {"none",  "orderly",  "watchdog",
							     "panic", "shutdown", "lost"};
	static const char *const by[LAST_BY_COUNT] = {"nobody", "keelctl", "signal",
						      "button", "gate",    "boot"};
	static const char *const states[] = {"?", "running", "ending", "ended"};

	fputs("{", stdout);
	show_json_field(stdout, true, "cause", causes[last->cause]);
	show_json_field(stdout, false, "state", states[last->state]);
	show_json_bool(stdout, false, "reset_by_watchdog", last->reset_by_watchdog != 0);
	show_json_field(stdout, false, "slot", last->slot ? "b" : "a");
	show_json_field(stdout, false, "image", last->image_version);
	show_json_field(stdout, false, "boot_id", last->boot_id);
	show_json_bool(stdout, false, "blessed", last->blessed != 0);
	show_json_field(stdout, false, "action", action_name(last->action));
	show_json_field(stdout, false, "by", by[last->by]);
	show_json_bool(stdout, false, "forced", last->forced != 0);
	printf(", \"booted\": %lld, \"ended\": %lld", (long long)last->booted_s,
	       (long long)last->ended_s);
	show_json_number(stdout, false, "began_ns", last->began_ns);
	show_json_number(stdout, false, "ended_ns", last->ended_ns);
	show_json_number(stdout, false, "notes_lost", last->notes_lost);
	json_steps(last);
	fputs("}\n", stdout);
}

/* What a process is called is anybody's choice. */
static void defuse(struct last *last)
{
	for (uint32_t i = 0; i < last->note_count; i++)
		show_defuse(last->notes[i], strlen(last->notes[i]));
	show_defuse(last->image_version, strlen(last->image_version));
}

int command_last(const struct keelctl *keelctl)
{
	const char *path = keelctl->count ? keelctl->words[0] : LAST_PATH;
	FILE *file = fopen(path, "re");
	struct last last;
	size_t n;

	if (!file && errno == ENOENT && keelctl->count == 0) {
		fputs("keelctl: last: no earlier boot is known\n", stderr);
		return KEELCTL_NOT_UP;
	}
	if (!file) {
		fprintf(stderr, "keelctl: last: %s: %s\n", path, strerror(errno));
		return KEELCTL_FAILED;
	}
	n = fread(&last, 1, sizeof last, file);
	fclose(file);
	if (n != sizeof last || last_check(&last) != 0) {
		fprintf(stderr, "keelctl: last: %s: damaged\n", path);
		return KEELCTL_FAILED;
	}
	defuse(&last);
	if (keelctl->json)
		json_last(&last);
	else
		show_last(&last);
	return KEELCTL_OK;
}
