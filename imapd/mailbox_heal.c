/*
 * Makes message files again from the store: what a wipe took, what a restore
 * brought back, what could not be written when the message came (a full disk).
 * Until then messages are served from the store.  What fails is tried again
 * every HEAL_AGAIN_MS; nothing here changes a row but its mark of missing.
 */
#include "imapd/account_state.h"

#include "common/log.h"
#include "common/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	HEAL_KEY_SIZE = 12,
	HEAL_A_STEP = BODIES_MAX,
	HEAL_FEW = ACCOUNT_MAX_HEALING - BODIES_MAX,
	/* Larger ones are asked for alone: those of a step always fit. */
	HEAL_TOGETHER_BYTES = BODIES_MAX_BYTES / BODIES_MAX,
	HEAL_AGAIN_MS = 30000
};

/* One question to the store. */
struct healing {
	struct account_store *account;
	size_t count;
	struct heal *heals[BODIES_MAX];
	uint64_t blobs[BODIES_MAX];
};

static void heal_some(void *context);

static void
heal_key(uint64_t mailbox, uint32_t uid, uint8_t key[HEAL_KEY_SIZE])
{
	memcpy(key, &mailbox, sizeof(mailbox));
	memcpy(key + sizeof(mailbox), &uid, sizeof(uid));
}

static void
forget(struct account_store *account, const struct heal *heal)
{
	uint8_t key[HEAL_KEY_SIZE];

	heal_key(heal->mailbox, heal->uid, key);
	table_remove(account->heals_by_row, key, sizeof(key));
}

static void
put_last(struct account_store *account, struct heal *heal)
{
	heal->next = NULL;
	*account->heals_end = heal;
	account->heals_end = &heal->next;
}

static bool
has_room(const struct account_store *account)
{
	return account->healing < ACCOUNT_MAX_HEALING &&
	       account->healing_bytes < ACCOUNT_HEALING_BYTES;
}

/* The answer is there. */
static void
came_back(struct account_store *account, struct heal *heal)
{
	account->healing--;
	account->healing_bytes -= heal->size;
	heal->size = 0;
}

static void
start_timer(struct account_store *account, int64_t delay_ms)
{
	if (account->heal_timer == NULL)
		account->heal_timer =
		    timer_new(account->loop, heal_some, account);
	timer_start(account->heal_timer, delay_ms);
}

/* Tells the store that the files of all marked rows are there again. */
static void
tell_healed(struct account_store *account)
{
	struct heal *heal;

	account->healed_count = 0;
	while ((heal = account->healed) != NULL) {
		uint64_t mailbox = heal->mailbox;
		uint32_t *uids;
		size_t count = 0;

		while (heal != NULL && heal->mailbox == mailbox) {
			count++;
			heal = heal->next;
		}
		uids = memory_new(count, sizeof(*uids));
		for (size_t i = 0; i < count; i++) {
			heal = account->healed;
			account->healed = heal->next;
			uids[i] = heal->uid;
			free(heal);
		}
		marks_send(account, CAUSE_HEAL, false, mailbox, uids, count);
	}
}

static void
heal_done(
    struct account_store *account, struct heal *heal, enum heal_result result)
{
	came_back(account, heal);
	account->files_written += result == HEAL_WRITTEN;
	account->files_failed += result == HEAL_FAILED;
	if (result == HEAL_FAILED) {
		heal->next = account->heals_later;
		account->heals_later = heal;
	} else {
		forget(account, heal);
	}
	if (result != HEAL_FAILED && heal->is_marked) {
		heal->next = account->healed;
		account->healed = heal;
		/* Not all at the end: the store does it while files are
		 * made. */
		if (++account->healed_count == MARKS_A_STEP)
			tell_healed(account);
	} else if (result != HEAL_FAILED) {
		free(heal);
	}
	/* The next are asked for together: each wake-up of either end then
	 * finds several. */
	if (account->heals != NULL && account->healing <= HEAL_FEW)
		start_timer(account, 0);
	if (account->heals != NULL || account->healing > 0)
		return;
	if (account->healed != NULL)
		tell_healed(account);
	if (account->heals_later != NULL)
		start_timer(account, HEAL_AGAIN_MS);
	account_healed(account);
}

/* -- After a power cut: the file's bytes against the store's -- */

static bool
is_same(int file, const struct store_body *body)
{
	char x[8192], read[8192];
	const char *y = read;
	uint64_t at = 0;
	ssize_t n;

	while ((n = pread(file, x, sizeof(x), (off_t)at)) > 0) {
		if ((uint64_t)n > body->size - at)
			return false;
		if (body->fd == -1)
			y = body->data.data + at;
		else if (pread(body->fd, read, (size_t)n, (off_t)at) != n)
			return false;
		if (memcmp(x, y, (size_t)n) != 0)
			return false;
		at += (uint64_t)n;
	}
	return n == 0 && at == body->size;
}

/* A file that differs from what was committed lost its blocks. */
static bool
is_intact(struct account_store *account, const struct heal *heal,
    const struct store_body *body)
{
	struct folder *folder = folder_find_id(account, heal->mailbox);
	struct index_file file;
	struct error error;
	bool is_good;
	int fd;

	if (folder == NULL ||
	    !index_find_file(account->index, heal->mailbox, heal->uid, &file) ||
	    (fd = files_open(account, folder, &file, &error)) == -1)
		return false;
	is_good = is_same(fd, body);
	close(fd);
	if (!is_good)
		log_warning("file-damaged", "mailbox=%llu uid=%u",
		    (unsigned long long)heal->mailbox, heal->uid);
	return is_good;
}

/* -- Bodies -- */

static void
heal_read(struct account_store *account, struct heal *heal, enum status status,
    const struct store_body *body)
{
	enum heal_result result = HEAL_FAILED;

	if (status == STATUS_UNAVAILABLE) { /* when the store is back */
		came_back(account, heal);
		put_last(account, heal);
		return;
	}
	if (status != STATUS_OK)
		log_warning("heal", "mailbox=%llu uid=%u status=%s",
		    (unsigned long long)heal->mailbox, heal->uid,
		    status_name(status));
	else if (heal->must_compare && is_intact(account, heal, body))
		result = HEAL_NEEDLESS;
	else
		result = heal_file_write(account, heal, body);
	heal_done(account, heal, result);
}

static void
one_read(enum status status, const struct text *envelope,
    struct store_body *body, void *context)
{
	struct healing *h = context;

	heal_read(h->account, h->heals[0], status, body);
	free(h);
}

static void
ask_for_one(struct account_store *account, struct heal *heal, uint64_t blob)
{
	struct healing *h = memory_new(1, sizeof(*h));

	h->account = account;
	h->heals[0] = heal;
	store_read_blob(account->client, blob, one_read, h);
}

static void
several_read(enum status status, const struct store_one_body *bodies,
    size_t count, void *context)
{
	struct healing *h = context;

	for (size_t i = 0; i < count; i++) {
		struct store_body body = { .fd = -1 };
		enum status one = status;

		if (status == STATUS_OK) {
			one = bodies[i].status;
			body.data = bodies[i].data;
			body.size = body.data.size;
		}
		if (one == STATUS_LIMIT)
			ask_for_one(h->account, h->heals[i], h->blobs[i]);
		else
			heal_read(h->account, h->heals[i], one, &body);
	}
	free(h);
}

/* -- Files -- */

/* Whether the file is there cannot be said now: it is not written over. */
static bool
is_uncertain(const struct error *error)
{
	return error->errno_value == EMFILE || error->errno_value == ENFILE ||
	       error->errno_value == ENOMEM || error->errno_value == EIO;
}

/* False: there is nothing to be asked for, and it is done. One that was found
 * missing a moment ago is not looked for again: heal_file_write sees it. */
static bool
needs_body(
    struct account_store *account, struct heal *heal, struct index_file *file)
{
	struct folder *folder = folder_find_id(account, heal->mailbox);
	struct error error;
	int fd;

	if (folder == NULL ||
	    !index_find_file(account->index, heal->mailbox, heal->uid, file)) {
		heal_done(account, heal, HEAL_NEEDLESS);
		return false;
	}
	if (heal->is_marked && !heal->must_compare)
		return true;
	fd = files_open(account, folder, file, &error);
	if (fd != -1)
		close(fd);
	if (fd != -1 ? heal->must_compare : !is_uncertain(&error))
		return true;
	heal_done(account, heal, fd != -1 ? HEAL_NEEDLESS : HEAL_FAILED);
	return false;
}

/* Into `h` if it is small, else asked for at once. */
static void
heal_one(struct healing *h, struct heal *heal)
{
	struct account_store *account = h->account;
	struct index_file file;

	account->healing++;
	if (!needs_body(account, heal, &file))
		return;
	heal->size = file.stored_size;
	account->healing_bytes += heal->size;
	if (heal->size > HEAL_TOGETHER_BYTES) {
		ask_for_one(account, heal, file.blob);
		return;
	}
	h->heals[h->count] = heal;
	h->blobs[h->count++] = file.blob;
}

static void
take_later(struct account_store *account)
{
	struct heal *heal;

	while ((heal = account->heals_later) != NULL) {
		account->heals_later = heal->next;
		put_last(account, heal);
	}
}

static void
heal_some(void *context)
{
	struct account_store *account = context;
	struct healing *h;
	struct heal *heal;
	unsigned int steps = 0;

	/* It goes on when the store is back; or has its answer. */
	if (!store_client_is_present(account->client) ||
	    account_is_to_be_looked_at(account))
		return;
	if (account->heals == NULL)
		take_later(account);
	h = memory_new(1, sizeof(*h));
	h->account = account;
	directories_hold(account);
	while ((heal = account->heals) != NULL && steps++ < HEAL_A_STEP &&
	       has_room(account)) {
		account->heals = heal->next;
		if (account->heals == NULL)
			account->heals_end = &account->heals;
		heal_one(h, heal);
	}
	directories_release(account);
	if (h->count > 0)
		store_read_blobs(
		    account->client, h->blobs, h->count, several_read, h);
	else
		free(h);
	if (account->heals != NULL && has_room(account))
		start_timer(account, 0);
}

static struct heal *
find(const struct account_store *account, uint64_t mailbox, uint32_t uid)
{
	uint8_t key[HEAL_KEY_SIZE];

	heal_key(mailbox, uid, key);
	return table_find(account->heals_by_row, key, sizeof(key));
}

bool
heal_is_marked(
    const struct account_store *account, uint64_t mailbox, uint32_t uid)
{
	const struct heal *heal = find(account, mailbox, uid);

	return heal != NULL && heal->is_marked;
}

bool
heal_waits(const struct account_store *account, uint64_t mailbox, uint32_t uid)
{
	return find(account, mailbox, uid) != NULL;
}

/* One that is queued or under way already is not made twice. */
static void
add(struct account_store *account, uint64_t mailbox, uint32_t uid,
    bool is_marked, bool must_compare)
{
	uint8_t key[HEAL_KEY_SIZE];
	struct heal *heal = find(account, mailbox, uid);

	if (heal != NULL) {
		heal->is_marked |= is_marked;
		heal->must_compare |= must_compare;
		return;
	}
	heal = memory_new(1, sizeof(*heal));
	heal_key(mailbox, uid, key);
	table_put(account->heals_by_row, key, sizeof(key), heal);
	heal->mailbox = mailbox;
	heal->uid = uid;
	heal->is_marked = is_marked;
	heal->must_compare = must_compare;
	put_last(account, heal);
	start_timer(account, 0);
}

void
sync_heal(struct account_store *account, uint64_t mailbox, uint32_t uid,
    bool is_marked)
{
	add(account, mailbox, uid, is_marked, false);
}

void
heal_compare(struct account_store *account, uint64_t mailbox, uint32_t uid)
{
	add(account, mailbox, uid, false, true);
}

void
heal_resume(struct account_store *account)
{
	take_later(account);
	if (account->heals != NULL)
		start_timer(account, 0);
}

void
heal_free(struct account_store *account)
{
	struct heal *const lists[] = { account->heals, account->healed,
		account->heals_later };

	for (size_t i = 0; i < 3; i++)
		for (struct heal *heal = lists[i], *next; heal != NULL;
		     heal = next) {
			next = heal->next;
			free(heal);
		}
	account->heals = account->healed = account->heals_later = NULL;
	account->heals_end = &account->heals;
	table_free(&account->heals_by_row);
	timer_free(&account->heal_timer);
	heal_file_free(account);
}
