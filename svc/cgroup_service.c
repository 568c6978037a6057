/* SPDX-License-Identifier: Apache-2.0 */
/* A service's own group: its settings, its owner, who lives in it and who was killed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "svc/cgroup.h"
#include "svc/fd.h"
#include "svc/format.h"
#include "svc/log.h"

#define VALUE_BYTES 512

/* ---- settings ---- */

/* "/dev/vda rest" -> "254:0 rest". The number is another one with every order of drivers. */
static int resolve_device(const char *value, size_t length, char text[static VALUE_BYTES])
{
	struct stat status;

	if (length >= VALUE_BYTES)
		return -ENAMETOOLONG;
	memcpy(text, value, length);
	text[length] = '\0';
	if (stat(text, &status) < 0)
		return -errno;
	if (!S_ISBLK(status.st_mode))
		return -ENOTBLK;
	size_t end = format_text(text, VALUE_BYTES, "%u:%u%s", major(status.st_rdev),
				 minor(status.st_rdev), value + length);

	return end >= VALUE_BYTES - 1 ? -EMSGSIZE : 0;
}

static int write_setting(int group, const char *file, const char *value)
{
	size_t device = cgroup_device_length(value);
	char text[VALUE_BYTES];

	if (device != 0) {
		int error = resolve_device(value, device, text);

		if (error != 0)
			return error;
		value = text;
	}
	return cgroup_write(group, file, value);
}

int cgroup_apply(const struct plan *plan, const struct plan_service *service, int group)
{
	struct plan_list list = service->cgroup_settings;

	for (uint32_t i = 0; i < list.count; i++) {
		const struct plan_setting *setting = plan_setting(plan, list.first + i);
		const char *file = plan_string(plan, setting->path);
		const char *value = plan_string(plan, setting->value);
		bool optional = setting->flags & PLAN_SETTING_OPTIONAL;
		int error = write_setting(group, file, value);

		if (error == 0)
			continue;
		bool absent = error == -ENOENT && faccessat(group, file, F_OK, 0) < 0;

		log_line(optional ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
			 "service: %s: cgroup: %s: %s: %s", plan_string(plan, service->name), file,
			 value, absent ? "this node has no such controller" : log_errno(error));
		if (!optional)
			return error;
	}
	return 0;
}

/* ---- delegation ---- */

int cgroup_delegate(int group, uint32_t uid, uint32_t gid)
{
	static const char *const files[] = {"cgroup.procs", "cgroup.threads",
					    "cgroup.subtree_control"};

	if (uid == 0)
		return 0;
	for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++)
		if (fchownat(group, files[i], uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	return fchown(group, uid, gid) < 0 ? -errno : 0;
}

/* ---- who lives in it ---- */

/* One of the group's small files. Bytes or negative errno. */
static int read_file(int group, const char *file, char *text, size_t size)
{
	owned_fd int fd = openat(group, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t length = fd < 0 ? -1 : read(fd, text, size);

	return length < 0 ? -errno : (int)length;
}

int cgroup_oom_kills(int group, uint64_t *count)
{
	char text[512];
	int length = read_file(group, "memory.events", text, sizeof text);

	*count = 0;
	if (length == -ENOENT)
		return 0;
	return length < 0 ? length : cgroup_parse_counter(text, (size_t)length, "oom_kill ", count);
}
