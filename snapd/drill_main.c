/*
 * snapd-drill: rehearses restores.  Started by master with the scratch folder
 * as its root and introduced to snapd, which sends it rows and bytes of the
 * store as a restore reads them; what it makes of them there it compares and
 * takes away again.  It has no key, no way to the store or to anybody's mail,
 * and nothing to say but what it found.
 */
#include "common/digest.h"
#include "common/file.h"
#include "common/log.h"
#include "common/process.h"
#include "common/status.h"
#include "snapd/drill_folder.h"
#include "snapd/drill_work.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	MAX_TOLD = 100 /* findings of one drill that are sent */
};

struct server {
	struct event_loop *loop;
	struct channel *starter;
	struct channel *snapd; /* NULL: not introduced */
	int top_fd;
	struct drill_work *work; /* NULL: nothing is to be done */
	uint64_t tag;
	unsigned int told;
};

static void
tell_finding(void *context, uint32_t account, struct text mailbox, uint32_t uid,
    const char *what)
{
	struct server *server = context;
	struct message message = { .type = MESSAGE_drill_finding };

	if (server->told++ >= MAX_TOLD)
		return;
	message.drill_finding.tag = server->tag;
	message.drill_finding.account = account;
	message.drill_finding.mailbox = mailbox;
	message.drill_finding.uid = uid;
	message.drill_finding.text = text_of(what);
	if (message.drill_finding.text.size > 300)
		message.drill_finding.text.size = 300;
	(void)channel_send(server->snapd, &message, NULL, 0);
}

static enum status
status_of(const struct error *error, uint64_t findings)
{
	if (error->code == ERROR_NONE)
		return findings == 0 ? STATUS_OK : STATUS_DAMAGED;
	return error->code == ERROR_FULL ? STATUS_FULL : STATUS_UNAVAILABLE;
}

/* `error`: why it ends before its end, or ERROR_NONE. */
static void
finish(struct server *server, struct error *error)
{
	struct message message = { .type = MESSAGE_drill_done };
	struct message_drill_done *done = &message.drill_done;
	struct drill_result result;
	struct error left;
	char why[300];

	drill_work_result(server->work, &result);
	drill_work_free(&server->work);
	if (drill_folder_remove(server->top_fd, &left) == -1 &&
	    error->code == ERROR_NONE)
		*error = left;
	done->tag = server->tag;
	done->status = (uint8_t)status_of(error, result.findings);
	done->messages = result.messages;
	done->bytes = result.bytes;
	done->findings = result.findings;
	done->restore_us = (uint64_t)result.restore_us;
	done->check_us = (uint64_t)result.check_us;
	snprintf(why, sizeof(why), "in the scratch folder: %s", error->text);
	if (error->code != ERROR_NONE)
		done->text = text_of(why);
	(void)channel_send(server->snapd, &message, NULL, 0);
}

static void
begin(struct server *server, uint64_t tag)
{
	const struct drill_options options = { .top_fd = server->top_fd,
		.part_messages = DRILL_PART_MESSAGES,
		.part_bytes = DRILL_PART_BYTES,
		.finding = tell_finding,
		.context = server };
	struct error error = { .code = ERROR_NONE };

	drill_work_free(&server->work);
	server->work = drill_work_new(&options);
	server->tag = tag;
	server->told = 0;
	/* Left by one that was killed. */
	if (drill_folder_remove(server->top_fd, &error) == -1)
		finish(server, &error);
}

static void
from_snapd(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct server *server = context;
	struct error error = { .code = ERROR_NONE };
	int result = 0;

	(void)channel;
	(void)fds;
	if (message->type == MESSAGE_drill_begin) {
		begin(server, message->drill_begin.tag);
		return;
	}
	/* Each of this group begins with its tag. */
	if (server->work == NULL || message->drill_row.tag != server->tag)
		return;
	switch ((int)message->type) {
	case MESSAGE_drill_row:
		result = drill_work_row(server->work,
		    (enum control_row_kind)message->drill_row.kind,
		    message->drill_row.record, &error);
		if (result == 0)
			return;
		break;
	case MESSAGE_drill_end:
		if (drill_work_end(server->work, &error) == 0)
			error.code = ERROR_NONE;
		break;
	default:
		drill_work_free(&server->work);
		return;
	}
	finish(server, &error);
}

static void
drop_snapd(struct server *server)
{
	drill_work_free(&server->work);
	channel_free(&server->snapd);
}

static void
snapd_closed(struct channel *channel, const struct error *error, void *context)
{
	struct server *server = context;

	(void)channel;
	process_peer_closed(error, ROLE_SNAPD, 0, 0);
	drop_snapd(server);
	/* Master starts the next one, and introduces it to whoever is snapd
	 * then. */
	event_loop_stop(server->loop);
}

static const struct channel_handler snapd_handler = { from_snapd,
	snapd_closed };

static void
from_starter(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct server *server = context;

	(void)channel;
	if (message->type == MESSAGE_stop) {
		event_loop_stop(server->loop);
	} else if (message->type == MESSAGE_introduce && fds[0] >= 0 &&
		   message->introduce.role == ROLE_SNAPD) {
		drop_snapd(server);
		server->snapd = channel_new(server->loop, fds[0], ROLE_DRILL,
		    ROLE_SNAPD, &snapd_handler, server);
		fds[0] = -1;
	}
}

static void
starter_closed(
    struct channel *channel, const struct error *error, void *context)
{
	struct server *server = context;

	(void)channel;
	(void)error;
	event_loop_stop(server->loop);
}

static const struct channel_handler starter_handler = { from_starter,
	starter_closed };

static void
open_scratch(struct server *server)
{
	struct error error;

	server->top_fd = file_open_directory(AT_FDCWD, ".", &error);
	if (server->top_fd == -1)
		fatal("scratch folder: %s", error.text);
	/* Of one that was killed in the middle. */
	if (drill_folder_remove(server->top_fd, &error) == -1)
		log_alarm("scratch-left", "why=\"%s\"", error.text);
}

int
main(void)
{
	struct server server = { .top_fd = -1 };
	struct process process;
	uint32_t walls;

	process_begin(&process, ROLE_DRILL);
	digest_prepare();
	walls = process_confine(&process);
	open_scratch(&server);
	server.loop = event_loop_new();
	server.starter = process_ready(
	    &process, server.loop, walls, &starter_handler, &server);
	event_loop_run(server.loop);
	drop_snapd(&server);
	channel_free(&server.starter);
	event_loop_free(&server.loop);
	close(server.top_fd);
	return EXIT_SUCCESS;
}
