/*
 * Any bytes as an IMAP client's: cut into commands, and each parsed by every
 * grammar that a session has.
 */
#include "imapd/base_subject.h"
#include "imapd/fetch_items.h"
#include "imapd/imap_input.h"
#include "imapd/imap_parser.h"
#include "imapd/imap_url.h"
#include "imapd/list_pattern.h"
#include "imapd/notify_request.h"
#include "imapd/qresync_request.h"
#include "imapd/search_keys.h"
#include "imapd/sort_keys.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct imap_input_limits limits = {
	.line = 4096,
	.command = 16384,
	.skipped = 1 << 20,
};

static void
parse_sort(struct text command, struct pool *pool)
{
	struct search_request request = { 0 };
	struct sort_criteria criteria;
	struct imap_parser parser;
	bool is_reply;

	imap_parser_init(&parser, text_skip(command, 1), pool);
	if (sort_criteria_parse(&parser, &criteria) == 0 &&
	    imap_parse_space(&parser) == 0 &&
	    search_keys_parse_charset(&parser, &request) == 0)
		(void)search_keys_parse_keys(&parser, &request);
	(void)base_subject(command, pool, &is_reply);
}

static void
parse_notify(struct text command, struct pool *pool)
{
	static struct notify_request request;
	struct imap_parser parser;

	imap_parser_init(&parser, command, pool);
	if (notify_request_parse(&parser, &request) == 0)
		(void)notify_request_selected(&request);
}

static void
parse_all(struct text command)
{
	struct pool *pool = pool_new();
	struct search_request request;
	struct qresync_request known;
	struct fetch_items items;
	struct imap_parser parser;
	struct imap_flags flags;
	struct imap_url url;
	const char *name;
	struct text tag, word;
	int64_t time;

	imap_parser_init(&parser, command, pool);
	(void)imap_parse_tag(&parser, &tag);
	(void)imap_parse_space(&parser);
	(void)imap_parse_atom(&parser, &word);
	command = parser.rest;
	/* As with UIDONLY, for every other one. */
	parser.has_no_numbers = tag.size % 2 == 1;
	(void)search_keys_parse(&parser, &request);
	imap_parser_init(&parser, text_skip(command, 1), pool);
	(void)fetch_items_parse(&parser, &items);
	(void)imap_url_parse(text_skip(command, 1), pool, &url);
	imap_parser_init(&parser, command, pool);
	parser.has_no_numbers = tag.size % 2 == 1;
	(void)qresync_parse(&parser, &known);
	parse_sort(command, pool);
	parse_notify(command, pool);
	imap_parser_init(&parser, text_skip(command, 1), pool);
	(void)imap_parse_flags(&parser, true, &flags);
	imap_parser_init(&parser, text_skip(command, 1), pool);
	(void)imap_parse_date_time(&parser, &time);
	imap_parser_init(&parser, text_skip(command, 1), pool);
	if (imap_parse_list_mailbox(&parser, &name) == 0) {
		(void)list_pattern_matches(text_of(name), command);
		(void)list_pattern_reaches(text_of(name), command);
	}
	pool_free(&pool);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text bytes = text_make(data, size), part = { NULL, 0 };
	struct imap_input input;
	enum imap_input_event event = IMAP_INPUT_MORE;

	imap_input_init(&input, &limits);
	while (bytes.size > 0 && event != IMAP_INPUT_HOPELESS) {
		event = imap_input_next(&input, &bytes, &part);
		if (event == IMAP_INPUT_COMMAND)
			parse_all(
			    text_make(input.command.data, input.command.size));
		else if (event == IMAP_INPUT_LITERAL) {
			if (imap_input_fits(&input))
				imap_input_take(&input);
			else if ((input.literal_left & 1) != 0)
				imap_input_stream(&input);
			else if (imap_input_refuse(&input) == -1)
				break;
		}
	}
	imap_input_clear(&input);
	return 0;
}
