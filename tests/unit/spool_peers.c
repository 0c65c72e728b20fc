/*
 * See spool_peers.h.
 */
#include "tests/unit/spool_peers.h"

#include "common/clock.h"
#include "common/file.h"

struct spool_peers peers;
const struct mail simple = { .sender = "bob@demo.test",
	.recipients = { "x@other.test" } };

bool
is_kept(void)
{
	return peers.kept >= peers.wanted;
}

static bool
has_jobs(void)
{
	return peers.job_count >= peers.wanted;
}

bool
has_reports(void)
{
	return peers.reports >= peers.wanted;
}

bool
is_empty(void)
{
	return schedule_count(spool->schedule) == 0;
}

bool
is_at_rest(void)
{
	return schedule_running(spool->schedule) == 0;
}

void
peers_wait_for_jobs(unsigned int count)
{
	peers.wanted = count;
	wait_for(has_jobs);
}

static void
read_fd(int fd, char *to, size_t to_size)
{
	struct error error;
	struct buf bytes;

	buf_init(&bytes, to_size - 1);
	assert_int_equal(file_read_all(fd, &bytes, &error), 0);
	memcpy(to, bytes.data, bytes.size);
	to[bytes.size] = '\0';
	buf_clear(&bytes);
}

static void
hear_release(const struct message_spool_due *said, int fd)
{
	struct outgoing_record record;
	struct reader reader;
	size_t size;

	peers.releases++;
	peers.release_job = said->job;
	peers.release_delivery = said->delivery;
	snprintf(peers.released, sizeof(peers.released),
	    "%.*s: ", TEXT_FMT(said->sender));
	reader_init(&reader, said->recipients.data, said->recipients.size);
	while (record_get_outgoing(&reader, &record) == 1) {
		strncat(
		    peers.released, record.address.data, record.address.size);
		strcat(peers.released, " ");
	}
	size = strlen(peers.released);
	read_fd(fd, peers.released + size, sizeof(peers.released) - size);
}

static void
queue_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_spool_kept) {
		peers.kept++;
		peers.kept_status = (enum status)message->spool_kept.status;
		peers.kept_sent = message->spool_kept.sent;
	} else if (message->type == MESSAGE_spool_undecided) {
		peers.offers++;
		peers.offered = message->spool_undecided;
	} else if (message->type == MESSAGE_spool_due) {
		hear_release(&message->spool_due, fds[0]);
	} else if (message->type == MESSAGE_spool_sent) {
		peers.told_sent = message->spool_sent.accounts.size / 8;
		peers.told_number =
		    message->spool_sent.accounts.size == 8
			? (uint8_t)message->spool_sent.accounts.data[4]
			: 0;
	} else if (message->type == MESSAGE_spool_report) {
		peers.reports++;
		peers.report_tag = message->spool_report.tag;
		peers.report_delivery = message->spool_report.delivery;
		peers.report_flags = message->spool_report.flags;
		text_copy(message->spool_report.recipient,
		    peers.report_recipient, sizeof(peers.report_recipient));
		read_fd(fds[0], peers.report, sizeof(peers.report));
	}
}

static void
relay_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_relay_job *said = &message->relay_job;
	struct outgoing_record record;
	struct relay_route route;
	struct reader reader;
	struct job *job;

	if (message->type == MESSAGE_relay_cancel) {
		peers.cancelled = message->relay_cancel.job;
		return;
	}
	assert_int_equal(message->type, MESSAGE_relay_job);
	job = &peers.jobs[peers.job_count++ % MAX_JOBS];
	memset(job, 0, sizeof(*job));
	job->number = said->job;
	job->priority = said->priority;
	text_copy(said->domain, job->domain, sizeof(job->domain));
	reader_init(&reader, said->route.data, said->route.size);
	assert_int_equal(relay_route_get(&reader, &route), 0);
	text_copy(route.host, job->host, sizeof(job->host));
	job->tls = route.tls;
	reader_init(&reader, said->recipients.data, said->recipients.size);
	while (record_get_outgoing(&reader, &record) == 1) {
		strncat(
		    job->recipients, record.address.data, record.address.size);
		strcat(job->recipients, " ");
		job->count++;
	}
	read_fd(fds[0], job->body, sizeof(job->body));
}

void
peers_connect_relay(void)
{
	static const struct channel_handler handler = { relay_hears, gone };

	peers.relay = connect_to(ROLE_RELAY, &handler);
}

void
peers_connect_queue(void)
{
	static const struct channel_handler handler = { queue_hears, gone };

	peers.queue = connect_to(ROLE_QUEUE, &handler);
}

static void
failed(void *context)
{
	peers.is_failed = true;
	event_loop_stop(loop);
}

void
peers_start(void)
{
	open_spool(peers.accounts, failed);
	peers_connect_queue();
}

void
peers_stop(void)
{
	channel_free(&peers.queue);
	channel_free(&peers.relay);
	close_spool();
}

int
peers_set_up(void **state)
{
	make_folder();
	memset(&peers, 0, sizeof(peers));
	peers.accounts = account_table_new();
	account_table_add(peers.accounts,
	    &(struct account){
		.number = 1, .address = "bob@demo.test", .hash = "" });
	peers_start();
	return 0;
}

int
peers_tear_down(void **state)
{
	spool_env_set_fault(0);
	peers_stop();
	account_table_free(&peers.accounts);
	remove_folder();
	return 0;
}

static struct delivery_id
delivery_of(unsigned int number)
{
	return (struct delivery_id){ { (uint8_t)number } };
}

void
peers_put_as(unsigned int number, const struct mail *mail,
    const struct delivery_id *delivery)
{
	struct message message = { .type = MESSAGE_spool_put };
	struct message_spool_put *said = &message.spool_put;
	uint8_t records[4000];
	struct writer writer;

	writer_init(&writer, records, sizeof(records));
	for (int i = 0; i < 4 && mail->recipients[i] != NULL; i++) {
		const struct outgoing_record record = { mail->notify,
			TEXT("rfc822;first+2Blast@old.test"),
			text_of(mail->recipients[i]), mail->fate };
		record_put_outgoing(&writer, &record);
	}
	said->tag = number;
	said->delivery = *delivery;
	said->time = clock_wall_us() / 1000000 - mail->age_s;
	said->account = 1;
	said->flags = mail->flags;
	said->not_before = mail->later_s != 0 ? said->time + mail->later_s : 0;
	said->decider = mail->decider;
	said->priority = (uint8_t)mail->priority;
	said->sender = text_of(mail->sender);
	said->envelope_id = TEXT("env+2B1");
	said->recipients = text_make(records, writer.size);
	said->data = TEXT("Subject: Hello\r\n\r\nThe body\r\n");
	said->size = said->data.size;
	assert_int_equal(channel_send(peers.queue, &message, NULL, 0), 0);
	peers.wanted = peers.kept + 1;
	wait_for(is_kept);
}

void
peers_put(unsigned int number, const struct mail *mail)
{
	const struct delivery_id delivery = delivery_of(number);

	peers_put_as(number, mail, &delivery);
}

void
peers_answer(const struct job *job, uint16_t recipient,
    enum relay_outcome outcome, unsigned int code)
{
	struct message message = { .type = MESSAGE_relay_recipient };
	struct message_relay_recipient *said = &message.relay_recipient;

	said->job = job->number;
	said->recipient = recipient;
	said->outcome = (uint8_t)outcome;
	said->code = (uint16_t)code;
	said->enhanced = code >= 500 ? TEXT("5.1.1") : TEXT("4.2.0");
	said->text = TEXT("the host's words");
	said->host = TEXT("mx.other.test");
	assert_int_equal(channel_send(peers.relay, &message, NULL, 0), 0);
}

void
peers_end_job(const struct job *job, enum relay_trouble trouble)
{
	struct message message = { .type = MESSAGE_relay_done };

	message.relay_done.job = job->number;
	message.relay_done.trouble = (uint8_t)trouble;
	message.relay_done.text =
	    trouble == RELAY_NO_TROUBLE ? TEXT("") : TEXT("nobody there");
	assert_int_equal(channel_send(peers.relay, &message, NULL, 0), 0);
}

void
peers_route_report(enum status status)
{
	struct message message = { .type = MESSAGE_report_routed };

	message.report_routed.tag = peers.report_tag;
	message.report_routed.status = (uint8_t)status;
	assert_int_equal(channel_send(peers.queue, &message, NULL, 0), 0);
}

void
peers_decide(unsigned int number, bool is_kept)
{
	struct message message = { .type = MESSAGE_spool_decide };

	message.spool_decide.delivery.bytes[0] = (uint8_t)number;
	message.spool_decide.is_kept = is_kept;
	assert_int_equal(channel_send(peers.queue, &message, NULL, 0), 0);
}
