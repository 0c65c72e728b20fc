/*
 * See srs.h.
 */
#include "smtpd/srs.h"

#include "common/log.h"
#include "common/memory.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

enum {
	TAG_SIZE = 4, /* "SRS0" */
	DAY_LETTERS = 2,
	DAY_COUNT = 1024,
	DAY_S = 86400,
	BODY_MAX = MAIL_ADDRESS_MAX_PATH + DAY_LETTERS + 3
};

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

struct srs {
	char domain[256];
	int64_t valid_days;
	size_t secret_count;
	char secrets[SETTINGS_MAX_SRS_SECRETS][SETTINGS_SRS_SECRET_SIZE];
};

/* -- The hash -- */

static size_t
put_lower(char *to, struct text text)
{
	for (size_t i = 0; i < text.size; i++)
		to[i] = text_lower_byte(text.data[i]);
	return text.size;
}

/* The first bits of `hash`, five a letter. */
static void
put_letters(const uint8_t *hash, size_t count, char *to)
{
	for (size_t i = 0; i < count; i++) {
		size_t bit = i * 5;
		unsigned int two =
		    (unsigned int)hash[bit / 8] << 8 | hash[bit / 8 + 1];

		to[i] = letters[two >> (11 - bit % 8) & 31];
	}
}

/* Of the tag and what stands behind the hash. */
static void
hash_of(const struct srs *srs, size_t secret, struct text tag, struct text body,
    char to[SRS_HASH_LETTERS])
{
	char input[TAG_SIZE + 1 + BODY_MAX];
	uint8_t hash[EVP_MAX_MD_SIZE];
	size_t size = put_lower(input, tag);

	input[size++] = '=';
	size += put_lower(input + size, body);
	if (HMAC(EVP_sha256(), srs->secrets[secret],
		(int)strlen(srs->secrets[secret]), (const uint8_t *)input, size,
		hash, NULL) == NULL)
		fatal("HMAC failed");
	put_letters(hash, SRS_HASH_LETTERS, to);
}

/* In a time that does not tell how much of it was right. */
static bool
is_hash(struct srs *srs, struct text given, struct text tag, struct text body)
{
	bool is_good = false;

	if (given.size != SRS_HASH_LETTERS || body.size > BODY_MAX)
		return false;
	for (size_t n = 0; n < srs->secret_count; n++) {
		char right[SRS_HASH_LETTERS];
		int difference = 0;

		hash_of(srs, n, tag, body, right);
		for (size_t i = 0; i < SRS_HASH_LETTERS; i++)
			difference |= text_lower_byte(right[i]) ^
				      text_lower_byte(given.data[i]);
		is_good |= difference == 0;
	}
	return is_good;
}

struct srs *
srs_new(const struct settings *settings)
{
	struct srs *srs;

	if (settings->srs_secret_count == 0)
		return NULL;
	srs = memory_new(1, sizeof(*srs));
	srs->valid_days = settings->srs_valid_s / DAY_S;
	memcpy(srs->domain, settings->srs_domain, sizeof(srs->domain));
	srs->secret_count = settings->srs_secret_count;
	memcpy(srs->secrets, settings->srs_secrets, sizeof(srs->secrets));
	return srs;
}

void
srs_free(struct srs **srs)
{
	if (*srs == NULL)
		return;
	explicit_bzero((*srs)->secrets, sizeof((*srs)->secrets));
	memory_free(srs);
}

/* -- On the way out -- */

bool
srs_is_form(struct text local)
{
	return local.size > TAG_SIZE &&
	       (text_starts_nocase(local, "SRS0") ||
		   text_starts_nocase(local, "SRS1")) &&
	       strchr("=+-", local.data[TAG_SIZE]) != NULL;
}

/* What stands before and behind the first "=". */
static bool
cut(struct text text, struct text *before, struct text *behind)
{
	ptrdiff_t at = text_find_byte(text, '=');

	if (at < 1)
		return false;
	*before = text_make(text.data, (size_t)at);
	*behind = text_skip(text, (size_t)at + 1);
	return true;
}

static int
finish(struct srs *srs, const char *tag, const char *body,
    char to[SRS_ADDRESS_SIZE])
{
	char hash[SRS_HASH_LETTERS];
	int size;

	hash_of(srs, 0, text_of(tag), text_of(body), hash);
	size = snprintf(to, SRS_ADDRESS_SIZE, "%s=%.*s=%s@%s", tag,
	    SRS_HASH_LETTERS, hash, body, srs->domain);
	return size < SRS_ADDRESS_SIZE &&
		       TAG_SIZE + 1 + SRS_HASH_LETTERS + 1 + strlen(body) <=
			   MAIL_ADDRESS_MAX_LOCAL
		   ? 0
		   : -1;
}

/* One that another host has rewritten: what comes back goes to that one, and
 * the hosts between him and us are left out. */
static int
forward_again(struct srs *srs, const struct mailbox_address *sender,
    char to[SRS_ADDRESS_SIZE])
{
	struct text rest = text_skip(sender->local, TAG_SIZE);
	struct text host = sender->domain, hash;
	char body[BODY_MAX];

	if (text_starts_nocase(sender->local, "SRS1") &&
	    (!cut(text_skip(rest, 1), &hash, &rest) ||
		!cut(rest, &host, &rest)))
		return -1;
	snprintf(
	    body, sizeof(body), "%.*s=%.*s", TEXT_FMT(host), TEXT_FMT(rest));
	return finish(srs, "SRS1", body, to);
}

int
srs_forward(struct srs *srs, struct text sender, int64_t now_s,
    char to[SRS_ADDRESS_SIZE])
{
	unsigned int day = (unsigned int)(now_s / DAY_S % DAY_COUNT);
	char body[BODY_MAX];
	struct mailbox_address address;

	if (mail_address_parse_mailbox(sender, true, 0, &address, NULL) == -1 ||
	    address.is_quoted || address.is_literal)
		return -1;
	if (srs_is_form(address.local) && forward_again(srs, &address, to) == 0)
		return 0;
	snprintf(body, sizeof(body), "%c%c=%.*s=%.*s", letters[day >> 5],
	    letters[day & 31], TEXT_FMT(address.domain),
	    TEXT_FMT(address.local));
	return finish(srs, "SRS0", body, to);
}

/* Of that very sender: its letters have a case. */
static void
token_of(const struct srs *srs, struct text sender, char to[SRS_TOKEN_LETTERS])
{
	char input[SRS_ADDRESS_SIZE + 8];
	uint8_t hash[EVP_MAX_MD_SIZE];
	int size =
	    snprintf(input, sizeof(input), "token=%.*s", TEXT_FMT(sender));

	if (HMAC(EVP_sha256(), srs->secrets[0], (int)strlen(srs->secrets[0]),
		(const uint8_t *)input, (size_t)size, hash, NULL) == NULL)
		fatal("HMAC failed");
	put_letters(hash, SRS_TOKEN_LETTERS, to);
}

int
srs_forward_kept(struct srs *srs, struct text sender, int64_t now_s,
    char to[SRS_ADDRESS_SIZE])
{
	unsigned int day = (unsigned int)(now_s / DAY_S % DAY_COUNT);
	char token[SRS_TOKEN_LETTERS], body[BODY_MAX];
	struct mailbox_address address;

	if (sender.size >= SRS_ADDRESS_SIZE ||
	    mail_address_parse_mailbox(sender, true, 0, &address, NULL) == -1 ||
	    address.is_quoted || address.is_literal)
		return -1;
	token_of(srs, sender, token);
	snprintf(body, sizeof(body), "%c%c==%.*s", letters[day >> 5],
	    letters[day & 31], SRS_TOKEN_LETTERS, token);
	return finish(srs, "SRS0", body, to);
}

bool
srs_is_kept_form(struct text local)
{
	size_t size = TAG_SIZE + 1 + SRS_HASH_LETTERS + 1 + DAY_LETTERS;

	return local.size == size + 2 + SRS_TOKEN_LETTERS &&
	       text_starts_nocase(local, "SRS0") && local.data[size] == '=' &&
	       local.data[size + 1] == '=';
}

/* -- On the way back -- */

/* The days since then; -1 if it is no day. */
static int64_t
age_of(struct text day, int64_t now_s)
{
	int64_t then = 0;

	if (day.size != DAY_LETTERS)
		return -1;
	for (size_t i = 0; i < DAY_LETTERS; i++) {
		char lower = text_lower_byte(day.data[i]);
		char letter = lower >= 'a' && lower <= 'z'
				  ? (char)(lower - 'a' + 'A')
				  : lower;
		const char *at = memchr(letters, letter, sizeof(letters) - 1);

		if (at == NULL)
			return -1;
		then = then << 5 | (at - letters);
	}
	return (now_s / DAY_S - then) & (DAY_COUNT - 1);
}

/* What was ours once is an address; what only has our hash may be none. */
static enum srs_result
put_address(const char *start, struct text local, struct text domain,
    char to[SRS_ADDRESS_SIZE])
{
	struct mailbox_address address;
	int size = snprintf(to, SRS_ADDRESS_SIZE, "%s%.*s@%.*s", start,
	    TEXT_FMT(local), TEXT_FMT(domain));

	return size < SRS_ADDRESS_SIZE &&
		       mail_address_parse_mailbox(
			   text_of(to), true, 0, &address, NULL) == 0
		   ? SRS_GOOD
		   : SRS_FORGED;
}

enum srs_result
srs_reverse(struct srs *srs, struct text local, int64_t now_s,
    char to[SRS_ADDRESS_SIZE])
{
	struct text tag = text_make(local.data, TAG_SIZE);
	struct text hash, body, day, domain, rest;
	int64_t age;

	if (!srs_is_form(local) ||
	    !cut(text_skip(local, TAG_SIZE + 1), &hash, &body) ||
	    !is_hash(srs, hash, tag, body))
		return SRS_FORGED;
	if (text_is_nocase(tag, "SRS1"))
		return cut(body, &domain, &rest)
			   ? put_address("SRS0", rest, domain, to)
			   : SRS_FORGED;
	if (!cut(body, &day, &rest) || (age = age_of(day, now_s)) == -1)
		return SRS_FORGED;
	if (age > srs->valid_days)
		return SRS_EXPIRED;
	if (srs_is_kept_form(local))
		return SRS_KEPT;
	return cut(rest, &domain, &rest) ? put_address("", rest, domain, to)
					 : SRS_FORGED;
}
