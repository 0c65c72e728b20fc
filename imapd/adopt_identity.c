/*
 * The identity of a mailbox on first sight: UIDVALIDITY, UIDs and keywords of
 * dovecot-uidlist and dovecot-keywords, if it was never used.
 */
#include "imapd/adoption.h"

#include "common/file.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ADOPT_MAX_UIDLIST = 64 << 20
};

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
sort_found(struct adoption *adoption)
{
	if (adoption->found_count > 0)
		qsort(adoption->found, adoption->found_count,
		    sizeof(struct found), compare_found);
}

void
adoption_read_uidlist(struct adoption *adoption, const struct folder *folder)
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
	sort_found(adoption);
	table_free(&uids);
	buf_clear(&buf);
}

static void
identity_listed(
    enum status status, uint64_t sequence, struct text data, void *context)
{
	struct adoption *adoption = context;

	if (status != STATUS_OK ||
	    arrive_own_changes(adoption->account, data) == -1)
		adoption->has_failed = true;
	adoption_go_on(adoption);
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
	sort_found(adoption);
	adoption_go_on(adoption);
}

void
adoption_take_identity(struct adoption *adoption)
{
	struct message m = { .type = MESSAGE_change_keyword };
	struct store_batch *batch = store_batch_new_for(CAUSE_RECONCILE);
	struct text rest =
	    text_make(adoption->keywords.data, adoption->keywords.size);
	unsigned int number, next = 0;
	struct text name;

	adoption_add_identity(adoption, batch, adoption->uidvalidity, 1);
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
	adoption_read_uidlist(adoption, folder);
	if (adoption->uidvalidity != 0)
		adoption_take_identity(adoption);
	else
		adoption_go_on(adoption);
}
