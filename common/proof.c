/* See proof.h. */
#include "common/proof.h"

#include "common/codec.h"
#include "common/event_form.h"
#include "common/merkle_log.h"

#include <string.h>

enum {
	ENTRY_KEY_SIZE = 24,
	MAX_BYTES = PROOF_MAX_LINE / 2
};

struct checker {
	struct text rest;
	struct text word, value; /* of the line that was read last */
	struct digest *digest;
	struct proof *proof;
	struct error *error;
};

static int
no_proof(struct checker *c, const char *what)
{
	return error_set(c->error, ERROR_INPUT, "no proof: %s", what);
}

static int
proves_nothing(struct checker *c, const char *what)
{
	return error_set(
	    c->error, ERROR_DAMAGED, "the proof does not hold: %s", what);
}

/* -- Lines -- */

static int
read_line(struct checker *c)
{
	struct text line;

	if (!text_next(&c->rest, '\n', &line) || line.size > PROOF_MAX_LINE)
		return no_proof(c, "a line is missing or too long");
	if (!text_next(&line, ' ', &c->word))
		return no_proof(c, "an empty line");
	c->value = line;
	return 0;
}

static int
expect(struct checker *c, const char *word)
{
	if (read_line(c) != 0)
		return -1;
	return text_is(c->word, word) ? 0 : no_proof(c, "lines in wrong order");
}

static int
expect_number(struct checker *c, const char *word, uint64_t *number)
{
	if (expect(c, word) != 0)
		return -1;
	return text_parse_number(c->value, UINT64_MAX, number) == 0
		   ? 0
		   : no_proof(c, "not a number");
}

static int
expect_hex(struct checker *c, const char *word, void *to, size_t size)
{
	if (expect(c, word) != 0)
		return -1;
	return text_parse_hex(c->value, to, size) == 0
		   ? 0
		   : no_proof(c, "not so many hex digits");
}

/* Bytes of whatever size; `to` has MAX_BYTES. */
static int
parse_bytes(struct checker *c, struct text hex, uint8_t *to, struct text *bytes)
{
	if (hex.size / 2 > MAX_BYTES ||
	    text_parse_hex(hex, to, hex.size / 2) != 0)
		return no_proof(c, "not hex");
	*bytes = text_make(to, hex.size / 2);
	return 0;
}

/* -- Signed heads -- */

static int
take_head(struct checker *c, struct head *head)
{
	uint8_t data[HEAD_SIZE];

	if (expect_hex(c, "head", data, sizeof(data)) != 0 ||
	    head_decode(text_make(data, sizeof(data)), head, c->error) != 0)
		return -1;
	return head_check(text_make(data, sizeof(data)), c->proof->key,
	    &c->proof->store, c->error);
}

/* Lines up to "end", behind which nothing may stand. */
static int
take_path(struct checker *c, struct hash path[MERKLE_MAX_PATH], size_t *count)
{
	for (*count = 0;; (*count)++) {
		if (read_line(c) != 0)
			return -1;
		if (text_is(c->word, "end"))
			break;
		if (!text_is(c->word, "path") || *count == MERKLE_MAX_PATH ||
		    text_parse_hex(c->value, path[*count].bytes,
			sizeof(path[*count].bytes)) != 0)
			return no_proof(c, "malformed path");
	}
	return text_trim(c->rest).size == 0
		   ? 0
		   : no_proof(c, "something stands behind its end");
}

/* -- A message -- */

/* form u8, born u64, modseq u64, internaldate i64, size u64, stored size u64,
 * flags u32, keywords u64, blob u64, body form u8, SHA-256; see rows.c. */
static int
take_row(struct checker *c, struct hash *hash)
{
	struct proof *proof = c->proof;
	uint8_t data[MAX_BYTES];
	struct text bytes;
	struct reader r;
	uint64_t born;

	if (expect(c, "row") != 0 ||
	    parse_bytes(c, c->value, data, &bytes) != 0)
		return -1;
	*hash = digest_of(c->digest, bytes.data, bytes.size);
	reader_init(&r, bytes.data, bytes.size);
	reader_get_u8(&r);
	born = reader_get_u64(&r);
	reader_get_u64(&r);
	proof->internaldate = (int64_t)reader_get_u64(&r);
	reader_get_u64(&r);
	proof->size = reader_get_u64(&r);
	reader_get_u32(&r);
	reader_get_u64(&r);
	reader_get_u64(&r);
	reader_get_u8(&r);
	reader_get_raw(&r, proof->message.bytes, sizeof(proof->message.bytes));
	if (r.failed)
		return no_proof(c, "malformed row");
	return born == proof->event
		   ? 0
		   : proves_nothing(c, "the row is of another event");
}

/* The event: the hash of its leaf, and what it says. Its texts are not looked
 * at: they point into bytes that are gone. */
static int
take_leaf(struct checker *c, struct hash *leaf, struct event_form *event)
{
	uint8_t data[MAX_BYTES];
	struct text bytes;

	if (expect(c, "leaf") != 0 ||
	    parse_bytes(c, c->value, data, &bytes) != 0)
		return -1;
	if (event_decode(bytes, event) != 0)
		return no_proof(c, "malformed event");
	*leaf = merkle_leaf(c->digest, bytes.data, bytes.size);
	c->proof->event_wall_us = event->wall_us;
	event->detail = event->user = event->address = text_make(NULL, 0);
	return event->account == c->proof->account
		   ? 0
		   : proves_nothing(c, "the event is of another account");
}

static uint64_t
big_endian(const uint8_t *bytes, size_t size)
{
	uint64_t number = 0;

	while (size-- > 0)
		number = number << 8 | *bytes++;
	return number;
}

static bool
is_of_message(const struct proof *proof, const uint8_t *key)
{
	return big_endian(key, 4) == proof->account &&
	       big_endian(key + 4, 8) == proof->event &&
	       big_endian(key + 12, 8) == proof->mailbox &&
	       big_endian(key + 20, 4) == proof->uid;
}

/* One of the event's entries; `is_there` if it is the message's and has its
 * row. */
static int
take_entry(struct checker *c, const struct hash *row, bool *is_there)
{
	uint8_t key[ENTRY_KEY_SIZE], data[MAX_BYTES];
	struct event_entry entry;
	struct text hex, bytes;

	if (expect(c, "entry") != 0)
		return -1;
	if (!text_next(&c->value, ' ', &hex) ||
	    text_parse_hex(hex, key, sizeof(key)) != 0)
		return no_proof(c, "malformed entry");
	if (parse_bytes(c, c->value, data, &bytes) != 0)
		return -1;
	digest_add(c->digest, key, sizeof(key));
	digest_add(c->digest, bytes.data, bytes.size);
	if (is_of_message(c->proof, key) &&
	    event_entry_decode(bytes, &entry) == 0 &&
	    (entry.rows & EVENT_HAS_BORN) != 0 &&
	    memcmp(&entry.born, row, sizeof(*row)) == 0)
		*is_there = true;
	return 0;
}

static int
take_entries(
    struct checker *c, const struct event_form *event, const struct hash *row)
{
	bool is_there = false;
	struct hash content;
	uint64_t i;

	digest_start(c->digest);
	for (i = 0; i < event->entries; i++)
		if (take_entry(c, row, &is_there) != 0)
			return -1;
	content = digest_finish(c->digest);
	if (memcmp(&content, &event->content, sizeof(content)) != 0)
		return proves_nothing(c, "the event has other entries");
	return is_there ? 0
			: proves_nothing(c, "the event did not make the row");
}

static int
check_message(struct checker *c)
{
	struct proof *proof = c->proof;
	struct hash path[MERKLE_MAX_PATH], row, leaf;
	struct event_form event;
	size_t count;

	proof->is_message = true;
	if (expect_number(c, "account", &proof->account) != 0 ||
	    expect_number(c, "mailbox", &proof->mailbox) != 0 ||
	    expect_number(c, "uid", &proof->uid) != 0 ||
	    expect_number(c, "event", &proof->event) != 0 ||
	    take_row(c, &row) != 0 || take_leaf(c, &leaf, &event) != 0 ||
	    take_entries(c, &event, &row) != 0 ||
	    take_head(c, &proof->head) != 0 || take_path(c, path, &count) != 0)
		return -1;
	if (proof->event == 0 ||
	    !merkle_check_inclusion(c->digest, proof->event - 1,
		proof->head.events, &leaf, path, count, &proof->head.root))
		return proves_nothing(c, "the event is not under the head");
	return 0;
}

static int
check_heads(struct checker *c)
{
	struct proof *proof = c->proof;
	struct hash path[MERKLE_MAX_PATH];
	size_t count;

	if (take_head(c, &proof->older) != 0 ||
	    take_head(c, &proof->head) != 0 || take_path(c, path, &count) != 0)
		return -1;
	if (!merkle_check_consistency(c->digest, proof->older.events,
		proof->head.events, path, count, &proof->older.root,
		&proof->head.root))
		return proves_nothing(
		    c, "the log of the older head was changed since");
	return 0;
}

static int
check(struct checker *c, const uint8_t *key)
{
	bool is_message;

	if (read_line(c) != 0)
		return -1;
	is_message = text_is(c->word, "firnmail-proof");
	if ((!is_message && !text_is(c->word, "firnmail-consistency")) ||
	    !text_is(c->value, "1"))
		return no_proof(c, "not the first line of one");
	if (expect_hex(c, "store", c->proof->store.bytes,
		sizeof(c->proof->store.bytes)) != 0 ||
	    expect_hex(c, "key", c->proof->key, sizeof(c->proof->key)) != 0)
		return -1;
	if (key != NULL && memcmp(key, c->proof->key, HEAD_KEY_SIZE) != 0)
		return proves_nothing(c, "it is of another key");
	return is_message ? check_message(c) : check_heads(c);
}

int
proof_check(struct text text, const uint8_t *key, struct proof *proof,
    struct error *error)
{
	struct checker c = { .rest = text, .proof = proof, .error = error };
	int result;

	memset(proof, 0, sizeof(*proof));
	if (text.size > PROOF_MAX_BYTES)
		return error_set(error, ERROR_LIMIT, "no proof: too long");
	c.digest = digest_new();
	result = check(&c, key);
	digest_free(&c.digest);
	return result;
}
