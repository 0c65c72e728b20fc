/*
 * See quota_book.h.
 */
#include "smtpd/quota_book.h"

#include "common/memory.h"
#include "common/table.h"

#include <stdlib.h>

struct entry {
	uint64_t bytes;
	uint64_t messages;
	uint64_t coming_bytes;
	uint64_t coming_messages;
	bool is_known; /* bytes and messages are the worker's word */
};

struct quota_book {
	struct table *by_account;
};

struct quota_book *
quota_book_new(void)
{
	struct quota_book *book = memory_new(1, sizeof(*book));

	book->by_account = table_new();
	return book;
}

void
quota_book_free(struct quota_book **book)
{
	size_t position = 0;
	void *value;

	while (table_next((*book)->by_account, &position, NULL, NULL, &value))
		free(value);
	table_free(&(*book)->by_account);
	memory_free(book);
}

static struct entry *
entry_of(struct quota_book *book, uint32_t account)
{
	struct entry *entry = table_find_u64(book->by_account, account);

	if (entry == NULL) {
		entry = memory_new(1, sizeof(*entry));
		table_put_u64(book->by_account, account, entry);
	}
	return entry;
}

void
quota_book_heard(struct quota_book *book, uint32_t account, uint64_t bytes,
    uint64_t messages)
{
	struct entry *entry = entry_of(book, account);

	entry->bytes = bytes;
	entry->messages = messages;
	entry->is_known = true;
}

void
quota_book_accepted(struct quota_book *book, uint32_t account, uint64_t size)
{
	struct entry *entry = entry_of(book, account);

	entry->coming_bytes += size;
	entry->coming_messages++;
}

static uint64_t
less(uint64_t whole, uint64_t part)
{
	return part < whole ? whole - part : 0;
}

void
quota_book_filed(struct quota_book *book, uint32_t account, uint64_t size)
{
	struct entry *entry = table_find_u64(book->by_account, account);

	if (entry == NULL)
		return;
	entry->coming_bytes = less(entry->coming_bytes, size);
	entry->coming_messages = less(entry->coming_messages, 1);
}

void
quota_book_settled(struct quota_book *book, uint32_t account)
{
	struct entry *entry = table_find_u64(book->by_account, account);

	if (entry == NULL)
		return;
	entry->coming_bytes = 0;
	entry->coming_messages = 0;
}

/* Saturating: what a worker says is its word alone. */
static bool
fits(uint64_t used, uint64_t coming, uint64_t more, uint64_t max)
{
	return max == 0 || (used <= max && coming <= max - used &&
			       more <= max - used - coming);
}

bool
quota_book_has_room(
    const struct quota_book *book, const struct account *account, uint64_t size)
{
	const struct entry *entry =
	    table_find_u64(book->by_account, account->number);

	if (entry == NULL || !entry->is_known)
		return true;
	return fits(entry->bytes, entry->coming_bytes, size > 0 ? size : 1,
		   account->quota_bytes) &&
	       fits(entry->messages, entry->coming_messages, 1,
		   account->quota_messages);
}
