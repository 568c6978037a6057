/* SPDX-License-Identifier: Apache-2.0 */
#include "init/survive.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/watchdog.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "init/node.h"
#include "svc/format.h"
#include "svc/raw.h"

#define STACK_BYTES 32768u /* more than MINSIGSTKSZ of any register file */
#define PATH_BYTES 256u
#define SYNC_SECONDS 10
#define REBOOT_SECONDS 30
#define EXEC_TURNS 3
#define SECOND_NS 1000000000ull

enum stage {
	STAGE_EARLY, /* nothing to go on with yet */
	STAGE_RUNNING,
	STAGE_FINAL
};

/* Where the program was loaded to, and its end: addresses in it are told relative to that. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[];

static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};

/* All that the handler touches: written before, on pages that are there. */
static struct {
	volatile int stage;
	enum control_power action;
	bool container;
	uint64_t period_ns;
	int program_fd;
	int watchdog_fd;
	uint32_t descriptors;
	struct survive_again again;
	char *argv[10];
	char program[PATH_BYTES];
	char plan[PATH_BYTES];
	char world[24], record[24], watchdog[28];
	char period[40];
	char next[8 + SURVIVE_AGAIN_BYTES];
} survive = {.program_fd = -1, .watchdog_fd = -1};

static _Alignas(64) char stack[STACK_BYTES];

/* ---- from here to the next line: raw system calls only ---- */

static uint64_t raw_now_ns(void)
{
	struct timespec now = {0};

	raw_syscall2(__NR_clock_gettime, CLOCK_BOOTTIME, (long)&now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

struct line {
	char text[256];
	size_t length;
};

static void add(struct line *line, const char *text)
{
	while (*text != '\0' && line->length < sizeof(line->text))
		line->text[line->length++] = *text++;
}

static void add_number(struct line *line, uint64_t value, unsigned int base)
{
	char reversed[20];
	size_t n = 0;

	do {
		reversed[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	while (n > 0 && line->length < sizeof(line->text))
		line->text[line->length++] = reversed[--n];
}

/*
 * Where the line goes: the kernel's log, which never waits, or standard error, if that has room (a
 * terminal may be stopped).
 */
static long log_descriptor(void)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
	struct timespec at_once = {0};

	if (!survive.container)
		return raw_syscall4(__NR_openat, AT_FDCWD, (long)"/dev/kmsg",
				    O_WRONLY | O_CLOEXEC | O_NOCTTY, 0);
	return raw_syscall5(__NR_ppoll, (long)&room, 1, (long)&at_once, 0, 0) > 0 ? room.fd : -1;
}

static void tell(const struct survive_again *next, const char *what)
{
	struct line line = {.length = 0};
	long fd = log_descriptor();

	if (!survive.container)
		add(&line, "<2>");
	add(&line, "keelson: PID 1: signal ");
	add_number(&line, next->signal, 10);
	if (next->sender != 0) {
		add(&line, " from process ");
		add_number(&line, next->sender, 10);
	} else {
		add(&line, ", address 0x");
		add_number(&line, next->address, 16);
	}
	add(&line, ", instruction +0x");
	add_number(&line, next->instruction, 16);
	add(&line, ": crash ");
	add_number(&line, next->crashes, 10);
	add(&line, what);
	raw_syscall3(__NR_write, fd, (long)line.text, (long)line.length);
	if (fd > STDERR_FILENO)
		raw_syscall1(__NR_close, fd);
}

static void feed(void)
{
	if (survive.watchdog_fd >= 0)
		raw_syscall3(__NR_ioctl, survive.watchdog_fd, WDIOC_KEEPALIVE, 0);
}

/*
 * sync(2) may wait for a hung disk for ever, reboot(2) for a driver: in a child, that is waited for
 * and then left behind.
 */
static void call_in_child(long number, long argument, int seconds, bool feeding)
{
	int pidfd = -1;
	struct clone_args arguments = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid = raw_syscall2(__NR_clone3, (long)&arguments, sizeof(arguments));

	if (pid == 0) {
		raw_syscall4(number, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, argument, 0);
		for (;;)
			raw_syscall1(__NR_exit_group, 0);
	}
	for (int i = 0; pid > 0 && i < seconds; i++) {
		struct pollfd ended = {.fd = pidfd, .events = POLLIN};
		struct timespec turn = {.tv_sec = 1};

		if (feeding)
			feed();
		if (raw_syscall5(__NR_ppoll, (long)&ended, 1, (long)&turn, 0, 0) > 0)
			return;
	}
}

/* emergency_restart() of the kernel: no driver is asked. */
static void reset_machine(void)
{
	long fd = raw_syscall4(__NR_openat, AT_FDCWD, (long)"/proc/sysrq-trigger",
			       O_WRONLY | O_CLOEXEC, 0);

	raw_syscall3(__NR_write, fd, (long)"b", 1);
}

static int reboot_command(enum control_power action)
{
	switch (action) {
	case CONTROL_POWEROFF: return LINUX_REBOOT_CMD_POWER_OFF;
	case CONTROL_HALT: return (int)LINUX_REBOOT_CMD_HALT;
	case CONTROL_KEXEC: return LINUX_REBOOT_CMD_KEXEC;
	default: return LINUX_REBOOT_CMD_RESTART;
	}
}

static _Noreturn void give_up(void)
{
	struct timespec long_time = {.tv_sec = 3600};

	if (survive.container)
		for (;;)
			raw_syscall1(__NR_exit_group, NODE_EXIT_CRASH);
	call_in_child(__NR_sync, 0, SYNC_SECONDS, true);
	feed();
	call_in_child(__NR_reboot, reboot_command(survive.action), REBOOT_SECONDS, false);
	reset_machine();
	/* Not even children can be made, or the machine has no such key. */
	raw_syscall4(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		     LINUX_REBOOT_CMD_RESTART, 0);
	/* Neither works: the watchdog, which nobody feeds any more, resets the machine. */
	for (;;)
		raw_syscall2(__NR_nanosleep, (long)&long_time, 0);
}

/*
 * Everything that is open stays open, whatever the world says about it: it may be what is broken.
 * The new execution closes what it does not know.
 */
static void keep_descriptors(long flags)
{
	for (uint32_t fd = 3; fd < survive.descriptors; fd++)
		raw_syscall3(__NR_fcntl, fd, F_SETFD, flags);
}

/* Returns only when it failed. */
static long execute(const struct survive_again *next)
{
	long error;

	survive_format(next, survive.next + strlen("--again="));
	keep_descriptors(0);
	error = raw_syscall5(__NR_execveat, survive.program_fd, (long)"", (long)survive.argv,
			     (long)environ, AT_EMPTY_PATH);
	keep_descriptors(FD_CLOEXEC);
	return error;
}

static uint64_t instruction_of(const void *context)
{
	const ucontext_t *at = context;
	uintptr_t base = (uintptr_t)__ehdr_start;
#if defined(__x86_64__)
	uintptr_t instruction = (uintptr_t)at->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	uintptr_t instruction = (uintptr_t)at->uc_mcontext.pc;
#endif

	return instruction >= base && instruction < (uintptr_t)_end ? instruction - base
								    : instruction;
}

static void on_crash(int signal, siginfo_t *info, void *context)
{
	struct timespec moment = {.tv_nsec = 20000000};
	struct survive_again next;

	/* A child that has not yet reset its handlers. */
	if (raw_syscall0(__NR_getpid) != 1)
		for (;;)
			raw_syscall1(__NR_exit_group, 128 + signal);
	next = survive_next(&survive.again, (uint32_t)signal, raw_now_ns(), survive.period_ns);
	next.instruction = instruction_of(context);
	if (info->si_code <= 0)
		next.sender = (uint32_t)info->si_pid;
	else
		next.address = (uint64_t)(uintptr_t)info->si_addr;
	if (survive.stage != STAGE_RUNNING) {
		tell(&next, ", nothing to go on with\n");
		give_up();
	}
	if (next.crashes > SURVIVE_CRASHES_MAX) {
		tell(&next, " in a row, giving up\n");
		give_up();
	}
	tell(&next, ", executing itself anew\n");
	/* Memory may be short for a moment. */
	for (int i = 0; i < EXEC_TURNS; i++) {
		execute(&next);
		raw_syscall2(__NR_nanosleep, (long)&moment, 0);
	}
	tell(&next, ", it cannot be executed\n");
	give_up();
}

/* ---- the handler's part ends here ---- */

static void copy(char *to, size_t size, const char *from)
{
	format_text(to, size, "%s", from);
}

/* Not before /proc is mounted: a boot without an initramfs arms before that. */
static void open_program(void)
{
	if (survive.program_fd < 0)
		survive.program_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
}

int survive_arm(const struct survive_config *config)
{
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {
		.sa_sigaction = on_crash,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	survive.container = config->container;
	survive.period_ns = config->period_ns;
	survive.again = config->again;
	survive.action = CONTROL_REBOOT;
	copy(survive.program, sizeof(survive.program), config->program);
	if (config->plan && strlen(config->plan) + sizeof("--plan=") > sizeof(survive.plan))
		return -ENAMETOOLONG;
	if (config->plan)
		format_text(survive.plan, sizeof(survive.plan), "--plan=%s", config->plan);
	format_text(survive.period, sizeof(survive.period), "--crash-period=%llu",
		    (unsigned long long)(config->period_ns / SECOND_NS));
	copy(survive.next, sizeof(survive.next), "--again=");
	open_program();
	memset(stack, 0, sizeof(stack)); /* its pages are there when there is no memory left */
	if (sigaltstack(&alternate, NULL) < 0)
		return -errno;
	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		if (sigaction(crashes[i], &action, NULL) < 0)
			return -errno;
	return 0;
}

static void describe(char *text, size_t size, const char *name, int fd)
{
	text[0] = '\0';
	if (fd >= 0)
		format_text(text, size, "--%s=%d", name, fd);
}

int survive_with(int world_fd, int record_fd, int watchdog_fd, uint32_t descriptors)
{
	size_t n = 0;

	survive.watchdog_fd = watchdog_fd;
	survive.descriptors = descriptors;
	describe(survive.world, sizeof(survive.world), "world", world_fd);
	describe(survive.record, sizeof(survive.record), "record", record_fd);
	describe(survive.watchdog, sizeof(survive.watchdog), "watchdog", watchdog_fd);

	char *words[] = {survive.next, survive.world, survive.record, survive.watchdog,
			 survive.plan};
	static char container[] = "--container";

	survive.argv[n++] = survive.program;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i][0] != '\0')
			survive.argv[n++] = words[i];
	if (survive.container) {
		survive.argv[n++] = container;
		survive.argv[n++] = survive.period;
	}
	survive.argv[n] = NULL;
	open_program();
	if (survive.program_fd >= 0)
		survive.stage = STAGE_RUNNING;
	return survive.program_fd < 0 ? -ENOENT : 0;
}

void survive_final(enum control_power action)
{
	survive.action = action;
	survive.stage = STAGE_FINAL;
}

int survive_execute(void)
{
	struct survive_again next = survive_next(&survive.again, 0, raw_now_ns(),
						 survive.period_ns);

	return survive.stage == STAGE_RUNNING ? (int)execute(&next) : -ESHUTDOWN;
}
