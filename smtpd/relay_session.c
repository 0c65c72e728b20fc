/* See relay_session.h. */
#include "smtpd/relay_session.h"

#include "common/clock.h"
#include "common/connection.h"
#include "common/log.h"
#include "common/memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	INPUT_LIMIT = 16384,
	OUTPUT_LIMIT = 262144
};

struct relay_session {
	struct event_loop *loop;
	struct connection *connection; /* NULL when it is over */
	struct relay_client *client;
	struct tls_client *const *tls;
	struct buf out;
	struct timer *timer; /* of the server's turn */
	struct timer *told;  /* what is told from the loop only */
	unsigned int hurry;
	uint32_t turns;
	uint64_t offset; /* of the body, when the timer was started */
	unsigned int mails;
	bool was_ready;
	bool has_news; /* for the owner */
	char host[256];
	char address[RELAY_ADDRESS_SIZE];
	char source[RELAY_ADDRESS_SIZE];
	char tls_name[80];
	char tls_wish_name[256];
	char tls_wish_other[256];
	char place[RELAY_ADDRESS_SIZE + 8];
	uint8_t tlsa_data[RELAY_MAX_TLSA][1024];
	struct tls_tlsa tlsa[RELAY_MAX_TLSA];
	struct tls_wish wish;
	struct tls_outcome outcome;
	enum relay_level level;
	const struct relay_session_handler *handler;
	void *context;
	struct relay_mail *mail;
};

static void drive_and_tell(struct relay_session *session);

/* -- The server's turn has an end -- */

static void
watch_turn(struct relay_session *session)
{
	const struct relay_client *client = session->client;
	uint64_t offset =
	    session->mail != NULL ? session->mail->body->offset : 0;

	if (client->state == RELAY_CLIENT_READY) {
		timer_stop(session->timer);
		if (session->out.size == 0)
			buf_clear(&session->out); /* idle: no memory */
	} else if (session->turns != client->turns ||
		   session->offset != offset) {
		timer_start(session->timer,
		    relay_client_timeout_ms(client) / session->hurry);
	}
	session->turns = client->turns;
	session->offset = offset;
}

static void
on_timeout(void *context)
{
	struct relay_session *session = context;

	relay_client_lost(session->client, "the server is too slow");
	drive_and_tell(session);
}

/* -- TLS -- */

static int
start_tls(struct relay_session *session, struct error *error)
{
	struct tls_session *tls = tls_client_session(*session->tls,
	    connection_fd(session->connection), &session->wish, error);

	if (tls == NULL)
		return -1;
	if (connection_start_tls_client(
		session->connection, &tls_client_operations, tls) == -1)
		return error_set(
		    error, ERROR_INPUT, "bytes in the clear where TLS begins");
	return 0;
}

static void
answer_starttls(struct relay_session *session)
{
	struct error error = { 0 };

	if (connection_input(session->connection)->size > 0)
		relay_client_over(session->client, RELAY_END_INJECTED,
		    "bytes in the clear behind the answer to STARTTLS");
	else if (start_tls(session, &error) == -1)
		relay_client_lost(session->client, error.text);
	else
		relay_client_tls_started(
		    session->client, session->wish.proof == TLS_PROOF_NAME ||
					 session->wish.proof == TLS_PROOF_DANE);
}

/* -- Bytes -- */

static void
flush(struct relay_session *session)
{
	size_t room = connection_output_room(session->connection);
	size_t size = session->out.size < room ? session->out.size : room;

	if (size == 0)
		return;
	if (connection_write(session->connection, session->out.data, size) == 0)
		buf_cut(&session->out, size);
}

static void
close_connection(struct relay_session *session)
{
	if (session->connection == NULL)
		return;
	if (session->tls_name[0] == '\0')
		(void)snprintf(session->tls_name, sizeof(session->tls_name),
		    "%s", connection_tls_name(session->connection));
	timer_stop(session->timer);
	connection_free(&session->connection);
}

/* What the owner is told, and in which he may free the session: nothing of it
 * is looked at afterwards. */
static void
tell(void *context)
{
	struct relay_session *session = context;

	session->has_news = false;
	timer_stop(session->told);
	if (session->mail != NULL && session->client->mail == NULL) {
		session->mail = NULL;
		session->mails++;
		session->handler->done(session, session->context);
	} else if (!relay_session_is_alive(session)) {
		session->handler->over(session, session->context);
	} else if (!session->was_ready &&
		   session->client->state == RELAY_CLIENT_READY) {
		session->was_ready = true;
		session->handler->ready(session, session->context);
	}
}

static enum relay_client_step
step(struct relay_session *session)
{
	static struct buf nothing;

	return relay_client_step(session->client,
	    session->connection != NULL ? connection_input(session->connection)
					: &nothing,
	    &session->out);
}

/* Until the server, or the socket, has its turn. */
static void
drive(struct relay_session *session)
{
	for (;;) {
		enum relay_client_step next = step(session);

		if (session->connection != NULL)
			flush(session);
		if (next == RELAY_STEP_OVER) {
			close_connection(session);
			session->has_news = true;
			return;
		}
		if (next == RELAY_STEP_START_TLS) {
			answer_starttls(session);
			continue;
		}
		if (next == RELAY_STEP_DONE || next == RELAY_STEP_READY)
			session->has_news = true;
		if (next == RELAY_STEP_WAIT &&
		    session->client->state == RELAY_CLIENT_BODY &&
		    session->out.size == 0)
			continue;
		if (next != RELAY_STEP_DONE)
			break;
	}
	watch_turn(session);
}

/* From the loop: news are told at once. */
static void
drive_and_tell(struct relay_session *session)
{
	drive(session);
	if (session->has_news)
		tell(session);
}

/* From a call of the owner's: they are told later. */
static void
drive_for_owner(struct relay_session *session)
{
	drive(session);
	if (session->has_news)
		timer_start(session->told, 0);
}

static void
readable(struct connection *connection, void *context)
{
	drive_and_tell(context);
}

static void
writable(struct connection *connection, void *context)
{
	drive_and_tell(context);
}

static void
ended(struct connection *connection, const struct error *error, void *context)
{
	struct relay_session *session = context;

	/* What it said at last counts: 421, or why it refused the body. */
	(void)step(session);
	relay_client_lost(session->client, error->text);
	drive_and_tell(session);
}

/* -- All together -- */

static void
keep_wish(struct relay_session *session, const struct relay_target *target)
{
	struct tls_wish *wish = &session->wish;

	memcpy(session->tls_wish_name, target->tls_name,
	    sizeof(session->tls_wish_name));
	memcpy(session->tls_wish_other, target->tls_other_name,
	    sizeof(session->tls_wish_other));
	wish->proof = target->security.proof;
	wish->name = session->tls_wish_name;
	wish->other_name =
	    session->tls_wish_other[0] != '\0' ? session->tls_wish_other : NULL;
	wish->tlsa = session->tlsa;
	wish->outcome = &session->outcome;
	(void)snprintf(session->place, sizeof(session->place), "%s %u",
	    session->address, target->port);
	wish->place = text_of(session->place);
	for (size_t i = 0; i < target->tlsa_count; i++) {
		session->tlsa[i] = target->tlsa[i];
		memcpy(session->tlsa_data[i], target->tlsa[i].data.data,
		    target->tlsa[i].data.size);
		session->tlsa[i].data.data =
		    (const char *)session->tlsa_data[i];
	}
	wish->tlsa_count = target->tlsa_count;
}

static void
begin(struct relay_session *session, const struct relay_session_setup *setup)
{
	const struct relay_route *route = setup->route;
	const struct relay_client_setup client = {
		.hello = setup->hello,
		.protocol = route->protocol,
		.knows_loops = setup->target->is_mx,
		.is_tls = route->is_implicit_tls,
		.tries_tls = session->level != RELAY_LEVEL_NONE,
		.needs_tls = session->level > RELAY_LEVEL_MAY,
		.user = route->user,
		.password = route->password,
	};
	struct error error = { 0 };

	session->client = relay_client_new(&client);
	if (route->is_implicit_tls && start_tls(session, &error) == -1)
		relay_client_lost(session->client, error.text);
	if (route->is_implicit_tls)
		relay_client_tls_started(
		    session->client, session->wish.proof >= TLS_PROOF_NAME);
	drive_for_owner(session);
}

static void
note_source(struct relay_session *session, int fd)
{
	struct sockaddr_storage bound = { 0 };
	struct relay_address address = { .family = AF_INET };
	socklen_t size = sizeof(bound);

	if (getsockname(fd, (struct sockaddr *)&bound, &size) == -1)
		return;
	address.family = bound.ss_family;
	if (bound.ss_family == AF_INET6)
		address.v6 = ((struct sockaddr_in6 *)&bound)->sin6_addr;
	else
		address.v4 = ((struct sockaddr_in *)&bound)->sin_addr;
	relay_address_format(&address, session->source);
}

struct relay_session *
relay_session_new(const struct relay_session_setup *setup,
    const struct relay_session_handler *handler, void *context)
{
	static const struct connection_handler connection_handler = { readable,
		writable, ended };
	struct relay_session *session = memory_new(1, sizeof(*session));

	session->loop = setup->loop;
	session->handler = handler;
	session->context = context;
	session->tls = setup->tls;
	session->hurry = setup->hurry > 0 ? setup->hurry : 1;
	session->level =
	    setup->is_clear ? RELAY_LEVEL_NONE : setup->target->security.level;
	(void)snprintf(
	    session->host, sizeof(session->host), "%s", setup->target->name);
	relay_address_format(setup->address, session->address);
	note_source(session, setup->fd);
	keep_wish(session, setup->target);
	buf_init(&session->out, RELAY_CLIENT_OUTPUT);
	session->timer = timer_new(setup->loop, on_timeout, session);
	session->told = timer_new(setup->loop, tell, session);
	session->turns = UINT32_MAX;
	session->connection = connection_new(setup->loop, setup->fd,
	    INPUT_LIMIT, OUTPUT_LIMIT, &connection_handler, session);
	begin(session, setup);
	return session;
}

void
relay_session_free(struct relay_session **pointer)
{
	struct relay_session *session = *pointer;

	if (session == NULL)
		return;
	connection_free(&session->connection);
	relay_client_free(&session->client);
	timer_free(&session->timer);
	timer_free(&session->told);
	buf_clear(&session->out);
	memory_free(pointer);
}

void
relay_session_adopt(struct relay_session *session,
    const struct relay_session_handler *handler, void *context)
{
	session->handler = handler;
	session->context = context;
}

void
relay_session_send(struct relay_session *session, struct relay_mail *mail)
{
	session->mail = mail;
	mail->by_left_s = mail->deliver_by - clock_wall_us() / 1000000;
	relay_client_send(session->client, mail);
	drive_for_owner(session);
}

void
relay_session_quit(struct relay_session *session)
{
	relay_client_quit(session->client);
	drive_for_owner(session);
}

bool
relay_session_is_alive(const struct relay_session *session)
{
	return session->client->state != RELAY_CLIENT_OVER;
}

const struct relay_client *
relay_session_client(const struct relay_session *session)
{
	return session->client;
}

const char *
relay_session_host(const struct relay_session *session)
{
	return session->host;
}

const char *
relay_session_address(const struct relay_session *session)
{
	return session->address;
}

const char *
relay_session_source(const struct relay_session *session)
{
	return session->source;
}

const char *
relay_session_tls(struct relay_session *session)
{
	if (session->tls_name[0] == '\0' && session->connection != NULL)
		(void)snprintf(session->tls_name, sizeof(session->tls_name),
		    "%s", connection_tls_name(session->connection));
	return session->tls_name;
}

enum relay_level
relay_session_level(const struct relay_session *session)
{
	return session->level;
}

bool
relay_session_has_tls_failed(const struct relay_session *session)
{
	return session->client->is_tls && !session->outcome.is_done;
}

const struct tls_outcome *
relay_session_outcome(const struct relay_session *session)
{
	return &session->outcome;
}

unsigned int
relay_session_mails(const struct relay_session *session)
{
	return session->mails;
}
