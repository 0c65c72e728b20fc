/*
 * snapctl release: ends a hold, once the minimum of the policy has passed. An
 * alarm is a hold with the tag "alarm".
 */
#include "snapctl/selector.h"
#include "snapctl/snapctl.h"

int
cmd_release(struct snapctl *snapctl, int argc, char **argv)
{
	struct message request = { .type = MESSAGE_control_release };
	struct message_control_release *release = &request.control_release;
	struct selector selector;
	struct error error;

	if (argc != 2)
		return command_usage("release TAG SEL");
	if (selector_parse(text_of(argv[1]), snapctl->accounts, snapctl->now,
		&selector, &error) == -1)
		return command_fail(&error);
	release->hold_tag = text_of(argv[0]);
	if (release->hold_tag.size == 0 ||
	    release->hold_tag.size > CONTROL_MAX_NAME ||
	    selector.message_id.size > 0)
		return command_usage(
		    "release: a tag has 1 to 64 bytes, a message is ;UID=n");
	point_fill(&selector.point, &release->point_kind, &release->point_time,
	    &release->point_name);
	release->account = selector.account;
	release->mailbox = selector.mailbox;
	release->uid = selector.uid;
	return client_ask(snapctl, &request, command_print_hold, NULL);
}
