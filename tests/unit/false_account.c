/*
 * An account in memory for tests of sessions: its state, itself, and its keys.
 * Answers come from the loop, as the real store's do, so that commands are seen
 * to wait.
 */
#include "common/memory.h"
#include "imapd/mailbox_keys.h"
#include "tests/unit/false_account_parts.h"

#include <stdlib.h>
#include <string.h>

#define PAST_MESSAGE "Subject: Past\r\n\r\nGone\r\n"

static void
answer_now(void *context)
{
	struct answer_later *later = context;

	later->done(&later->answer, later->context);
	timer_free(&later->timer);
	free(later);
}

struct answer_later *
answer_new(struct account_store *account, mailbox_done *done, void *context)
{
	struct answer_later *later = memory_new(1, sizeof(*later));

	account->noted = account->note;
	later->done = done;
	later->context = context;
	later->answer.source_uids = later->source;
	later->answer.target_uids = later->target;
	later->answer.modified_uids = later->modified;
	later->answer.status = account->refuse;
	later->timer = timer_new(account->loop, answer_now, later);
	timer_start(later->timer, 0);
	return later;
}

struct box *
box_find(struct account_store *account, struct text name)
{
	size_t i;

	for (i = 0; i < account->box_count; i++) {
		if (text_is(name, account->boxes[i].name) ||
		    (i == 0 && text_is_nocase(name, "INBOX")))
			return &account->boxes[i];
	}
	return NULL;
}

struct box *
box_of(struct account_store *account, uint64_t mailbox)
{
	for (size_t i = 0; i < account->box_count; i++)
		if (account->boxes[i].info.id == mailbox)
			return &account->boxes[i];
	return NULL;
}

struct box *
box_new(struct account_store *account, struct text name)
{
	struct box *box = &account->boxes[account->box_count++];

	memset(box, 0, sizeof(*box));
	(void)text_copy(name, box->name, sizeof(box->name));
	box->info.id = account->box_count;
	box->info.uidvalidity = 1000 + (uint32_t)account->box_count;
	box->info.uidnext = 1;
	box->info.highest_modseq = 1;
	box->info.name = text_of(box->name);
	box->info.keywords = box->keywords;
	return box;
}

struct row *
row_new(struct box *box, const void *bytes, size_t size)
{
	struct row *row = &box->rows[box->count++];

	memset(row, 0, sizeof(*row));
	row->row.uid = box->info.uidnext++;
	row->row.modseq = ++box->info.highest_modseq;
	row->row.size = size;
	row->row.internaldate = 1767607200; /* 2026-01-05 10:00 UTC */
	row->bytes = memory_copy(bytes, size);
	row->size = size;
	box->info.message_count = box->count;
	return row;
}

struct row *
row_find(const struct box *box, uint32_t uid)
{
	size_t i;

	for (i = 0; i < box->count; i++) {
		if (box->rows[i].row.uid == uid)
			return (struct row *)&box->rows[i];
	}
	return NULL;
}

void
row_remove(struct box *box, uint32_t uid)
{
	struct row *row = row_find(box, uid);
	size_t at;

	if (row == NULL)
		return;
	at = (size_t)(row - box->rows);
	free(row->bytes);
	box->count--;
	memmove(row, row + 1, (box->count - at) * sizeof(*row));
	box->info.message_count = box->count;
	box->info.highest_modseq++;
	if (box->vanished_count < MAX_ROWS)
		box->vanished[box->vanished_count++] =
		    (struct vanished){ uid, box->info.highest_modseq };
}

void
tell(struct account_store *account, enum happening what, const struct box *box,
    struct text name, struct text old_name)
{
	const struct account_event event = { what, box ? box->info.id : 0,
		box ? box->info.name : name, old_name };

	if (account->listeners != NULL)
		account->listeners->heard(&event, account->listeners->context);
}

void
changed(struct account_store *account, struct box *box)
{
	size_t i;

	for (i = 0; i < MAX_VIEWS; i++) {
		if (account->views[i] != NULL && account->views[i]->box == box)
			account->views[i]->handler.changed(
			    account->views[i], account->views[i]->context);
	}
	tell(
	    account, HAPPENED_NEW, box, text_make(NULL, 0), text_make(NULL, 0));
}

struct account_store *
false_account_new(struct event_loop *loop)
{
	struct account_store *account = memory_new(1, sizeof(*account));

	account->loop = loop;
	box_new(account, TEXT("INBOX"));
	account->past = *box_new(account, TEXT("past"));
	account->past.info.name = TEXT("Deleted mail");
	account->past.info.keywords = account->past.keywords;
	account->box_count--;
	row_new(&account->past, PAST_MESSAGE, sizeof(PAST_MESSAGE) - 1)
	    ->row.flags = FLAG_ANSWERED;
	return account;
}

void
false_account_free(struct account_store **accountp)
{
	struct account_store *account = *accountp;
	size_t i;

	for (i = 0; i < account->box_count; i++) {
		while (account->boxes[i].count > 0)
			row_remove(&account->boxes[i],
			    account->boxes[i].rows[0].row.uid);
	}
	row_remove(&account->past, 1);
	for (i = 0; i < MAX_LATER; i++)
		timer_free(&account->later[i].timer);
	free(account);
	*accountp = NULL;
}

void
false_account_deliver(struct account_store *account, const char *message)
{
	row_new(&account->boxes[0], message, strlen(message));
	changed(account, &account->boxes[0]);
}

void
false_account_refuse(struct account_store *account, enum status status)
{
	account->refuse = status;
}

void
false_account_expunge(struct account_store *account, uint32_t uid)
{
	row_remove(&account->boxes[0], uid);
	changed(account, &account->boxes[0]);
}

const struct change_note *
false_account_noted(const struct account_store *account)
{
	return &account->noted;
}

struct session_start
false_account_session(int fd)
{
	return (struct session_start){ .fd = fd,
		.number = 1,
		.user = TEXT("ann@example.org"),
		.client_ip = TEXT("127.0.0.1"),
		.is_tls = true };
}

/* ---- account_store.h ---- */

void
account_store_when_ready(struct account_store *account,
    void (*callback)(enum status status, void *context), void *context)
{
	callback(account->refuse == STATUS_FENCED ? STATUS_FENCED : STATUS_OK,
	    context);
}

void
account_store_set_owner(struct account_store *account, struct text user)
{
	(void)text_copy(user, account->owner, sizeof(account->owner));
}

struct text
account_store_owner(const struct account_store *account)
{
	return text_of(account->owner);
}

struct text
account_store_host(const struct account_store *account)
{
	return TEXT("mail.example.net");
}

bool
account_store_identity(struct account_store *account, struct store_id *store,
    uint64_t *incarnation)
{
	memset(store, 7, sizeof(*store));
	*incarnation = 1;
	return true;
}

/* Two messages of at most a KiB, and room for 2000 KiB. */
void
account_store_usage(
    const struct account_store *account, struct account_usage *usage)
{
	*usage = (struct account_usage){ .bytes = 1500,
		.messages = 2,
		.max_bytes = 2000 * 1024,
		.max_messages = 100 };
}

bool
account_store_has_room(const struct account_store *account, uint64_t bytes)
{
	return bytes <= 2000 * 1024 - 1500;
}

void
account_store_listen(
    struct account_store *account, struct account_listener *listener)
{
	listener->next = account->listeners;
	account->listeners = listener;
}

void
account_store_unlisten(
    struct account_store *account, struct account_listener *listener)
{
	account->listeners = listener->next;
}

void
account_store_forget_ready(struct account_store *account, void *context)
{
}

void
account_store_act_for(
    struct account_store *account, const struct change_note *note)
{
	memset(&account->note, 0, sizeof(account->note));
	if (note != NULL)
		account->note = *note;
}

/* ---- mailbox_keys.h ---- */

enum status
mailbox_key_find(struct account_store *account, uint64_t mailbox,
    uint8_t key[MAILBOX_KEY_SIZE])
{
	const struct box *box = box_of(account, mailbox);

	if (box == NULL || box->key == 0)
		return STATUS_MISSING;
	for (uint8_t i = 0; i < MAILBOX_KEY_SIZE; i++)
		key[i] = (uint8_t)(box->key * MAILBOX_KEY_SIZE + i);
	return STATUS_OK;
}

enum status
mailbox_key_get(struct account_store *account, uint64_t mailbox,
    uint8_t key[MAILBOX_KEY_SIZE])
{
	struct box *box = box_of(account, mailbox);

	if (account->refuse != STATUS_OK)
		return account->refuse;
	if (box->key == 0)
		box->key = ++account->last_key;
	return mailbox_key_find(account, mailbox, key);
}

enum status
mailbox_key_reset(struct account_store *account, uint64_t mailbox)
{
	for (size_t i = 0; i < account->box_count; i++) {
		struct box *box = &account->boxes[i];

		if (mailbox == 0)
			box->key = 0;
		else if (box->info.id == mailbox)
			box->key = ++account->last_key;
	}
	return account->refuse;
}
