/* See sts_policy.h. */
#include "smtpd/sts_policy.h"

#include "smtpd/tag_list.h"

#include <string.h>

/* What of the policy was seen, a bit each. */
enum {
	SEEN_VERSION = 1,
	SEEN_MODE = 2,
	SEEN_MAX_AGE = 4
};

static bool
is_letter_or_digit(char c)
{
	char lower = text_lower_byte(c);

	return (lower >= 'a' && lower <= 'z') || text_is_digit(c);
}

/* -- Names -- */

static bool
is_label(struct text label)
{
	if (label.size == 0 || label.size > 63)
		return false;
	for (size_t i = 0; i < label.size; i++)
		if (!is_letter_or_digit(label.data[i]) &&
		    label.data[i] != '-' && label.data[i] != '_')
			return false;
	return true;
}

/* A name of at least two labels, or *. and one of at least two. */
static int
copy_pattern(struct text value, char to[256])
{
	struct text rest = value, label;
	size_t labels = 0;

	if (value.size > 2 && memcmp(value.data, "*.", 2) == 0)
		rest = text_skip(rest, 2);
	if (rest.size == 0 || value.size > 253 ||
	    rest.data[rest.size - 1] == '.')
		return -1;
	while (text_next(&rest, '.', &label)) {
		if (!is_label(label))
			return -1;
		labels++;
	}
	if (labels < 2)
		return -1;
	for (size_t i = 0; i < value.size; i++)
		to[i] = text_lower_byte(value.data[i]);
	to[value.size] = '\0';
	return 0;
}

static bool
matches(const char *pattern, struct text host)
{
	ptrdiff_t dot;

	if (pattern[0] != '*')
		return text_is_nocase(host, pattern);
	dot = text_find_byte(host, '.');
	return dot > 0 &&
	       text_is_nocase(text_skip(host, (size_t)dot), pattern + 1);
}

bool
sts_policy_matches(const struct sts_policy *policy, struct text host)
{
	if (host.size > 0 && host.data[host.size - 1] == '.')
		host.size--;
	for (size_t i = 0; i < policy->mx_count; i++)
		if (matches(policy->mx[i], host))
			return true;
	return false;
}

/* -- The policy -- */

static int
take_mx(struct sts_policy *policy, struct text value, struct error *error)
{
	if (policy->mx_count == STS_MAX_MX)
		return error_set(
		    error, ERROR_LIMIT, "more than %d lines mx", STS_MAX_MX);
	if (copy_pattern(value, policy->mx[policy->mx_count]) == -1)
		return error_set(
		    error, ERROR_INPUT, "a line mx that is no name");
	policy->mx_count++;
	return 0;
}

static int
take_mode(struct sts_policy *policy, struct text value, struct error *error)
{
	static const char *const names[] = { [STS_NONE] = "none",
		[STS_TESTING] = "testing",
		[STS_ENFORCE] = "enforce" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!text_is(value, names[i]))
			continue;
		policy->mode = (enum sts_mode)i;
		return 0;
	}
	return error_set(error, ERROR_INPUT, "an unknown mode");
}

/* One to ten digits. */
static int
take_max_age(struct sts_policy *policy, struct text value, struct error *error)
{
	uint64_t seconds;

	if (value.size > 10 ||
	    text_parse_number(value, UINT64_MAX, &seconds) == -1)
		return error_set(error, ERROR_INPUT, "max_age is no number");
	if (seconds > STS_MAX_AGE_S)
		seconds = STS_MAX_AGE_S;
	policy->max_age_s = (uint32_t)seconds;
	return 0;
}

static int
take_version(struct text value, struct error *error)
{
	if (text_is(value, "STSv1"))
		return 0;
	return error_set(error, ERROR_INPUT, "the version is not STSv1");
}

static int
take_field(struct sts_policy *policy, unsigned int *seen, struct text key,
    struct text value, struct error *error)
{
	unsigned int bit = 0;
	int status = 0;

	if (text_is(key, "version"))
		bit = SEEN_VERSION;
	else if (text_is(key, "mode"))
		bit = SEEN_MODE;
	else if (text_is(key, "max_age"))
		bit = SEEN_MAX_AGE;
	else if (text_is(key, "mx"))
		return take_mx(policy, value, error);
	if ((*seen & bit) != 0)
		return 0;
	if (bit == SEEN_VERSION)
		status = take_version(value, error);
	else if (bit == SEEN_MODE)
		status = take_mode(policy, value, error);
	else if (bit == SEEN_MAX_AGE)
		status = take_max_age(policy, value, error);
	*seen |= bit;
	return status;
}

/* `name: value`, blanks allowed behind the colon and at the end. */
static int
take_line(struct sts_policy *policy, unsigned int *seen, struct text line,
    struct error *error)
{
	ptrdiff_t colon = text_find_byte(line, ':');
	struct text key = line;

	if (colon < 0 && text_trim(line).size == 0)
		return 0;
	if (colon <= 0)
		return error_set(
		    error, ERROR_INPUT, "a line that is not KEY: VALUE");
	key.size = (size_t)colon;
	return take_field(policy, seen, key,
	    text_trim(text_skip(line, (size_t)colon + 1)), error);
}

static int
check_whole(
    const struct sts_policy *policy, unsigned int seen, struct error *error)
{
	if ((seen & SEEN_VERSION) == 0)
		return error_set(error, ERROR_INPUT, "no version");
	if ((seen & SEEN_MODE) == 0)
		return error_set(error, ERROR_INPUT, "no mode");
	if ((seen & SEEN_MAX_AGE) == 0)
		return error_set(error, ERROR_INPUT, "no max_age");
	if (policy->mx_count == 0 && policy->mode != STS_NONE)
		return error_set(error, ERROR_INPUT, "no mx");
	return 0;
}

int
sts_policy_parse(
    struct text text, struct sts_policy *policy, struct error *error)
{
	unsigned int seen = 0;
	struct text line;

	memset(policy, 0, sizeof(*policy));
	if (text.size > STS_MAX_POLICY_BYTES)
		return error_set(error, ERROR_LIMIT, "larger than %d bytes",
		    STS_MAX_POLICY_BYTES);
	while (text_next(&text, '\n', &line)) {
		if (line.size > 0 && line.data[line.size - 1] == '\r')
			line.size--;
		if (take_line(policy, &seen, line, error) == -1)
			return -1;
	}
	return check_whole(policy, seen, error);
}

/* -- The record -- */

static int
take_id(struct text value, char id[STS_ID_SIZE])
{
	if (value.size == 0 || value.size >= STS_ID_SIZE)
		return -1;
	for (size_t i = 0; i < value.size; i++)
		if (!is_letter_or_digit(value.data[i]))
			return -1;
	return text_copy(value, id, STS_ID_SIZE);
}

int
sts_record_parse(struct text record, char id[STS_ID_SIZE])
{
	struct text rest, key, value;
	int status;

	id[0] = '\0';
	if (!tag_list_begins(record, "v=STSv1", &rest))
		return 0;
	while ((status = tag_list_next(&rest, &key, &value)) == 1)
		if (text_is(key, "id") && id[0] == '\0' &&
		    take_id(value, id) == -1)
			return -1;
	return status == 0 && id[0] != '\0' ? 1 : -1;
}

bool
sts_policy_is_old(int64_t since, int64_t until, int64_t now)
{
	int64_t after = (until - since) / 2;

	return now - since >= (after < STS_REFRESH_S ? after : STS_REFRESH_S);
}
