/*
 * See qresync.h.
 */
#include "imapd/qresync.h"

enum {
	/* In one response, so that no line is longer than 48 KiB. */
	VANISHED_RANGES = 2000
};

struct collecting {
	struct imap_set *set;
	const struct imap_set *within;
	bool is_counting; /* ranges, to make room for them */
};

static void
put_range(struct collecting *c, uint32_t first, uint32_t last)
{
	if (!c->is_counting)
		c->set->ranges[c->set->count] =
		    (struct imap_range){ first, last };
	c->set->count++;
}

static void
collect(uint32_t first, uint32_t last, void *context)
{
	struct collecting *c = context;
	const struct imap_set *within = c->within;

	if (within == NULL) {
		put_range(c, first, last);
		return;
	}
	for (size_t i = imap_set_find(within, first);
	     i < within->count && within->ranges[i].first <= last; i++) {
		const struct imap_range *r = &within->ranges[i];

		put_range(c, first > r->first ? first : r->first,
		    last < r->last ? last : r->last);
	}
}

/* Cuts what the client has out of the ranges. */
static void
leave_out_view(struct collecting *c, const struct mailbox_view *view,
    const struct imap_set *from)
{
	for (size_t i = 0; i < from->count; i++) {
		uint32_t first = from->ranges[i].first, uid;
		uint32_t last = from->ranges[i].last;
		size_t number = mailbox_view_number_from(view, first);

		for (; number <= mailbox_view_count(view) &&
		       (uid = mailbox_view_uid(view, number)) <= last;
		     number++) {
			if (uid > first)
				put_range(c, first, uid - 1);
			first = uid + 1;
		}
		if (first <= last)
			put_range(c, first, last);
	}
}

static void
make_room(struct imap_command *command, struct collecting *c)
{
	c->set->ranges = pool_alloc(
	    command->pool, c->set->count + 1, sizeof(struct imap_range));
	c->set->count = 0;
	c->is_counting = false;
}

void
qresync_find_vanished(struct imap_command *command, uint64_t modseq,
    const struct imap_set *within, struct qresync_vanished *vanished)
{
	struct imap_set all = { 0 };
	struct collecting c = { &all, within, true };

	mailbox_view_each_vanished(command->view, modseq, collect, &c);
	make_room(command, &c);
	mailbox_view_each_vanished(command->view, modseq, collect, &c);
	imap_set_resolve(&all, 0);
	*vanished = (struct qresync_vanished){ 0 };
	c = (struct collecting){ &vanished->set, NULL, true };
	leave_out_view(&c, command->view, &all);
	make_room(command, &c);
	leave_out_view(&c, command->view, &all);
}

bool
qresync_put_vanished(
    struct imap_command *command, struct qresync_vanished *vanished)
{
	const struct imap_set *set = &vanished->set;
	size_t count;

	while (vanished->told < set->count) {
		if (command_output_is_full(command))
			return false;
		count = set->count - vanished->told;
		if (count > VANISHED_RANGES)
			count = VANISHED_RANGES;
		(void)buf_put_text(command->out, "* VANISHED (EARLIER) ");
		(void)imap_set_put_ranges(
		    command->out, set->ranges + vanished->told, count);
		(void)buf_put_text(command->out, "\r\n");
		vanished->told += count;
	}
	return true;
}

void
qresync_put_expunged(struct buf *to, const uint32_t *uids, size_t count)
{
	(void)buf_put_text(to, "* VANISHED ");
	(void)imap_set_put(to, uids, count);
	(void)buf_put_text(to, "\r\n");
}
