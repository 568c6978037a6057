// SPDX-License-Identifier: Apache-2.0
/*
 * probe: the observer of the boot benchmark. It is started in the new root just before the init
 * under test, so every init is watched by the same program with the same method, from outside.
 *
 * Every four milliseconds it asks: does containerd's CRI answer a `Version` call (gRPC over
 * HTTP/2, written out by hand), does kubelet's /healthz answer 200, did the pod's container create
 * its milestone (its first instruction)? Each answer prints one line to the second serial port:
 *
 *     MARK name boottime_ns idle_ns pid1_ns
 *
 * since kernel start: the time, how much of it the CPU was idle (/proc/stat, ticks of 10 ms), and
 * what PID 1 itself has used, kernel and user (/proc/1/schedstat). With one virtual CPU and
 * `-icount shift=0` a nanosecond is one guest instruction. The first mark is `exec`: the init under
 * test begins now. After the pod the probe waits one second, prints what PID 1 and the whole system
 * take by then, and switches the machine off.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONTAINERD_SOCKET "/run/containerd/containerd.sock"
#define POD_MILESTONE "/run/keelson/milestones/pod-hello"
#define HEALTHZ_PORT 10248
#define POLL_NS 4000000
#define ANSWER_MS 1000
#define LIMIT_NS (180 * 1000000000ull)
#define TICK_NS 10000000ull

struct sample {
	uint64_t boot_ns;
	uint64_t idle_ns;
	uint64_t pid1_ns;
};

static int output = -1;
static int proc = -1;

static uint64_t boottime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A procfs that is mounted nowhere: the init under test has not mounted its own yet (fsmount(2)). */
static int open_proc(void)
{
	int fd = -1, fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);

	if (fs >= 0 && syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (fs >= 0)
		close(fs);
	return fd;
}

/* `path` is below /proc. */
static bool read_file(const char *path, char *text, size_t size)
{
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, text, size - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

static struct sample take_sample(void)
{
	struct sample sample = {.boot_ns = boottime_ns()};
	unsigned long long idle = 0, iowait = 0, cpu = 0;
	char text[512];

	if (read_file("stat", text, sizeof(text)) &&
	    sscanf(text, "cpu %*u %*u %*u %llu %llu", &idle, &iowait) == 2)
		sample.idle_ns = (idle + iowait) * TICK_NS;
	if (read_file("1/schedstat", text, sizeof(text)) && sscanf(text, "%llu", &cpu) == 1)
		sample.pid1_ns = cpu;
	return sample;
}

static void mark(const char *name)
{
	struct sample now = take_sample();

	dprintf(output, "MARK %s %llu %llu %llu\n", name, (unsigned long long)now.boot_ns,
		(unsigned long long)now.idle_ns, (unsigned long long)now.pid1_ns);
}

/* ---- CRI ---- */

struct buffer {
	uint8_t bytes[512];
	size_t length;
};

static void put(struct buffer *buffer, const void *bytes, size_t length)
{
	memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
}

static void put_byte(struct buffer *buffer, uint8_t byte)
{
	put(buffer, &byte, 1);
}

/* Strings of HPACK without Huffman coding are a length and the bytes (RFC 7541, section 5.2). */
static void put_text(struct buffer *buffer, const char *text)
{
	put_byte(buffer, (uint8_t)strlen(text));
	put(buffer, text, strlen(text));
}

/* A frame's header (RFC 9113, section 4.1); lengths here are below 256. */
static void put_frame(struct buffer *buffer, size_t length, uint8_t type, uint8_t flags,
		      uint8_t stream)
{
	const uint8_t header[9] = {0, 0, (uint8_t)length, type, flags, 0, 0, 0, stream};

	put(buffer, header, sizeof(header));
}

enum { FRAME_DATA, FRAME_HEADERS, FRAME_RST_STREAM = 3, FRAME_SETTINGS, FRAME_GOAWAY = 7 };
enum { FLAG_END_STREAM = 1, FLAG_END_HEADERS = 4 };

static struct buffer version_request(void)
{
	static const uint8_t empty_message[5] = {0};
	struct buffer request = {0}, headers = {0};

	put_byte(&headers, 0x83); /* :method POST */
	put_byte(&headers, 0x86); /* :scheme http */
	put_byte(&headers, 0x04); /* :path */
	put_text(&headers, "/runtime.v1alpha2.RuntimeService/Version");
	put_byte(&headers, 0x01); /* :authority */
	put_text(&headers, "localhost");
	put_byte(&headers, 0x0f); /* content-type: index 31 */
	put_byte(&headers, 0x10);
	put_text(&headers, "application/grpc");
	put_byte(&headers, 0x00);
	put_text(&headers, "te");
	put_text(&headers, "trailers");

	put(&request, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	put_frame(&request, 0, FRAME_SETTINGS, 0, 0);
	put_frame(&request, headers.length, FRAME_HEADERS, FLAG_END_HEADERS, 1);
	put(&request, headers.bytes, headers.length);
	put_frame(&request, sizeof(empty_message), FRAME_DATA, FLAG_END_STREAM, 1);
	put(&request, empty_message, sizeof(empty_message));
	return request;
}

/* A message means yes; headers that end the stream are an error ("not initialized yet"). */
static bool version_answered(int fd)
{
	uint8_t answer[8192];
	size_t have = 0;
	struct pollfd readable = {.fd = fd, .events = POLLIN};

	while (have < sizeof(answer) && poll(&readable, 1, ANSWER_MS) > 0) {
		ssize_t more = read(fd, answer + have, sizeof(answer) - have);

		if (more <= 0)
			return false;
		have += (size_t)more;
		for (size_t at = 0; at + 9 <= have;) {
			size_t length = (size_t)answer[at] << 16 | (size_t)answer[at + 1] << 8 |
					answer[at + 2];
			uint8_t type = answer[at + 3], flags = answer[at + 4];

			if (at + 9 + length > have)
				break;
			if (type == FRAME_DATA && length >= 5)
				return true;
			if ((type == FRAME_HEADERS && flags & FLAG_END_STREAM) ||
			    type == FRAME_RST_STREAM || type == FRAME_GOAWAY)
				return false;
			at += 9 + length;
		}
	}
	return false;
}

static bool cri_answers(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = CONTAINERD_SOCKET};
	struct buffer request = version_request();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
			write(fd, request.bytes, request.length) == (ssize_t)request.length &&
			version_answered(fd);

	if (fd >= 0)
		close(fd);
	return answered;
}

/* ---- kubelet and the pod ---- */

static bool healthz_answers(void)
{
	static const char request[] = "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(HEALTHZ_PORT),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char answer[64] = "";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    write(fd, request, sizeof(request) - 1) > 0 &&
	    read(fd, answer, sizeof(answer) - 1) < 12)
		answer[0] = '\0';
	close(fd);
	return strncmp(answer, "HTTP/1.0 200", 12) == 0;
}

static bool pod_runs(void)
{
	struct stat milestone;

	return stat(POD_MILESTONE, &milestone) == 0;
}

/* ---- the end ---- */

static void report_memory_of_pid1(void)
{
	unsigned long rss = 0, pss = 0;
	char text[2048];
	const char *line;

	if (!read_file("1/smaps_rollup", text, sizeof(text)))
		return;
	line = strstr(text, "\nRss:");
	if (line)
		rss = strtoul(line + 5, NULL, 10);
	line = strstr(text, "\nPss:");
	if (line)
		pss = strtoul(line + 5, NULL, 10);
	dprintf(output, "PID1 rss_kib %lu pss_kib %lu\n", rss, pss);
}

/* Processes with a memory map, so not kernel threads; without the probe itself. */
static unsigned int count_processes(void)
{
	int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fdopendir(fd);
	unsigned int count = 0;
	struct dirent *entry;
	char path[300], byte[2];

	if (!directory)
		return 0;
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "%s/maps", entry->d_name);
		if (read_file(path, byte, sizeof(byte)))
			count++;
	}
	closedir(directory);
	return count > 0 ? count - 1 : 0;
}

static unsigned int count_lines(const char *path)
{
	char text[4096];
	unsigned int lines = 0;
	ssize_t length;
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);

	while ((length = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < length; i++)
			lines += text[i] == '\n';
	close(fd);
	return lines;
}

static void report_system(void)
{
	unsigned long total = 0, available = 0;
	char text[512];

	if (read_file("meminfo", text, sizeof(text)))
		sscanf(text, "MemTotal: %lu kB\nMemFree: %*u kB\nMemAvailable: %lu", &total,
		       &available);
	dprintf(output, "SYSTEM processes %u used_kib %lu modules %u\n", count_processes(),
		total - available, count_lines("modules"));
}

int main(void)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	bool cri = false, healthz = false, pod = false;
	uint64_t limit_ns;

	proc = open_proc();
	output = open("/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	limit_ns = boottime_ns() + LIMIT_NS;
	mark("exec");
	while (!(healthz && pod) && boottime_ns() < limit_ns) {
		nanosleep(&pause, NULL);
		if (!cri && (cri = cri_answers()))
			mark("cri");
		if (cri && !healthz && (healthz = healthz_answers()))
			mark("healthz");
		if (cri && !pod && (pod = pod_runs()))
			mark("pod");
	}
	sleep(1);
	report_memory_of_pid1();
	report_system();
	dprintf(output, "%s\n", pod ? "DONE" : "TIMEOUT");
	reboot(RB_POWER_OFF);
	return 1;
}
