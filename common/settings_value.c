/* See settings_value.h. */
#include "common/settings_value.h"

#include <string.h>

bool
settings_is_host_name(struct text name)
{
	struct text rest = name;
	struct text label;
	size_t labels = 0;

	if (name.size == 0 || name.size > 253)
		return false;
	while (text_next(&rest, '.', &label)) {
		labels++;
		if (label.size == 0 || label.size > 63 ||
		    label.data[0] == '-' || label.data[label.size - 1] == '-')
			return false;
		for (size_t i = 0; i < label.size; i++) {
			char c = text_lower_byte(label.data[i]);

			if (!(c >= 'a' && c <= 'z') && !text_is_digit(c) &&
			    c != '-')
				return false;
		}
	}
	return labels > 0 && name.data[name.size - 1] != '.';
}

static int
parse_unit(struct text word, const char *units, const uint64_t *factors,
    uint64_t *value)
{
	const char *unit;
	uint64_t factor = 1;

	if (word.size == 0)
		return -1;
	unit = strchr(units, word.data[word.size - 1]);
	if (unit != NULL && *unit != '\0') {
		factor = factors[unit - units];
		word.size--;
	}
	if (text_parse_number(word, UINT64_MAX / factor, value) == -1)
		return -1;
	*value *= factor;
	return 0;
}

int
settings_parse_size(struct text word, uint64_t *value)
{
	static const uint64_t factors[] = { 1024, 1048576, 1073741824 };

	return parse_unit(word, "KMG", factors, value);
}

int
settings_parse_number(struct text word, uint64_t *value)
{
	uint64_t n = 0;

	if (!text_starts_nocase(word, "0x"))
		return text_parse_number(word, UINT32_MAX, value);
	if (word.size < 3 || word.size > 10)
		return -1;
	for (size_t i = 2; i < word.size; i++) {
		const char *digits = "0123456789abcdef";
		const char *digit =
		    memchr(digits, text_lower_byte(word.data[i]), 16);

		if (digit == NULL)
			return -1;
		n = n * 16 + (uint64_t)(digit - digits);
	}
	*value = n;
	return 0;
}
