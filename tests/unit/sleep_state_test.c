/*
 * What is kept of a session that sleeps: it comes back as it was, and bytes
 * that are not such a state are told from one.
 */
#include "imapd/sleep_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t bytes[SLEEP_STATE_MAX];

static struct text
encode(const struct sleep_state *state)
{
	struct writer writer;

	writer_init(&writer, bytes, sizeof(bytes));
	assert_int_equal(sleep_state_encode(state, &writer), 0);
	return text_make(bytes, writer.size);
}

static void
make_state(struct sleep_state *state)
{
	static struct imap_range saved[] = { { 3, 3 }, { 5, 900 } };
	static struct imap_range uids[] = { { 1, 1 }, { 3, 130 },
		{ 100000, 4294967290U } };
	static struct imap_range recent[] = { { 130, 130 } };
	static struct notify_known known[] = { { 2, 500, 0, { "INBOX", 5 } },
		{ 3, 0, 0, { "A", 1 } },
		{ UINT64_MAX, UINT64_MAX, UINT32_MAX, { "B/C", 3 } } };
	static struct text subscribed[] = { { "A", 1 }, { "nobody's", 8 } };

	memset(state, 0, sizeof(*state));
	state->flags = SLEEP_IDLES | SLEEP_CONDSTORE | SLEEP_HAS_MAILBOX |
		       SLEEP_COMPRESSES | SLEEP_NOTIFIES;
	state->packed = TEXT("what was said");
	state->notify.arguments = TEXT(" SET (personal (MailboxName))");
	state->notify.bits = KNOWN_ALL;
	known[0].mailbox = 2;
	state->notify.known = known;
	state->notify.known_count = 3;
	state->notify.subscribed = subscribed;
	state->notify.subscribed_count = 2;
	memset(&state->store, 9, sizeof(state->store));
	state->incarnation = 4;
	state->silent_since_us = 123456789012;
	state->bad_commands = 19;
	strcpy(state->tag, "a.17");
	state->saved = (struct imap_set){ .count = 2, .ranges = saved };
	state->memory.mailbox = UINT64_MAX;
	state->memory.uidvalidity = 77;
	state->memory.told_uidnext = 4294967295U;
	state->memory.told_modseq = UINT64_C(1) << 60;
	state->memory.told_recent = 1;
	state->memory.keyword_count = 64;
	state->memory.has_new_keywords = true;
	state->memory.key = UINT64_C(3) << 40;
	state->memory.is_past = true;
	state->memory.past_sequence = UINT64_MAX - 1;
	state->memory.uids = (struct imap_set){ .count = 2, .ranges = uids };
	state->memory.recent =
	    (struct imap_set){ .count = 1, .ranges = recent };
}

static void
assert_same_set(const struct imap_set *a, const struct imap_set *b)
{
	assert_int_equal(a->count, b->count);
	if (a->count > 0)
		assert_memory_equal(
		    a->ranges, b->ranges, a->count * sizeof(*a->ranges));
}

static void
assert_same_notify(const struct notify_memory *a, const struct notify_memory *b)
{
	assert_true(text_equal(a->arguments, b->arguments));
	assert_int_equal(a->bits, b->bits);
	assert_int_equal(a->known_count, b->known_count);
	for (size_t i = 0; i < a->known_count; i++) {
		assert_int_equal(a->known[i].mailbox, b->known[i].mailbox);
		assert_int_equal(a->known[i].mark, b->known[i].mark);
		assert_int_equal(a->known[i].count, b->known[i].count);
		assert_true(text_equal(a->known[i].name, b->known[i].name));
	}
	assert_int_equal(a->subscribed_count, b->subscribed_count);
	for (size_t i = 0; i < a->subscribed_count; i++)
		assert_true(text_equal(a->subscribed[i], b->subscribed[i]));
}

static void
a_state_comes_back_as_it_was(void **unused)
{
	struct pool *pool = pool_new();
	struct sleep_state state, back;

	make_state(&state);
	assert_int_equal(sleep_state_decode(encode(&state), pool, &back), 0);
	assert_int_equal(
	    back.flags, state.flags | SLEEP_NEW_KEYWORDS | SLEEP_OF_PAST);
	assert_memory_equal(&back.store, &state.store, sizeof(state.store));
	assert_int_equal(back.incarnation, 4);
	assert_int_equal(back.silent_since_us, state.silent_since_us);
	assert_int_equal(back.bad_commands, 19);
	assert_string_equal(back.tag, "a.17");
	assert_same_set(&back.saved, &state.saved);
	assert_true(text_equal(back.packed, state.packed));
	assert_same_notify(&back.notify, &state.notify);
	assert_int_equal(back.memory.mailbox, state.memory.mailbox);
	assert_int_equal(back.memory.uidvalidity, 77);
	assert_int_equal(back.memory.told_uidnext, state.memory.told_uidnext);
	assert_int_equal(back.memory.told_modseq, state.memory.told_modseq);
	assert_int_equal(back.memory.told_recent, 1);
	assert_int_equal(back.memory.keyword_count, 64);
	assert_true(back.memory.has_new_keywords);
	assert_false(back.memory.has_new_key);
	assert_int_equal(back.memory.key, state.memory.key);
	assert_true(back.memory.is_past);
	assert_int_equal(back.memory.past_sequence, state.memory.past_sequence);
	assert_false(back.memory.is_read_only);
	assert_same_set(&back.memory.uids, &state.memory.uids);
	assert_same_set(&back.memory.recent, &state.memory.recent);
	pool_free(&pool);
}

static void
one_that_idles_nowhere_takes_less_than_a_hundred_bytes(void **unused)
{
	struct sleep_state state = { .flags = SLEEP_IDLES, .tag = "a" };
	struct pool *pool = pool_new();
	struct sleep_state back;
	struct text text = encode(&state);

	assert_true(text.size < 100);
	assert_int_equal(sleep_state_decode(text, pool, &back), 0);
	assert_int_equal(back.saved.count, 0);
	pool_free(&pool);
}

/* Nothing is read behind the end, and a part is never taken for a whole. */
static void
no_part_of_a_state_is_one(void **unused)
{
	struct pool *pool = pool_new();
	struct sleep_state state, back;
	struct text whole;

	make_state(&state);
	whole = encode(&state);
	for (size_t size = 0; size < whole.size; size++) {
		uint8_t *part = malloc(size + 1);

		memcpy(part, whole.data, size);
		assert_int_equal(
		    sleep_state_decode(text_make(part, size), pool, &back), -1);
		free(part);
	}
	bytes[whole.size] = 0;
	assert_int_equal(
	    sleep_state_decode(text_make(bytes, whole.size + 1), pool, &back),
	    -1);
	pool_free(&pool);
}

/* What is another state for it is at least a state. */
static void
any_flipped_bit_is_refused_or_is_a_state(void **unused)
{
	struct pool *pool = pool_new();
	struct sleep_state state, back;
	struct text whole;
	uint8_t was[256];

	make_state(&state);
	whole = encode(&state);
	assert_true(whole.size < sizeof(was));
	memcpy(was, whole.data, whole.size);
	for (size_t bit = 0; bit < whole.size * 8; bit++) {
		memcpy(bytes, was, whole.size);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (sleep_state_decode(
			text_make(bytes, whole.size), pool, &back) == 0) {
			uint8_t flipped[256];

			memcpy(flipped, bytes, whole.size);
			assert_int_equal(encode(&back).size, whole.size);
			assert_memory_equal(bytes, flipped, whole.size);
		}
	}
	pool_free(&pool);
}

/* Each is malformed in one way. */
static void
what_no_worker_would_say_is_refused(void **unused)
{
	static struct imap_range all[] = { { 1, UINT32_MAX } };
	static struct imap_range backward[] = { { 5, 9 }, { 9, 12 } };
	struct pool *pool = pool_new();
	struct sleep_state state, back;

	for (int i = 0; i < 10; i++) {
		make_state(&state);
		switch (i) {
		case 0: /* 4 milliards of messages */
			state.memory.uids.ranges = all;
			state.memory.uids.count = 1;
			break;
		case 1: /* a UID twice */
			state.saved.ranges = backward;
			break;
		case 2:
			state.memory.told_uidnext = 100;
			break;
		case 3:
			state.memory.keyword_count = 65;
			break;
		case 4: /* for the client's eyes */
			strcpy(state.tag, "a\r\n* BYE");
			break;
		case 5:
			state.tag[0] = '\0';
			break;
		case 6:
			state.flags |= SLEEP_ALL + 1;
			break;
		case 7: /* a tag without IDLE */
			state.flags &= (uint16_t)~SLEEP_IDLES;
			break;
		case 8: /* a mailbox twice */
			state.notify.known[0].mailbox = 3;
			break;
		case 9:
			state.notify.bits |= KNOWN_ALL + 1;
			break;
		}
		assert_int_equal(
		    sleep_state_decode(encode(&state), pool, &back), -1);
	}
	pool_free(&pool);
}

static void
what_is_too_much_is_not_kept(void **unused)
{
	static struct imap_range many[SLEEP_STATE_MAX / 2];
	struct sleep_state state;
	struct writer writer;

	make_state(&state);
	for (uint32_t i = 0; i < SLEEP_STATE_MAX / 2; i++)
		many[i] = (struct imap_range){ 3 * i + 1, 3 * i + 2 };
	state.memory.uids.ranges = many;
	state.memory.uids.count = SLEEP_STATE_MAX / 2;
	writer_init(&writer, bytes, sizeof(bytes));
	assert_int_equal(sleep_state_encode(&state, &writer), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_comes_back_as_it_was),
		cmocka_unit_test(
		    one_that_idles_nowhere_takes_less_than_a_hundred_bytes),
		cmocka_unit_test(no_part_of_a_state_is_one),
		cmocka_unit_test(any_flipped_bit_is_refused_or_is_a_state),
		cmocka_unit_test(what_no_worker_would_say_is_refused),
		cmocka_unit_test(what_is_too_much_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
