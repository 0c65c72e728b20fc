/*
 * A try to send a report of TLS: written from what was counted, handed to the
 * queue as mail, and to the fetcher to be posted.  See spool_tls_state.h.
 */
#include "smtpd/spool_tls_state.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/smtp_verdict.h"
#include "smtpd/spool_reports.h"
#include "smtpd/tlsrpt_record.h"
#include "smtpd/tlsrpt_report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	TRY_FOR_S = 86400, /* from the first one on (RFC 8460 section 5.5) */
	RETRY_S = 15 * 60, /* doubled each time */
	RETRY_MOST_S = 4 * 3600,
	MAX_POSTS = 48 /* without an answer, below the channel's limit */
};

/* One address of one report. */
struct post {
	struct tlsrpt_id id;
	uint8_t place;
};

struct
try {
	struct spool_change change;
	struct spool_tls_reports *reports;
	struct tlsrpt_id id;
	char name[256]; /* of the domain */
	struct tlsrpt_record record;
	struct buf report;
	bool is_over; /* its rows are gone */
	uint8_t to_post;
	size_t mail_count;
	uint64_t mails[TLSRPT_MAX_URIS];
};

static struct tlsrpt_about
about_of(const struct try *try, int64_t end)
{
	const struct settings *settings = try->reports->spool->options.settings;

	return (struct tlsrpt_about){ .host = settings->host,
		.organization = settings->tls_report_organization,
		.contact = settings->tls_report_contact,
		.domain = text_of(try->name),
		.id = try->id,
		.begin = try->id.period,
		.end = end };
}

static int
write_report(
    struct try *try, const struct tlsrpt_about *about, struct error *error)
{
	struct tlsrpt_report *report = tlsrpt_report_new(about);
	int result =
	    tlsrpt_store_each(spool_store_env(try->reports->spool->store),
		try->id, tlsrpt_report_add, report, error);

	if (result == 0 && tlsrpt_report_write(report, &try->report) == -1)
		result = error_set(error, ERROR_LIMIT, "a report is too long");
	tlsrpt_report_free(&report);
	return result;
}

/* For the queue, which routes it like any mail. */
static int
put_mail(struct try *try, const struct tlsrpt_about *about, const char *address,
    struct error *error)
{
	struct spool_mail mail = { .time = spool_tls_now_s(),
		.flags = TRANSACTION_TLS_OPTIONAL,
		.sender = text_of(""),
		.envelope_id = text_of(""),
		.recipients = text_of(address),
		.fd = -1 };
	char boundary[33];
	struct buf bytes;
	int result;

	if (getrandom(mail.delivery.bytes, 16, 0) != 16)
		fatal("no random numbers");
	text_format_hex(mail.delivery.bytes, 16, boundary);
	buf_init(&bytes, TLSRPT_MAX_MAIL);
	result = tlsrpt_mail_format(about, address, mail.time, boundary,
	    text_make(try->report.data, try->report.size), &bytes);
	mail.data = text_make(bytes.data, bytes.size);
	mail.size = bytes.size;
	if (result == -1)
		error_set(error, ERROR_LIMIT, "a report is too long");
	else
		result = spool_store_put_report(try->reports->spool->store,
		    &mail, &try->mails[try->mail_count], error);
	buf_clear(&bytes);
	if (result == -1)
		return -1;
	try->mail_count++;
	return 0;
}

/* Mail is the queue's from here on; what is posted is done when it was
 * taken. */
static int
give_out(struct try *try, const struct tlsrpt_about *about,
    struct tlsrpt_domain *domain, struct error *error)
{
	for (size_t i = 0; i < try->record.uri_count; i++) {
		const struct tlsrpt_uri *uri = &try->record.uris[i];
		uint8_t bit = (uint8_t)(1u << i);

		if (domain->done & bit)
			continue;
		if (uri->scheme == TLSRPT_HTTPS) {
			try->to_post |= bit;
			continue;
		}
		if (put_mail(try, about, uri->text, error) == -1)
			return -1;
		domain->done |= bit;
	}
	return 0;
}

static int64_t
next_try(unsigned int tries, int64_t now)
{
	int64_t wait = RETRY_S;

	while (tries-- > 1 && wait < RETRY_MOST_S)
		wait *= 2;
	return now + (wait < RETRY_MOST_S ? wait : RETRY_MOST_S);
}

static int
end_report(struct try *try, struct error *error)
{
	try->is_over = true;
	return tlsrpt_store_remove(
	    spool_store_env(try->reports->spool->store), try->id, error);
}

/* Texts of `domain` lie in the environment: they are copied before it is
 * written. */
static int
try_for(struct try *try, struct tlsrpt_domain *domain, struct error *error)
{
	struct spool *spool = try->reports->spool;
	char record[TLSRPT_MAX_TEXT + 1];
	struct tlsrpt_about about;
	int64_t now = spool_tls_now_s();

	(void)text_copy(domain->name, try->name, sizeof(try->name));
	(void)text_copy(domain->record, record, sizeof(record));
	domain->name = text_of(try->name);
	domain->record = text_of(record);
	if (domain->end == 0)
		domain->end = spool_tls_end_of(try->reports, try->id.period);
	if (!spool->options.settings->sends_tls_reports ||
	    now > domain->end + TLS_REPORT_JITTER_S + TRY_FOR_S ||
	    tlsrpt_record_parse(domain->record, &try->record) != 1)
		return end_report(try, error);
	about = about_of(try, domain->end);
	if (write_report(try, &about, error) == -1)
		return -1;
	if (!spool_store_has_room(
		spool->store, TLSRPT_MAX_URIS * (uint64_t)TLSRPT_MAX_MAIL))
		return error_set(error, ERROR_FULL, "the spool is full");
	if (give_out(try, &about, domain, error) == -1)
		return -1;
	if (try->to_post == 0)
		return end_report(try, error);
	domain->tries++;
	domain->next = next_try(domain->tries, now);
	return tlsrpt_store_set(spool_store_env(spool->store), domain, error);
}

static int
try_apply(struct spool_change *change, struct error *error)
{
	struct try *try = (struct try *)change;
	struct tlsrpt_domain domain;
	int found =
	    tlsrpt_store_get(spool_store_env(try->reports->spool->store),
		try->id, &domain, error);

	try->mail_count = 0;
	try->to_post = 0;
	buf_reset(&try->report);
	return found == 1 ? try_for(try, &domain, error) : found;
}

static void
post(struct try *try, uint8_t place)
{
	struct spool_tls_reports *reports = try->reports;
	struct message message = { .type = MESSAGE_post_report };
	struct post *post;

	if (reports->fetcher == NULL ||
	    table_count(reports->posts) >= MAX_POSTS)
		return;
	message.post_report.tag = ++reports->last_tag;
	message.post_report.uri = text_of(try->record.uris[place].text);
	message.post_report.data =
	    text_make(try->report.data, try->report.size);
	if (channel_send(reports->fetcher, &message, NULL, 0) == -1)
		return;
	post = memory_new(1, sizeof(*post));
	post->id = try->id;
	post->place = place;
	(void)table_put_u64(reports->posts, reports->last_tag, post);
}

static void
try_done(struct spool_change *change, enum status status)
{
	struct try *try = (struct try *)change;

	if (status == STATUS_OK) {
		log_info("tls-report", "domain=%s mails=%zu posts=%u over=%d",
		    try->name, try->mail_count,
		    (unsigned int)__builtin_popcount(try->to_post),
		    try->is_over);
		for (size_t i = 0; i < try->mail_count; i++)
			spool_reports_send(
			    try->reports->spool->reports, try->mails[i]);
		for (uint8_t i = 0; i < TLSRPT_MAX_URIS; i++)
			if (try->to_post & 1u << i)
				post(try, i);
	} else {
		log_warning("tls-report-failed", "domain=%s status=%s",
		    try->name, status_name(status));
	}
	buf_clear(&try->report);
	free(try);
}

void
spool_tls_try(struct spool_tls_reports *reports, struct tlsrpt_id id)
{
	struct try *try = memory_new(1, sizeof(*try));

	try->change.apply = try_apply;
	try->change.done = try_done;
	try->reports = reports;
	try->id = id;
	buf_init(&try->report, TLSRPT_MAX_BYTES);
	spool_round_add(reports->spool->round, &try->change);
}

/* -- What the fetcher says -- */

struct posted {
	struct spool_change change;
	struct spool_tls_reports *reports;
	struct post post;
};

static int
posted_apply(struct spool_change *change, struct error *error)
{
	struct posted *posted = (struct posted *)change;
	struct spool_env *env = spool_store_env(posted->reports->spool->store);
	struct tlsrpt_record record;
	struct tlsrpt_domain domain;
	int found = tlsrpt_store_get(env, posted->post.id, &domain, error);

	if (found != 1)
		return found;
	domain.done = (uint8_t)(domain.done | 1u << posted->post.place);
	if (tlsrpt_record_parse(domain.record, &record) != 1 ||
	    domain.done == (1u << record.uri_count) - 1)
		return tlsrpt_store_remove(env, posted->post.id, error);
	return tlsrpt_store_set(env, &domain, error);
}

static void
posted_done(struct spool_change *change, enum status status)
{
	free(change);
}

void
spool_tls_reports_posted(
    struct spool_tls_reports *reports, const struct message_report_posted *said)
{
	struct post *post = table_remove_u64(reports->posts, said->tag);
	struct posted *posted;

	if (post == NULL)
		return;
	log_info("tls-report-posted", "domain=%016llx status=%s",
	    (unsigned long long)post->id.domain,
	    said->status < STATUS_COUNT ? status_name((enum status)said->status)
					: "unknown");
	if (said->status == STATUS_OK) {
		posted = memory_new(1, sizeof(*posted));
		posted->change.apply = posted_apply;
		posted->change.done = posted_done;
		posted->reports = reports;
		posted->post = *post;
		spool_round_add(reports->spool->round, &posted->change);
	}
	memory_free(&post);
}

void
spool_tls_forget_posts(struct spool_tls_reports *reports)
{
	size_t position = 0;
	const void *key;
	size_t key_size;
	void *post;

	while (table_next(reports->posts, &position, &key, &key_size, &post)) {
		(void)table_remove(reports->posts, key, key_size);
		memory_free(&post);
	}
}
