/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod32: a 32-bit program in a container, without a C library, as Debian's compiler makes it on any
 * machine (-m32 -nostdlib -static). It looks whether the i386 entry of the kernel is open for what a
 * program needs and closed for what the node's policies deny, says so, and stays.
 *
 * Numbers: arch/x86/entry/syscalls/syscall_32.tbl.
 */
enum {
	EPERM = 1,
	NR_FORK = 2,
	NR_WRITE = 4,
	NR_WAITPID = 7,
	NR_GETPID = 20,
	NR_PAUSE = 29,
	NR_REBOOT = 88,
	NR_IOPL = 110,
	NR_INIT_MODULE = 128,
	NR_EXIT = 1,
	NR_MMAP2 = 192,
	NR_KEXEC_LOAD = 283,
	NR_SOCKET = 359,
};

static long call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(0), "D"(0)
			 : "memory");
	return result;
}

static void say(const char *text)
{
	long size = 0;

	while (text[size] != '\0')
		size++;
	call(NR_WRITE, 1, (long)text, size);
}

static void found(int good, const char *what)
{
	say(good ? "ok pod32 " : "not ok pod32 ");
	say(what);
	say("\n");
}

void _start(void);
void _start(void)
{
	long child;

	found(call(NR_GETPID, 0, 0, 0) > 0, "getpid");
	found(call(NR_SOCKET, 2, 1, 0) >= 0, "socket");
	child = call(NR_FORK, 0, 0, 0);
	if (child == 0)
		call(NR_EXIT, 0, 0, 0);
	found(child > 0 && call(NR_WAITPID, child, 0, 0) == child, "fork");
	found(call(NR_REBOOT, (long)0xfee1deadu, 0x28121969, 0) == -EPERM, "reboot is refused");
	found(call(NR_INIT_MODULE, 0, 0, 0) == -EPERM, "init_module is refused");
	found(call(NR_KEXEC_LOAD, 0, 0, 0) == -EPERM, "kexec_load is refused");
	found(call(NR_IOPL, 3, 0, 0) == -EPERM, "iopl is refused");
	say("end pod32\n");
	for (;;)
		call(NR_PAUSE, 0, 0, 0);
}
