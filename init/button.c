/* SPDX-License-Identifier: Apache-2.0 */
#include "init/button.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "init/stop.h"
#include "mount/directory.h"
#include "mount/sys.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/timeline.h"

#define DIRECTORY "/dev/input"
#define PATH_BYTES 48
#define EVENTS_AT_ONCE 16
#define KEY_BYTES (KEY_MAX / 8 + 1)

static struct {
	int epoll_fd;
	uint64_t first_key;
	int news_fd; /* inotify; -1: none */
	uint64_t pressed_ns;
	struct {
		int fd; /* -1: free */
		char name[16];
	} devices[BUTTON_DEVICES_MAX];
} button = {.news_fd = -1};

bool button_means(uint16_t code, uint64_t now_ns, uint64_t last_ns, enum control_power *action)
{
	if (code != KEY_POWER && code != KEY_RESTART)
		return false;
	*action = code == KEY_POWER ? CONTROL_POWEROFF : CONTROL_REBOOT;
	return last_ns == 0 || now_ns >= last_ns + BUTTON_BOUNCE_NS;
}

/* ---- devices ---- */

static bool has_key(const uint8_t keys[KEY_BYTES], unsigned int key)
{
	return keys[key / 8] >> (key % 8) & 1;
}

static bool is_button(int fd)
{
	uint8_t keys[KEY_BYTES] = {0};

	return sys_ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) > 0 &&
	       (has_key(keys, KEY_POWER) || has_key(keys, KEY_RESTART));
}

static bool is_known(const char *name)
{
	for (uint32_t i = 0; i < BUTTON_DEVICES_MAX; i++)
		if (button.devices[i].fd >= 0 && strcmp(button.devices[i].name, name) == 0)
			return true;
	return false;
}

static void take(const char *name)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = button.first_key + 1};
	char path[PATH_BYTES];

	if (strncmp(name, "event", 5) != 0 || strlen(name) >= sizeof(button.devices[0].name) ||
	    is_known(name))
		return;
	format_text(path, sizeof(path), DIRECTORY "/%s", name);

	/* No link: what it leads to may be a file that opens never. */
	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

	if (fd < 0 || !is_button(fd))
		return;
	for (uint32_t i = 0; i < BUTTON_DEVICES_MAX; i++) {
		if (button.devices[i].fd >= 0)
			continue;
		if (epoll_ctl(button.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			return;
		memcpy(button.devices[i].name, name, strlen(name) + 1);
		button.devices[i].fd = give_fd(&fd);
		log_info("power button: %s", path);
		return;
	}
}

static void look(void)
{
	cleanup_fd fd = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct directory directory = {.fd = fd};
	const char *name;

	while (fd >= 0 && (name = directory_next(&directory)))
		take(name);
}

/* devtmpfs makes the directory with its first device, so /dev itself is watched until then. */
static int watch_directory(void)
{
	int error;

	if (inotify_add_watch(button.news_fd, DIRECTORY, IN_CREATE | IN_ATTRIB | IN_ONLYDIR) >= 0)
		return 0;
	error = -errno;
	if (error != -ENOENT)
		return error;
	return inotify_add_watch(button.news_fd, "/dev", IN_CREATE | IN_ONLYDIR) < 0 ? -errno : 0;
}

int button_open(int epoll_fd, uint64_t first_key)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = first_key};
	int error;

	button.epoll_fd = epoll_fd;
	button.first_key = first_key;
	for (uint32_t i = 0; i < BUTTON_DEVICES_MAX; i++)
		button.devices[i].fd = -1;
	button.news_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (button.news_fd < 0)
		return -errno;
	error = watch_directory();
	if (!error && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, button.news_fd, &event) < 0)
		error = -errno;
	look();
	return error;
}

/* ---- events ---- */

static void read_news(void)
{
	_Alignas(struct inotify_event) char buffer[1024];
	bool any = false;

	while (read(button.news_fd, buffer, sizeof(buffer)) > 0)
		any = true;
	if (!any)
		return;
	(void)watch_directory();
	look();
}

static void press(uint16_t code, const char *device)
{
	uint64_t now_ns = clock_boottime_ns();
	struct stop_request request = {.by = LAST_BY_BUTTON};
	char who[STOP_WHO_BYTES];

	if (!button_means(code, now_ns, button.pressed_ns, &request.action))
		return;
	button.pressed_ns = now_ns;
	format_text(who, sizeof(who), "the power button (%s)", device);
	request.who = who;
	(void)stop_ask(&request);
}

/* A device that went away reads ENODEV. */
static void read_presses(uint32_t i)
{
	struct input_event events[EVENTS_AT_ONCE];
	ssize_t n = read(button.devices[i].fd, events, sizeof(events));

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		close(button.devices[i].fd);
		button.devices[i].fd = -1;
		return;
	}
	for (ssize_t e = 0; e < n / (ssize_t)sizeof(events[0]); e++)
		if (events[e].type == EV_KEY && events[e].value == 1)
			press(events[e].code, button.devices[i].name);
}

void button_look(void)
{
	for (uint32_t i = 0; i < BUTTON_DEVICES_MAX; i++)
		if (button.news_fd >= 0 && button.devices[i].fd >= 0)
			read_presses(i);
}

void button_handle(uint64_t key)
{
	if (key == button.first_key)
		read_news();
	else
		button_look();
}
