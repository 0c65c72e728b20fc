/*
 * See mailbox_keys.h.
 */
#include "imapd/mailbox_keys.h"

#include "common/codec.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/table.h"
#include "imapd/account_state.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	KEYS_FORM = 1,
	KEY_RECORD_SIZE = 8 + MAILBOX_KEY_SIZE,
	KEYS_FILE_MAX = 1 + MAILBOX_KEYS_MAX * KEY_RECORD_SIZE
};

static const char file_name[] = "mailbox-keys";

struct mailbox_keys {
	size_t count;
	struct mailbox_key {
		uint64_t mailbox;
		uint8_t bytes[MAILBOX_KEY_SIZE];
	} keys[];
};

static struct mailbox_keys *
keys_new(size_t room)
{
	struct mailbox_keys *keys =
	    memory_new(1, sizeof(*keys) + room * sizeof(struct mailbox_key));

	return keys;
}

static void
keys_free(struct mailbox_keys **keys)
{
	if (*keys == NULL)
		return;
	explicit_bzero(
	    (*keys)->keys, (*keys)->count * sizeof(struct mailbox_key));
	memory_free(keys);
}

/* ---- The file ---- */

/* What is no such file is as good as none. */
static struct mailbox_keys *
parse(const struct buf *file)
{
	struct mailbox_keys *keys = keys_new(file->size / KEY_RECORD_SIZE + 1);
	struct reader r;

	reader_init(&r, file->data, file->size);
	if (reader_get_u8(&r) != KEYS_FORM)
		r.failed = true;
	while (!r.failed && r.size > 0) {
		struct mailbox_key *key = &keys->keys[keys->count++];

		key->mailbox = reader_get_u64(&r);
		reader_get_raw(&r, key->bytes, sizeof(key->bytes));
	}
	if (reader_done(&r) == 0)
		return keys;
	log_warning("mailbox-keys", "error=\"not in their form\"");
	keys_free(&keys);
	return keys_new(0);
}

/* Read when they are first asked for: -1, they cannot be. */
static int
load(struct account_store *account)
{
	struct error error;
	struct buf file;
	int fd, result;

	if (account->keys != NULL)
		return 0;
	fd = file_open_read(account->home_fd, file_name, &error);
	if (fd == -1 && errno == ENOENT) {
		account->keys = keys_new(0);
		return 0;
	}
	buf_init(&file, KEYS_FILE_MAX);
	result = fd == -1 ? -1 : file_read_all(fd, &file, &error);
	if (result == 0)
		account->keys = parse(&file);
	else
		log_error("mailbox-keys", "error=\"%s\"", error.text);
	if (fd != -1)
		close(fd);
	explicit_bzero(file.data, file.size);
	buf_clear(&file);
	return result;
}

static int
save(struct account_store *account, const struct mailbox_keys *keys,
    struct error *error)
{
	size_t size = 1 + keys->count * KEY_RECORD_SIZE;
	uint8_t *bytes = memory_new(1, size);
	struct writer w;
	int result;

	writer_init(&w, bytes, size);
	writer_put_u8(&w, KEYS_FORM);
	for (size_t i = 0; i < keys->count; i++) {
		writer_put_u64(&w, keys->keys[i].mailbox);
		writer_put_raw(&w, keys->keys[i].bytes, MAILBOX_KEY_SIZE);
	}
	result =
	    file_replace(account->home_fd, file_name, bytes, size, 0600, error);
	explicit_bzero(bytes, size);
	memory_free(&bytes);
	return result;
}

/* Those that there are but the mailbox's, and room for one. */
static struct mailbox_keys *
without(const struct mailbox_keys *keys, uint64_t mailbox)
{
	struct mailbox_keys *rest = keys_new(keys->count + 1);

	for (size_t i = 0; i < keys->count; i++)
		if (keys->keys[i].mailbox != mailbox)
			rest->keys[rest->count++] = keys->keys[i];
	return rest;
}

/* They are in force when they are on disk, or not at all. */
static enum status
change(struct account_store *account, struct mailbox_keys *keys)
{
	struct error error;

	if (save(account, keys, &error) == -1) {
		log_error("mailbox-keys", "error=\"%s\"", error.text);
		keys_free(&keys);
		return error.code == ERROR_FULL ? STATUS_FULL
						: STATUS_UNAVAILABLE;
	}
	keys_free(&account->keys);
	account->keys = keys;
	return STATUS_OK;
}

/* ---- Keys ---- */

static enum status
make(struct account_store *account, uint64_t mailbox)
{
	struct mailbox_keys *keys = without(account->keys, mailbox);
	struct mailbox_key *key = &keys->keys[keys->count];

	if (keys->count == MAILBOX_KEYS_MAX) {
		keys_free(&keys);
		return STATUS_LIMIT;
	}
	key->mailbox = mailbox;
	if (getrandom(key->bytes, sizeof(key->bytes), 0) !=
	    (ssize_t)sizeof(key->bytes))
		fatal("what=\"no random bytes\"");
	keys->count++;
	return change(account, keys);
}

enum status
mailbox_key_find(struct account_store *account, uint64_t mailbox,
    uint8_t bytes[MAILBOX_KEY_SIZE])
{
	if (load(account) == -1)
		return STATUS_UNAVAILABLE;
	for (size_t i = 0; i < account->keys->count; i++) {
		const struct mailbox_key *key = &account->keys->keys[i];

		if (key->mailbox != mailbox)
			continue;
		memcpy(bytes, key->bytes, MAILBOX_KEY_SIZE);
		return STATUS_OK;
	}
	return STATUS_MISSING;
}

enum status
mailbox_key_get(struct account_store *account, uint64_t mailbox,
    uint8_t bytes[MAILBOX_KEY_SIZE])
{
	enum status status = mailbox_key_find(account, mailbox, bytes);

	if (status != STATUS_MISSING)
		return status;
	status = make(account, mailbox);
	return status == STATUS_OK ? mailbox_key_find(account, mailbox, bytes)
				   : status;
}

enum status
mailbox_key_reset(struct account_store *account, uint64_t mailbox)
{
	enum status status;

	if (load(account) == -1)
		return STATUS_UNAVAILABLE;
	status = mailbox != 0 ? make(account, mailbox)
			      : change(account, keys_new(0));
	for (size_t i = 0; status == STATUS_OK && i < account->folder_count;
	     i++)
		if (mailbox == 0 || account->folders[i]->info.id == mailbox) {
			view_key_changed(account->folders[i]);
			sleepers_tell(
			    account, account->folders[i], HAPPENED_KEY);
		}
	return status;
}

uint64_t
mailbox_key_mark(struct account_store *account, uint64_t mailbox)
{
	uint8_t bytes[MAILBOX_KEY_SIZE], mark_key[16];
	uint64_t mark = 0;

	if (mailbox_key_find(account, mailbox, bytes) != STATUS_OK)
		return 0;
	memcpy(mark_key, bytes, sizeof(mark_key));
	mark = table_siphash(mark_key, &mailbox, sizeof(mailbox));
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(mark_key, sizeof(mark_key));
	return mark == 0 ? 1 : mark;
}

void
mailbox_key_forget(struct account_store *account, uint64_t mailbox)
{
	uint8_t bytes[MAILBOX_KEY_SIZE];

	/* An id is never given again: one that stays is of no use. */
	if (mailbox_key_find(account, mailbox, bytes) == STATUS_OK)
		(void)change(account, without(account->keys, mailbox));
	explicit_bzero(bytes, sizeof(bytes));
}

void
mailbox_keys_free(struct account_store *account)
{
	keys_free(&account->keys);
}
