/* SPDX-License-Identifier: Apache-2.0 */
/* The language: every key a spec may hold. docs/spec.md is printed from this file. */
#include "rootfs-spec/schema.h"

/* ---- values that several keys share ---- */

static const struct schema text = {.scalar = SCHEMA_TEXT};
static const struct schema word = {.scalar = SCHEMA_WORD};
static const struct schema path = {.scalar = SCHEMA_PATH};
static const struct schema host_path = {.scalar = SCHEMA_HOST_PATH};
static const struct schema program = {.scalar = SCHEMA_PROGRAM};
static const struct schema name = {.scalar = SCHEMA_NAME};
static const struct schema boolean = {.scalar = SCHEMA_BOOLEAN};
static const struct schema duration = {.scalar = SCHEMA_DURATION};
static const struct schema size = {.scalar = SCHEMA_SIZE};
static const struct schema mode = {.scalar = SCHEMA_MODE};
static const struct schema glob = {.scalar = SCHEMA_GLOB};
static const struct schema capability = {.scalar = SCHEMA_CAPABILITY};
static const struct schema system_call = {.scalar = SCHEMA_SYSCALL};
static const struct schema controller = {.scalar = SCHEMA_CONTROLLER};
static const struct schema identity = {.scalar = SCHEMA_INTEGER, .least = 0, .most = 4294967294};
static const struct schema identities = {.element = &identity};
static const struct schema texts = {.element = &text};
static const struct schema added_words = {.element = &word, .merge = SCHEMA_APPEND};
static const struct schema added_globs = {.element = &glob, .merge = SCHEMA_APPEND};
static const struct schema added_host_paths = {.element = &host_path, .merge = SCHEMA_APPEND};
static const struct schema names = {.scalar = SCHEMA_NAME, .element = &name};
static const struct schema paths_list = {.element = &path};
static const struct schema capabilities_list = {.element = &capability};
static const struct schema calls_list = {.element = &system_call};
static const struct schema controllers_list = {.element = &controller};

/* ---- the image ---- */

static const struct schema globs = {.element = &glob};
static const struct schema package = {.what = "a package",
				      .scalar = SCHEMA_WORD,
				      .value = &globs,
				      .key = SCHEMA_WORD};
static const struct schema packages_list = {.element = &package,
					    .merge = SCHEMA_APPEND,
					    .identity = ""};
static const struct schema_key packages_keys[] = {
	{"install", &packages_list, NULL,
	 "Debian packages. An entry is a name, or `name: [paths]` to take only those files and "
	 "directories of it (wildcards as in `exclude`).",
	 false},
	{"exclude", &added_globs, NULL,
	 "Paths that are left out: `*` and `?` stay within a component, `**` does not.", false},
	{"include", &added_globs, NULL, "Paths that `exclude` does not take.", false},
	{"local", &added_host_paths, NULL, "`.deb` files of the builder's machine.", false},
	{"dependencies", &boolean, "true", "Install what the packages depend on, too.", false},
	{0},
};
static const struct schema packages = {.what = "'packages'", .keys = packages_keys};

static const struct schema_key file_keys[] = {
	{"to", &path, NULL, "Where in the root.", true},
	{"from", &host_path, NULL,
	 "A file of the builder's machine, relative to the spec that says it; `program:NAME` is a "
	 "program that keelson's own build provides.",
	 false},
	{"content", &text, NULL, "The file's text.", false},
	{"tree", &host_path, NULL, "A directory of the builder's machine, merged into `to`.",
	 false},
	{"link", &text, NULL, "The target of a symbolic link.", false},
	{"directory", &boolean, NULL, "`true`: an empty directory.", false},
	{"mode", &mode, NULL,
	 "Permissions. Without it: 0755 for directories and for what is executable, else 0644.",
	 false},
	{"user", &identity, "0", "Owner, a number.", false},
	{"group", &identity, "0", "Group, a number.", false},
	{0},
};
static const struct schema file = {.what = "a file", .keys = file_keys, .merge = SCHEMA_REPLACE};
static const struct schema files = {.element = &file, .merge = SCHEMA_APPEND, .identity = "to"};

static const char *const formats[] = {"erofs", "squashfs", NULL};
static const char *const compressions[] = {"lz4", "lz4hc", "zstd", "none", NULL};
static const struct schema format = {.scalar = SCHEMA_CHOICE, .choices = formats};
static const struct schema compression = {.scalar = SCHEMA_CHOICE, .choices = compressions};
static const struct schema_key image_keys[] = {
	{"format", &format, "erofs", "File system of the root: `erofs` or `squashfs`.", false},
	{"compression", &compression, NULL,
	 "erofs: `lz4hc` (default), `lz4` or `none`; squashfs: `zstd` (default) or `none`.", false},
	{"budget", &size, "0",
	 "The most that the root may take without its kernel; a larger one fails the build.",
	 false},
	{0},
};
static const struct schema image = {.what = "'image'", .keys = image_keys};

static const struct schema module = {.what = "a module",
				     .scalar = SCHEMA_WORD,
				     .value = &text,
				     .key = SCHEMA_WORD};
static const struct schema modules = {.element = &module, .merge = SCHEMA_APPEND, .identity = ""};
static const struct schema_key kernel_keys[] = {
	{"package", &word, NULL, "The Debian package of the kernel.", false},
	{"modules", &modules, NULL,
	 "Modules that PID 1 loads, with what they depend on. An entry is a name, or "
	 "`name: parameters`.",
	 false},
	{"storage", &modules, NULL, "Modules that the initramfs loads to reach the disk.", false},
	{"on-demand", &added_words, NULL,
	 "Modules that are in the image, with what they depend on, and that the kernel loads when "
	 "something asks for them, through /sbin/modprobe (package `kmod`). PID 1 does not load "
	 "them.",
	 false},
	{"cmdline", &added_words, NULL, "Words of the kernel's command line.", false},
	{0},
};
static const struct schema kernel = {.what = "'kernel'", .keys = kernel_keys};

static const struct schema_key disk_keys[] = {
	{"esp", &size, "64MiB", "The EFI system partition; 0 for none.", false},
	{"state", &size, "256MiB", "The state partition in the built image; it grows on the node.",
	 false},
	{0},
};
static const struct schema disk = {.what = "'disk'", .keys = disk_keys};

static const struct schema_key pod_image_keys[] = {
	{"name", &word, NULL, "The image's reference, such as `localhost/keelson/pause:1`.", true},
	{"program", &program, NULL,
	 "The static program that is its only file: a name for one of keelson's own, else a path.",
	 true},
	{"to", &path, NULL, "Where in the root the archive lies.", true},
	{0},
};
static const struct schema pod_image = {.what = "an image of a pod",
					.keys = pod_image_keys,
					.merge = SCHEMA_REPLACE};
static const struct schema pod_images = {.element = &pod_image,
					 .merge = SCHEMA_APPEND,
					 .identity = "name"};
static const struct schema cgroup = {.scalar = SCHEMA_CGROUP};
static const struct schema_key pods_keys[] = {
	{"images", &pod_images, NULL,
	 "OCI images made at build time from one static program each, kept as archives.", false},
	{"cgroup", &cgroup, "kubepods", "The cgroup that pods live in.", false},
	{"grace", &duration, "10s", "At shutdown, between TERM to the pods and their kill.", false},
	{0},
};
static const struct schema pods = {.what = "'pods'", .keys = pods_keys};

/* ---- what PID 1 prepares ---- */

static const char *const propagations[] = {"private",    "shared",      "slave",
					   "unbindable", "rprivate",    "rshared",
					   "rslave",     "runbindable", NULL};
static const char *const makes[] = {"if-empty", "never", NULL};
static const struct schema propagation = {.scalar = SCHEMA_CHOICE, .choices = propagations};
static const struct schema make = {.scalar = SCHEMA_CHOICE, .choices = makes};
static const struct schema options = {.scalar = SCHEMA_TEXT, .element = &text};
static const struct schema_key overlay_keys[] = {
	{"lower", &paths_list, NULL, "Read-only layers, topmost first; without it the target.",
	 false},
	{"upper", &text, "none",
	 "Where changes go: `tmpfs` (lost at reboot), an absolute path, or `none` (read-only).",
	 false},
	{"work", &path, NULL, "overlayfs's work directory, beside `upper`; by default made there.",
	 false},
	{0},
};
static const struct schema overlay = {.what = "'overlay'",
				      .keys = overlay_keys,
				      .merge = SCHEMA_REPLACE};
static const struct schema_key mount_keys[] = {
	{"source", &text, NULL,
	 "A device path, `partition:NAME` (GPT name on the disk that was booted), or for a bind "
	 "mount a path.",
	 false},
	{"type", &word, NULL, "The file system, or `bind`.", false},
	{"options", &options, NULL, "As mount(8) takes them: a list, or one text with commas.",
	 false},
	{"propagation", &propagation, NULL, "As mount(8) names them; `r...` for the whole tree.",
	 false},
	{"make", &make, "never", "`if-empty`: make the file system if the device holds none.",
	 false},
	{"grow", &boolean, "false", "Grow the file system to its partition.", false},
	{"check", &boolean, "false", "Check the file system before mounting, unless it is clean.",
	 false},
	{"optional", &boolean, "false", "When it cannot be mounted the boot goes on.", false},
	{"recursive", &boolean, "false", "Bind with everything mounted below.", false},
	{"overlay", &overlay, NULL, "The target becomes an overlay.", false},
	{0},
};
static const struct schema mount = {.what = "a mount", .keys = mount_keys};
static const struct schema mounts = {.what = "'mounts'", .value = &mount, .key = SCHEMA_PATH};

static const struct schema_key path_keys[] = {
	{"path", &path, NULL, "The path to make.", true},
	{"directory", &boolean, NULL, "`true`: a directory.", false},
	{"content", &text, NULL, "A file with this text.", false},
	{"link", &text, NULL, "A symbolic link to this target.", false},
	{"copy", &path, NULL, "A copy of this file of the root.", false},
	{"mode", &mode, NULL, "Permissions; without it 0755 for directories, 0644 for files.",
	 false},
	{"user", &identity, "0", "Owner, a number.", false},
	{"group", &identity, "0", "Group, a number.", false},
	{0},
};
static const struct schema path_entry = {.what = "a path",
					 .keys = path_keys,
					 .merge = SCHEMA_REPLACE};
static const struct schema paths = {.element = &path_entry,
				    .merge = SCHEMA_APPEND,
				    .identity = "path"};

static const struct schema_key setting_keys[] = {
	{"value", &text, NULL, "What is written.", true},
	{"optional", &boolean, "false", "A failure is only logged.", false},
	{0},
};
static const struct schema setting = {.what = "a sysctl",
				      .scalar = SCHEMA_TEXT,
				      .keys = setting_keys,
				      .merge = SCHEMA_REPLACE};
static const struct schema sysctl = {.what = "'sysctl'", .value = &setting, .key = SCHEMA_SYSCTL};

static const struct schema_key network_keys[] = {
	{"loopback", &boolean, "true", "Bring `lo` up.", false},
	{0},
};
static const struct schema network = {.what = "'network'", .keys = network_keys};

static const struct schema_key shutdown_keys[] = {
	{"timeout", &duration, "1min",
	 "For everything before the last sync; then the node goes down whatever hangs.", false},
	{0},
};
static const struct schema shutdown_map = {.what = "'shutdown'", .keys = shutdown_keys};

/* ---- services ---- */

static const char *const kinds[] = {"daemon", "oneshot", NULL};
static const char *const restarts[] = {"always", "on-failure", "never", NULL};
static const char *const kills[] = {"cgroup", "main", NULL};
static const char *const outputs[] = {"log", "kmsg", "none", NULL};
static const char *const probes[] = {"exec", "notify", NULL};
static const struct schema kind = {.scalar = SCHEMA_CHOICE, .choices = kinds};
static const struct schema restart = {.scalar = SCHEMA_CHOICE, .choices = restarts};
static const struct schema kill = {.scalar = SCHEMA_CHOICE, .choices = kills};
static const struct schema_key output_keys[] = {
	{"tty", &path, NULL, "The terminal that is the service's input and output.", true},
	{0},
};
static const struct schema output = {.what = "'output'",
				     .scalar = SCHEMA_CHOICE,
				     .choices = outputs,
				     .keys = output_keys,
				     .merge = SCHEMA_REPLACE};
static const struct schema_key log_keys[] = {
	{"path", &path, NULL, "The file; without it /var/log/keelson/SERVICE.log.", false},
	{"max", &size, "4MiB", "A larger file is rotated.", false},
	{"keep", &(const struct schema){.scalar = SCHEMA_INTEGER, .least = 0, .most = 100}, "3",
	 "Rotated files that are kept.", false},
	{0},
};
static const struct schema log_map = {.what = "'log'", .keys = log_keys};
static const struct schema_key probe_keys[] = {
	{"http", &word, NULL, "`127.0.0.1:PORT/PATH`: a GET on loopback answers 200.", false},
	{"socket", &path, NULL, "The socket at this path accepts a connection.", false},
	{"every", &duration, "100ms", "How often it is asked.", false},
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
static const struct schema_key backoff_keys[] = {
	{"min", &duration, "100ms", "Before the first restart.", false},
	{"max", &duration, "10s", "The wait doubles up to this.", false},
	{"stable", &duration, "10s", "Up for so long: the wait and the burst begin anew.", false},
	{"burst", &(const struct schema){.scalar = SCHEMA_INTEGER, .least = 0, .most = 10000}, "0",
	 "Failed for good after so many restarts without a stable period; 0: never.", false},
	{0},
};
static const struct schema backoff = {.what = "'backoff'", .keys = backoff_keys};
static const struct schema environment = {.what = "'environment'",
					  .value = &text,
					  .key = SCHEMA_VARIABLE};
static const struct schema limit_number = {.scalar = SCHEMA_LIMIT};
static const struct schema limit = {.scalar = SCHEMA_LIMIT, .element = &limit_number};
static const struct schema limits = {.what = "'limits'", .value = &limit, .key = SCHEMA_RESOURCE};
static const struct schema cgroup_settings = {.what = "'cgroup-settings'",
					      .value = &text,
					      .key = SCHEMA_FILE_NAME};
static const struct schema signal_name = {.scalar = SCHEMA_SIGNAL};
static const struct schema niceness = {.scalar = SCHEMA_INTEGER, .least = -20, .most = 19};
static const struct schema oom = {.scalar = SCHEMA_INTEGER, .least = -1000, .most = 1000};

static const struct schema_key service_keys[] = {
	{"exec", &texts, NULL, "The program, an absolute path, and its arguments. No shell.", true},
	{"kind", &kind, "daemon",
	 "`daemon` stays up; `oneshot` runs to its end, and is done when that is 0.", false},
	{"requires", &names, NULL,
	 "Services that must be up first; it goes down and comes back with them.", false},
	{"wants", &names, NULL, "Services that are started, too, and waited for; they may fail.",
	 false},
	{"after", &names, NULL, "Order only: if both start, then it after these.", false},
	{"ready", &ready, "exec",
	 "When it counts as up: `exec` (the program runs), `notify` (sd_notify's READY=1), "
	 "`{socket: PATH}`, `{http: 127.0.0.1:PORT/PATH}`, or a list of which all must hold.",
	 false},
	{"restart", &restart, NULL,
	 "`always`, `on-failure` or `never`. By default `always`, and `never` for a oneshot.",
	 false},
	{"backoff", &backoff, NULL, "How restarts are spaced.", false},
	{"start-timeout", &duration, "30s", "Ready by then, or the start has failed.", false},
	{"stop-timeout", &duration, "10s", "Between the stop signal and the kill.", false},
	{"stop-signal", &signal_name, "TERM", "What asks the main process to end.", false},
	{"kill", &kill, "cgroup",
	 "What a stop takes down: the whole `cgroup`, or `main` (the main process alone).", false},
	{"critical", &boolean, "false", "When it has failed for good the node reboots.", false},
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
	 "Where output goes: `log`, `kmsg`, `none`, or `{tty: /dev/...}`.", false},
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
	{"umask", &mode, "0022", "Permissions that new files do not get.", false},
	{0},
};
static const struct schema service = {.what = "a service", .keys = service_keys};
static const struct schema services = {.what = "'services'", .value = &service, .key = SCHEMA_NAME};

/* ---- policies ---- */

static const char *const securebits_names[] = {
	"noroot",    "noroot-locked",    "no-setuid-fixup",      "no-setuid-fixup-locked",
	"keep-caps", "keep-caps-locked", "no-cap-ambient-raise", "no-cap-ambient-raise-locked",
	NULL};
static const struct schema securebit = {.scalar = SCHEMA_CHOICE, .choices = securebits_names};
static const struct schema securebits = {.element = &securebit};
static const struct schema_key capabilities_keys[] = {
	{"drop", &capabilities_list, NULL, "All capabilities but these.", false},
	{"keep", &capabilities_list, NULL, "These capabilities and no others.", false},
	{"ambient", &capabilities_list, NULL,
	 "Of what is left, those a program run by another user keeps.", false},
	{0},
};
static const struct schema capabilities = {.what = "'capabilities'",
					   .keys = capabilities_keys,
					   .merge = SCHEMA_REPLACE};
static const struct schema_key seccomp_keys[] = {
	{"deny", &calls_list, NULL, "These calls answer EPERM, from 32-bit programs, too.", false},
	{"allow", &calls_list, NULL, "Every other call answers EPERM.", false},
	{0},
};
static const struct schema seccomp = {.what = "'seccomp'",
				      .keys = seccomp_keys,
				      .merge = SCHEMA_REPLACE};
static const struct schema_key policy_keys[] = {
	{"capabilities", &capabilities, NULL,
	 "Capabilities, by the names of capabilities(7), with or without `cap_`.", false},
	{"no-new-privs", &boolean, "false",
	 "Nothing it runs gains privileges. Everything below inherits it: never for containerd.",
	 false},
	{"securebits", &securebits, NULL, "As capabilities(7) describes them.", false},
	{"seccomp", &seccomp, NULL, "System calls, either denied or allowed.", false},
	{0},
};
static const struct schema policy = {.what = "a policy", .keys = policy_keys};
static const struct schema policies = {.what = "'policies'", .value = &policy, .key = SCHEMA_NAME};

/* ---- slots ---- */

static const struct schema_key healthy_keys[] = {
	{"services", &names, NULL, "Services that must be up.", false},
	{"for", &duration, "30s", "Without a break for so long.", false},
	{"deadline", &duration, "5min",
	 "Counted from the kernel's start; not healthy by then: reboot. 0: never.", false},
	{0},
};
static const struct schema healthy = {.what = "'healthy'", .keys = healthy_keys};
static const struct schema tries = {.scalar = SCHEMA_INTEGER, .least = 1, .most = 15};
static const char *const fills[] = {"both", "a", NULL};
static const struct schema fill = {.scalar = SCHEMA_CHOICE, .choices = fills};
static const struct schema epoch = {.scalar = SCHEMA_INTEGER, .least = 0, .most = 4294967295};
static const struct schema_key slots_keys[] = {
	{"tries", &tries, "3", "Boots that a new slot gets to become healthy.", false},
	{"size", &size, "0",
	 "Of a slot's root partition; 0: what the image needs, and room to grow.", false},
	{"fill", &fill, "both",
	 "Slots of the built disk that hold the image; with `a`, slot b is empty until the first "
	 "update.",
	 false},
	{"epoch", &epoch, "0",
	 "The image's security epoch. Raise it when older images must not boot any more: once such "
	 "an "
	 "image was blessed, the disk refuses those of a lower epoch.",
	 false},
	{"healthy", &healthy, NULL, "When a slot is good.", false},
	{0},
};
static const struct schema slots = {.what = "'slots'", .keys = slots_keys};

/* ---- the spec ---- */

static const char *const versions[] = {"1", NULL};
static const char *const rescues[] = {"none", "console", NULL};
static const struct schema version = {.scalar = SCHEMA_CHOICE, .choices = versions};
static const struct schema rescue = {.scalar = SCHEMA_CHOICE, .choices = rescues};

static const struct schema_key spec_keys[] = {
	{"keelson", &version, NULL, "The version of this language: 1.", true},
	{"name", &name, NULL, "The image's name.", true},
	{"version", &word, "0", "The image's version.", false},
	{"extends", &host_path, NULL,
	 "The spec that this one changes: the name of a profile, or a path relative to this file.",
	 false},
	{"packages", &packages, NULL, "What the root is made of.", false},
	{"files", &files, NULL,
	 "Files in the root, beside those of packages; each has one of `from`, `content`, `tree`, "
	 "`link`, `directory`.",
	 false},
	{"image", &image, NULL, "The root's file system.", false},
	{"kernel", &kernel, NULL, "The kernel, its modules and its command line.", false},
	{"disk", &disk, NULL, "The other partitions.", false},
	{"slots", &slots, NULL, "Tries, and what makes a slot good.", false},
	{"pods", &pods, NULL, "What keelson itself does about pods.", false},
	{"hostname", &word, NULL, "The host name; without it the image's name.", false},
	{"machine-id", &boolean, "true", "Provide /etc/machine-id: from the state, else random.",
	 false},
	{"network", &network, NULL, "The network.", false},
	{"controllers", &controllers_list, "cpuset, cpu, io, memory, hugetlb, pids",
	 "Controllers of cgroup v2 that services and pods get.", false},
	{"mounts", &mounts, NULL, "By target. The order follows from what lies below what.", false},
	{"paths", &paths, NULL,
	 "Paths made at boot, after the mounts, unless they exist; each has one of `directory`, "
	 "`content`, `link`, `copy`.",
	 false},
	{"sysctl", &sysctl, NULL, "Kernel parameters.", false},
	{"services", &services, NULL, "By name. What needs nothing starts at once.", false},
	{"policies", &policies, NULL, "By name: what services may do.", false},
	{"shutdown", &shutdown_map, NULL, "Going down.", false},
	{"rescue", &rescue, "none",
	 "`console`: a failure before services opens a shell. Only for debugging.", false},
	{0},
};

const struct schema schema_spec = {.what = "a spec", .keys = spec_keys};
