/* SPDX-License-Identifier: Apache-2.0 */
/* What keelctl makes of the world's numbers: words, JSON, trees, and systemd's names for it all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "svc/confine.h"
#include "svc/event_json.h"
#include "svc/explain.h"
#include "svc/service.h"
#include "svc/signal_name.h"
#include "svc/tree.h"
#include "svc/unit.h"
#include "svc/wall.h"

#define S 1000000000ull

/* ---- signals ---- */

static void signals_are_known_by_name_and_number(void **state)
{
	static const struct {
		const char *text;
		int number;
	} cases[] = {
		{"HUP", 1},       {"SIGHUP", 1},   {"sighup", 1},
		{"1", 1},         {"64", 64},      {"KILL", 9},
		{"RTMIN", 34},    {"RTMIN+3", 37}, {"SIGRTMIN+5", 39},
		{"SIGRTMAX", 64}, {"RTMAX-2", 62}, {"RTMAX-30", 34},
		{"POLL", 29},     {"IOT", 6},      {"0", 0},
		{"65", 0},        {"", 0},         {"SIG", 0},
		{"HUPP", 0},      {"-1", 0},       {"1x", 0},
		{"999", 0},       {"RTMIN+", 0},   {"RTMIN-1", 0},
		{"RTMIN+31", 0},  {"RTMAX+1", 0},  {"RTMAX-31", 0},
		{"RTMIN3", 0},    {" 1", 0},
	};
	char text[SIGNAL_NAME_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (signal_parse(cases[i].text) != cases[i].number)
			fail_msg("%s: %d", cases[i].text, signal_parse(cases[i].text));
	for (int number = 1; number <= 64; number++)
		if (number != 32 && number != 33)
			assert_int_equal(signal_parse(signal_name(number, text)), number);
	assert_string_equal(signal_name(32, text), "32");
	assert_string_equal(signal_name(39, text), "RTMIN+5");
}

/* ---- words ---- */

static void a_death_is_told_with_its_reason(void **state)
{
	static const struct {
		struct world_death death;
		const char *text;
	} cases[] = {
		{{0}, ""},
		{{.code = CLD_EXITED, .status = 1, .reason = WORLD_REASON_ITSELF},
		 "exited with status 1"},
		{{.code = CLD_KILLED, .status = 15, .reason = WORLD_REASON_REQUEST},
		 "killed by SIGTERM: on request"},
		{{.code = CLD_DUMPED, .status = 11}, "killed by SIGSEGV, which left a core"},
		{{.code = CLD_KILLED, .status = 9, .reason = WORLD_REASON_OOM, .oom_kills = 2},
		 "killed by SIGKILL: out of memory, the kernel killed 2 processes for want of "
		 "memory"},
		{{.code = CLD_EXITED, .oom_kills = 1},
		 "exited with status 0, the kernel killed 1 process for want of memory"},
		{{.code = CLD_KILLED, .status = 6, .reason = WORLD_REASON_WATCHDOG},
		 "killed by SIGABRT: its watchdog was not fed"},
		{{.error = -ENOENT, .step = CONFINE_EXEC, .reason = WORLD_REASON_SPAWN},
		 "start failed at step exec: No such file or directory"},
		{{.reason = WORLD_REASON_LOST}, "it ended while PID 1 executed itself anew"},
	};
	char text[EXPLAIN_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(explain_death(&cases[i].death, text), cases[i].text);
}

static void a_service_tells_what_it_waits_for(void **state)
{
	struct control_service service = {.waiting_for = "disk", .condition = "not path /x"};
	struct world_service *world = &service.world;
	char text[EXPLAIN_BYTES];

	(void)state;
	world->last_death = (struct world_death){.code = CLD_EXITED, .status = 3};
	strcpy(world->status, "Hello");
	world->state = SERVICE_UP;
	assert_string_equal(explain_service(&service, 0, text), "Hello");
	world->flags = SERVICE_MARK_RELOADING;
	assert_string_equal(explain_service(&service, 0, text), "reloading: Hello");
	world->flags = 0;
	world->state = SERVICE_WAITING;
	assert_string_equal(explain_service(&service, 0, text), "waits for disk");
	world->state = SERVICE_BACKOFF;
	world->deadline_ns = 5 * S;
	assert_string_equal(explain_service(&service, 2 * S, text),
			    "retry in 3.0s: exited with status 3");
	assert_string_equal(explain_service(&service, 6 * S, text),
			    "retry in 0ms: exited with status 3");
	world->state = SERVICE_SCHEDULED;
	assert_string_equal(explain_service(&service, 2 * S, text), "next run in 3.0s");
	world->state = SERVICE_FAILED;
	assert_string_equal(explain_service(&service, 0, text), "exited with status 3");
	world->state = SERVICE_STARTING;
	world->stage = WORLD_STAGE_PRE;
	assert_string_equal(explain_service(&service, 0, text), "runs pre 1");
	world->state = SERVICE_DONE;
	world->flags = SERVICE_MARK_SKIPPED;
	assert_string_equal(explain_service(&service, 0, text), "skipped: not path /x");
}

/* ---- events ---- */

static const char *event_line(const struct control_event *event)
{
	static char text[1024];
	FILE *stream = fmemopen(text, sizeof text, "w");

	event_json(stream, event);
	fclose(stream);
	return text;
}

static void an_event_is_one_line_with_every_key(void **state)
{
	struct control_event event = {.number = 7,
				      .name = "web",
				      .event = {.at_ns = 5,
						.kind = WORLD_EVENT_SERVICE,
						.from = SERVICE_UP,
						.to = SERVICE_BACKOFF,
						.event = SERVICE_ENDED_RETRY,
						.reason = WORLD_REASON_ITSELF,
						.code = CLD_EXITED,
						.status = 3}};
	char text[512];

	(void)state;
	assert_string_equal(
		event_line(&event),
		"{\"number\": 7, \"at_ns\": 5, \"kind\": \"service\", \"service\": \"web\", "
		"\"from\": \"up\", \"to\": \"backoff\", \"event\": \"ENDED_RETRY\", \"pid\": null, "
		"\"reason\": \"itself\", \"exit_status\": 3, \"signal\": null, \"core\": false, "
		"\"step\": null, \"error\": null, \"lost\": null}\n");
	event.event.code = CLD_DUMPED;
	event.event.status = 11;
	event.event.pid = 42;
	assert_non_null(strstr(event_line(&event), "\"exit_status\": null, \"signal\": \"SEGV\", "
						   "\"core\": true"));
	assert_non_null(strstr(event_line(&event), "\"pid\": 42"));
	event.event.error = -EACCES;
	event.event.step = CONFINE_EXEC;
	assert_non_null(strstr(event_line(&event), "\"signal\": null"));
	assert_non_null(strstr(event_line(&event), "\"step\": \"exec\", \"error\": \"Permission "
						   "denied\""));
	event = (struct control_event){.event = {.kind = WORLD_EVENT_REEXEC, .status = 11}};
	assert_non_null(strstr(event_line(&event), "\"kind\": \"reexec\", \"service\": null, "
						   "\"from\": null, \"to\": null"));
	assert_non_null(strstr(event_line(&event), "\"signal\": \"SEGV\""));
	event.event.status = 0;
	assert_non_null(strstr(event_line(&event), "\"signal\": null"));
	event.event = (struct world_event){.kind = WORLD_EVENT_SHUTDOWN, .to = 2};
	assert_non_null(strstr(event_line(&event), "\"to\": \"stop pods\""));
	FILE *stream = fmemopen(text, sizeof text, "w");

	event_json_lost(stream, 3, 9);
	fclose(stream);
	assert_non_null(strstr(text, "{\"number\": 3, \"at_ns\": null, \"kind\": \"lost\""));
	assert_non_null(strstr(text, "\"lost\": 9}\n"));
}

/* ---- trees ---- */

static char drawn[512];

static void draw(void *context, const struct tree_line *line)
{
	size_t length = strlen(drawn);

	(void)context;
	snprintf(drawn + length, sizeof drawn - length, "%u%s%s%s%s ", line->depth,
		 line->service->name, line->depth && line->last >> line->depth & 1 ? "." : "",
		 line->wanted ? "?" : "", line->again ? "^" : "");
}

static void need(struct control_service *service, uint32_t to, uint32_t kind)
{
	service->needs[service->needs_count] = to;
	service->need_kinds[service->needs_count++] = kind;
}

static void name_all(struct control_service *services, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		services[i].index = i;
		services[i].name[0] = (char)('a' + i);
	}
}

static void a_tree_draws_each_need_once(void **state)
{
	static struct control_service services[5];

	(void)state;
	memset(services, 0, sizeof services);
	name_all(services, 5);
	need(&services[1], 0, PLAN_EDGE_REQUIRES);
	need(&services[2], 1, PLAN_EDGE_REQUIRES);
	need(&services[2], 0, PLAN_EDGE_WANTS);
	need(&services[3], 1, PLAN_EDGE_REQUIRES);
	need(&services[3], 2, PLAN_EDGE_AFTER);
	need(&services[3], 4, PLAN_EDGE_CONFLICTS);
	drawn[0] = '\0';
	tree_walk(services, 5, NULL, draw, NULL);
	assert_string_equal(drawn, "0c 1b 2a. 1a.? 0d 1b.^ 0e ");
	drawn[0] = '\0';
	tree_walk(services, 5, &services[1], draw, NULL);
	assert_string_equal(drawn, "0b 1a. ");
}

static void a_tree_as_deep_as_it_is_ends(void **state)
{
	struct control_service *services = calloc(200, sizeof *services);

	(void)state;
	name_all(services, 200);
	for (uint32_t i = 1; i < 200; i++)
		need(&services[i], i - 1, PLAN_EDGE_REQUIRES);
	/* Damaged: it needs one that is not there, and itself. */
	need(&services[5], 200, PLAN_EDGE_REQUIRES);
	need(&services[5], 5, PLAN_EDGE_REQUIRES);
	drawn[0] = '\0';
	tree_walk(services, 200, NULL, draw, NULL);
	assert_memory_equal(drawn, "0", 1);
	free(services);
}

/* ---- systemd's words ---- */

static void names_of_units_are_read_as_systemctl_does(void **state)
{
	static struct control_service services[4];
	static const struct {
		const char *text;
		const char *name; /* NULL: refused */
		enum unit_type type;
		int service; /* -1: none */
	} cases[] = {
		{"web", "web.service", UNIT_SERVICE, 0},
		{"web.service", "web.service", UNIT_SERVICE, 0},
		{"web.timer", "web.timer", UNIT_TIMER, -1},
		{"trim", "trim.service", UNIT_SERVICE, 1},
		{"trim.service", "trim.service", UNIT_SERVICE, 1},
		{"trim.timer", "trim.timer", UNIT_TIMER, 1},
		{"web.socket", "web.socket", UNIT_OTHER, -1},
		{"multi-user.target", "multi-user.target", UNIT_OTHER, -1},
		{"dotted.name", "dotted.name.service", UNIT_SERVICE, 2},
		{"dotted.name.service", "dotted.name.service", UNIT_SERVICE, 2},
		{"odd.mount", "odd.mount", UNIT_OTHER, 3},
		{"odd.mount.service", "odd.mount.service", UNIT_SERVICE, 3},
		{"nosuch", "nosuch.service", UNIT_SERVICE, -1},
		{"we", "we.service", UNIT_SERVICE, -1},
		{".service", ".service.service", UNIT_SERVICE, -1},
		{"", NULL, 0, 0},
		{"a/b", NULL, 0, 0},
	};
	char longest[UNIT_NAME_BYTES + 10];
	struct unit unit;

	(void)state;
	strcpy(services[0].name, "web");
	strcpy(services[1].name, "trim");
	strcpy(services[2].name, "dotted.name");
	strcpy(services[3].name, "odd.mount");
	services[3].kind = PLAN_SERVICE_DAEMON;
	services[0].kind = services[2].kind = PLAN_SERVICE_DAEMON;
	services[1].kind = PLAN_SERVICE_TIMER;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(unit_parse(cases[i].text, services, 4, &unit),
				 cases[i].name != NULL);
		if (!cases[i].name)
			continue;
		assert_string_equal(unit.name, cases[i].name);
		assert_int_equal(unit.type, cases[i].type);
		assert_ptr_equal(unit.service,
				 cases[i].service < 0 ? NULL : &services[cases[i].service]);
	}
	memset(longest, 'a', sizeof longest);
	longest[UNIT_NAME_BYTES - 1 - strlen(".service")] = '\0';
	assert_true(unit_parse(longest, services, 3, &unit));
	longest[strlen(longest)] = 'a';
	longest[UNIT_NAME_BYTES - strlen(".service")] = '\0';
	assert_false(unit_parse(longest, services, 3, &unit));
}

static void states_have_systemds_names(void **state)
{
	enum { WAY = SERVICE_MARK_ON_WAY, SKIP = SERVICE_MARK_SKIPPED };
	enum { RELOAD = SERVICE_MARK_RELOADING };
	static const struct {
		uint32_t state, flags, stage, reason;
		const char *active, *sub;
		bool runs;
	} cases[] = {
		{SERVICE_DOWN, 0, 0, 0, "inactive", "dead", false},
		{SERVICE_WAITING, WAY, 0, 0, "activating", "start", false},
		{SERVICE_WAITING, 0, 0, 0, "inactive", "dead", false},
		{SERVICE_STARTING, 0, 0, 0, "activating", "start", false},
		{SERVICE_STARTING, 0, WORLD_STAGE_PRE, 0, "activating", "start-pre", false},
		{SERVICE_UP, 0, 0, 0, "active", "running", true},
		{SERVICE_UP, RELOAD, 0, 0, "reloading", "reload", true},
		{SERVICE_STOPPING, 0, 0, 0, "deactivating", "stop-sigterm", false},
		{SERVICE_STOPPING, 0, 0, WORLD_REASON_WATCHDOG, "deactivating", "stop-watchdog",
		 false},
		{SERVICE_STOPPING, 0, WORLD_STAGE_POST, 0, "deactivating", "stop-post", false},
		{SERVICE_BACKOFF, 0, 0, 0, "activating", "auto-restart", false},
		{SERVICE_FAILED, 0, 0, 0, "failed", "failed", false},
		{SERVICE_DONE, 0, 0, 0, "active", "exited", true},
		{SERVICE_DONE, SKIP, 0, 0, "inactive", "dead", false},
		{SERVICE_SCHEDULED, 0, 0, 0, "inactive", "dead", false},
	};
	struct control_service service = {.kind = PLAN_SERVICE_DAEMON};
	struct unit unit = {.type = UNIT_SERVICE, .service = &service};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		service.world.state = cases[i].state;
		service.world.flags = cases[i].flags;
		service.world.stage = cases[i].stage;
		service.world.reason = cases[i].reason;
		assert_string_equal(unit_active_state(&unit), cases[i].active);
		assert_string_equal(unit_sub_state(&unit), cases[i].sub);
		assert_int_equal(unit_is_active(&unit), cases[i].runs);
	}
	unit.type = UNIT_TIMER;
	service.world.state = SERVICE_SCHEDULED;
	assert_string_equal(unit_active_state(&unit), "active");
	assert_string_equal(unit_sub_state(&unit), "waiting");
	service.world.state = SERVICE_STARTING;
	assert_string_equal(unit_sub_state(&unit), "running");
	unit.service = NULL;
	assert_string_equal(unit_active_state(&unit), "inactive");
	assert_string_equal(unit_load_state(&unit), "not-found");
}

static void results_have_systemds_names(void **state)
{
	static const struct {
		uint32_t state;
		struct world_death death;
		const char *result;
	} cases[] = {
		{SERVICE_UP, {.code = CLD_EXITED, .status = 1}, "success"},
		{SERVICE_FAILED, {.code = CLD_EXITED, .status = 1}, "exit-code"},
		{SERVICE_BACKOFF, {.code = CLD_KILLED, .status = 9}, "signal"},
		{SERVICE_FAILED, {.code = CLD_DUMPED, .status = 11}, "core-dump"},
		{SERVICE_FAILED, {.code = CLD_KILLED, .reason = WORLD_REASON_OOM}, "oom-kill"},
		{SERVICE_FAILED, {.code = CLD_KILLED, .reason = WORLD_REASON_LIVENESS}, "watchdog"},
		{SERVICE_FAILED,
		 {.code = CLD_KILLED, .reason = WORLD_REASON_START_TIMEOUT},
		 "timeout"},
		{SERVICE_FAILED,
		 {.error = -ENOENT, .step = CONFINE_EXEC, .reason = WORLD_REASON_SPAWN},
		 "exit-code"},
		{SERVICE_FAILED,
		 {.error = -EPERM, .step = CONFINE_IDS, .reason = WORLD_REASON_SPAWN},
		 "resources"},
		{SERVICE_DOWN,
		 {.code = CLD_KILLED, .status = 15, .reason = WORLD_REASON_REQUEST},
		 "success"},
		{SERVICE_DOWN, {.code = CLD_EXITED, .status = 0}, "success"},
	};
	struct control_service service = {.kind = PLAN_SERVICE_DAEMON};
	struct unit unit = {.type = UNIT_SERVICE, .service = &service};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		service.world.state = cases[i].state;
		service.world.last_death = cases[i].death;
		assert_string_equal(unit_result(&unit), cases[i].result);
	}
}

static void enabled_is_what_the_boot_starts(void **state)
{
	static struct control_service services[5];
	static const char *const states[] = {"static", "static", "enabled", "disabled", "disabled"};

	(void)state;
	memset(services, 0, sizeof services);
	name_all(services, 5);
	for (uint32_t i = 0; i < 5; i++)
		services[i].flags = i == 2 ? 0 : PLAN_SERVICE_MANUAL;
	need(&services[1], 0, PLAN_EDGE_WANTS);
	need(&services[2], 1, PLAN_EDGE_REQUIRES);
	need(&services[4], 3, PLAN_EDGE_REQUIRES); /* manual itself */
	need(&services[2], 3, PLAN_EDGE_AFTER);
	for (uint32_t i = 0; i < 5; i++) {
		struct unit unit;

		unit_of_service(&services[i], &unit);
		assert_string_equal(unit_file_state(&unit, services, 5), states[i]);
	}
}

static void a_moment_that_never_was_has_no_time(void **state)
{
	char text[WALL_BYTES];

	(void)state;
	assert_string_equal(wall_text(0, 5 * S, text), "");
	assert_int_equal(strlen(wall_text(1, 5 * S, text)) > 20, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_are_known_by_name_and_number),
		cmocka_unit_test(a_death_is_told_with_its_reason),
		cmocka_unit_test(a_service_tells_what_it_waits_for),
		cmocka_unit_test(an_event_is_one_line_with_every_key),
		cmocka_unit_test(a_tree_draws_each_need_once),
		cmocka_unit_test(a_tree_as_deep_as_it_is_ends),
		cmocka_unit_test(names_of_units_are_read_as_systemctl_does),
		cmocka_unit_test(states_have_systemds_names),
		cmocka_unit_test(results_have_systemds_names),
		cmocka_unit_test(enabled_is_what_the_boot_starts),
		cmocka_unit_test(a_moment_that_never_was_has_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
