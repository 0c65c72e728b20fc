/* See settings_anchor.h. */
#include "common/settings_anchor.h"

#include "common/settings_value.h"

#include <stdio.h>
#include <string.h>

enum {
	MAX_KEY_BASE64 = 1400,
	ZONE_KEY = 256, /* flags of a DNSKEY */
	KEY_SIGNING_KEY = 257
};

/* The next word between blanks; empty at the end. */
static struct text
next_word(struct text *rest)
{
	struct text word;

	while (rest->size > 0 && strchr(" \t", rest->data[0]) != NULL)
		*rest = text_skip(*rest, 1);
	word = *rest;
	for (word.size = 0; word.size < rest->size; word.size++)
		if (strchr(" \t", rest->data[word.size]) != NULL)
			break;
	*rest = text_skip(*rest, word.size);
	return word;
}

static bool
is_number(struct text word, uint64_t max, uint64_t *value)
{
	return text_parse_number(word, max, value) == 0;
}

/* What is left, as one word without blanks; false if it does not fit, is empty
 * or has other bytes. */
static bool
join_rest(struct text *rest, const char *bytes, char *to, size_t to_size)
{
	size_t size = 0;
	struct text word;

	while ((word = next_word(rest)).size > 0) {
		for (size_t i = 0; i < word.size; i++) {
			char c = word.data[i];

			if (c == '\0' || strchr(bytes, c) == NULL ||
			    size + 1 == to_size)
				return false;
			to[size++] = c;
		}
	}
	to[size] = '\0';
	return size > 0;
}

static size_t
digest_digits(uint64_t type)
{
	static const size_t digits[] = { 0, 40, 64, 0, 96 };

	return type < sizeof(digits) / sizeof(digits[0]) ? digits[type] : 0;
}

static int
parse_ds(const char *zone, struct text rest, char to[SETTINGS_ANCHOR_SIZE])
{
	uint64_t tag, algorithm, type;
	char digest[97];

	if (!is_number(next_word(&rest), UINT16_MAX, &tag) ||
	    !is_number(next_word(&rest), UINT8_MAX, &algorithm) ||
	    !is_number(next_word(&rest), UINT8_MAX, &type) ||
	    !join_rest(
		&rest, "0123456789abcdefABCDEF", digest, sizeof(digest)) ||
	    strlen(digest) != digest_digits(type))
		return -1;
	snprintf(to, SETTINGS_ANCHOR_SIZE, "%s IN DS %u %u %u %s", zone,
	    (unsigned int)tag, (unsigned int)algorithm, (unsigned int)type,
	    digest);
	return 0;
}

static int
parse_key(const char *zone, struct text rest, char to[SETTINGS_ANCHOR_SIZE])
{
	uint64_t flags, protocol, algorithm;
	char key[MAX_KEY_BASE64];
	int size;

	if (!is_number(next_word(&rest), UINT16_MAX, &flags) ||
	    (flags != KEY_SIGNING_KEY && flags != ZONE_KEY) ||
	    !is_number(next_word(&rest), UINT8_MAX, &protocol) ||
	    protocol != 3 ||
	    !is_number(next_word(&rest), UINT8_MAX, &algorithm) ||
	    !join_rest(&rest,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/=",
		key, sizeof(key)))
		return -1;
	size = snprintf(to, SETTINGS_ANCHOR_SIZE, "%s IN DNSKEY %u 3 %u %s",
	    zone, (unsigned int)flags, (unsigned int)algorithm, key);
	return size > 0 && size < SETTINGS_ANCHOR_SIZE ? 0 : -1;
}

static int
parse_zone(struct text word, char zone[258])
{
	if (text_is(word, ".")) {
		memcpy(zone, ".", sizeof("."));
		return 0;
	}
	if (word.size > 0 && word.data[word.size - 1] == '.')
		word.size--;
	if (!settings_is_host_name(word))
		return -1;
	for (size_t i = 0; i < word.size; i++)
		zone[i] = text_lower_byte(word.data[i]);
	memcpy(zone + word.size, ".", sizeof("."));
	return 0;
}

struct text
settings_anchor_line(struct text line)
{
	ptrdiff_t comment = text_find_byte(line, ';');

	if (comment >= 0)
		line.size = (size_t)comment;
	return text_trim(line);
}

int
settings_parse_anchor(struct text line, char to[SETTINGS_ANCHOR_SIZE])
{
	struct text rest = settings_anchor_line(line);
	char zone[258];
	struct text word;
	uint64_t ttl;

	to[0] = '\0';
	if (parse_zone(next_word(&rest), zone) == -1)
		return -1;
	word = next_word(&rest);
	if (is_number(word, UINT32_MAX, &ttl))
		word = next_word(&rest);
	if (text_is_nocase(word, "IN"))
		word = next_word(&rest);
	if (text_is_nocase(word, "DS"))
		return parse_ds(zone, rest, to);
	if (text_is_nocase(word, "DNSKEY"))
		return parse_key(zone, rest, to);
	return -1;
}
