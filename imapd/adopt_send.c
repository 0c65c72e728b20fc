/*
 * Reads found files and puts them into batches: what is parsed of each goes
 * into the cache as it is read, so that it is read once.
 */
#include "imapd/adoption.h"

#include "common/file.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"
#include "imapd/message_cache.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ADOPT_BATCH_BYTES = 8 << 20,  /* bytes and */
	ADOPT_BATCH_DESCRIPTORS = 64, /* descriptors in a batch */
	ADOPT_INLINE = 32768,         /* as change_append's data */
	ADOPT_MAX_SIZE = 200 << 20    /* of a message */
};

/* It may be there to be read in a while. One that we have no right to read is
 * not: the watch tells when that changes. */
static bool
is_for_now(const struct error *error)
{
	switch (error->errno_value) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EIO:
		return true;
	default:
		return false;
	}
}

static int
read_file(struct adoption *adoption, const struct folder *folder,
    const struct found *found, struct buf *bytes, int64_t *time)
{
	struct account_store *account = adoption->account;
	struct error error;
	struct stat info;
	int fd, result;

	fd = directories_part(
	    account, folder, found->is_new ? FOLDER_NEW : FOLDER_CUR, &error);
	if (fd != -1)
		fd = file_open_unnoticed(fd, found->name, &error);
	if (fd == -1) {
		adoption->has_failed |= is_for_now(&error);
		return -1;
	}
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
	*form = FORM_EXACT;
	if (text_find_byte(bytes, '\r') != -1)
		return bytes.size;
	*form = FORM_LF;
	return bytes.size + text_count_bare_lf(bytes);
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
	b->descriptors += fd != -1;
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
	    read_file(b->adoption, folder, found, &bytes,
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
	adoption_parse_key(&found->delivery, &key);
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

void
adoption_add_identity(struct adoption *adoption, struct store_batch *batch,
    uint32_t uidvalidity, uint32_t uidnext)
{
	struct message m = { .type = MESSAGE_change_identity };

	m.change_identity.mailbox = adoption->mailbox;
	m.change_identity.uidvalidity = uidvalidity;
	m.change_identity.uidnext = uidnext;
	store_batch_add(batch, &m, -1);
}

/* After the last UID of Dovecot come those that we give. */
bool
adoption_must_raise(const struct adoption *adoption)
{
	return adoption->uidnext != 0 && !adoption->is_raised &&
	       (adoption->next == adoption->found_count ||
		   adoption->found[adoption->next].uid == 0);
}

void
adoption_send(struct adoption *adoption, struct folder *folder)
{
	struct adopt_batch *b = memory_new(1,
	    sizeof(*b) + adoption->batch_limit * sizeof(struct adopted_file));

	b->adoption = adoption;
	b->batch = store_batch_new_for(CAUSE_RECONCILE);
	b->raises = adoption_must_raise(adoption);
	if (b->raises) {
		adoption_add_identity(adoption, b->batch,
		    folder->info.uidvalidity, adoption->uidnext);
		adoption->is_raised = true;
	}
	directories_hold(adoption->account);
	while (adoption->next < adoption->found_count &&
	       b->count < adoption->batch_limit &&
	       b->bytes < ADOPT_BATCH_BYTES &&
	       b->descriptors < ADOPT_BATCH_DESCRIPTORS &&
	       !adoption_must_raise(adoption))
		add_file(b, folder, &adoption->found[adoption->next++]);
	directories_release(adoption->account);
	if (store_batch_is_empty(b->batch)) {
		adoption_free_batch(b);
		return;
	}
	adoption->under_way++;
	store_client_commit(
	    adoption->account->client, &b->batch, adoption_committed, b);
}
