/*
 * Parser of SMTP command lines: one row a verb, one function a form of
 * arguments.
 */
#include "smtpd/smtp_command.h"

#include "common/dsn.h"

#include <ctype.h>
#include <string.h>

typedef enum smtp_command_result parse_function(
    struct text argument, struct smtp_command *command);
typedef enum smtp_command_result parse_parameter_function(
    struct text parameter, struct smtp_command *command, unsigned int *bit);

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
	SEEN_AUTH = 8,
	SEEN_RET = 16,
	SEEN_ENVID = 32,
	SEEN_NOTIFY = 64,
	SEEN_ORCPT = 128,
	/* As they travel in the rows transaction_begin and _recipient. */
	ENVID_MAX_SIZE = 100,
	ORCPT_MAX_SIZE = 500
};

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* xtext: printable, with +XX for what is not (RFC 3461 section 4). */
static bool
is_xtext(struct text text)
{
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];

		if (c <= ' ' || c > '~' || c == '=')
			return false;
		if (c != '+')
			continue;
		if (text.size - i < 3 || !is_hex(text.data[i + 1]) ||
		    !is_hex(text.data[i + 2]))
			return false;
		i += 2;
	}
	return text.size > 0;
}

static enum smtp_command_result
parse_return(struct text value, struct smtp_command *command)
{
	command->has_dsn = true;
	if (text_is_nocase(value, "FULL"))
		command->return_part = SMTP_RETURN_FULL;
	else if (text_is_nocase(value, "HDRS"))
		command->return_part = SMTP_RETURN_HEADERS;
	else
		return SMTP_COMMAND_BAD_ARGUMENTS;
	return SMTP_COMMAND_OK;
}

static enum smtp_command_result
parse_envelope_id(struct text value, struct smtp_command *command)
{
	command->has_dsn = true;
	command->envelope_id = value;
	return value.size <= ENVID_MAX_SIZE && is_xtext(value)
		   ? SMTP_COMMAND_OK
		   : SMTP_COMMAND_BAD_ARGUMENTS;
}

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
	if (text_starts_nocase(parameter, "RET=")) {
		*bit = SEEN_RET;
		return parse_return(text_skip(parameter, 4), command);
	}
	if (text_starts_nocase(parameter, "ENVID=")) {
		*bit = SEEN_ENVID;
		return parse_envelope_id(text_skip(parameter, 6), command);
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

/* Each at most once. */
static enum smtp_command_result
parse_parameters(struct text argument, parse_parameter_function *parse,
    struct smtp_command *command)
{
	enum smtp_command_result result;
	unsigned int seen = 0, bit = 0;
	struct text parameter;

	while (next_word(&argument, &parameter)) {
		result = parse(parameter, command, &bit);
		if (result != SMTP_COMMAND_OK)
			return result;
		if (seen & bit)
			return SMTP_COMMAND_TWICE;
		seen |= bit;
	}
	return SMTP_COMMAND_OK;
}

static enum smtp_command_result
parse_mail(struct text argument, struct smtp_command *command)
{
	enum smtp_command_result result;

	result = parse_path(&argument, "FROM:", MAIL_PATH_REVERSE, command);
	if (result == SMTP_COMMAND_OK)
		result =
		    parse_parameters(argument, parse_mail_parameter, command);
	if (result == SMTP_COMMAND_OK && command->path.is_utf8 &&
	    !command->is_smtputf8)
		return SMTP_COMMAND_NEEDS_SMTPUTF8;
	return result;
}

/* NOTIFY=NEVER, or a list of the others (section 4.1). */
static enum smtp_command_result
parse_notify(struct text value, struct smtp_command *command)
{
	static const struct {
		const char *word;
		enum dsn_notify bit;
	} words[] = { { "NEVER", DSN_NOTIFY_NEVER },
		{ "SUCCESS", DSN_NOTIFY_SUCCESS },
		{ "FAILURE", DSN_NOTIFY_FAILURE },
		{ "DELAY", DSN_NOTIFY_DELAY } };
	struct text word;
	size_t i;

	while (text_next(&value, ',', &word)) {
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (text_is_nocase(word, words[i].word))
				break;
		if (i == sizeof(words) / sizeof(words[0]))
			return SMTP_COMMAND_BAD_ARGUMENTS;
		command->notify |= words[i].bit;
	}
	return command->notify == 0 ||
		       ((command->notify & DSN_NOTIFY_NEVER) != 0 &&
			   command->notify != DSN_NOTIFY_NEVER)
		   ? SMTP_COMMAND_BAD_ARGUMENTS
		   : SMTP_COMMAND_OK;
}

/* An atom, a semicolon and xtext; UTF-8 of RFC 6533 is not xtext. */
static bool
is_original(struct text value)
{
	struct text type;

	if (value.size > ORCPT_MAX_SIZE || !text_next(&value, ';', &type) ||
	    type.size == 0)
		return false;
	for (size_t i = 0; i < type.size; i++)
		if (!isalnum((unsigned char)type.data[i]) &&
		    type.data[i] != '-')
			return false;
	return is_xtext(value);
}

static enum smtp_command_result
parse_rcpt_parameter(
    struct text parameter, struct smtp_command *command, unsigned int *bit)
{
	command->has_dsn = true;
	if (text_starts_nocase(parameter, "NOTIFY=")) {
		*bit = SEEN_NOTIFY;
		return parse_notify(text_skip(parameter, 7), command);
	}
	if (text_starts_nocase(parameter, "ORCPT=")) {
		*bit = SEEN_ORCPT;
		command->original = text_skip(parameter, 6);
		return is_original(command->original)
			   ? SMTP_COMMAND_OK
			   : SMTP_COMMAND_BAD_ARGUMENTS;
	}
	return SMTP_COMMAND_BAD_PARAMETER;
}

static enum smtp_command_result
parse_rcpt(struct text argument, struct smtp_command *command)
{
	enum smtp_command_result result;

	result = parse_path(&argument, "TO:", MAIL_PATH_FORWARD, command);
	if (result != SMTP_COMMAND_OK)
		return result;
	return parse_parameters(argument, parse_rcpt_parameter, command);
}

/* RFC 3030 section 2: the size, and whether it is the last. */
static enum smtp_command_result
parse_chunk(struct text argument, struct smtp_command *command)
{
	struct text word;

	if (!next_word(&argument, &word) ||
	    text_parse_number(word, INT64_MAX, &command->chunk_size) == -1)
		return SMTP_COMMAND_BAD_ARGUMENTS;
	if (!next_word(&argument, &word))
		return SMTP_COMMAND_OK;
	command->is_last = true;
	return text_is_nocase(word, "LAST") && !next_word(&argument, &word)
		   ? SMTP_COMMAND_OK
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
