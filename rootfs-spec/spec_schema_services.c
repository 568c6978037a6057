/* SPDX-License-Identifier: Apache-2.0 */
/* The language of services. */
#include "rootfs-spec/spec_schema.h"

static const struct schema text = {.scalar = SCHEMA_TEXT};
static const struct schema word = {.scalar = SCHEMA_WORD};
static const struct schema path = {.scalar = SCHEMA_PATH};
static const struct schema name = {.scalar = SCHEMA_NAME};
static const struct schema boolean = {.scalar = SCHEMA_BOOLEAN};
static const struct schema duration = {.scalar = SCHEMA_DURATION};
static const struct schema size = {.scalar = SCHEMA_SIZE};
static const struct schema mode = {.scalar = SCHEMA_MODE};
static const struct schema cgroup = {.scalar = SCHEMA_CGROUP};
static const struct schema signal_name = {.scalar = SCHEMA_SIGNAL};
static const struct schema identity = {.scalar = SCHEMA_INTEGER, .least = 0, .most = 4294967294};
static const struct schema identities = {.element = &identity};
static const struct schema texts = {.element = &text};
static const struct schema names = {.scalar = SCHEMA_NAME, .element = &name};
static const struct schema paths = {.element = &path};

static const char *const kinds[] = {"daemon", "oneshot", "timer", NULL};
static const char *const kills[] = {"cgroup", "main", NULL};
static const char *const outputs[] = {"log", "kmsg", "none", NULL};
static const char *const notifies[] = {"main", "all", NULL};
static const struct schema kind = {.scalar = SCHEMA_CHOICE, .choices = kinds};
static const struct schema kill = {.scalar = SCHEMA_CHOICE, .choices = kills};
static const struct schema notify = {.scalar = SCHEMA_CHOICE, .choices = notifies};

/* ---- output ---- */

static const struct schema_key output_keys[] = {
	{"tty", &path, NULL, "The terminal that is the service's input and output.", true},
	{0},
};
static const struct schema output = {.what = "'output'",
				     .scalar = SCHEMA_CHOICE,
				     .choices = outputs,
				     .keys = output_keys,
				     .merge = SCHEMA_REPLACE};
static const char *const fulls[] = {"wait", "drop", NULL};
static const struct schema when_full = {.scalar = SCHEMA_CHOICE, .choices = fulls};
static const struct schema_key log_keys[] = {
	{"path", &path, NULL, "The file; without it /var/log/keelson/SERVICE.log.", false},
	{"max", &size, "4MiB", "A larger file is rotated.", false},
	{"keep", &(const struct schema){.scalar = SCHEMA_INTEGER, .least = 0, .most = 100}, "3",
	 "Rotated files that are kept.", false},
	{"when-full", &when_full, "wait",
	 "What happens when the logger is behind and the pipe to it (64 KiB) is full: `wait` (the "
	 "service waits in its write, and no line is lost) or `drop` (when the pipe is half "
	 "full and the logger took nothing from it for about 100 ms, because a disk holds it up, "
	 "what is in the pipe is thrown away; a line in the file tells how much). A logger that "
	 "dies "
	 "meanwhile takes that count with it, and up to 64 KiB that it held a copy of.",
	 false},
	{0},
};
static const struct schema log_map = {.what = "'log'", .keys = log_keys};

/* ---- readiness and life ---- */

static const char *const probes[] = {"exec", "notify", NULL};
static const struct schema descriptor = {.scalar = SCHEMA_INTEGER, .least = 3, .most = PLAN_MAX_FD};
static const struct schema_key probe_keys[] = {
	{"http", &word, NULL, "`127.0.0.1:PORT/PATH`: a GET on loopback answers 200.", false},
	{"socket", &path, NULL, "The socket at this path accepts a connection.", false},
	{"fd", &descriptor, NULL,
	 "The service writes a newline to this descriptor, which it is given open.", false},
	{"command", &texts, NULL,
	 "This program, with the service's confinement, ends with 0. An absolute path and its "
	 "arguments.",
	 false},
	{"every", &duration, "100ms", "How often it is asked (not of `fd`).", false},
	{"timeout", &duration, "1s", "How long one answer may take (`http`, `command`).", false},
	{0},
};
static const struct schema probe = {.what = "'ready'",
				    .scalar = SCHEMA_CHOICE,
				    .choices = probes,
				    .keys = probe_keys,
				    .merge = SCHEMA_REPLACE};
static const struct schema ready = {.what = "'ready'",
				    .scalar = SCHEMA_CHOICE,
				    .choices = probes,
				    .element = &probe,
				    .keys = probe_keys,
				    .merge = SCHEMA_REPLACE};
static const struct schema failures = {.scalar = SCHEMA_INTEGER, .least = 1, .most = 1000};
static const struct schema_key liveness_keys[] = {
	{"http", &word, NULL, "`127.0.0.1:PORT/PATH`: a GET on loopback answers 200.", false},
	{"socket", &path, NULL, "The socket at this path accepts a connection.", false},
	{"command", &texts, NULL,
	 "This program, with the service's confinement, ends with 0. An absolute path and its "
	 "arguments.",
	 false},
	{"every", &duration, "10s", "How often it is asked, while the service is up.", false},
	{"timeout", &duration, "1s", "How long one answer may take (`http`, `command`).", false},
	{"failures", &failures, "3", "So many in a row, and the service is restarted.", false},
	{0},
};
static const struct schema liveness_entry = {.what = "'liveness'",
					     .keys = liveness_keys,
					     .merge = SCHEMA_REPLACE};
static const struct schema liveness = {.what = "'liveness'",
				       .element = &liveness_entry,
				       .keys = liveness_keys,
				       .merge = SCHEMA_REPLACE};

/* ---- restarts ---- */

static const char *const restarts[] = {"always", "on-failure", "never", NULL};
static const struct schema restart_on = {.scalar = SCHEMA_CHOICE, .choices = restarts};
static const struct schema exit_status = {.scalar = SCHEMA_INTEGER, .least = 0, .most = 255};
static const struct schema exits = {.element = &exit_status};
static const struct schema_key restart_keys[] = {
	{"on", &restart_on, NULL,
	 "`always`, `on-failure` or `never`; without it what holds without `restart`.", false},
	{"success", &exits, NULL, "Exit statuses that are a good end, too, beside 0.", false},
	{"final", &exits, NULL, "Exit statuses that are never followed by a restart.", false},
	{0},
};
static const struct schema restart = {.what = "'restart'",
				      .scalar = SCHEMA_CHOICE,
				      .choices = restarts,
				      .keys = restart_keys};
static const struct schema_key backoff_keys[] = {
	{"min", &duration, "100ms", "Before the first restart.", false},
	{"max", &duration, "10s", "The wait doubles up to this.", false},
	{"stable", &duration, "10s", "Up for so long: the wait and the burst begin anew.", false},
	{"burst", &(const struct schema){.scalar = SCHEMA_INTEGER, .least = 0, .most = 10000}, "0",
	 "Failed for good after so many restarts without a stable period; 0: never.", false},
	{0},
};
static const struct schema backoff = {.what = "'backoff'", .keys = backoff_keys};
static const struct schema_key timer_keys[] = {
	{"first", &duration, "0", "Between its own start, such as the boot's, and the first run.",
	 false},
	{"every", &duration, "0",
	 "Between the end of a run and the next one; 0: it runs once. The clock counts while the "
	 "node sleeps.",
	 false},
	{"jitter", &duration, "0",
	 "At most so much is added to each wait, at random: a fleet does not do it at once.",
	 false},
	{0},
};
static const struct schema timer = {.what = "'timer'", .keys = timer_keys};

/* ---- what runs beside it, and when it runs at all ---- */

static const struct schema_key hook_keys[] = {
	{"command", &texts, NULL, "The program, an absolute path, and its arguments.", true},
	{"timeout", &duration, NULL,
	 "Longer, and it is killed and has failed. Without it the service's `start-timeout` in "
	 "`pre`, its `stop-timeout` in `post`.",
	 false},
	{"optional", &boolean, "false", "Its failure is only logged.", false},
	{0},
};
static const struct schema hook = {.what = "a command",
				   .element = &text,
				   .keys = hook_keys,
				   .merge = SCHEMA_REPLACE};
static const struct schema hooks = {.element = &hook};
static const struct schema_key reload_keys[] = {
	{"command", &texts, NULL, "The program, an absolute path, and its arguments.", true},
	{"timeout", &duration, "30s", "Longer, and it is killed and has failed.", false},
	{0},
};
static const struct schema reload = {.what = "'reload'",
				     .scalar = SCHEMA_SIGNAL,
				     .keys = reload_keys,
				     .merge = SCHEMA_REPLACE};
static const char *const architectures[] = {"x86_64",  "aarch64", "armv7l",      "i686", "ppc64le",
					    "riscv64", "s390x",   "loongarch64", NULL};
static const struct schema architecture = {.scalar = SCHEMA_CHOICE, .choices = architectures};
/* What svc/condition.c can tell apart. */
static const char *const virtualizations[] = {"vm",     "container", "none",   "kvm",
					      "qemu",   "xen",       "vmware", "microsoft",
					      "oracle", "parallels", "bhyve",  "acrn",
					      "amazon", "google",    "bochs",  "apple",
					      "other",  NULL};
static const struct schema virtualization = {.scalar = SCHEMA_CHOICE, .choices = virtualizations};
static const struct schema_key condition_keys[] = {
	{"path", &path, NULL, "This path exists.", false},
	{"kernel-word", &word, NULL,
	 "The kernel's command line has this word, or one that begins with it and `=`.", false},
	{"first-boot", &boolean, NULL, "The state was made in this boot.", false},
	{"architecture", &architecture, NULL, "The machine, as `uname -m` tells it.", false},
	{"virtualization", &virtualization, NULL,
	 "What the node runs on: `vm` for any virtual machine, `container`, `none`, or one kind.",
	 false},
	{"not", &boolean, "false", "It must not hold.", false},
	{0},
};
static const struct schema condition = {.what = "a condition",
					.keys = condition_keys,
					.merge = SCHEMA_REPLACE};
static const struct schema conditions = {.element = &condition};

/* ---- what its processes are given ---- */

static const struct schema environment = {.what = "'environment'",
					  .value = &text,
					  .key = SCHEMA_VARIABLE};
static const struct schema limit_number = {.scalar = SCHEMA_LIMIT};
static const struct schema limit = {.scalar = SCHEMA_LIMIT, .element = &limit_number};
static const struct schema limits = {.what = "'limits'", .value = &limit, .key = SCHEMA_RESOURCE};
static const struct schema cgroup_settings = {.what = "'cgroup-settings'",
					      .value = &text,
					      .key = SCHEMA_FILE_NAME};
static const struct schema niceness = {.scalar = SCHEMA_INTEGER, .least = -20, .most = 19};
static const struct schema oom = {.scalar = SCHEMA_INTEGER, .least = -1000, .most = 1000};
static const struct schema cpus = {.scalar = SCHEMA_CPUS};

static const char *const schedulers[] = {"other", "batch", "idle", "fifo", "rr", NULL};
static const struct schema scheduler_policy = {.scalar = SCHEMA_CHOICE, .choices = schedulers};
static const struct schema priority = {.scalar = SCHEMA_INTEGER, .least = 1, .most = 99};
static const struct schema_key scheduler_keys[] = {
	{"policy", &scheduler_policy, NULL, "As sched(7) describes them.", true},
	{"priority", &priority, NULL, "Of `fifo` and `rr`, which need one: 1 to 99.", false},
	{0},
};
static const struct schema scheduler = {.what = "'scheduler'",
					.keys = scheduler_keys,
					.merge = SCHEMA_REPLACE};
static const char *const io_classes[] = {"realtime", "best-effort", "idle", NULL};
static const struct schema io_class = {.scalar = SCHEMA_CHOICE, .choices = io_classes};
static const struct schema io_level = {.scalar = SCHEMA_INTEGER, .least = 0, .most = 7};
static const struct schema_key io_keys[] = {
	{"class", &io_class, NULL, "As ioprio_set(2) describes them.", true},
	{"level", &io_level, NULL, "0 (first) to 7; without it 4. `idle` has none.", false},
	{0},
};
static const struct schema io_priority = {.what = "'io-priority'",
					  .keys = io_keys,
					  .merge = SCHEMA_REPLACE};
static const struct schema_key bind_keys[] = {
	{"from", &path, NULL, "What of the node is seen there.", true},
	{"to", &path, NULL, "Where; it must exist.", true},
	{"read-only", &boolean, "false", "It can only be read.", false},
	{"optional", &boolean, "false", "Left out when one of them does not exist.", false},
	{0},
};
static const struct schema bind = {.what = "a bind", .keys = bind_keys, .merge = SCHEMA_REPLACE};
static const struct schema binds = {.element = &bind};

/* ---- a service ---- */

static const struct schema_key service_keys[] = {
	{"exec", &texts, NULL, "The program, an absolute path, and its arguments. No shell.", true},
	{"kind", &kind, "daemon",
	 "`daemon` stays up; `oneshot` runs to its end, and is done when that is 0; `timer` is a "
	 "oneshot that runs again and again.",
	 false},
	{"requires", &names, NULL,
	 "Services that must be up first; it goes down and comes back with them.", false},
	{"wants", &names, NULL, "Services that are started, too, and waited for; they may fail.",
	 false},
	{"after", &names, NULL, "Order only: if both start, then it after these.", false},
	{"conflicts", &names, NULL,
	 "Never both: starting one by name stops the other and waits for it.", false},
	{"ready", &ready, "exec",
	 "When it counts as up: `exec` (the program runs), `notify` (sd_notify's READY=1), "
	 "`{socket: PATH}`, `{http: 127.0.0.1:PORT/PATH}`, `{fd: N}`, `{command: [...]}`, or a "
	 "list "
	 "of which all must hold.",
	 false},
	{"liveness", &liveness, NULL,
	 "What is asked again and again while it is up, one or a list. One that fails too often "
	 "restarts it.",
	 false},
	{"watchdog", &duration, "0",
	 "It says WATCHDOG=1 (sd_notify(3)) at least so often; else it is ended with ABRT, and "
	 "restarts. 0: not expected.",
	 false},
	{"notify", &notify, "main",
	 "Whose sd_notify(3) counts: that of the `main` process, or of `all` of its cgroup.",
	 false},
	{"restart", &restart, NULL,
	 "`always`, `on-failure` or `never`, or a map. By default `always`, and `never` for a "
	 "oneshot.",
	 false},
	{"backoff", &backoff, NULL, "How restarts are spaced.", false},
	{"timer", &timer, NULL, "When a timer runs; `first` or `every` must be said.", false},
	{"conditions", &conditions, NULL,
	 "All must hold, each time it starts; else there is nothing to do, and it is done, which "
	 "counts as up for what needs it.",
	 false},
	{"pre", &hooks, NULL,
	 "Commands that are run one after the other before it, as it is confined, within "
	 "`start-timeout`; a failure fails the start. Each is `[/program, argument]` or a map.",
	 false},
	{"post", &hooks, NULL,
	 "Commands that are run after it ended, however it did; written as in `pre`.", false},
	{"reload", &reload, NULL,
	 "What makes it read its configuration anew: a signal, or `{command: [...]}`.", false},
	{"start-timeout", &duration, "30s", "Ready by then, or the start has failed.", false},
	{"stop-timeout", &duration, "10s", "Between the stop signal and the kill.", false},
	{"stop-signal", &signal_name, "TERM", "What asks the main process to end.", false},
	{"kill", &kill, "cgroup",
	 "What a stop takes down: the whole `cgroup`, or `main` (the main process alone).", false},
	{"critical", &boolean, "false",
	 "When it has failed for good (`restart`, `backoff`) the node reboots, or what the spec's "
	 "`critical` says.",
	 false},
	{"manual", &boolean, "false", "Not started at boot unless another service needs it.",
	 false},
	{"policy", &name, NULL, "What it may do: a name from `policies`.", false},
	{"user", &identity, "0", "User id.", false},
	{"group", &identity, "0", "Group id.", false},
	{"groups", &identities, NULL, "Supplementary group ids.", false},
	{"environment", &environment, NULL,
	 "The whole environment; PATH=/usr/sbin:/usr/bin:/sbin:/bin unless given.", false},
	{"directory", &path, "/", "Working directory.", false},
	{"output", &output, "log",
	 "Where output goes: `log`, `kmsg` (the kernel's log: it cuts long lines and passes over "
	 "what comes too fast), `none`, or `{tty: /dev/...}`.",
	 false},
	{"log", &log_map, NULL, "The log file of `output: log`.", false},
	{"cgroup", &cgroup, NULL, "Its cgroup; without it the service's name.", false},
	{"delegate", &boolean, "false", "The cgroup below is its own: nobody else rewrites it.",
	 false},
	{"cgroup-settings", &cgroup_settings, NULL,
	 "Files of its cgroup, such as `memory.max: 96MiB`.", false},
	{"limits", &limits, NULL,
	 "Resource limits: a number, a size, `unlimited`, or `[soft, hard]`.", false},
	{"oom-score-adj", &oom, "0", "Who the kernel kills first: -1000 (never) to 1000.", false},
	{"nice", &niceness, "0", "Scheduling priority: -20 (most) to 19.", false},
	{"scheduler", &scheduler, NULL, "The kernel's scheduling policy.", false},
	{"cpus", &cpus, NULL, "The CPUs it may run on, such as `0-1,3`.", false},
	{"io-priority", &io_priority, NULL, "Who reads and writes first.", false},
	{"umask", &mode, "0022", "Permissions that new files do not get.", false},
	{"private-tmp", &boolean, "false", "Its /tmp and /var/tmp are its own, and empty.", false},
	{"read-only", &paths, NULL,
	 "Paths that it can only read, with everything below; `/` for the whole node. What it "
	 "shall "
	 "write nevertheless is a `bind` onto itself.",
	 false},
	{"hidden", &paths, NULL, "Paths that are empty to it.", false},
	{"bind", &binds, NULL, "Paths that it sees in other places.", false},
	{0},
};
static const struct schema service = {.what = "a service", .keys = service_keys};
const struct schema schema_services = {.what = "'services'", .value = &service, .key = SCHEMA_NAME};
