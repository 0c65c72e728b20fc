/*
 * The order of SORT (RFC 5256, RFC 5957): its criteria, and what of a message
 * they look at.  Texts are compared without regard to case (common/casefold.h).
 * Pure.
 */
#ifndef IMAPD_SORT_KEYS_H
#define IMAPD_SORT_KEYS_H

#include "imapd/imap_parser.h"
#include "imapd/mailbox.h"

enum {
	SORT_MAX_CRITERIA = 16
};

enum sort_kind {
	SORT_ARRIVAL,
	SORT_SIZE,
	SORT_DATE, /* from here on the header */
	SORT_SUBJECT,
	SORT_CC,
	SORT_FROM,
	SORT_TO,
	SORT_DISPLAYFROM,
	SORT_DISPLAYTO
};

struct sort_criterion {
	enum sort_kind kind;
	bool is_reverse;
};

struct sort_criteria {
	size_t count;
	struct sort_criterion list[SORT_MAX_CRITERIA];
};

/* One message: a number or a text for each criterion. */
struct sort_value {
	int64_t number;
	struct text text;
};
struct sort_item {
	uint32_t uid;
	const struct sort_value *values;
};

/* "(REVERSE DATE SUBJECT)"; 0, or -1 with parser->error. */
int sort_criteria_parse(
    struct imap_parser *parser, struct sort_criteria *criteria);
/* The field that a criterion looks at, NULL for the row. */
const char *sort_criterion_field(const struct sort_criterion *criterion);

/* `header` is that of the message, or the fields that are needed. Values are in
 * `keep`, `pool` is for what is needed in between. */
struct sort_item sort_item_make(const struct sort_criteria *criteria,
    const struct mailbox_row *row, struct text header, struct pool *keep,
    struct pool *pool);
/* When it was sent; when it came, if it does not say. */
int64_t sort_sent_time(const struct mailbox_row *row, struct text header);
/* The base subject in the form that is compared, in `keep`; see
 * base_subject.h. */
struct text sort_subject(
    struct text header, struct pool *keep, struct pool *pool, bool *is_reply);
/* Equal ones stand by UID. */
void sort_items(const struct sort_criteria *criteria, struct sort_item *items,
    size_t count);

#endif
