/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/child.h"
#include "mount/disk.h"
#include "mount/state.h"
#include "mount/sys.h"
#include "mount/text.h"
#include "rootfs-spec/slot_layer.h"

#define FSCONFIG_VALUE_MAX 255u /* fsconfig(2) takes strings of less than 256 bytes */
#define MOUNT_DATA_BYTES 4096u  /* mount(2) takes one page of options */

/* Shared by the mounts of a boot, which are made one after the other. */
static char mount_data[MOUNT_DATA_BYTES];

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A mount point: an empty file when a file is to be bound there, else a directory. */
static int make_target(const char *target, const char *bound)
{
	struct stat st;
	char above[PATH_MAX];
	const char *slash = strrchr(target, '/');
	size_t length = slash ? (size_t)(slash - target) : 0;
	int error;
	int fd;

	if (stat(target, &st) == 0)
		return 0;
	if (!bound || is_directory(bound))
		return make_directories(target);
	if (length >= sizeof(above))
		return -ENAMETOOLONG;
	memcpy(above, target, length);
	above[length] = '\0';
	error = length ? make_directories(above) : 0;
	if (error)
		return error;
	fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void pass_over(const struct mount_context *context, const char *what)
{
	if (context->passed_over)
		*context->passed_over = what;
}

/* Wait for the device and write its path to `path`. */
static int find_source(const struct plan *plan, const struct plan_mount *mount,
		       const struct mount_context *context, char path[PATH_MAX])
{
	const char *source = plan_string(plan, mount->source);
	struct text text = {.bytes = path, .size = PATH_MAX};
	cleanup_fd events = devices_listen();
	struct device device;
	struct stat st;

	if (mount->source_kind == PLAN_SOURCE_PARTITION && !context->disk)
		return -ENODEV;
	for (;;) {
		if (mount->source_kind == PLAN_SOURCE_DEVICE && stat(source, &st) == 0) {
			text_string(&text, source);
			return text_end(&text) < 0 ? -ENAMETOOLONG : 0;
		}
		if (mount->source_kind == PLAN_SOURCE_PARTITION &&
		    disk_partition_named(context->disk, source, &device) == 0)
			return device_path(device.name, path);
		if (devices_wait(events, context->device_deadline_ns))
			return -ENODEV;
	}
}

static bool has_long_option(const struct plan *plan, struct plan_list options)
{
	for (uint32_t i = 0; i < options.count; i++)
		if (strlen(plan_list_string(plan, options, i)) > FSCONFIG_VALUE_MAX)
			return true;
	return false;
}

static int mount_classic(const struct plan *plan, const struct plan_mount *mount_record,
			 const char *source, const char *target, const char *data,
			 const char **step)
{
	*step = "mount";
	return (int)sys_result(mount(source, target, plan_string(plan, mount_record->type),
				     (unsigned long)mount_record->mount_flags, data));
}

static int mount_new(const struct plan *plan, const struct plan_mount *mount, const char *source,
		     const char *target, const char **step)
{
	const char *options[PLAN_MAX_OPTIONS + 1];
	uint32_t count = mount->options.count;

	if (has_long_option(plan, mount->options))
		return mount_classic(plan, mount, source, target, plan_string(plan, mount->data),
				     step);
	for (uint32_t i = 0; i < count; i++)
		options[i] = plan_list_string(plan, mount->options, i);
	options[count] = NULL;
	return mount_filesystem(plan_string(plan, mount->type), source, target, mount->attributes,
				options, step);
}

/* A clone of a tree gets its attributes before anybody can see it at the target. */
static int mount_bind(const struct plan *plan, const struct plan_mount *mount, const char *target,
		      const char **step)
{
	struct mount_attr attributes = {.attr_set = mount->attributes};
	unsigned int recursive = mount->flags & PLAN_MOUNT_RECURSIVE ? AT_RECURSIVE : 0;
	int error;

	*step = "open_tree";

	cleanup_fd tree = sys_open_tree(AT_FDCWD, plan_string(plan, mount->source),
					OPEN_TREE_CLONE | recursive);

	if (tree < 0)
		return tree;
	if (mount->attributes) {
		*step = "mount_setattr";
		if (mount->attributes & MOUNT_ATTR__ATIME)
			attributes.attr_clr = MOUNT_ATTR__ATIME;
		error = sys_mount_setattr(tree, "", AT_EMPTY_PATH | recursive, &attributes);
		if (error)
			return error;
	}
	*step = "move_mount";
	return sys_move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
}

/* overlayfs splits at ':' and ',' and takes a backslash before them as it is meant. */
static void put_layer(struct text *text, const char *path)
{
	for (; *path; path++) {
		if (*path == ':' || *path == ',' || *path == '\\')
			text_char(text, '\\');
		text_char(text, *path);
	}
}

/* DIRECTORY/SLOT/IMAGE of slot_layer.h. */
static void put_layer_directory(struct text *text, const char *directory, const char *slot,
				const uint8_t *build_id)
{
	static const char digits[] = "0123456789abcdef";

	text_string(text, directory);
	text_char(text, '/');
	text_string(text, slot);
	text_char(text, '/');
	for (size_t i = 0; i < SLOT_LAYER_IMAGE_BYTES; i++) {
		text_char(text, digits[build_id[i] >> 4]);
		text_char(text, digits[build_id[i] & 15]);
	}
}

static bool exists(const char *directory, const char *name)
{
	char path[PATH_MAX];
	struct text text = {.bytes = path, .size = sizeof(path)};

	text_string(&text, directory);
	text_string(&text, name);
	return text_end(&text) >= 0 && access(path, F_OK) == 0;
}

/*
 * An image that is new in its slot, and one that has something to reset: the cleaner removes what
 * is not to be seen any more, a program because PID 1 walks through no trees. What it cannot do is
 * told; the layer is then as it was.
 */
static int mount_slot_layer(const struct plan *plan, const struct plan_mount *mount,
			    const struct mount_context *context, char upper[PATH_MAX],
			    char work[PATH_MAX], const char **step)
{
	char directory[PATH_MAX];
	struct text text = {.bytes = directory, .size = sizeof(directory)};
	struct text at_upper = {.bytes = upper, .size = PATH_MAX};
	struct text at_work = {.bytes = work, .size = PATH_MAX};
	const char *const clean[] = {SLOT_LAYER_CLEANER, "etc", "clean", directory, NULL};

	*step = "path of the slot's layer";
	put_layer_directory(&text, plan_string(plan, mount->upper), context->slot,
			    plan->header->build_id);
	if (text_end(&text) < 0)
		return -ENAMETOOLONG;
	text_string(&at_upper, directory);
	text_string(&at_upper, SLOT_LAYER_UPPER);
	text_string(&at_work, directory);
	text_string(&at_work, SLOT_LAYER_WORK);
	if (text_end(&at_upper) < 0 || text_end(&at_work) < 0)
		return -ENAMETOOLONG;
	if ((!exists(directory, "") || exists(directory, SLOT_LAYER_RESET)) &&
	    run_program(clean, context->output, context->timeout_ns) != 0)
		pass_over(context, "keelctl etc clean");
	return 0;
}

/* Always by mount(2): Linux 6.1 takes overlay's options no other way, later ones take this too. */
static int mount_overlay(const struct plan *plan, const struct plan_mount *mount,
			 const struct mount_context *context, const char *target, const char **step)
{
	static char slot_upper[PATH_MAX], slot_work[PATH_MAX];
	struct text text = {.bytes = mount_data, .size = sizeof(mount_data)};
	const char *upper = plan_string(plan, mount->upper);
	const char *work = plan_string(plan, mount->work);
	const char *data = plan_string(plan, mount->data);
	int error;

	if (mount->flags & PLAN_MOUNT_SLOT_LAYER) {
		error = mount_slot_layer(plan, mount, context, slot_upper, slot_work, step);
		if (error)
			return error;
		upper = slot_upper;
		work = slot_work;
	}
	if (upper[0]) {
		*step = "make upper";
		error = make_directories(upper);
		if (error)
			return error;
		*step = "make work";
		error = make_directories(work);
		if (error)
			return error;
	}
	text_string(&text, "lowerdir=");
	for (uint32_t i = 0; i < mount->lowers.count; i++) {
		if (i)
			text_char(&text, ':');
		put_layer(&text, plan_list_string(plan, mount->lowers, i));
	}
	if (upper[0]) {
		text_string(&text, ",upperdir=");
		put_layer(&text, upper);
		text_string(&text, ",workdir=");
		put_layer(&text, work);
	}
	if (data[0]) {
		text_char(&text, ',');
		text_string(&text, data);
	}
	*step = "overlay options";
	if (text_end(&text) < 0)
		return -ENAMETOOLONG;
	return mount_classic(plan, mount, "overlay", target, mount_data, step);
}

struct table_growth {
	const char *disk;
	const char *partition;
	uint64_t deadline_ns;
};

static int grow_table(void *argument)
{
	const struct table_growth *growth = argument;
	struct device device;
	const char *step;
	int error = disk_partition_named(growth->disk, growth->partition, &device);

	return error ? error
		     : disk_grow(growth->disk, device.partition, growth->deadline_ns, &step);
}

static int prepare(uint32_t flags, const struct mount_context *context, const char *source,
		   const char **step)
{
	int error = 0;

	*step = "mark";
	if (context->make_anew && flags & PLAN_MOUNT_MAKE)
		error = state_mark(source, context->timeout_ns);
	if (!error)
		error = state_prepare(source, flags, context->output, context->timeout_ns, step);
	if (error == STATE_UNCHECKED)
		pass_over(context, *step);
	if (error == STATE_MADE && context->made)
		*context->made = true;
	return error < 0 ? error : 0;
}

static int mount_device(const struct plan *plan, const struct plan_mount *mount,
			const struct mount_context *context, const char *target, const char **step)
{
	char source[PATH_MAX];
	const char *grow_step;
	int error;

	*step = "find device";
	error = find_source(plan, mount, context, source);
	if (error)
		return error;
	/* Before a file system is made, which then has all of it. */
	if (mount->flags & PLAN_MOUNT_GROW && mount->source_kind == PLAN_SOURCE_PARTITION) {
		struct table_growth growth = {
			.disk = context->disk,
			.partition = plan_string(plan, mount->source),
			.deadline_ns = context->device_deadline_ns,
		};

		if (run_timed(grow_table, &growth, context->timeout_ns))
			pass_over(context, "grow partition");
	}
	if (mount->flags & (PLAN_MOUNT_MAKE | PLAN_MOUNT_CHECK)) {
		error = prepare(mount->flags, context, source, step);
		if (error)
			return error;
	}
	error = mount_new(plan, mount, source, target, step);
	/* A file system that could not grow is one that is as large as it was. */
	if (!error && mount->flags & PLAN_MOUNT_GROW &&
	    state_grow(target, source, context->timeout_ns, &grow_step))
		pass_over(context, grow_step);
	return error;
}

int mount_apply(const struct plan *plan, uint32_t index, const struct mount_context *context,
		const char **step)
{
	const struct plan_mount *mount = plan_mount(plan, index);
	const char *target = plan_string(plan, mount->target);
	const char *source = plan_string(plan, mount->source);
	int error;

	*step = "make target";
	error = make_target(target, mount->source_kind == PLAN_SOURCE_BIND ? source : NULL);
	if (error)
		return error;
	switch ((enum plan_source)mount->source_kind) {
	case PLAN_SOURCE_NONE: error = mount_new(plan, mount, source, target, step); break;
	case PLAN_SOURCE_DEVICE:
	case PLAN_SOURCE_PARTITION: error = mount_device(plan, mount, context, target, step); break;
	case PLAN_SOURCE_BIND: error = mount_bind(plan, mount, target, step); break;
	case PLAN_SOURCE_OVERLAY: error = mount_overlay(plan, mount, context, target, step); break;
	default: error = -EINVAL; break;
	}
	if (error || !mount->propagation)
		return error;
	*step = "set propagation";
	return mount_propagation(target, mount->propagation);
}
