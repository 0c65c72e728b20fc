/*
 * `snapctl create`: a mark.  One of an account is made when what other programs
 * changed in its Maildir until then is in the store; one of everything is made
 * at once, of what the store has.
 */
#include "snapd/control.h"

#include "common/memory.h"
#include "snapd/reconcile.h"
#include "snapd/rows.h"
#include "snapd/snapshot.h"

#include <stdlib.h>

struct wanted_mark {
	uint64_t tag;
	uint32_t account;
	char *name;
	char *why;
};

static char *
copy(struct text text)
{
	char *string = memory_new(1, text.size + 1);

	(void)text_copy(text, string, text.size + 1);
	return string;
}

static void
put_mark(struct client *client, const struct wanted_mark *mark,
    const struct journal *journal, uint64_t sequence)
{
	struct hash id = snapshot_id(journal->digest,
	    store_identity(journal->store), mark->account, sequence);
	struct control_snapshot row = { .sequence = sequence,
		.time = journal->now_us / 1000000,
		.account = mark->account,
		.kind = SNAPSHOT_NAMED,
		.name = text_of(mark->name),
		.why = text_of(mark->why) };
	char hex[65];
	uint8_t data[1200];
	struct writer w;

	text_format_hex(id.bytes, sizeof(id.bytes), hex);
	row.id = text_make(hex, SNAPSHOT_ID_HEX);
	writer_init(&w, data, sizeof(data));
	control_put_snapshot(&w, &row);
	control_answer_row(client, mark->tag, CONTROL_SNAPSHOT, &w);
}

static enum status
find_account(struct journal *journal, uint32_t account, struct error *error)
{
	struct transaction *t;
	struct account_row row;
	int found = -1;

	if (account == 0 || account == ACCOUNT_SERVICE)
		return STATUS_OK;
	t = transaction_begin(journal->store, false, error);
	if (t != NULL)
		found = row_find_account(t, account, &row, error);
	transaction_abort(&t);
	if (found == 0)
		error_set(error, ERROR_MISSING, "no such account");
	return found == 1 ? STATUS_OK : journal_status_of(error);
}

/* A mark harms nobody: it is made also of an account that could not be looked
 * at, and says so. */
void
control_make_mark(
    struct client *client, const struct wanted_mark *mark, enum status looked)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_UNAVAILABLE;
	uint64_t sequence = 0;

	if (journal != NULL) {
		journal->note = &client->note;
		status = journal_mark(journal, SNAPSHOT_NAMED, mark->account,
		    text_of(mark->name), text_of(mark->why), &sequence, &error);
		journal->note = NULL;
	}
	if (status == STATUS_OK)
		put_mark(client, mark, journal, sequence);
	if (status == STATUS_OK && looked != STATUS_OK) {
		status = STATUS_PARTLY;
		error_set(&error, ERROR_BUSY,
		    "its Maildir could not be looked at (%s): what other "
		    "programs changed there may be missing",
		    status_name(looked));
	}
	control_answer_done(client, mark->tag, status, &error);
}

void
control_forget_mark(struct wanted_mark **mark)
{
	if (*mark == NULL)
		return;
	free((*mark)->name);
	free((*mark)->why);
	memory_free(mark);
}

static struct wanted_mark *
copy_mark(const struct message_control_create *request)
{
	struct wanted_mark *mark = memory_new(1, sizeof(*mark));

	mark->tag = request->tag;
	mark->account = request->account;
	mark->name = copy(request->name);
	mark->why = copy(request->why);
	return mark;
}

void
control_create_received(
    struct client *client, const struct message_control_create *request)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_UNAVAILABLE;
	struct wanted_mark *mark;

	if (journal != NULL && client->is_asking) {
		error_set(&error, ERROR_BUSY, "one question at a time");
		status = STATUS_LIMIT;
	} else if (journal != NULL) {
		status = find_account(journal, request->account, &error);
	}
	if (status != STATUS_OK) {
		control_answer_done(client, request->tag, status, &error);
		return;
	}
	mark = copy_mark(request);
	if (mark->account != 0 && mark->account != ACCOUNT_SERVICE) {
		reconcile_before_mark(client, mark->account, mark);
		return;
	}
	control_make_mark(client, mark, STATUS_OK);
	control_forget_mark(&mark);
}
