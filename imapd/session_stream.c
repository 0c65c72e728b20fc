/*
 * The bytes of a session, to and from its socket: plain, or compressed both
 * ways once the client asked for it (RFC 4978).  Commands and their answers
 * stand in session->in and session->out, which are plain either way.  Both are
 * bounded, and so is what waits in the other form.
 */
#include "imapd/imap_session_state.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum {
	STREAM_READ_SIZE = 65536,
	STREAM_DEFLATE_SIZE = 32768, /* compressed at a time */
	STREAM_PACKED_SIZE = 65536   /* compressed, no more until it is sent */
};

/* ---- Out ---- */

/* The socket takes what it can; -1 if the client is gone. */
static int
send_some(struct imap_session *session, struct buf *from)
{
	ssize_t n;

	while (from->size > 0) {
		n = send(session->fd, from->data, from->size,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return -1;
		session->sent_bytes += (size_t)n;
		session->was_read = true;
		session->was_taken = true;
		buf_cut(from, (size_t)n);
	}
	return 0;
}

/* From session->out, as long as not much waits to be sent. */
static void
deflate_some(struct imap_session *session)
{
	struct buf *out = &session->out;
	size_t size;

	while (out->size > 0 && session->packed_out.size < STREAM_PACKED_SIZE) {
		size = out->size < STREAM_DEFLATE_SIZE ? out->size
						       : STREAM_DEFLATE_SIZE;
		imap_deflate_put(session->deflate, text_make(out->data, size),
		    &session->packed_out);
		buf_cut(out, size);
		if (out->size == 0)
			imap_deflate_flush(
			    session->deflate, &session->packed_out);
	}
}

int
session_flush(struct imap_session *session)
{
	if (session->deflate == NULL)
		return send_some(session, &session->out);
	do {
		deflate_some(session);
		if (send_some(session, &session->packed_out) == -1)
			return -1;
	} while (session->out.size > 0 && session->packed_out.size == 0);
	return 0;
}

bool
session_is_drained(const struct imap_session *session)
{
	return session->out.size == 0 && session->packed_out.size == 0;
}

/* ---- In ---- */

/* Bytes that were read; 0 if there are none now, or never again. */
static size_t
receive(struct imap_session *session, struct buf *to)
{
	uint8_t *room;
	ssize_t n;

	if (session->is_input_ended || session->is_input_taken)
		return 0;
	room = buf_reserve(to, STREAM_READ_SIZE);
	if (room == NULL)
		return 0;
	do {
		n = recv(session->fd, room, STREAM_READ_SIZE, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		/* What has come since then, the loop will say. */
		session->is_input_taken = n < STREAM_READ_SIZE;
		buf_added(to, (size_t)n);
		return (size_t)n;
	}
	if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		session->is_input_ended = true;
	return 0;
}

/* -1: it is no deflate data. */
static int
inflate_some(struct imap_session *session)
{
	struct text packed =
	    text_make(session->packed_in.data, session->packed_in.size);
	int result = imap_deflate_take(
	    session->deflate, &packed, STREAM_READ_SIZE, &session->in);

	buf_cut(&session->packed_in, session->packed_in.size - packed.size);
	return result;
}

/* A few bytes may stand for many, and many for none yet: what zlib holds back
 * comes first. */
static size_t
fill_compressed(struct imap_session *session)
{
	do {
		if (inflate_some(session) == -1) {
			session_bye(
			    session, "* BYE Compressed data is malformed\r\n");
			return 0;
		}
	} while (session->in.size == 0 &&
		 (session->packed_in.size > 0 ||
		     receive(session, &session->packed_in) > 0));
	return session->in.size;
}

size_t
session_fill(struct imap_session *session)
{
	size_t size = session->deflate == NULL ? receive(session, &session->in)
					       : fill_compressed(session);

	session->filled_bytes += size;
	if (size > 0) {
		session->was_active = true;
		session->silent_since_us = clock_monotonic_us();
		timer_start(session->timeout, SESSION_TIMEOUT_MS);
	}
	return size;
}

/* ---- What the front does for those that it relays ---- */

static void
stalled(void *context)
{
	struct imap_session *session = context;

	log_info(
	    "session-stalled", "sid=%llu", (unsigned long long)session->number);
	session_enter_state(session, SESSION_ENDED);
	session_run(session);
}

static void
look_at_reader(struct imap_session *session)
{
	bool was_taken = session->was_taken;

	session->was_taken = false;
	if (session_is_drained(session)) {
		timer_free(&session->stall);
		return;
	}
	if (session->stall != NULL && !was_taken)
		return;
	if (session->stall == NULL)
		session->stall = timer_new(session->loop, stalled, session);
	timer_start(session->stall, SESSION_STALL_MS);
}

void
session_look_after(struct imap_session *session)
{
	const int on = 1;

	look_at_reader(session);
	/* Some hold back the rest of a command until what they sent of it was
	 * acknowledged (Nagle's algorithm). */
	if (session->filled_bytes > 0 &&
	    (session->deflate != NULL || !imap_input_is_empty(&session->input)))
		(void)setsockopt(
		    session->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

/* ---- From one form to the other ---- */

void
session_compress(struct imap_session *session)
{
	session->wants_compression = false;
	session->deflate = imap_deflate_new();
	/* What was said so far goes out as it is, and first. */
	(void)buf_put(
	    &session->packed_out, session->out.data, session->out.size);
	buf_reset(&session->out);
	log_info("session-compressed", "sid=%llu",
	    (unsigned long long)session->number);
}

void
session_rest_stream(struct imap_session *session)
{
	if (session->in.size == 0)
		buf_clear(&session->in);
	if (session->out.size == 0)
		buf_clear(&session->out);
	if (session->packed_in.size == 0)
		buf_clear(&session->packed_in);
	if (session->packed_out.size == 0)
		buf_clear(&session->packed_out);
}
