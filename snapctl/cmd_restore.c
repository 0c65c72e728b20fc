/*
 * snapctl restore: brings back what is missing, never deletes.  It first says
 * what it will do (the same request as a dry run), asks on a terminal, then
 * does it and says what it did.
 */
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

#include <stdio.h>
#include <string.h>

struct totals {
	uint64_t mailboxes;
	uint64_t add;
	uint64_t refill;
	uint64_t bytes;
	uint64_t files;  /* that the account's worker wrote */
	bool is_listing; /* the rows are printed, too */
};

static int
take_row(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct totals *totals = context;
	struct control_progress progress;
	struct control_plan row;
	char account[12], what[CONTROL_MAX_NAME + 1];

	if (kind == CONTROL_PROGRESS &&
	    control_get_progress(record, &progress) == 0 &&
	    text_copy(progress.what, what, sizeof(what)) == 0) {
		output_progress(
		    snapctl->output, what, progress.done, progress.total);
		if (text_is(progress.what, "files"))
			totals->files = progress.done;
	}
	if (kind != CONTROL_PLAN || control_get_plan(record, &row) == -1)
		return EXIT_DONE;
	totals->mailboxes += row.add + row.refill > 0;
	totals->add += row.add;
	totals->refill += row.refill;
	totals->bytes += row.bytes;
	if (!totals->is_listing)
		return EXIT_DONE;
	const struct field fields[] = {
		FIELD_T("account", 24,
		    command_account_name(snapctl, row.account, account)),
		FIELD_N("add", 9, row.add),
		FIELD_N("refill", 9, row.refill),
		FIELD_B("size", row.bytes),
		FIELD_T("mailbox", 0, row.mailbox),
	};
	output_row(snapctl->output, "restore", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}

static int
ask_restore(struct snapctl *snapctl, const struct selector *selector,
    bool is_dry_run, struct totals *totals)
{
	struct message request = { .type = MESSAGE_control_restore };
	struct message_control_restore *restore = &request.control_restore;

	restore->is_dry_run = is_dry_run;
	point_fill(&selector->point, &restore->point_kind, &restore->point_time,
	    &restore->point_name);
	restore->account = selector->account;
	restore->mailbox = selector->mailbox;
	restore->uid = selector->uid;
	restore->message_id = selector->message_id;
	return client_ask(snapctl, &request, take_row, totals);
}

static void
say_totals(
    struct snapctl *snapctl, const char *verb, const struct totals *totals)
{
	char bytes[32];

	output_format_bytes(totals->bytes, bytes, sizeof(bytes));
	output_say(snapctl->output,
	    "%s %llu messages to %llu mailboxes (%s): %llu files refilled "
	    "under their UIDs, %llu\nexpunged messages brought back under new "
	    "ones; change 0, delete 0",
	    verb, (unsigned long long)(totals->add + totals->refill),
	    (unsigned long long)totals->mailboxes, bytes,
	    (unsigned long long)totals->refill,
	    (unsigned long long)totals->add);
}

static int
restore_one(struct snapctl *snapctl, const struct selector *selector)
{
	bool is_dry_run = snapctl->options.is_dry_run;
	struct totals plan = { .is_listing = is_dry_run };
	struct totals done = { .is_listing = true };
	int code = ask_restore(snapctl, selector, true, &plan);

	if (code != EXIT_DONE)
		return code;
	say_totals(snapctl, "would add", &plan);
	output_say(snapctl->output,
	    "and look for each live message's file: what is gone without "
	    "anybody's notice is refilled, too");
	if (is_dry_run)
		return EXIT_DONE;
	/* Files may be missing of which nobody has told the store yet: the
	 * worker looks for each in any case. */
	if (plan.add + plan.refill > 0 && !command_is_agreed(snapctl))
		return EXIT_FAILED;
	code = ask_restore(snapctl, selector, false, &done);
	if (code == EXIT_DONE) {
		say_totals(snapctl, "added", &done);
		output_say(snapctl->output, "%llu files written",
		    (unsigned long long)done.files);
	}
	return code;
}

int
cmd_restore(struct snapctl *snapctl, int argc, char **argv)
{
	const char *mode = snapctl->options.mode;
	struct selector selector;
	struct error error;
	int code = EXIT_DONE;

	if (argc == 0)
		return command_usage("restore [--dry-run] [--yes] SEL...");
	if (mode != NULL && strcmp(mode, "missing") != 0) {
		fprintf(stderr,
		    "snapctl: this version restores in mode \"missing\" only"
		    "\n");
		return EXIT_USAGE;
	}
	for (int i = 0; i < argc && code == EXIT_DONE; i++) {
		if (selector_parse(text_of(argv[i]), snapctl->accounts,
			snapctl->now, &selector, &error) == -1)
			return command_fail(&error);
		code = restore_one(snapctl, &selector);
		if (code != EXIT_DONE && i > 0)
			code = EXIT_PARTLY;
	}
	return code;
}
