/*
 * GENURLAUTH (RFC 4467): URLs of messages of this account, each with a token
 * that lets whom it names see what it names.
 */
#include "imapd/imap_commands.h"

#include "imapd/imap_writer.h"
#include "imapd/url_access.h"

#include <string.h>

enum {
	GENURLAUTH_MAX = 100 /* in one command */
};

struct rump {
	struct imap_url url;
	uint64_t mailbox;
};

struct genurlauth_state {
	size_t count;
	struct rump rumps[GENURLAUTH_MAX];
};

/* NULL, or what is wrong with it (RFC 4467's checks 1 to 3: BAD). */
static const char *
check(struct imap_command *command, struct text text, struct rump *rump)
{
	const struct imap_url *url = &rump->url;

	if (imap_url_parse(text, command->pool, &rump->url) == -1 ||
	    !url->has_server || url->is_relative)
		return "Not a whole URL of a message";
	if (url->access == URL_ACCESS_NONE)
		return "Access identifier is missing";
	if (url->mechanism.size > 0)
		return "URL has a token already";
	if (url->user.size == 0)
		return "Owner is missing";
	if (!url_access_is_owned(command->account, url))
		return "Owner is somebody else";
	if (!url_access_is_here(command->account, url))
		return "Server is another one";
	rump->mailbox = url_access_mailbox(command->account, url);
	return rump->mailbox == 0 ? "No such mailbox" : NULL;
}

/* " url mechanism" */
static enum command_step
read_rump(struct imap_command *command)
{
	struct genurlauth_state *state = command->state;
	struct imap_parser *parser = &command->parser;
	struct text text, mechanism;
	const char *problem;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_astring(parser, &text) == -1 ||
	    imap_parse_space(parser) == -1 ||
	    imap_parse_atom(parser, &mechanism) == -1)
		return command_malformed(command);
	if (state->count == GENURLAUTH_MAX)
		return command_no(command, "[LIMIT] Too many URLs at once");
	if (!text_is_nocase(mechanism, "INTERNAL"))
		return command_no(
		    command, "[CANNOT] Only the mechanism INTERNAL is known");
	problem = check(command, text, &state->rumps[state->count++]);
	return problem != NULL ? command_bad(command, problem) : COMMAND_MORE;
}

static enum status
put_url(struct imap_command *command, const struct rump *rump, struct buf *line)
{
	uint8_t key[MAILBOX_KEY_SIZE];
	char token[URL_TOKEN_SIZE];
	enum status status;
	struct buf whole;

	status = mailbox_key_get(command->account, rump->mailbox, key);
	if (status != STATUS_OK)
		return status;
	url_token_make(key, rump->url.rump, token);
	explicit_bzero(key, sizeof(key));
	buf_init(&whole, IMAP_URL_MAX_SIZE + URL_TOKEN_SIZE + 16);
	(void)buf_put_format(
	    &whole, "%.*s:internal:%s", TEXT_FMT(rump->url.rump), token);
	(void)buf_put_byte(line, ' ');
	(void)imap_put_string(line, text_make(whole.data, whole.size));
	buf_clear(&whole);
	return STATUS_OK;
}

/* All of them, or none. */
static enum command_step
put_urls(struct imap_command *command)
{
	struct genurlauth_state *state = command->state;
	enum status status = STATUS_OK;
	struct buf line;

	buf_init(&line, GENURLAUTH_MAX * (size_t)IMAP_URL_MAX_SIZE * 2);
	for (size_t i = 0; i < state->count && status == STATUS_OK; i++)
		status = put_url(command, &state->rumps[i], &line);
	if (status == STATUS_OK) {
		(void)buf_put_text(command->out, "* GENURLAUTH");
		(void)buf_put(command->out, line.data, line.size);
		(void)buf_put_text(command->out, "\r\n");
	}
	buf_clear(&line);
	return status == STATUS_OK ? command_ok(command, "Genurlauth completed")
				   : command_failed(command, status);
}

enum command_step
cmd_genurlauth(struct imap_command *command)
{
	enum command_step step;

	command->state =
	    pool_alloc(command->pool, 1, sizeof(struct genurlauth_state));
	do
		step = read_rump(command);
	while (step == COMMAND_MORE && !imap_parse_at_end(&command->parser));
	return step == COMMAND_MORE ? put_urls(command) : step;
}
