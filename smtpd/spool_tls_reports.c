/* See spool_tls_reports.h. */
#include "smtpd/spool_tls_reports.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/queue_record.h"
#include "common/smtp_verdict.h"
#include "common/table.h"
#include "smtpd/spool_reports.h"
#include "smtpd/tlsrpt_record.h"
#include "smtpd/tlsrpt_report.h"
#include "smtpd/tlsrpt_store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	DAY_S = 86400,
	JITTER_S = 4 * 3600, /* section 4.1 */
	TRY_FOR_S = DAY_S,   /* from the first one on (section 5.5) */
	RETRY_S = 15 * 60,   /* doubled each time */
	RETRY_MOST_S = 4 * 3600,
	LOOK_S = 3600,  /* again, whatever the clock does */
	AT_ONCE = 16,   /* reports that are begun in a turn */
	MAX_POSTS = 48, /* without an answer, below the channel's limit */
	PAGE_SIZE = 60000,
	PAGE_LOOKS = 500,
	RECORD_MAX = 400
};

struct spool_tls_reports {
	struct spool *spool;
	struct channel *fetcher; /* NULL: away */
	struct timer *timer;
	struct table *posts; /* that the fetcher has, by tag */
	uint64_t last_tag;
	int64_t closed; /* when the administrator had all sent */
};

/* One address of one report. */
struct post {
	struct tlsrpt_id id;
	uint8_t place;
};

static int64_t
now_s(void)
{
	return spool_now() / 1000;
}

/* -- Periods -- */

static int64_t
day_of(int64_t time)
{
	return time - time % DAY_S;
}

/* A day, or what is left of it after the administrator's word. */
static uint32_t
current_period(const struct spool_tls_reports *reports)
{
	int64_t now = now_s(), day = day_of(now);

	return (uint32_t)(reports->closed > day && reports->closed <= now
			      ? reports->closed
			      : day);
}

static bool
is_closed_early(const struct spool_tls_reports *reports, uint32_t period)
{
	return reports->closed > period &&
	       reports->closed < day_of(period) + DAY_S;
}

static int64_t
end_of(const struct spool_tls_reports *reports, uint32_t period)
{
	return is_closed_early(reports, period) ? reports->closed
						: day_of(period) + DAY_S;
}

/* When the next try is due. */
static int64_t
due_of(
    const struct spool_tls_reports *reports, const struct tlsrpt_domain *domain)
{
	int64_t jitter = (int64_t)(domain->id.domain % JITTER_S);

	if (domain->next != 0)
		return domain->next;
	if (reports->closed > domain->id.period)
		jitter = 0;
	return end_of(reports, domain->id.period) + jitter;
}

/* -- Counting -- */

struct count {
	struct spool_change change;
	struct spool_tls_reports *reports;
	size_t size;
	uint8_t packet[];
};

static int
count_apply(struct spool_change *change, struct error *error)
{
	struct count *count = (struct count *)change;
	struct spool_store *store = count->reports->spool->store;
	struct message message;

	if (message_decode(count->packet, count->size, ROLE_RELAY, ROLE_SPOOL,
		&message, error) == -1)
		return -1;
	if (!spool_store_has_room(store, count->size))
		return error_set(error, ERROR_FULL, "the spool is full");
	return tlsrpt_store_count(spool_store_env(store),
	    current_period(count->reports), &message.tls_session, error);
}

static void
count_done(struct spool_change *change, enum status status)
{
	free(change);
}

void
spool_tls_reports_count(
    struct spool_tls_reports *reports, const struct message_tls_session *said)
{
	static uint8_t packet[MESSAGE_MAX_SIZE];
	const struct message message = { .type = MESSAGE_tls_session,
		.tls_session = *said };
	size_t size = message_encode(&message, packet);
	struct count *count = memory_new(1, sizeof(*count) + size);

	memcpy(count->packet, packet, size);
	count->size = size;
	count->reports = reports;
	count->change.apply = count_apply;
	count->change.done = count_done;
	spool_round_add(reports->spool->round, &count->change);
}

/* -- A try -- */

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
	struct spool_mail mail = { .time = now_s(),
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

/* Mail is the queue's from here on; what is posted is done when it was taken. */
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
	int64_t now = now_s();

	(void)text_copy(domain->name, try->name, sizeof(try->name));
	(void)text_copy(domain->record, record, sizeof(record));
	domain->name = text_of(try->name);
	domain->record = text_of(record);
	if (domain->end == 0)
		domain->end = end_of(try->reports, try->id.period);
	if (!spool->options.settings->sends_tls_reports ||
	    now > domain->end + JITTER_S + TRY_FOR_S ||
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

static void
begin_try(struct spool_tls_reports *reports, struct tlsrpt_id id)
{
	struct try *try = memory_new(1, sizeof(*try));

	try->change.apply = try_apply;
	try->change.done = try_done;
	try->reports = reports;
	try->id = id;
	buf_init(&try->report, TLSRPT_MAX_BYTES);
	spool_round_add(reports->spool->round, &try->change);
}

/* -- What is due -- */

static struct tlsrpt_id
behind(struct tlsrpt_id id)
{
	if (++id.domain == 0)
		id.period++;
	return id;
}

/* What is due is begun, a few at a time, or all that is there (`all`); what is
 * next has its time. How many were begun. */
static uint32_t
look(struct spool_tls_reports *reports, bool all)
{
	struct spool_env *env = spool_store_env(reports->spool->store);
	int64_t now = now_s(), next = now + LOOK_S, due;
	uint32_t current = current_period(reports), begun = 0;
	struct tlsrpt_id at = { 0, 0 };
	struct tlsrpt_domain domain;
	struct error error;
	int found;

	while ((found = tlsrpt_store_find(env, at, &domain, &error)) == 1) {
		at = behind(domain.id);
		due = due_of(reports, &domain);
		if (domain.id.period < current && all)
			due = now;
		if (due <= now && (all || begun < AT_ONCE)) {
			begin_try(reports, domain.id);
			begun++;
			continue;
		}
		due = due <= now ? now + 1 : due;
		next = due < next ? due : next;
	}
	if (found == -1)
		log_alarm("spool-damaged", "error=\"%s\"", error.text);
	timer_start(reports->timer, 1000 * (next - now));
	return begun;
}

static void
on_timer(void *context)
{
	look(context, false);
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

static void
forget_posts(struct spool_tls_reports *reports)
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

void
spool_tls_reports_use(
    struct spool_tls_reports *reports, struct channel *fetcher)
{
	reports->fetcher = fetcher;
	if (fetcher == NULL)
		forget_posts(reports);
}

/* -- The administrator -- */

struct sums {
	uint64_t good;
	uint64_t bad;
};

static void
add_sums(void *context, const struct tlsrpt_policy *policy,
    const struct tlsrpt_failure *failure)
{
	struct sums *sums = context;

	if (policy == NULL)
		return;
	sums->good += policy->good;
	sums->bad += policy->bad;
}

void
spool_tls_reports_list(struct spool_tls_reports *reports,
    struct channel *channel, const struct message_tls_reports_list *said)
{
	struct spool_env *env = spool_store_env(reports->spool->store);
	struct message answer = { .type = MESSAGE_tls_reports_page };
	struct tlsrpt_id at = { said->period, said->domain };
	uint8_t *rows = memory_new(1, PAGE_SIZE);
	struct tlsrpt_domain domain;
	struct writer writer;
	struct error error;
	int found = 1;

	writer_init(&writer, rows, PAGE_SIZE);
	for (int i = 0; i < PAGE_LOOKS && writer.size + RECORD_MAX < PAGE_SIZE;
	     i++) {
		struct queue_tls_report_record record = { 0 };
		struct sums sums = { 0, 0 };

		found = tlsrpt_store_find(env, at, &domain, &error);
		if (found != 1)
			break;
		at = behind(domain.id);
		if (tlsrpt_store_each(
			env, domain.id, add_sums, &sums, &error) == -1)
			found = -1;
		record.begin = domain.id.period;
		record.due = due_of(reports, &domain);
		record.good = sums.good;
		record.bad = sums.bad;
		record.tries = domain.tries;
		record.domain = domain.name;
		queue_put_tls_report(&writer, &record);
	}
	answer.tls_reports_page.tag = said->tag;
	answer.tls_reports_page.status =
	    (uint8_t)(found == -1 ? STATUS_DAMAGED : STATUS_OK);
	answer.tls_reports_page.is_last = found != 1;
	answer.tls_reports_page.period = at.period;
	answer.tls_reports_page.domain = at.domain;
	answer.tls_reports_page.rows = text_make(rows, writer.size);
	(void)channel_send(channel, &answer, NULL, 0);
	free(rows);
}

struct closing {
	struct spool_change change;
	struct spool_tls_reports *reports;
	int64_t closed;
};

static int
closing_apply(struct spool_change *change, struct error *error)
{
	struct closing *closing = (struct closing *)change;

	return tlsrpt_store_close(
	    spool_store_env(closing->reports->spool->store), closing->closed,
	    error);
}

static void
closing_done(struct spool_change *change, enum status status)
{
	free(change);
}

/* What is counted from here on is another report's, also after a restart. */
static void
close_period(struct spool_tls_reports *reports)
{
	struct closing *closing = memory_new(1, sizeof(*closing));

	reports->closed = now_s();
	closing->change.apply = closing_apply;
	closing->change.done = closing_done;
	closing->change.is_must = true;
	closing->reports = reports;
	closing->closed = reports->closed;
	spool_round_add(reports->spool->round, &closing->change);
}

void
spool_tls_reports_send(struct spool_tls_reports *reports,
    struct channel *channel, const struct message_tls_reports_send *said)
{
	struct message answer = { .type = MESSAGE_tls_reports_begun };

	close_period(reports);
	answer.tls_reports_begun.tag = said->tag;
	answer.tls_reports_begun.reports = look(reports, true);
	(void)channel_send(channel, &answer, NULL, 0);
}

/* -- All together -- */

struct spool_tls_reports *
spool_tls_reports_new(struct spool *spool, struct error *error)
{
	struct spool_tls_reports *reports = memory_new(1, sizeof(*reports));

	reports->spool = spool;
	reports->posts = table_new();
	reports->timer = timer_new(spool->loop, on_timer, reports);
	if (tlsrpt_store_closed(
		spool_store_env(spool->store), &reports->closed, error) == -1)
		spool_tls_reports_free(&reports);
	else
		timer_start(reports->timer, 0);
	return reports;
}

void
spool_tls_reports_free(struct spool_tls_reports **reports)
{
	if (*reports == NULL)
		return;
	forget_posts(*reports);
	table_free(&(*reports)->posts);
	timer_free(&(*reports)->timer);
	memory_free(reports);
}
