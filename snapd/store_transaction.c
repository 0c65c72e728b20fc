/*
 * Transactions of the index environment: see store.h.  A commit is durable when
 * it returns, or it is known why not: no room, or a disk that failed.
 */
#include "snapd/store_parts.h"

#include "common/memory.h"
#include "snapd/segments.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int commit_fault, next_commit_fault;

void
store_set_commit_fault(int errno_value)
{
	commit_fault = errno_value;
}

void
store_set_next_commit_fault(int errno_value)
{
	next_commit_fault = errno_value;
}

struct transaction *
transaction_begin(struct store *store, bool is_write, struct error *error)
{
	struct transaction *transaction = memory_new(1, sizeof(*transaction));
	int rc;

	transaction->store = store;
	transaction->is_write = is_write;
	rc = mdb_txn_begin(
	    store->env, NULL, is_write ? 0 : MDB_RDONLY, &transaction->txn);
	if (rc != 0) {
		store_error(error, rc, "begin");
		memory_free(&transaction);
	} else if (is_write) {
		store->is_writing = true;
		touched_rows_begin(&store->touched, store->page_size);
	}
	return transaction;
}

struct transaction *
transaction_nest(struct transaction *parent, struct error *error)
{
	struct transaction *transaction = memory_new(1, sizeof(*transaction));
	int rc;

	transaction->store = parent->store;
	transaction->is_write = true;
	transaction->is_nested = true;
	rc = mdb_txn_begin(
	    parent->store->env, parent->txn, 0, &transaction->txn);
	if (rc != 0) {
		store_error(error, rc, "begin");
		memory_free(&transaction);
	}
	return transaction;
}

static void
transaction_free(struct transaction **transaction)
{
	/* Readers belong to other threads: they touch nothing of the store. */
	if ((*transaction)->is_write && !(*transaction)->is_nested)
		(*transaction)->store->is_writing = false;
	block_release(&(*transaction)->block);
	memory_free(transaction);
}

void
transaction_keep(struct transaction *transaction, struct block *block)
{
	block_release(&transaction->block);
	transaction->block = block;
}

bool
store_is_assured(struct store *store)
{
	return store->touched.bytes < GROWTH_MAX &&
	       growth_reserve(&store->growth, store_used_bytes(store),
		   store->touched.bytes);
}

/* Of pages that found no room LMDB says EIO, as of a disk that failed: they are
 * told apart by whether the blocks were there before. Without them nothing is
 * lost: the meta page comes last, and the next commit writes all of its own. */
static int
commit_write(struct store *store, MDB_txn *txn)
{
	uint64_t used = store_used_bytes(store), bytes = store->touched.bytes;
	bool is_assured = growth_reserve(
	    &store->growth, used, bytes < GROWTH_MAX ? bytes : GROWTH_MAX);
	int rc = next_commit_fault != 0 ? next_commit_fault : commit_fault;

	next_commit_fault = 0;
	if (rc != 0)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	if (rc == EIO && !is_assured && store->growth.is_disk_full)
		rc = ENOSPC;
	/* One that may need more than is asked for: it wrote up to the end. */
	if (rc == EIO && is_assured && bytes > GROWTH_MAX &&
	    growth_met_the_end(&store->growth))
		rc = ENOSPC;
	return rc;
}

int
transaction_commit(struct transaction **transaction, struct error *error)
{
	struct transaction *t = *transaction;
	int rc = t->is_write && !t->is_nested ? commit_write(t->store, t->txn)
					      : mdb_txn_commit(t->txn);

	transaction_free(transaction);
	return rc == 0 ? 0 : store_error(error, rc, "commit");
}

void
transaction_abort(struct transaction **transaction)
{
	if (*transaction == NULL)
		return;
	mdb_txn_abort((*transaction)->txn);
	transaction_free(transaction);
}

int
transaction_read_meta(struct transaction *transaction, uint8_t *to, size_t size,
    struct error *error)
{
	uint64_t id = mdb_txn_id(transaction->txn), found = 0;
	off_t offset = (off_t)((id & 1) * transaction->store->page_size);
	mdb_filehandle_t fd;

	if (mdb_env_get_fd(transaction->store->env, &fd) != 0 ||
	    pread(fd, to, size, offset) != (ssize_t)size)
		return error_set_errno(error, "store: read meta page");
	memcpy(&found, to + size - sizeof(found), sizeof(found));
	if (found != id)
		return error_set(error, ERROR_DAMAGED,
		    "store: the meta page is of transaction %llu, not %llu",
		    (unsigned long long)found, (unsigned long long)id);
	return 0;
}
