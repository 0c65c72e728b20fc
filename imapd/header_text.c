/*
 * See header_text.h.
 */
#include "imapd/header_text.h"

#include "common/mail_header.h"
#include "common/mime_encoding.h"

int
header_text_decode(struct text value, struct buf *decoded)
{
	struct buf unfolded;
	int result;

	buf_init(&unfolded, HEADER_TEXT_MAX_VALUE);
	result = mail_header_unfold(value, true, &unfolded);
	if (result == 0)
		result = mime_decode_words(
		    text_make(unfolded.data, unfolded.size), decoded);
	buf_clear(&unfolded);
	return result;
}
