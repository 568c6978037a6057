/* SPDX-License-Identifier: Apache-2.0 */
/* sd_notify(3): what a message means, cut however it may be, and how it comes out of the socket. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "svc/foreign.h"
#include "svc/notify.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define R NOTIFY_READY
#define ST NOTIFY_STATUS
#define ZEROES "0000000000000000000000000000000000000000"
#define LONG_STATUS "0123456789012345678901234567890123456789012345678901234567890123456789"

static const struct {
	const char *text;
	size_t size; /* 0: strlen */
	uint32_t keys;
	const char *status;
	uint64_t number; /* the one number that the message has */
} cases[] = {
	{.text = "READY=1", .keys = R},
	{.text = "READY=1\n", .keys = R},
	{.text = "\n\nREADY=1\n\n", .keys = R},
	{.text = "STATUS=first\nREADY=1", .keys = R | ST, .status = "first"},
	{.text = "READY=1\nSTATUS=", .keys = R | ST, .status = ""},
	{.text = "STATUS=a=b=c", .keys = ST, .status = "a=b=c"},
	{.text = "STATUS=one\nSTATUS=two", .keys = ST, .status = "two"},
	{.text = "READY=0"},
	{.text = "READY=10"},
	{.text = "READY="},
	{.text = "READY"},
	{.text = "XREADY=1"},
	{.text = " READY=1"},
	{.text = "READY=1 "},
	{.text = "ready=1"},
	{.text = "READY=1\r\n"},
	{.text = "X_READY=1\nREADY=1", .keys = R},
	{.text = ""},
	{.text = "\n\n"},
	{.text = "="},
	{.text = "=1"},
	/* The last state counts. */
	{.text = "STOPPING=1", .keys = NOTIFY_STOPPING},
	{.text = "STOPPING=1\nREADY=1", .keys = R},
	{.text = "READY=1\nSTOPPING=1", .keys = NOTIFY_STOPPING},
	{.text = "RELOADING=1\nREADY=1", .keys = R},
	{.text = "READY=1\nRELOADING=1\nMONOTONIC_USEC=5",
	 .keys = NOTIFY_RELOADING | NOTIFY_MONOTONIC,
	 .number = 5},
	/* Watchdog. */
	{.text = "WATCHDOG=1", .keys = NOTIFY_WATCHDOG},
	{.text = "WATCHDOG=trigger", .keys = NOTIFY_TRIGGER},
	{.text = "WATCHDOG=trigger\nWATCHDOG=1", .keys = NOTIFY_WATCHDOG},
	{.text = "WATCHDOG=Trigger"},
	{.text = "WATCHDOG=triggers"},
	{.text = "WATCHDOG=2"},
	/* Numbers. */
	{.text = "MAINPID=4711", .keys = NOTIFY_MAINPID, .number = 4711},
	{.text = "MAINPID=2147483647", .keys = NOTIFY_MAINPID, .number = 2147483647},
	{.text = "MAINPID=2147483648"},
	{.text = "MAINPID=0"},
	{.text = "MAINPID=-1"},
	{.text = "MAINPID="},
	{.text = "MAINPID=1x"},
	{.text = "MAINPID= 1"},
	{.text = "MAINPID=7\nMAINPID=nonsense", .keys = NOTIFY_MAINPID, .number = 7},
	{.text = "ERRNO=2", .keys = NOTIFY_ERRNO, .number = 2},
	{.text = "ERRNO=0", .keys = NOTIFY_ERRNO},
	{.text = "ERRNO=4095", .keys = NOTIFY_ERRNO, .number = 4095},
	{.text = "ERRNO=4096"},
	{.text = "ERRNO=ENOENT"},
	{.text = "WATCHDOG_USEC=20000000", .keys = NOTIFY_WATCHDOG_USEC, .number = 20000000},
	{.text = "WATCHDOG_USEC=0", .keys = NOTIFY_WATCHDOG_USEC},
	{.text = "WATCHDOG_USEC=18446744073709551615",
	 .keys = NOTIFY_WATCHDOG_USEC,
	 .number = UINT64_MAX},
	{.text = "WATCHDOG_USEC=18446744073709551616"},
	{.text = "WATCHDOG_USEC=99999999999999999999999999"},
	{.text = "WATCHDOG_USEC=00000000000000000000000000000020",
	 .keys = NOTIFY_WATCHDOG_USEC,
	 .number = 20},
	{.text = "EXTEND_TIMEOUT_USEC=5000000", .keys = NOTIFY_EXTEND, .number = 5000000},
	{.text = "EXTEND_TIMEOUT_USEC=0x10"},
	{.text = "MONOTONIC_USEC=77", .keys = NOTIFY_MONOTONIC, .number = 77},
	/* A barrier stands for itself. */
	{.text = "BARRIER=1", .keys = NOTIFY_BARRIER},
	{.text = "READY=1\nBARRIER=1\nSTATUS=x", .keys = NOTIFY_BARRIER, .status = "x"},
	/* Documented, without effect. */
	{.text = "FDSTORE=1\nFDNAME=x\nFDPOLL=0"},
	{.text = "FDSTOREREMOVE=1\nFDNAME=x\nNOTIFYACCESS=all\nRESTART_RESET=1"},
	{.text = "MAINPIDFD=1\nMAINPIDFDID=12\nEXIT_STATUS=3"},
	{.text = "BUSERROR=org.freedesktop.DBus.Error.TimedOut\nVARLINKERROR=org.varlink.x"},
	/* What people see. */
	{.text = "STATUS=a\tb\033[31m", .keys = ST, .status = "a?b?[31m"},
	{.text = "STATUS=a\xc2\x9b"
		 "31m \xc3\xa9",
	 .keys = ST,
	 .status = "a??31m ??"},
	{.text = "STATUS=a\0b\nREADY=1", .size = 18, .keys = R | ST, .status = "a?b"},
	{.text = "STATUS=" LONG_STATUS,
	 .keys = ST,
	 .status = "012345678901234567890123456789012345678901234567890123456789012"},
	{.text = "STATUS=" LONG_STATUS LONG_STATUS LONG_STATUS "\nREADY=1",
	 .keys = R | ST,
	 .status = "012345678901234567890123456789012345678901234567890123456789012"},
	/* Longer than a line that means something. */
	{.text = "X" LONG_STATUS LONG_STATUS "\nREADY=1", .keys = R},
	{.text = "WATCHDOG_USEC=" ZEROES ZEROES ZEROES "1\nREADY=1", .keys = R},
	{.text = "MAINPID=0000000000" LONG_STATUS LONG_STATUS "\nREADY=1", .keys = R},
};

/* A copy of exactly `size` bytes, so that a read beyond it is a finding. */
static char *exact(const char *text, size_t size)
{
	char *copy = malloc(size + (size == 0));

	memcpy(copy, text, size);
	return copy;
}

static uint64_t number_of(const struct notify_message *message)
{
	switch (message->keys & ~(uint32_t)(R | ST | NOTIFY_RELOADING)) {
	case NOTIFY_MAINPID: return (uint64_t)message->main_pid;
	case NOTIFY_ERRNO: return (uint64_t)message->error;
	case NOTIFY_WATCHDOG_USEC: return message->watchdog_us;
	case NOTIFY_EXTEND: return message->extend_us;
	case NOTIFY_MONOTONIC: return message->monotonic_us;
	default: return 0;
	}
}

static size_t size_of(size_t i)
{
	return cases[i].size ? cases[i].size : strlen(cases[i].text);
}

static void check(const struct notify_message *message, size_t i)
{
	if (message->keys != cases[i].keys)
		print_error("message: %s\n", cases[i].text);
	assert_int_equal(message->keys, cases[i].keys);
	assert_int_equal(number_of(message), cases[i].number);
	assert_string_equal(message->status, cases[i].status ? cases[i].status : "");
}

static void every_documented_key_is_understood_or_skipped(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = exact(cases[i].text, size_of(i));
		struct notify_message message;

		notify_parse(text, size_of(i), &message);
		free(text);
		check(&message, i);
	}
}

static void it_does_not_matter_where_a_message_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t size = size_of(i);

		for (size_t at = 0; at <= size; at++) {
			char *head = exact(cases[i].text, at);
			char *tail = exact(cases[i].text + at, size - at);
			struct notify_message message;
			struct notify_parser parser;

			notify_parse_begin(&parser, &message);
			notify_parse_piece(&parser, head, at);
			notify_parse_piece(&parser, tail, size - at);
			notify_parse_end(&parser, true);
			free(head);
			free(tail);
			check(&message, i);
		}
	}
}

static void a_line_whose_end_is_missing_does_not_count(void **state)
{
	static const struct {
		const char *text;
		uint32_t keys;
	} parts[] = {
		{"READY=1\nMAINPID=12", R},
		{"READY=1", 0},
		{"READY=1\n", R},
		{"BARRIER=1\nREADY=1", NOTIFY_BARRIER},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(parts); i++) {
		struct notify_message message;
		struct notify_parser parser;

		notify_parse_begin(&parser, &message);
		notify_parse_piece(&parser, parts[i].text, strlen(parts[i].text));
		notify_parse_end(&parser, false);
		assert_int_equal(message.keys, parts[i].keys);
	}
}

/* ---- the socket ---- */

static char directory[] = "/tmp/keelson-notify-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int server = -1, client = -1;

static int open_sockets(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", directory);
	server = notify_open(address.sun_path);
	client = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return server < 0 || connect(client, (struct sockaddr *)&address, sizeof address) < 0;
}

static int close_sockets(void **state)
{
	(void)state;
	close(server);
	close(client);
	unlink(address.sun_path);
	return rmdir(directory);
}

/* Send `size` bytes, with `count` copies of `fd`, in the name of `pid` (0: one's own). */
static void send_all(const char *text, size_t size, int fd, size_t count, int pid)
{
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(253 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))] = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = size};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *at = (struct cmsghdr *)(void *)control;

	if (count > 0) {
		at->cmsg_level = SOL_SOCKET;
		at->cmsg_type = SCM_RIGHTS;
		at->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
		for (size_t i = 0; i < count; i++)
			memcpy(CMSG_DATA(at) + i * sizeof(int), &fd, sizeof fd);
		header.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
		at = (struct cmsghdr *)(void *)(control + header.msg_controllen);
	}
	if (pid != 0) {
		struct ucred credentials = {.pid = pid, .uid = getuid(), .gid = getgid()};

		at->cmsg_level = SOL_SOCKET;
		at->cmsg_type = SCM_CREDENTIALS;
		at->cmsg_len = CMSG_LEN(sizeof credentials);
		memcpy(CMSG_DATA(at), &credentials, sizeof credentials);
		header.msg_controllen += CMSG_SPACE(sizeof credentials);
	}
	header.msg_control = header.msg_controllen ? control : NULL;
	/* musl's sendmsg(3) takes no more than 251 descriptors. */
	assert_int_equal(syscall(SYS_sendmsg, client, &header, 0), size);
}

static int receive(struct notify_message *message)
{
	int pid = 0, result = notify_receive(server, message, &pid), child;

	/* Under load a child may take longer than a call waits for it. */
	for (int i = 0; i < 500 && result == -EINPROGRESS; i++)
		result = notify_receive(server, message, &pid);
	/* Who took descriptors has let go of them when it has ended. */
	while ((child = waitpid(-1, NULL, 0)) > 0)
		foreign_ended(child);
	if (result > 0)
		assert_int_equal(pid, getpid());
	return result;
}

static void nothing_is_left(void)
{
	struct notify_message message;

	assert_int_equal(receive(&message), 0);
}

static void a_message_of_any_size_comes_out_whole(void **state)
{
	static const size_t sizes[] = {64,   4095, 4096,  4097,  4100,
				       8191, 8192, 12289, 65536, 150000};

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		/* READY=1 in the middle, MAINPID=9 at the very end, a long status before both. */
		char *text = malloc(sizes[i]);
		struct notify_message message;

		memset(text, 'x', sizes[i]);
		memcpy(text, "STATUS=", 7);
		memcpy(text + sizes[i] / 2, "\nREADY=1\n", 9);
		memcpy(text + sizes[i] - 10, "\nMAINPID=9", 10);
		send_all(text, sizes[i], -1, 0, 0);
		free(text);
		send_all("STATUS=next", 11, -1, 0, 0);
		assert_true(receive(&message) > 0);
		assert_int_equal(message.keys, R | ST | NOTIFY_MAINPID);
		assert_int_equal(message.main_pid, 9);
		assert_int_equal(message.status[0], 'x');
		assert_true(receive(&message) > 0);
		assert_string_equal(message.status, "next");
		nothing_is_left();
	}
}

static void an_empty_message_is_one(void **state)
{
	struct notify_message message;

	(void)state;
	send_all("", 0, -1, 0, 0);
	send_all("READY=1", 7, -1, 0, 0);
	assert_int_equal(receive(&message), 1);
	assert_int_equal(message.keys, 0);
	assert_int_equal(receive(&message), 1);
	assert_int_equal(message.keys, R);
	nothing_is_left();
}

static void large_messages_count_as_several(void **state)
{
	static const char large[40000];
	struct notify_message message;

	(void)state;
	send_all(large, sizeof large, -1, 0, 0);
	assert_int_equal(receive(&message), 11); /* to look at it, and at its ten pieces */
	assert_int_equal(message.keys, 0);
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void descriptors_that_come_along_are_closed(void **state)
{
	static const char *const texts[] = {"BARRIER=1", "FDSTORE=1\nFDNAME=x", "READY=1"};
	static const char large[9000];
	struct notify_message message;
	int before = open_descriptors();

	(void)state;
	for (size_t i = 0; i <= COUNT(texts); i++)
		for (size_t count = 1; count <= 253; count += 252) {
			bool small = i < COUNT(texts);
			int ends[2];
			char byte;

			assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
			send_all(small ? texts[i] : large, small ? strlen(texts[i]) : sizeof large,
				 ends[1], count, 0);
			close(ends[1]);
			assert_int_equal(read(ends[0], &byte, 1), -1); /* a writer is left */
			assert_true(receive(&message) > 0);
			assert_int_equal(read(ends[0], &byte, 1), 0); /* none is */
			close(ends[0]);
			assert_int_equal(open_descriptors(), before);
		}
}

/* A socket in the queue of a socket that was sent, and one that lingers for ten minutes in that. */
static void a_socket_that_lingers_is_waited_for_by_nobody(void **state)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	static const struct linger linger = {.l_onoff = 1, .l_linger = 600};
	struct notify_message message;
	static const char much[65536];
	int listener = socket(AF_INET, SOCK_STREAM, 0), to = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t length = sizeof here;
	int pair[2], notify = client;

	(void)state;
	assert_int_equal(bind(listener, (void *)&here, sizeof here), 0);
	assert_int_equal(getsockname(listener, (void *)&here, &length), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(to, (void *)&here, sizeof here), 0);
	while (send(to, much, sizeof much, MSG_DONTWAIT) > 0)
		;
	assert_int_equal(setsockopt(to, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	client = pair[0];
	send_all("x", 1, to, 1, 0);
	client = notify;
	send_all("READY=1", 7, pair[1], 1, 0);
	close(to);
	close(pair[0]);
	close(pair[1]);
	alarm(60); /* ends the test, were it to wait */
	assert_true(receive(&message) > 0);
	alarm(0);
	assert_int_equal(message.keys, R);
	close(listener);
}

static void the_kernel_says_who_speaks(void **state)
{
	struct notify_message message;
	int pid = fork(), told, status;

	(void)state;
	if (pid == 0) {
		ssize_t sent = send(client, "READY=1", 7, 0);

		_exit(sent == 7 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(notify_receive(server, &message, &told), 1);
	assert_int_equal(told, pid);
	if (geteuid() != 0)
		skip();
	send_all("READY=1", 7, -1, 0, 1); /* root may speak for anybody */
	assert_int_equal(notify_receive(server, &message, &told), 1);
	assert_int_equal(told, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_documented_key_is_understood_or_skipped),
		cmocka_unit_test(it_does_not_matter_where_a_message_is_cut),
		cmocka_unit_test(a_line_whose_end_is_missing_does_not_count),
		cmocka_unit_test(a_message_of_any_size_comes_out_whole),
		cmocka_unit_test(a_socket_that_lingers_is_waited_for_by_nobody),
		cmocka_unit_test(an_empty_message_is_one),
		cmocka_unit_test(large_messages_count_as_several),
		cmocka_unit_test(descriptors_that_come_along_are_closed),
		cmocka_unit_test(the_kernel_says_who_speaks),
	};

	return cmocka_run_group_tests_name("notify", tests, open_sockets, close_sockets);
}
