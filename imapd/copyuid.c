/*
 * See copyuid.h.
 */
#include "imapd/copyuid.h"

#include "imapd/imap_set.h"

enum {
	/* Kept free for what follows: the text and the line's end. */
	REST = 200
};

static int
put_code(struct buf *to, const struct mailbox_answer *answer)
{
	if (buf_put_format(to, " [COPYUID %u ", answer->uidvalidity) == -1 ||
	    imap_set_put(to, answer->source_uids, answer->count) == -1 ||
	    buf_put_byte(to, ' ') == -1 ||
	    imap_set_put(to, answer->target_uids, answer->count) == -1)
		return -1;
	return to->max_size - to->size < REST ? -1 : buf_put_byte(to, ']');
}

void
copyuid_put(
    struct buf *to, const struct mailbox_answer *answer, const char *text)
{
	size_t before;

	(void)buf_put_text(to, "OK");
	before = to->size;
	if (put_code(to, answer) == -1)
		buf_truncate(to, before);
	(void)buf_put_format(to, " %s", text);
}
