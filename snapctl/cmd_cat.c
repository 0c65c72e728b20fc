/* snapctl cat: the bytes of one message as of a point in time, as they are
 * stored. */
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

static int
print_body(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	(void)context;
	if (kind == CONTROL_BODY)
		output_bytes(snapctl->output, record);
	return EXIT_DONE;
}

int
cmd_cat(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_cat };
	struct message_control_cat *cat = &request.control_cat;
	struct selector selector;
	struct error error;

	if (argc != 1)
		return command_usage(
		    "cat SNAP:ACCOUNT/MAILBOX;UID=n (or ;id=<message-id>)");
	if (selector_parse(text_of(argv[0]), snapctl->accounts, snapctl->now,
		&selector, &error) == -1)
		return command_fail(&error);
	if (selector.account == 0 ||
	    (selector.uid == 0 && selector.message_id.size == 0))
		return command_usage(
		    "cat SNAP:ACCOUNT/MAILBOX;UID=n (or ;id=<message-id>)");
	point_fill(&selector.point, &cat->point_kind, &cat->point_time,
	    &cat->point_name);
	cat->account = selector.account;
	cat->mailbox = selector.mailbox;
	cat->uid = selector.uid;
	cat->message_id = selector.message_id;
	return client_ask(snapctl, &request, print_body, NULL);
}
