/*
 * See imap_login.h: the connection, and what may be said before the login.
 */
#include "imapd/imap_login.h"

#include "common/log.h"
#include "common/login.h"
#include "common/memory.h"
#include "common/sasl.h"
#include "common/status.h"
#include "imapd/imap_capability.h"
#include "imapd/imap_login_state.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LOGIN_INPUT_LIMIT = 64 * 1024,
	LOGIN_MAX_BAD_COMMANDS = 10,
	LOGIN_MAX_FAILURES = 5
};

/* -- Saying things -- */

void
login_say(struct imap_login *login, const char *tag, const char *text)
{
	char line[1024];
	int size = snprintf(line, sizeof(line), "%s %s\r\n", tag, text);

	if (size > 0 && (size_t)size < sizeof(line))
		connection_write(login->client, line, (size_t)size);
}

void
login_say_tagged(struct imap_login *login, const char *text)
{
	login_say(login, login->tag, text);
}

void
login_enter_state(struct imap_login *login, enum login_state state)
{
	login->state = state;
	if (state == STATE_COMMAND || state == STATE_AUTHD)
		sasl_clear(&login->sasl);
	if (state == STATE_COMMAND || state == STATE_ENDING)
		imap_line_reset(&login->line);
	if (state == STATE_RELAY || state == STATE_ENDING)
		timer_stop(login->deadline);
	if (state == STATE_ENDING && login->client != NULL)
		connection_finish(login->client);
}

void
login_end_with(struct imap_login *login, const char *bye)
{
	login_say(login, "* BYE", bye);
	login_enter_state(login, STATE_ENDING);
}

static void
bad_command(struct imap_login *login, const char *why)
{
	char text[200];

	snprintf(text, sizeof(text), "BAD %s", why);
	login_say(login, login->tag[0] != '\0' ? login->tag : "*", text);
	if (!imap_front_mistake(login->front, &login->budget, login->ip) ||
	    ++login->bad_commands >= LOGIN_MAX_BAD_COMMANDS)
		login_end_with(login, "Too many bad commands");
}

static void
format_capability(const struct imap_login *login, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", IMAP_CAPABILITY_BEFORE_LOGIN,
	    login->has_starttls ? " STARTTLS" : "",
	    login->may_login ? " AUTH=PLAIN AUTH=LOGIN" : " LOGINDISABLED");
}

static void
say_greeting(struct imap_login *login)
{
	char capability[300], text[700];

	format_capability(login, capability, sizeof(capability));
	snprintf(text, sizeof(text), "OK [CAPABILITY %s] %s Firnmail ready",
	    capability, imap_front_host(login->front));
	login_say(login, "*", text);
}

/* -- The commands before login -- */

static void
command_capability(struct imap_login *login, struct text rest)
{
	char capability[300];

	(void)rest;
	format_capability(login, capability, sizeof(capability));
	login_say(login, "* CAPABILITY", capability);
	login_say_tagged(login, "OK Capability completed");
}

static void
command_noop(struct imap_login *login, struct text rest)
{
	(void)rest;
	login_say_tagged(login, "OK Noop completed");
}

static void
command_logout(struct imap_login *login, struct text rest)
{
	(void)rest;
	login_say(login, "* BYE", "Logging out");
	login_say_tagged(login, "OK Logout completed");
	login_enter_state(login, STATE_ENDING);
}

static void
command_id(struct imap_login *login, struct text rest)
{
	(void)rest; /* what clients say of themselves decides nothing here */
	login_say(login, "* ID", "(\"name\" \"Firnmail\")");
	login_say_tagged(login, "OK Id completed");
}

static void
command_starttls(struct imap_login *login, struct text rest)
{
	(void)rest;
	if (!login->has_starttls) {
		bad_command(login, "STARTTLS is not offered here");
		return;
	}
	if (connection_input(login->client)->size > 0) {
		log_warning(
		    "starttls-injection", "proto=imap ip=%s", login->ip);
		login_end_with(login, "Commands behind STARTTLS are refused");
		return;
	}
	login_say_tagged(login, "OK Begin TLS negotiation now");
	login->has_starttls = false;
	login->may_login = true;
	if (connection_start_tls(login->client, imap_front_tls(login->front)) ==
	    -1)
		login_enter_state(login, STATE_ENDING);
}

static void
ask_authd(struct imap_login *login, struct text user, struct text password)
{
	if (imap_front_ask_authd(
		login->front, login->number, user, password, login->ip) == -1) {
		imap_login_unavailable(login);
		return;
	}
	login_enter_state(login, STATE_AUTHD);
}

/* True if logging in is permitted now; else the client was told. */
static bool
check_may_login(struct imap_login *login)
{
	if (!login->may_login)
		login_say_tagged(
		    login, "NO [PRIVACYREQUIRED] Log in under TLS only");
	return login->may_login;
}

static void
command_login(struct imap_login *login, struct text rest)
{
	struct text user, password, more;

	if (imap_line_next_word(&rest, &user) != 1 ||
	    imap_line_next_word(&rest, &password) != 1 ||
	    imap_line_next_word(&rest, &more) != 0) {
		bad_command(login, "LOGIN takes a user name and a password");
		return;
	}
	if (!check_may_login(login))
		return;
	if (user.size == 0 || user.size > SASL_MAX_USER_SIZE ||
	    password.size > SASL_MAX_PASSWORD_SIZE) {
		login_say_tagged(
		    login, "NO [AUTHENTICATIONFAILED] Authentication failed");
		return;
	}
	ask_authd(login, user, password);
}

static void
sasl_step_done(struct imap_login *login, enum sasl_step step)
{
	switch (step) {
	case SASL_DONE:
		ask_authd(login, sasl_user(&login->sasl),
		    sasl_password(&login->sasl));
		return;
	case SASL_CHALLENGE:
		login_say(login, "+", login->sasl.challenge);
		login->state = STATE_SASL;
		return;
	case SASL_CANCELLED:
		bad_command(login, "Authentication cancelled");
		break;
	case SASL_MALFORMED:
		bad_command(login, "Malformed authentication response");
		break;
	case SASL_REFUSED:
		login_say_tagged(login,
		    "NO [AUTHORIZATIONFAILED] Acting for others is not "
		    "permitted");
		break;
	case SASL_UNKNOWN:
		login_say_tagged(
		    login, "NO [CANNOT] No such authentication mechanism");
		break;
	}
	if (login->state != STATE_ENDING)
		login_enter_state(login, STATE_COMMAND);
}

static void
command_authenticate(struct imap_login *login, struct text rest)
{
	struct text mechanism, initial = { NULL, 0 }, more;

	if (imap_line_next_word(&rest, &mechanism) != 1 ||
	    imap_line_next_word(&rest, &initial) == -1 ||
	    imap_line_next_word(&rest, &more) != 0) {
		bad_command(login, "AUTHENTICATE takes a mechanism");
		return;
	}
	if (check_may_login(login))
		sasl_step_done(
		    login, sasl_start(&login->sasl, mechanism, initial));
}

static const struct command {
	const char *name;
	void (*run)(struct imap_login *login, struct text rest);
} commands[] = {
	{ "CAPABILITY", command_capability },
	{ "NOOP", command_noop },
	{ "LOGOUT", command_logout },
	{ "ID", command_id },
	{ "STARTTLS", command_starttls },
	{ "LOGIN", command_login },
	{ "AUTHENTICATE", command_authenticate },
};

static bool
is_tag(struct text tag)
{
	if (tag.size == 0 || tag.size >= LOGIN_TAG_SIZE)
		return false;
	for (size_t i = 0; i < tag.size; i++)
		if (strchr("(){%*\"\\+", tag.data[i]) != NULL ||
		    (unsigned char)tag.data[i] <= 0x20 ||
		    (unsigned char)tag.data[i] >= 0x7f)
			return false;
	return true;
}

static void
run_command(struct imap_login *login, struct text rest)
{
	struct text tag, name;

	login->tag[0] = '\0';
	if (imap_line_next_word(&rest, &tag) != 1 || !is_tag(tag)) {
		bad_command(login, "A command begins with a tag");
		return;
	}
	text_copy(tag, login->tag, sizeof(login->tag));
	if (imap_line_next_word(&rest, &name) != 1) {
		bad_command(login, "A command name is missing");
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (text_is_nocase(name, commands[i].name)) {
			commands[i].run(login, rest);
			return;
		}
	bad_command(login, "Unknown command, or one for after login");
}

/* -- Bytes come in -- */

static void
line_done(struct imap_login *login)
{
	struct text line =
	    text_make(login->line.bytes.data, login->line.bytes.size);

	if (login->state == STATE_SASL)
		sasl_step_done(login, sasl_continue(&login->sasl, line));
	else
		run_command(login, line);
	imap_line_reset(&login->line);
}

static void
take_lines(struct imap_login *login)
{
	struct buf *input = connection_input(login->client);

	while (input->size > 0 &&
	       (login->state == STATE_COMMAND || login->state == STATE_SASL)) {
		switch (imap_line_feed(&login->line, input)) {
		case IMAP_LINE_MORE:
			break;
		case IMAP_LINE_CONTINUE:
			login_say(login, "+", "Ready for the literal");
			break;
		case IMAP_LINE_DONE:
			line_done(login);
			break;
		case IMAP_LINE_TOO_LONG:
			login->tag[0] = '\0';
			bad_command(login, "The command is too long");
			if (login->state != STATE_ENDING)
				login_enter_state(login, STATE_COMMAND);
			break;
		case IMAP_LINE_LOST:
			login_end_with(login, "The literal is too large");
			break;
		}
	}
}

static void
client_readable(struct connection *connection, void *context)
{
	struct imap_login *login = context;

	(void)connection;
	if (login->state == STATE_RELAY) {
		imap_relay_client_readable(login->relay);
	} else if (login->state == STATE_ASLEEP) {
		connection_pause(login->client);
		login_enter_state(login, STATE_WAKING);
		imap_front_tell(
		    login->front, MESSAGE_session_resume, login->number, 0);
	} else {
		take_lines(login);
	}
}

static void
client_writable(struct connection *connection, void *context)
{
	struct imap_login *login = context;

	(void)connection;
	if (login->relay != NULL)
		imap_relay_client_writable(login->relay);
}

void
login_release(struct imap_login *login)
{
	imap_front_release(login->front, login->number, &login->budget);
}

static void
client_ended(
    struct connection *connection, const struct error *error, void *context)
{
	struct imap_login *login = context;

	(void)connection;
	log_debug("imap-end", "ip=%s why=\"%s\"", login->ip, error->text);
	connection_free(&login->client);
	/* Who did not read his answers gets none for the commands behind. */
	if (login->state == STATE_RELAY && error->code == ERROR_LIMIT) {
		login_release(login);
		return;
	}
	if (login->state == STATE_RELAY) {
		imap_relay_client_ended(login->relay);
		return;
	}
	if (login->state == STATE_ASLEEP || login->state == STATE_WAKING)
		imap_front_tell(
		    login->front, MESSAGE_session_gone, login->number, 0);
	login_release(login);
}

static const struct connection_handler client_handler = {
	.readable = client_readable,
	.writable = client_writable,
	.ended = client_ended,
};

static void
deadline_passed(void *context)
{
	struct imap_login *login = context;

	login_end_with(login, "Login takes too long");
}

/* -- Answers -- */

void
imap_login_unavailable(struct imap_login *login)
{
	login_say_tagged(login, "NO [UNAVAILABLE] Try again later");
	login_enter_state(login, STATE_COMMAND);
	take_lines(login);
}

void
imap_login_answered(struct imap_login *login, unsigned int result)
{
	if (login->state != STATE_AUTHD || login->client == NULL)
		return;
	switch (result) {
	case LOGIN_OK:
		login_ask_broker(login);
		return;
	case LOGIN_UNAVAILABLE:
		imap_login_unavailable(login);
		return;
	default:
		login_say_tagged(
		    login, "NO [AUTHENTICATIONFAILED] Authentication failed");
		if (!imap_front_mistake(
			login->front, &login->budget, login->ip) ||
		    result == LOGIN_TOO_MANY ||
		    ++login->failures >= LOGIN_MAX_FAILURES) {
			login_end_with(login, "Too many failed logins");
			return;
		}
		login_enter_state(login, STATE_COMMAND);
		take_lines(login);
	}
}

/* -- The object -- */

struct imap_login *
imap_login_new(struct imap_front *front, uint64_t connection, int fd,
    const struct listener_client *client, const struct listen_setting *listen)
{
	struct imap_login *login = memory_new(1, sizeof(*login));
	bool is_implicit = listen->tls == LISTEN_TLS_IMPLICIT;

	login->front = front;
	login->number = connection;
	login->next_stream = -1;
	login->has_starttls = imap_front_tls(front) != NULL &&
			      (listen->tls == LISTEN_TLS_OFFERED ||
				  listen->tls == LISTEN_TLS_REQUIRED);
	login->may_login =
	    is_implicit || (listen->is_plain_login && client->is_loopback);
	memcpy(login->ip, client->ip, sizeof(login->ip));
	login->budget = client->budget;
	imap_line_init(&login->line);
	login->deadline =
	    timer_new(imap_front_loop(front), deadline_passed, login);
	timer_start(login->deadline, LOGIN_ALL_TIMEOUT_MS);
	login->client = connection_new(imap_front_loop(front), fd,
	    LOGIN_INPUT_LIMIT, LOGIN_OUTPUT_LIMIT, &client_handler, login);
	connection_acknowledge_soon(login->client);
	connection_set_timeout(login->client, LOGIN_TIMEOUT_MS);
	if (is_implicit &&
	    connection_start_tls(login->client, imap_front_tls(front)) == -1)
		login_enter_state(login, STATE_ENDING);
	else
		say_greeting(login);
	connection_flush(login->client);
	return login;
}

void
imap_login_free(struct imap_login **login)
{
	struct imap_login *l = *login;

	if (l == NULL)
		return;
	imap_relay_free(&l->relay);
	if (l->next_stream != -1)
		close(l->next_stream);
	connection_free(&l->client);
	timer_free(&l->deadline);
	imap_line_clear(&l->line);
	sasl_clear(&l->sasl);
	memory_free(login);
}

void
imap_login_refuse(int fd, const struct listen_setting *listen)
{
	static const char bye[] =
	    "* BYE [UNAVAILABLE] Too many connections, try again later\r\n";

	/* Without TLS there is nobody who could read it. */
	if (listen->tls != LISTEN_TLS_IMPLICIT)
		send(fd, bye, sizeof(bye) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}
