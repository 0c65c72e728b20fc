/*
 * See drill_timer.h.  When the last one of all accounts was stands in the
 * store.
 */
#include "snapd/drill_timer.h"

#include "common/control_record.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/drill_record.h"

struct drill_timer {
	struct snapd *snapd;
	struct timer *timer;
	int64_t tick_ms;
	uint32_t every_s;
	uint32_t sample;
};

static bool
is_due(struct drill_timer *timer)
{
	struct journal *journal = snapd_journal(timer->snapd);
	struct error error = { .code = ERROR_NONE };
	struct drill_last last = { .sequence = 0 };
	struct transaction *t;

	if (journal == NULL || timer->every_s == 0 ||
	    !drill_is_ready(snapd_drill(timer->snapd)))
		return false;
	/* One that ended in this round is not on disk yet. */
	t = journal->round != NULL
		? journal->round
		: transaction_begin(journal->store, false, &error);
	if (t != NULL)
		(void)drill_record_last(t, &last, &error);
	if (t != journal->round)
		transaction_abort(&t);
	if (error.code != ERROR_NONE) {
		log_error("drill", "error=\"%s\"", error.text);
		return false;
	}
	return drill_is_due(
	    last.whole_time, journal->now_us / 1000000, timer->every_s);
}

static void
start(struct drill_timer *timer)
{
	struct message request = { .type = MESSAGE_control_drill };
	struct error error;

	request.control_drill.point_kind = POINT_NOW;
	request.control_drill.sample = timer->sample;
	if (drill_start(snapd_drill(timer->snapd), NULL, &request, &error) != 0)
		log_alarm("drill-failed", "account=0 result=failed why=\"%s\"",
		    error.text);
}

static void
tick(void *context)
{
	struct drill_timer *timer = context;

	drill_watch(snapd_drill(timer->snapd));
	if (is_due(timer))
		start(timer);
	timer_start(timer->timer, timer->tick_ms);
}

void
drill_timer_configure(
    struct drill_timer *timer, uint32_t every_s, uint32_t sample)
{
	timer->every_s = every_s;
	timer->sample = sample;
}

struct drill_timer *
drill_timer_new(struct snapd *snapd, int64_t tick_ms)
{
	struct drill_timer *timer = memory_new(1, sizeof(*timer));

	timer->snapd = snapd;
	timer->tick_ms = tick_ms > 0 ? tick_ms : DRILL_TICK_MS;
	timer->timer = timer_new(snapd_loop(snapd), tick, timer);
	timer_start(timer->timer, timer->tick_ms);
	return timer;
}

void
drill_timer_free(struct drill_timer **timer)
{
	if (*timer == NULL)
		return;
	timer_free(&(*timer)->timer);
	memory_free(timer);
}
