/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phases between the slot's PID 1 and its services: what the plan says about the system is
 * done, in order. What the plan calls optional is logged when it fails; anything else ends the
 * boot, with object and step.
 */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "init/cmdline.h"
#include "init/files.h"
#include "init/host.h"
#include "init/kept.h"
#include "init/labels.h"
#include "init/modules.h"
#include "init/node.h"
#include "init/paths.h"
#include "init/phase.h"
#include "init/watchdog.h"
#include "mount/apply.h"
#include "mount/sys.h"
#include "rootfs-spec/slot_layer.h"
#include "svc/format.h"
#include "svc/log.h"

#define DEVICE_WAIT_NS 10000000000ull
#define PROGRAM_NS 60000000000ull /* mkfs and fsck of a state partition */

/* ---- mounts ---- */

/* Is a file system of the kernel's own, such as the initramfs hands over, there already? */
static bool mounted_already(const char *target, const char *type)
{
	static const struct {
		const char *type;
		unsigned long magic;
	} kinds[] = {
		{"proc", PROC_SUPER_MAGIC},
		{"sysfs", SYSFS_MAGIC},
		{"devtmpfs", TMPFS_MAGIC},
	};
	struct stat here, root;
	struct statfs fs;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(type, kinds[i].type) == 0)
			return stat(target, &here) == 0 && stat("/", &root) == 0 &&
			       here.st_dev != root.st_dev && statfs(target, &fs) == 0 &&
			       (unsigned long)fs.f_type == kinds[i].magic;
	return false;
}

static int set_attributes(const char *target, uint64_t attributes)
{
	struct mount_attr wanted = {.attr_set = attributes};

	if (attributes & MOUNT_ATTR__ATIME)
		wanted.attr_clr = MOUNT_ATTR__ATIME;
	return sys_mount_setattr(AT_FDCWD, target, 0, &wanted);
}

#define MODPROBE "/proc/sys/kernel/modprobe"

/*
 * The first mount of a bpffs asks for the module bpf_preload (kernel/bpf/inode.c), which distributions
 * do not build. Where there is a modprobe, its search in vain takes a tenth of a second of the boot;
 * with an empty path the kernel does not run one (kernel/kmod.c).
 */
static int mount_bpf(uint32_t index, const struct mount_context *context, const char **step)
{
	char path[128];
	/* In a container the setting is the machine's, not ours. */
	ssize_t known = node.options.container ? 0 : file_read(MODPROBE, path, sizeof(path));
	int error;

	if (known > 0)
		(void)file_write(MODPROBE, "\n");
	error = mount_apply(&node.plan, index, context, step);
	if (known > 0 && file_write(MODPROBE, path))
		log_error("%s: write it back: failed; no module is loaded on demand", MODPROBE);
	return error;
}

/* Asked late: it is the plan's mounts that bring /proc, where there was no initramfs. */
static bool is_to_be_anew(const struct plan_mount *mount)
{
	struct cmdline words;

	if (!(mount->flags & PLAN_MOUNT_MAKE) || node.options.container)
		return false;
	cmdline_look(&words);
	return words.reset_state;
}

static int mount_one(uint32_t index, const char **passed_over, const char **step)
{
	const struct plan_mount *mount = plan_mount(&node.plan, index);
	const char *target = plan_string(&node.plan, mount->target);
	bool made = false;
	const struct mount_context context = {
		.disk = node.record ? node.record->disk : NULL,
		.output = -1,
		.timeout_ns = PROGRAM_NS,
		.device_deadline_ns = clock_boottime_ns() + DEVICE_WAIT_NS,
		.slot = node.record ? (node.record->slot ? "b" : "a") : SLOT_LAYER_NO_SLOT,
		.make_anew = is_to_be_anew(mount),
		.made = &made,
		.passed_over = passed_over,
	};
	int error;

	if (mount->source_kind == PLAN_SOURCE_NONE && mount->options.count == 0 &&
	    mounted_already(target, plan_string(&node.plan, mount->type))) {
		*step = "mount_setattr";
		return set_attributes(target, mount->attributes);
	}
	if (strcmp(plan_string(&node.plan, mount->type), "bpf") == 0)
		return mount_bpf(index, &context, step);
	error = mount_apply(&node.plan, index, &context, step);
	if (made) {
		kept_in(node.world)->first_boot = 1;
		log_notice("mount: %s: a new, empty file system was made", target);
	}
	return error;
}

int node_mounts(void)
{
	/* Before the first mount, so that all of them are shared: pods' mounts propagate from here. */
	int error = mount_propagation("/", MS_SHARED | MS_REC);

	if (error)
		return fault("mount: /", "share", error);
	for (uint32_t i = 0; i < plan_count(&node.plan, PLAN_MOUNTS); i++) {
		const struct plan_mount *mount = plan_mount(&node.plan, i);
		const char *target = plan_string(&node.plan, mount->target);
		uint32_t event = timeline_begin(node_timeline, TIMELINE_MOUNT, target,
						clock_boottime_ns());
		const char *passed_over = NULL;
		const char *step = "";
		char object[128];

		watchdog_feed();
		error = mount_one(i, &passed_over, &step);
		timeline_end(node_timeline, event, clock_boottime_ns(), error);
		if (passed_over)
			log_warning("mount: %s: passed over: %s", target, passed_over);
		if (!error)
			continue;
		format_text(object, sizeof(object), "mount: %s", target);
		fault(object, step, error);
		if (!(mount->flags & PLAN_MOUNT_OPTIONAL))
			return error;
	}
	return 0;
}

/* ---- modules, sysctls, paths ---- */

int node_modules(void)
{
	return modules_load(&node.plan, node_timeline);
}

int node_sysctls(void)
{
	struct plan_list sysctls = node.plan.system->sysctls;

	for (uint32_t i = 0; i < sysctls.count; i++) {
		const struct plan_setting *setting = plan_setting(&node.plan, sysctls.first + i);
		const char *path = plan_string(&node.plan, setting->path);
		int error = file_write(path, plan_string(&node.plan, setting->value));
		char object[128];

		if (!error)
			continue;
		format_text(object, sizeof(object), "sysctl: %s", path);
		fault(object, "write", error);
		if (!(setting->flags & PLAN_SETTING_OPTIONAL))
			return error;
	}
	return 0;
}

/*
 * A full state partition is said and the boot goes on: the other slot would find it as full, and a
 * node that runs can be asked and helped. Whether it is healthy the gate decides.
 */
static bool is_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

int node_paths(void)
{
	for (uint32_t i = 0; i < plan_count(&node.plan, PLAN_PATHS); i++) {
		const struct plan_path *path = plan_path(&node.plan, i);
		int error = path_make(&node.plan, path);
		char object[128];

		if (!error)
			continue;
		format_text(object, sizeof(object), "path: %s",
			    plan_string(&node.plan, path->path));
		fault(object, "make", error);
		if (!is_full(error))
			return error;
	}
	return 0;
}

/* ---- the host ---- */

static void note(const char *object, const char *step, int error)
{
	if (error < 0)
		log_error("%s: %s: %s", object, step, log_errno(error));
}

static void set_clock(void)
{
	const char *plan = node.options.plan ? node.options.plan : PLAN_NODE_PATH;
	int changed = host_clock_not_before(plan);

	note("clock", "set", changed);
	if (changed > 0)
		log_notice("clock: was before the image's time, set to it");
}

static void set_machine_id(void)
{
	int kept;
	int error = host_provide_machine_id(&kept);

	note("machine-id", "provide", error);
	if (!error && !kept)
		log_warning("machine-id: %s cannot be written: new at every boot",
			    HOST_MACHINE_ID_STATE);
}

/* None of these is worth a reboot: the node can be reached, and repaired, without each of them. */
int node_host(void)
{
	const struct plan_system *system = node.plan.system;

	note("hostname", "set", host_set_name(plan_string(&node.plan, system->hostname)));
	if (system->flags & PLAN_SYSTEM_LOOPBACK)
		note("network: lo", "up", host_loopback_up());
	if (system->flags & PLAN_SYSTEM_MACHINE_ID)
		set_machine_id();
	if (node.options.container)
		return 0;
	note("limits", "set", host_set_limits());
	note("node labels", "write", labels_publish(&node.plan, node.record, false));
	set_clock();
	return 0;
}
