/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/nearest.h"
#include "rootfs-spec/policy_values.h"

/* Names as errno(3) has them; musl has no strerrorname_np(3). */
#define N(name)             \
	{                   \
#name, name \
	}
/* clang-format off */
static const struct { const char *name; uint32_t number; } errors[] = {
	N(EPERM),
	N(ENOENT),
	N(ESRCH),
	N(EINTR),
	N(EIO),
	N(ENXIO),
	N(E2BIG),
	N(ENOEXEC),
	N(EBADF),
	N(ECHILD),
	N(EAGAIN),
	N(ENOMEM),
	N(EACCES),
	N(EFAULT),
	N(ENOTBLK),
	N(EBUSY),
	N(EEXIST),
	N(EXDEV),
	N(ENODEV),
	N(ENOTDIR),
	N(EISDIR),
	N(EINVAL),
	N(ENFILE),
	N(EMFILE),
	N(ENOTTY),
	N(ETXTBSY),
	N(EFBIG),
	N(ENOSPC),
	N(ESPIPE),
	N(EROFS),
	N(EMLINK),
	N(EPIPE),
	N(EDOM),
	N(ERANGE),
	N(EDEADLK),
	N(ENAMETOOLONG),
	N(ENOLCK),
	N(ENOSYS),
	N(ENOTEMPTY),
	N(ELOOP),
	N(ENOMSG),
	N(EIDRM),
	N(ECHRNG),
	N(EL2NSYNC),
	N(EL3HLT),
	N(EL3RST),
	N(ELNRNG),
	N(EUNATCH),
	N(ENOCSI),
	N(EL2HLT),
	N(EBADE),
	N(EBADR),
	N(EXFULL),
	N(ENOANO),
	N(EBADRQC),
	N(EBADSLT),
	N(EBFONT),
	N(ENOSTR),
	N(ENODATA),
	N(ETIME),
	N(ENOSR),
	N(ENONET),
	N(ENOPKG),
	N(EREMOTE),
	N(ENOLINK),
	N(EADV),
	N(ESRMNT),
	N(ECOMM),
	N(EPROTO),
	N(EMULTIHOP),
	N(EDOTDOT),
	N(EBADMSG),
	N(EOVERFLOW),
	N(ENOTUNIQ),
	N(EBADFD),
	N(EREMCHG),
	N(ELIBACC),
	N(ELIBBAD),
	N(ELIBSCN),
	N(ELIBMAX),
	N(ELIBEXEC),
	N(EILSEQ),
	N(ERESTART),
	N(ESTRPIPE),
	N(EUSERS),
	N(ENOTSOCK),
	N(EDESTADDRREQ),
	N(EMSGSIZE),
	N(EPROTOTYPE),
	N(ENOPROTOOPT),
	N(EPROTONOSUPPORT),
	N(ESOCKTNOSUPPORT),
	N(EOPNOTSUPP),
	N(EPFNOSUPPORT),
	N(EAFNOSUPPORT),
	N(EADDRINUSE),
	N(EADDRNOTAVAIL),
	N(ENETDOWN),
	N(ENETUNREACH),
	N(ENETRESET),
	N(ECONNABORTED),
	N(ECONNRESET),
	N(ENOBUFS),
	N(EISCONN),
	N(ENOTCONN),
	N(ESHUTDOWN),
	N(ETOOMANYREFS),
	N(ETIMEDOUT),
	N(ECONNREFUSED),
	N(EHOSTDOWN),
	N(EHOSTUNREACH),
	N(EALREADY),
	N(EINPROGRESS),
	N(ESTALE),
	N(EUCLEAN),
	N(ENOTNAM),
	N(ENAVAIL),
	N(EISNAM),
	N(EREMOTEIO),
	N(EDQUOT),
	N(ENOMEDIUM),
	N(EMEDIUMTYPE),
	N(ECANCELED),
	N(ENOKEY),
	N(EKEYEXPIRED),
	N(EKEYREVOKED),
	N(EKEYREJECTED),
	N(EOWNERDEAD),
	N(ENOTRECOVERABLE),
	N(ERFKILL),
};
/* clang-format on */
#undef N
#define ERRORS (sizeof(errors) / sizeof(errors[0]))

static const struct {
	const char *name;
	uint32_t answer;
} answers[] = {{"allow", SECCOMP_RET_ALLOW},
	       {"log", SECCOMP_RET_LOG},
	       {"kill", SECCOMP_RET_KILL_PROCESS}};

/* The name in "errno(NAME)": its length, 0 if it is none. */
static size_t error_name(const char *text, const char **name)
{
	const size_t length = strlen(text), around = strlen("errno(") + 1;

	if (strncmp(text, "errno(", around - 1) != 0 || length <= around || text[length - 1] != ')')
		return 0;
	*name = text + around - 1;
	return length - around;
}

bool value_answer(const char *text, uint32_t *answer)
{
	const char *name;
	size_t length = error_name(text, &name);

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcmp(answers[i].name, text) == 0) {
			*answer = answers[i].answer;
			return true;
		}
	for (size_t i = 0; length && i < ERRORS; i++)
		if (strlen(errors[i].name) == length &&
		    strncmp(errors[i].name, name, length) == 0) {
			*answer = SECCOMP_RET_ERRNO | errors[i].number;
			return true;
		}
	return false;
}

const char *value_answer_nearest(const char *text, struct pool *pool)
{
	const char *name;
	size_t length = error_name(text, &name);
	struct nearest nearest = {.name = length ? pool_copy(pool, name, length) : text};

	for (size_t i = 0; i < ERRORS; i++)
		nearest_offer(&nearest, errors[i].name);
	for (size_t i = 0; !length && i < sizeof(answers) / sizeof(answers[0]); i++)
		nearest_offer(&nearest, answers[i].name);
	if (!nearest.best || nearest.best[0] != 'E')
		return nearest.best;
	return pool_printf(pool, "errno(%s)", nearest.best);
}

const char *value_answer_text(uint32_t answer, struct pool *pool)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i].answer == answer)
			return answers[i].name;
	for (size_t i = 0; i < ERRORS; i++)
		if ((SECCOMP_RET_ERRNO | errors[i].number) == answer)
			return pool_printf(pool, "errno(%s)", errors[i].name);
	return pool_printf(pool, "0x%x", answer);
}

/* A number of a device, or '*'; where it ends. */
static const char *device_number(const char *text, int64_t most, int64_t *number)
{
	char *end;

	*number = -1;
	if (text[0] == '*')
		return text + 1;
	if (text[0] < '0' || text[0] > '9')
		return NULL;
	*number = strtoll(text, &end, 10);
	return *number <= most ? end : NULL;
}

bool value_device(const char *text, struct spec_device *device)
{
	*device = (struct spec_device){.type = text[0]};
	if (!strchr("abc", text[0]) || !text[0] || text[1] != ' ')
		return false;
	/* linux/kdev_t.h: 12 bits and 20. */
	const char *at = device_number(text + 2, 4095, &device->major);
	if (!at || *at != ':')
		return false;
	at = device_number(at + 1, 1048575, &device->minor);
	if (!at || *at++ != ' ' || !*at)
		return false;
	for (; *at; at++) {
		uint32_t bit = *at == 'r'   ? BPF_DEVCG_ACC_READ
			       : *at == 'w' ? BPF_DEVCG_ACC_WRITE
			       : *at == 'm' ? BPF_DEVCG_ACC_MKNOD
					    : 0;
		if (!bit || device->access & bit)
			return false;
		device->access |= bit;
	}
	return true;
}
