/* See buf.h.  The bytes in use stand at data = memory + offset. */
#include "common/buf.h"

#include "common/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BUF_FIRST_CAPACITY = 256
};

void
buf_init(struct buf *buf, size_t max_size)
{
	memset(buf, 0, sizeof(*buf));
	buf->max_size = max_size;
}

void
buf_clear(struct buf *buf)
{
	if (buf->data != NULL)
		free(buf->data - buf->offset);
	buf_init(buf, buf->max_size);
}

void
buf_reset(struct buf *buf)
{
	if (buf->data != NULL)
		buf->data -= buf->offset;
	buf->offset = 0;
	buf->size = 0;
}

/* Moves the bytes to the start of the memory. */
static void
move_to_front(struct buf *buf)
{
	uint8_t *memory;

	if (buf->offset == 0)
		return;
	memory = buf->data - buf->offset;
	memmove(memory, buf->data, buf->size);
	buf->data = memory;
	buf->offset = 0;
}

uint8_t *
buf_reserve(struct buf *buf, size_t size)
{
	size_t needed, capacity;

	if (size > buf->max_size || buf->size > buf->max_size - size)
		return NULL;
	needed = buf->size + size;
	if (needed <= buf->capacity - buf->offset && buf->data != NULL)
		return buf->data + buf->size;
	/* Moving is worth it only while at most half of the memory moves. */
	if (buf->data != NULL && needed <= buf->capacity &&
	    buf->size <= buf->capacity / 2) {
		move_to_front(buf);
		return buf->data + buf->size;
	}
	move_to_front(buf);
	capacity = buf->capacity > 0 ? buf->capacity : BUF_FIRST_CAPACITY;
	while (capacity < needed)
		capacity *= 2;
	buf->data = memory_resize(buf->data, capacity, 1);
	buf->capacity = capacity;
	return buf->data + buf->size;
}

size_t
buf_room(const struct buf *buf)
{
	return buf->data == NULL ? 0 : buf->capacity - buf->offset - buf->size;
}

void
buf_added(struct buf *buf, size_t size)
{
	buf->size += size;
}

int
buf_put(struct buf *buf, const void *data, size_t size)
{
	uint8_t *to = buf_reserve(buf, size);

	if (to == NULL)
		return -1;
	if (size > 0)
		memcpy(to, data, size);
	buf->size += size;
	return 0;
}

int
buf_put_byte(struct buf *buf, uint8_t byte)
{
	uint8_t *to = buf_reserve(buf, 1);

	if (to == NULL)
		return -1;
	*to = byte;
	buf->size++;
	return 0;
}

int
buf_put_text(struct buf *buf, const char *s)
{
	return buf_put(buf, s, strlen(s));
}

int
buf_put_number(struct buf *buf, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	return buf_put(buf, digits + at, sizeof(digits) - at);
}

int
buf_put_format(struct buf *buf, const char *format, ...)
{
	size_t room = buf_room(buf);
	va_list arguments;
	uint8_t *to = room > 0 ? buf->data + buf->size : NULL;
	int size;

	va_start(arguments, format);
	size = vsnprintf((char *)to, room, format, arguments);
	va_end(arguments);
	if (size < 0)
		return -1;
	if ((size_t)size < room && (size_t)size <= buf->max_size - buf->size) {
		buf->size += (size_t)size;
		return 0;
	}
	/* One byte more for the NUL that vsnprintf writes; it is not counted
	 * against max_size. */
	buf->max_size++;
	to = buf_reserve(buf, (size_t)size + 1);
	buf->max_size--;
	if (to == NULL)
		return -1;
	va_start(arguments, format);
	vsnprintf((char *)to, (size_t)size + 1, format, arguments);
	va_end(arguments);
	buf->size += (size_t)size;
	return 0;
}

void
buf_cut(struct buf *buf, size_t size)
{
	if (size >= buf->size) {
		buf_reset(buf);
		return;
	}
	buf->data += size;
	buf->offset += size;
	buf->size -= size;
}

void
buf_truncate(struct buf *buf, size_t size)
{
	if (size < buf->size)
		buf->size = size;
}
