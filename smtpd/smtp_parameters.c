/*
 * See smtp_parameters.h.
 */
#include "smtpd/smtp_parameters.h"

#include "common/dsn.h"
#include "common/timestamp.h"
#include "smtpd/future_release.h"

#include <ctype.h>
#include <string.h>

typedef enum smtp_command_result parse_value_function(
    struct text value, struct smtp_command *command);

/* `name` with "=", or alone if it has no value. */
struct parameter {
	const char *name;
	parse_value_function *parse;
};

enum {
	/* As they travel in the rows transaction_begin and _recipient. */
	ENVID_MAX_SIZE = 100,
	ORCPT_MAX_SIZE = 500,
	BY_MAX_S = 999999999
};

bool
smtp_parameters_next(struct text *text, struct text *word)
{
	while (text->size > 0 && text->data[0] == ' ')
		*text = text_skip(*text, 1);
	return text->size > 0 && text_next(text, ' ', word);
}

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

static enum smtp_command_result
parse_size(struct text value, struct smtp_command *command)
{
	return text_parse_number(value, INT64_MAX, &command->size) == 0
		   ? SMTP_COMMAND_OK
		   : SMTP_COMMAND_BAD_ARGUMENTS;
}

static enum smtp_command_result
parse_body(struct text value, struct smtp_command *command)
{
	if (text_is_nocase(value, "8BITMIME"))
		command->body = SMTP_BODY_8BITMIME;
	else if (text_is_nocase(value, "BINARYMIME"))
		command->body = SMTP_BODY_BINARYMIME;
	else if (!text_is_nocase(value, "7BIT"))
		return SMTP_COMMAND_BAD_ARGUMENTS;
	return SMTP_COMMAND_OK;
}

static enum smtp_command_result
parse_smtputf8(struct text value, struct smtp_command *command)
{
	command->is_smtputf8 = true;
	return SMTP_COMMAND_OK;
}

static enum smtp_command_result
parse_requiretls(struct text value, struct smtp_command *command)
{
	command->is_requiretls = true;
	return SMTP_COMMAND_OK;
}

/* RFC 4954 section 5: checked for its form, and not believed. */
static enum smtp_command_result
parse_auth(struct text value, struct smtp_command *command)
{
	return value.size > 0 ? SMTP_COMMAND_OK : SMTP_COMMAND_BAD_PARAMETER;
}

/* RFC 6710 section 4: -9 to 9. */
static enum smtp_command_result
parse_priority(struct text value, struct smtp_command *command)
{
	bool is_negative = value.size > 0 && value.data[0] == '-';
	uint64_t number;

	value = text_skip(value, is_negative);
	if (value.size != 1 || text_parse_number(value, 9, &number) == -1)
		return SMTP_COMMAND_BAD_ARGUMENTS;
	command->has_priority = true;
	command->priority = is_negative ? -(int)number : (int)number;
	return SMTP_COMMAND_OK;
}

static enum smtp_command_result
parse_hold_for(struct text value, struct smtp_command *command)
{
	return future_release_parse_interval(value, &command->hold_for) == 0
		   ? SMTP_COMMAND_OK
		   : SMTP_COMMAND_BAD_ARGUMENTS;
}

static enum smtp_command_result
parse_hold_until(struct text value, struct smtp_command *command)
{
	return timestamp_parse(value, &command->hold_until) == 0
		   ? SMTP_COMMAND_OK
		   : SMTP_COMMAND_BAD_ARGUMENTS;
}

/* RFC 2852 section 4: "120;R", "-5;NT". What is to be returned has time
 * left. */
static enum smtp_command_result
parse_by(struct text value, struct smtp_command *command)
{
	bool is_negative = value.size > 0 && value.data[0] == '-';
	struct text digits;
	uint64_t number;

	value = text_skip(
	    value, is_negative || (value.size > 0 && value.data[0] == '+'));
	if (!text_next(&value, ';', &digits) || digits.size > 9 ||
	    text_parse_number(digits, BY_MAX_S, &number) == -1)
		return SMTP_COMMAND_BAD_ARGUMENTS;
	command->has_by = true;
	command->by_time = is_negative ? -(int64_t)number : (int64_t)number;
	command->is_by_return = text_starts_nocase(value, "R");
	command->is_by_trace = text_is_nocase(text_skip(value, 1), "T");
	if ((!command->is_by_return && !text_starts_nocase(value, "N")) ||
	    (value.size > 1 && !command->is_by_trace) ||
	    (command->is_by_return && command->by_time <= 0))
		return SMTP_COMMAND_BAD_ARGUMENTS;
	return SMTP_COMMAND_OK;
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

	command->has_dsn = true;
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
parse_original(struct text value, struct smtp_command *command)
{
	command->has_dsn = true;
	command->original = value;
	return is_original(value) ? SMTP_COMMAND_OK
				  : SMTP_COMMAND_BAD_ARGUMENTS;
}

/* With a value, or, where the name has no "=", alone. */
static bool
is_named(struct text parameter, const char *name, struct text *value)
{
	size_t size = strlen(name);

	if (!text_starts_nocase(parameter, name) ||
	    (name[size - 1] != '=' && parameter.size != size))
		return false;
	*value = text_skip(parameter, size);
	return true;
}

/* Each at most once. */
static enum smtp_command_result
parse_all(struct text argument, const struct parameter *known, size_t count,
    struct smtp_command *command)
{
	enum smtp_command_result result;
	struct text parameter, value;
	unsigned int seen = 0;
	size_t i;

	while (smtp_parameters_next(&argument, &parameter)) {
		for (i = 0; i < count; i++)
			if (is_named(parameter, known[i].name, &value))
				break;
		if (i == count)
			return SMTP_COMMAND_BAD_PARAMETER;
		result = known[i].parse(value, command);
		if (result != SMTP_COMMAND_OK)
			return result;
		if (seen & 1u << i)
			return SMTP_COMMAND_TWICE;
		seen |= 1u << i;
	}
	return SMTP_COMMAND_OK;
}

enum smtp_command_result
smtp_parameters_mail(struct text argument, struct smtp_command *command)
{
	static const struct parameter known[] = { { "SIZE=", parse_size },
		{ "BODY=", parse_body }, { "SMTPUTF8", parse_smtputf8 },
		{ "AUTH=", parse_auth }, { "RET=", parse_return },
		{ "ENVID=", parse_envelope_id },
		{ "REQUIRETLS", parse_requiretls },
		{ "MT-PRIORITY=", parse_priority },
		{ "HOLDFOR=", parse_hold_for },
		{ "HOLDUNTIL=", parse_hold_until }, { "BY=", parse_by } };

	return parse_all(
	    argument, known, sizeof(known) / sizeof(known[0]), command);
}

enum smtp_command_result
smtp_parameters_rcpt(struct text argument, struct smtp_command *command)
{
	static const struct parameter known[] = { { "NOTIFY=", parse_notify },
		{ "ORCPT=", parse_original } };

	return parse_all(
	    argument, known, sizeof(known) / sizeof(known[0]), command);
}
