/*
 * Fills the cache of parses (message_cache.h), keyed by content: at filing,
 * append and adoption from the bytes at hand, and after the index was made
 * anew in the background from the files, a few messages a step, so that a
 * large mailbox can be used at once.  A message that cannot be parsed within
 * the limits simply has no record.
 */
#include "imapd/account_state.h"

#include "common/memory.h"
#include "common/pool.h"
#include "imapd/message_cache.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FILL_A_STEP = 16,
	FILL_PAUSE_MS = 1 /* sessions come first */
};

static int
parse(int fd, struct text data, uint64_t stored_size, struct buf *out)
{
	static uint8_t step[65536];
	struct pool *pool = pool_new();
	struct mime_parser *parser = mime_parser_new(pool);
	struct mime_part *root;
	uint64_t done = 0;
	int result = -1;
	ssize_t n;

	if (fd == -1) {
		mime_parser_feed(parser, data.data, data.size);
		done = data.size;
	}
	while (fd != -1 && done < stored_size &&
	       (n = pread(fd, step, sizeof(step), (off_t)done)) > 0) {
		mime_parser_feed(parser, step, (size_t)n);
		done += (uint64_t)n;
	}
	root = mime_parser_finish(&parser);
	if (done == stored_size)
		result = message_cache_format(root, stored_size, out);
	pool_free(&pool);
	return result;
}

int
cache_make(struct account_store *account, const struct hash *key, int fd,
    struct text data, uint64_t stored_size, struct buf *out)
{
	int result;

	if (!parse_note_begin(account->parse_note, key))
		return message_cache_format_raw(fd, data, stored_size, out);
	result = parse(fd, data, stored_size, out);
	parse_note_end(account->parse_note);
	return result;
}

void
cache_fill(struct account_store *account, const struct hash *hash,
    const struct message_source *source, uint64_t stored_size)
{
	struct text cached;
	struct buf buf;

	if (!source_has_bytes(source) ||
	    index_find_cache(account->index, hash, &cached))
		return;
	buf_init(&buf, MESSAGE_CACHE_MAX_SIZE);
	if (cache_make(account, hash, source->fd, source->data, stored_size,
		&buf) == 0)
		(void)index_put_cache(
		    account->index, hash, text_make(buf.data, buf.size));
	buf_clear(&buf);
}

/* -- In the background -- */

struct cache_filler {
	struct account_store *account;
	struct timer *timer;
	uint64_t *mailboxes; /* to be done, the last one first */
	size_t mailbox_count;
	uint32_t uid; /* done in the mailbox up to here */
};

static void
fill_one(struct account_store *account, struct folder *folder, uint32_t uid)
{
	struct message_source source = { .fd = -1 };
	struct index_file file;
	struct text cached;
	struct error error;
	struct hash hash;

	if (!index_find_file(account->index, folder->info.id, uid, &file))
		return;
	hash = file.hash;
	if (index_find_parsed(account->index, &file, &cached))
		return;
	source.fd = files_open(account, folder, &file, &error);
	if (source.fd == -1)
		return;
	cache_fill(
	    account, &hash, &source, (uint64_t)lseek(source.fd, 0, SEEK_END));
	close(source.fd);
	index_number_file(account->index, folder->info.id, uid);
}

/* Some messages of the folder; false when it is done. */
static bool
fill_some(struct cache_filler *filler, struct folder *folder)
{
	struct account_store *account = filler->account;
	unsigned int steps = 0;
	uint32_t uid;

	index_begin(account->index);
	while (
	    steps++ < FILL_A_STEP && (uid = index_next_uid(account->index,
					  folder->info.id, filler->uid)) != 0) {
		fill_one(account, folder, uid);
		filler->uid = uid;
	}
	/* With those that a session has made meanwhile. */
	if (index_commit_later(account->index))
		account_commit_soon(account);
	return steps > FILL_A_STEP;
}

static void
step(void *context)
{
	struct cache_filler *filler = context;
	struct folder *folder;

	if (filler->mailbox_count == 0) {
		cache_filler_free(filler->account);
		return;
	}
	folder = folder_find_id(
	    filler->account, filler->mailboxes[filler->mailbox_count - 1]);
	if (folder == NULL || !fill_some(filler, folder)) {
		filler->mailbox_count--;
		filler->uid = 0;
	}
	timer_start(filler->timer, FILL_PAUSE_MS);
}

void
cache_filler_start(struct account_store *account)
{
	struct cache_filler *filler;

	cache_filler_free(account);
	filler = memory_new(1, sizeof(*filler));
	filler->account = account;
	filler->mailboxes =
	    memory_new(account->folder_count + 1, sizeof(uint64_t));
	/* INBOX, the first one, is done first. */
	for (size_t i = account->folder_count; i > 0; i--)
		filler->mailboxes[filler->mailbox_count++] =
		    account->folders[i - 1]->info.id;
	filler->timer = timer_new(account->loop, step, filler);
	account->filler = filler;
	timer_start(filler->timer, FILL_PAUSE_MS);
}

void
cache_filler_free(struct account_store *account)
{
	struct cache_filler *filler = account->filler;

	if (filler == NULL)
		return;
	timer_free(&filler->timer);
	free(filler->mailboxes);
	memory_free(&account->filler);
}
