/*
 * Matches one message against a SEARCH.  Row and bytes come from cmd_search;
 * fields are compared decoded (RFC 2047), text parts decoded from their
 * transfer encoding and charset, all by i;unicode-casemap (RFC 5051).  Bytes of
 * a message may be anything: they are only compared.
 */
#include "imapd/search_match.h"

#include "common/casefold.h"
#include "common/charset.h"
#include "common/mail_date.h"
#include "common/mail_header.h"
#include "common/mime_encoding.h"
#include "common/record.h"
#include "imapd/header_text.h"

#include <string.h>

enum {
	MATCH_MAX_PART = 16 * 1024 * 1024
};

static enum search_result
result_of(bool is_true)
{
	return is_true ? SEARCH_YES : SEARCH_NO;
}

/* It says what it means: one line, no encoded word, nothing but ASCII. */
static bool
is_plain(struct text value)
{
	for (size_t i = 0; i < value.size; i++) {
		unsigned char c = (unsigned char)value.data[i];

		if (c < ' ' || c >= 0x80 ||
		    (c == '=' && i + 1 < value.size &&
			value.data[i + 1] == '?'))
			return false;
	}
	return true;
}

static bool
value_contains(struct text value, struct text folded, struct pool *pool)
{
	struct buf decoded;
	bool found = false;

	if (is_plain(value))
		return casefold_contains(value, folded, pool);
	buf_init(&decoded, 4 * HEADER_TEXT_MAX_VALUE);
	if (header_text_decode(value, &decoded) == 0)
		found = casefold_contains(
		    text_make(decoded.data, decoded.size), folded, pool);
	buf_clear(&decoded);
	return found;
}

/* False if no field contains it, whatever their names and ends are: found out
 * without a look at each. What is looked for has no blank, so that no fold
 * stands in it, and nothing is spelt in another way than it stands. */
static bool
header_may_contain(struct text header, struct text folded, struct pool *pool)
{
	const char *at = header.data, *end = header.data + header.size;

	for (size_t i = 0; i < folded.size; i++)
		if (folded.data[i] <= ' ' || folded.data[i] >= 0x7f)
			return true;
	if (!text_is_ascii(header) || casefold_contains(header, folded, pool))
		return true;
	while ((at = memchr(at, '?', (size_t)(end - at))) != NULL)
		if (at++ > header.data && at[-2] == '=')
			return true;
	return false;
}

/* Any field, or that of key->field. */
static bool
header_contains(
    struct text header, const struct search_key *key, struct pool *pool)
{
	struct mail_field field;
	struct text rest = header;

	while (mail_header_next(&rest, &field)) {
		if (key->kind == SEARCH_HEADER) {
			if (text_equal_nocase(field.name, key->field) &&
			    value_contains(field.value, key->text, pool))
				return true;
		} else if (casefold_contains(field.name, key->text, pool) ||
			   value_contains(field.value, key->text, pool))
			return true;
	}
	return false;
}

static struct text
part_bytes(const struct search_subject *subject, const struct mime_span *span)
{
	if (span->offset > subject->stored.size ||
	    span->size > subject->stored.size - span->offset)
		return text_make(NULL, 0);
	return text_make(
	    subject->stored.data + span->offset, (size_t)span->size);
}

/* Decoding would change nothing. */
static bool
is_as_it_stands(const struct mime_decoder *decoder,
    const struct charset *charset, struct text body)
{
	return decoder->encoding == MIME_ENCODING_IDENTITY && charset != NULL &&
	       charset_keeps_ascii(charset) && body.size <= MATCH_MAX_PART &&
	       text_is_ascii(body);
}

static bool
decoded_contains(
    struct text body, struct text header, struct text folded, struct pool *pool)
{
	struct mime_decoder decoder = { MIME_ENCODING_IDENTITY, 0, 0, 0, "" };
	const struct charset *charset = NULL;
	struct mail_field field;
	struct text name;
	struct buf bytes, utf8;
	bool found = false;

	buf_init(&bytes, MATCH_MAX_PART);
	buf_init(&utf8, 4 * MATCH_MAX_PART);
	if (mail_header_find(header, "Content-Transfer-Encoding", &field))
		decoder.encoding = mime_encoding_find(text_trim(field.value));
	if (mail_header_find(header, "Content-Type", &field)) {
		name = mime_parameter_find(field.value, "charset", pool);
		if (name.data != NULL)
			charset = charset_find(name);
	}
	if (charset == NULL)
		charset = charset_find(TEXT("utf-8"));
	if (is_as_it_stands(&decoder, charset, body))
		return casefold_contains(body, folded, pool);
	/* A part beyond the limit is searched up to it. */
	(void)mime_decode(&decoder, body, &bytes);
	(void)mime_decode_end(&decoder, &bytes);
	if (charset != NULL) {
		(void)charset_decode(
		    charset, text_make(bytes.data, bytes.size), &utf8);
		found = casefold_contains(
		    text_make(utf8.data, utf8.size), folded, pool);
	}
	buf_clear(&bytes);
	buf_clear(&utf8);
	return found;
}

static bool
is_text_part(struct text header)
{
	struct mail_field field;

	if (!mail_header_find(header, "Content-Type", &field))
		return true;
	return text_starts_nocase(text_trim(field.value), "text/") ||
	       text_starts_nocase(text_trim(field.value), "text;") ||
	       text_trim(field.value).size == 0;
}

static bool
body_contains(const struct search_subject *subject,
    const struct mime_part *part, const struct search_key *key)
{
	const struct mime_part *child;
	struct text header = part_bytes(subject, &part->header);

	if (part->kind == MIME_LEAF)
		return is_text_part(header) &&
		       decoded_contains(part_bytes(subject, &part->body),
			   header, key->text, subject->pool);
	for (child = part->child; child != NULL; child = child->next) {
		/* The header of an enclosed message, and of parts, is text of
		 * the body. */
		struct search_key any = { .kind = SEARCH_TEXT,
			.text = key->text };

		if (header_contains(part_bytes(subject, &child->header), &any,
			subject->pool) ||
		    body_contains(subject, child, key))
			return true;
	}
	return false;
}

/* Days since 1970 of the Date field, as it says, whatever its zone. */
static bool
sent_day(struct text header, int64_t *day)
{
	struct mail_date date;
	struct mail_field field;
	int64_t local;

	if (!mail_header_find(header, "Date", &field) ||
	    mail_date_parse(text_trim(field.value), &date) == -1)
		return false;
	local = date.time + (int64_t)date.zone * 60;
	*day = local >= 0 ? local / 86400 : -((86399 - local) / 86400);
	return true;
}

static enum search_result
match_sent(const struct search_key *key, struct text header)
{
	int64_t day;

	if (!sent_day(header, &day))
		return SEARCH_NO;
	if (key->kind == SEARCH_SENTBEFORE)
		return result_of(day < key->day);
	if (key->kind == SEARCH_SENTON)
		return result_of(day == key->day);
	return result_of(day >= key->day);
}

/* By the fields in the cache, if those that are asked for are among them. */
static enum search_result
match_cached(const struct search_key *key, const struct search_subject *subject)
{
	const struct message_cache *cache = subject->cache;

	switch (key->kind) {
	case SEARCH_HEADER:
		if (!message_cache_has_name(cache, key->field))
			return SEARCH_UNKNOWN;
		return result_of(
		    header_may_contain(
			cache->fields, key->text, subject->pool) &&
		    header_contains(cache->fields, key, subject->pool));
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		if (!message_cache_has_name(cache, TEXT("Date")))
			return SEARCH_UNKNOWN;
		return match_sent(key, cache->fields);
	default:
		return SEARCH_UNKNOWN;
	}
}

static enum search_result
match_content(
    const struct search_key *key, const struct search_subject *subject)
{
	struct text header;

	if (subject->root == NULL)
		return subject->cache == NULL ? SEARCH_UNKNOWN
					      : match_cached(key, subject);
	header = part_bytes(subject, &subject->root->header);
	switch (key->kind) {
	case SEARCH_HEADER:
		return result_of(header_contains(header, key, subject->pool));
	case SEARCH_BODY:
		return result_of(body_contains(subject, subject->root, key));
	case SEARCH_TEXT:
		return result_of(header_contains(header, key, subject->pool) ||
				 body_contains(subject, subject->root, key));
	default:
		return match_sent(key, header);
	}
}

static bool
has_keyword(const struct search_subject *subject, struct text name)
{
	size_t i;

	for (i = 0; i < subject->info->keyword_count && i < 64; i++) {
		if (text_equal_nocase(subject->info->keywords[i], name))
			return (subject->row->keywords >> i & 1) != 0;
	}
	return false;
}

static int64_t
day_of(int64_t time)
{
	return time >= 0 ? time / 86400 : -((86399 - time) / 86400);
}

static enum search_result
match_row(const struct search_key *key, const struct search_subject *subject)
{
	const struct mailbox_row *row = subject->row;

	switch (key->kind) {
	case SEARCH_ALL:
		return SEARCH_YES;
	case SEARCH_FLAG:
		return result_of(
		    ((row->flags & key->number) == 0) == key->is_unset);
	case SEARCH_KEYWORD:
		return result_of(
		    has_keyword(subject, key->text) != key->is_unset);
	case SEARCH_RECENT:
		return result_of(subject->is_recent != key->is_unset);
	case SEARCH_NEW:
		return result_of(
		    subject->is_recent && (row->flags & FLAG_SEEN) == 0);
	case SEARCH_SET:
		return result_of(
		    imap_set_has(&key->set, (uint32_t)subject->number));
	case SEARCH_UID:
		return result_of(imap_set_has(&key->set, row->uid));
	case SEARCH_LARGER:
		return result_of(row->size > key->number);
	case SEARCH_SMALLER:
		return result_of(row->size < key->number);
	case SEARCH_MODSEQ:
		return result_of(row->modseq >= key->number);
	case SEARCH_BEFORE:
		return result_of(day_of(row->internaldate) < key->day);
	case SEARCH_ON:
		return result_of(day_of(row->internaldate) == key->day);
	case SEARCH_SINCE:
		return result_of(day_of(row->internaldate) >= key->day);
	case SEARCH_SAVEDBEFORE:
		return result_of(day_of(subject->saved) < key->day);
	case SEARCH_SAVEDON:
		return result_of(day_of(subject->saved) == key->day);
	case SEARCH_SAVEDSINCE:
		return result_of(day_of(subject->saved) >= key->day);
	case SEARCH_SAVEDATESUPPORTED:
		return result_of(subject->has_saved);
	case SEARCH_EMAILID:
		return result_of(text_is(key->text, subject->email_id));
	case SEARCH_THREADID:
		return SEARCH_NO; /* none has a name */
	case SEARCH_OLDER:
		return result_of(
		    row->internaldate <= subject->now - (int64_t)key->number);
	case SEARCH_YOUNGER:
		return result_of(
		    row->internaldate >= subject->now - (int64_t)key->number);
	default:
		return match_content(key, subject);
	}
}

static enum search_result
match_children(const struct search_key *key,
    const struct search_subject *subject, enum search_result decides)
{
	enum search_result result, all;
	const struct search_key *child;

	all = decides == SEARCH_NO ? SEARCH_YES : SEARCH_NO;
	for (child = key->child; child != NULL; child = child->next) {
		result = search_match(child, subject);
		if (result == decides)
			return result;
		if (result == SEARCH_UNKNOWN)
			all = SEARCH_UNKNOWN;
	}
	return all;
}

enum search_result
search_match(const struct search_key *key, const struct search_subject *subject)
{
	enum search_result result;

	switch (key->kind) {
	case SEARCH_AND:
		return match_children(key, subject, SEARCH_NO);
	case SEARCH_OR:
		return match_children(key, subject, SEARCH_YES);
	case SEARCH_NOT:
		result = search_match(key->child, subject);
		if (result == SEARCH_UNKNOWN)
			return result;
		return result_of(result == SEARCH_NO);
	default:
		return match_row(key, subject);
	}
}
