/*
 * The values and keys of an account's index as bytes: keys big-endian, so that
 * they sort, values little-endian.  Pure: bytes in, fields out.  The bytes come
 * from a file that a crash may have damaged: decoding gives -1, never a crash.
 */
#ifndef IMAPD_INDEX_RECORD_H
#define IMAPD_INDEX_RECORD_H

#include "imapd/message_index.h"

enum {
	INDEX_FORMAT = 4,
	INDEX_FORMAT_UNCOUNTED = 3, /* it had rows alone */
	INDEX_FORMAT_BY_HASH = 2,   /* its cache was, too */
	INDEX_ROW_SIZE = 40
};

/* Behind what was written. */
uint8_t *index_put_big(uint8_t *to, uint64_t value, unsigned int size);
uint64_t index_get_big(const uint8_t *from, unsigned int size);

/* Rows have one size, INDEX_ROW_SIZE, and no wrong bytes. */
void index_row_encode(const struct index_row *row, uint8_t *bytes);
void index_row_decode(const uint8_t *bytes, struct index_row *row);
uint32_t index_get_uid(const uint8_t *bytes);

/* Texts of what is decoded point into `bytes`; 0 or -1. */
void index_file_encode(struct writer *w, const struct index_file *file);
int index_file_decode(struct text bytes, struct index_file *file);
void index_meta_encode(struct writer *w, const struct index_meta *meta);
int index_meta_decode(struct text bytes, struct index_meta *meta);
/* 0: there is none. */
uint8_t index_meta_format(struct text bytes);
void index_mailbox_encode(struct writer *w, const struct mailbox_record *record,
    const struct index_mailbox_state *state);
int index_mailbox_decode(struct text bytes, struct mailbox_record *record,
    struct index_mailbox_state *state);

#endif
