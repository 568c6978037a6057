/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/devmapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "mount/sys.h"
#include "mount/text.h"
#include "mount/verity.h"

#define CONTROL "/dev/mapper/control" /* made by devtmpfs when dm-mod is loaded */

struct load {
	struct dm_ioctl ioctl;
	struct dm_target_spec target;
	char parameters[VERITY_TABLE_BYTES];
};

/* A request about the device `name`. DM_VERSION 4.0.0 is enough and every kernel has it. */
static int prepare(struct dm_ioctl *ioctl, size_t size, const char *name)
{
	struct text text = {.bytes = ioctl->name, .size = sizeof(ioctl->name)};

	memset(ioctl, 0, size);
	ioctl->version[0] = 4;
	ioctl->data_size = (uint32_t)size;
	ioctl->data_start = sizeof(*ioctl);
	text_string(&text, name);
	return text_end(&text) < 0 ? -ENAMETOOLONG : 0;
}

static int create(int control, const char *name, uint32_t *minor_number)
{
	struct dm_ioctl argument;
	struct text uuid = {.bytes = argument.uuid, .size = sizeof(argument.uuid)};
	int error = prepare(&argument, sizeof(argument), name);

	if (error)
		return error;
	text_string(&uuid, "CRYPT-VERITY-");
	text_string(&uuid, name);
	if (text_end(&uuid) < 0)
		return -ENAMETOOLONG;
	argument.flags = DM_READONLY_FLAG;
	error = sys_ioctl(control, DM_DEV_CREATE, &argument);
	*minor_number = minor((dev_t)argument.dev);
	return error;
}

static int load(int control, const char *name, uint64_t sectors, const char *table)
{
	struct load argument;
	size_t length = strlen(table);
	int error = prepare(&argument.ioctl, sizeof(argument), name);

	if (error)
		return error;
	if (length >= sizeof(argument.parameters))
		return -ENAMETOOLONG;
	argument.ioctl.target_count = 1;
	argument.ioctl.flags = DM_READONLY_FLAG;
	argument.target.sector_start = 0;
	argument.target.length = sectors;
	argument.target.next = sizeof(argument.target) + sizeof(argument.parameters);
	memcpy(argument.target.target_type, "verity", sizeof("verity"));
	memcpy(argument.parameters, table, length + 1);
	return sys_ioctl(control, DM_TABLE_LOAD, &argument.ioctl);
}

/* Without DM_SUSPEND_FLAG the request means: resume, with the table just loaded. */
static int resume(int control, const char *name)
{
	struct dm_ioctl argument;
	int error = prepare(&argument, sizeof(argument), name);

	argument.flags = DM_READONLY_FLAG;
	return error ? error : sys_ioctl(control, DM_DEV_SUSPEND, &argument);
}

static int remove_device(int control, const char *name)
{
	struct dm_ioctl argument;
	int error = prepare(&argument, sizeof(argument), name);

	return error ? error : sys_ioctl(control, DM_DEV_REMOVE, &argument);
}

int dm_create_verity(const char *name, uint64_t sectors, const char *table,
		     char path[DM_PATH_BYTES], const char **step)
{
	struct text text = {.bytes = path, .size = DM_PATH_BYTES};
	cleanup_fd control = open(CONTROL, O_RDWR | O_CLOEXEC);
	uint32_t minor_number = 0;
	int error;

	*step = "open " CONTROL;
	if (control < 0)
		return -errno;
	*step = "DM_DEV_CREATE";
	error = create(control, name, &minor_number);
	if (error)
		return error;
	*step = "DM_TABLE_LOAD";
	error = load(control, name, sectors, table);
	if (!error) {
		*step = "DM_DEV_SUSPEND (resume)";
		error = resume(control, name);
	}
	if (error) {
		remove_device(control, name);
		return error;
	}
	text_string(&text, "/dev/dm-");
	text_number(&text, minor_number);
	return text_end(&text) < 0 ? -ENAMETOOLONG : 0;
}

int dm_remove(const char *name)
{
	cleanup_fd control = open(CONTROL, O_RDWR | O_CLOEXEC);

	return control < 0 ? -errno : remove_device(control, name);
}
