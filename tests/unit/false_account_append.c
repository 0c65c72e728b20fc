/* APPEND to the false account. */
#include "common/memory.h"
#include "tests/unit/false_account_parts.h"

#include <stdlib.h>

struct append {
	struct account_store *account;
	char name[200];
	struct box *replaced_in;
	uint32_t replaced;
	size_t count;
	struct {
		struct buf bytes;
		uint32_t flags;
		int64_t date;
	} messages[MAX_APPENDED];
};

struct append *
append_begin(struct account_store *account, struct text mailbox)
{
	struct append *append = memory_new(1, sizeof(*append));

	append->account = account;
	(void)text_copy(mailbox, append->name, sizeof(append->name));
	return append;
}

void
append_message(struct append *append, uint32_t flags,
    const struct text *keywords, size_t keyword_count, int64_t internaldate)
{
	size_t n = append->count++;

	append->messages[n].flags = flags;
	append->messages[n].date = internaldate;
	buf_init(&append->messages[n].bytes, 1 << 20);
}

int
append_write(struct append *append, const void *data, size_t size)
{
	return buf_put(&append->messages[append->count - 1].bytes, data, size);
}

void
append_replace(struct append *append, struct mailbox_view *view, uint32_t uid)
{
	append->replaced_in = view->box;
	append->replaced = uid;
}

static void
append_rows(struct append *append, struct box *box,
    struct mailbox_answer *answer, uint32_t *uids)
{
	for (size_t i = 0; i < append->count; i++) {
		struct buf *bytes = &append->messages[i].bytes;
		struct row *row = row_new(box, bytes->data, bytes->size);

		row->row.flags = append->messages[i].flags;
		row->row.internaldate = append->messages[i].date;
		uids[answer->count++] = row->row.uid;
	}
	answer->uidvalidity = box->info.uidvalidity;
	if (append->replaced_in != NULL)
		row_remove(append->replaced_in, append->replaced);
	changed(append->account, box);
}

void
append_commit(struct append **appendp, mailbox_done *done, void *context)
{
	struct append *append = *appendp;
	struct answer_later *later = answer_new(append->account, done, context);
	struct box *box = box_find(append->account, text_of(append->name));

	if (box == NULL)
		later->answer.status = STATUS_MISSING;
	if (later->answer.status == STATUS_OK)
		append_rows(append, box, &later->answer, later->target);
	append_abort(appendp);
}

void
append_abort(struct append **append)
{
	for (size_t i = 0; *append != NULL && i < (*append)->count; i++)
		buf_clear(&(*append)->messages[i].bytes);
	free(*append);
	*append = NULL;
}
