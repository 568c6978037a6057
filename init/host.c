/* SPDX-License-Identifier: Apache-2.0 */
#include "init/host.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init/files.h"
#include "mount/child.h"
#include "mount/sys.h"
#include "svc/log.h"

#define MACHINE_ID_DIGITS 32u
#define MACHINE_ID_BYTES (MACHINE_ID_DIGITS + 1u) /* and a newline */
#define DESCRIPTORS_SOFT 1024u
#define DESCRIPTORS_HARD 1048576u
#define ENTROPY_NS 3000000000ull

int host_set_name(const char *name)
{
	if (*name == '\0')
		return 0;
	return sethostname(name, strlen(name)) < 0 ? -errno : 0;
}

/* 32 lower-case hexadecimal digits, not all zero, and a newline. */
static int machine_id_read(const char *path, char id[MACHINE_ID_BYTES + 1])
{
	int zero = 1;
	ssize_t n = file_read(path, id, MACHINE_ID_BYTES + 1);

	if (n < 0)
		return (int)n;
	if (n != MACHINE_ID_BYTES || id[MACHINE_ID_DIGITS] != '\n')
		return -EBADMSG;
	for (unsigned int i = 0; i < MACHINE_ID_DIGITS; i++) {
		if (!memchr("0123456789abcdef", id[i], 16))
			return -EBADMSG;
		zero &= id[i] == '0';
	}
	return zero ? -EBADMSG : 0;
}

static int gather_entropy(void *unused)
{
	char byte;

	(void)unused;
	return getrandom(&byte, 1, 0) == 1 ? 0 : -errno;
}

/*
 * Two machines that boot the same image at the same moment must not become one. A process that waits
 * for the kernel's generator also makes it gather, from the jitter of its clocks (Linux 5.4); a child
 * does, since where there is no such clock it waits for ever.
 */
static void wait_for_entropy(void)
{
	char byte;
	int error;

	if (getrandom(&byte, 1, GRND_NONBLOCK) == 1 || errno != EAGAIN)
		return;
	error = run_timed(gather_entropy, NULL, ENTROPY_NS);
	if (error)
		log_warning("machine-id: made of little entropy: %s", log_errno(error));
}

/* A random (version 4) UUID, as machine-id(5) wants new ones. */
static int machine_id_make(char id[MACHINE_ID_BYTES + 1])
{
	unsigned char random[MACHINE_ID_DIGITS / 2];

	wait_for_entropy();
	if (getrandom(random, sizeof(random), GRND_INSECURE) != (ssize_t)sizeof(random))
		return -EIO;
	random[6] = (unsigned char)((random[6] & 0x0f) | 0x40);
	random[8] = (unsigned char)((random[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(random); i++) {
		id[2 * i] = "0123456789abcdef"[random[i] >> 4];
		id[2 * i + 1] = "0123456789abcdef"[random[i] & 0x0f];
	}
	id[MACHINE_ID_DIGITS] = '\n';
	id[MACHINE_ID_BYTES] = '\0';
	return 0;
}

/* Show `id` as /etc/machine-id, whatever is there now. */
static int machine_id_show(const char *id)
{
	int error = directories_above(HOST_MACHINE_ID_RUN);

	unlink(HOST_MACHINE_ID_ETC);
	if (file_create(HOST_MACHINE_ID_ETC, id, MACHINE_ID_BYTES, 0444, 0, 0) == 0)
		return 0;
	if (!error)
		error = file_create(HOST_MACHINE_ID_RUN, id, MACHINE_ID_BYTES, 0444, 0, 0);
	if (error && error != -EEXIST)
		return error;
	if (mount(HOST_MACHINE_ID_RUN, HOST_MACHINE_ID_ETC, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, HOST_MACHINE_ID_ETC, NULL,
		  MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	return 0;
}

/* Keep `id` in the state partition in place of whatever is not a valid one there. */
static int machine_id_keep(const char *id)
{
	int error = directories_above(HOST_MACHINE_ID_STATE);

	if (error)
		return error;
	unlink(HOST_MACHINE_ID_STATE);
	return file_create(HOST_MACHINE_ID_STATE, id, MACHINE_ID_BYTES, 0444, 0, 0);
}

int host_provide_machine_id(int *kept)
{
	char id[MACHINE_ID_BYTES + 1];
	int error;

	*kept = 1;
	if (machine_id_read(HOST_MACHINE_ID_ETC, id) == 0)
		return 0;
	if (machine_id_read(HOST_MACHINE_ID_STATE, id) == 0)
		return machine_id_show(id);
	error = machine_id_make(id);
	if (error)
		return error;
	*kept = machine_id_keep(id) == 0;
	return machine_id_show(id);
}

int host_loopback_up(void)
{
	cleanup_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo"};

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

int host_clock_not_before(const char *path)
{
	struct timespec now;
	struct stat st;

	if (stat(path, &st) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -errno;
	if (now.tv_sec >= st.st_mtim.tv_sec)
		return 0;
	return clock_settime(CLOCK_REALTIME, &st.st_mtim) < 0 ? -errno : 1;
}

int host_set_limits(void)
{
	static const struct {
		int resource;
		struct rlimit limit;
	} limits[] = {
		{RLIMIT_NOFILE, {DESCRIPTORS_SOFT, DESCRIPTORS_HARD}},
		{RLIMIT_NPROC, {RLIM_INFINITY, RLIM_INFINITY}},
		{RLIMIT_CORE, {0, RLIM_INFINITY}},
	};
	int error = 0;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (setrlimit(limits[i].resource, &limits[i].limit) < 0)
			error = -errno;
	return error;
}
