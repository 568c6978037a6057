/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls without libc, for a child between clone3(2) and execve(2). libc's syscall(3) would
 * do but for errno, which the child has no business to touch, and libc's wrappers for ids and
 * capabilities talk to threads that do not exist there. A result below 0 is a negative errno
 * (syscall(2), "Architecture calling conventions").
 */
#ifndef KEELSON_RAW_H
#define KEELSON_RAW_H

#if defined(__x86_64__)

static inline long raw_syscall5(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long raw_syscall5(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}

#else
#error "raw.h: the system call convention of this architecture is not known"
#endif

static inline long raw_syscall4(long number, long a, long b, long c, long d)
{
	return raw_syscall5(number, a, b, c, d, 0);
}

static inline long raw_syscall3(long number, long a, long b, long c)
{
	return raw_syscall5(number, a, b, c, 0, 0);
}

static inline long raw_syscall2(long number, long a, long b)
{
	return raw_syscall5(number, a, b, 0, 0, 0);
}

static inline long raw_syscall1(long number, long a)
{
	return raw_syscall5(number, a, 0, 0, 0, 0);
}

static inline long raw_syscall0(long number)
{
	return raw_syscall5(number, 0, 0, 0, 0, 0);
}

#endif
