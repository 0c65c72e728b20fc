/*
 * Parser of SMTP command lines: one row a verb, one function a form of
 * arguments.
 */
#include "smtpd/smtp_command.h"

#include "smtpd/smtp_parameters.h"

#include <string.h>

typedef enum smtp_command_result parse_function(
    struct text argument, struct smtp_command *command);

static bool
is_printable(struct text text)
{
	size_t i;

	for (i = 0; i < text.size; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			return false;
	return true;
}

/* NOOP, HELP, VRFY, XCLIENT: a string, or nothing. */
static enum smtp_command_result
parse_string(struct text argument, struct smtp_command *command)
{
	command->argument = text_trim(argument);
	return SMTP_COMMAND_OK;
}

static enum smtp_command_result
parse_nothing(struct text argument, struct smtp_command *command)
{
	return text_trim(argument).size == 0 ? SMTP_COMMAND_OK
					     : SMTP_COMMAND_BAD_ARGUMENTS;
}

/* A Domain or address literal. Many clients say names with underscores or a
 * final dot, so any word of its characters is taken. */
bool
smtp_command_is_hello(struct text name)
{
	size_t i;

	if (name.size == 0 || name.size > MAIL_ADDRESS_MAX_DOMAIN ||
	    !text_is_utf8(name) || !is_printable(name))
		return false;
	for (i = 0; i < name.size; i++)
		if (strchr(" <>()\"\\,;@", name.data[i]) != NULL)
			return false;
	return true;
}

static enum smtp_command_result
parse_hello(struct text argument, struct smtp_command *command)
{
	command->argument = text_trim(argument);
	return smtp_command_is_hello(command->argument)
		   ? SMTP_COMMAND_OK
		   : SMTP_COMMAND_BAD_ARGUMENTS;
}

static enum smtp_command_result
parse_auth(struct text argument, struct smtp_command *command)
{
	struct text extra;

	if (!smtp_parameters_next(&argument, &command->mechanism))
		return SMTP_COMMAND_BAD_ARGUMENTS;
	if (smtp_parameters_next(&argument, &command->initial) &&
	    smtp_parameters_next(&argument, &extra))
		return SMTP_COMMAND_BAD_ARGUMENTS;
	return SMTP_COMMAND_OK;
}

/* "FROM:" or "TO:", lenient about spaces after the colon, then the path. */
static enum smtp_command_result
parse_path(struct text *argument, const char *keyword, enum mail_path kind,
    struct smtp_command *command)
{
	*argument = text_trim(*argument);
	if (!text_starts_nocase(*argument, keyword))
		return SMTP_COMMAND_BAD_ARGUMENTS;
	*argument = text_trim(text_skip(*argument, strlen(keyword)));
	if (argument->size == 0)
		return SMTP_COMMAND_BAD_ARGUMENTS;
	if (mail_address_parse_path(
		argument, kind, true, 0, &command->path, NULL) == -1)
		return SMTP_COMMAND_BAD_PATH;
	if (argument->size > 0 && argument->data[0] != ' ')
		return SMTP_COMMAND_BAD_ARGUMENTS;
	return SMTP_COMMAND_OK;
}

static enum smtp_command_result
parse_mail(struct text argument, struct smtp_command *command)
{
	enum smtp_command_result result;

	result = parse_path(&argument, "FROM:", MAIL_PATH_REVERSE, command);
	if (result == SMTP_COMMAND_OK)
		result = smtp_parameters_mail(argument, command);
	if (result == SMTP_COMMAND_OK && command->path.is_utf8 &&
	    !command->is_smtputf8)
		return SMTP_COMMAND_NEEDS_SMTPUTF8;
	return result;
}

static enum smtp_command_result
parse_rcpt(struct text argument, struct smtp_command *command)
{
	enum smtp_command_result result;

	result = parse_path(&argument, "TO:", MAIL_PATH_FORWARD, command);
	if (result != SMTP_COMMAND_OK)
		return result;
	return smtp_parameters_rcpt(argument, command);
}

/* Behind a size or an URL: whether it is the last. */
static enum smtp_command_result
parse_last(struct text argument, struct smtp_command *command)
{
	struct text word;

	if (!smtp_parameters_next(&argument, &word))
		return SMTP_COMMAND_OK;
	command->is_last = true;
	return text_is_nocase(word, "LAST") &&
		       !smtp_parameters_next(&argument, &word)
		   ? SMTP_COMMAND_OK
		   : SMTP_COMMAND_BAD_ARGUMENTS;
}

/* RFC 3030 section 2. */
static enum smtp_command_result
parse_chunk(struct text argument, struct smtp_command *command)
{
	struct text word;

	if (!smtp_parameters_next(&argument, &word) ||
	    text_parse_number(word, INT64_MAX, &command->chunk_size) == -1)
		return SMTP_COMMAND_BAD_ARGUMENTS;
	return parse_last(argument, command);
}

/* RFC 4468 section 3.5. */
static enum smtp_command_result
parse_url(struct text argument, struct smtp_command *command)
{
	return smtp_parameters_next(&argument, &command->url)
		   ? parse_last(argument, command)
		   : SMTP_COMMAND_BAD_ARGUMENTS;
}

static const struct {
	const char *name;
	parse_function *parse;
} verbs[SMTP_UNKNOWN] = { [SMTP_EHLO] = { "EHLO", parse_hello },
	[SMTP_HELO] = { "HELO", parse_hello },
	[SMTP_LHLO] = { "LHLO", parse_hello },
	[SMTP_MAIL] = { "MAIL", parse_mail },
	[SMTP_RCPT] = { "RCPT", parse_rcpt },
	[SMTP_DATA] = { "DATA", parse_nothing },
	[SMTP_BDAT] = { "BDAT", parse_chunk },
	[SMTP_BURL] = { "BURL", parse_url },
	[SMTP_RSET] = { "RSET", parse_nothing },
	[SMTP_NOOP] = { "NOOP", parse_string },
	[SMTP_VRFY] = { "VRFY", parse_string },
	[SMTP_HELP] = { "HELP", parse_string },
	[SMTP_QUIT] = { "QUIT", parse_nothing },
	[SMTP_STARTTLS] = { "STARTTLS", parse_nothing },
	[SMTP_AUTH] = { "AUTH", parse_auth },
	[SMTP_XCLIENT] = { "XCLIENT", parse_string } };

enum smtp_command_result
smtp_command_parse(struct text line, struct smtp_command *command)
{
	struct text argument = line, verb = { "", 0 };
	int i;

	memset(command, 0, sizeof(*command));
	command->verb = SMTP_UNKNOWN;
	if (line.size == 0 || !text_next(&argument, ' ', &verb))
		return SMTP_COMMAND_UNKNOWN;
	for (i = 0; i < SMTP_UNKNOWN; i++)
		if (text_is_nocase(verb, verbs[i].name))
			break;
	if (i == SMTP_UNKNOWN)
		return SMTP_COMMAND_UNKNOWN;
	command->verb = (enum smtp_verb)i;
	if (!is_printable(argument))
		return SMTP_COMMAND_BAD_ARGUMENTS;
	return verbs[i].parse(argument, command);
}
