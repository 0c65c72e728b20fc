/*
 * A growing run of bytes with a ceiling.  Bytes are added at the end and may
 * be cut from the front.  The owner is whoever declared the struct.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;   /* the first byte, NULL while nothing was added */
	size_t size;     /* bytes in use */
	size_t max_size; /* more than this is refused */
	size_t offset;   /* private: bytes cut from the front */
	size_t capacity; /* private */
};

void buf_init(struct buf *buf, size_t max_size);

/* Frees the memory; the struct is as after buf_init. */
void buf_clear(struct buf *buf);

/* Size becomes 0, the memory is kept. */
void buf_reset(struct buf *buf);

/* 0, or -1 and unchanged if max_size would be passed. */
int buf_put(struct buf *buf, const void *data, size_t size);
int buf_put_byte(struct buf *buf, uint8_t byte);
int buf_put_text(struct buf *buf, const char *s);
int buf_put_number(struct buf *buf, uint64_t number); /* decimal */
int buf_put_format(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for `size` bytes behind the end, NULL beyond max_size; buf_added says
 * how many of them were filled. */
uint8_t *buf_reserve(struct buf *buf, size_t size);
void buf_added(struct buf *buf, size_t size);
/* How much of it there is already, without growing. */
size_t buf_room(const struct buf *buf);

/* Only the first `size` bytes stay, if there are more. */
void buf_truncate(struct buf *buf, size_t size);

/* Removes the first `size` bytes (at most all). */
void buf_cut(struct buf *buf, size_t size);

#endif
