/*
 * The witness beside the Maildir: which store this account belongs to, and how
 * far that was when it last told us.  A store that says less than its witness
 * was put back to an older state; one with another id is not ours.  Neither is
 * served: of the first, snapd is told, which leaps if it believes us.
 *
 * The file: form u8 = 2, store id, incarnation, sequence, counter (u64 each).
 * The index and what we have been told in this life bear witness as well.
 */
#include "imapd/account_state.h"

#include "common/codec.h"
#include "common/file.h"
#include "common/log.h"

#include <string.h>
#include <unistd.h>

enum {
	WITNESS_FORMAT = 2,
	WITNESS_SIZE = 41,
	WITNESS_AGAIN_MS = 5000
};

struct witness {
	struct store_id store;
	uint64_t incarnation;
	uint64_t sequence;
	uint64_t counter;
};

/* -- The file -- */

/* 1, 0 if there is none that can be read. */
static int
read_witness(struct account_store *account, struct witness *witness)
{
	struct error error;
	struct reader r;
	struct buf buf;
	int fd = file_open_read(account->home_fd, "witness", &error);
	int result;

	if (fd == -1)
		return 0;
	buf_init(&buf, 64);
	result = file_read_all(fd, &buf, &error);
	close(fd);
	reader_init(&r, buf.data, buf.size);
	if (reader_get_u8(&r) != WITNESS_FORMAT)
		r.failed = true;
	reader_get_raw(&r, witness->store.bytes, sizeof(witness->store.bytes));
	witness->incarnation = reader_get_u64(&r);
	witness->sequence = reader_get_u64(&r);
	witness->counter = reader_get_u64(&r);
	if (reader_done(&r) == -1)
		result = -1;
	buf_clear(&buf);
	return result == 0;
}

static void
format_witness(struct account_store *account, uint8_t bytes[WITNESS_SIZE])
{
	struct writer w;

	writer_init(&w, bytes, WITNESS_SIZE);
	writer_put_u8(&w, WITNESS_FORMAT);
	writer_put_raw(&w, account->meta.store.bytes, 16);
	writer_put_u64(&w, account->meta.incarnation);
	writer_put_u64(&w, account->applied);
	writer_put_u64(&w, store_client_counter(account->client));
}

void
account_witness_write(struct account_store *account, bool is_synced)
{
	int (*const replace)(
	    int, const char *, const void *, size_t, mode_t, struct error *) =
	    is_synced ? file_replace_note : file_replace_unsynced;
	uint8_t bytes[WITNESS_SIZE];
	struct error error;

	format_witness(account, bytes);
	if (replace(account->home_fd, "witness", bytes, sizeof(bytes), 0600,
		&error) == -1)
		log_warning("witness-write", "error=\"%s\"", error.text);
}

/* Now and then while the worker runs, for the case that it is killed. */
static void
write_soon(void *context)
{
	struct account_store *account = context;

	account->is_witness_due = false;
	if (account->status == STATUS_OK && !account->must_restart)
		account_witness_write(account, false);
}

void
account_witness_write_soon(struct account_store *account)
{
	if (account->is_witness_due)
		return;
	account->is_witness_due = true;
	if (account->witness_timer == NULL)
		account->witness_timer =
		    timer_new(account->loop, write_soon, account);
	timer_start(account->witness_timer, WITNESS_AGAIN_MS);
}

/* -- Against what the store says -- */

static bool
is_newer(const struct witness *witness, const struct store_state *state)
{
	if (witness->incarnation != state->incarnation)
		return witness->incarnation > state->incarnation;
	return witness->sequence > state->sequence ||
	       witness->counter > state->counter;
}

/* Of two of the same store, the one that knows more. */
static void
take_newer(struct witness *witness, const struct witness *other)
{
	const struct store_state state = { STATUS_OK, witness->store,
		witness->incarnation, witness->sequence, witness->counter };

	if (is_newer(other, &state))
		*witness = *other;
}

static bool
is_same_store(const struct store_id *a, const struct store_id *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* What is known in this life, or was when the index was last written. */
static struct witness
memory_witness(struct account_store *account)
{
	struct witness witness = { .store = account->meta.store,
		.incarnation = account->meta.incarnation,
		.sequence = account->applied };

	if (account->status == STATUS_OK)
		witness.counter = store_client_counter(account->client);
	return witness;
}

enum witness_says
account_witness_ask(struct account_store *account,
    const struct store_state *state, struct store_state *known)
{
	struct witness memory = memory_witness(account), witness;
	int has_file = read_witness(account, &witness);

	account->has_witness = has_file == 1;
	if (has_file && !is_same_store(&witness.store, &state->store)) {
		log_alarm("store-foreign", "error=\"another store's id\"");
		return WITNESS_FOREIGN;
	}
	if (!has_file)
		witness = (struct witness){ .store = state->store };
	if (account->is_index_filled &&
	    is_same_store(&memory.store, &state->store))
		take_newer(&witness, &memory);
	if (!is_newer(&witness, state))
		return WITNESS_AGREES;
	log_alarm("store-older",
	    "incarnation=%llu sequence=%llu counter=%llu "
	    "witness=%llu,%llu,%llu",
	    (unsigned long long)state->incarnation,
	    (unsigned long long)state->sequence,
	    (unsigned long long)state->counter,
	    (unsigned long long)witness.incarnation,
	    (unsigned long long)witness.sequence,
	    (unsigned long long)witness.counter);
	*known = (struct store_state){ STATUS_OK, witness.store,
		witness.incarnation, witness.sequence, witness.counter };
	return WITNESS_KNOWS_NEWER;
}

/* What a clean end left is on disk; where there was none, to lose it takes
 * nothing away. */
void
account_witness_begin(struct account_store *account)
{
	struct witness written, now = memory_witness(account);

	if (account->has_witness && !index_was_killed(account->index) &&
	    read_witness(account, &written) == 1 &&
	    is_same_store(&written.store, &now.store) &&
	    written.incarnation == now.incarnation &&
	    written.sequence == now.sequence && written.counter == now.counter)
		return;
	account_witness_write(account, account->has_witness);
}
