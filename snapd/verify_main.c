/*
 * snapd-verify: looks for damage in the snapshot store.  Started by master with
 * the index's data.mdb, opened for reading only, and introduced to snapd, which
 * hands it the segments (verify_segment), asks (verify_start) and is told what
 * was found.  It has no files, no network
 * and nothing else to say; a byte of the store that takes it over has won
 * nothing but false findings.
 */
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/status.h"
#include "common/digest.h"
#include "snapd/verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAX_TOLD = 100, /* findings of one request that are sent */
	MAX_SEGMENTS = 4096,
	RECEIVE_TIMEOUT_MS = 1000
};

/* Segments that the next request is about. */
struct given {
	struct verify_segment segments[MAX_SEGMENTS];
	uint8_t metas[MAX_SEGMENTS][PAGE_META_SIZE];
	size_t count;
};

struct server {
	struct event_loop *loop;
	struct channel *starter;
	int data_fd;
	int snapd_fd; /* -1: not introduced */
	struct watch *watch;
	uint64_t tag;
	unsigned int told;
	struct given *given;
};

static void
drop_segments(struct given *given)
{
	while (given->count > 0)
		close(given->segments[--given->count].fd);
}

static void
drop_snapd(struct server *server)
{
	drop_segments(server->given);
	watch_free(&server->watch);
	if (server->snapd_fd >= 0)
		close(server->snapd_fd);
	server->snapd_fd = -1;
}

/* In the middle of a request the loop does not run: who is gone ends it. */
static void
say(struct server *server, const struct message *message)
{
	struct error error;

	if (channel_send_now(server->snapd_fd, ROLE_VERIFY, ROLE_SNAPD, message,
		NULL, 0, &error) != 0)
		fatal("why=\"%s\"", error.text);
}

static void
tell_finding(void *context, const char *text)
{
	struct server *server = context;
	struct message message = { .type = MESSAGE_verify_finding };

	if (server->told++ >= MAX_TOLD)
		return;
	message.verify_finding.tag = server->tag;
	message.verify_finding.text = text_of(text);
	say(server, &message);
}

static void
tell_progress(void *context, uint64_t done, uint64_t total)
{
	struct server *server = context;
	struct message message = { .type = MESSAGE_verify_progress };

	message.verify_progress.tag = server->tag;
	message.verify_progress.done = done;
	message.verify_progress.total = total;
	say(server, &message);
}

static void
tell_done(struct server *server, int status, const struct verify_result *result)
{
	struct message message = { .type = MESSAGE_verify_done };
	struct message_verify_done *done = &message.verify_done;

	done->tag = server->tag;
	done->status = status == 0 ? STATUS_OK : STATUS_DAMAGED;
	done->findings = result->findings;
	done->pages = result->pages;
	done->lost_pages = result->lost_pages;
	done->rows = result->rows;
	done->events = result->events;
	done->heads = result->heads;
	done->bodies = result->bodies;
	done->body_bytes = result->body_bytes;
	done->root = result->root;
	memcpy(&done->public_key, result->public_key, HEAD_KEY_SIZE);
	say(server, &message);
}

/* Takes over the descriptor. */
static void
take_segment(
    struct given *given, const struct message_verify_segment *segment, int fd)
{
	uint8_t *meta = NULL;

	if (fd < 0)
		return;
	if (given->count == MAX_SEGMENTS) {
		close(fd);
		return;
	}
	if (segment->meta.size == PAGE_META_SIZE) {
		meta = given->metas[given->count];
		memcpy(meta, segment->meta.data, PAGE_META_SIZE);
	}
	given->segments[given->count++] =
	    (struct verify_segment){ fd, segment->segment, meta };
}

static void
verify(struct server *server, const struct message_verify_start *request)
{
	struct verify_options options = { .depth =
					      (enum verify_depth)request->depth,
		.percent = request->percent,
		.findings = { tell_finding, server, 0 },
		.has_segments = true,
		.segments = server->given->segments,
		.segment_count = server->given->count,
		.has_key = request->key.size == AEAD_KEY_SIZE,
		.progress = tell_progress,
		.progress_context = server };
	uint8_t meta[PAGE_META_SIZE];
	struct verify_result result;

	if (request->meta.size == sizeof(meta)) {
		memcpy(meta, request->meta.data, sizeof(meta));
		options.meta = meta;
	}
	if (options.has_key)
		memcpy(options.key.bytes, request->key.data, AEAD_KEY_SIZE);
	server->tag = request->tag;
	server->told = 0;
	tell_done(
	    server, verify_run(server->data_fd, &options, &result), &result);
	explicit_bzero(&options.key, sizeof(options.key));
	drop_segments(server->given);
}

static void
on_request(int fd, int events, void *context)
{
	static uint8_t storage[MESSAGE_MAX_SIZE];
	struct server *server = context;
	int fds[CHANNEL_MAX_DESCRIPTORS];
	struct message message;
	struct error error;
	size_t fd_count;

	if (channel_receive_now(fd, ROLE_VERIFY, ROLE_SNAPD, RECEIVE_TIMEOUT_MS,
		storage, &message, fds, &fd_count, &error) != 0) {
		drop_snapd(server);
		return;
	}
	if (message.type == MESSAGE_verify_segment)
		take_segment(server->given, &message.verify_segment, fds[0]);
	else
		verify(server, &message.verify_start);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct server *server = context;

	if (message->type == MESSAGE_stop) {
		event_loop_stop(server->loop);
	} else if (message->type == MESSAGE_introduce && fds[0] >= 0 &&
		   message->introduce.role == ROLE_SNAPD) {
		drop_snapd(server);
		server->snapd_fd = fds[0];
		fds[0] = -1;
		server->watch = watch_new(server->loop, server->snapd_fd,
		    WATCH_READ, on_request, server);
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct server *server = context;

	event_loop_stop(server->loop);
}

static const struct channel_handler handler = { received, closed };

int
main(void)
{
	struct server server = { .snapd_fd = -1 };
	struct process process;
	uint32_t walls;

	process_begin(&process, ROLE_VERIFY);
	server.given = memory_new(1, sizeof(*server.given));
	server.data_fd = process_take(&process, START_DATA, 0);
	digest_prepare();
	walls = process_confine(&process);
	server.loop = event_loop_new();
	server.starter =
	    process_ready(&process, server.loop, walls, &handler, &server);
	event_loop_run(server.loop);
	drop_snapd(&server);
	channel_free(&server.starter);
	event_loop_free(&server.loop);
	memory_free(&server.given);
	return EXIT_SUCCESS;
}
