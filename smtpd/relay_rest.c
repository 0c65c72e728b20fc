/*
 * Connections that rest between two jobs: for a while, to be used again by one
 * for the same destination with the same demands on it.
 */
#include "common/memory.h"
#include "smtpd/relay.h"

#include <string.h>

struct relay_rest {
	struct relay *relay;
	struct relay_session *session;
	struct timer *timer;
	bool is_leaving; /* it said goodbye, and waits for the server's */
	char *key;
	size_t key_size;
	struct relay_rest *next;
};

static void
unlink_rest(struct relay_rest *rest)
{
	struct relay_rest **place = &rest->relay->resting;

	while (*place != rest)
		place = &(*place)->next;
	*place = rest->next;
}

/* What rests is gone; its session is the caller's. */
static struct relay_session *
wake(struct relay_rest *rest)
{
	struct relay_session *session = rest->session;

	unlink_rest(rest);
	timer_free(&rest->timer);
	memory_free(&rest->key);
	memory_free(&rest);
	return session;
}

static void
dismiss(struct relay_rest *rest)
{
	rest->is_leaving = true;
	rest->relay->connections--;
	timer_stop(rest->timer);
	relay_session_quit(rest->session);
}

static void
on_timer(void *context)
{
	dismiss(context);
}

/* As it was told to, or the server left first. */
static void
over(struct relay_session *session, void *context)
{
	struct relay_rest *rest = context;
	struct relay *relay = rest->relay;

	if (!rest->is_leaving)
		relay->connections--;
	(void)wake(rest);
	relay_session_free(&session);
	relay_end_if_empty(relay);
}

static void
nothing(struct relay_session *session, void *context)
{
}

struct relay_session *
relay_rest_take(struct relay *relay, struct text key)
{
	struct relay_rest *rest = relay->resting;

	while (rest != NULL &&
	       (rest->is_leaving ||
		   !text_equal(text_make(rest->key, rest->key_size), key)))
		rest = rest->next;
	return rest != NULL ? wake(rest) : NULL;
}

static bool
is_of_use(const struct relay *relay, const struct relay_session *session)
{
	return !relay->is_stopping && relay_session_is_alive(session) &&
	       relay_session_mails(session) < relay->limits.max_mails &&
	       !relay_client_is_used_up(relay_session_client(session));
}

void
relay_rest_put(
    struct relay *relay, struct relay_session **session, struct text key)
{
	static const struct relay_session_handler handler = { nothing, nothing,
		over };
	struct relay_rest *rest;

	rest = memory_new(1, sizeof(*rest));
	rest->relay = relay;
	rest->session = *session;
	rest->key = memory_copy(key.data, key.size);
	rest->key_size = key.size;
	rest->timer = timer_new(relay->loop, on_timer, rest);
	timer_start(rest->timer, relay->limits.rest_ms);
	rest->next = relay->resting;
	relay->resting = rest;
	relay_session_adopt(*session, &handler, rest);
	if (!is_of_use(relay, *session))
		dismiss(rest);
	*session = NULL;
}

bool
relay_rest_drop_one(struct relay *relay)
{
	struct relay_rest *oldest = NULL;

	for (struct relay_rest *rest = relay->resting; rest != NULL;
	     rest = rest->next)
		if (!rest->is_leaving)
			oldest = rest;
	if (oldest == NULL)
		return false;
	dismiss(oldest);
	return true;
}

void
relay_rest_free_all(struct relay *relay)
{
	while (relay->resting != NULL) {
		struct relay_session *session = wake(relay->resting);

		relay_session_free(&session);
	}
}
