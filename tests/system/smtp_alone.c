/*
 * The real smtpd, smtpd-queue and keyd in their real sandboxes; this program
 * plays everybody else: broker, logger, snapd, authd and the workers.  A test
 * talks to the printed ports as a client, and by lines on standard input says
 * how snapd answers and when to stop.  The same stand measures front and queue
 * without a store.
 *
 * stdin:  ok | full | silent | answer | starve | feed | reload | stop
 * stdout: port lines, then with "-v" events: body, filed, need, done, ended
 */
#include "common/account.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/login.h"
#include "common/memory.h"
#include "common/settings.h"
#include "common/status.h"
#include "tests/system/real_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	USERS = 100, /* user1 and up; the aliases go to the first two */
	ALIASES = 5000,
	MAX_PENDING = 4096
};

struct child {
	enum role role;
	pid_t pid;
	struct channel *channel;
	bool is_ready;
};

static struct event_loop *loop;
static struct settings *settings;
static struct account_table *accounts;
static struct child children[3];
static struct channel *authd_front, *authd_queue, *snapd;
static struct channel *workers[USERS + 1];
static const char *build, *key_path;
static int listeners[8];
static enum status accept_status = STATUS_OK;
static bool is_silent, is_starving, is_verbose, is_ready_said;
static uint64_t pending[MAX_PENDING];
static size_t pending_count;
static unsigned int alive;

static void
say(const char *event, unsigned long long a, unsigned long long b)
{
	if (is_verbose) {
		printf("%s %llu %llu\n", event, a, b);
		fflush(stdout);
	}
}

static void
ignored(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
}

/* -- snapd -- */

static void
answer_accept(uint64_t tag)
{
	struct message answer = { .type = MESSAGE_accepted };

	answer.accepted.tag = tag;
	answer.accepted.status = (uint8_t)accept_status;
	(void)channel_send(snapd, &answer, NULL, 0);
}

static void
take_accept(const struct message_accept *accept, int fd)
{
	struct stat st;

	if (fd != -1)
		must(
		    fstat(fd, &st) == 0 && (uint64_t)st.st_size == accept->size,
		    "size of a body");
	if (is_verbose)
		say("body", accept->size, fd != -1);
	if (!is_silent)
		answer_accept(accept->tag);
	else if (pending_count < MAX_PENDING)
		pending[pending_count++] = accept->tag;
}

static void
snapd_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_store_state };

	if (message->type == MESSAGE_accept) {
		take_accept(&message->accept, fds[0]);
		return;
	}
	if (message->type == MESSAGE_queue_hello) {
		answer.store_state.tag = message->queue_hello.tag;
	} else {
		answer.type = MESSAGE_unfiled_accounts;
		answer.unfiled_accounts.tag =
		    message->list_unfiled_accounts.tag;
	}
	(void)channel_send(channel, &answer, NULL, 0);
}

/* -- authd: the password is "pw" -- */

static void
authd_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_smtp_login };
	const struct account *account;

	if (message->type == MESSAGE_sender_granted) {
		answer.smtp_login.connection =
		    message->sender_granted.connection;
		answer.smtp_login.result = LOGIN_OK;
		(void)channel_send(authd_front, &answer, NULL, 0);
		return;
	}
	account =
	    account_find_address(accounts, message->smtp_credentials.user);
	answer.smtp_login.connection = message->smtp_credentials.connection;
	answer.smtp_login.result = LOGIN_FAILED;
	if (account == NULL ||
	    !text_is(message->smtp_credentials.password, "pw")) {
		(void)channel_send(authd_front, &answer, NULL, 0);
		return;
	}
	answer = (struct message){ .type = MESSAGE_grant_sender };
	answer.grant_sender.instance = INSTANCE;
	answer.grant_sender.connection = message->smtp_credentials.connection;
	answer.grant_sender.account = account->number;
	(void)channel_send(authd_queue, &answer, NULL, 0);
}

static void
worker_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_filed };

	say("filed", (uintptr_t)context, 0);
	answer.filed.delivery = message->file.delivery;
	answer.filed.status =
	    (uint8_t)(is_starving ? STATUS_UNAVAILABLE : STATUS_OK);
	(void)channel_send(channel, &answer, NULL, 0);
}

/* -- The broker -- */

static void
introduce(struct child *child, enum role role, uint32_t account, int fd)
{
	struct message message = { .type = MESSAGE_introduce };

	message.introduce.role = (uint8_t)role;
	message.introduce.account = account;
	message.introduce.instance = INSTANCE;
	/* It may have just ended: then the other end hears so. */
	if (child->channel != NULL)
		(void)channel_send(child->channel, &message, &fd, 1);
	close(fd);
}

static struct channel *
play(enum role role, struct child *child, uint32_t account,
    const struct channel_handler *handler)
{
	int ends[2];

	must(channel_pair(ends, NULL) == 0, "pair");
	introduce(child, role, account, ends[1]);
	return channel_new(loop, ends[0], role, child->role, handler,
	    (void *)(uintptr_t)account);
}

static void
join(struct child *a, struct child *b)
{
	int ends[2];

	must(channel_pair(ends, NULL) == 0, "pair");
	introduce(a, b->role, 0, ends[0]);
	introduce(b, a->role, 0, ends[1]);
}

/* keyd is master's child; the broker introduces the fronts to it. */
static struct child *
meet_keyd(void)
{
	static const struct channel_handler handler = { ignored, peer_gone };
	static struct child keyd = { .role = ROLE_KEYD };
	int ends[2];

	must(channel_pair(ends, NULL) == 0, "pair");
	introduce(&children[2], ROLE_BROKER, 0, ends[1]);
	keyd.channel =
	    channel_new(loop, ends[0], ROLE_BROKER, ROLE_KEYD, &handler, NULL);
	return &keyd;
}

static void
introduce_all(void)
{
	static const struct channel_handler snapd_handler = { snapd_hears,
		peer_gone };
	static const struct channel_handler authd_handler = { authd_hears,
		peer_gone };

	join(&children[0], &children[1]);
	join(&children[0], meet_keyd());
	authd_front = play(ROLE_AUTHD, &children[0], 0, &authd_handler);
	authd_queue = play(ROLE_AUTHD, &children[1], 0, &authd_handler);
	snapd = play(ROLE_SNAPD, &children[1], 0, &snapd_handler);
}

static void
need_worker(uint32_t account)
{
	static const struct channel_handler handler = { worker_hears,
		peer_gone };

	say("need", account, 0);
	if (account > USERS)
		return;
	channel_free(&workers[account]);
	workers[account] = play(ROLE_WORKER, &children[1], account, &handler);
}

static void
child_says(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct child *child = context;

	if (message->type == MESSAGE_need_worker)
		need_worker(message->need_worker.account);
	if (message->type != MESSAGE_ready)
		return;
	printf("walls %s %u\n", role_name(child->role), message->ready.walls);
	child->is_ready = true;
	if (is_ready_said || !children[0].is_ready || !children[1].is_ready ||
	    !children[2].is_ready)
		return;
	is_ready_said = true;
	introduce_all();
	printf("ready\n");
	fflush(stdout);
}

/* How it ended, and what it cost. */
static void
child_ended(struct channel *channel, const struct error *error, void *context)
{
	struct child *child = context;
	struct rusage usage;
	int status;

	must(wait4(child->pid, &status, 0, &usage) == child->pid, "wait");
	printf("ended %s %s cpu_ms %ld rss_kib %ld\n", role_name(child->role),
	    real_process_ending(status),
	    (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
		(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000,
	    usage.ru_maxrss);
	fflush(stdout);
	channel_free(&child->channel);
	if (--alive == 0)
		event_loop_stop(loop);
	/* keyd is master's: it is told to stop last. */
	if (alive == 1 && children[2].channel != NULL) {
		struct message stop = { .type = MESSAGE_stop };

		(void)channel_send(children[2].channel, &stop, NULL, 0);
	}
}

static void
give_slices(struct process_start *start)
{
	struct error error;
	int fd = settings_slice(settings, start->role, &error);

	must(fd != -1, "settings");
	process_start_give(start, START_SETTINGS, fd);
	if (start->role == ROLE_QUEUE) {
		fd = account_table_slice(accounts, ROLE_QUEUE, &error);
		must(fd != -1, "accounts");
		process_start_give(start, START_ACCOUNTS, fd);
	}
	for (size_t i = 0;
	     start->role == ROLE_SMTPD && i < settings->listener_count; i++)
		if (settings->listeners[i].service != SERVICE_IMAP)
			process_start_give(start, START_LISTENER, listeners[i]);
}

static void
start_child(struct child *child, enum role role, const char *program)
{
	static const struct channel_handler handler = { child_says,
		child_ended };
	struct process_start start = { .role = role };
	struct error error;
	int fd;

	real_process_prepare(&start, loop, settings, build, program,
	    is_verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
	give_slices(&start);
	if (role == ROLE_KEYD)
		process_start_give(
		    &start, START_KEY, open(key_path, O_RDONLY | O_CLOEXEC));
	child->role = role;
	if (process_start(&start, &child->pid, &fd, &error) == -1)
		fatal("why=\"%s\"", error.text);
	alive++;
	child->channel =
	    channel_new(loop, fd, role == ROLE_KEYD ? ROLE_MASTER : ROLE_BROKER,
		role, &handler, child);
}

/* -- What the test wants -- */

static void
reload(void)
{
	struct message message = { .type = MESSAGE_settings };

	strcpy(settings->host, "new.demo.test");
	settings->max_connections = 2;
	for (int i = 0; i < 2; i++) {
		struct process_start start = { .role = children[i].role };

		give_slices(&start);
		message.settings.kinds = text_make(start.kinds, start.fd_count);
		must(channel_send(children[i].channel, &message, start.fds,
			 start.fd_count) == 0,
		    "reload");
	}
}

static void
stop(void)
{
	struct message message = { .type = MESSAGE_stop };

	for (int i = 0; i < 2; i++)
		if (children[i].channel != NULL)
			(void)channel_send(
			    children[i].channel, &message, NULL, 0);
}

static void
obey(const char *word)
{
	if (strcmp(word, "ok") == 0)
		accept_status = STATUS_OK;
	else if (strcmp(word, "full") == 0)
		accept_status = STATUS_FULL;
	else if (strcmp(word, "silent") == 0)
		is_silent = true;
	else if (strcmp(word, "starve") == 0)
		is_starving = true;
	else if (strcmp(word, "feed") == 0)
		is_starving = false;
	else if (strcmp(word, "reload") == 0)
		reload();
	else if (strcmp(word, "stop") == 0)
		stop();
	else if (strcmp(word, "answer") == 0)
		for (is_silent = false; pending_count > 0;)
			answer_accept(pending[--pending_count]);
	printf("did %s\n", word);
	fflush(stdout);
}

static void
on_input(int fd, int events, void *context)
{
	char line[256], *word, *rest = line;
	ssize_t n = read(fd, line, sizeof(line) - 1);

	if (n <= 0) { /* the test is gone */
		for (int i = 0; i < 3; i++)
			if (children[i].channel != NULL)
				(void)kill(children[i].pid, SIGKILL);
		exit(EXIT_FAILURE);
	}
	line[n] = '\0';
	while ((word = strsep(&rest, "\n")) != NULL)
		if (*word != '\0')
			obey(word);
}

static void
listen_on(enum service service, enum listen_tls tls)
{
	struct listen_setting *listen_line =
	    &settings->listeners[settings->listener_count];
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(fd, (struct sockaddr *)&address, size) == 0 &&
		 listen(fd, 128) == 0 &&
		 getsockname(fd, (struct sockaddr *)&address, &size) == 0,
	    "listen");
	listen_line->service = service;
	listen_line->tls = tls;
	strcpy(listen_line->address, "127.0.0.1");
	listen_line->port = ntohs(address.sin_port);
	listeners[settings->listener_count++] = fd;
	printf("port %d\n", listen_line->port);
}

static void
make_accounts(void)
{
	struct account account = { .hash = "" };
	char address[64], target[64];

	accounts = account_table_new();
	for (uint32_t i = 1; i <= USERS; i++) {
		account.number = i;
		snprintf(address, sizeof(address), "user%u@demo.test", i);
		account.address = address;
		must(account_table_add(accounts, &account) == 0, "account");
	}
	for (int i = 0; i < ALIASES; i++) {
		snprintf(address, sizeof(address), "alias%d", i);
		snprintf(target, sizeof(target), "user%d@demo.test", i % 2 + 1);
		account_table_add_alias(
		    accounts, text_of(address), text_of(target));
	}
}

static void
make_settings(const char *certificate_path)
{
	struct error error;
	struct buf pem;
	int fd = open(certificate_path, O_RDONLY | O_CLOEXEC);

	buf_init(&pem, 1 << 20);
	must(fd != -1 && file_read_all(fd, &pem, &error) == 0, "certificate");
	close(fd);
	buf_put_byte(&pem, 0);
	settings = settings_new();
	strcpy(settings->host, "mx.demo.test");
	strcpy(settings->domains[settings->domain_count++], "demo.test");
	settings->max_connections = 200;

	settings->max_message_bytes = 10 << 20;
	settings->key_count = 1;
	settings->keys[0].certificate_pem = (char *)pem.data;
	listen_on(SERVICE_IMAP, LISTEN_TLS_NONE); /* not ours to take */
	listen_on(SERVICE_SMTP, LISTEN_TLS_OFFERED);
	listen_on(SERVICE_SUBMIT, LISTEN_TLS_OFFERED);
	listen_on(SERVICE_SUBMIT, LISTEN_TLS_IMPLICIT);
}

int
main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(
		    stderr, "usage: smtp_alone BUILD CERTIFICATE KEY [-v]\n");
		return 2;
	}
	build = argv[1];
	key_path = argv[3];
	is_verbose = argc > 4;
	loop = event_loop_new();
	make_settings(argv[2]);
	make_accounts();
	start_child(&children[0], ROLE_SMTPD, "smtpd/smtpd");
	start_child(&children[1], ROLE_QUEUE, "smtpd/smtpd-queue");
	start_child(&children[2], ROLE_KEYD, "keyd/keyd");
	watch_new(loop, STDIN_FILENO, WATCH_READ, on_input, NULL);
	event_loop_run(loop);
	return EXIT_SUCCESS;
}
