/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/signal_name.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * The kernel's numbers, not libc's: a libc keeps the first realtime signals for itself and its
 * SIGRTMIN begins after those, but programs are told to send "RTMIN+n" counted from glibc's 34, which
 * is also what systemd(1) documents for itself (signal(7)).
 */
#define REALTIME_FIRST 34
#define REALTIME_LAST 64

static const struct {
	int number;
	char name[8];
} names[] = {
	{SIGHUP, "HUP"},   {SIGINT, "INT"},       {SIGQUIT, "QUIT"}, {SIGILL, "ILL"},
	{SIGTRAP, "TRAP"}, {SIGABRT, "ABRT"},     {SIGBUS, "BUS"},   {SIGFPE, "FPE"},
	{SIGKILL, "KILL"}, {SIGUSR1, "USR1"},     {SIGSEGV, "SEGV"}, {SIGUSR2, "USR2"},
	{SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"},     {SIGTERM, "TERM"}, {SIGSTKFLT, "STKFLT"},
	{SIGCHLD, "CHLD"}, {SIGCONT, "CONT"},     {SIGSTOP, "STOP"}, {SIGTSTP, "TSTP"},
	{SIGTTIN, "TTIN"}, {SIGTTOU, "TTOU"},     {SIGURG, "URG"},   {SIGXCPU, "XCPU"},
	{SIGXFSZ, "XFSZ"}, {SIGVTALRM, "VTALRM"}, {SIGPROF, "PROF"}, {SIGWINCH, "WINCH"},
	{SIGIO, "IO"},     {SIGPWR, "PWR"},       {SIGSYS, "SYS"},   {SIGIO, "POLL"},
	{SIGABRT, "IOT"},
};

/* A whole decimal number of at most two digits; -1: none. */
static int small_number(const char *text)
{
	char *end;

	if (*text < '0' || *text > '9' || strlen(text) > 2)
		return -1;
	long number = strtol(text, &end, 10);

	return *end == '\0' ? (int)number : -1;
}

/* What follows RTMIN or RTMAX: `sign` and a number, or nothing. */
static int realtime(int from, const char *rest, char sign)
{
	int distance = *rest == '\0' ? 0 : *rest == sign ? small_number(rest + 1) : -1;

	if (distance < 0 || distance > REALTIME_LAST - REALTIME_FIRST)
		return 0;
	return sign == '+' ? from + distance : from - distance;
}

int signal_parse(const char *text)
{
	int number = small_number(text);

	if (number >= 0)
		return number <= REALTIME_LAST ? number : 0;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	if (strncasecmp(text, "RTMIN", 5) == 0)
		return realtime(REALTIME_FIRST, text + 5, '+');
	if (strncasecmp(text, "RTMAX", 5) == 0)
		return realtime(REALTIME_LAST, text + 5, '-');
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcasecmp(text, names[i].name) == 0)
			return names[i].number;
	return 0;
}

const char *signal_name(int signal, char text[static SIGNAL_NAME_BYTES])
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (signal == names[i].number)
			return names[i].name;
	if (signal == REALTIME_FIRST)
		return "RTMIN";
	if (signal > REALTIME_FIRST && signal <= REALTIME_LAST)
		snprintf(text, SIGNAL_NAME_BYTES, "RTMIN+%d", signal - REALTIME_FIRST);
	else
		snprintf(text, SIGNAL_NAME_BYTES, "%d", signal);
	return text;
}
