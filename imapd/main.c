/*
 * imapd: the front of IMAP, started by the broker with its settings and bound
 * sockets.  It has no files, no outgoing network and no key.
 */
#include "common/log.h"
#include "common/process.h"
#include "imapd/imap_front.h"

#include <unistd.h>

int
main(void)
{
	struct process process;
	struct event_loop *loop;
	struct imap_front *front;
	struct settings *settings;
	struct channel *broker;
	struct error error;
	uint32_t walls;
	int fd;

	process_begin(&process, ROLE_IMAPD);
	fd = process_take(&process, START_SETTINGS, 0);
	settings = settings_read_slice(fd, &error);
	if (settings == NULL)
		fatal("what=\"no settings\" why=\"%s\"", error.text);
	close(fd);
	loop = event_loop_new();
	front = imap_front_new(loop, settings);
	for (unsigned int i = 0;
	     (fd = process_take(&process, START_LISTENER, i)) != -1; i++)
		imap_front_listen(front, fd);
	walls = process_confine(&process);
	broker =
	    process_ready(&process, loop, walls, &imap_front_starter, front);
	imap_front_set_broker(front, broker);
	event_loop_stay_awake(loop);
	event_loop_run(loop);
	channel_free(&broker);
	imap_front_free(&front);
	event_loop_free(&loop);
	return 0;
}
