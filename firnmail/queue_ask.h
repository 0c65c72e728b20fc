/*
 * Conversations with the spool about mail that waits: which is meant, and pages
 * of answers (common/queue_record.h).
 */
#ifndef FIRNMAIL_QUEUE_ASK_H
#define FIRNMAIL_QUEUE_ASK_H

#include "common/queue_record.h"
#include "firnmail/firnmail.h"

struct queue_choice {
	enum queue_selector selector;
	struct text word;
};

/* An ID, an address, a domain, "all" or "held". EXIT_DONE or EXIT_USAGE. */
int queue_choose(const char *word, struct queue_choice *choice);

/* Calls `each` for every parcel that is chosen. *waiting (or NULL) is how many
 * there are in all. Exit code, after it was said. */
int queue_each_parcel(struct daemon *spool, const struct queue_choice *choice,
    void (*each)(const struct queue_parcel_record *parcel, void *context),
    void *context, uint64_t *waiting);
int queue_each_recipient(struct daemon *spool, uint64_t message,
    void (*each)(const struct queue_recipient_record *recipient, void *context),
    void *context);
/* Does it to all that are chosen; `busy` of them were under way. */
int queue_change_all(struct daemon *spool, const struct queue_choice *choice,
    enum queue_action action, uint64_t *changed, uint64_t *busy);

/* "waits", "ready", ... */
const char *queue_state_name(unsigned int state);
const char *queue_recipient_state_name(unsigned int state);
/* The queue id: 32 hex digits and a NUL. */
void queue_format_id(const struct delivery_id *delivery, char to[33]);
/* "550 5.1.1 No such user", or the words alone if they are ours. */
struct text queue_format_words(uint16_t code, struct text enhanced,
    struct text words, char *storage, size_t storage_size);

#endif
