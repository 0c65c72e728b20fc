/*
 * See search_return.h.
 */
#include "imapd/search_return.h"

static int
parse_option(struct imap_parser *parser, struct search_return *options)
{
	if (imap_parse_skip_word(parser, "MIN"))
		options->is_min = true;
	else if (imap_parse_skip_word(parser, "MAX"))
		options->is_max = true;
	else if (imap_parse_skip_word(parser, "ALL"))
		options->is_all = true;
	else if (imap_parse_skip_word(parser, "COUNT"))
		options->is_count = true;
	else if (imap_parse_skip_word(parser, "SAVE"))
		options->is_save = true;
	else if (imap_parse_skip_word(parser, "PARTIAL"))
		return imap_parse_space(parser) == -1
			   ? -1
			   : partial_range_parse(parser, &options->partial);
	else
		return imap_parse_error(parser, "Unknown return option");
	return 0;
}

int
search_return_parse(struct imap_parser *parser, struct search_return *options)
{
	if (!imap_parse_skip_word(parser, "RETURN"))
		return 0;
	options->is_given = true;
	if (imap_parse_space(parser) == -1)
		return -1;
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "List of options expected");
	while (!imap_parse_skip(parser, ')')) {
		if (parse_option(parser, options) == -1)
			return -1;
		if (!imap_parse_skip(parser, ' ') &&
		    !imap_parse_next_is(parser, ')'))
			return imap_parse_error(parser, "List has no end");
	}
	if (options->is_all && options->partial.is_given)
		return imap_parse_error(parser, "ALL and PARTIAL exclude each "
						"other");
	if (!options->is_min && !options->is_max && !options->is_count &&
	    !options->is_save && !options->partial.is_given)
		options->is_all = true;
	return imap_parse_space(parser);
}

bool
search_return_is_ends(const struct search_return *options)
{
	return (options->is_min || options->is_max) && !options->is_all &&
	       !options->is_count && !options->partial.is_given;
}

bool
search_return_is_quiet(const struct search_return *options)
{
	return options->is_save && !options->is_min && !options->is_max &&
	       !options->is_all && !options->is_count &&
	       !options->partial.is_given;
}

static void
put_partial(const struct partial_range *range, const uint32_t *found,
    size_t count, struct buf *out)
{
	size_t start, size;

	partial_range_cut(range, count, &start, &size);
	(void)buf_put_format(out, " PARTIAL (%.*s ", TEXT_FMT(range->text));
	if (size == 0)
		(void)buf_put_text(out, "NIL");
	else
		(void)imap_set_put(out, found + start, size);
	(void)buf_put_byte(out, ')');
}

void
search_return_put(const struct search_return *options, struct text tag,
    bool is_uid, const uint32_t *found, size_t count, uint64_t modseq,
    struct buf *out)
{
	(void)buf_put_format(out, "* ESEARCH (TAG \"%.*s\")%s", TEXT_FMT(tag),
	    is_uid ? " UID" : "");
	if (options->is_min && count > 0)
		(void)buf_put_format(out, " MIN %u", found[0]);
	if (options->is_max && count > 0)
		(void)buf_put_format(out, " MAX %u", found[count - 1]);
	if (options->is_count)
		(void)buf_put_format(out, " COUNT %zu", count);
	if (options->is_all && count > 0) {
		(void)buf_put_text(out, " ALL ");
		(void)imap_set_put(out, found, count);
	}
	if (options->partial.is_given)
		put_partial(&options->partial, found, count, out);
	if (modseq != 0 && count > 0)
		(void)buf_put_format(
		    out, " MODSEQ %llu", (unsigned long long)modseq);
	(void)buf_put_text(out, "\r\n");
}
