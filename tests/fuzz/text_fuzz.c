/* Fuzz target: views of text. What they give stays within what they got. */
#include "common/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_within(struct text part, struct text whole)
{
	if (part.size > 0 &&
	    (part.data < whole.data ||
		part.data + part.size > whole.data + whole.size))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text whole = text_make(data, size), rest = whole, part;
	uint64_t number;
	char room[32];
	uint8_t bytes[8];

	check_within(text_trim(whole), whole);
	while (text_next(&rest, ',', &part)) {
		check_within(part, whole);
		check_within(rest, whole);
		if (text_parse_number(part, 1000, &number) == 0 &&
		    number > 1000)
			abort();
		text_parse_hex(part, bytes, sizeof(bytes));
		text_copy(part, room, sizeof(room));
	}
	if (text_is_ascii(whole) && !text_is_utf8(whole))
		abort();
	return 0;
}
