/* See session_topics.h. */
#include "broker/session_topics.h"

#include "common/codec.h"
#include "common/memory.h"
#include "common/process.h"

struct session_topic {
	uint64_t mailbox; /* 0: any */
	uint8_t what;
};

int
session_topics_take(struct session_topics *topics, struct text bytes)
{
	struct reader reader;

	session_topics_clear(topics);
	if (bytes.size % TOPIC_SIZE != 0)
		return -1;
	topics->count = bytes.size / TOPIC_SIZE;
	if (topics->count == 0)
		return 0;
	topics->topics = memory_new(topics->count, sizeof(*topics->topics));
	reader_init(&reader, bytes.data, bytes.size);
	for (size_t i = 0; i < topics->count; i++) {
		topics->topics[i].mailbox = reader_get_u64(&reader);
		topics->topics[i].what = reader_get_u8(&reader);
	}
	return 0;
}

void
session_topics_clear(struct session_topics *topics)
{
	memory_free(&topics->topics);
	topics->count = 0;
}

size_t
session_topics_size(const struct session_topics *topics)
{
	return topics->count * sizeof(*topics->topics);
}

bool
session_topics_have(
    const struct session_topics *topics, uint64_t mailbox, uint8_t what)
{
	for (size_t i = 0; i < topics->count; i++) {
		const struct session_topic *topic = &topics->topics[i];

		if ((topic->mailbox == 0 || topic->mailbox == mailbox) &&
		    (topic->what & what) != 0)
			return true;
	}
	return false;
}
