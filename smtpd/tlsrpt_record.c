/* See tlsrpt_record.h. */
#include "smtpd/tlsrpt_record.h"

#include "smtpd/tag_list.h"

#include <string.h>

/* Visible ASCII; commas and exclamation marks come escaped (section 3), and
 * quotes and angle brackets are no URI's. */
static bool
is_uri(struct text uri)
{
	for (size_t i = 0; i < uri.size; i++)
		if (uri.data[i] <= ' ' || uri.data[i] > '~' ||
		    strchr("\"<>\\^`{|}", uri.data[i]) != NULL)
			return false;
	return uri.size > 0;
}

/* %XX decoded; what a mailto: has behind a question mark is left. */
static int
copy_address(struct text text, char to[TLSRPT_URI_SIZE])
{
	size_t size = 0;

	for (size_t i = 0; i < text.size && text.data[i] != '?'; i++) {
		char c = text.data[i];

		if (c == '%') {
			if (text.size - i < 3 ||
			    text_parse_hex(
				text_make(text.data + i + 1, 2), &c, 1) == -1)
				return -1;
			i += 2;
		}
		if (c <= ' ' || c > '~' || strchr("\"<>()[],:;\\", c) != NULL)
			return -1;
		to[size++] = c;
	}
	to[size] = '\0';
	return size > 0 && strchr(to, '@') != NULL ? 0 : -1;
}

/* One that we cannot use is passed over. */
static void
take_uri(struct tlsrpt_record *record, struct text uri)
{
	struct tlsrpt_uri *to = &record->uris[record->uri_count];

	uri = text_trim(uri);
	if (record->uri_count == TLSRPT_MAX_URIS || !is_uri(uri) ||
	    uri.size >= TLSRPT_URI_SIZE)
		return;
	if (text_starts_nocase(uri, "mailto:")) {
		to->scheme = TLSRPT_MAIL;
		if (copy_address(text_skip(uri, 7), to->text) == -1)
			return;
	} else if (text_starts_nocase(uri, "https://")) {
		to->scheme = TLSRPT_HTTPS;
		(void)text_copy(uri, to->text, sizeof(to->text));
	} else {
		return;
	}
	record->uri_count++;
}

int
tlsrpt_record_parse(struct text text, struct tlsrpt_record *record)
{
	struct text rest, key, value, uri;
	bool has_uris = false;
	int status;

	memset(record, 0, sizeof(*record));
	if (!tag_list_begins(text, "v=TLSRPTv1", &rest))
		return 0;
	while ((status = tag_list_next(&rest, &key, &value)) == 1) {
		if (!text_is(key, "rua") || has_uris)
			continue;
		has_uris = true;
		while (text_next(&value, ',', &uri))
			take_uri(record, uri);
	}
	return status == 0 && record->uri_count > 0 ? 1 : -1;
}
