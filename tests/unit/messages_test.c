/*
 * messages.def as data: nothing that may be said can destroy, every request
 * is answered, every row can be told from every other; and the encoder and
 * decoder made from it, field by field.  The rows are read twice: through
 * message_rules() and, with the names and limits of their fields, straight
 * from the file.
 */
#include "common/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One entry for each field: of which row, what it is called, its size. */
struct field {
	uint16_t type;
	const char *name;
	size_t size; /* fixed bytes, or of the length in front */
	size_t max;  /* of what follows the length, 0 if fixed */
};

#define U8(name)          { 0, #name, 1, 0 },
#define U16(name)         { 0, #name, 2, 0 },
#define U32(name)         { 0, #name, 4, 0 },
#define U64(name)         { 0, #name, 8, 0 },
#define I64(name)         { 0, #name, 8, 0 },
#define DELIVERY_ID(name) { 0, #name, 18, 0 },
#define HASH(name)        { 0, #name, 32, 0 },
#define STORE_ID(name)    { 0, #name, 16, 0 },
#define STRING(name, max) { 0, #name, 4, max },
#define BYTES(name, max)  { 0, #name, 4, max },
#define MESSAGE(number, name, from, to, flow, fds, ...) \
	static const struct field fields_##name[] = { __VA_ARGS__ };
#include "common/messages.def"
#undef MESSAGE

static const struct row {
	uint16_t type;
	const struct field *fields;
	size_t field_count;
} rows[] = {
#define MESSAGE(number, name, from, to, flow, fds, ...) \
	{ number, fields_##name,                        \
		sizeof(fields_##name) / sizeof(fields_##name[0]) },
#include "common/messages.def"
#undef MESSAGE
};

enum {
	ROW_COUNT = sizeof(rows) / sizeof(rows[0])
};

static bool
role_in(enum role row, enum role role)
{
	return row == role || row == ROLE_ANY ||
	       (row == ROLE_STARTER &&
		   (role == ROLE_MASTER || role == ROLE_BROKER));
}

static void
table_has_every_row_of_the_file(void **state)
{
	size_t count;
	const struct message_rule *rules = message_rules(&count);

	(void)state;
	assert_int_equal(count, ROW_COUNT);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(rules[i].type, rows[i].type);
		assert_ptr_equal(message_rule_find(rules[i].type), &rules[i]);
	}
}

static void
all_65536_types_are_either_a_row_or_unknown(void **state)
{
	size_t known = 0;

	(void)state;
	for (unsigned int type = 0; type <= UINT16_MAX; type++) {
		const struct message_rule *rule =
		    message_rule_find((uint16_t)type);

		if (rule != NULL) {
			assert_int_equal(rule->type, type);
			known++;
		}
	}
	assert_int_equal(known, ROW_COUNT);
}

static void
numbers_and_names_are_unique_and_numbers_rise(void **state)
{
	size_t count;
	const struct message_rule *rules = message_rules(&count);

	(void)state;
	for (size_t i = 1; i < count; i++) {
		assert_true(rules[i].type > rules[i - 1].type);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(rules[i].name, rules[j].name);
	}
}

/* The high byte of a number is its group: who talks with whom. */
static void
rows_of_a_group_are_between_the_same_processes(void **state)
{
	static const struct {
		unsigned int group;
		enum role roles[4];
		size_t count;
	} groups[] = {
		{ 0x03, { ROLE_SMTPD, ROLE_QUEUE }, 2 },
		{ 0x06, { ROLE_QUEUE, ROLE_SNAPD }, 2 },
		{ 0x07, { ROLE_QUEUE, ROLE_WORKER }, 2 },
		{ 0x08, { ROLE_WORKER, ROLE_SNAPD }, 2 },
	};
	size_t count;
	const struct message_rule *rules = message_rules(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]);
		     g++) {
			bool from = false, to = false;

			if (groups[g].group != rules[i].type >> 8)
				continue;
			for (size_t r = 0; r < groups[g].count; r++) {
				from |= rules[i].from == groups[g].roles[r];
				to |= rules[i].to == groups[g].roles[r];
			}
			assert_true(from && to);
			assert_true(rules[i].from != rules[i].to);
		}
	}
}

/*
 * P2 and P3: no words for destroying exist, whoever speaks.  expunge and
 * retire end a row's place in the live mailbox and keep it in the store; their
 * like may come from a worker about its own account, and from nobody else.
 */
static void
no_row_can_destroy(void **state)
{
	static const char *const verbs[] = { "delete", "destroy", "drop",
		"erase", "expire", "forget", "format", "free", "lower",
		"overwrite", "prune", "purge", "release", "remove", "replace",
		"reset", "rewrite", "shorten", "truncate", "unhold", "unlink",
		"unlock", "unpin", "wipe" };
	size_t count;
	const struct message_rule *rules = message_rules(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		/* An administrator's, and in force only after the minimum:
		 * tests/unit/hold_test.c, reap_test.c. */
		if (rules[i].type == MESSAGE_control_release ||
		    rules[i].type == MESSAGE_control_purge) {
			assert_int_equal(rules[i].from, ROLE_SNAPCTL);
			continue;
		}
		for (size_t v = 0; v < sizeof(verbs) / sizeof(verbs[0]); v++) {
			if (strstr(rules[i].name, verbs[v]) != NULL)
				fail_msg(
				    "%s says \"%s\"", rules[i].name, verbs[v]);
			for (size_t f = 0; f < rows[i].field_count; f++)
				if (strstr(rows[i].fields[f].name, verbs[v]) !=
				    NULL)
					fail_msg("%s.%s says \"%s\"",
					    rules[i].name,
					    rows[i].fields[f].name, verbs[v]);
		}
	}
}

static void
only_a_worker_ends_a_live_row_and_only_in_a_batch(void **state)
{
	static const uint16_t ending[] = { MESSAGE_change_expunge,
		MESSAGE_change_retire, MESSAGE_change_missing };

	(void)state;
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		const struct message_rule *rule = message_rule_find(ending[i]);

		assert_non_null(rule);
		assert_int_equal(rule->from, ROLE_WORKER);
		assert_int_equal(rule->to, ROLE_SNAPD);
		assert_int_equal(rule->flow, FLOW_PART);
	}
}

/* What processes that read bytes from the network or from mail may say to the
 * store is this list: a new row must be thought about here. */
static void
what_mail_facing_roles_say_to_the_store_is_known(void **state)
{
	static const uint16_t known[] = { MESSAGE_queue_hello, MESSAGE_accept,
		MESSAGE_list_unfiled_accounts, MESSAGE_find_delivery,
		MESSAGE_worker_hello, MESSAGE_list_mailboxes,
		MESSAGE_list_messages, MESSAGE_list_changes,
		MESSAGE_list_unfiled, MESSAGE_read_blob, MESSAGE_read_blobs,
		MESSAGE_read_unfiled, MESSAGE_list_snapshots,
		MESSAGE_list_expunged, MESSAGE_list_vanished,
		MESSAGE_list_saved, MESSAGE_change_recall, MESSAGE_batch_begin,
		MESSAGE_change_file, MESSAGE_change_append,
		MESSAGE_change_flags, MESSAGE_change_copy,
		MESSAGE_change_expunge, MESSAGE_change_missing,
		MESSAGE_change_create, MESSAGE_change_rename,
		MESSAGE_change_retire, MESSAGE_change_subscribe,
		MESSAGE_change_keyword, MESSAGE_change_identity,
		MESSAGE_batch_commit, MESSAGE_caught_up, MESSAGE_witness,
		MESSAGE_account_started, MESSAGE_alarm, MESSAGE_verify_finding,
		MESSAGE_verify_progress, MESSAGE_verify_done,
		MESSAGE_drill_finding, MESSAGE_drill_done };
	size_t count;
	const struct message_rule *rules = message_rules(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		bool found = false;

		if (rules[i].to != ROLE_SNAPD ||
		    rules[i].from == ROLE_SNAPCTL ||
		    rules[i].from == ROLE_FIRNMAIL ||
		    rules[i].from == ROLE_MASTER)
			continue;
		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			found |= known[k] == rules[i].type;
		if (!found && (rules[i].type >> 8) != 0x01)
			fail_msg("%s reaches the store", rules[i].name);
	}
}

static void
fronts_have_no_row_to_the_store_or_a_worker(void **state)
{
	static const enum role fronts[] = { ROLE_SMTPD, ROLE_IMAPD };
	size_t count;
	const struct message_rule *rules = message_rules(&count);

	(void)state;
	for (size_t i = 0; i < count; i++)
		for (size_t f = 0; f < 2; f++) {
			if (rules[i].from != fronts[f])
				continue;
			assert_int_not_equal(rules[i].to, ROLE_SNAPD);
			assert_int_not_equal(rules[i].to, ROLE_WORKER);
			assert_int_not_equal(rules[i].to, ROLE_MASTER);
		}
}

/* Identity belongs to the channel: whoever speaks for an account to the store
 * does not name it. */
static void
no_row_names_the_account_that_its_sender_acts_for(void **state)
{
	static const char *const names[] = { "account", "uid_t", "role", "path",
		"directory", "file_name" };

	(void)state;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct message_rule *rule =
		    message_rule_find(rows[i].type);

		if (rule->from != ROLE_WORKER && rule->from != ROLE_SMTPD &&
		    rule->from != ROLE_IMAPD)
			continue;
		for (size_t f = 0; f < rows[i].field_count; f++)
			for (size_t n = 0; n < sizeof(names) / sizeof(names[0]);
			     n++)
				assert_string_not_equal(
				    rows[i].fields[f].name, names[n]);
	}
}

static void
every_request_has_an_answer_in_the_other_direction(void **state)
{
	size_t count;
	const struct message_rule *rules = message_rules(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		bool found = false;

		if (rules[i].flow != FLOW_REQUEST)
			continue;
		for (size_t j = 0; j < count; j++)
			found |= rules[j].flow == FLOW_ANSWER &&
				 rules[j].from == rules[i].to &&
				 rules[j].to == rules[i].from;
		if (!found)
			fail_msg("%s has no answer", rules[i].name);
	}
}

static void
every_answer_has_a_request_in_the_other_direction(void **state)
{
	size_t count;
	const struct message_rule *rules = message_rules(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		bool found = false;

		if (rules[i].flow != FLOW_ANSWER)
			continue;
		for (size_t j = 0; j < count; j++)
			found |= rules[j].flow == FLOW_REQUEST &&
				 rules[j].from == rules[i].to &&
				 rules[j].to == rules[i].from;
		if (!found)
			fail_msg("%s answers nothing", rules[i].name);
	}
}

static void
sizes_are_those_of_the_fields_and_fit_a_packet(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct message_rule *rule =
		    message_rule_find(rows[i].type);
		size_t min = 2, max = 2;

		for (size_t f = 0; f < rows[i].field_count; f++) {
			min += rows[i].fields[f].size;
			max += rows[i].fields[f].size + rows[i].fields[f].max;
		}
		assert_int_equal(rule->min_size, min);
		assert_int_equal(rule->max_size, max);
		assert_true(max <= MESSAGE_MAX_SIZE);
		assert_true(rule->max_fds <= 24);
	}
}

/* Walks every row with a packet made by hand, so that the decoder is not only
 * tried on what our own encoder makes. */
static size_t
make_packet(const struct row *row, bool full, uint8_t *packet)
{
	size_t size = 0;

	packet[size++] = (uint8_t)row->type;
	packet[size++] = (uint8_t)(row->type >> 8);
	for (size_t f = 0; f < row->field_count; f++) {
		const struct field *field = &row->fields[f];
		size_t length = full ? field->max : 0;

		for (size_t b = 0; b < field->size; b++)
			packet[size++] = field->max == 0
					     ? (uint8_t)(f + b + 1)
					     : (uint8_t)(length >> (8 * b));
		memset(packet + size, 'x', length);
		size += length;
	}
	return size;
}

static void
concrete_roles(const struct message_rule *rule, enum role *from, enum role *to)
{
	*from = rule->from == ROLE_STARTER ? ROLE_MASTER
		: rule->from == ROLE_ANY   ? ROLE_QUEUE
					   : rule->from;
	*to = rule->to == ROLE_STARTER ? ROLE_MASTER
	      : rule->to == ROLE_ANY   ? ROLE_SNAPD
				       : rule->to;
}

static void
every_row_decodes_and_encodes_back_to_the_same_bytes(void **state)
{
	uint8_t *packet = malloc(MESSAGE_MAX_SIZE);
	uint8_t *again = malloc(MESSAGE_MAX_SIZE);

	(void)state;
	for (size_t i = 0; i < (size_t)ROW_COUNT * 2; i++) {
		const struct row *row = &rows[i / 2];
		size_t size = make_packet(row, i % 2 == 1, packet);
		struct message message;
		struct error error;
		enum role from, to;

		concrete_roles(message_rule_find(row->type), &from, &to);
		assert_int_equal(
		    message_decode(packet, size, from, to, &message, &error),
		    0);
		assert_int_equal(message.type, row->type);
		assert_int_equal(message_encode(&message, again), size);
		assert_memory_equal(packet, again, size);
	}
	free(packet);
	free(again);
}

static void
a_packet_one_byte_short_or_long_is_refused(void **state)
{
	/* On the heap and of the exact size, so that ASan sees a read too
	 * far. */
	(void)state;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		uint8_t *whole = malloc(MESSAGE_MAX_SIZE + 1);
		size_t size = make_packet(&rows[i], false, whole);
		struct message message;
		struct error error;
		enum role from, to;

		concrete_roles(message_rule_find(rows[i].type), &from, &to);
		for (size_t cut = 0; cut < size; cut++) {
			uint8_t *part = malloc(cut + (cut == 0));

			memcpy(part, whole, cut);
			assert_int_equal(message_decode(part, cut, from, to,
					     &message, &error),
			    -1);
			assert_int_equal(error.code, ERROR_INPUT);
			free(part);
		}
		whole[size] = 0;
		assert_int_equal(
		    message_decode(whole, size + 1, from, to, &message, &error),
		    -1);
		free(whole);
	}
}

static void
a_field_beyond_its_limit_is_refused_both_ways(void **state)
{
	uint8_t *packet = malloc(MESSAGE_MAX_SIZE * 2);
	char *long_name = malloc(2000);
	struct message out = { .type = MESSAGE_change_create };
	struct message in;
	struct error error;
	size_t size;

	(void)state;
	memset(long_name, 'n', 2000);
	out.change_create.name = text_make(long_name, 1000);
	size = message_encode(&out, packet);
	assert_int_equal(size, 2 + 4 + 1000 + 4);
	out.change_create.name.size = 1001;
	assert_int_equal(message_encode(&out, packet), 0);

	memset(packet, 'n', 2000);
	memcpy(packet, "\x17\x08\xe9\x03\x00\x00", 6);
	assert_int_equal(message_decode(packet, 2 + 4 + 1001 + 4, ROLE_WORKER,
			     ROLE_SNAPD, &in, &error),
	    -1);
	/* A length that would wrap. */
	memcpy(packet, "\x17\x08\xff\xff\xff\xff", 6);
	assert_int_equal(
	    message_decode(packet, 1010, ROLE_WORKER, ROLE_SNAPD, &in, &error),
	    -1);
	free(long_name);
	free(packet);
}

static void
a_row_is_taken_from_and_by_its_own_roles_only(void **state)
{
	uint8_t *packet = malloc(MESSAGE_MAX_SIZE);

	(void)state;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct message_rule *rule =
		    message_rule_find(rows[i].type);
		size_t size = make_packet(&rows[i], false, packet);

		for (int from = 0; from < ROLE_COUNT; from++)
			for (int to = 0; to < ROLE_COUNT; to++) {
				struct message message;
				struct error error;
				bool good = role_in(rule->from, from) &&
					    role_in(rule->to, to);

				assert_int_equal(
				    message_decode(packet, size, from, to,
					&message, &error),
				    good ? 0 : -1);
			}
	}
	free(packet);
}

static void
every_role_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < ROLE_COUNT; i++) {
		assert_non_null(role_name(i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(role_name(i), role_name(j));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_has_every_row_of_the_file),
		cmocka_unit_test(all_65536_types_are_either_a_row_or_unknown),
		cmocka_unit_test(numbers_and_names_are_unique_and_numbers_rise),
		cmocka_unit_test(
		    rows_of_a_group_are_between_the_same_processes),
		cmocka_unit_test(no_row_can_destroy),
		cmocka_unit_test(
		    only_a_worker_ends_a_live_row_and_only_in_a_batch),
		cmocka_unit_test(
		    what_mail_facing_roles_say_to_the_store_is_known),
		cmocka_unit_test(fronts_have_no_row_to_the_store_or_a_worker),
		cmocka_unit_test(
		    no_row_names_the_account_that_its_sender_acts_for),
		cmocka_unit_test(
		    every_request_has_an_answer_in_the_other_direction),
		cmocka_unit_test(
		    every_answer_has_a_request_in_the_other_direction),
		cmocka_unit_test(
		    sizes_are_those_of_the_fields_and_fit_a_packet),
		cmocka_unit_test(
		    every_row_decodes_and_encodes_back_to_the_same_bytes),
		cmocka_unit_test(a_packet_one_byte_short_or_long_is_refused),
		cmocka_unit_test(a_field_beyond_its_limit_is_refused_both_ways),
		cmocka_unit_test(a_row_is_taken_from_and_by_its_own_roles_only),
		cmocka_unit_test(every_role_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
