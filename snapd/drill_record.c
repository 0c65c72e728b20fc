/* See drill_record.h. */
#include "snapd/drill_record.h"

#include "common/log.h"
#include "common/event_form.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	META_SIZE = 17
};

static const char *const outcomes[] = {
	[DRILL_OK] = "ok",
	[DRILL_DAMAGED] = "damaged",
	[DRILL_FAILED] = "failed",
};

struct meta {
	uint64_t last;
	uint64_t whole;
};

static struct key
meta_key(void)
{
	struct key key = { .size = 0 };

	key_put_raw(&key, "drill", 5);
	return key;
}

static int
read_meta(struct transaction *t, struct meta *meta, struct error *error)
{
	struct key key = meta_key();
	struct text value;
	struct reader r;
	int found = store_get(t, DB_META, &key, &value, error);

	*meta = (struct meta){ 0, 0 };
	if (found != 1)
		return found;
	reader_init(&r, value.data, value.size);
	if (reader_get_u8(&r) != 1)
		return error_set(error, ERROR_DAMAGED, "store: meta of drills");
	meta->last = reader_get_u64(&r);
	meta->whole = reader_get_u64(&r);
	return reader_done(&r) == 0
		   ? 0
		   : error_set(error, ERROR_DAMAGED, "store: meta of drills");
}

static int
write_meta(struct transaction *t, const struct meta *meta, struct error *error)
{
	struct key key = meta_key();
	uint8_t data[META_SIZE];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u64(&w, meta->last);
	writer_put_u64(&w, meta->whole);
	return store_put(t, DB_META, &key, text_make(data, w.size), error);
}

/* 1, 0 (forgotten with the log: never) or -1. */
static int
read_event(struct transaction *t, uint64_t sequence, int64_t *time,
    char detail[DRILL_DETAIL_SIZE], struct error *error)
{
	struct key key = { .size = 0 };
	struct event_form event;
	struct text value;
	int found;

	*time = 0;
	detail[0] = '\0';
	if (sequence == 0)
		return 0;
	key_put_u64(&key, sequence);
	found = store_get(t, DB_LOG, &key, &value, error);
	if (found == 1 && event_decode(value, &event) != 0)
		found = error_set(error, ERROR_DAMAGED, "store: event");
	if (found != 1)
		return found;
	*time = (int64_t)(event.wall_us / 1000000);
	(void)text_copy(event.detail, detail, DRILL_DETAIL_SIZE);
	return 1;
}

int
drill_record_last(
    struct transaction *t, struct drill_last *last, struct error *error)
{
	char ignored[DRILL_DETAIL_SIZE];
	struct meta meta;

	memset(last, 0, sizeof(*last));
	if (read_meta(t, &meta, error) < 0 ||
	    read_event(t, meta.whole, &last->whole_time, ignored, error) < 0 ||
	    read_event(t, meta.last, &last->time, last->detail, error) < 0)
		return -1;
	last->sequence = meta.last;
	return 0;
}

bool
drill_is_due(int64_t last, int64_t now, uint32_t every_s)
{
	return every_s > 0 && (last > now || now - last >= (int64_t)every_s);
}

void
drill_record_format(
    const struct drill_record *record, char detail[DRILL_DETAIL_SIZE])
{
	const char *outcome = outcomes[record->outcome];

	if (record->why != NULL)
		snprintf(detail, DRILL_DETAIL_SIZE,
		    "%s sequence=%" PRIu64 " sample=%u ms=%" PRIu64
		    " why=\"%.150s\"",
		    outcome, record->sequence, record->sample,
		    record->total_us / 1000, record->why);
	else
		snprintf(detail, DRILL_DETAIL_SIZE,
		    "%s sequence=%" PRIu64 " mailboxes=%" PRIu64
		    " messages=%" PRIu64 " bytes=%" PRIu64
		    " sample=%u restore_ms=%" PRIu64 " check_ms=%" PRIu64
		    " ms=%" PRIu64 " findings=%" PRIu64,
		    outcome, record->sequence, record->mailboxes,
		    record->messages, record->bytes, record->sample,
		    record->restore_us / 1000, record->check_us / 1000,
		    record->total_us / 1000, record->findings);
}

static enum status
put_event(struct journal *journal, const struct drill_record *record,
    const char *detail, struct error *error)
{
	enum status status = journal_begin(journal, 0, error);
	struct meta meta;

	if (status != STATUS_OK)
		return status;
	if (read_meta(journal->batch, &meta, error) >= 0) {
		meta.last = journal_sequence(journal);
		if (record->is_whole)
			meta.whole = meta.last;
		if (write_meta(journal->batch, &meta, error) == 0) {
			/* Under a signature at once. */
			journal->is_head_due = true;
			return journal_finish(journal, EVENT_DRILL,
			    record->actor, record->account, detail, error);
		}
	}
	journal_drop(journal);
	return journal_status_of(error);
}

/* Damage that goes on was an alarm before. */
static bool
was_damaged(struct journal *journal)
{
	struct drill_last last;
	struct error ignored;
	struct transaction *t = journal->round;
	bool result;

	if (t == NULL)
		t = transaction_begin(journal->store, false, &ignored);
	result =
	    t != NULL && drill_record_last(t, &last, &ignored) == 0 &&
	    text_starts_nocase(text_of(last.detail), outcomes[DRILL_DAMAGED]);
	if (t != journal->round)
		transaction_abort(&t);
	return result;
}

enum status
drill_record_put(struct journal *journal, const struct drill_record *record,
    struct error *error)
{
	bool is_new = record->outcome == DRILL_DAMAGED && !was_damaged(journal);
	char detail[DRILL_DETAIL_SIZE];
	enum status status;

	drill_record_format(record, detail);
	if (record->outcome == DRILL_OK)
		log_info(
		    "drill", "account=%u result=%s", record->account, detail);
	else
		log_alarm("drill-failed", "account=%u result=%s",
		    record->account, detail);
	status = put_event(journal, record, detail, error);
	if (status == STATUS_OK && is_new)
		journal_mark_damage(
		    journal, record->account, "drill-failed", detail);
	return status;
}
