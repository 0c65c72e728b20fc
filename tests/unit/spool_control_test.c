/*
 * The administrator at the control socket of the spool: a queue is shown and
 * changed page by page, also what is under way.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/queue_record.h"
#include "tests/unit/spool_peers.h"

enum {
	MANY_PARCELS = 1200 /* of one message: more than two pages */
};

static struct message page;
static bool is_answered;
static bool is_seen[MANY_PARCELS];
static unsigned int seen;

static void
note_page(const struct message_queue_page *answer)
{
	struct queue_parcel_record record;
	struct reader reader;
	int found;

	reader_init(&reader, answer->rows.data, answer->rows.size);
	while ((found = queue_get_parcel(&reader, &record)) == 1) {
		assert_true(record.parcel < MANY_PARCELS);
		assert_false(is_seen[record.parcel]);
		assert_true(text_is(record.sender, "bob@demo.test"));
		assert_int_equal(record.recipients, 1);
		is_seen[record.parcel] = true;
		seen++;
	}
	assert_int_equal(found, 0);
}

static void
admin_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	page = *message;
	if (message->type == MESSAGE_queue_page)
		note_page(&message->queue_page);
	is_answered = true;
}

static bool
has_answer(void)
{
	return is_answered;
}

static void
ask(struct channel *admin, const struct message *request)
{
	is_answered = false;
	assert_int_equal(channel_send(admin, request, NULL, 0), 0);
	wait_for(has_answer);
}

static struct channel *
connect_admin(void)
{
	static const struct channel_handler handler = { admin_hears, gone };

	return connect_to(ROLE_FIRNMAIL, &handler);
}

static bool
is_cancelled(void)
{
	return peers.cancelled != 0;
}

/* One of two recipients was taken before. */
static void
what_is_under_way_is_returned_when_the_administrator_says_so(void **state)
{
	static const struct mail mail = { .sender = "bob@demo.test",
		.recipients = { "a@other.test", "b@other.test" } };
	struct message request = { .type = MESSAGE_queue_change };
	struct channel *admin = connect_admin();

	peers_put(1, &mail);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	peers_answer(&peers.jobs[0], 0, RELAY_DELIVERED, 250);
	request.queue_change.action = QUEUE_BOUNCE;
	request.queue_change.selector = QUEUE_ALL;
	ask(admin, &request);
	assert_int_equal(page.queue_changed.busy, 1);
	wait_for(is_cancelled);
	assert_int_equal(peers.cancelled, peers.jobs[0].number);
	peers_answer(&peers.jobs[0], 1, RELAY_DEFERRED, 0);
	peers_end_job(&peers.jobs[0], RELAY_NO_TROUBLE);
	peers.wanted = 1;
	wait_for(has_reports);
	wait_for(is_empty);
	assert_non_null(strstr(peers.report, "<b@other.test>"));
	assert_null(strstr(peers.report, "<a@other.test>"));
	assert_non_null(strstr(peers.report, "The administrator returned it."));
	channel_free(&admin);
}

static unsigned int
list_pages(struct channel *admin, enum queue_selector selector)
{
	struct message request = { .type = MESSAGE_queue_list };
	unsigned int pages = 0;

	memset(is_seen, 0, sizeof(is_seen));
	seen = 0;
	request.queue_list.selector = (uint8_t)selector;
	do {
		ask(admin, &request);
		assert_int_equal(page.queue_page.status, STATUS_OK);
		request.queue_list.message = page.queue_page.message;
		request.queue_list.parcel = page.queue_page.parcel;
		pages++;
	} while (!page.queue_page.is_last);
	return pages;
}

static unsigned int
change_pages(struct channel *admin, enum queue_action action)
{
	struct message request = { .type = MESSAGE_queue_change };
	unsigned int changed = 0;

	request.queue_change.action = (uint8_t)action;
	do {
		ask(admin, &request);
		assert_int_equal(page.queue_changed.status, STATUS_OK);
		changed += page.queue_changed.changed;
		request.queue_change.message = page.queue_changed.message;
		request.queue_change.parcel = page.queue_changed.parcel;
	} while (!page.queue_changed.is_last);
	return changed;
}

static void
put_many(void)
{
	struct message message = { .type = MESSAGE_spool_put };
	struct message_spool_put *said = &message.spool_put;
	struct outgoing_record record = { .original = TEXT("") };
	static uint8_t records[40000];
	struct writer writer;
	char address[32];

	writer_init(&writer, records, sizeof(records));
	for (int i = 0; i < MANY_PARCELS; i++) {
		snprintf(address, sizeof(address), "x@d%04d.test", i);
		record.address = text_of(address);
		record_put_outgoing(&writer, &record);
	}
	assert_false(writer.failed);
	said->sender = TEXT("bob@demo.test");
	said->time = clock_wall_us() / 1000000;
	said->recipients = text_make(records, writer.size);
	assert_int_equal(channel_send(peers.queue, &message, NULL, 0), 0);
	peers.wanted = peers.kept + 1;
	wait_for(is_kept);
}

static void
a_long_queue_is_shown_and_changed_page_by_page(void **state)
{
	struct channel *admin = connect_admin();

	put_many();
	assert_int_equal(list_pages(admin, QUEUE_ALL), 3);
	assert_int_equal(seen, MANY_PARCELS);
	assert_int_equal(change_pages(admin, QUEUE_HOLD), MANY_PARCELS);
	assert_int_equal(change_pages(admin, QUEUE_HOLD), 0);
	list_pages(admin, QUEUE_HELD);
	assert_int_equal(seen, MANY_PARCELS);
	peers_connect_relay();
	assert_int_equal(change_pages(admin, QUEUE_RELEASE), MANY_PARCELS);
	peers_wait_for_jobs(SCHEDULE_MAX_RUNNING);
	list_pages(admin, QUEUE_HELD);
	assert_int_equal(seen, 0);
	channel_free(&admin);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PEERS(a_long_queue_is_shown_and_changed_page_by_page),
		WITH_PEERS(
		    what_is_under_way_is_returned_when_the_administrator_says_so),
	};

	log_set_level(LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
