/*
 * snapctl restore: brings mail back and never deletes.  It first says what it
 * will do (the same request as a dry run), asks on a terminal, then does it to
 * the very event that the dry run looked at, and says what it did.
 */
#include "snapctl/interrupt.h"
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const modes[MODE_COUNT] = { "missing", "copy", "rewind" };

struct totals {
	uint64_t sequence; /* the event that is restored */
	uint64_t undo;     /* of the mark before a rewind; 0: none */
	uint64_t mailboxes;
	uint64_t add;
	uint64_t refill;
	uint64_t change;
	uint64_t move;
	uint64_t bytes;
	bool is_listing; /* the rows are printed, too */
};

static void
take_plan(
    struct snapctl *snapctl, const struct control_plan *row, struct totals *t)
{
	char account[12];

	t->mailboxes += row->add + row->refill > 0;
	t->add += row->add;
	t->refill += row->refill;
	t->change += row->change;
	t->move += row->move;
	t->bytes += row->bytes;
	if (!t->is_listing)
		return;
	const struct field fields[] = {
		FIELD_T("account", 24,
		    command_account_name(snapctl, row->account, account)),
		FIELD_N("add", 9, row->add),
		FIELD_N("refill", 9, row->refill),
		FIELD_N("change", 9, row->change),
		FIELD_N("move", 9, row->move),
		FIELD_B("size", row->bytes),
		FIELD_T("mailbox", 0, row->mailbox),
	};
	output_row(snapctl->output, "restore", fields,
	    sizeof(fields) / sizeof(fields[0]));
}

static int
take_row(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct totals *totals = context;
	struct control_snapshot point;
	struct control_progress progress;
	struct control_finding finding;
	struct control_plan plan;
	char what[CONTROL_MAX_NAME + 1];

	if (kind == CONTROL_PROGRESS &&
	    control_get_progress(record, &progress) == 0 &&
	    text_copy(progress.what, what, sizeof(what)) == 0) {
		output_progress(
		    snapctl->output, what, progress.done, progress.total);
	} else if (kind == CONTROL_SNAPSHOT &&
		   control_get_snapshot(record, &point) == 0) {
		if (point.kind == SNAPSHOT_REWIND)
			totals->undo = point.sequence;
		else
			totals->sequence = point.sequence;
	} else if (kind == CONTROL_FINDING &&
		   control_get_finding(record, &finding) == 0) {
		output_progress_end(snapctl->output);
		fprintf(stderr, "snapctl: %.*s: %.*s\n",
		    TEXT_FMT(finding.where), TEXT_FMT(finding.what));
	} else if (kind == CONTROL_PLAN &&
		   control_get_plan(record, &plan) == 0) {
		take_plan(snapctl, &plan, totals);
	}
	return EXIT_DONE;
}

static int
ask_restore(struct snapctl *snapctl, const struct selector *selector,
    enum restore_mode mode, bool is_dry_run, struct totals *totals)
{
	struct message request = { .type = MESSAGE_control_restore };
	struct message_control_restore *restore = &request.control_restore;

	restore->is_dry_run = is_dry_run;
	restore->mode = (uint8_t)mode;
	point_fill(&selector->point, &restore->point_kind, &restore->point_time,
	    &restore->point_name);
	restore->account = selector->account;
	restore->mailbox = selector->mailbox;
	restore->uid = selector->uid;
	restore->message_id = selector->message_id;
	if (snapctl->options.into != NULL)
		restore->into = text_of(snapctl->options.into);
	return client_ask(snapctl, &request, take_row, totals);
}

/* -- What people read -- */

/* 18377 as 18,377. */
static const char *
format_number(uint64_t number, char to[32])
{
	char digits[24];
	int size = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	size_t used = 0;

	for (int i = 0; i < size; i++) {
		if (i > 0 && (size - i) % 3 == 0)
			to[used++] = ',';
		to[used++] = digits[i];
	}
	to[used] = '\0';
	return to;
}

static void
say_totals(struct snapctl *snapctl, const char *verb,
    const struct totals *totals, enum restore_mode mode)
{
	char add[32], boxes[32], change[32], refill[32], move[32], bytes[32];

	output_format_bytes(totals->bytes, bytes, sizeof(bytes));
	output_say(snapctl->output,
	    "%s %s messages to %s mailboxes (%s), change %s, delete 0", verb,
	    format_number(totals->add + totals->refill, add),
	    format_number(totals->mailboxes, boxes), bytes,
	    format_number(totals->change, change));
	if (mode != MODE_COPY && totals->add + totals->refill > 0)
		output_say(snapctl->output,
		    "  %s under their UIDs, %s that were expunged under new "
		    "ones",
		    format_number(totals->refill, refill),
		    format_number(totals->add, add));
	if (mode == MODE_REWIND)
		output_say(snapctl->output,
		    "  %s that came later to Superseded/",
		    format_number(totals->move, move));
}

/* Workers make missing files on their own as soon as they see it: what the dry
 * run found and is not missing any more is back, too. */
static void
add_healed(struct totals *done, const struct totals *plan)
{
	if (done->refill >= plan->refill)
		return;
	done->refill = plan->refill;
	done->bytes = plan->bytes;
	done->mailboxes = plan->mailboxes;
}

/* -- Doing it -- */

static int
carry_out(struct snapctl *snapctl, const struct selector *selector,
    enum restore_mode mode, const struct totals *plan)
{
	struct totals done = { .is_listing = true };
	struct selector exact = *selector;
	char farewell[200];
	int code;

	exact.point = (struct point){ .kind = POINT_EVENT,
		.time = (int64_t)plan->sequence };
	snprintf(farewell, sizeof(farewell),
	    "snapctl: stopped; what is back stays. Asked again, with @%" PRIu64
	    " as the snapshot, it goes on\n",
	    plan->sequence);
	interrupt_set_farewell(farewell);
	output_new_table(snapctl->output);
	code = ask_restore(snapctl, &exact, mode, false, &done);
	interrupt_set_farewell("");
	if (code == EXIT_UNREACHABLE)
		fputs(farewell, stderr);
	if (code != EXIT_DONE && code != EXIT_PARTLY && code != EXIT_DAMAGED)
		return code;
	if (code == EXIT_DONE)
		add_healed(&done, plan);
	say_totals(snapctl, "added", &done, mode);
	if (done.undo != 0)
		output_say(snapctl->output,
		    "  the state before is @%" PRIu64 " (before-rewind)",
		    done.undo);
	return code;
}

static int
restore_one(struct snapctl *snapctl, const struct selector *selector,
    enum restore_mode mode)
{
	bool is_dry_run = snapctl->options.is_dry_run;
	struct totals plan = { .is_listing = is_dry_run };
	int code = ask_restore(snapctl, selector, mode, true, &plan);

	if (code != EXIT_DONE)
		return code;
	say_totals(snapctl, "would add", &plan, mode);
	if (is_dry_run)
		return EXIT_DONE;
	/* Where nothing is to be done it is done all the same: subscriptions
	 * and names are not counted. */
	if (plan.add + plan.refill + plan.change + plan.move > 0 &&
	    !command_is_agreed(snapctl))
		return EXIT_FAILED;
	return carry_out(snapctl, selector, mode, &plan);
}

/* The next selection is worth trying. */
static bool
may_go_on(int code)
{
	return code == EXIT_DONE || code == EXIT_PARTLY || code == EXIT_NONE ||
	       code == EXIT_DAMAGED;
}

/* Of several selections. */
static int
join_codes(int so_far, int code)
{
	if (so_far == code)
		return code;
	return so_far == EXIT_DAMAGED || code == EXIT_DAMAGED ? EXIT_DAMAGED
							      : EXIT_PARTLY;
}

static int
parse_mode(const char *word, enum restore_mode *mode)
{
	*mode = MODE_MISSING;
	for (int i = 0; word != NULL && i < MODE_COUNT; i++)
		if (strcmp(word, modes[i]) == 0) {
			*mode = (enum restore_mode)i;
			return 0;
		}
	return word == NULL ? 0 : -1;
}

int
cmd_restore(struct snapctl *snapctl, int argc, char **argv)
{
	struct selector selector;
	enum restore_mode mode;
	struct error error;
	int code = EXIT_DONE, next = EXIT_DONE;

	if (argc == 0 || parse_mode(snapctl->options.mode, &mode) != 0 ||
	    (snapctl->options.into != NULL && mode != MODE_COPY))
		return command_usage("restore [--dry-run] [--yes] [--mode "
				     "missing|copy|rewind] [--into MAILBOX] "
				     "SEL...\n(--into is for copies)");
	for (int i = 0; i < argc && may_go_on(next); i++) {
		if (selector_parse(text_of(argv[i]), snapctl->accounts,
			snapctl->now, &selector, &error) == -1)
			next = command_fail(&error);
		else
			next = restore_one(snapctl, &selector, mode);
		code = i == 0 ? next : join_codes(code, next);
	}
	return code;
}
