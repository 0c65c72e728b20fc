/*
 * Files mail that the queue accepted: reads the delivery from the store,
 * chooses the mailbox, writes the file into tmp/, asks the store to make it a
 * message, and then moves the file into the Maildir and answers the queue.  All
 * of it may be repeated: the store answers by delivery id what was decided
 * before.
 *
 * What comes together is filed together: when all that is being read was read,
 * one batch goes to the store, and one change of the index follows.
 */
#include "imapd/account_state.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	DELIVER_AT_ONCE = 32,
	DELIVER_AGAIN_MS = 5000, /* doubled at each failure, */
	DELIVER_DOUBLINGS = 6    /* so often */
};

enum delivery_state {
	DELIVERY_WAITING, /* for others to be done */
	DELIVERY_PAUSED,  /* failed: for the timer, or the store to be back */
	DELIVERY_READING,
	DELIVERY_READ,
	DELIVERY_FILING
};

struct delivery {
	struct delivery *next;
	struct account_store *account;
	struct delivery_id id;
	enum delivery_state state;
	bool is_asked; /* the queue waits for an answer */
	bool is_alone; /* it, or one that it came with, was refused */
	unsigned int failures;
	int fd;
	uint64_t stored_size;
	uint64_t size;
	int64_t time;
	uint8_t form;
	uint64_t mailbox;
	uint32_t uid; /* when it was filed, and where */
	uint64_t filed_in;
	struct prepared prepared;
};

/* What is filed with one batch. */
struct filing {
	struct account_store *account;
	size_t count;
	struct delivery *deliveries[DELIVER_AT_ONCE];
};

static void
free_delivery(struct delivery *d)
{
	message_prepare_end(d->account, &d->prepared);
	if (d->fd != -1)
		close(d->fd);
	free(d);
}

static void
answer(struct delivery *d, enum status status, uint32_t uid, struct text name)
{
	struct message m = { .type = MESSAGE_filed };
	struct delivery **at = &d->account->deliveries;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	m.filed.delivery = d->id;
	m.filed.status = (uint8_t)status;
	m.filed.uid = uid;
	m.filed.mailbox = name;
	m.filed.size = d->stored_size;
	if (d->is_asked && d->account->queue != NULL)
		channel_send(d->account->queue, &m, NULL, 0);
	if (d->account->deliveries != NULL)
		timer_start(d->account->deliver_timer, 0);
	free_delivery(d);
}

/* It could not be filed: it lies safe in the store and is tried again. The
 * queue, which tries by itself as well, is told at once. */
static void
fail(struct delivery *d, enum status status)
{
	struct message m = { .type = MESSAGE_filed };

	log_warning("deliver", "status=%s", status_name(status));
	m.filed.delivery = d->id;
	m.filed.status = (uint8_t)status;
	if (d->is_asked && d->account->queue != NULL)
		channel_send(d->account->queue, &m, NULL, 0);
	d->is_asked = false;
	d->state = DELIVERY_PAUSED;
	message_prepare_end(d->account, &d->prepared);
	if (d->fd != -1)
		close(d->fd);
	d->fd = -1;
	timer_start(d->account->deliver_timer,
	    (int64_t)DELIVER_AGAIN_MS << d->failures);
	if (d->failures < DELIVER_DOUBLINGS)
		d->failures++;
}

/* user+detail goes to the mailbox `detail` if there is one. */
static struct folder *
choose_mailbox(struct account_store *account, struct text address)
{
	struct folder *folder = NULL;
	ptrdiff_t at = -1, plus = text_find_byte(address, '+');

	for (size_t i = address.size; i > 0 && at == -1; i--)
		if (address.data[i - 1] == '@')
			at = (ptrdiff_t)i - 1;
	if (plus != -1 && at > plus + 1)
		folder = folder_find(account, text_make(address.data + plus + 1,
						  (size_t)(at - plus - 1)));
	return folder != NULL ? folder : folder_find(account, TEXT("INBOX"));
}

/* One that the store has filed: into index and Maildir. */
static void
take(struct delivery *d, const struct result_record *result, uint64_t sequence)
{
	struct message_source source = { .fd = d->fd,
		.prepared = &d->prepared };
	struct message_record record = { 0 };
	char hex[2 * 18 + 1];

	if (d->fd == -1 && d->prepared.name != NULL)
		source.fd = d->prepared.fd;
	text_format_hex(d->id.bytes, sizeof(d->id.bytes), hex);
	record.mailbox = result->mailbox;
	record.uid = result->uid;
	record.modseq = result->modseq;
	record.born = result->born;
	record.internaldate = d->time;
	record.size = d->size;
	record.stored_size = d->stored_size;
	record.blob = result->blob;
	record.form = d->form;
	record.hash = result->hash;
	record.base = text_of(hex);
	/* An old decision, told again: its row may be changed or dead. */
	if (result->born == sequence)
		apply_message(d->account, &record, &source, NULL);
	d->uid = result->uid;
	d->filed_in = result->mailbox;
}

static void
answer_filed(struct delivery *d)
{
	struct folder *folder = folder_find_id(d->account, d->filed_in);

	answer(d, STATUS_OK, d->uid,
	    folder == NULL ? text_of("") : folder->info.name);
}

static void file_together(struct account_store *account);

/* The store takes all or nothing: which one it was that it did not want shows
 * when each is asked for alone. */
static void
not_filed(struct filing *filing, enum status status)
{
	bool is_tried_alone = filing->count > 1 && !status_passes(status);

	for (size_t i = 0; i < filing->count; i++) {
		struct delivery *d = filing->deliveries[i];

		if (!is_tried_alone) {
			fail(d, status);
			continue;
		}
		d->is_alone = true;
		d->state = DELIVERY_READ;
	}
	if (is_tried_alone)
		file_together(filing->account);
}

static void
filed(enum status status, uint64_t sequence, struct text results, void *context)
{
	struct filing *filing = context;
	struct account_store *account = filing->account;
	struct result_record result;
	struct reader r;
	size_t done = 0;

	reader_init(&r, results.data, results.size);
	if (status == STATUS_OK) {
		apply_begin(account);
		while (
		    done < filing->count && record_get_result(&r, &result) == 1)
			take(filing->deliveries[done++], &result, sequence);
		apply_sequence(account, sequence);
		apply_end(account);
	}
	for (size_t i = 0; i < done; i++)
		answer_filed(filing->deliveries[i]);
	for (size_t i = done; status == STATUS_OK && i < filing->count; i++)
		fail(filing->deliveries[i], STATUS_DAMAGED);
	if (status != STATUS_OK)
		not_filed(filing, status);
	free(filing);
}

static bool
is_any_being_read(const struct account_store *account)
{
	const struct delivery *d;

	for (d = account->deliveries; d != NULL; d = d->next)
		if (d->state == DELIVERY_READING)
			return true;
	return false;
}

/* The next one that was read, to go with `filing`. */
static struct delivery *
next_to_file(const struct filing *filing)
{
	struct delivery *d;

	if (filing->count == DELIVER_AT_ONCE ||
	    (filing->count == 1 && filing->deliveries[0]->is_alone))
		return NULL;
	for (d = filing->account->deliveries; d != NULL; d = d->next)
		if (d->state == DELIVERY_READ &&
		    (filing->count == 0 || !d->is_alone))
			return d;
	return NULL;
}

static void
file_together(struct account_store *account)
{
	struct message m = { .type = MESSAGE_change_file };
	struct filing *filing;
	struct delivery *d;

	while (!is_any_being_read(account)) {
		struct store_batch *batch = store_batch_new_for(CAUSE_DELIVERY);

		filing = memory_new(1, sizeof(*filing));
		filing->account = account;
		while ((d = next_to_file(filing)) != NULL) {
			d->state = DELIVERY_FILING;
			filing->deliveries[filing->count++] = d;
			m.change_file.delivery = d->id;
			m.change_file.mailbox = d->mailbox;
			store_batch_add(batch, &m, -1);
		}
		if (filing->count == 0) {
			store_batch_free(&batch);
			free(filing);
			return;
		}
		store_client_commit(account->client, &batch, filed, filing);
	}
}

/* The bytes of a small message are at hand only now. */
static void
was_read(struct delivery *d, const struct folder *folder,
    const struct message_source *source)
{
	d->state = DELIVERY_READ;
	d->mailbox = folder->info.id;
	if (source != NULL)
		message_prepare(
		    d->account, &d->id, d->time, source, &d->prepared);
}

static void
read_unfiled(enum status status, const struct text *envelope,
    struct store_body *body, void *context)
{
	struct delivery *d = context;
	struct account_store *account = d->account;
	const struct message_source source = { .fd = body->fd,
		.data = body->data };
	struct unfiled_record record;
	struct folder *folder = NULL;
	struct reader r;

	reader_init(&r, envelope->data, envelope->size);
	if (status == STATUS_OK && record_get_unfiled(&r, &record) != 1)
		status = STATUS_DAMAGED;
	if (status == STATUS_OK &&
	    (folder = choose_mailbox(account, record.address)) == NULL)
		status = STATUS_UNAVAILABLE;
	/* Filed before: asking again tells where. */
	if (status == STATUS_EXISTS)
		folder = folder_find(account, TEXT("INBOX"));
	if (status == STATUS_OK) {
		d->fd = body->fd;
		body->fd = -1;
		d->stored_size = record.stored_size;
		d->size = record.size;
		d->time = record.time;
		d->form = record.form;
	}
	if (folder != NULL)
		was_read(d, folder, status == STATUS_OK ? &source : NULL);
	else if (status == STATUS_MISSING) /* not our account's */
		answer(d, status, 0, text_of(""));
	else
		fail(d, status);
	file_together(account);
}

/* The next one is asked for anew each time: asking may end deliveries. */
static struct delivery *
next_waiting(struct account_store *account)
{
	unsigned int begun = 0;

	for (struct delivery *d = account->deliveries; d != NULL; d = d->next) {
		if (d->state >= DELIVERY_READING && ++begun >= DELIVER_AT_ONCE)
			return NULL;
		if (d->state == DELIVERY_WAITING)
			return d;
	}
	return NULL;
}

static void
begin_waiting(struct account_store *account)
{
	struct delivery *d;

	while ((d = next_waiting(account)) != NULL) {
		d->state = DELIVERY_READING;
		store_read_unfiled(account->client, &d->id, read_unfiled, d);
	}
}

static void
begin_some(void *context)
{
	struct account_store *account = context;

	if (account->status != STATUS_OK ||
	    !store_client_is_present(account->client))
		return; /* deliver_start comes when the store is back */
	for (struct delivery *d = account->deliveries; d != NULL; d = d->next)
		if (d->state == DELIVERY_PAUSED)
			d->state = DELIVERY_WAITING;
	begin_waiting(account);
}

static struct delivery *
add(struct account_store *account, const struct delivery_id *id)
{
	struct delivery **at = &account->deliveries, *d;

	for (; (d = *at) != NULL; at = &d->next)
		if (memcmp(&d->id, id, sizeof(*id)) == 0)
			return d;
	d = memory_new(1, sizeof(*d));
	d->account = account;
	d->id = *id;
	d->fd = -1;
	*at = d;
	if (account->deliver_timer == NULL)
		account->deliver_timer =
		    timer_new(account->loop, begin_some, account);
	timer_start(account->deliver_timer, 0);
	return d;
}

/* -- What waits in the store -- */

static void
listed(enum status status, uint64_t sequence, struct text data, void *context)
{
	struct account_store *account = context;
	struct unfiled_record record;
	struct reader r;

	reader_init(&r, data.data, data.size);
	while (status == STATUS_OK && record_get_unfiled(&r, &record) == 1)
		add(account, &record.delivery);
}

void
deliver_start(struct account_store *account)
{
	store_list_unfiled(account->client, listed, account);
	if (account->deliveries != NULL)
		timer_start(account->deliver_timer, 0);
}

/* -- The queue -- */

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	static const struct delivery_id whatever;
	struct account_store *account = context;

	if (message->type == MESSAGE_fetch_url && account->serve_url != NULL)
		account->serve_url(&message->fetch_url, account->serve_context);
	if (message->type != MESSAGE_file)
		return;
	add(account, &message->file.delivery)->is_asked = true;
	/* A queue that was started after the mail was accepted knows that some
	 * lies there, not which. */
	if (memcmp(&message->file.delivery, &whatever, sizeof(whatever)) == 0 &&
	    account->status == STATUS_OK &&
	    store_client_is_present(account->client))
		deliver_start(account);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct account_store *account = context;

	for (struct delivery *d = account->deliveries; d != NULL; d = d->next)
		d->is_asked = false;
	process_peer_closed(error, ROLE_QUEUE, 0, account->queue_instance);
	channel_free(&account->queue);
}

void
account_store_attach_queue(
    struct account_store *account, int fd, uint64_t instance)
{
	static const struct channel_handler handler = { received, closed };

	for (struct delivery *d = account->deliveries; d != NULL; d = d->next)
		d->is_asked = false;
	channel_free(&account->queue);
	account->queue_instance = instance;
	account->queue = channel_new(
	    account->loop, fd, ROLE_WORKER, ROLE_QUEUE, &handler, account);
	quota_tell_anew(account);
}

void
account_store_serve_urls(struct account_store *account,
    void (*serve)(const struct message_fetch_url *asked, void *context),
    void *context)
{
	account->serve_url = serve;
	account->serve_context = context;
}

void
account_store_answer_url(struct account_store *account, uint64_t tag,
    unsigned int verdict, uint64_t size, struct text data, int *fd)
{
	struct message message = { .type = MESSAGE_url_fetched };

	if (account->queue == NULL)
		return; /* who asked is gone */
	message.url_fetched.tag = tag;
	message.url_fetched.verdict = (uint16_t)verdict;
	message.url_fetched.size = size;
	message.url_fetched.data = data;
	(void)channel_send(account->queue, &message, fd, *fd != -1);
}

void
deliver_free_all(struct account_store *account)
{
	channel_free(&account->queue);
	while (account->deliveries != NULL) {
		struct delivery *d = account->deliveries;

		account->deliveries = d->next;
		free_delivery(d);
	}
	timer_free(&account->deliver_timer);
}
