/*
 * See turns.h.
 */
#include "imapd/turns.h"

#include "common/memory.h"

#include <stdlib.h>

static bool
stands_in_way(const struct turn *first, const struct turn *second)
{
	for (size_t a = 0; a < 2; a++)
		for (size_t b = 0; b < 2; b++)
			if (first->mailboxes[a] == second->mailboxes[b] &&
			    first->mailboxes[a] != 0)
				return true;
	return false;
}

static struct turn *
next_to_start(struct account_store *account)
{
	struct turn *turn, *earlier;

	for (turn = account->turns; turn != NULL; turn = turn->next) {
		if (turn->is_running)
			continue;
		for (earlier = account->turns; earlier != turn;
		     earlier = earlier->next)
			if (stands_in_way(earlier, turn))
				break;
		if (earlier == turn)
			return turn;
	}
	return NULL;
}

/* One that ends at once, and what its asker then wants, comes back here: the
 * outer call starts it. */
static void
start_all(struct account_store *account)
{
	const struct change_note note = account->note;
	struct turn *turn;

	if (account->is_starting_turns)
		return;
	account->is_starting_turns = true;
	while ((turn = next_to_start(account)) != NULL) {
		turn->is_running = true;
		account_store_act_for(account, &turn->note);
		turn->start(turn);
	}
	account_store_act_for(account, &note);
	account->is_starting_turns = false;
}

void
turn_take(struct account_store *account, const struct turn *wanted)
{
	struct turn *turn = memory_copy(wanted, sizeof(*wanted));
	struct turn **end = &account->turns;

	turn->account = account;
	turn->note = account->note;
	turn->next = NULL;
	account->changing++;
	while (*end != NULL)
		end = &(*end)->next;
	*end = turn;
	start_all(account);
}

static void
leave_line(struct turn *turn)
{
	struct turn **at = &turn->account->turns;

	while (*at != turn)
		at = &(*at)->next;
	*at = turn->next;
	account_change_ended(turn->account);
	free(turn);
}

void
turn_end(struct turn **turn)
{
	struct account_store *account;

	if (*turn == NULL)
		return;
	account = (*turn)->account;
	leave_line(*turn);
	*turn = NULL;
	start_all(account);
}

void
turn_refuse(struct turn *turn, enum status status)
{
	mailbox_done *done = turn->done;
	void *context = turn->context;

	turn_end(&turn);
	account_answer(done, context, status);
}

void
turns_forget(struct account_store *account, const struct mailbox_view *view)
{
	struct turn *turn = account->turns;

	while (turn != NULL) {
		mailbox_done *done = turn->done;
		void *context = turn->context;

		if (turn->view != view || turn->is_running) {
			turn = turn->next;
			continue;
		}
		leave_line(turn);
		account_answer(done, context, STATUS_UNAVAILABLE);
		turn = account->turns;
	}
}
