/* SPDX-License-Identifier: Apache-2.0 */
/* When a service ends, starts again, and runs. */
#include "rootfs-spec/spec_services.h"
#include "rootfs-spec/value.h"

/* A value that is wrong was told, and may have meant what is missed otherwise. */
static bool is_wrong(const struct view *view, const char *key)
{
	return view_has(view, key) && !view_node(view, key);
}

uint64_t service_read_wait(const struct view *view, const char *key)
{
	uint64_t time_ns = view_duration(view, key);

	if (time_ns)
		return time_ns;
	diagnose(view->diagnostics, view_where(view, key),
		 "'%s' must not be 0: every wait has an end", key);
	return 1;
}

static void read_times(const struct view *view, struct spec_service *service)
{
	struct view backoff = view_map(view, "backoff");

	service->start_timeout_ns = service_read_wait(view, "start-timeout");
	service->stop_timeout_ns = service_read_wait(view, "stop-timeout");
	service->backoff_min_ns = service_read_wait(&backoff, "min");
	service->backoff_max_ns = service_read_wait(&backoff, "max");
	service->stable_ns = service_read_wait(&backoff, "stable");
	service->burst = (uint32_t)view_integer(&backoff, "burst");
	if (service->backoff_min_ns > service->backoff_max_ns) {
		/* Said only for one of them, the other is meant to follow. */
		if (view_has(&backoff, "min") && view_has(&backoff, "max"))
			diagnose(view->diagnostics, view_where(&backoff, "max"),
				 "'max' is below 'min'");
		else if (view_has(&backoff, "min"))
			service->backoff_max_ns = service->backoff_min_ns;
		else
			service->backoff_min_ns = service->backoff_max_ns;
	}
}

static enum plan_restart restart_of(const struct view *view, struct text on,
				    struct spec_service *service)
{
	enum plan_restart usual = service->kind == PLAN_SERVICE_ONESHOT ? PLAN_RESTART_NEVER
									: PLAN_RESTART_ALWAYS;

	if (text_is(on, "always") && service->kind == PLAN_SERVICE_ONESHOT)
		diagnose(view->diagnostics, on.where,
			 "a oneshot that is always restarted is never done: say on-failure");
	if (!on.text)
		return usual;
	if (text_is(on, "always"))
		return PLAN_RESTART_ALWAYS;
	return text_is(on, "never") ? PLAN_RESTART_NEVER : PLAN_RESTART_FAILURE;
}

static void read_exits(const struct view *view, const char *key, uint64_t exits[4])
{
	struct texts list = view_texts(view, key);

	for (size_t i = 0; i < list.count; i++) {
		int64_t number = 0;
		value_integer(list.list[i].text, &number);
		if (exits[number / 64] >> number % 64 & 1)
			diagnose(view->diagnostics, list.list[i].where, "'%s' is listed twice",
				 list.list[i].text);
		exits[number / 64] |= 1ull << number % 64;
		if (number == 0 && key[0] == 's')
			diagnose(view->diagnostics, list.list[i].where,
				 "0 always is a good end: it needs no 'success'");
	}
}

static void read_restart(const struct view *view, struct spec_service *service)
{
	struct view map = view_map(view, "restart");

	if (service->kind == PLAN_SERVICE_TIMER) {
		service->restart = PLAN_RESTART_NEVER;
		if (view_has(view, "restart") && !map.map)
			diagnose(view->diagnostics, view_where(view, "restart"),
				 "a timer runs again when its time has come: it has no 'restart'");
	}
	if (map.map) {
		struct text on = view_text(&map, "on");
		read_exits(&map, "success", service->exits_clean);
		read_exits(&map, "final", service->exits_final);
		if (service->kind == PLAN_SERVICE_TIMER) {
			if (on.text || view_has(&map, "final"))
				diagnose(view->diagnostics,
					 view_where(&map, on.text ? "on" : "final"),
					 "a timer runs again when its time has come: it has no "
					 "'restart' but 'success'");
			return;
		}
		service->restart = restart_of(view, on, service);
		if (service->restart == PLAN_RESTART_NEVER && view_has(&map, "final"))
			diagnose(view->diagnostics, view_where(&map, "final"),
				 "'final' of what is never restarted says nothing");
	} else if (service->kind != PLAN_SERVICE_TIMER) {
		service->restart = restart_of(view, view_text(view, "restart"), service);
	}
}

static void read_timer(const struct view *view, struct spec_service *service)
{
	struct view timer = view_map(view, "timer");

	if (service->kind != PLAN_SERVICE_TIMER) {
		if (view_has(view, "timer") && !is_wrong(view, "kind"))
			diagnose(view->diagnostics, view_where(view, "timer"),
				 "'timer' without 'kind: timer'");
		return;
	}
	if (!view_has(view, "timer")) {
		diagnose(view->diagnostics, view->where, "a timer without 'timer'");
		diagnose_hint(view->diagnostics, "such as 'timer: {first: 1min, every: 1h}'");
		return;
	}
	service->timer_first_ns = view_duration(&timer, "first");
	service->timer_every_ns = view_duration(&timer, "every");
	service->timer_jitter_ns = view_duration(&timer, "jitter");
	if (timer.map && !service->timer_first_ns && !service->timer_every_ns)
		diagnose(view->diagnostics, timer.where,
			 "a timer needs 'first' or 'every': at once and only once is a oneshot");
}

/* Failed for good is only who is not restarted for ever. */
static void check_critical(const struct view *view, const struct spec_service *service)
{
	struct view backoff = view_map(view, "backoff"), restart = view_map(view, "restart");

	if (!view_boolean(view, "critical") || is_wrong(view, "kind") ||
	    is_wrong(view, "restart") || is_wrong(view, "backoff") || is_wrong(&backoff, "burst") ||
	    is_wrong(&restart, "on"))
		return;
	if (service->kind == PLAN_SERVICE_TIMER && service->timer_every_ns) {
		diagnose(view->diagnostics, view_where(view, "critical"),
			 "a timer that runs again never fails for good: it is not 'critical'");
	} else if (service->restart != PLAN_RESTART_NEVER && !service->burst &&
		   !view_has(&restart, "final")) {
		diagnose(view->diagnostics, view_where(view, "critical"),
			 "'critical' says nothing: it is restarted again and again, and never "
			 "fails for good");
		diagnose_hint(view->diagnostics, "'backoff: {burst: 5}' gives up after 5 restarts "
						 "without a stable period");
	}
}

void service_read_life(const struct view *view, struct spec_service *service)
{
	read_restart(view, service);
	read_times(view, service);
	read_timer(view, service);
	check_critical(view, service);
	value_signal(view_text(view, "stop-signal").text, &service->stop_signal);
}
