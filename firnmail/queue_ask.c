/* See queue_ask.h. */
#include "firnmail/queue_ask.h"

#include "common/status.h"

#include <stdio.h>
#include <string.h>

static bool
is_hex(struct text word)
{
	uint8_t bytes[16];

	return word.size >= 8 && word.size <= 32 &&
	       text_parse_hex(text_make(word.data, word.size & ~(size_t)1),
		   bytes, word.size / 2) == 0;
}

int
queue_choose(const char *word, struct queue_choice *choice)
{
	choice->word = text_of(word);
	if (text_is(choice->word, "all"))
		choice->selector = QUEUE_ALL;
	else if (text_is(choice->word, "held"))
		choice->selector = QUEUE_HELD;
	else if (text_find_byte(choice->word, '@') != -1)
		choice->selector = QUEUE_ADDRESS;
	else if (is_hex(choice->word))
		choice->selector = QUEUE_ID;
	else if (text_find_byte(choice->word, '.') != -1)
		choice->selector = QUEUE_DOMAIN;
	else
		return command_fail(EXIT_USAGE,
		    "\"%s\" is no queue id (8 hex digits or more), address, "
		    "domain, all or held",
		    word);
	if (choice->word.size <= 512)
		return EXIT_DONE;
	return command_fail(EXIT_USAGE, "that is too long");
}

/* What an answer that is not STATUS_OK comes to. */
static int
refused(uint8_t status, struct text word)
{
	if (status == STATUS_MISSING)
		return command_fail(EXIT_FAILED,
		    "no message, or more than one, has an id that begins with "
		    "%.*s",
		    TEXT_FMT(word));
	return command_fail(
	    status == STATUS_DAMAGED ? EXIT_DAMAGED : EXIT_FAILED,
	    "the spool says: %s",
	    status < STATUS_COUNT ? status_name((enum status)status)
				  : "unknown");
}

int
queue_each_parcel(struct daemon *spool, const struct queue_choice *choice,
    void (*each)(const struct queue_parcel_record *parcel, void *context),
    void *context, uint64_t *waiting)
{
	struct message request = { .type = MESSAGE_queue_list }, answer;
	const struct message_queue_page *page = &answer.queue_page;
	struct queue_parcel_record record;
	struct reader reader;
	int code;

	request.queue_list.selector = (uint8_t)choice->selector;
	request.queue_list.word = choice->word;
	do {
		code = daemon_ask(spool, &request, NULL, NULL, &answer);
		if (code != EXIT_DONE)
			return code;
		if (page->status != STATUS_OK)
			return refused(page->status, choice->word);
		reader_init(&reader, page->rows.data, page->rows.size);
		while (queue_get_parcel(&reader, &record) == 1)
			each(&record, context);
		request.queue_list.message = page->message;
		request.queue_list.parcel = page->parcel;
		if (waiting != NULL)
			*waiting = page->waiting;
	} while (!page->is_last);
	return EXIT_DONE;
}

int
queue_each_recipient(struct daemon *spool, uint64_t message,
    void (*each)(const struct queue_recipient_record *recipient, void *context),
    void *context)
{
	struct message request = { .type = MESSAGE_queue_recipients }, answer;
	const struct message_queue_page *page = &answer.queue_page;
	struct queue_recipient_record record;
	struct reader reader;
	int code;

	request.queue_recipients.message = message;
	do {
		code = daemon_ask(spool, &request, NULL, NULL, &answer);
		if (code != EXIT_DONE)
			return code;
		if (page->status != STATUS_OK)
			return refused(page->status, text_make(NULL, 0));
		reader_init(&reader, page->rows.data, page->rows.size);
		while (queue_get_recipient(&reader, &record) == 1)
			each(&record, context);
		request.queue_recipients.parcel = page->parcel;
	} while (!page->is_last);
	return EXIT_DONE;
}

int
queue_change_all(struct daemon *spool, const struct queue_choice *choice,
    enum queue_action action, uint64_t *changed, uint64_t *busy)
{
	struct message request = { .type = MESSAGE_queue_change }, answer;
	const struct message_queue_changed *page = &answer.queue_changed;
	int code;

	*changed = *busy = 0;
	request.queue_change.action = (uint8_t)action;
	request.queue_change.selector = (uint8_t)choice->selector;
	request.queue_change.word = choice->word;
	do {
		code = daemon_ask(spool, &request, NULL, NULL, &answer);
		if (code != EXIT_DONE)
			return code;
		if (page->status != STATUS_OK)
			return refused(page->status, choice->word);
		*changed += page->changed;
		*busy += page->busy;
		request.queue_change.message = page->message;
		request.queue_change.parcel = page->parcel;
	} while (!page->is_last);
	return EXIT_DONE;
}

const char *
queue_state_name(unsigned int state)
{
	static const char *const names[QUEUE_STATES] = {
		[QUEUE_WAITS] = "waits",
		[QUEUE_READY] = "ready",
		[QUEUE_RUNS] = "under-way",
		[QUEUE_IS_HELD] = "held",
		[QUEUE_PAUSED] = "paused",
	};

	return state < QUEUE_STATES ? names[state] : "unknown";
}

const char *
queue_recipient_state_name(unsigned int state)
{
	static const char *const names[] = {
		[QUEUE_TO_GO] = "waits",
		[QUEUE_DELIVERED] = "delivered",
		[QUEUE_PASSED_ON] = "passed-on",
		[QUEUE_FAILED] = "failed",
		[QUEUE_FILED] = "filed",
		[QUEUE_EXPANDED] = "expanded",
	};

	return state <= QUEUE_EXPANDED ? names[state] : "unknown";
}

void
queue_format_id(const struct delivery_id *delivery, char to[33])
{
	text_format_hex(delivery->bytes, 16, to);
}

struct text
queue_format_words(uint16_t code, struct text enhanced, struct text words,
    char *storage, size_t storage_size)
{
	int size;

	if (code == 0)
		return words.size > 0 ? words : TEXT("-");
	size = snprintf(storage, storage_size, "%u %.*s%s%.*s",
	    (unsigned int)code, TEXT_FMT(enhanced),
	    enhanced.size > 0 ? " " : "", TEXT_FMT(words));
	if (size < 0 || (size_t)size >= storage_size)
		return words;
	return text_make(storage, (size_t)size);
}
