/*
 * APPEND: takes the literal's bytes as they come, in the form that they will
 * have in the file (LF if every line end is CRLF, else exactly as they came),
 * in memory or a memfd, and commits them as one batch.
 */
#include "imapd/mailbox_change.h"

#include "common/file.h"
#include "common/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	APPEND_MEMORY = 16384, /* what the packet holds */
	APPEND_STEP = 65536
};

struct append {
	struct account_store *account;
	char *mailbox;
	uint32_t flags;
	struct names *keywords;
	int64_t internaldate;
	uint64_t wire_size; /* with CRLF line ends */
	bool wire_after_cr;
	struct buf bytes; /* in the form below, as long as fd is -1 */
	int fd;
	uint64_t fd_size;
	uint8_t form;
	bool has_cr; /* a CR that waits for its LF */
	bool has_failed;
	struct prepared prepared;
};

struct append *
append_begin(struct account_store *account, struct text mailbox, uint32_t flags,
    const struct text *keywords, size_t keyword_count, int64_t internaldate)
{
	struct append *append = memory_new(1, sizeof(*append));

	append->account = account;
	append->mailbox = memory_new(1, mailbox.size + 1);
	memcpy(append->mailbox, mailbox.data, mailbox.size);
	append->flags = flags & FLAG_ALL;
	append->keywords = change_copy_names(keywords, keyword_count);
	append->internaldate = internaldate;
	append->fd = -1;
	append->form = FORM_LF;
	buf_init(&append->bytes, APPEND_MEMORY + 2 * APPEND_STEP);
	return append;
}

void
append_abort(struct append **append)
{
	if (*append == NULL)
		return;
	if ((*append)->fd != -1)
		close((*append)->fd);
	message_prepare_end((*append)->account, &(*append)->prepared);
	buf_clear(&(*append)->bytes);
	free((*append)->mailbox);
	free((*append)->keywords);
	memory_free(append);
}

/* What is in memory goes to the memfd. */
static int
spill(struct append *append)
{
	struct error error;

	if (append->fd == -1)
		append->fd =
		    memfd_create("append", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (append->fd == -1 || file_write_all(append->fd, append->bytes.data,
				    append->bytes.size, &error) == -1) {
		append->has_failed = true;
		return -1;
	}
	append->fd_size += append->bytes.size;
	buf_reset(&append->bytes);
	return 0;
}

static int
put(struct append *append, const void *data, size_t size)
{
	if (append->bytes.size + size > APPEND_MEMORY + APPEND_STEP &&
	    spill(append) == -1)
		return -1;
	if (buf_put(&append->bytes, data, size) == 0)
		return 0;
	append->has_failed = true;
	return -1;
}

/* The bytes are not of CRLF lines alone: what was written as LF becomes CRLF
 * again, which gives back exactly what came. */
static int
become_exact(struct append *append)
{
	static uint8_t step[4096];
	struct buf old = append->bytes;
	int old_fd = append->fd;
	off_t at = 0;
	ssize_t n = 0;
	int result = 0;

	append->form = FORM_EXACT;
	append->fd = -1;
	append->fd_size = 0;
	buf_init(&append->bytes, APPEND_MEMORY + 2 * APPEND_STEP);
	while (result == 0) {
		if (old_fd != -1)
			n = pread(old_fd, step, sizeof(step), at);
		if (old_fd == -1 || n <= 0) {
			n = (ssize_t)(old.size < sizeof(step) ? old.size
							      : sizeof(step));
			if (n == 0)
				break;
			memcpy(step, old.data, (size_t)n);
			buf_cut(&old, (size_t)n);
			if (old_fd != -1)
				close(old_fd);
			old_fd = -1;
		}
		at += n;
		for (ssize_t i = 0; result == 0 && i < n; i++)
			result = step[i] == '\n' ? put(append, "\r\n", 2)
						 : put(append, &step[i], 1);
	}
	buf_clear(&old);
	if (old_fd != -1)
		close(old_fd);
	return result;
}

/* One run of bytes while every line end was CRLF. Returns how many were
 * used: less than `size` if the form changed. */
static size_t
write_lines(struct append *append, const uint8_t *data, size_t size)
{
	size_t used = 0;

	while (used < size) {
		const uint8_t *end = data + used;
		size_t run = 0;

		if (append->has_cr != (data[used] == '\n'))
			break;
		if (append->has_cr) {
			append->has_cr = false;
			put(append, "\n", 1);
			used++;
			continue;
		}
		while (
		    used + run < size && end[run] != '\r' && end[run] != '\n')
			run++;
		if (run > 0)
			put(append, end, run);
		used += run;
		if (used < size && data[used] == '\r') {
			append->has_cr = true;
			used++;
		}
	}
	return used;
}

static void
count_wire_size(struct append *append, const char *data, size_t size)
{
	const char *p = data, *end = data + size;

	append->wire_size += size;
	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		append->wire_size +=
		    p == data ? !append->wire_after_cr : p[-1] != '\r';
		p++;
	}
	if (size > 0)
		append->wire_after_cr = end[-1] == '\r';
}

int
append_write(struct append *append, const void *data, size_t size)
{
	size_t used = 0;

	count_wire_size(append, data, size);
	while (!append->has_failed && used < size) {
		size_t step =
		    size - used < APPEND_STEP ? size - used : APPEND_STEP;

		if (append->form == FORM_LF) {
			size_t taken = write_lines(
			    append, (const uint8_t *)data + used, step);

			used += taken;
			if (taken == step)
				continue;
			become_exact(append);
			if (append->has_cr)
				put(append, "\r", 1);
			append->has_cr = false;
			continue;
		}
		put(append, (const uint8_t *)data + used, step);
		used += step;
	}
	return append->has_failed ? -1 : 0;
}

static int
append_seal(struct append *append)
{
	if (append->has_cr) { /* ends in a lone CR */
		append->has_cr = false;
		become_exact(append);
		put(append, "\r", 1);
	}
	if (append->bytes.size > APPEND_MEMORY || append->fd != -1)
		spill(append);
	if (append->has_failed)
		return -1;
	return append->fd == -1 ? 0
				: fcntl(append->fd, F_ADD_SEALS,
				      F_SEAL_SEAL | F_SEAL_SHRINK |
					  F_SEAL_GROW | F_SEAL_WRITE);
}

static struct message_source
append_source(struct append *append)
{
	return (struct message_source){ .fd = append->fd,
		.data = text_make(append->bytes.data, append->bytes.size),
		.prepared = &append->prepared };
}

static uint64_t
append_size(const struct append *append)
{
	return append->fd == -1 ? append->bytes.size : append->fd_size;
}

static void
append_committed(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct change *change = context;
	struct append *append = change->append;
	struct message_source source = append_source(append);
	struct message_record record = { 0 };
	struct result_record result;
	char hex[2 * 18 + 1];
	struct reader r;

	reader_init(&r, results.data, results.size);
	if (status == STATUS_OK) {
		struct folder *folder;

		apply_begin(change->account);
		change_learn_keywords(change->account, change->mailbox,
		    append->keywords->list, append->keywords->count);
		for (size_t i = 0; i < change->new_keywords; i++)
			change_next_result(&r, &result);
		if (change_next_result(&r, &result)) {
			text_format_hex(
			    change->items[0].delivery.bytes, 18, hex);
			record.mailbox = change->mailbox;
			record.uid = result.uid;
			record.modseq = result.modseq;
			record.born = sequence;
			record.internaldate = append->internaldate;
			record.size = append->wire_size;
			record.stored_size = append_size(append);
			record.flags = append->flags;
			record.keywords = change->items[0].keywords;
			record.blob = result.blob;
			record.form = append->form;
			record.hash = result.hash;
			record.base = text_of(hex);
			apply_message(change->account, &record, &source, NULL);
			change->answer.count = 1;
			change->target_uids[0] = result.uid;
			change->answer.modseq = result.modseq;
		}
		folder = folder_find_id(change->account, change->mailbox);
		if (folder != NULL)
			change->answer.uidvalidity = folder->info.uidvalidity;
		apply_sequence(change->account, sequence);
		apply_end(change->account);
	}
	change_finish(change, status);
}

/* While the store commits. */
static void
append_prepare(const struct change *change)
{
	struct append *append = change->append;
	const struct message_source source = append_source(append);

	message_prepare(append->account, &change->items[0].delivery,
	    append->internaldate, &source, &append->prepared);
}

void
append_commit(struct append **from, mailbox_done *done, void *context)
{
	struct append *append = *from;
	struct folder *folder =
	    folder_find(append->account, text_of(append->mailbox));
	struct message m = { .type = MESSAGE_change_append };
	struct store_batch *batch = store_batch_new(&append->account->note);
	enum status status = STATUS_MISSING;
	struct change *change;
	uint64_t keywords = 0;
	size_t added = 0;
	bool is_sent;

	*from = NULL;
	if (folder != NULL)
		status =
		    append_seal(append) == -1
			? STATUS_FULL
			: change_keyword_bits(folder, append->keywords->list,
			      append->keywords->count, batch, &added,
			      &keywords);
	if (status != STATUS_OK) {
		store_batch_free(&batch);
		append_abort(&append);
		account_answer(done, context, status);
		return;
	}
	change = change_new(append->account, folder, 1, done, context);
	change->append = append;
	status = change_take_quota(change, 1, append->wire_size);
	if (status != STATUS_OK) {
		store_batch_free(&batch);
		change_finish(change, status);
		return;
	}
	change->new_keywords = added;
	change->items[0].keywords = keywords;
	change_draw_delivery(&change->items[0].delivery);
	m.change_append.delivery = change->items[0].delivery;
	m.change_append.mailbox = folder->info.id;
	m.change_append.internaldate = append->internaldate;
	m.change_append.flags = append->flags;
	m.change_append.keywords = keywords;
	m.change_append.form = append->form;
	m.change_append.size = append_size(append);
	if (append->fd == -1)
		m.change_append.data =
		    text_make(append->bytes.data, append->bytes.size);
	store_batch_add(batch, &m, append->fd);
	/* Without a store it is answered, and gone, at once. */
	is_sent = store_client_is_present(append->account->client);
	store_client_commit(
	    append->account->client, &batch, append_committed, change);
	if (is_sent)
		append_prepare(change);
}
