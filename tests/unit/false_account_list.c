/* The list of the false account's mailboxes. */
#include "tests/unit/false_account_parts.h"

#include <string.h>

static int
compare_names(struct text a, struct text b)
{
	if (text_is(a, "INBOX") || text_is(b, "INBOX"))
		return text_is(a, "INBOX") ? (text_is(b, "INBOX") ? 0 : -1) : 1;
	return text_compare(a, b);
}

const struct mailbox_info *
mailbox_list_next(struct account_store *account, struct text after)
{
	const struct mailbox_info *best = NULL;
	size_t i;

	for (i = 0; i < account->box_count; i++) {
		const struct mailbox_info *info = &account->boxes[i].info;

		if (info->id != DELETED &&
		    (after.data == NULL ||
			compare_names(info->name, after) > 0) &&
		    (best == NULL || compare_names(info->name, best->name) < 0))
			best = info;
	}
	return best;
}

const struct mailbox_info *
mailbox_list_find(struct account_store *account, struct text name)
{
	struct box *box = box_find(account, name);

	return box != NULL ? &box->info : NULL;
}

bool
mailbox_list_next_subscribed(
    struct account_store *account, struct text after, struct text *name)
{
	bool found = false;
	size_t i;

	for (i = 0; i < account->subscribed_count; i++) {
		struct text s = text_of(account->subscribed[i]);

		if ((after.data == NULL || compare_names(s, after) > 0) &&
		    (!found || compare_names(s, *name) < 0)) {
			*name = s;
			found = true;
		}
	}
	return found;
}

bool
mailbox_list_is_subscribed(struct account_store *account, struct text name)
{
	size_t i;

	for (i = 0; i < account->subscribed_count; i++) {
		if (text_is(name, account->subscribed[i]))
			return true;
	}
	return false;
}

const struct mailbox_info *
mailbox_list_find_id(struct account_store *account, uint64_t mailbox)
{
	for (size_t i = 0; i < account->box_count; i++)
		if (account->boxes[i].info.id == mailbox)
			return &account->boxes[i].info;
	return NULL;
}

void
mailbox_list_count(struct account_store *account,
    const struct mailbox_info *info, struct mailbox_counts *counts)
{
	struct box *box = box_find(account, info->name);
	size_t i;

	memset(counts, 0, sizeof(*counts));
	counts->messages = box->count;
	for (i = 0; i < box->count; i++) {
		counts->unseen += (box->rows[i].row.flags & FLAG_SEEN) == 0;
		counts->deleted += (box->rows[i].row.flags & FLAG_DELETED) != 0;
		if (box->rows[i].row.flags & FLAG_DELETED)
			counts->deleted_size += box->rows[i].row.size;
		counts->size += box->rows[i].row.size;
	}
}

enum status
mailbox_name_check(struct text name)
{
	return name.size == 0 ? STATUS_INVALID : STATUS_OK;
}

void
mailbox_list_create(struct account_store *account, struct text name,
    uint32_t special_use, mailbox_done *done, void *context)
{
	struct answer_later *later = answer_new(account, done, context);

	if (later->answer.status != STATUS_OK)
		return;
	if (box_find(account, name) != NULL)
		later->answer.status = STATUS_EXISTS;
	else {
		box_new(account, name)->info.special_use = special_use;
		tell(account, HAPPENED_NAME, NULL, name, text_make(NULL, 0));
	}
}

void
mailbox_list_delete(struct account_store *account, struct text name,
    mailbox_done *done, void *context)
{
	struct answer_later *later = answer_new(account, done, context);
	struct box *box = box_find(account, name);

	if (box == NULL)
		later->answer.status = STATUS_MISSING;
	else if (box == &account->boxes[0])
		later->answer.status = STATUS_REFUSED;
	else {
		while (box->count > 0)
			row_remove(box, box->rows[0].row.uid);
		strcpy(box->name, "\x7f");
		box->info.name = text_of(box->name);
		box->info.id = DELETED;
		tell(account, HAPPENED_NAME, NULL, text_make(NULL, 0), name);
	}
}

void
mailbox_list_rename(struct account_store *account, struct text from,
    struct text to, mailbox_done *done, void *context)
{
	struct answer_later *later = answer_new(account, done, context);
	struct box *box = box_find(account, from);

	if (box == NULL)
		later->answer.status = STATUS_MISSING;
	else if (box_find(account, to) != NULL)
		later->answer.status = STATUS_EXISTS;
	else {
		(void)text_copy(to, box->name, sizeof(box->name));
		box->info.name = text_of(box->name);
		tell(account, HAPPENED_NAME, NULL, to, from);
	}
}

void
mailbox_list_subscribe(struct account_store *account, struct text name,
    bool is_subscribed, mailbox_done *done, void *context)
{
	(void)answer_new(account, done, context);
	if (is_subscribed)
		(void)text_copy(name,
		    account->subscribed[account->subscribed_count++],
		    sizeof(account->subscribed[0]));
	else
		account->subscribed_count = 0;
	tell(account, HAPPENED_SUBSCRIPTION, NULL, name, text_make(NULL, 0));
}
