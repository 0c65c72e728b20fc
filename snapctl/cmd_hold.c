/* snapctl hold: keeps what a snapshot shows beyond the policy, under a tag. */
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

int
cmd_hold(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_hold };
	struct message_control_hold *hold = &request.control_hold;
	struct selector selector;
	struct error error;

	if (argc != 2)
		return command_usage("hold [-m TEXT] TAG SEL");
	if (selector_parse(text_of(argv[1]), snapctl->accounts, snapctl->now,
		&selector, &error) == -1)
		return command_fail(&error);
	hold->hold_tag = text_of(argv[0]);
	if (snapctl->options.message != NULL)
		hold->why = text_of(snapctl->options.message);
	if (hold->hold_tag.size == 0 ||
	    hold->hold_tag.size > CONTROL_MAX_NAME || hold->why.size > 500 ||
	    selector.message_id.size > 0)
		return command_usage("hold: a tag has 1 to 64 bytes, a text at "
				     "most 500; a message is ;UID=n");
	point_fill(&selector.point, &hold->point_kind, &hold->point_time,
	    &hold->point_name);
	hold->account = selector.account;
	hold->mailbox = selector.mailbox;
	hold->uid = selector.uid;
	return client_ask(snapctl, &request, command_print_hold, NULL);
}
