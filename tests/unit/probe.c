/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of readiness and liveness against real sockets, with the clock and the tasks played. */
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
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rootfs-spec/plan_write.h"
#include "svc/confine.h"
#include "svc/fd.h"
#include "svc/liveness.h"
#include "svc/log.h"
#include "svc/ready.h"
#include "svc/service.h"
#include "svc/task.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MS 1000000ull
#define S 1000000000ull
#define KEY 0x8300000000000000ull

/* ---- a plan of one service, and what it is asked ---- */

enum {
	READY_NOTIFY,
	READY_FD,
	READY_SOCKET,
	READY_HTTP,
	READY_COMMAND,
	LIVE_HTTP,
	LIVE_COMMAND,
	LIVE_SOCKET,
	UNUSED,
	/* of the defaults */ PROBES
};

static char directory[] = "/tmp/keelson-probe-XXXXXX";
static char socket_path[64];
static struct plan plan;
static struct world *world;
static struct probes probes;
static struct probe table[PROBES];
static int epoll_fd = -1, http_server = -1;
static uint64_t now;

static int runs, drops, sick, run_error;
static uint32_t ran;

static int run(void *context, uint32_t probe)
{
	assert_ptr_equal(context, &plan);
	runs++;
	ran = probe;
	return run_error;
}

static void drop(void *context, uint32_t probe)
{
	(void)context;
	(void)probe;
	drops++;
}

static void is_sick(void *context, uint32_t service)
{
	(void)context;
	assert_int_equal(service, 0);
	sick++;
	world->services[0].state = SERVICE_STOPPING;
	probes_changed(&probes, 0, SERVICE_UP, now);
}

static const struct probe_calls calls = {&plan, run, drop, is_sick};

static int listen_http(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof address;

	http_server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(http_server, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(http_server, 8) < 0)
		return -1;
	getsockname(http_server, (struct sockaddr *)&address, &length);
	return ntohs(address.sin_port);
}

static void add(struct plan_writer *writer, enum plan_probe_kind kind, uint32_t number,
		const char *target, uint32_t command, uint32_t failures)
{
	bool asked = kind == PLAN_PROBE_HTTP || kind == PLAN_PROBE_COMMAND;
	struct plan_probe probe = {
		.kind = kind,
		.number = number,
		.target = plan_write_string(writer, target),
		.command = command,
		.interval_ns = asked || kind == PLAN_PROBE_SOCKET ? 100 * MS : 0,
		.timeout_ns = asked ? 500 * MS : 0,
		.failures = failures,
	};

	plan_write_probe(writer, &probe);
}

static int make_plan(int port)
{
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	struct plan_system *system = plan_write_system(writer);
	struct plan_command command = {.argv = plan_write_strings(writer, argv, 1),
				       .timeout_ns = 500 * MS};
	uint32_t check = plan_write_command(writer, &command);
	void *bytes;
	size_t size;

	system->name = plan_write_string(writer, "test");
	system->shutdown_timeout_ns = S;
	add(writer, PLAN_PROBE_NOTIFY, 0, "", PLAN_NONE, 0);
	add(writer, PLAN_PROBE_FD, 5, "", PLAN_NONE, 0);
	add(writer, PLAN_PROBE_SOCKET, 0, socket_path, PLAN_NONE, 0);
	add(writer, PLAN_PROBE_HTTP, (uint32_t)port, "/ready", PLAN_NONE, 0);
	add(writer, PLAN_PROBE_COMMAND, 0, "", check, 0);
	add(writer, PLAN_PROBE_HTTP, (uint32_t)port, "/live", PLAN_NONE, 3);
	add(writer, PLAN_PROBE_COMMAND, 0, "", check, 2);
	add(writer, PLAN_PROBE_SOCKET, 0, socket_path, PLAN_NONE, 1);
	struct plan_service service = plan_write_service_defaults(writer, "web", argv);

	service.probes = (struct plan_list){READY_NOTIFY, 5};
	service.liveness = (struct plan_list){LIVE_HTTP, 3};
	plan_write_service(writer, &service);
	struct plan_fault fault = {.reason = "memory"};
	int error = plan_write_finish(writer, NULL, &bytes, &size, &fault);

	plan_write_free(writer);
	if (error)
		print_error("plan: %s\n", fault.reason);
	return error ? error : plan_verify(bytes, size, PLAN_KIND_NODE, &plan, NULL);
}

static int make_node(void **state)
{
	(void)state;
	log_open(-1, 0);
	if (!mkdtemp(directory))
		return -1;
	snprintf(socket_path, sizeof socket_path, "%s/socket", directory);
	int port = listen_http();

	if (port < 0 || make_plan(port) != 0)
		return -1;
	world = calloc(1, world_size(1, PROBES));
	return world_init(world, world_size(1, PROBES), &plan);
}

static int unmake_node(void **state)
{
	(void)state;
	free((void *)(uintptr_t)plan.base);
	free(world);
	close(http_server);
	return rmdir(directory);
}

static int begin(void **state)
{
	struct probes from = {.plan = &plan,
			      .world = world,
			      .key = KEY,
			      .local = directory,
			      .calls = &calls,
			      .table = table};

	(void)state;
	from.epoll_fd = epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	probes_init(&probes, &from);
	now = 1000 * S;
	runs = drops = sick = run_error = 0;
	world->services[0].state = SERVICE_STARTING;
	world->services[0].probes_met = 0;
	world->services[0].flags = 0;
	world->services[0].reload_deadline_ns = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	probes_stop(&probes, 0);
	assert_int_equal(probes_deadline_ns(&probes, 0), UINT64_MAX);
	fd_close(&world->services[0].ready_fd);
	unlink(socket_path);
	return close(epoll_fd);
}

/* ---- playing the service ---- */

static bool is_met(int probe)
{
	return world->services[0].probes_met >> probe & 1;
}

/* Let time pass, as the supervisor does: up to each deadline on the way. */
static void pass(uint64_t ns)
{
	uint64_t until = now + ns;

	for (uint64_t at; (at = probes_deadline_ns(&probes, 0)) <= until;) {
		now = at > now ? at : now;
		probes_tick(&probes, 0, now);
	}
	now = until;
}

/* Hand on what epoll has to say. */
static void events(int wait_ms)
{
	struct epoll_event event;

	while (epoll_wait(epoll_fd, &event, 1, wait_ms) == 1) {
		assert_int_equal(event.data.u64 & 0xff00000000000000ull, KEY);
		assert_int_equal(probes_handle(&probes, (uint32_t)event.data.u64,
					       (uint32_t)(event.data.u64 >> 32) & 0xffffff, now),
				 0);
	}
}

/* Accept one connection and answer `text`; the request has to be for `path`. */
static void answer(const char *path, const char *text)
{
	char request[256] = "", wanted[64];
	struct timeval patience = {.tv_sec = 5};

	events(20); /* the request goes out */
	setsockopt(http_server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	int client = accept(http_server, NULL, NULL);

	assert_true(client >= 0);
	assert_true(recv(client, request, sizeof request - 1, 0) > 0);
	snprintf(wanted, sizeof wanted, "GET %s HTTP/1.0\r\n", path);
	assert_int_equal(strncmp(request, wanted, strlen(wanted)), 0);
	assert_true(text[0] == '\0' || send(client, text, strlen(text), MSG_NOSIGNAL) > 0);
	close(client);
	events(20);
}

static void settle_http(void)
{
	int client;

	fcntl(http_server, F_SETFL, O_NONBLOCK);
	while ((client = accept(http_server, NULL, NULL)) >= 0)
		close(client);
	fcntl(http_server, F_SETFL, 0);
}

static int listen_at(const char *path, int type, int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void up(void)
{
	world->services[0].state = SERVICE_UP;
	probes_changed(&probes, 0, SERVICE_STARTING, now);
}

static const struct world_death well = {.code = CLD_EXITED};
static const struct world_death badly = {.code = CLD_EXITED, .status = 3};
static const struct world_death too_slow = {.code = CLD_KILLED, .status = 9, .error = -ETIMEDOUT};
static const struct world_death not_run = {.error = -ENOENT, .step = CONFINE_EXEC};

/* ---- readiness ---- */

static void nothing_is_asked_before_all_is_told(void **state)
{
	(void)state;
	ready_met(&probes, 0, PLAN_PROBE_EXEC, now);
	ready_met(&probes, 0, PLAN_PROBE_FD, now);
	pass(S);
	assert_int_equal(runs, 0);
	assert_int_equal(world->services[0].probes_met, 1u << READY_FD);
	ready_met(&probes, 0, PLAN_PROBE_NOTIFY, now);
	assert_int_equal(runs, 1);
	assert_int_equal(ran, READY_COMMAND);
	settle_http();
}

static void told(void)
{
	ready_met(&probes, 0, PLAN_PROBE_FD, now);
	ready_met(&probes, 0, PLAN_PROBE_NOTIFY, now);
}

static void a_probe_is_asked_until_it_is_met_and_never_again(void **state)
{
	int server;

	(void)state;
	told();
	events(20);
	int attempt = table[READY_HTTP].fd;

	told(); /* once more */
	assert_int_equal(table[READY_HTTP].fd, attempt);
	assert_int_equal(runs, 1);
	answer("/ready", "HTTP/1.1 503 Busy\r\n\r\n");
	assert_false(is_met(READY_HTTP));
	server = listen_at(socket_path, SOCK_STREAM, 4);
	pass(100 * MS);
	assert_true(is_met(READY_SOCKET));
	answer("/ready", "HTTP/1.1 200 OK\r\n\r\n");
	assert_true(is_met(READY_HTTP));
	probe_answered(&probes, READY_COMMAND, &badly, now);
	assert_false(is_met(READY_COMMAND));
	pass(99 * MS);
	assert_int_equal(runs, 1);
	pass(1 * MS);
	assert_int_equal(runs, 2);
	probe_answered(&probes, READY_COMMAND, &well, now);
	assert_true(is_met(READY_COMMAND));
	assert_int_equal(probes_deadline_ns(&probes, 0), UINT64_MAX);
	assert_int_equal(world->services[0].probes_met, 31);
	pass(10 * S);
	assert_int_equal(runs, 2);
	close(server);
}

static void leaving_starting_ends_the_asking(void **state)
{
	(void)state;
	told();
	assert_int_not_equal(probes_deadline_ns(&probes, 0), UINT64_MAX);
	world->services[0].state = SERVICE_STOPPING;
	probes_changed(&probes, 0, SERVICE_STARTING, now);
	assert_int_equal(probes_deadline_ns(&probes, 0), UINT64_MAX);
	assert_int_equal(drops, 1);
	probe_answered(&probes, READY_COMMAND, &well, now);
	assert_false(is_met(READY_COMMAND)); /* too late */
	events(20);
	settle_http();
	assert_int_equal(world->services[0].probes_met, 1u << READY_FD | 1u << READY_NOTIFY);
}

static void an_answer_in_pieces_is_one(void **state)
{
	(void)state;
	told();
	events(20);
	int client = accept(http_server, NULL, NULL);

	for (const char *c = "HTTP/1.1 200 OK"; *c; c++) {
		ssize_t sent = send(client, c, 1, MSG_NOSIGNAL);

		events(5);
		if (sent != 1)
			break;
	}
	assert_true(is_met(READY_HTTP));
	close(client);
}

static void an_attempt_without_an_answer_is_given_up_and_made_again(void **state)
{
	(void)state;
	told();
	events(20);
	pass(499 * MS);
	int old = table[READY_HTTP].fd;

	assert_true(old >= 0);
	pass(1 * MS);
	assert_int_equal(table[READY_HTTP].fd, -1);
	uint32_t generation = table[READY_HTTP].generation;

	pass(100 * MS);
	assert_true(table[READY_HTTP].fd >= 0);
	/* An event of the attempt before, still in flight. */
	assert_int_equal(probes_handle(&probes, READY_HTTP, generation - 1, now), PLAN_NONE);
	assert_int_equal(probes_handle(&probes, PROBES, 0, now), PLAN_NONE);
	settle_http();
}

/* The kernel may say that something is not in its cache when somebody mounts or renames meanwhile. */
static int ask(const char *path, uint64_t device)
{
	int result = 1;

	for (int i = 0; i < 1000 && result == 1; i++)
		result = probe_socket_ask(path, device);
	return result;
}

static void a_socket_is_met_by_what_accepts_and_by_nothing_else(void **state)
{
	static const struct {
		int type, backlog; /* -1: bound, but it does not listen */
		int accepts;
	} cases[] = {
		{SOCK_STREAM, 1, 0},
		{SOCK_SEQPACKET, 1, 0},
		{SOCK_DGRAM, -1, 0},
		{SOCK_STREAM, -1, -ECONNREFUSED},
		{SOCK_SEQPACKET, -1, -ECONNREFUSED},
	};
	uint64_t device = probe_socket_device(directory);
	char link[80];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int fd = listen_at(socket_path, cases[i].type, cases[i].backlog);

		assert_int_equal(ask(socket_path, device), cases[i].accepts);
		assert_int_equal(probe_socket_ask_slowly(socket_path), cases[i].accepts);
		assert_int_equal(probe_socket_ask(socket_path, device + 1), 1);
		close(fd);
		assert_int_equal(probe_socket_ask_slowly(socket_path), -ECONNREFUSED);
	}
	int fd = listen_at(socket_path, SOCK_STREAM, 1);

	snprintf(link, sizeof link, "%s/link", directory);
	assert_int_equal(symlink("socket", link), 0);
	assert_int_equal(ask(link, device), 0);
	unlink(link);
	unlink(socket_path);
	assert_int_equal(probe_socket_ask_slowly(socket_path), -ENOENT);
	assert_true(probe_socket_ask(socket_path, device) != 0);
	fd_close(&fd);
	fd = open(socket_path, O_CREAT | O_CLOEXEC, 0600); /* a file */
	assert_int_equal(probe_socket_ask_slowly(socket_path), -ECONNREFUSED);
	close(fd);
}

static void a_full_queue_is_no_answer(void **state)
{
	int server = listen_at(socket_path, SOCK_STREAM, 0), clients[8];
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)state;
	strcpy(address.sun_path, socket_path);
	for (size_t i = 0; i < COUNT(clients); i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(clients[i], (struct sockaddr *)&address, sizeof address);
	}
	assert_int_equal(ask(socket_path, probe_socket_device(directory)), -EAGAIN);
	for (size_t i = 0; i < COUNT(clients); i++)
		close(clients[i]);
	close(server);
}

static void a_child_asks_what_pid_1_cannot_but_not_all_the_time(void **state)
{
	int server = listen_at(socket_path, SOCK_STREAM, 4);

	(void)state;
	probes.device = 1; /* some other file system */
	told();
	runs = 0;
	probe_answered(&probes, READY_COMMAND, &well, now);
	pass(999 * MS);
	assert_int_equal(runs, 0);
	pass(100 * MS);
	assert_int_equal(runs, 1);
	assert_int_equal(ran, READY_SOCKET);
	probe_answered(&probes, READY_SOCKET,
		       &(struct world_death){.code = CLD_EXITED, .status = ENOENT}, now);
	assert_false(is_met(READY_SOCKET));
	pass(999 * MS);
	assert_int_equal(runs, 1);
	pass(101 * MS);
	assert_int_equal(runs, 2);
	probe_answered(&probes, READY_SOCKET, &well, now);
	assert_true(is_met(READY_SOCKET));
	close(server);
	settle_http();
}

static void a_newline_on_the_descriptor_is_ready(void **state)
{
	static const struct {
		const char *text;
		bool closed, over, ready;
	} cases[] = {
		{"", false, false, false}, {"almost", false, false, false},
		{"\n", false, true, true}, {"ready now\nmore", false, true, true},
		{"", true, true, false},   {"almost", true, true, false},
		{"\n", true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world_service *service = &world->services[0];
		size_t size = strlen(cases[i].text);
		bool over = false;
		int ends[2];

		assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
		service->probes_met = 0;
		service->ready_fd = ends[0];
		assert_int_equal(write(ends[1], cases[i].text, size), size);
		if (cases[i].closed)
			fd_close(&ends[1]);
		for (int turn = 0; turn < 3 && !over; turn++)
			over = ready_fd_readable(&probes, 0, now);
		assert_int_equal(over, cases[i].over);
		assert_int_equal(service->ready_fd, over ? -1 : ends[0]);
		assert_int_equal(is_met(READY_FD), cases[i].ready);
		fd_close(&service->ready_fd);
		fd_close(&ends[1]);
	}
}

static void what_is_missing_can_be_told(void **state)
{
	char text[256], wanted[256];

	(void)state;
	ready_missing(&plan, plan_service(&plan, 0), 31, text, sizeof text);
	assert_string_equal(text, "");
	ready_missing(&plan, plan_service(&plan, 0), 1u << READY_HTTP, text, sizeof text);
	snprintf(wanted, sizeof wanted, "notify, fd 5, socket %s, command /bin/true", socket_path);
	assert_string_equal(text, wanted);
	ready_missing(&plan, plan_service(&plan, 0), 0, text, 12);
	assert_string_equal(text, "notify, fd ");
}

/* ---- liveness ---- */

static void answer_live(const char *text)
{
	answer("/live", text);
}

/* Only this one is asked. */
static void only(int probe)
{
	for (int i = LIVE_HTTP; i <= LIVE_SOCKET; i++)
		if (i != probe)
			probe_rest(&probes, (uint32_t)i);
}

static void so_many_failures_in_a_row_are_too_many(void **state)
{
	(void)state;
	up();
	only(LIVE_HTTP);
	static const char *const answers[] = {
		"HTTP/1.1 503 Busy\r\n\r\n", "",
		"HTTP/1.1 200 OK\r\n\r\n",   "HTTP/1.1 500 No\r\n\r\n",
		"nonsense, no HTTP",         "HTTP/1.1 204 Empty\r\n\r\n",
	};

	for (size_t i = 0; i < COUNT(answers); i++) {
		pass(100 * MS);
		assert_int_equal(sick, 0);
		answer_live(answers[i]);
	}
	assert_int_equal(sick, 1);
	assert_int_equal(probes_deadline_ns(&probes, 0), UINT64_MAX);
}

static void liveness_begins_an_interval_after_up(void **state)
{
	(void)state;
	up();
	only(LIVE_COMMAND);
	pass(99 * MS);
	assert_int_equal(runs, 0);
	pass(1 * MS);
	assert_int_equal(runs, 1);
	assert_int_equal(ran, LIVE_COMMAND);
}

static void a_socket_that_refuses_is_a_failure(void **state)
{
	int server = listen_at(socket_path, SOCK_STREAM, 64);

	(void)state;
	up();
	only(LIVE_SOCKET);
	pass(300 * MS);
	assert_int_equal(sick, 0);
	int file = open(socket_path, O_PATH | O_CLOEXEC); /* it stays in the cache */

	close(server);
	pass(100 * MS);
	assert_int_equal(sick, 1);
	close(file);
}

static void a_command_that_ends_badly_or_too_late_is_a_failure(void **state)
{
	(void)state;
	up();
	only(LIVE_COMMAND);
	pass(100 * MS);
	probe_answered(&probes, LIVE_COMMAND, &badly, now);
	assert_int_equal(sick, 0);
	pass(100 * MS);
	probe_answered(&probes, LIVE_COMMAND, &well, now);
	pass(100 * MS);
	now += 510 * MS;
	probe_answered(&probes, LIVE_COMMAND, &too_slow, now);
	assert_int_equal(sick, 0);
	pass(100 * MS);
	assert_int_equal(runs, 4);
	probe_answered(&probes, LIVE_COMMAND, &badly, now);
	assert_int_equal(sick, 1);
}

static void a_command_that_hangs_in_the_kernel_is_a_failure(void **state)
{
	(void)state;
	up();
	only(LIVE_COMMAND);
	pass(100 * MS);
	assert_int_equal(runs, 1);
	run_error = -EBUSY;
	pass(1500 * MS); /* its timeout, and what a task has to be told */
	assert_int_equal(table[LIVE_COMMAND].failures, 1);
	pass(99 * MS);
	assert_int_equal(sick, 0);
	pass(1 * MS);
	assert_int_equal(runs, 2);
	assert_int_equal(sick, 1);
	assert_int_equal(drops, 1);
}

static void a_command_that_runs_already_is_waited_for(void **state)
{
	(void)state;
	up();
	only(LIVE_COMMAND);
	run_error = -EBUSY; /* of the execution before this one */
	pass(300 * MS);
	assert_int_equal(runs, 1);
	probe_answered(&probes, LIVE_COMMAND, &well, now);
	assert_int_equal(table[LIVE_COMMAND].failures, 0);
	/* One that was given up, and ended at last, is in nobody's way. */
	run_error = 0;
	pass(1600 * MS);
	assert_int_equal(table[LIVE_COMMAND].failures, 1);
	probe_answered(&probes, LIVE_COMMAND, &badly, now);
	assert_int_equal(table[LIVE_COMMAND].failures, 1);
	run_error = -EBUSY;
	pass(100 * MS);
	assert_int_equal(sick, 0);
}

static void what_cannot_be_asked_says_nothing_about_the_service(void **state)
{
	(void)state;
	up();
	only(LIVE_COMMAND);
	run_error = -EAGAIN;
	pass(S);
	assert_int_equal(runs, 10);
	run_error = 0;
	for (int i = 0; i < 5; i++) {
		pass(100 * MS);
		probe_answered(&probes, LIVE_COMMAND, &not_run, now);
	}
	assert_int_equal(sick, 0);
	/* It neither counts nor excuses. */
	pass(100 * MS);
	probe_answered(&probes, LIVE_COMMAND, &badly, now);
	pass(100 * MS);
	probe_answered(&probes, LIVE_COMMAND, &not_run, now);
	assert_int_equal(sick, 0);
	pass(100 * MS);
	probe_answered(&probes, LIVE_COMMAND, &badly, now);
	assert_int_equal(sick, 1);
}

static void a_machine_that_slept_blames_nobody(void **state)
{
	(void)state;
	up();
	only(LIVE_HTTP);
	for (int i = 0; i < 5; i++) {
		pass(100 * MS); /* asked */
		now += 3600 * S;
		probes_tick(&probes, 0, now);
		assert_int_equal(table[LIVE_HTTP].failures, 0);
	}
	settle_http();
	probes_stop(&probes, 0);
	up();
	only(LIVE_COMMAND);
	for (int i = 0; i < 5; i++) {
		pass(100 * MS);
		now += 3600 * S;
		probe_answered(&probes, LIVE_COMMAND, &too_slow, now);
	}
	assert_int_equal(sick, 0);
	/* One that is merely late itself by a little does. */
	pass(100 * MS);
	now += 600 * MS;
	probe_answered(&probes, LIVE_COMMAND, &too_slow, now);
	assert_int_equal(table[LIVE_COMMAND].failures, 1);
}

static void a_reload_is_left_alone(void **state)
{
	(void)state;
	up();
	only(LIVE_COMMAND);
	pass(100 * MS);
	assert_int_equal(runs, 1);
	world->services[0].flags = SERVICE_MARK_RELOADING;
	probe_answered(&probes, LIVE_COMMAND, &badly, now);
	assert_int_equal(table[LIVE_COMMAND].failures, 0);
	pass(10 * S);
	assert_int_equal(runs, 1);
	world->services[0].flags = 0;
	world->services[0].reload_deadline_ns = now + S;
	pass(S);
	assert_int_equal(runs, 1);
	world->services[0].reload_deadline_ns = 0;
	pass(100 * MS);
	assert_int_equal(runs, 2);
}

static void leaving_up_ends_liveness_and_coming_back_forgets(void **state)
{
	(void)state;
	up();
	only(LIVE_COMMAND);
	pass(100 * MS);
	probe_answered(&probes, LIVE_COMMAND, &badly, now);
	assert_int_equal(table[LIVE_COMMAND].failures, 1);
	pass(100 * MS);
	world->services[0].state = SERVICE_STOPPING;
	probes_changed(&probes, 0, SERVICE_UP, now);
	assert_int_equal(drops, 1);
	assert_int_equal(probes_deadline_ns(&probes, 0), UINT64_MAX);
	pass(S);
	assert_int_equal(runs, 2);
	up();
	only(LIVE_COMMAND);
	assert_int_equal(table[LIVE_COMMAND].failures, 0);
	pass(100 * MS);
	probe_answered(&probes, LIVE_COMMAND, &badly, now);
	assert_int_equal(sick, 0);
}

static void a_re_exec_asks_again_what_is_not_met(void **state)
{
	(void)state;
	world->services[0].probes_met = 1u << READY_NOTIFY | 1u << READY_FD | 1u << READY_HTTP;
	probes_resume(&probes, 0, now);
	assert_int_equal(runs, 1);
	assert_int_equal(table[READY_HTTP].phase, PROBE_IDLE);
	assert_int_equal(table[READY_SOCKET].phase, PROBE_WAITING);
	world->services[0].state = SERVICE_UP;
	ready_stop(&probes, 0);
	probes_resume(&probes, 0, now);
	assert_int_equal(probes_deadline_ns(&probes, 0), now + 100 * MS);
}

static void failures_are_counted_in_a_row(void **state)
{
	static const struct {
		const char *answers; /* + met, - unmet, ? unknown */
		uint32_t threshold, failures;
		bool sick; /* at the last */
	} cases[] = {
		{"-", 1, 1, true},    {"-", 3, 1, false},    {"---", 3, 3, true},
		{"--+", 3, 0, false}, {"--+-", 3, 1, false}, {"--?", 3, 2, false},
		{"--?-", 3, 3, true}, {"????", 1, 0, false}, {"----", 3, 4, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t failures = 0;
		bool is = false;

		for (const char *c = cases[i].answers; *c; c++)
			is = liveness_count(&failures, cases[i].threshold,
					    *c == '+'   ? PROBE_MET
					    : *c == '-' ? PROBE_UNMET
							: PROBE_UNKNOWN);
		assert_int_equal(is, cases[i].sick);
		assert_int_equal(failures, cases[i].failures);
	}
}

/* ---- texts ---- */

static void an_http_answer_is_its_status(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\n", 200},
		{"HTTP/1.0 200", 200},
		{"HTTP/1.1 200", 200},
		{"HTTP/1.1 20", 0},
		{"HTTP/1.1 ", 0},
		{"H", 0},
		{"", 0},
		{"HTTP/1.1 503", 503},
		{"HTTP/1.1 404 x", 404},
		{"HTTP/2.0 200", -EPROTO},
		{"HTTP/1.1  200", -EPROTO},
		{"http/1.1 200", -EPROTO},
		{"HTTP/1.x 200", -EPROTO},
		{"SSH-2.0-x", -EPROTO},
		{"HTTP/1.1 2x0", -EPROTO},
		{"HTTP/1.1 099", -EPROTO},
		{"HTTP/1.1 2000", 200},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(probe_parse_answer(cases[i].text, strlen(cases[i].text)),
				 cases[i].status);
}

static void a_failure_says_why(void **state)
{
	static const struct {
		int probe;
		struct probe_outcome outcome;
		const char *text;
	} cases[] = {
		{LIVE_HTTP, {.status = 503}, "status 503"},
		{LIVE_HTTP, {.error = -ECONNREFUSED}, "Connection refused"},
		{LIVE_HTTP, {.error = -ETIMEDOUT}, "no answer within 500 ms"},
		{LIVE_HTTP, {.error = -EPROTO}, "not an HTTP answer"},
		{LIVE_HTTP, {.error = -ENODATA}, "closed without an answer"},
		{LIVE_SOCKET, {.error = -EAGAIN}, "its queue is full"},
		{LIVE_SOCKET, {.error = -ETIMEDOUT}, "no answer within 1000 ms"},
		{LIVE_SOCKET, {.error = -ENOENT}, "No such file or directory"},
		{LIVE_COMMAND, {.death = &badly}, "exited with status 3"},
		{LIVE_COMMAND, {.death = &too_slow}, "no answer within 500 ms"},
		{LIVE_COMMAND, {.error = -EBUSY}, "the last one still runs"},
		{LIVE_COMMAND,
		 {.death = &not_run},
		 "start failed at step exec: No such file or directory"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[PROBE_TEXT_BYTES];

		probe_reason(plan_probe(&plan, (uint32_t)cases[i].probe), &cases[i].outcome, text,
			     sizeof text);
		assert_string_equal(text, cases[i].text);
	}
}

#define NODE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NODE(nothing_is_asked_before_all_is_told),
		NODE(a_probe_is_asked_until_it_is_met_and_never_again),
		NODE(leaving_starting_ends_the_asking),
		NODE(an_answer_in_pieces_is_one),
		NODE(an_attempt_without_an_answer_is_given_up_and_made_again),
		NODE(a_socket_is_met_by_what_accepts_and_by_nothing_else),
		NODE(a_full_queue_is_no_answer),
		NODE(a_child_asks_what_pid_1_cannot_but_not_all_the_time),
		NODE(a_newline_on_the_descriptor_is_ready),
		NODE(what_is_missing_can_be_told),
		NODE(so_many_failures_in_a_row_are_too_many),
		NODE(liveness_begins_an_interval_after_up),
		NODE(a_socket_that_refuses_is_a_failure),
		NODE(a_command_that_ends_badly_or_too_late_is_a_failure),
		NODE(a_command_that_hangs_in_the_kernel_is_a_failure),
		NODE(a_command_that_runs_already_is_waited_for),
		NODE(what_cannot_be_asked_says_nothing_about_the_service),
		NODE(a_machine_that_slept_blames_nobody),
		NODE(a_reload_is_left_alone),
		NODE(leaving_up_ends_liveness_and_coming_back_forgets),
		NODE(a_re_exec_asks_again_what_is_not_met),
		cmocka_unit_test(failures_are_counted_in_a_row),
		cmocka_unit_test(an_http_answer_is_its_status),
		cmocka_unit_test(a_failure_says_why),
	};

	return cmocka_run_group_tests_name("probe", tests, make_node, unmake_node);
}
