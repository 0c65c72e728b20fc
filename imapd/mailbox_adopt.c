/*
 * Adopts message files that other programs put into a Maildir: their bytes go
 * to the store by append, under a delivery id that the same file always gets,
 * so that doing it again after a crash doubles nothing.  The files stay where
 * they are, under their own names.  A mailbox that was never used takes over
 * UIDVALIDITY, UIDs and keywords of dovecot-uidlist and dovecot-keywords.
 *
 * Batches of a few hundred files are read ahead while others are committed.
 */
#include "imapd/account_state.h"

#include "common/file.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"
#include "imapd/message_cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ADOPT_BATCHES = 3,            /* under way */
	ADOPT_A_BATCH = 1000,         /* files, */
	ADOPT_BATCH_BYTES = 8 << 20,  /* bytes and */
	ADOPT_BATCH_DESCRIPTORS = 64, /* descriptors in one of them */
	ADOPT_INLINE = 32768,         /* as change_append's data */
	ADOPT_MAX_SIZE = 200 << 20,   /* of a message */
	ADOPT_MAX_UIDLIST = 64 << 20
};

struct adoption {
	struct account_store *account;
	uint64_t mailbox;
	struct found *found;
	size_t found_count;
	size_t next; /* not sent yet from here on */
	size_t batch_limit;
	unsigned int under_way;
	bool has_failed;
	uint32_t uidvalidity; /* of Dovecot; 0: none */
	uint32_t uidnext;
	bool is_raised; /* UIDNEXT was raised to Dovecot's */
	struct buf keywords;
};

struct adopted_file {
	struct found found;
	struct message_record record;
	struct buf cached;
};

struct adopt_batch {
	struct adoption *adoption;
	struct store_batch *batch;
	bool raises; /* its first result is of UIDNEXT */
	size_t count;
	size_t bytes;
	size_t descriptors;
	struct adopted_file files[];
};

/* A delivery id made of mailbox and base name. */
static void
derive_delivery(
    const struct folder *folder, struct text base, struct delivery_id *delivery)
{
	static const uint8_t keys[2][16] = { "firnmail adopts",
		"from a maildir" };
	uint8_t bytes[8 + MAILDIR_MAX_NAME];

	memset(delivery->bytes, 0xff, sizeof(delivery->bytes));
	memcpy(bytes, &folder->info.id, 8);
	memcpy(bytes + 8, base.data, base.size);
	for (size_t i = 0; i < 2; i++) {
		uint64_t half = table_siphash(keys[i], bytes, 8 + base.size);

		memcpy(delivery->bytes + 8 * i, &half, 8);
	}
}

/* Its own base name if that is one of ours. */
void
adopt_delivery(
    const struct folder *folder, struct text base, struct delivery_id *delivery)
{
	if (text_parse_hex(base, delivery->bytes, sizeof(delivery->bytes)) ==
	    -1)
		derive_delivery(folder, base, delivery);
}

static void
adoption_end(struct adoption *adoption)
{
	struct account_store *account = adoption->account;
	struct folder *folder = folder_find_id(account, adoption->mailbox);

	if (folder != NULL) {
		folder->is_adopting = false;
		if (folder->needs_scan) /* what came meanwhile */
			watcher_look_soon(account);
		if (adoption->has_failed)
			watcher_look_later(account);
		folder->needs_scan |= adoption->has_failed;
		folder_put(account, folder);
	}
	account->changing--;
	buf_clear(&adoption->keywords);
	for (size_t i = 0; i < adoption->found_count; i++)
		free(adoption->found[i].name);
	free(adoption->found);
	free(adoption);
	if (folder != NULL)
		list_folder_adopted(account, folder);
}

static void adopt_more(struct adoption *adoption);

/* Once more, as the last one, by itself. */
static void
put_again(struct adoption *adoption, const struct found *found)
{
	adoption->found = memory_resize(
	    adoption->found, adoption->found_count + 1, sizeof(struct found));
	adoption->found[adoption->found_count] = *found;
	adoption->found[adoption->found_count].name =
	    memory_copy_text(found->name);
	adoption->found[adoption->found_count++].uid = 0;
}

/* Whether the file is that message, or the torn rest of it that an unclean stop
 * left: shorter than its own name says. */
static bool
is_file_of(const struct adopted_file *file, const struct maildir_name *name,
    const struct result_record *result)
{
	return file->record.size == result->size ||
	       (name->has_size && file->record.stored_size < name->size);
}

/*
 * The store knows this delivery from before, and its message is not one of
 * ours here: an expunge that a crash cut if the index was lost as well (the
 * store keeps the bytes), else a file that somebody brought here, which
 * becomes a message of its own.
 */
static void
adopt_known(struct adoption *adoption, struct folder *folder,
    const struct adopted_file *file, const struct result_record *result)
{
	struct account_store *account = adoption->account;
	struct found again = file->found;
	struct delivery_id derived;
	struct maildir_name name;
	char path[ACCOUNT_PATH_MAX];
	struct error error;

	if (maildir_name_parse(text_of(again.name), &name) == -1)
		return;
	derive_delivery(folder, name.base, &derived);
	if (account->is_rebuilt && result->mailbox == folder->info.id &&
	    is_file_of(file, &name, result) &&
	    memcmp(&derived, &again.delivery, sizeof(derived)) != 0) {
		files_path(folder, again.is_new, text_of(again.name), path);
		log_info("expunge-finished", "mailbox=%llu uid=%u",
		    (unsigned long long)result->mailbox, result->uid);
		file_unlink(account->home_fd, path, &error);
		return;
	}
	if (memcmp(&derived, &again.delivery, sizeof(derived)) != 0)
		again.delivery = derived;
	else if (getrandom(again.delivery.bytes, 16, 0) != 16)
		return;
	put_again(adoption, &again);
}

/* The hash is known when the store has it. */
static void
parse_key(const struct delivery_id *delivery, struct hash *key)
{
	memset(key, 0, sizeof(*key));
	memcpy(key->bytes, delivery->bytes, sizeof(delivery->bytes));
}

/* The row of a file that stays where it is, under its own name. */
static void
adopt_row(struct adoption *adoption, struct folder *folder,
    struct adopted_file *file, const struct result_record *result,
    uint64_t sequence)
{
	static const struct message_source there = { .is_assumed = true };
	struct account_store *account = adoption->account;
	struct message_record *record = &file->record;
	struct index_file placed;
	struct maildir_name name;
	struct index_row row;
	struct text cached;
	struct hash key;

	if (result->mailbox == folder->info.id &&
	    index_find_row(account->index, folder->info.id, result->uid, &row))
		return; /* came back by the list of changes already */
	if (result->born != sequence ||
	    maildir_name_parse(text_of(file->found.name), &name) == -1) {
		adopt_known(adoption, folder, file, result);
		return;
	}
	record->mailbox = folder->info.id;
	record->uid = result->uid;
	record->modseq = result->modseq;
	record->born = sequence;
	record->size = result->size;
	record->blob = result->blob;
	record->hash = result->hash;
	record->base = name.base;
	apply_message(account, record, &there, NULL);
	parse_key(&file->found.delivery, &key);
	if (parse_note_has(account->parse_note, &key))
		parse_note_add(account->parse_note, &record->hash);
	if (!index_find_file(
		account->index, record->mailbox, record->uid, &placed))
		return;
	placed.name = text_of(file->found.name);
	placed.base = name.base;
	placed.is_new = file->found.is_new;
	index_put_file(account->index, record->mailbox, record->uid, &placed);
	if (file->cached.size > 0 &&
	    !index_find_cache(account->index, &record->hash, &cached))
		index_put_cache(account->index, &record->hash,
		    text_make(file->cached.data, file->cached.size));
}

static void
free_batch(struct adopt_batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		buf_clear(&b->files[i].cached);
	store_batch_free(&b->batch);
	free(b);
}

/* A batch was refused: its files one by one, so that one of them does not
 * keep the others out. */
static void
adopt_refused(struct adopt_batch *b, enum status status)
{
	struct adoption *adoption = b->adoption;

	log_warning("adopt", "mailbox=%llu files=%zu status=%s",
	    (unsigned long long)adoption->mailbox, b->count,
	    status_name(status));
	if (status == STATUS_UNAVAILABLE || status == STATUS_FULL ||
	    status == STATUS_MISSING)
		adoption->has_failed = true;
	adoption->is_raised = true;
	adoption->batch_limit = 1;
	for (size_t i = 0; b->count > 1 && i < b->count; i++)
		put_again(adoption, &b->files[i].found);
}

static void
adopted(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct adopt_batch *b = context;
	struct adoption *adoption = b->adoption;
	struct account_store *account = adoption->account;
	struct folder *folder = folder_find_id(account, adoption->mailbox);
	struct result_record result;
	struct reader r;

	if (folder == NULL)
		status = STATUS_MISSING;
	if (status != STATUS_OK) {
		adopt_refused(b, status);
	} else {
		reader_init(&r, results.data, results.size);
		apply_begin(account);
		if (b->raises && record_get_result(&r, &result) == 1 &&
		    folder->info.uidnext < adoption->uidnext)
			folder->info.uidnext = adoption->uidnext;
		for (size_t i = 0;
		     i < b->count && record_get_result(&r, &result) == 1; i++)
			adopt_row(
			    adoption, folder, &b->files[i], &result, sequence);
		apply_sequence(account, sequence);
		folder_put(account, folder);
		apply_end(account);
	}
	free_batch(b);
	adoption->under_way--;
	adopt_more(adoption);
}

/* -- Sending -- */

static int
read_file(struct account_store *account, const struct folder *folder,
    const struct found *found, struct buf *bytes, int64_t *time)
{
	char path[ACCOUNT_PATH_MAX];
	struct error error;
	struct stat info;
	int fd, result;

	files_path(folder, found->is_new, text_of(found->name), path);
	fd = file_open_read(account->home_fd, path, &error);
	if (fd == -1)
		return -1;
	result = -1;
	if (fstat(fd, &info) == 0) {
		/* Its size and one, at which the end shows. */
		if (info.st_size < ADOPT_MAX_SIZE)
			buf_reserve(bytes, (size_t)info.st_size + 1);
		result = file_read_all(fd, bytes, &error);
	}
	close(fd);
	if (result == -1)
		log_warning("adopt-read", "error=\"%s\"", error.text);
	*time = info.st_mtim.tv_sec;
	return result;
}

/* What the bytes are on the wire, in a form that FORM_LF permits. */
static uint64_t
wire_size(struct text bytes, uint8_t *form)
{
	uint64_t size = bytes.size;

	*form = FORM_EXACT;
	if (text_find_byte(bytes, '\r') != -1)
		return size;
	*form = FORM_LF;
	for (ptrdiff_t at; (at = text_find_byte(bytes, '\n')) != -1; size++)
		bytes = text_skip(bytes, (size_t)at + 1);
	return size;
}

static void
add_bytes(struct adopt_batch *b, const struct message *m, struct text bytes)
{
	struct message with = *m;
	struct error error;
	int fd = -1;

	with.change_append.size = bytes.size;
	if (bytes.size <= ADOPT_INLINE)
		with.change_append.data = bytes;
	else
		fd =
		    file_sealed_memory("adopt", bytes.data, bytes.size, &error);
	if (bytes.size > ADOPT_INLINE && fd == -1) {
		log_warning("adopt", "error=\"%s\"", error.text);
		b->adoption->has_failed = true;
		return;
	}
	store_batch_add(b->batch, &with, fd);
	if (fd != -1) {
		close(fd);
		b->descriptors++;
	}
	b->bytes += bytes.size;
	b->count++;
}

/* One file into the batch; a file that cannot be read is passed over. */
static void
add_file(struct adopt_batch *b, struct folder *folder, struct found *found)
{
	struct message m = { .type = MESSAGE_change_append };
	struct adopted_file *file = &b->files[b->count];
	struct message_record *record = &file->record;
	unsigned int known = folder->info.keyword_count;
	struct maildir_name name;
	struct hash key;
	struct buf bytes;

	buf_init(&bytes, ADOPT_MAX_SIZE);
	memset(file, 0, sizeof(*file));
	file->found = *found;
	if (maildir_name_parse(text_of(found->name), &name) == -1 ||
	    read_file(b->adoption->account, folder, found, &bytes,
		&record->internaldate) == -1) {
		buf_clear(&bytes);
		return;
	}
	record->flags = name.flags;
	record->keywords = known >= 64
			       ? name.keywords
			       : name.keywords & (((uint64_t)1 << known) - 1);
	record->stored_size = bytes.size;
	record->size =
	    wire_size(text_make(bytes.data, bytes.size), &record->form);
	buf_init(&file->cached, MESSAGE_CACHE_MAX_SIZE);
	parse_key(&found->delivery, &key);
	if (cache_make(b->adoption->account, &key, -1,
		text_make(bytes.data, bytes.size), bytes.size,
		&file->cached) == -1)
		buf_clear(&file->cached);
	m.change_append.delivery = found->delivery;
	m.change_append.mailbox = folder->info.id;
	m.change_append.uid = found->uid;
	m.change_append.internaldate = record->internaldate;
	m.change_append.flags = record->flags;
	m.change_append.keywords = record->keywords;
	m.change_append.form = record->form;
	m.change_append.base = name.base;
	add_bytes(b, &m, text_make(bytes.data, bytes.size));
	buf_clear(&bytes);
}

static void
add_identity(struct adoption *adoption, struct store_batch *batch,
    uint32_t uidvalidity, uint32_t uidnext)
{
	struct message m = { .type = MESSAGE_change_identity };

	m.change_identity.mailbox = adoption->mailbox;
	m.change_identity.uidvalidity = uidvalidity;
	m.change_identity.uidnext = uidnext;
	store_batch_add(batch, &m, -1);
}

/* After the last UID of Dovecot come those that we give. */
static bool
must_raise(const struct adoption *adoption)
{
	return adoption->uidnext != 0 && !adoption->is_raised &&
	       (adoption->next == adoption->found_count ||
		   adoption->found[adoption->next].uid == 0);
}

static void
send_batch(struct adoption *adoption, struct folder *folder)
{
	struct adopt_batch *b = memory_new(1,
	    sizeof(*b) + adoption->batch_limit * sizeof(struct adopted_file));

	b->adoption = adoption;
	b->batch = store_batch_new_for(CAUSE_RECONCILE);
	b->raises = must_raise(adoption);
	if (b->raises) {
		add_identity(adoption, b->batch, folder->info.uidvalidity,
		    adoption->uidnext);
		adoption->is_raised = true;
	}
	while (
	    adoption->next < adoption->found_count &&
	    b->count < adoption->batch_limit && b->bytes < ADOPT_BATCH_BYTES &&
	    b->descriptors < ADOPT_BATCH_DESCRIPTORS && !must_raise(adoption))
		add_file(b, folder, &adoption->found[adoption->next++]);
	if (store_batch_is_empty(b->batch)) {
		free_batch(b);
		return;
	}
	adoption->under_way++;
	store_client_commit(adoption->account->client, &b->batch, adopted, b);
}

static void
adopt_more(struct adoption *adoption)
{
	struct folder *folder;

	adoption->under_way++; /* it does not end meanwhile */
	while (
	    !adoption->has_failed && adoption->under_way <= ADOPT_BATCHES &&
	    (adoption->next < adoption->found_count || must_raise(adoption)) &&
	    (folder = folder_find_id(adoption->account, adoption->mailbox)) !=
		NULL)
		send_batch(adoption, folder);
	if (--adoption->under_way == 0)
		adoption_end(adoption);
}

/* -- On first sight -- */

static struct text
read_control(struct account_store *account, const struct folder *folder,
    const char *name, struct buf *buf)
{
	char path[ACCOUNT_PATH_MAX];
	struct error error;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder->directory, name);
	fd = file_open_read(account->home_fd, path, &error);
	if (fd != -1) {
		if (file_read_all(fd, buf, &error) == -1)
			buf_reset(buf);
		close(fd);
	}
	return text_make(buf->data, buf->size);
}

static void
wish_uids(struct adoption *adoption, const struct table *uids, uint32_t first)
{
	for (size_t i = 0; i < adoption->found_count; i++) {
		struct found *found = &adoption->found[i];
		struct maildir_name name;

		if (maildir_name_parse(text_of(found->name), &name) == -1)
			continue;
		found->uid = (uint32_t)(uintptr_t)table_find(
		    uids, name.base.data, name.base.size);
		if (found->uid < first)
			found->uid = 0;
	}
}

static bool
was_never_used(const struct folder *folder)
{
	return folder->info.message_count == 0 && folder->info.uidnext == 1;
}

/* On first sight, or where an adoption of before was cut off: UIDs that were
 * given meanwhile are never given again. */
static bool
is_list_of(const struct uidlist_header *header, const struct folder *folder)
{
	if (header->uidvalidity == folder->info.uidvalidity)
		return header->uidnext > folder->info.uidnext;
	return was_never_used(folder) && !folder->is_identity_refused;
}

/* The identity and UIDs that Dovecot gave. */
static void
import_uidlist(struct adoption *adoption, const struct folder *folder)
{
	struct uidlist_header header;
	struct uidlist_entry entry;
	struct table *uids = table_new();
	struct text rest;
	struct buf buf;
	uint32_t after = 0;

	buf_init(&buf, ADOPT_MAX_UIDLIST);
	rest = read_control(adoption->account, folder, "dovecot-uidlist", &buf);
	if (uidlist_parse_header(&rest, &header) == 0 &&
	    is_list_of(&header, folder)) {
		if (header.uidvalidity != folder->info.uidvalidity)
			adoption->uidvalidity = header.uidvalidity;
		while (uidlist_parse_entry(&rest, after, &entry) == 1) {
			struct maildir_name name;

			after = entry.uid;
			if (maildir_name_parse(entry.whole, &name) == 0)
				table_put(uids, name.base.data, name.base.size,
				    (void *)(uintptr_t)entry.uid);
		}
		adoption->uidnext =
		    header.uidnext > after ? header.uidnext : after + 1;
		read_control(adoption->account, folder, "dovecot-keywords",
		    &adoption->keywords);
	}
	wish_uids(adoption, uids, folder->info.uidnext);
	table_free(&uids);
	buf_clear(&buf);
}

static int
compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	/* Wished-for UIDs first and in order, then by name (arrival). */
	if (x->uid != y->uid)
		return x->uid == 0 || (y->uid != 0 && x->uid > y->uid) ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void
identity_listed(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct adoption *adoption = context;

	if (status != STATUS_OK ||
	    arrive_own_changes(adoption->account, data) == -1)
		adoption->has_failed = true;
	adopt_more(adoption);
}

static void
identity_taken(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct adoption *adoption = context;
	struct folder *folder;

	if (status == STATUS_OK) {
		store_list_changes(adoption->account->client, sequence - 1,
		    identity_listed, adoption);
		return;
	}
	/* Then with UIDs of our own. */
	folder = folder_find_id(adoption->account, adoption->mailbox);
	if (folder != NULL)
		folder->is_identity_refused = true;
	log_warning("import-identity", "mailbox=%llu status=%s",
	    (unsigned long long)adoption->mailbox, status_name(status));
	adoption->uidnext = 0;
	for (size_t i = 0; i < adoption->found_count; i++)
		adoption->found[i].uid = 0;
	if (adoption->found_count > 0)
		qsort(adoption->found, adoption->found_count,
		    sizeof(struct found), compare_found);
	adopt_more(adoption);
}

static void
take_identity(struct adoption *adoption)
{
	struct message m = { .type = MESSAGE_change_keyword };
	struct store_batch *batch = store_batch_new_for(CAUSE_RECONCILE);
	struct text rest =
	    text_make(adoption->keywords.data, adoption->keywords.size);
	unsigned int number, next = 0;
	struct text name;

	add_identity(adoption, batch, adoption->uidvalidity, 1);
	while (
	    keywords_parse_line(&rest, &number, &name) == 1 && number == next) {
		m.change_keyword.mailbox = adoption->mailbox;
		m.change_keyword.number = (uint8_t)next++;
		m.change_keyword.name = name;
		store_batch_add(batch, &m, -1);
	}
	store_client_commit(
	    adoption->account->client, &batch, identity_taken, adoption);
}

static struct adoption *
adoption_new(struct account_store *account, struct folder *folder)
{
	struct adoption *adoption = memory_new(1, sizeof(*adoption));

	adoption->account = account;
	adoption->mailbox = folder->info.id;
	adoption->batch_limit = ADOPT_A_BATCH;
	buf_init(&adoption->keywords, 65536);
	folder->is_adopting = true;
	account->changing++;
	return adoption;
}

void
adopt_files(struct account_store *account, struct folder *folder,
    struct found *found, size_t count)
{
	struct adoption *adoption = adoption_new(account, folder);

	adoption->found = found;
	adoption->found_count = count;
	import_uidlist(adoption, folder);
	qsort(found, count, sizeof(*found), compare_found);
	if (adoption->uidvalidity != 0)
		take_identity(adoption);
	else
		adopt_more(adoption);
}

/* `firnmail import` puts the list into the folder before the messages. */
static bool
is_importing(const struct account_store *account)
{
	struct stat info;

	return fstatat(account->home_fd, "import/running", &info,
		   AT_SYMLINK_NOFOLLOW) == 0;
}

void
adopt_identity(struct account_store *account, struct folder *folder)
{
	struct uidlist_header header = { 0 };
	struct adoption *adoption;
	struct text rest;
	struct buf buf;

	if (!was_never_used(folder) || is_importing(account))
		return;
	buf_init(&buf, ADOPT_MAX_UIDLIST);
	rest = read_control(account, folder, "dovecot-uidlist", &buf);
	if (uidlist_parse_header(&rest, &header) == -1)
		header.uidvalidity = 0;
	buf_clear(&buf);
	if (header.uidvalidity == 0 || !is_list_of(&header, folder))
		return;
	adoption = adoption_new(account, folder);
	import_uidlist(adoption, folder);
	if (adoption->uidvalidity != 0)
		take_identity(adoption);
	else
		adopt_more(adoption);
}
