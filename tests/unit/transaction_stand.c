/*
 * See transaction_stand.h.
 */
#include "tests/unit/transaction_stand.h"

#include "common/smtp_verdict.h"
#include "tests/unit/loop_wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	INSTANCE = 7
};

#define BOB "bob@demo.test"

struct stand stand;

static struct channel *authd;
static bool is_granted;
static uint64_t transaction;
static unsigned int verdicts_wanted;

/* -- Waiting -- */

void
stand_wait(bool (*is_so)(void))
{
	assert_true(loop_wait(stand.loop, is_so));
}

/* -- The others -- */

static void
gone(struct channel *channel, const struct error *error, void *context)
{
}

static void
put_address(char *to, struct text address)
{
	strncat(to, address.data, address.size);
	strcat(to, " ");
}

void
stand_answer_accept(enum status status)
{
	struct message answer = { .type = MESSAGE_accepted };

	answer.accepted.tag = stand.accept.tag;
	answer.accepted.status = (uint8_t)status;
	assert_int_equal(channel_send(stand.snapd, &answer, NULL, 0), 0);
}

void
stand_answer_put(enum status status)
{
	struct message answer = { .type = MESSAGE_spool_kept };

	answer.spool_kept.tag = stand.put.tag;
	answer.spool_kept.status = (uint8_t)status;
	assert_int_equal(channel_send(stand.spool, &answer, NULL, 0), 0);
}

void
stand_answer_find(enum status status)
{
	struct message answer = { .type = MESSAGE_delivery_found };

	answer.delivery_found.tag = stand.find.tag;
	answer.delivery_found.status = (uint8_t)status;
	assert_int_equal(channel_send(stand.snapd, &answer, NULL, 0), 0);
}

void
stand_offer(const struct delivery_id *delivery)
{
	struct message message = { .type = MESSAGE_spool_undecided };

	message.spool_undecided.decider = STAND_ALICE;
	message.spool_undecided.delivery = *delivery;
	assert_int_equal(channel_send(stand.spool, &message, NULL, 0), 0);
}

static void
hear_accept(const struct message_accept *said)
{
	struct recipient_record record;
	struct reader reader;

	stand.accepts++;
	stand.accept = *said;
	stand.accept_addresses[0] = '\0';
	reader_init(&reader, said->recipients.data, said->recipients.size);
	while (record_get_recipient(&reader, &record) == 1)
		put_address(stand.accept_addresses, record.address);
	memcpy(stand.accept_data, said->data.data, said->data.size);
	stand.accept_data[said->data.size] = '\0';
	if (!stand.is_snapd_silent)
		stand_answer_accept(stand.accept_status);
}

static void
snapd_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_store_state };

	if (message->type == MESSAGE_accept) {
		hear_accept(&message->accept);
	} else if (message->type == MESSAGE_find_delivery) {
		stand.finds++;
		stand.find = message->find_delivery;
	} else if (message->type == MESSAGE_queue_hello) {
		answer.store_state.tag = message->queue_hello.tag;
		channel_send(channel, &answer, NULL, 0);
	} else if (message->type == MESSAGE_list_unfiled_accounts) {
		answer.type = MESSAGE_unfiled_accounts;
		answer.unfiled_accounts.tag =
		    message->list_unfiled_accounts.tag;
		channel_send(channel, &answer, NULL, 0);
	}
}

static void
hear_put(const struct message_spool_put *said)
{
	struct outgoing_record record;
	struct reader reader;
	size_t size;

	stand.puts++;
	stand.put = *said;
	stand.put_addresses[0] = stand.put_details[0] = '\0';
	reader_init(&reader, said->recipients.data, said->recipients.size);
	while (record_get_outgoing(&reader, &record) == 1) {
		put_address(stand.put_addresses, record.address);
		size = strlen(stand.put_details);
		snprintf(stand.put_details + size,
		    sizeof(stand.put_details) - size, "%.*s/%u/%u/%.*s ",
		    TEXT_FMT(record.address), record.fate, record.notify,
		    TEXT_FMT(record.original));
	}
	memcpy(stand.put_data, said->data.data, said->data.size);
	stand.put_data[said->data.size] = '\0';
	if (!stand.is_spool_silent)
		stand_answer_put(stand.put_status);
}

static void
spool_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_spool_put)
		hear_put(&message->spool_put);
	if (message->type != MESSAGE_spool_decide)
		return;
	stand.decisions++;
	stand.decision = message->spool_decide;
}

static void
front_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type != MESSAGE_transaction_verdict)
		return;
	stand.verdicts++;
	stand.verdict = message->transaction_verdict.verdict;
	stand.full_size = message->transaction_verdict.full.size;
	assert_true(stand.full_size <= sizeof(stand.full));
	memcpy(stand.full, message->transaction_verdict.full.data,
	    stand.full_size);
}

static void
authd_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	is_granted = true;
}

static struct channel *
connect_queue(enum role role, const struct channel_handler *handler)
{
	struct message message = { .type = MESSAGE_introduce };
	int ends[2];

	assert_int_equal(channel_pair(ends, NULL), 0);
	message.introduce.role = (uint8_t)role;
	message.introduce.instance = INSTANCE;
	queue_starter_says(stand.queue, &message, &ends[1]);
	assert_int_equal(ends[1], -1);
	return channel_new(
	    stand.loop, ends[0], role, ROLE_QUEUE, handler, NULL);
}

static bool
is_store_up(void)
{
	return stand.queue->store == STATUS_OK;
}

void
stand_connect_snapd(void)
{
	static const struct channel_handler handler = { snapd_hears, gone };

	channel_free(&stand.snapd);
	stand.snapd = connect_queue(ROLE_SNAPD, &handler);
	stand_wait(is_store_up);
}

static bool
is_spool_open(void)
{
	return stand.queue->is_spool_open;
}

void
stand_connect_spool(void)
{
	static const struct channel_handler handler = { spool_hears, gone };
	struct message state = { .type = MESSAGE_spool_state };

	channel_free(&stand.spool);
	stand.spool = connect_queue(ROLE_SPOOL, &handler);
	state.spool_state.status = STATUS_OK;
	assert_int_equal(channel_send(stand.spool, &state, NULL, 0), 0);
	stand_wait(is_spool_open);
}

static bool
is_known(void)
{
	return is_granted;
}

void
stand_log_in(uint32_t account)
{
	static const struct channel_handler handler = { authd_hears, gone };
	struct message grant = { .type = MESSAGE_grant_sender };

	channel_free(&authd);
	authd = connect_queue(ROLE_AUTHD, &handler);
	grant.grant_sender.instance = INSTANCE;
	grant.grant_sender.connection = STAND_CONNECTION;
	grant.grant_sender.account = account;
	is_granted = false;
	assert_int_equal(channel_send(authd, &grant, NULL, 0), 0);
	stand_wait(is_known);
}

/* -- Steps of a client -- */

static bool
has_verdict(void)
{
	return stand.verdicts >= verdicts_wanted;
}

static unsigned int
ask(const struct message *message)
{
	verdicts_wanted = stand.verdicts + 1;
	assert_int_equal(channel_send(stand.front, message, NULL, 0), 0);
	stand_wait(has_verdict);
	return stand.verdict;
}

static unsigned int
begin_at(enum service service, const char *sender, unsigned int flags,
    int priority, uint64_t size)
{
	struct message message = { .type = MESSAGE_transaction_begin };
	struct message_transaction_begin *said = &message.transaction_begin;

	said->transaction = ++transaction;
	said->connection = STAND_CONNECTION;
	said->service = (uint8_t)service;
	said->flags = (uint16_t)flags;
	said->priority = (uint8_t)priority;
	said->size = size;
	said->sender = text_of(sender);
	said->helo = TEXT("client.test");
	said->client_ip = TEXT("192.0.2.1");
	return ask(&message);
}

static unsigned int
begin(const char *sender, unsigned int flags, int priority, uint64_t size)
{
	return begin_at(SERVICE_SUBMIT, sender, flags, priority, size);
}

unsigned int
stand_begin_lmtp(void)
{
	return begin_at(SERVICE_LMTP, "a@other.test", 0, 0, 0);
}

unsigned int
stand_begin(void)
{
	return begin(BOB, TRANSACTION_ESMTP, 0, 0);
}

unsigned int
stand_begin_with(unsigned int flags, int priority)
{
	return begin(BOB, flags, priority, 0);
}

unsigned int
stand_begin_sized(uint64_t size)
{
	return begin(BOB, TRANSACTION_ESMTP, 0, size);
}

unsigned int
stand_begin_as(const char *sender)
{
	return begin(sender, TRANSACTION_ESMTP, 0, 0);
}

unsigned int
stand_recipient_with(const char *address, uint8_t notify, const char *original)
{
	struct message message = { .type = MESSAGE_transaction_recipient };

	message.transaction_recipient.transaction = transaction;
	message.transaction_recipient.address = text_of(address);
	message.transaction_recipient.notify = notify;
	message.transaction_recipient.original = text_of(original);
	return ask(&message);
}

unsigned int
stand_recipient(const char *address)
{
	return stand_recipient_with(address, 0, "");
}

static void
say_end(const void *data, size_t size)
{
	struct message message = { .type = MESSAGE_transaction_end };

	message.transaction_end.transaction = transaction;
	message.transaction_end.data = text_make(data, size);
	verdicts_wanted = stand.verdicts + 1;
	assert_int_equal(channel_send(stand.front, &message, NULL, 0), 0);
}

unsigned int
stand_put(const char *data)
{
	struct message message = { .type = MESSAGE_transaction_part };

	message.transaction_part.transaction = transaction;
	message.transaction_part.data = text_of(data);
	return ask(&message);
}

void
stand_say_url(const char *url, bool is_last)
{
	struct message message = { .type = MESSAGE_transaction_url };

	message.transaction_url.transaction = transaction;
	message.transaction_url.is_last = is_last;
	message.transaction_url.url = text_of(url);
	verdicts_wanted = stand.verdicts + 1;
	assert_int_equal(channel_send(stand.front, &message, NULL, 0), 0);
}

unsigned int
stand_verdict(void)
{
	stand_wait(has_verdict);
	return stand.verdict;
}

void
stand_abort(void)
{
	struct message message = { .type = MESSAGE_transaction_abort };

	message.transaction_abort.transaction = transaction;
	assert_int_equal(channel_send(stand.front, &message, NULL, 0), 0);
}

void
stand_say_end(const char *data)
{
	say_end(data, strlen(data));
}

unsigned int
stand_end_bytes(const void *data, size_t size)
{
	say_end(data, size);
	stand_wait(has_verdict);
	return stand.verdict;
}

unsigned int
stand_end(const char *data)
{
	return stand_end_bytes(data, strlen(data));
}

/* -- All together -- */

int
stand_set_up(void **state)
{
	static const struct channel_handler handler = { front_hears, gone };

	memset(&stand, 0, sizeof(stand));
	stand.loop = event_loop_new();
	stand.settings = settings_new();
	strcpy(stand.settings->host, "mx.demo.test");
	strcpy(stand.settings->domains[stand.settings->domain_count++],
	    "demo.test");
	stand.settings->is_relaying = true;
	stand.accounts = account_table_new();
	account_table_add(
	    stand.accounts, &(struct account){ .number = STAND_ALICE,
				.address = "alice@demo.test",
				.hash = "" });
	account_table_add(stand.accounts,
	    &(struct account){
		.number = STAND_BOB, .address = "bob@demo.test", .hash = "" });
	stand.queue = queue_new(stand.loop, stand.settings, stand.accounts);
	stand_connect_snapd();
	stand_connect_spool();
	stand.front = connect_queue(ROLE_SMTPD, &handler);
	stand_log_in(STAND_BOB);
	return 0;
}

int
stand_tear_down(void **state)
{
	queue_free(&stand.queue);
	channel_free(&stand.front);
	channel_free(&stand.snapd);
	channel_free(&stand.spool);
	channel_free(&authd);
	event_loop_free(&stand.loop);
	account_table_free(&stand.accounts);
	settings_free(&stand.settings);
	return 0;
}
