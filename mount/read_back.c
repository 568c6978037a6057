/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/read_back.h"

#include <errno.h>
#include <linux/aio_abi.h>

#include "mount/gpt_io.h"
#include "mount/sys.h"

struct reading {
	int fd;
	uint64_t size;
	uint64_t at; /* the next read begins there */
	uint8_t *buffer;
	aio_context_t context;
	struct iocb reads[READ_BACK_AHEAD];
	uint32_t under_way;
};

static size_t portion_at(const struct reading *reading)
{
	uint64_t left = reading->size - reading->at;

	return left < READ_BACK_PORTION_BYTES ? (size_t)left : READ_BACK_PORTION_BYTES;
}

/* The next portion, into the place of the read `which`. */
static int submit(struct reading *reading, uint64_t which)
{
	struct iocb *read = &reading->reads[which];
	long n;

	*read = (struct iocb){
		.aio_data = which,
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)reading->fd,
		.aio_buf = (uintptr_t)(reading->buffer + which * READ_BACK_PORTION_BYTES),
		.aio_nbytes = portion_at(reading),
		.aio_offset = (int64_t)reading->at,
	};
	n = sys_result(syscall(SYS_io_submit, reading->context, 1, &read));
	if (n != 1)
		return n < 0 ? (int)n : -EAGAIN;
	reading->at += read->aio_nbytes;
	reading->under_way++;
	return 0;
}

static int take(struct reading *reading, uint64_t *which)
{
	struct io_event event;
	long n;

	do {
		n = sys_result(syscall(SYS_io_getevents, reading->context, 1, 1, &event, NULL));
	} while (n == -EINTR);
	if (n != 1)
		return n < 0 ? (int)n : -EIO;
	reading->under_way--;
	*which = event.data;
	if (event.res < 0)
		return (int)event.res;
	return (uint64_t)event.res == reading->reads[event.data].aio_nbytes ? 0 : -EIO;
}

static int read_ahead(struct reading *reading)
{
	uint64_t which;
	int error = 0;

	for (which = 0; which < READ_BACK_AHEAD && reading->at < reading->size && !error; which++)
		error = submit(reading, which);
	while (!error && reading->under_way) {
		error = take(reading, &which);
		if (!error && reading->at < reading->size)
			error = submit(reading, which);
	}
	return error;
}

/* One after the other: a kernel without io_submit(2), or one whose limit of them is reached. */
static int read_plainly(struct reading *reading)
{
	int error = 0;

	while (reading->at < reading->size && !error) {
		size_t size = portion_at(reading);

		error = disk_read(reading->fd, reading->buffer, size, reading->at);
		reading->at += size;
	}
	return error;
}

int read_back(int fd, uint64_t size, void *buffer)
{
	struct reading reading = {.fd = fd, .size = size, .buffer = buffer};
	int error;

	if (sys_result(syscall(SYS_io_setup, READ_BACK_AHEAD, &reading.context)) < 0)
		return read_plainly(&reading);
	error = read_ahead(&reading);
	/* Waits for what is under way. */
	(void)syscall(SYS_io_destroy, reading.context);
	return error;
}
