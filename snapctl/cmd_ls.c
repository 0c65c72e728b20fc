/* snapctl ls: accounts, mailboxes or messages as of a point in time. */
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

int
cmd_ls(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_ls };
	struct message_control_ls *ls = &request.control_ls;
	struct selector selector;
	struct error error;

	if (argc != 1)
		return command_usage(
		    "ls SNAP[:ACCOUNT[/MAILBOX[;UID=n|;id=<message-id>]]]");
	if (selector_parse(text_of(argv[0]), snapctl->accounts, snapctl->now,
		&selector, &error) == -1)
		return command_fail(&error);
	point_fill(
	    &selector.point, &ls->point_kind, &ls->point_time, &ls->point_name);
	ls->account = selector.account;
	ls->mailbox = selector.mailbox;
	ls->uid = selector.uid;
	ls->message_id = selector.message_id;
	return client_ask(snapctl, &request, command_print_listing, NULL);
}
