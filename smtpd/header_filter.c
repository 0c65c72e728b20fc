/* See header_filter.h. */
#include "smtpd/header_filter.h"

#include "common/text.h"

#include <string.h>

/* What the line's name means: counted, and whether the field goes. */
static bool
note_name(struct header_filter *filter)
{
	struct text name = text_make(filter->name, filter->name_size);

	while (name.size > 0 && (name.data[name.size - 1] == ' ' ||
				    name.data[name.size - 1] == '\t'))
		name.size--;
	if (text_is_nocase(name, "received"))
		filter->received_count++;
	else if (text_is_nocase(name, "from"))
		filter->from_count++;
	else if (text_is_nocase(name, "date"))
		filter->has_date = true;
	else if (text_is_nocase(name, "message-id"))
		filter->has_message_id = true;
	else if (text_is_nocase(name, "tls-required"))
		filter->is_tls_field = true;
	else if (text_is_nocase(name, "bcc") ||
		 text_is_nocase(name, "resent-bcc"))
		return filter->drops_bcc;
	else
		return text_is_nocase(name, "return-path");
	return false;
}

/* So much of the first line, in front of `next`, may be of a field, or is what
 * mbox has in front of a header. */
static bool
is_field(const struct header_filter *filter, uint8_t next)
{
	struct text name = text_make(filter->name, filter->name_size), mbox;

	for (mbox = name; mbox.size > 0 && mbox.data[0] == '>';)
		mbox = text_skip(mbox, 1);
	if (mbox.size > 5 && memcmp(mbox.data, "From ", 5) == 0)
		return true;
	if (next == ':')
		name = text_trim(name);
	else if (name.size < sizeof(filter->name))
		return false;
	for (size_t i = 0; i < name.size; i++)
		if (name.data[i] <= ' ' || name.data[i] >= 0x7f)
			return false;
	return name.size > 0;
}

/* Of a message that has none. */
static size_t
end_header(struct header_filter *filter, uint8_t *out)
{
	filter->is_over = true;
	filter->is_dropping = false;
	memcpy(out, "\r\n", 2);
	if (filter->is_exact)
		return 2;
	*out = '\n';
	return 1;
}

/* The name that was held back, unless its field goes. */
static size_t
put_name(struct header_filter *filter, uint8_t *out)
{
	size_t size = filter->is_dropping ? 0 : filter->name_size;

	memcpy(out, filter->name, size);
	filter->name_size = 0;
	filter->is_in_line = true;
	return size;
}

/* The field before is over: another begins. */
static void
end_value(struct header_filter *filter)
{
	if (filter->is_tls_field &&
	    text_is_nocase(text_make(filter->value, filter->value_size), "no"))
		filter->is_tls_optional = true;
	filter->is_tls_field = false;
	filter->value_size = 0;
}

static void
note_value(struct header_filter *filter, const uint8_t *in, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (in[i] > ' ' && in[i] != ':' &&
		    filter->value_size < sizeof(filter->value))
			filter->value[filter->value_size++] = (char)in[i];
}

/* A byte before the colon of a line; true if the name is complete. */
static bool
take_name(struct header_filter *filter, uint8_t byte)
{
	/* A continuation line goes where its field goes. */
	if (filter->name_size == 0 && (byte == ' ' || byte == '\t'))
		return true;
	end_value(filter);
	if (byte == ':') {
		filter->is_dropping = note_name(filter);
		return true;
	}
	if (byte == '\n' || filter->name_size == sizeof(filter->name)) {
		filter->is_dropping = false;
		return true;
	}
	filter->name[filter->name_size++] = (char)byte;
	return false;
}

/* The rest of a line, or as much of it as there is. Bytes used. */
static size_t
pass_line(struct header_filter *filter, const uint8_t *in, size_t size,
    uint8_t *out, size_t *made)
{
	const uint8_t *end = memchr(in, '\n', size);
	size_t length = end != NULL ? (size_t)(end - in) + 1 : size;

	if (filter->is_tls_field)
		note_value(filter, in, length);
	if (!filter->is_dropping) {
		memcpy(out + *made, in, length);
		*made += length;
	}
	if (end != NULL)
		filter->is_in_line = false;
	return length;
}

/* A line of nothing but its end. */
static bool
is_empty_line(const struct header_filter *filter, uint8_t byte)
{
	return byte == '\n' &&
	       (filter->name_size == 0 ||
		   (filter->name_size == 1 && filter->name[0] == '\r'));
}

size_t
header_filter_feed(struct header_filter *filter, const uint8_t *in, size_t size,
    size_t *used, uint8_t *out)
{
	size_t at = 0, made = 0;

	while (at < size && !filter->is_over) {
		if (filter->is_in_line) {
			at += pass_line(filter, in + at, size - at, out, &made);
		} else if (is_empty_line(filter, in[at])) {
			end_value(filter);
			filter->is_over = true;
			filter->is_dropping = false;
			made += put_name(filter, out + made);
			out[made++] = in[at++];
		} else if (take_name(filter, in[at])) {
			if (!filter->has_begun && !is_field(filter, in[at]))
				made += end_header(filter, out + made);
			filter->has_begun = true;
			made += put_name(filter, out + made);
		} else {
			at++;
		}
	}
	*used = at;
	return made;
}

size_t
header_filter_finish(struct header_filter *filter, uint8_t *out)
{
	size_t made = 0;

	end_value(filter);
	filter->is_dropping = filter->is_dropping && filter->is_in_line;
	if (!filter->has_begun && filter->name_size > 0)
		made = end_header(filter, out);
	return made + put_name(filter, out + made);
}
