/* See span.h. */
#include "common/span.h"

#include <stdio.h>

static const struct {
	char letter;
	uint64_t seconds;
} units[] = { { 'y', 31536000 }, { 'w', 604800 }, { 'd', 86400 }, { 'h', 3600 },
	{ 'm', 60 }, { 's', 1 } };

int
span_parse(struct text word, uint64_t *seconds)
{
	size_t i;

	if (word.size == 0)
		return -1;
	word.size--;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (word.data[word.size] != units[i].letter)
			continue;
		if (text_parse_number(
			word, UINT64_MAX / units[i].seconds, seconds) != 0)
			return -1;
		*seconds *= units[i].seconds;
		return 0;
	}
	return -1;
}

void
span_format(uint64_t seconds, char to[SPAN_SIZE])
{
	size_t i = 0;

	if (seconds == 0)
		i = sizeof(units) / sizeof(units[0]) - 1;
	while (seconds % units[i].seconds != 0)
		i++;
	snprintf(to, SPAN_SIZE, "%llu%c",
	    (unsigned long long)(seconds / units[i].seconds), units[i].letter);
}
