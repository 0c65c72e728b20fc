/* See spool_tls_reports.h. */
#include "smtpd/spool_tls_reports.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/queue_record.h"
#include "smtpd/spool_tls_state.h"

#include <stdlib.h>
#include <string.h>

enum {
	DAY_S = 86400,
	LOOK_S = 3600, /* again, whatever the clock does */
	AT_ONCE = 16,  /* reports that are begun in a turn */
	PAGE_SIZE = 60000,
	PAGE_LOOKS = 500,
	RECORD_MAX = 400
};

int64_t
spool_tls_now_s(void)
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
	int64_t now = spool_tls_now_s(), day = day_of(now);

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

int64_t
spool_tls_end_of(const struct spool_tls_reports *reports, uint32_t period)
{
	return is_closed_early(reports, period) ? reports->closed
						: day_of(period) + DAY_S;
}

/* When the next try is due. */
static int64_t
due_of(
    const struct spool_tls_reports *reports, const struct tlsrpt_domain *domain)
{
	int64_t jitter = (int64_t)(domain->id.domain % TLS_REPORT_JITTER_S);

	if (domain->next != 0)
		return domain->next;
	if (reports->closed > domain->id.period)
		jitter = 0;
	return spool_tls_end_of(reports, domain->id.period) + jitter;
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
	int64_t now = spool_tls_now_s(), next = now + LOOK_S, due;
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
			spool_tls_try(reports, domain.id);
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

void
spool_tls_reports_use(
    struct spool_tls_reports *reports, struct channel *fetcher)
{
	reports->fetcher = fetcher;
	if (fetcher == NULL)
		spool_tls_forget_posts(reports);
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

	reports->closed = spool_tls_now_s();
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
	spool_tls_forget_posts(*reports);
	table_free(&(*reports)->posts);
	timer_free(&(*reports)->timer);
	memory_free(reports);
}
