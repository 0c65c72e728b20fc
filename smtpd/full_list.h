/*
 * Who had no room for a message a moment ago: accounts whose store or allowance
 * was full, and the spool.  So that a client hears it at RCPT, and does not
 * send megabytes for the same answer (RFC 1870).  Pure: time goes in.
 */
#ifndef SMTPD_FULL_LIST_H
#define SMTPD_FULL_LIST_H

#include <stdbool.h>
#include <stdint.h>

enum {
	FULL_LIST_MS = 60000, /* then it is tried again */
	FULL_LIST_SPOOL = 0   /* in the place of an account */
};

struct full_list;

struct full_list *full_list_new(void);
void full_list_free(struct full_list **list);

/* `account` could not keep so many bytes, or could keep something. */
void full_list_note(
    struct full_list *list, uint32_t account, uint64_t size, int64_t now_ms);
void full_list_forget(struct full_list *list, uint32_t account);

/* Would `size` bytes be too many again? Of an unknown size (0) nobody knows. */
bool full_list_has(
    struct full_list *list, uint32_t account, uint64_t size, int64_t now_ms);

#endif
