/* SPDX-License-Identifier: Apache-2.0 */
#include "init/milestones.h"

#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "init/kept.h"
#include "init/node.h"
#include "init/summary.h"
#include "mount/sys.h"
#include "svc/format.h"
#include "svc/log.h"

static int watch_directory(int fd)
{
	if (mkdir(MILESTONES_DIRECTORY, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (inotify_add_watch(fd, MILESTONES_DIRECTORY, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		return -errno;
	return 0;
}

int milestones_open(void)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int error = fd < 0 ? -errno : watch_directory(fd);

	if (!error)
		return fd;
	if (fd >= 0)
		close(fd);
	return error;
}

static void stamp(const char *file, uint64_t at_ns)
{
	char name[MILESTONE_NAME_BYTES];
	char at[24];

	milestone_name(file, name);
	summary_seconds(at, sizeof(at), at_ns);
	timeline_point(node_timeline, TIMELINE_MILESTONE, name, 0, at_ns);
	log_notice("milestone %s at %s s", name, at);
	kept_in(node.world)->milestones++;
}

bool milestones_is(int fd)
{
	static const char wanted[] = "anon_inode:inotify";
	char path[40], text[sizeof(wanted)];
	ssize_t length;

	format_text(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, text, sizeof(text));
	return length == sizeof(wanted) - 1 && memcmp(text, wanted, sizeof(wanted) - 1) == 0;
}

void milestones_read(int32_t *fd)
{
	_Alignas(struct inotify_event) char buffer[2048];
	uint64_t now_ns = clock_boottime_ns();
	const uint32_t *heard = &kept_in(node.world)->milestones;
	ssize_t n = read(*fd, buffer, sizeof(buffer));

	for (ssize_t at = 0; at < n && *heard < MILESTONES_MAX;) {
		const struct inotify_event *event = (const void *)(buffer + at);

		at += (ssize_t)sizeof(*event) + event->len;
		if (event->len > 0)
			stamp(event->name, now_ns);
		else if (event->mask & IN_Q_OVERFLOW)
			log_warning("milestones: too many at once, some are lost");
	}
	if (*heard < MILESTONES_MAX)
		return;
	log_warning("milestones: %u were heard, no more will be", *heard);
	close(*fd);
	*fd = -1;
}
