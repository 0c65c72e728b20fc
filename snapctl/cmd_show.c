/*
 * snapctl show: what a selection is. Without an account the snapshot itself
 * and its accounts, with one its mailboxes, with a mailbox its messages.
 */
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

struct search {
	struct text name;
	bool was_found;
};

static int
print_if_named(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct search *search = context;
	struct control_snapshot row;

	if (kind != CONTROL_SNAPSHOT ||
	    control_get_snapshot(record, &row) == -1)
		return EXIT_DONE;
	if (!text_equal(row.name, search->name) &&
	    !text_equal(row.id, search->name))
		return EXIT_DONE;
	search->was_found = true;
	command_print_snapshot(snapctl, &row);
	return EXIT_DONE;
}

static int
show_snapshot(struct snapctl *snapctl, struct text name)
{
	struct message request = { .type = MESSAGE_control_list };
	struct search search = { .name = name };
	int code = client_ask(snapctl, &request, print_if_named, &search);

	if (code == EXIT_DONE && !search.was_found) {
		struct error error;

		error_set(&error, ERROR_MISSING, "no snapshot \"%.*s\"",
		    TEXT_FMT(name));
		return command_fail(&error);
	}
	return code;
}

/* -- Proofs -- */

static int
print_proof(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	(void)context;
	if (kind == CONTROL_PROOF)
		output_bytes(snapctl->output, record);
	return EXIT_DONE;
}

/* Of a message, or of two snapshots. */
static int
show_proof(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_prove };
	struct message_control_prove *prove = &request.control_prove;
	struct selector from, to = { .point = { .kind = POINT_NOW } };
	struct error error;

	if (selector_parse(text_of(argv[0]), snapctl->accounts, snapctl->now,
		&from, &error) == -1 ||
	    (argc == 2 && selector_parse(text_of(argv[1]), snapctl->accounts,
			      snapctl->now, &to, &error) == -1))
		return command_fail(&error);
	if (to.account != 0 || from.message_id.size > 0 ||
	    (argc == 2) != (from.uid == 0) || (argc == 2 && from.account != 0))
		return command_usage("show --proof SNAP:ACCOUNT/MAILBOX;UID=n "
				     "| show --proof SNAP SNAP");
	point_fill(&from.point, &prove->from_kind, &prove->from_time,
	    &prove->from_name);
	point_fill(
	    &to.point, &prove->to_kind, &prove->to_time, &prove->to_name);
	prove->account = from.account;
	prove->mailbox = from.mailbox;
	prove->uid = from.uid;
	return client_ask(snapctl, &request, print_proof, NULL);
}

int
cmd_show(struct snapctl *snapctl, int argc, char **argv)
{
	struct selector selector;
	struct error error;

	if (snapctl->options.is_proof && (argc == 1 || argc == 2))
		return show_proof(snapctl, argc, argv);
	if (argc != 1)
		return command_usage("show [--proof] SEL [SNAP]");
	if (selector_parse(text_of(argv[0]), snapctl->accounts, snapctl->now,
		&selector, &error) == -1)
		return command_fail(&error);
	if (selector.account == 0 && selector.point.kind == POINT_NAMED)
		return show_snapshot(snapctl, selector.point.name);
	return cmd_ls(snapctl, argc, argv);
}
