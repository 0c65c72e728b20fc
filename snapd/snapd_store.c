/*
 * The store of the snapshot process is opened if it is the right one and whole,
 * and closed so that the next start knows it.
 */
#include "snapd/snapd_state.h"

#include "common/log.h"
#include "snapd/accept_log.h"
#include "snapd/expunged.h"
#include "snapd/fence.h"
#include "snapd/leap.h"
#include "snapd/reconcile.h"
#include "snapd/repeat.h"
#include "snapd/round.h"
#include "snapd/segments_open.h"
#include "snapd/witness.h"

#include <string.h>

/* Where a full disk has no room to make it, the index alone has what is
 * accepted. One that is there and cannot be opened may have mail that nobody
 * else has. */
static int
open_log(struct snapd *snapd, struct error *error)
{
	struct transaction *t = transaction_begin(snapd->store, false, error);

	if (t == NULL)
		return -1;
	snapd->log =
	    accept_log_open(snapd->options.path, store_secret(t), error);
	transaction_abort(&t);
	if (snapd->log == NULL && error->code == ERROR_FULL)
		log_warning("accept-log", "error=\"%s\"", error->text);
	return snapd->log != NULL || error->code == ERROR_FULL ? 0 : -1;
}

/* What was answered before the store was closed without its last commit is
 * done again before anybody is served; then one that was put back leaps: what
 * was said before it keeps its numbers.  In one commit, since the log stands on
 * the event that the index ends with.  Then the log is wiped: on an event that
 * this index does not have yet it would stand again. */
static int
check_witness(struct snapd *snapd, struct error *error)
{
	struct journal *journal = snapd_journal(snapd);
	enum status status = STATUS_OK;
	char why[100];
	int sign = witness_check(snapd->options.path, journal, why, error);
	int repeated = 0;

	if (sign < 0)
		return -1;
	if (snapd->log != NULL)
		repeated = repeat_log(journal, snapd->log, error);
	if (repeated < 0)
		return -1;
	if (sign == 1)
		status = journal_leap(journal, 0, true, why, error);
	if (status != STATUS_OK || journal_commit(journal, error) != STATUS_OK)
		return -1;
	return repeated > 0 ? accept_log_wipe(snapd->log, error) : 0;
}

/* What the settings promise; options without a minimum say nothing. */
static int
configure_policy(struct snapd *snapd, struct error *error)
{
	struct journal *journal = snapd_journal(snapd);
	const struct retention *policy = &snapd->options.retention;

	if (policy->minimum_s == 0)
		return 0;
	return journal_configure_policy(journal, policy, error) == STATUS_OK
		   ? 0
		   : -1;
}

void
snapd_configure(struct snapd *snapd, const struct retention *retention,
    const struct allowance_limits *limits, uint32_t reconcile_every_s)
{
	struct error error = { .code = ERROR_NONE };

	reconciler_configure(snapd->reconciler, reconcile_every_s);
	snapd->options.retention = *retention;
	snapd->options.limits = *limits;
	if (snapd->journal != NULL)
		allowance_configure(snapd->journal->allowance, limits);
	if (snapd->journal != NULL && !round_is_failed(snapd->round) &&
	    configure_policy(snapd, &error) != 0)
		log_error("policy", "error=\"%s\"", error.text);
}

static const char lifted[] = "the store was opened although it is damaged, as "
			     "an administrator wished (snapctl open-damaged)";

int
snapd_open_store(struct snapd *snapd, struct error *error)
{
	size_t map_bytes = snapd->options.map_bytes;
	bool was_lifted;
	char id[33];

	if (map_bytes == 0)
		map_bytes = SNAPD_MAP_BYTES;
	if (fence_enter(snapd->options.path, &was_lifted, error) != 0)
		return -1;
	snapd->store = store_open(snapd->options.path, map_bytes, error);
	if (snapd->store == NULL)
		return -1;
	text_format_hex(store_identity(snapd->store)->bytes, 16, id);
	if (strcmp(id, snapd->options.store_id) != 0)
		return error_set(error, ERROR_REFUSED,
		    "the store is %s and not %s", id, snapd->options.store_id);
	snapd->segments = segments_open(snapd->store, snapd->options.path,
	    snapd->options.segment_bytes, error);
	if (snapd->segments == NULL)
		return -1;
	snapd->journal = journal_new(snapd->store, error);
	if (snapd->journal == NULL)
		return -1;
	if (open_log(snapd, error) != 0 || check_witness(snapd, error) != 0)
		return -1;
	allowance_configure(snapd->journal->allowance, &snapd->options.limits);
	if (was_lifted)
		journal_mark_damage(
		    snapd_journal(snapd), 0, "opened-damaged", lifted);
	if (configure_policy(snapd, error) != 0 ||
	    journal_commit(snapd->journal, error) != STATUS_OK)
		return -1;
	if (was_lifted)
		log_alarm("opened-damaged", "why=\"%s\"", lifted);
	/* Not before: it writes, and the witness looks at the file's times. */
	if (expunged_fill(snapd->store, error) != 0)
		log_warning("expunged-fill", "error=\"%s\"", error->text);
	return 0;
}

void
snapd_close_store(struct snapd *snapd, bool is_failed)
{
	struct store_id id;
	struct error error;
	uint64_t sequence;

	if (snapd->journal == NULL)
		return;
	id = *store_identity(snapd->store);
	sequence = snapd->journal->committed.sequence;
	journal_free(&snapd->journal);
	accept_log_free(&snapd->log);
	store_close(&snapd->store);
	segments_free(&snapd->segments);
	if (is_failed)
		return;
	fence_leave(snapd->options.path);
	if (witness_write(snapd->options.path, &id, sequence, &error) != 0)
		log_warning("witness", "error=\"%s\"", error.text);
}
