/*
 * Tells the store which files are gone and which are there again: marks on
 * rows.  After a wipe there is one for each message, and while the store writes
 * them it answers nobody: so they go in steps, the next when the last is
 * committed, and what sessions and healing read meanwhile comes in between.
 * Only the first step of a loss is as large as the store needs to see that it
 * is one.  Marks and their removal keep their order.
 */
#include "imapd/account_state.h"

#include "common/log.h"
#include "common/memory.h"

#include <stdlib.h>

enum {
	MARKS_IN_PART = 15000 /* as many as change_missing holds */
};

struct marking {
	struct marking *next;
	enum change_cause cause;
	uint64_t mailbox;
	bool is_missing;
	uint32_t *uids;
	size_t count;
	size_t done;
};

static void send_step(struct account_store *account);

static void
end_marking(struct account_store *account)
{
	struct marking *m = account->markings;

	account->markings = m->next;
	account_change_ended(account);
	free(m->uids);
	free(m);
}

static void
step_done(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct account_store *account = context;
	const struct marking *m = account->markings;

	if (status == STATUS_OK)
		apply_sequence(account, sequence);
	else
		log_warning("missing-mark", "status=%s", status_name(status));
	if (status != STATUS_OK || m->done == m->count)
		end_marking(account);
	if (account->markings != NULL)
		send_step(account);
	else if (account->heals == NULL && account->healing == 0)
		account_healed(account);
}

/* The marks up to `end`, as one part of the batch. */
static void
add_part(struct marking *m, struct store_batch *batch, size_t end)
{
	static uint8_t bytes[4 * MARKS_IN_PART];
	struct message message = { .type = MESSAGE_change_missing };
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	while (m->done < end && w.size < sizeof(bytes))
		writer_put_u32(&w, m->uids[m->done++]);
	message.change_missing.mailbox = m->mailbox;
	message.change_missing.is_missing = m->is_missing;
	message.change_missing.uids = text_make(bytes, w.size);
	store_batch_add(batch, &message, -1);
}

size_t
marks_step(size_t left, bool is_first_loss, size_t messages)
{
	size_t size = MARKS_A_STEP;

	if (is_first_loss && size <= messages / LOSS_SHARE)
		size = messages / LOSS_SHARE + 1;
	return size < left ? size : left;
}

static void
send_step(struct account_store *account)
{
	struct marking *m = account->markings;
	struct store_batch *batch = store_batch_new_for(m->cause);
	const struct folder *folder = folder_find_id(account, m->mailbox);
	size_t end =
	    m->done + marks_step(m->count - m->done,
			  m->is_missing && m->done == 0,
			  folder == NULL ? 0 : folder->info.message_count);

	while (m->done < end)
		add_part(m, batch, end);
	store_client_commit(account->client, &batch, step_done, account);
}

void
marks_send(struct account_store *account, enum change_cause cause,
    bool is_missing, uint64_t mailbox, uint32_t *uids, size_t count)
{
	struct marking **end = &account->markings;
	struct marking *m = memory_new(1, sizeof(*m));

	m->cause = cause;
	m->is_missing = is_missing;
	m->mailbox = mailbox;
	m->uids = uids;
	m->count = count;
	account->changing++;
	while (*end != NULL)
		end = &(*end)->next;
	*end = m;
	if (m == account->markings)
		send_step(account);
}
