/*
 * Sessions with NOTIFY that sleep: what wakes each, and what it tells of all
 * that happened meanwhile, which is what it would have told awake.
 */
#include "common/codec.h"
#include "common/log.h"
#include "common/process.h"
#include "imapd/mailbox.h"
#include "tests/unit/false_account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000
};

#define MAIL "Subject: x\r\n\r\nx\r\n"
#define ALL  "(MessageNew MessageExpunge FlagChange)"
#define TWO  "(MessageNew MessageExpunge)"

static struct stand {
	struct event_loop *loop;
	struct account_store *account;
	struct imap_session *session;
	struct timer *deadline;
	struct watch *watch;
	int client;
	const char *awaited;
	char got[65536];
	size_t size;
	char topics[200]; /* "0:name 2:7 " */
} stand;

static void
session_ended(struct imap_session *session, void *context)
{
	fail_msg("the session ended: %s", stand.got);
}

static void
client_ready(int fd, int events, void *context)
{
	ssize_t n = recv(fd, stand.got + stand.size,
	    sizeof(stand.got) - 1 - stand.size, MSG_DONTWAIT);

	if (n > 0)
		stand.size += (size_t)n;
	stand.got[stand.size] = '\0';
	if (stand.awaited != NULL && strstr(stand.got, stand.awaited) != NULL)
		event_loop_stop(stand.loop);
}

static void
too_late(void *context)
{
	fail_msg("%s never came: %s", stand.awaited, stand.got);
}

static void
answered(const struct mailbox_answer *answer, void *context)
{
	assert_int_equal(answer->status, STATUS_OK);
}

/* INBOX, Work and Home, with two messages each. */
static int
set_up(void **state)
{
	static const char *const names[] = { "Work", "Home" };
	struct session_start start;
	int ends[2];

	memset(&stand, 0, sizeof(stand));
	stand.loop = event_loop_new();
	stand.account = false_account_new(stand.loop);
	for (size_t i = 0; i < 2; i++) {
		false_account_deliver(stand.account, MAIL);
		mailbox_list_create(
		    stand.account, text_of(names[i]), 0, answered, NULL);
	}
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	stand.client = ends[0];
	stand.watch =
	    watch_new(stand.loop, ends[0], WATCH_READ, client_ready, NULL);
	stand.deadline = timer_new(stand.loop, too_late, NULL);
	start = false_account_session(ends[1]);
	stand.session = imap_session_new(
	    stand.loop, stand.account, &start, session_ended, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	imap_session_free(&stand.session);
	watch_free(&stand.watch);
	timer_free(&stand.deadline);
	close(stand.client);
	false_account_free(&stand.account);
	event_loop_free(&stand.loop);
	return 0;
}

/* Until it says that. */
static void
hear(const char *awaited)
{
	stand.awaited = awaited;
	if (strstr(stand.got, awaited) == NULL) {
		timer_start(stand.deadline, DEADLINE_MS);
		event_loop_run(stand.loop);
		timer_stop(stand.deadline);
	}
	stand.awaited = NULL;
}

static void
forget(void)
{
	stand.size = 0;
	stand.got[0] = '\0';
}

static void
say(const char *line, const char *awaited)
{
	forget();
	assert_int_equal(
	    send(stand.client, line, strlen(line), 0), strlen(line));
	hear(awaited);
}

static void
list_topics(struct text topics)
{
	struct reader reader;

	stand.topics[0] = '\0';
	reader_init(&reader, topics.data, topics.size);
	while (reader.size > 0) {
		size_t at = strlen(stand.topics);
		uint64_t mailbox = reader_get_u64(&reader);

		snprintf(stand.topics + at, sizeof(stand.topics) - at,
		    "%llu:%u ", (unsigned long long)mailbox,
		    reader_get_u8(&reader));
	}
	assert_false(reader.failed);
}

static void
if_it_rests(void *context)
{
	if (imap_session_can_sleep(stand.session))
		event_loop_stop(stand.loop);
}

/* As when its worker ends. */
static void
go_to_sleep(struct buf *state, int *fd)
{
	struct session_sleep sleep;

	event_loop_on_round(stand.loop, if_it_rests, NULL);
	timer_start(stand.deadline, DEADLINE_MS);
	if (!imap_session_can_sleep(stand.session))
		event_loop_run(stand.loop);
	timer_stop(stand.deadline);
	event_loop_on_round(stand.loop, NULL, NULL);
	assert_int_equal(imap_session_sleep(stand.session, &sleep), 0);
	list_topics(sleep.topics);
	assert_int_equal(buf_put(state, sleep.state.data, sleep.state.size), 0);
	*fd = dup(sleep.fd);
	imap_session_free(&stand.session);
}

static void
wake_up(const struct buf *state, int fd)
{
	struct session_start start = false_account_session(fd);

	start.state = text_make(state->data, state->size);
	stand.session = imap_session_new(
	    stand.loop, stand.account, &start, session_ended, NULL);
}

/* ---- What happens, in the order of names: asleep nobody knows another ---- */

static void
nothing(void)
{
}

static void
put_into(const char *mailbox)
{
	struct append *append = append_begin(stand.account, text_of(mailbox));

	append_message(append, 0, NULL, 0, 0);
	assert_int_equal(append_write(append, MAIL, sizeof(MAIL) - 1), 0);
	append_commit(&append, answered, NULL);
}

static void
mail_for_work(void)
{
	put_into("Work");
	put_into("Work");
}

static void
mail_for_inbox(void)
{
	false_account_deliver(stand.account, MAIL);
}

static void
mail_for_all(void)
{
	mail_for_inbox();
	put_into("Home");
	mail_for_work();
}

static void
new_names(void)
{
	mailbox_list_create(stand.account, TEXT("New"), 0, answered, NULL);
	mailbox_list_rename(
	    stand.account, TEXT("Work"), TEXT("Play"), answered, NULL);
	mailbox_list_delete(stand.account, TEXT("Home"), answered, NULL);
}

static void
new_subscription(void)
{
	mailbox_list_subscribe(
	    stand.account, TEXT("Work"), true, answered, NULL);
}

static void
new_subscription_and_mail(void)
{
	new_subscription();
	mail_for_all();
}

static void
less_in_inbox(void)
{
	false_account_expunge(stand.account, 1);
}

#define STATUS(name, count, next, validity)                   \
	"* STATUS " name " (MESSAGES " count " UIDNEXT " next \
	" UIDVALIDITY " validity ")\r\n"

/* INBOX is 1, Work 2, Home 3. */
static const struct row {
	const char *name;
	const char *before;
	const char *ready;  /* its answer */
	const char *topics; /* that wake it, and bits of enum happening */
	void (*happens)(void);
	const char *told;
} rows[] = {
	{ "nothing", "x NOTIFY SET (personal " TWO ")\r\n", "x OK",
	    "0:8 1:3 3:3 2:3 ", nothing, "" },
	{ "one of three", "x NOTIFY SET (personal " TWO ")\r\n", "x OK",
	    "0:8 1:3 3:3 2:3 ", mail_for_work,
	    STATUS("Work", "2", "3", "1002") },
	{ "that one alone", "x NOTIFY SET (mailboxes Work " TWO ")\r\n", "x OK",
	    "0:8 2:3 ", mail_for_all, STATUS("Work", "2", "3", "1002") },
	{ "the first group counts",
	    "x NOTIFY SET (mailboxes Work NONE) (personal " TWO ")\r\n", "x OK",
	    "0:8 1:3 3:3 ", mail_for_work, "" },
	{ "names", "x NOTIFY SET (personal (MailboxName))\r\n", "x OK", "0:8 ",
	    new_names,
	    "* LIST () \"/\" New\r\n"
	    "* LIST () \"/\" Play (\"OLDNAME\" (Work))\r\n"
	    "* LIST (\\NonExistent) \"/\" Home\r\n" },
	{ "names of a tree", "x NOTIFY SET (subtree Play (MailboxName))\r\n",
	    "x OK", "0:8 ", new_names,
	    "* LIST () \"/\" Play (\"OLDNAME\" (Work))\r\n" },
	{ "subscriptions", "x NOTIFY SET (personal (SubscriptionChange))\r\n",
	    "x OK", "0:24 ", new_subscription,
	    "* LIST (\\Subscribed) \"/\" Work\r\n" },
	{ "of the subscribed", "x NOTIFY SET (subscribed " TWO ")\r\n", "x OK",
	    "0:24 ", new_subscription_and_mail,
	    STATUS("Work", "2", "3", "1002") },
	{ "of the subscribed, not yet", "x NOTIFY SET (subscribed " TWO ")\r\n",
	    "x OK", "0:24 ", new_subscription, "" },
	{ "the selected one",
	    "s SELECT INBOX\r\nx NOTIFY SET (selected " ALL ")\r\n", "x OK",
	    "1:103 ", mail_for_inbox, "* 3 EXISTS\r\n" },
	{ "the selected one, by what is asked for",
	    "s SELECT INBOX\r\nx NOTIFY SET (selected (MessageNew (UID FLAGS) "
	    "MessageExpunge))\r\n",
	    "x OK", "1:99 ", mail_for_inbox,
	    "* 3 EXISTS\r\n* 3 FETCH (UID 3 FLAGS ())\r\n" },
	{ "later",
	    "s SELECT INBOX\r\nx NOTIFY SET (selected-delayed " ALL ")\r\n",
	    "x OK", "1:101 ", less_in_inbox, "* 1 EXPUNGE\r\n" },
	{ "not the selected one",
	    "s SELECT INBOX\r\nx NOTIFY SET (personal " TWO ")\r\n", "x OK",
	    "0:8 3:3 2:3 ", mail_for_all,
	    STATUS("Home", "1", "2", "1003") STATUS("Work", "2", "3", "1002") },
	{ "in IDLE",
	    "s SELECT INBOX\r\nx NOTIFY SET (selected " ALL
	    ") (mailboxes Work " TWO ")\r\ni IDLE\r\n",
	    "+ idling", "1:103 0:8 2:3 ", mail_for_all,
	    STATUS("Work", "2", "3", "1002") "* 3 EXISTS\r\n" },
	{ "in IDLE, not the selected one",
	    "s SELECT INBOX\r\nx NOTIFY SET (mailboxes Work " TWO
	    ")\r\ni IDLE\r\n",
	    "+ idling", "1:64 0:8 2:3 ", mail_for_inbox, "" },
	{ "none", "s SELECT INBOX\r\nx NOTIFY NONE\r\ni IDLE\r\n", "+ idling",
	    "1:64 ", mail_for_inbox, "" },
	{ "all",
	    "x NOTIFY SET (personal (MessageNew MessageExpunge MailboxName "
	    "SubscriptionChange))\r\n",
	    "x OK", "0:24 1:3 3:3 2:3 ", new_subscription_and_mail,
	    "* LIST (\\Subscribed) \"/\" Work\r\n" STATUS(
		"INBOX", "3", "4", "1001") STATUS("Home", "1", "2", "1003")
		STATUS("Work", "2", "3", "1002") },
};

/* All but the last line. */
static int
check_told(const struct row *row)
{
	size_t size = strlen(row->told);

	if (memcmp(stand.got, row->told, size) == 0 &&
	    (strncmp(stand.got + size, "n BAD", 5) == 0 ||
		strncmp(stand.got + size, "i BAD", 5) == 0))
		return 0;
	print_error(
	    "%s:\n-- expected\n%s-- got\n%s", row->name, row->told, stand.got);
	return 1;
}

/* Asleep, or awake: it makes no difference. */
static int
check_row(const struct row *row, bool is_asleep)
{
	struct buf state;
	int fd = -1, failures = 0;

	set_up(NULL);
	buf_init(&state, 65536);
	say(row->before, row->ready);
	if (is_asleep) {
		go_to_sleep(&state, &fd);
		if (strcmp(stand.topics, row->topics) != 0) {
			print_error("%s: topics %s\n", row->name, stand.topics);
			failures++;
		}
	}
	forget();
	row->happens();
	if (is_asleep)
		wake_up(&state, fd);
	/* What it says unasked comes before. */
	assert_int_equal(send(stand.client, "n XX\r\n", 6, 0), 6);
	hear(" BAD");
	failures += check_told(row);
	buf_clear(&state);
	tear_down(NULL);
	return failures;
}

static void
what_happens_in_its_sleep_is_told(void **state)
{
	int failures = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		failures +=
		    check_row(&rows[i], false) + check_row(&rows[i], true);
	assert_int_equal(failures, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happens_in_its_sleep_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
