/* See loss_notice.h. */
#include "imapd/loss_notice.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mail_date.h"
#include "common/memory.h"
#include "imapd/account_state.h"
#include "imapd/snapshot_name.h"

#include <stdlib.h>
#include <string.h>

enum {
	LOSS_SECONDS = 24 * 60 * 60, /* one letter in this time */
	LOSS_MAX_SIZE = 8192
};

/* -- The letter -- */

static struct text
domain_of(struct text address)
{
	ptrdiff_t at = -1;

	for (size_t i = address.size; i > 0 && at == -1; i--)
		if (address.data[i - 1] == '@')
			at = (ptrdiff_t)i;
	return at == -1 ? TEXT("localhost") : text_skip(address, (size_t)at);
}

int
loss_notice_format(const struct loss_notice *notice, struct buf *to)
{
	struct mail_date date = { .time = notice->time };
	char header_date[MAIL_DATE_SIZE], time[MAIL_DATE_SORTED_SIZE];
	struct text domain = domain_of(notice->owner);

	mail_date_format(&date, header_date);
	mail_date_format_sorted(notice->time, time);
	if (buf_put_format(to,
		"Return-Path: <>\n"
		"From: Mail server <postmaster@%.*s>\n"
		"To: <%.*s>\n"
		"Subject: %zu messages were deleted at once\n"
		"Date: %s\n"
		"Message-ID: <deleted-%lld.%.*s>\n"
		"Auto-Submitted: auto-generated\n"
		"MIME-Version: 1.0\n"
		"Content-Type: text/plain; charset=utf-8\n"
		"Content-Transfer-Encoding: 8bit\n\n",
		TEXT_FMT(domain), TEXT_FMT(notice->owner), notice->lost,
		header_date, (long long)notice->time,
		TEXT_FMT(notice->owner)) == -1)
		return -1;
	return buf_put_format(to,
	    "At %s UTC a mail program that is logged in as you\n"
	    "deleted %zu of the %zu messages in the folder\n\n"
	    "    %.*s\n\n"
	    "If that was you, there is nothing to do.\n\n"
	    "If not, nothing is lost: the server keeps them. In your mail\n"
	    "program open the folder\n\n"
	    "    " SNAPSHOT_DELETED_MAIL "\n\n"
	    "and copy what you want back to one of your own folders. The\n"
	    "dated folders beside it, below " SNAPSHOT_ROOT
	    ", show all of your mail\n"
	    "as it was at these times. If your mail program does not list\n"
	    "them, look for \"subscribe\" or for other namespaces, or ask the\n"
	    "administrator.\n\n"
	    "And if no program of yours would do that, somebody else may\n"
	    "know your password: change it.\n",
	    time, notice->lost, notice->of, TEXT_FMT(notice->mailbox));
}

/* -- Sending -- */

struct sending {
	struct account_store *account;
	struct buf letter;
	struct message_record record;
	struct delivery_id delivery;
};

static void
sent(enum status status, uint64_t sequence, struct text results, void *context)
{
	struct sending *s = context;
	struct account_store *account = s->account;
	struct message_source source = { .fd = -1,
		.data = text_make(s->letter.data, s->letter.size) };
	struct result_record result;
	char hex[2 * 18 + 1];
	struct reader r;

	account_change_ended(account);
	reader_init(&r, results.data, results.size);
	/* The store knows of one today: that is what was decided then. */
	if (status == STATUS_OK && record_get_result(&r, &result) == 1 &&
	    result.born == sequence) {
		text_format_hex(
		    s->delivery.bytes, sizeof(s->delivery.bytes), hex);
		s->record.uid = result.uid;
		s->record.modseq = result.modseq;
		s->record.born = result.born;
		s->record.size = result.size;
		s->record.blob = result.blob;
		s->record.hash = result.hash;
		s->record.base = text_of(hex);
		apply_message(account, &s->record, &source, NULL);
	}
	if (status == STATUS_OK)
		apply_sequence(account, sequence);
	else
		log_warning("loss-notice", "status=%s", status_name(status));
	buf_clear(&s->letter);
	free(s);
}

/* The same for all of a day: the store takes one of them. */
static void
day_delivery(int64_t time, struct delivery_id *delivery)
{
	int64_t day = time / LOSS_SECONDS;

	memset(delivery, 0, sizeof(*delivery));
	memcpy(delivery->bytes, "bulk-loss", 9);
	for (size_t i = 0; i < 8; i++)
		delivery->bytes[17 - i] = (uint8_t)(day >> (8 * i));
}

static void
send_letter(struct account_store *account, const struct folder *inbox,
    const struct loss_notice *notice)
{
	struct message m = { .type = MESSAGE_change_append };
	struct store_batch *batch = store_batch_new_for(CAUSE_NOTICE);
	struct sending *s = memory_new(1, sizeof(*s));

	s->account = account;
	buf_init(&s->letter, LOSS_MAX_SIZE);
	if (loss_notice_format(notice, &s->letter) == -1)
		fatal("loss_notice: the letter is too long");
	day_delivery(notice->time, &s->delivery);
	s->record.mailbox = inbox->info.id;
	s->record.internaldate = notice->time;
	s->record.stored_size = s->letter.size;
	s->record.form = FORM_LF;
	m.change_append.delivery = s->delivery;
	m.change_append.mailbox = inbox->info.id;
	m.change_append.internaldate = notice->time;
	m.change_append.form = FORM_LF;
	m.change_append.size = s->letter.size;
	m.change_append.data = text_make(s->letter.data, s->letter.size);
	store_batch_add(batch, &m, -1);
	account->changing++;
	store_client_commit(account->client, &batch, sent, s);
}

void
loss_notice_send(struct account_store *account, uint64_t mailbox, size_t lost)
{
	const struct folder *inbox = folder_find(account, TEXT("INBOX"));
	const struct folder *folder = folder_find_id(account, mailbox);
	struct loss_notice notice = { .time = clock_wall_us() / 1000000,
		.owner = text_of(account->owner),
		.lost = lost };
	int64_t day = notice.time / LOSS_SECONDS;

	if (folder == NULL || inbox == NULL || notice.owner.size == 0 ||
	    day == account->loss_day ||
	    (folder->info.special_use &
		(SPECIAL_USE_TRASH | SPECIAL_USE_JUNK)) != 0)
		return;
	notice.mailbox = folder->info.name;
	notice.of = folder->info.message_count + lost;
	if (lost <= LOSS_FEW || lost <= notice.of / LOSS_SHARE)
		return;
	account->loss_day = day;
	send_letter(account, inbox, &notice);
}
