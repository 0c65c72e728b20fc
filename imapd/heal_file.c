/*
 * Writes the file of a message again from the bytes that the store gave.  Those
 * that come in one turn of the loop are one change of their folder: whether it
 * held something unseen is asked before the first, and its directory times are
 * noted after the last.  What others do in it meanwhile the watcher sees by
 * name.
 */
#include "imapd/account_state.h"

#include "common/log.h"

#include <unistd.h>

static void
turn_ended(void *context)
{
	struct account_store *account = context;

	heal_file_settle(account);
}

static void
begin_change(struct account_store *account, struct folder *folder)
{
	if (account->healed_mailbox == folder->info.id)
		return;
	heal_file_settle(account);
	account->was_healed_current = sync_begin_change(account, folder);
	account->healed_mailbox = folder->info.id;
	directories_hold(account);
	if (account->healed_timer == NULL)
		account->healed_timer =
		    timer_new(account->loop, turn_ended, account);
	timer_start(account->healed_timer, 0);
}

void
heal_file_settle(struct account_store *account)
{
	struct folder *folder;

	if (account->healed_mailbox == 0)
		return;
	folder = folder_find_id(account, account->healed_mailbox);
	account->healed_mailbox = 0;
	directories_release(account);
	if (folder != NULL && account->was_healed_current)
		sync_end_change(account, folder);
}

/* Somebody was faster: what he put there stays, unless it is of the wrong size,
 * or was compared. */
static bool
is_there(struct account_store *account, const struct heal *heal,
    const struct folder *folder, const struct index_file *file)
{
	struct error error;
	int fd;

	if (heal->must_compare)
		return false;
	fd = files_open(account, folder, file, &error);
	if (fd == -1)
		return error.code != ERROR_DAMAGED;
	close(fd);
	return true;
}

enum heal_result
heal_file_write(struct account_store *account, const struct heal *heal,
    const struct store_body *body)
{
	struct folder *folder = folder_find_id(account, heal->mailbox);
	struct message_source source = {
		.fd = body->fd, .data = body->data, .must_be_new = true
	};
	struct index_file file;
	struct index_row row;
	struct error error;
	int result;

	if (folder == NULL ||
	    !index_find_row(account->index, heal->mailbox, heal->uid, &row) ||
	    !index_find_file(account->index, heal->mailbox, heal->uid, &file))
		return HEAL_NEEDLESS;
	begin_change(account, folder);
	result = files_write(
	    account, folder, &file, row.internaldate, &source, &error);
	if (result == -1 && error.code == ERROR_EXISTS) {
		if (is_there(account, heal, folder, &file))
			return HEAL_NEEDLESS;
		source.must_be_new = false;
		result = files_write(
		    account, folder, &file, row.internaldate, &source, &error);
	}
	if (result == 0)
		return HEAL_WRITTEN;
	log_warning("heal", "mailbox=%llu uid=%u error=\"%s\"",
	    (unsigned long long)heal->mailbox, heal->uid, error.text);
	return HEAL_FAILED;
}

void
heal_file_free(struct account_store *account)
{
	heal_file_settle(account);
	timer_free(&account->healed_timer);
}
