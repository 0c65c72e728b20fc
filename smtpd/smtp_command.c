/*
 * Parser of SMTP command lines: one row a verb, one function a form of
 * arguments.
 */
#include "smtpd/smtp_command.h"

#include <string.h>

typedef enum smtp_command_result parse_function(
    struct text argument, struct smtp_command *command);

/* Takes the next word off `text`, which is separated by single spaces or, from
 * the lenient side of section 4.1.1, more of them. */
static bool
next_word(struct text *text, struct text *word)
{
	while (text->size > 0 && text->data[0] == ' ')
		*text = text_skip(*text, 1);
	return text->size > 0 && text_next(text, ' ', word);
}

static bool
is_printable(struct text text)
{
	size_t i;

	for (i = 0; i < text.size; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			return false;
	return true;
}

/* NOOP, HELP, VRFY: a string, or nothing. */
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
static enum smtp_command_result
parse_hello(struct text argument, struct smtp_command *command)
{
	struct text name = text_trim(argument);
	size_t i;

	if (name.size == 0 || name.size > MAIL_ADDRESS_MAX_DOMAIN ||
	    !text_is_utf8(name))
		return SMTP_COMMAND_BAD_ARGUMENTS;
	for (i = 0; i < name.size; i++)
		if (strchr(" \t<>()\"\\,;@", name.data[i]) != NULL)
			return SMTP_COMMAND_BAD_ARGUMENTS;
	command->argument = name;
	return SMTP_COMMAND_OK;
}

static enum smtp_command_result
parse_auth(struct text argument, struct smtp_command *command)
{
	struct text extra;

	if (!next_word(&argument, &command->mechanism))
		return SMTP_COMMAND_BAD_ARGUMENTS;
	if (next_word(&argument, &command->initial) &&
	    next_word(&argument, &extra))
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

enum {
	SEEN_SIZE = 1,
	SEEN_BODY = 2,
	SEEN_SMTPUTF8 = 4,
	SEEN_AUTH = 8
};

/* AUTH= of RFC 4954 section 5 is checked for its form and not believed. */
static enum smtp_command_result
parse_mail_parameter(
    struct text parameter, struct smtp_command *command, unsigned int *bit)
{
	if (text_starts_nocase(parameter, "SIZE=")) {
		*bit = SEEN_SIZE;
		return text_parse_number(text_skip(parameter, 5), INT64_MAX,
			   &command->size) == 0
			   ? SMTP_COMMAND_OK
			   : SMTP_COMMAND_BAD_ARGUMENTS;
	}
	if (text_starts_nocase(parameter, "BODY=")) {
		*bit = SEEN_BODY;
		parameter = text_skip(parameter, 5);
		if (text_is_nocase(parameter, "8BITMIME"))
			command->body = SMTP_BODY_8BITMIME;
		else if (!text_is_nocase(parameter, "7BIT"))
			return SMTP_COMMAND_BAD_ARGUMENTS;
		return SMTP_COMMAND_OK;
	}
	if (text_is_nocase(parameter, "SMTPUTF8")) {
		*bit = SEEN_SMTPUTF8;
		command->is_smtputf8 = true;
		return SMTP_COMMAND_OK;
	}
	if (text_starts_nocase(parameter, "AUTH=") && parameter.size > 5) {
		*bit = SEEN_AUTH;
		return SMTP_COMMAND_OK;
	}
	return SMTP_COMMAND_BAD_PARAMETER;
}

static enum smtp_command_result
parse_mail(struct text argument, struct smtp_command *command)
{
	enum smtp_command_result result;
	unsigned int seen = 0, bit;
	struct text parameter;

	result = parse_path(&argument, "FROM:", MAIL_PATH_REVERSE, command);
	if (result != SMTP_COMMAND_OK)
		return result;
	while (next_word(&argument, &parameter)) {
		result = parse_mail_parameter(parameter, command, &bit);
		if (result != SMTP_COMMAND_OK)
			return result;
		if (seen & bit)
			return SMTP_COMMAND_TWICE;
		seen |= bit;
	}
	if (command->path.is_utf8 && !command->is_smtputf8)
		return SMTP_COMMAND_NEEDS_SMTPUTF8;
	return SMTP_COMMAND_OK;
}

static enum smtp_command_result
parse_rcpt(struct text argument, struct smtp_command *command)
{
	enum smtp_command_result result;

	result = parse_path(&argument, "TO:", MAIL_PATH_FORWARD, command);
	if (result != SMTP_COMMAND_OK)
		return result;
	return text_trim(argument).size == 0 ? SMTP_COMMAND_OK
					     : SMTP_COMMAND_BAD_PARAMETER;
}

static const struct {
	const char *name;
	parse_function *parse;
} verbs[SMTP_UNKNOWN] = { [SMTP_EHLO] = { "EHLO", parse_hello },
	[SMTP_HELO] = { "HELO", parse_hello },
	[SMTP_MAIL] = { "MAIL", parse_mail },
	[SMTP_RCPT] = { "RCPT", parse_rcpt },
	[SMTP_DATA] = { "DATA", parse_nothing },
	[SMTP_RSET] = { "RSET", parse_nothing },
	[SMTP_NOOP] = { "NOOP", parse_string },
	[SMTP_VRFY] = { "VRFY", parse_string },
	[SMTP_HELP] = { "HELP", parse_string },
	[SMTP_QUIT] = { "QUIT", parse_nothing },
	[SMTP_STARTTLS] = { "STARTTLS", parse_nothing },
	[SMTP_AUTH] = { "AUTH", parse_auth } };

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
