/* See spool_page.h. */
#include "smtpd/spool_page.h"

#include "common/status.h"

enum {
	ID_DIGITS_LEAST = 8
};

/* A word of hex digits, or the start of an id: which message, if it is one. */
static enum status
find_id(struct spool *spool, struct spool_query *query)
{
	uint8_t bytes[16] = { 0 };
	size_t digits = query->word.size & ~(size_t)1;
	struct spool_message message;
	struct error error;
	int found;

	if (digits > 32 || digits < ID_DIGITS_LEAST ||
	    text_parse_hex(
		text_make(query->word.data, digits), bytes, digits / 2) == -1)
		return STATUS_INVALID;
	found = spool_store_find_id(
	    spool->store, bytes, digits / 2, &query->only, &error);
	if (found == 1) {
		found = spool_store_message(
		    spool->store, query->only, &message, &error);
		query->is_over = found == 0;
		found = found == 0 ? 1 : found;
	}
	if (found == 1)
		return STATUS_OK;
	return found == 0 ? STATUS_MISSING : STATUS_DAMAGED;
}

static bool
has_recipient(
    struct spool *spool, const struct spool_parcel *parcel, struct text address)
{
	struct spool_recipient recipient;
	struct error error;

	for (uint16_t i = 0; i < parcel->count; i++)
		if (spool_store_recipient(spool->store, parcel->message,
			parcel->first + i, &recipient, &error) == 1 &&
		    text_equal_nocase(recipient.address, address))
			return true;
	return false;
}

static bool
is_chosen(struct spool *spool, const struct spool_query *query,
    const struct spool_parcel *parcel)
{
	struct spool_message message;
	struct error error;

	switch (query->selector) {
	case QUEUE_ALL:
		return true;
	case QUEUE_ID:
		return parcel->message == query->only;
	case QUEUE_DOMAIN:
		return text_equal_nocase(parcel->domain, query->word);
	case QUEUE_HELD:
		return parcel->flags & SPOOL_HELD;
	case QUEUE_ADDRESS:
		return (spool_store_message(spool->store, parcel->message,
			    &message, &error) == 1 &&
			   text_equal_nocase(message.sender, query->word)) ||
		       has_recipient(spool, parcel, query->word);
	default:
		return false;
	}
}

static int
look(void *context, const struct spool_parcel *parcel)
{
	struct spool_page *page = context;

	if (page->query->only != 0 && parcel->message != page->query->only)
		return 1;
	page->next_message = parcel->message;
	page->next_parcel = parcel->number;
	if (page->looks++ >= SPOOL_PAGE_LOOKS)
		return 2;
	if (is_chosen(page->spool, page->query, parcel) &&
	    !page->take(page, parcel))
		return 2;
	return 0;
}

int
spool_page_walk(struct spool_page *page)
{
	const struct spool_query *query = page->query;
	uint64_t from = query->message != 0 ? query->message : query->only;
	struct error error;
	int result;

	result = spool_store_each_parcel_from(
	    page->spool->store, from, query->parcel, look, page, &error);
	if (result == -1)
		return -1;
	return result != 2;
}

enum status
spool_query_prepare(struct spool *spool, struct spool_query *query)
{
	if (query->selector > QUEUE_HELD)
		return STATUS_INVALID;
	return query->selector == QUEUE_ID ? find_id(spool, query) : STATUS_OK;
}
