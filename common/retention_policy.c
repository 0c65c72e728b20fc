/* See retention_policy.h. */
#include "common/retention_policy.h"

#include "common/span.h"

#include <stdio.h>
#include <string.h>

/* The next word of `rest`, which commas and blanks end. */
static struct text
take_word(struct text *rest, bool *has_comma)
{
	struct text word;
	size_t size = 0;

	*rest = text_trim(*rest);
	while (size < rest->size && rest->data[size] != ' ' &&
	       rest->data[size] != '\t' && rest->data[size] != ',')
		size++;
	word = text_make(rest->data, size);
	*rest = text_trim(text_skip(*rest, size));
	*has_comma = rest->size > 0 && rest->data[0] == ',';
	if (*has_comma)
		*rest = text_skip(*rest, 1);
	return word;
}

static int
parse_tier(struct text every, struct text *rest, struct retention *policy,
    bool *has_comma, struct error *error)
{
	size_t n = policy->count;
	struct text keyword, span;
	uint64_t every_s, span_s;

	keyword = take_word(rest, has_comma);
	span = *has_comma ? text_make(NULL, 0) : take_word(rest, has_comma);
	if (!text_is(keyword, "for") || span_parse(every, &every_s) != 0 ||
	    every_s == 0 || span_parse(span, &span_s) != 0)
		return error_set(error, ERROR_INPUT,
		    "a tier of keep is \"1h for 7d\", not \"%.*s %.*s %.*s\"",
		    TEXT_FMT(every), TEXT_FMT(keyword), TEXT_FMT(span));
	if (n == RETENTION_MAX_TIERS)
		return error_set(error, ERROR_LIMIT, "more than %d tiers",
		    RETENTION_MAX_TIERS);
	if (span_s < every_s ||
	    (n > 0 && (every_s <= policy->tiers[n - 1].every_s ||
			  span_s <= policy->tiers[n - 1].span_s)))
		return error_set(error, ERROR_INPUT,
		    "tiers of keep must grow from left to right, and each "
		    "last for one of its intervals");
	policy->tiers[n].every_s = every_s;
	policy->tiers[n].span_s = span_s;
	policy->count++;
	return 0;
}

int
retention_policy_parse(
    struct text text, struct retention *policy, struct error *error)
{
	struct text rest = text_trim(text), word;
	bool has_comma = true;

	memset(policy, 0, sizeof(*policy));
	while (has_comma) {
		word = take_word(&rest, &has_comma);
		if (word.size == 0 || has_comma)
			return error_set(
			    error, ERROR_INPUT, "a tier of keep is missing");
		if (parse_tier(word, &rest, policy, &has_comma, error) != 0)
			return -1;
	}
	word = take_word(&rest, &has_comma);
	if (!text_is(word, "minimum") ||
	    span_parse(rest, &policy->minimum_s) != 0 ||
	    policy->minimum_s == 0 || policy->minimum_s > 3153600000)
		return error_set(error, ERROR_INPUT,
		    "after the tiers stands \"minimum 30d\": a time, 100 years "
		    "at most");
	return 0;
}

void
retention_policy_format(
    const struct retention *policy, char to[RETENTION_TEXT_SIZE])
{
	char every[SPAN_SIZE], span[SPAN_SIZE];
	size_t i, size = 0;

	for (i = 0; i < policy->count && size < RETENTION_TEXT_SIZE; i++) {
		span_format(policy->tiers[i].every_s, every);
		span_format(policy->tiers[i].span_s, span);
		size += (size_t)snprintf(to + size, RETENTION_TEXT_SIZE - size,
		    "%s%s for %s", i > 0 ? ", " : "", every, span);
	}
	span_format(policy->minimum_s, span);
	if (size < RETENTION_TEXT_SIZE)
		snprintf(to + size, RETENTION_TEXT_SIZE - size, "%sminimum %s",
		    i > 0 ? " " : "", span);
}

void
retention_policy_put(struct writer *writer, const struct retention *policy)
{
	size_t i;

	writer_put_u64(writer, policy->every_s);
	writer_put_u64(writer, policy->minimum_s);
	writer_put_u8(writer, (uint8_t)policy->count);
	for (i = 0; i < policy->count; i++) {
		writer_put_u64(writer, policy->tiers[i].every_s);
		writer_put_u64(writer, policy->tiers[i].span_s);
	}
}

void
retention_policy_get(struct reader *reader, struct retention *policy)
{
	size_t i;

	memset(policy, 0, sizeof(*policy));
	policy->every_s = reader_get_u64(reader);
	policy->minimum_s = reader_get_u64(reader);
	policy->count = reader_get_u8(reader);
	if (policy->count > RETENTION_MAX_TIERS) {
		policy->count = 0;
		reader->failed = true;
	}
	for (i = 0; i < policy->count; i++) {
		policy->tiers[i].every_s = reader_get_u64(reader);
		policy->tiers[i].span_s = reader_get_u64(reader);
	}
}
