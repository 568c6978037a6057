/* SPDX-License-Identifier: Apache-2.0 */
/* The language: every key a spec may hold. docs/spec.md is printed from this file. */
#include "rootfs-spec/spec_schema.h"

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
static const struct schema controller = {.scalar = SCHEMA_CONTROLLER};
static const struct schema identity = {.scalar = SCHEMA_INTEGER, .least = 0, .most = 4294967294};
static const struct schema added_words = {.element = &word, .merge = SCHEMA_APPEND};
static const struct schema added_globs = {.element = &glob, .merge = SCHEMA_APPEND};
static const struct schema added_host_paths = {.element = &host_path, .merge = SCHEMA_APPEND};
static const struct schema names = {.scalar = SCHEMA_NAME, .element = &name};
static const struct schema paths_list = {.element = &path};
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
	{"release", &boolean, "false",
	 "`true`: the build refuses the development key, to sign and in `keys`.", false},
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
	{"cmdline", &added_words, NULL,
	 "Words of the kernel's command line, behind one that every image has, `panic=10`: the "
	 "last word wins. How long a panic waits is theirs to say until PID 1 runs, which sets 10; "
	 "afterwards `sysctl` says it.",
	 false},
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
	 "Where changes go: `slot` (kept on the state partition for this image in this slot), "
	 "`tmpfs` "
	 "(lost at reboot), an absolute path, or `none` (read-only).",
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
	{"make", &make, "never",
	 "`if-empty`: make the file system if the device holds none, or was reset.", false},
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

/* ---- slots ---- */

static const struct schema health_argv = {.element = &text};
static const struct schema_key health_command_keys[] = {
	{"command", &health_argv, NULL, "The program, an absolute path, and its arguments.", true},
	{"timeout", &duration, "10s", "Longer, and it is killed and has failed.", false},
	{"policy", &name, NULL, "What it may do: a name from `policies`.", false},
	{0},
};
static const struct schema health_command = {.what = "a command",
					     .element = &text,
					     .keys = health_command_keys,
					     .merge = SCHEMA_REPLACE};
static const struct schema health_commands = {.element = &health_command};
static const struct schema_key healthy_keys[] = {
	{"services", &names, NULL, "Services that must be up.", false},
	{"commands", &health_commands, NULL,
	 "Programs of the node's own that must have ended with 0, each `[/program, argument]` or a "
	 "map. Run once those services are up, and every few seconds until they succeed; in "
	 "`keelctl "
	 "status` they are the services `healthy-1`, `healthy-2`, ...",
	 false},
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
static const char *const criticals[] = {"reboot", "poweroff", "halt", NULL};
static const struct schema critical = {.scalar = SCHEMA_CHOICE, .choices = criticals};
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
	{"keys", &added_host_paths, NULL,
	 "Certificates (X.509, PEM or DER) whose keys the image trusts: it boots and installs what "
	 "one of them signed. At most 8; without, the one that the image is signed with.",
	 false},
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
	{"services", &schema_services, NULL, "By name. What needs nothing starts at once.", false},
	{"policies", &schema_policies, NULL, "By name: what services may do.", false},
	{"shutdown", &shutdown_map, NULL, "Going down.", false},
	{"critical", &critical, "reboot",
	 "What the node does when a critical service has failed for good. A reboot counts a try of "
	 "a "
	 "slot that is not good yet.",
	 false},
	{"rescue", &rescue, "none",
	 "`console`: a failure before services opens a shell. Only for debugging.", false},
	{0},
};

const struct schema schema_spec = {.what = "a spec", .keys = spec_keys};
