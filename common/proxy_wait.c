/* See proxy_wait.h. */
#include "common/proxy_wait.h"

#include "common/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

struct proxy_wait {
	int fd;
	struct watch *watch;
	struct timer *deadline;
	proxy_wait_done *done;
	void *context;
	size_t size; /* bytes that were taken off the socket */
	uint8_t data[PROXY_HEADER_MAX_SIZE];
};

static void
finish(
    struct proxy_wait *wait, const struct proxy_header *header, const char *why)
{
	watch_set(wait->watch, 0);
	timer_stop(wait->deadline);
	wait->done(wait->fd, header, why, wait->context);
}

static void
too_late(void *context)
{
	finish(context, NULL, "timeout");
}

/* Looks at what is there, and takes off the socket what belongs to the header:
 * all of it while the header is not complete, so that the loop does not find
 * the same bytes again and again. */
static void
readable(int fd, int events, void *context)
{
	struct proxy_wait *wait = context;
	size_t room = sizeof(wait->data) - wait->size;
	uint8_t *place = wait->data + wait->size;
	struct proxy_header header;
	enum proxy_header_step step;
	ssize_t seen = recv(fd, place, room, MSG_PEEK), taken;

	if (seen == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (seen <= 0) {
		finish(wait, NULL,
		    seen == -1       ? strerror(errno)
		    : wait->size > 0 ? "closed"
				     : NULL);
		return;
	}
	step =
	    proxy_header_parse(wait->data, wait->size + (size_t)seen, &header);
	if (step == PROXY_HEADER_DONE)
		seen = (ssize_t)(header.size - wait->size);
	taken = recv(fd, place, (size_t)seen, 0);
	if (step == PROXY_HEADER_BAD || taken != seen) {
		finish(wait, NULL, "malformed");
		return;
	}
	wait->size += (size_t)taken;
	if (step == PROXY_HEADER_DONE)
		finish(wait, &header, NULL);
}

struct proxy_wait *
proxy_wait_new(struct event_loop *loop, int fd, int64_t timeout_ms,
    proxy_wait_done *done, void *context)
{
	struct proxy_wait *wait = memory_new(1, sizeof(*wait));

	wait->fd = fd;
	wait->done = done;
	wait->context = context;
	wait->watch = watch_new(loop, fd, WATCH_READ, readable, wait);
	wait->deadline = timer_new(loop, too_late, wait);
	timer_start(wait->deadline, timeout_ms);
	return wait;
}

void
proxy_wait_free(struct proxy_wait **wait)
{
	if (*wait == NULL)
		return;
	watch_free(&(*wait)->watch);
	timer_free(&(*wait)->deadline);
	memory_free(wait);
}
