/*
 * The snapshot process as an object: the store, its writer, its reader thread
 * and its channels.  All that is ready in a round of the loop is applied, then
 * committed once, then answered: an answer never goes out before the commit.
 */
#ifndef SNAPD_SNAPD_H
#define SNAPD_SNAPD_H

#include "common/channel.h"
#include "snapd/journal.h"
#include "snapd/reading.h"
#include "snapd/retention.h"

struct snapd;

#define SNAPD_MAP_BYTES ((size_t)1 << 40) /* of the index, if not said */

struct snapd_options {
	const char *path;     /* the store's directory */
	size_t map_bytes;     /* 0: the default */
	const char *store_id; /* 32 hex digits: which store must be there */
	struct retention retention;     /* which timer snapshots there are */
	struct allowance_limits limits; /* of an account in a day */
	int64_t patience_ms;    /* 0: ROUND_PATIENCE_MS; tests want it longer */
	uint64_t segment_bytes; /* of one segment; 0: the default */
	uint64_t seal_at_bytes; /* see sealer.h; 0: the default */
	int64_t seal_after_ms;
	uint64_t seal_hold_bytes;
	int64_t hold_ms;   /* 0: ROUND_HOLD_MS; tests want it longer, */
	int64_t settle_ms; /* and this, of ROUND_SETTLE_MS */
	/* 0: the defaults of reconcile.h; tests want them shorter. */
	uint32_t reconcile_every_s;
	int64_t reconcile_tick_ms;
	/* `drill` of the settings; the tick as above. */
	uint32_t drill_every_s;
	uint32_t drill_sample;
	int64_t drill_tick_ms;
	/* The disk failed: nothing is answered any more, the process ends. */
	void (*failed)(void *context);
	void *context;
};

/* Never fails: without the right store everybody is answered
 * STATUS_UNAVAILABLE, and nothing is created. */
struct snapd *snapd_new(
    struct event_loop *loop, const struct snapd_options *options);
void snapd_free(struct snapd **snapd);

/* A channel to the broker (which introduces the others), a queue, a worker of
 * `account` or a snapctl. Takes over fd. */
void snapd_add_channel(
    struct snapd *snapd, int fd, enum role peer, uint32_t account);

/* The same for a snapctl of that user, whom events name. */
void snapd_add_control(struct snapd *snapd, int fd, uint32_t uid);

/* What the settings say, after a reload. */
void snapd_configure(struct snapd *snapd, const struct retention *retention,
    const struct allowance_limits *limits, uint32_t reconcile_every_s);
/* Somebody died by a seccomp kill, or misbehaved (enum alarm_reason): of that
 * account (0: of none). */
void snapd_alarm(
    struct snapd *snapd, uint8_t role, uint32_t account, uint8_t reason);
/* What master says of the service's own files (service_files.h); fd is taken
 * over. */
void snapd_service_file(
    struct snapd *snapd, const struct message_service_file *file, int fd);
void snapd_service_files(struct snapd *snapd);
void snapd_configure_drill(
    struct snapd *snapd, uint32_t every_s, uint32_t sample);
void snapd_configure_segments(
    struct snapd *snapd, uint64_t segment_bytes, uint32_t seal_after_s);
/* For tests; NULL while there is no store to serve. */
struct sealer *snapd_sealer(struct snapd *snapd);

/* What waits for snapctl to be read, for tests. */
size_t snapd_waiting_bytes(const struct snapd *snapd);

/* The channel to snapd-verify, taken over; replaces the one before. */
void snapd_set_verifier(struct snapd *snapd, int fd);
/* The same for snapd-drill. */
void snapd_set_driller(struct snapd *snapd, int fd);

/* For mail_requests.c and control.c. */

struct client {
	uint64_t id;
	struct snapd *snapd;
	struct channel *channel;
	enum role role;
	uint32_t account;
	uint64_t instance;   /* as the broker introduced it */
	struct batch *batch; /* that is being received */
	/* Of its requests, what waits for the sealer: see bulk_requests.c. */
	unsigned int bulk_waiting;
	uint64_t bulk_bytes;
	bool has_claimed;   /* a worker: once a channel is enough */
	bool has_committed; /* at least one of its batches */
	uint64_t catch_up;  /* tag of what it was asked last; 0: nothing */
	/* snapctl: whose it is, and its one question at a time. */
	struct change_note note;
	bool is_asking;
	struct reading *stream;   /* waits until what was sent is on its way */
	struct reading *follower; /* waits for events to come */
};

/* NULL while there is no store to serve. */
struct journal *snapd_journal(struct snapd *snapd);

/* The answer goes out after this round's commit; if that fails, `status`
 * (which points into `answer`) tells so. `data` is copied. A text field of the
 * answer is given by `data`: batch_done.results, control_row.record or
 * control_done.text. A control_row is dropped if the commit fails. */
void snapd_answer(
    struct client *client, const struct message *answer, struct text data);
/* That mail was accepted: the answer goes out when it is on disk, in the log or
 * in the index. */
struct accept_record;
void snapd_answer_accepted(struct client *client, const struct message *answer,
    const struct accept_record *record);
/* The same for a batch; `patient` as in snapd_answer_patiently, or 0. */
struct accept_batch;
void snapd_answer_applied(struct client *client, const struct message *answer,
    struct text data, const struct accept_batch *batch, size_t patient);
/* What only the log has comes into the index. */
void snapd_settle(struct snapd *snapd);
/* Whether it may be in the log alone. */
bool snapd_has_delivery(
    const struct snapd *snapd, const struct delivery_id *delivery);
/* The same for `changes` that nobody waits for: the commit may be one that
 * comes a little later for somebody else (round.h). */
void snapd_answer_patiently(struct client *client, const struct message *answer,
    struct text data, size_t changes);
/* The same for so many bytes that come in bulk: the answer waits if the sealer
 * is behind. */
void snapd_answer_bulk(struct client *client, const struct message *answer,
    struct text data, uint64_t bytes);
/* The reading starts after this round's commit, */
void snapd_read(struct client *client, struct reading *reading);
/* or is done here, with what the round has: of little, that the log has. */
void snapd_read_round(struct client *client, struct reading *reading);

/* The reading goes on now; snapd owns it until it comes back. */
void snapd_read_on(struct client *client, struct reading *reading);
const struct retention *snapd_retention(const struct snapd *snapd);
/* Of the file system that the store is on; 0 if it does not say. */
void snapd_disk_room(
    const struct snapd *snapd, uint64_t *bytes, uint64_t *free_bytes);
struct event_loop *snapd_loop(struct snapd *snapd);
struct restore **snapd_restore(struct snapd *snapd);
struct reconciler *snapd_reconciler(struct snapd *snapd);
struct drill *snapd_drill(struct snapd *snapd);
/* NULL if it is gone, or the account has none. */
struct client *snapd_client(struct snapd *snapd, uint64_t id);
struct client *snapd_worker(struct snapd *snapd, uint32_t account);
/* There is a newer channel of the same kind and account: nobody is at the end
 * of this one any more, even if that was not heard yet. */
bool snapd_is_replaced(const struct client *client);
/* Tells the broker that a worker of `account` is wanted: it starts one, or
 * keeps the one that runs. -1 if there is no broker. */
int snapd_start_worker(struct snapd *snapd, uint32_t account);

void mail_request_received(
    struct client *client, const struct message *message, int *fds);
/* The two halves of it, when nothing of before waits for the sealer any more;
 * the bulk of a batch (NULL: none) stays the caller's. */
struct bulk;
void mail_request_carry_out(
    struct client *client, const struct message *message, int *fds);
void mail_commit_batch(
    struct client *client, struct batch *batch, struct bulk *bulk);
/* Whether what was received goes to the sealer first, or waits for what did;
 * then it is taken over. */
bool bulk_takes_batch(struct client *client, struct batch **batch);
bool bulk_takes_request(
    struct client *client, const struct message *message, int *fds);
void mail_reading_done(struct client *client, struct reading *reading);
struct verify_client *snapd_verifier(struct snapd *snapd);
/* The store that was not opened because it is damaged, else NULL. */
const char *snapd_damaged_path(const struct snapd *snapd);
/* Answers control_seal when a pass of the sealer has ended. */
void seal_request_received(
    struct client *client, const struct message_control_seal *request);
/* Answers control_verify with findings and progress, then control_done. */
void verify_request_received(
    struct client *client, const struct message_control_verify *request);
/* Events up to this one are durable: who follows them is told. */
void control_follow_on(struct client *client, uint64_t sequence);
void snapd_tell_followers(struct snapd *snapd, uint64_t sequence);
void control_request_received(
    struct client *client, const struct message *message);
/* Takes over the reading. */
void control_reading_done(struct client *client, struct reading *reading);

#endif
