/*
 * See sort_keys.h.
 */
#include "imapd/sort_keys.h"

#include "common/casefold.h"
#include "common/mail_address.h"
#include "common/mail_date.h"
#include "common/mail_header.h"
#include "imapd/base_subject.h"
#include "imapd/header_text.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	enum sort_kind kind;
	const char *field;
} rules[] = {
	{ "ARRIVAL", SORT_ARRIVAL, NULL },
	{ "SIZE", SORT_SIZE, NULL },
	{ "DATE", SORT_DATE, "Date" },
	{ "SUBJECT", SORT_SUBJECT, "Subject" },
	{ "CC", SORT_CC, "Cc" },
	{ "FROM", SORT_FROM, "From" },
	{ "TO", SORT_TO, "To" },
	{ "DISPLAYFROM", SORT_DISPLAYFROM, "From" },
	{ "DISPLAYTO", SORT_DISPLAYTO, "To" },
};
enum {
	RULE_COUNT = sizeof(rules) / sizeof(*rules)
};

/* -- Criteria -- */

static int
parse_criterion(struct imap_parser *parser, struct sort_criterion *criterion)
{
	struct text name;

	criterion->is_reverse = imap_parse_skip_word(parser, "REVERSE");
	if (criterion->is_reverse && imap_parse_space(parser) == -1)
		return -1;
	if (imap_parse_atom(parser, &name) == -1)
		return -1;
	for (size_t i = 0; i < RULE_COUNT; i++) {
		if (!text_is_nocase(name, rules[i].name))
			continue;
		criterion->kind = rules[i].kind;
		return 0;
	}
	return imap_parse_error(parser, "Unknown sort criterion");
}

int
sort_criteria_parse(struct imap_parser *parser, struct sort_criteria *criteria)
{
	criteria->count = 0;
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "List of criteria expected");
	do {
		if (criteria->count == SORT_MAX_CRITERIA)
			return imap_parse_error(parser, "Too many criteria");
		if (parse_criterion(
			parser, &criteria->list[criteria->count++]) == -1)
			return -1;
	} while (imap_parse_skip(parser, ' '));
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

const char *
sort_criterion_field(const struct sort_criterion *criterion)
{
	size_t i = 0;

	while (rules[i].kind != criterion->kind)
		i++;
	return rules[i].field;
}

/* -- Values -- */

/* As people read it; empty beyond the limit. */
static struct text
decoded(struct text value, struct pool *pool)
{
	struct buf buf;
	struct text result = { "", 0 };

	buf_init(&buf, 4 * HEADER_TEXT_MAX_VALUE);
	if (header_text_decode(value, &buf) == 0)
		result =
		    text_make(pool_copy(pool, buf.data, buf.size), buf.size);
	buf_clear(&buf);
	return result;
}

/* RFC 5256: the mailbox of the first address. */
static struct text
first_mailbox(struct text value, struct pool *pool)
{
	const struct mail_address *address =
	    mail_address_parse_list(value, pool);

	return address == NULL || address->mailbox.data == NULL
		   ? text_make("", 0)
		   : address->mailbox;
}

/* RFC 5957: the name of the first one, else its address. */
static struct text
first_display(struct text value, struct pool *pool)
{
	const struct mail_address *address =
	    mail_address_parse_list(value, pool);
	char *whole;
	size_t size;

	if (address == NULL || address->mailbox.data == NULL)
		return text_make("", 0);
	if (address->name.size > 0)
		return decoded(address->name, pool);
	if (address->host.size == 0)
		return decoded(address->mailbox, pool);
	size = address->mailbox.size + 1 + address->host.size;
	whole = pool_alloc(pool, size + 1, 1);
	snprintf(whole, size + 1, "%.*s@%.*s", TEXT_FMT(address->mailbox),
	    TEXT_FMT(address->host));
	return text_make(whole, size);
}

static struct text
text_of_field(enum sort_kind kind, struct text value, struct pool *pool)
{
	bool is_reply;

	switch (kind) {
	case SORT_SUBJECT:
		return base_subject(decoded(value, pool), pool, &is_reply);
	case SORT_DISPLAYFROM:
	case SORT_DISPLAYTO:
		return first_display(value, pool);
	default:
		return first_mailbox(value, pool);
	}
}

int64_t
sort_sent_time(const struct mailbox_row *row, struct text header)
{
	struct mail_field field;
	struct mail_date date;

	if (mail_header_find(header, "Date", &field) &&
	    mail_date_parse(text_trim(field.value), &date) == 0)
		return date.time;
	return row->internaldate;
}

struct text
sort_subject(
    struct text header, struct pool *keep, struct pool *pool, bool *is_reply)
{
	struct mail_field field;
	struct text folded;

	*is_reply = false;
	if (!mail_header_find(header, "Subject", &field))
		return text_make("", 0);
	folded = casefold(
	    base_subject(decoded(field.value, pool), pool, is_reply), pool);
	return text_make(
	    pool_copy(keep, folded.data, folded.size), folded.size);
}

static void
make_value(const struct sort_criterion *criterion,
    const struct mailbox_row *row, struct text header, struct pool *keep,
    struct pool *pool, struct sort_value *value)
{
	struct mail_field field;
	struct text folded;

	switch (criterion->kind) {
	case SORT_ARRIVAL:
		value->number = row->internaldate;
		return;
	case SORT_SIZE:
		value->number = (int64_t)row->size;
		return;
	case SORT_DATE:
		value->number = sort_sent_time(row, header);
		return;
	default:
		break;
	}
	value->text = text_make("", 0);
	if (!mail_header_find(header, sort_criterion_field(criterion), &field))
		return;
	folded =
	    casefold(text_of_field(criterion->kind, field.value, pool), pool);
	value->text =
	    text_make(pool_copy(keep, folded.data, folded.size), folded.size);
}

struct sort_item
sort_item_make(const struct sort_criteria *criteria,
    const struct mailbox_row *row, struct text header, struct pool *keep,
    struct pool *pool)
{
	struct sort_value *values =
	    pool_alloc(keep, criteria->count, sizeof(*values));

	for (size_t i = 0; i < criteria->count; i++)
		make_value(
		    &criteria->list[i], row, header, keep, pool, &values[i]);
	return (struct sort_item){ row->uid, values };
}

/* -- Order -- */

static int
compare_values(
    enum sort_kind kind, const struct sort_value *a, const struct sort_value *b)
{
	if (kind > SORT_DATE)
		return text_compare(a->text, b->text);
	return a->number == b->number ? 0 : a->number < b->number ? -1 : 1;
}

static int
compare_items(const void *a, const void *b, void *context)
{
	const struct sort_criteria *criteria = context;
	const struct sort_item *left = a, *right = b;

	for (size_t i = 0; i < criteria->count; i++) {
		const struct sort_criterion *c = &criteria->list[i];
		int order = compare_values(
		    c->kind, &left->values[i], &right->values[i]);

		if (order != 0)
			return c->is_reverse ? -order : order;
	}
	return left->uid < right->uid ? -1 : left->uid > right->uid;
}

void
sort_items(
    const struct sort_criteria *criteria, struct sort_item *items, size_t count)
{
	qsort_r(items, count, sizeof(*items), compare_items,
	    (void *)(uintptr_t)criteria);
}
