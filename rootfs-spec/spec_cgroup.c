/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a cgroup that can be set, and what the kernel takes for each
 * (Documentation/admin-guide/cgroup-v2.rst). One that it refuses would fail every start.
 */
#include <string.h>

#include "rootfs-spec/nearest.h"
#include "rootfs-spec/schema_suggest.h"
#include "rootfs-spec/spec_parts.h"
#include "rootfs-spec/value.h"

enum form {
	FORM_SIZE,   /* bytes or "max" */
	FORM_COUNT,  /* least..most or "max" */
	FORM_NUMBER, /* least..most */
	FORM_CPUS,
	FORM_QUOTA,   /* "MAX" or "MAX PERIOD", microseconds */
	FORM_WORDS,   /* one of `words` */
	FORM_PERCENT, /* "12.34" or "max" */
	FORM_DEVICE,  /* "/dev/NAME KEY=N ...", the keys in `words` */
	FORM_ANY
};

static const char *const partitions[] = {"member", "root", "isolated", NULL};
static const char *const io_keys[] = {"rbps", "wbps", "riops", "wiops", NULL};
static const char *const latency_keys[] = {"target", NULL};
static const char *const io_classes[] = {"no-change",  "promote-to-rt", "restrict-to-be",
					 "none-to-rt", "idle",          NULL};

static const struct setting {
	const char *name;
	enum form form;
	int64_t least, most;
	const char *const *words;
} settings[] = {
	{"cpu.weight", FORM_NUMBER, 1, 10000, NULL},
	{"cpu.weight.nice", FORM_NUMBER, -20, 19, NULL},
	{"cpu.max", FORM_QUOTA, 0, 0, NULL},
	{"cpu.max.burst", FORM_NUMBER, 0, 1000000000, NULL},
	{"cpu.idle", FORM_NUMBER, 0, 1, NULL},
	{"cpu.uclamp.min", FORM_PERCENT, 0, 0, NULL},
	{"cpu.uclamp.max", FORM_PERCENT, 0, 0, NULL},
	{"cpuset.cpus", FORM_CPUS, 0, 0, NULL},
	{"cpuset.cpus.exclusive", FORM_CPUS, 0, 0, NULL},
	{"cpuset.cpus.partition", FORM_WORDS, 0, 0, partitions},
	{"cpuset.mems", FORM_CPUS, 0, 0, NULL},
	{"io.max", FORM_DEVICE, 0, 0, io_keys},
	{"io.latency", FORM_DEVICE, 0, 0, latency_keys},
	{"io.weight", FORM_ANY, 0, 0, NULL},
	{"io.bfq.weight", FORM_ANY, 0, 0, NULL},
	{"io.prio.class", FORM_WORDS, 0, 0, io_classes},
	{"memory.min", FORM_SIZE, 0, 0, NULL},
	{"memory.low", FORM_SIZE, 0, 0, NULL},
	{"memory.high", FORM_SIZE, 0, 0, NULL},
	{"memory.max", FORM_SIZE, 0, 0, NULL},
	{"memory.swap.high", FORM_SIZE, 0, 0, NULL},
	{"memory.swap.max", FORM_SIZE, 0, 0, NULL},
	{"memory.zswap.max", FORM_SIZE, 0, 0, NULL},
	{"memory.zswap.writeback", FORM_NUMBER, 0, 1, NULL},
	{"memory.oom.group", FORM_NUMBER, 0, 1, NULL},
	{"pids.max", FORM_COUNT, 1, INT64_MAX, NULL},
	{"rdma.max", FORM_ANY, 0, 0, NULL},
	{"misc.max", FORM_ANY, 0, 0, NULL},
	{"cgroup.max.depth", FORM_COUNT, 0, INT32_MAX, NULL},
	{"cgroup.max.descendants", FORM_COUNT, 0, INT32_MAX, NULL},
	{"cgroup.pressure", FORM_NUMBER, 0, 1, NULL},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static const struct setting huge_pages = {"hugetlb.2MB.max", FORM_SIZE, 0, 0, NULL};

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && strcmp(text + length - tail, end) == 0;
}

static const struct setting *find(const char *name)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (strcmp(settings[i].name, name) == 0)
			return &settings[i];
	/* One for each size of a page that the machine has. */
	if (strncmp(name, "hugetlb.", 8) == 0 && ends_with(name, "B.max"))
		return &huge_pages;
	if (strncmp(name, "hugetlb.", 8) == 0 && ends_with(name, "B.rsvd.max"))
		return &huge_pages;
	return NULL;
}

static bool in_range(const char *text, int64_t least, int64_t most)
{
	int64_t number;

	return value_integer(text, &number) && number >= least && number <= most;
}

static bool is_digits(const char *text, size_t length)
{
	return length && strspn(text, "0123456789") >= length;
}

/* "max" or microseconds, of which the kernel takes none below a millisecond; then the period. */
static bool is_quota(const char *text, struct pool *pool)
{
	size_t first = strcspn(text, " ");
	const char *quota = pool_copy(pool, text, first);

	if (strcmp(quota, "max") != 0 && !in_range(quota, 1000, INT64_MAX))
		return false;
	return text[first] == '\0' || in_range(text + first + 1, 1000, 1000000);
}

static bool is_percent(const char *text)
{
	size_t whole = strspn(text, "0123456789");

	if (strcmp(text, "max") == 0)
		return true;
	if (!whole || !in_range(text[whole] ? "0" : text, 0, 100))
		return false;
	return text[whole] == '\0' ||
	       (text[whole] == '.' && is_digits(text + whole + 1, strlen(text + whole + 1)));
}

/* "/dev/vda rbps=1048576 wiops=max" */
static bool is_device_line(const char *text, const char *const *keys)
{
	size_t device = strcspn(text, " "), major = strspn(text, "0123456789");

	if (strncmp(text, "/dev/", 5) != 0 &&
	    !(major && text[major] == ':' && is_digits(text + major + 1, device - major - 1)))
		return false;
	for (text += device; *text; text += strcspn(text, " ")) {
		const char *const *key = keys;
		text += strspn(text, " ");
		size_t length = strcspn(text, "= "), value = strcspn(text, " ");
		while (*key && !(strlen(*key) == length && strncmp(*key, text, length) == 0))
			key++;
		if (!*key || text[length] != '=')
			return false;
		const char *number = text + length + 1;
		if (!is_digits(number, value - length - 1) && strncmp(number, "max", 3) != 0)
			return false;
	}
	return true;
}

static bool takes(const struct setting *setting, const char *value, struct pool *pool)
{
	uint64_t cpus[VALUE_CPU_WORDS], bytes;

	switch (setting->form) {
	case FORM_SIZE: return strcmp(value, "max") == 0 || value_size(value, &bytes);
	case FORM_COUNT:
		if (strcmp(value, "max") == 0)
			return true;
		__attribute__((fallthrough));
	case FORM_NUMBER: return in_range(value, setting->least, setting->most);
	case FORM_CPUS: return value_cpus(value, cpus);
	case FORM_QUOTA: return is_quota(value, pool);
	case FORM_PERCENT: return is_percent(value);
	case FORM_DEVICE: return is_device_line(value, setting->words);
	case FORM_WORDS:
		for (size_t i = 0; setting->words[i]; i++)
			if (strcmp(setting->words[i], value) == 0)
				return true;
		return false;
	case FORM_ANY: return value[0] != '\0';
	}
	return false;
}

static const char *joined(const char *const *words, struct pool *pool)
{
	const char *text = words[0];

	for (size_t i = 1; words[i]; i++)
		text = pool_printf(pool, "%s%s%s", text, words[i + 1] ? ", " : " or ", words[i]);
	return text;
}

static const char *wanted(const struct setting *setting, struct pool *pool)
{
	switch (setting->form) {
	case FORM_SIZE: return "a size such as 96MiB, or max";
	case FORM_COUNT:
		return pool_printf(pool, "a number from %lld, or max", (long long)setting->least);
	case FORM_NUMBER:
		return pool_printf(pool, "a number from %lld to %lld", (long long)setting->least,
				   (long long)setting->most);
	case FORM_CPUS: return "a set such as 0-1,3";
	case FORM_QUOTA:
		return "'QUOTA' or 'QUOTA PERIOD', microseconds such as '50000 100000' "
		       "for half a CPU";
	case FORM_PERCENT: return "a percentage such as 50 or 12.5, or max";
	case FORM_DEVICE:
		return pool_printf(pool, "'/dev/NAME KEY=NUMBER ...', KEY being %s",
				   joined(setting->words, pool));
	case FORM_WORDS: return joined(setting->words, pool);
	case FORM_ANY: return "a text";
	}
	return "";
}

static bool has_controller(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->controllers.count; i++)
		if (strcmp(spec->controllers.list[i].text, name) == 0)
			return true;
	return false;
}

static void check_setting(const struct spec *spec, const struct spec_setting *said,
			  struct diagnostics *diagnostics)
{
	const struct schema size = {.scalar = SCHEMA_SIZE};
	const char *name = said->name.text;
	const char *controller = pool_copy(spec->pool, name, strcspn(name, "."));
	const struct setting *setting = find(name);
	bool listed = has_controller(spec, controller);

	if (!setting) {
		struct nearest nearest = {.name = name};
		bool known = strcmp(controller, "cgroup") == 0 ||
			     strcmp(controller, "hugetlb") == 0;
		for (size_t i = 0; i < SETTINGS; i++) {
			nearest_offer(&nearest, settings[i].name);
			known |= strncmp(settings[i].name, name, strlen(controller) + 1) == 0;
		}
		/* A controller that is newer than this table: the spec names it, so it is meant. */
		if (listed && !known)
			return;
		diagnose(diagnostics, said->name.where, "a cgroup has no file '%s' that can be set",
			 name);
		diagnose_suggest(diagnostics, nearest.best);
		return;
	}
	if (!listed && strcmp(controller, "cgroup") != 0) {
		diagnose(diagnostics, said->name.where,
			 "'%s' needs the controller '%s', which is not in 'controllers'", name,
			 controller);
		return;
	}
	if (takes(setting, said->value, spec->pool))
		return;
	diagnose(diagnostics, said->value_where, "'%s' must be %s, not '%s'", name,
		 wanted(setting, spec->pool), said->value);
	if (setting->form == FORM_SIZE)
		diagnose_suggest(diagnostics, schema_suggest_value(&size, said->value, spec->pool));
}

/* sched_setaffinity(2) fails when the group leaves none of the CPUs. */
static void check_cpus(const struct spec_service *service, const struct spec_setting *said,
		       struct diagnostics *diagnostics)
{
	uint64_t cpus[VALUE_CPU_WORDS], own = 0, both = 0;

	if (strcmp(said->name.text, "cpuset.cpus") != 0 || !value_cpus(said->value, cpus))
		return;
	for (size_t i = 0; i < VALUE_CPU_WORDS; i++) {
		own |= service->cpus[i];
		both |= service->cpus[i] & cpus[i];
	}
	if (own && !both)
		diagnose(diagnostics, said->value_where,
			 "'cpuset.cpus' leaves '%s' none of its 'cpus'", service->name.text);
}

void spec_check_settings(const struct spec *spec, const struct spec_service *service,
			 struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < service->cgroup_setting_count; i++) {
		check_setting(spec, &service->cgroup_settings[i], diagnostics);
		check_cpus(service, &service->cgroup_settings[i], diagnostics);
	}
}
