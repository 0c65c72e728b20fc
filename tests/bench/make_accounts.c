/*
 * Has the store of a running server know accounts FIRST to LAST, as `firnmail
 * account add` does it one by one: for a users file with thousands of lines.
 *
 *   make_accounts SNAPD.SOCK FIRST LAST
 */
#include "common/channel.h"
#include "common/log.h"
#include "common/status.h"

#include <stdlib.h>

enum {
	TIMEOUT_MS = 60 * 1000
};

static void
create(int fd, uint32_t number)
{
	static uint8_t storage[MESSAGE_MAX_SIZE];
	struct message request = { .type = MESSAGE_control_account_create };
	struct message answer;
	int fds[CHANNEL_MAX_DESCRIPTORS];
	struct error error;
	size_t fd_count;

	request.control_account_create.tag = number;
	request.control_account_create.account = number;
	if (channel_send_now(fd, ROLE_SNAPCTL, ROLE_SNAPD, &request, NULL, 0,
		&error) == -1 ||
	    channel_receive_now(fd, ROLE_SNAPCTL, ROLE_SNAPD, TIMEOUT_MS,
		storage, &answer, fds, &fd_count, &error) == -1)
		fatal("%s", error.text);
	if (answer.type != MESSAGE_control_done ||
	    (answer.control_done.status != STATUS_OK &&
		answer.control_done.status != STATUS_EXISTS))
		fatal("account %u was not taken", number);
}

int
main(int argc, char **argv)
{
	struct error error;
	uint32_t last;
	int fd;

	if (argc != 4)
		fatal("make_accounts SNAPD.SOCK FIRST LAST");
	fd = channel_connect_now(argv[1], &error);
	if (fd == -1)
		fatal("%s", error.text);
	last = (uint32_t)strtoul(argv[3], NULL, 10);
	for (uint32_t n = (uint32_t)strtoul(argv[2], NULL, 10); n <= last; n++)
		create(fd, n);
	return 0;
}
