/*
 * Jobs: see control_reading.h.  Requests are copied here, steps are those of
 * control_events.c, control_walk.c and control_diff.c; rows go to the job's
 * buffer and from there, by control.c, to snapctl.
 */
#include "snapd/control_reading.h"

#include "common/memory.h"
#include "snapd/control_steps.h"

#include <stdlib.h>

enum {
	MAX_ROW = 60000
};

/* -- Rows -- */

void
control_put_bytes(
    struct control_job *job, enum control_row_kind kind, struct text record)
{
	uint8_t head[5];
	struct writer w;

	writer_init(&w, head, sizeof(head));
	writer_put_u8(&w, (uint8_t)kind);
	writer_put_u32(&w, (uint32_t)record.size);
	buf_put(&job->rows, head, sizeof(head));
	buf_put(&job->rows, record.data, record.size);
}

void
control_put_row(
    struct control_job *job, enum control_row_kind kind, const struct writer *w)
{
	if (!w->failed)
		control_put_bytes(job, kind, text_make(w->data, w->size));
}

bool
control_job_row(const struct control_job *job, size_t *at, uint8_t *kind,
    struct text *record)
{
	struct reader r;

	reader_init(&r, job->rows.data + *at, job->rows.size - *at);
	if (r.size == 0)
		return false;
	*kind = reader_get_u8(&r);
	*record = reader_get_text(&r, MAX_ROW);
	*at = job->rows.size - r.size;
	return !r.failed;
}

bool
control_is_step_full(const struct control_job *job)
{
	return job->rows.size >= CONTROL_STEP_BYTES;
}

/* -- Jobs -- */

static int
find_points(
    struct control_job *job, struct transaction *t, const struct store *store)
{
	struct snapshot_view view = { .digest = job->digest,
		.store = *store_identity(store),
		.retention = job->retention,
		.now = job->now,
		.account = job->account };

	if (job->verb == MESSAGE_control_list &&
	    snapshot_list_make(&job->snapshots, t, job->digest, &view.store,
		&job->retention, job->now, job->account, &job->error) != 0)
		return -1;
	return snapshot_find(
		   t, &view, &job->from, &job->sequence, &job->error) == 0
		   ? snapshot_find(
			 t, &view, &job->to, &job->to_sequence, &job->error)
		   : -1;
}

static int
start(struct control_job *job, struct transaction *t, struct store *store)
{
	job->is_started = true;
	job->index_bytes = store_used_bytes(store);
	if (find_points(job, t, store) != 0)
		return -1;
	if (job->verb == MESSAGE_control_log)
		job->position = job->after_event < job->sequence
				    ? job->after_event
				    : job->sequence;
	job->walk.sequence = job->sequence;
	job->walk.only_account = job->account;
	job->walk.names_damage = job->verb == MESSAGE_control_drill ||
				 job->verb == MESSAGE_control_export;
	job->walk.is_of_users = job->verb == MESSAGE_control_restore ||
				job->verb == MESSAGE_control_drill ||
				job->verb == MESSAGE_control_export ||
				job->verb == MESSAGE_control_find;
	job->walk.only_mailbox = text_of(job->mailbox);
	job->walk.only_uid = job->uid;
	if (job->verb == MESSAGE_control_diff || job->is_expunged)
		job->walk.account = job->account;
	return 0;
}

static int
run(struct control_job *job, struct transaction *t)
{
	switch (job->verb) {
	case MESSAGE_control_list:
		return control_step_list(job, t);
	case MESSAGE_control_log:
		return control_step_log(job, t);
	case MESSAGE_control_stats:
		return control_step_stats(job, t);
	case MESSAGE_control_diff:
		return control_step_diff(job, t);
	case MESSAGE_control_prove:
		return control_step_proof(job, t);
	case MESSAGE_control_find:
		return job->is_expunged ? control_step_deleted(job, t)
					: control_step_walk(job, t);
	default:
		return control_step_walk(job, t);
	}
}

bool
control_job_continue(struct control_job *job, uint64_t sequence)
{
	if (sequence <= job->sequence)
		return false;
	job->sequence = sequence;
	job->is_done = false;
	return true;
}

void
control_job_step(struct control_job *job, struct store *store)
{
	struct transaction *t;

	buf_reset(&job->rows);
	t = transaction_begin(store, false, &job->error);
	if (t == NULL || (!job->is_started && start(job, t, store) != 0) ||
	    run(job, t) != 0) {
		job->is_done = true;
		if (job->error.code == ERROR_NONE)
			error_set(&job->error, ERROR_DAMAGED, "store");
	}
	transaction_abort(&t);
}

int
control_job_resolve(
    struct control_job *job, struct store *store, struct error *error)
{
	struct transaction *t = transaction_begin(store, false, error);
	int result = -1;

	if (t != NULL) {
		result = start(job, t, store);
		transaction_abort(&t);
		if (result != 0)
			*error = job->error;
	}
	return result;
}

static int
copy_point(
    struct snapshot_point *to, uint8_t kind, int64_t time, struct text name)
{
	to->kind = kind;
	to->time = time;
	return kind <= POINT_EVENT ? text_copy(name, to->name, sizeof(to->name))
				   : -1;
}

/* ls, cat, export and restore ask in the same words. */
static int
copy_selection(
    struct control_job *job, const struct message_control_ls *request)
{
	job->account = request->account;
	job->uid = request->uid;
	if (copy_point(&job->from, request->point_kind, request->point_time,
		request->point_name) != 0 ||
	    text_copy(request->mailbox, job->mailbox, sizeof(job->mailbox)) !=
		0 ||
	    text_copy(request->message_id, job->message_id,
		sizeof(job->message_id)) != 0)
		return -1;
	/* A part of nothing in particular is a mistake. */
	if (job->account == 0 && job->mailbox[0] != '\0')
		return -1;
	if (job->uid != 0 && job->mailbox[0] == '\0')
		return -1;
	return 0;
}

static int
copy_restore(
    struct control_job *job, const struct message_control_restore *restore)
{
	struct message_control_ls ls = { .point_kind = restore->point_kind,
		.point_time = restore->point_time,
		.point_name = restore->point_name,
		.account = restore->account,
		.mailbox = restore->mailbox,
		.uid = restore->uid,
		.message_id = restore->message_id };

	job->is_dry_run = restore->is_dry_run != 0;
	job->mode = restore->mode;
	if (restore->mode >= MODE_COUNT || restore->is_dry_run > 1 ||
	    (restore->into.size > 0 && restore->mode != MODE_COPY) ||
	    text_copy(restore->into, job->into, sizeof(job->into)) != 0)
		return -1;
	return copy_selection(job, &ls);
}

static int
copy_export(
    struct control_job *job, const struct message_control_export *export)
{
	struct message_control_ls ls = { .point_kind = export->point_kind,
		.point_time = export->point_time,
		.point_name = export->point_name,
		.account = export->account,
		.mailbox = export->mailbox,
		.uid = export->uid,
		.message_id = export->message_id };

	return copy_selection(job, &ls);
}

static int
copy_drill(struct control_job *job, const struct message_control_drill *drill)
{
	struct message_control_ls ls = { .point_kind = drill->point_kind,
		.point_time = drill->point_time,
		.point_name = drill->point_name,
		.account = drill->account,
		.mailbox = drill->mailbox,
		.uid = drill->uid,
		.message_id = drill->message_id };

	job->sample = drill->sample;
	return copy_selection(job, &ls);
}

static int
copy_find(struct control_job *job, const struct message_control_find *find)
{
	job->account = find->account;
	job->is_expunged = find->is_expunged != 0;
	job->since = find->since;
	job->before = find->before;
	return copy_point(
	    &job->from, find->point_kind, find->point_time, find->point_name);
}

/* A message, or two points and nothing else. */
static int
copy_prove(struct control_job *job, const struct message_control_prove *prove)
{
	struct message_control_ls ls = { .point_kind = prove->from_kind,
		.point_time = prove->from_time,
		.point_name = prove->from_name,
		.account = prove->account,
		.mailbox = prove->mailbox,
		.uid = prove->uid };

	if ((prove->uid == 0) != (prove->account == 0) ||
	    (prove->uid == 0 && prove->mailbox.size > 0) ||
	    copy_point(
		&job->to, prove->to_kind, prove->to_time, prove->to_name) != 0)
		return -1;
	return copy_selection(job, &ls);
}

/* One message; of the service, one file. */
static int
copy_cat(struct control_job *job, const struct message_control_cat *cat)
{
	const struct message_control_ls ls = { .point_kind = cat->point_kind,
		.point_time = cat->point_time,
		.point_name = cat->point_name,
		.account = cat->account,
		.mailbox = cat->mailbox,
		.uid = cat->uid,
		.message_id = cat->message_id };
	bool is_message = cat->uid != 0 || cat->message_id.size > 0;
	bool is_file = cat->account == ACCOUNT_SERVICE && cat->mailbox.size > 0;

	if (cat->account == 0 || (!is_message && !is_file))
		return -1;
	return copy_selection(job, &ls);
}

static int
copy_diff(struct control_job *job, const struct message_control_diff *diff)
{
	job->account = diff->account;
	if (copy_point(&job->from, diff->from_kind, diff->from_time,
		diff->from_name) != 0)
		return -1;
	return copy_point(
	    &job->to, diff->to_kind, diff->to_time, diff->to_name);
}

static int
copy_request(struct control_job *job, const struct message *request)
{
	switch ((int)request->type) {
	case MESSAGE_control_list:
		job->account = request->control_list.account;
		job->since = request->control_list.since;
		return 0;
	case MESSAGE_control_log:
		job->account = request->control_log.account;
		job->since = request->control_log.since;
		job->after_event = request->control_log.after;
		job->is_following = request->control_log.is_following != 0;
		return 0;
	case MESSAGE_control_stats:
		job->account = request->control_stats.account;
		job->days = request->control_stats.days;
		return job->days > 0 ? 0 : -1;
	case MESSAGE_control_ls:
		return copy_selection(job, &request->control_ls);
	case MESSAGE_control_cat:
		return copy_cat(job, &request->control_cat);
	case MESSAGE_control_restore:
		return copy_restore(job, &request->control_restore);
	case MESSAGE_control_prove:
		return copy_prove(job, &request->control_prove);
	case MESSAGE_control_find:
		return copy_find(job, &request->control_find);
	case MESSAGE_control_export:
		return copy_export(job, &request->control_export);
	case MESSAGE_control_drill:
		return copy_drill(job, &request->control_drill);
	case MESSAGE_control_diff:
		return copy_diff(job, &request->control_diff);
	default:
		return -1;
	}
}

struct control_job *
control_job_new(const struct message *request, struct error *error)
{
	struct control_job *job = memory_new(1, sizeof(*job));

	job->verb = request->type;
	/* Each request of this group begins with its tag. */
	job->tag = request->control_status.tag;
	job->from.kind = job->to.kind = POINT_NOW;
	if (copy_request(job, request) != 0) {
		error_set(error, ERROR_INPUT, "malformed request");
		free(job);
		return NULL;
	}
	job->digest = digest_new();
	buf_init(&job->rows, CONTROL_STEP_BYTES + 2 * MAX_ROW);
	return job;
}

void
control_job_free(struct control_job **job)
{
	if (*job == NULL)
		return;
	buf_clear(&(*job)->rows);
	digest_free(&(*job)->digest);
	snapshot_list_clear(&(*job)->snapshots);
	walk_clear(&(*job)->walk);
	as_of_clear(&(*job)->other);
	changed_clear(&(*job)->changed);
	control_proof_free(&(*job)->proof);
	control_stats_free(&(*job)->stats);
	memory_free(job);
}
