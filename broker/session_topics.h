/*
 * What a session waits for while it sleeps: mailboxes, or any, and what may
 * happen to them.  What the numbers and bits stand for is the workers' own
 * business.  Pure.
 */
#ifndef BROKER_SESSION_TOPICS_H
#define BROKER_SESSION_TOPICS_H

#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session_topics {
	size_t count; /* 0: for nothing */
	struct session_topic *topics;
};

/* As in session_sleep: 0, or -1 if they are malformed. What was there before is
 * cleared. */
int session_topics_take(struct session_topics *topics, struct text bytes);
void session_topics_clear(struct session_topics *topics);
/* Memory that they take. */
size_t session_topics_size(const struct session_topics *topics);
bool session_topics_have(
    const struct session_topics *topics, uint64_t mailbox, uint8_t what);

#endif
