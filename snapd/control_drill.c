/*
 * What a drill reads: twice through the walk of control_walk.c.  The first time
 * messages are counted; the second time accounts, mailboxes, and messages with
 * their bytes become rows: all of them, or as many as were asked for, each as
 * likely as any other (Knuth's algorithm S), so that nobody can know which
 * places are looked at and which are not.
 */
#include "snapd/control_steps.h"

#include <sys/random.h>

/* Below `limit`, which is not 0; what the remainder favours is nothing against
 * 2^64. Without randomness, which never is, the sample is the first ones. */
static uint64_t
draw_below(uint64_t limit)
{
	uint64_t number = 0;

	(void)!getrandom(&number, sizeof(number), 0);
	return number % limit;
}

/* Whether this message is one of the sample. */
static bool
is_drawn(struct control_job *job)
{
	uint64_t wanted = job->sample - job->totals.messages;
	uint64_t ahead = job->lies_ahead;

	if (job->lies_ahead > 0)
		job->lies_ahead--;
	if (job->sample == 0)
		return true;
	return ahead > 0 && draw_below(ahead) < wanted;
}

int
control_drill_message(struct control_job *job, struct transaction *t,
    const struct message_row *row)
{
	if (!job->is_counted) {
		job->lies_ahead++;
		return 0;
	}
	if (!is_drawn(job))
		return 0;
	job->totals.messages++;
	control_put_message(job, row);
	if (control_begin_body(job, t, row) == 0)
		return 0;
	if (job->error.code != ERROR_DAMAGED)
		return -1;
	control_put_damage(job, "blob", row->record.blob);
	return 0;
}

void
control_drill_event(struct control_job *job, enum walk_event event)
{
	if (event == WALK_MAILBOX && job->uid == 0 &&
	    job->message_id[0] == '\0')
		job->was_found = true;
	if (!job->is_counted)
		return;
	if (event == WALK_ACCOUNT)
		control_put_account_number(job);
	else if (event == WALK_MAILBOX)
		control_put_mailbox(job);
}

bool
control_drill_ends(struct control_job *job)
{
	if (job->is_counted)
		return true;
	walk_restart(&job->walk);
	job->is_counted = true;
	if (job->sample == 0 || job->sample > job->lies_ahead)
		job->sample = 0;
	return false;
}
