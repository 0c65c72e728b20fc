/*
 * The real smtpd-relay in its real sandbox; this program plays everybody else:
 * master, logger, spool, resolver and fetcher.  A test is the servers, and says
 * by lines on standard input what names resolve to and what is to be sent.
 *
 * stdin:
 *   name TYPE NAME secure|insecure|bogus VALUE...   no VALUE: no data
 *   policy TEXT                                     "\n" is a line end
 *   job NUMBER DOMAIN TLS HOST PORT IMPLICIT USER PASSWORD FLAGS BODY TO...
 *   stop
 * "-" is an empty word; VALUE of MX is 10:host, of TLSA 3:1:1:hex.
 * stdout: walls N, ready, outcome JOB RECIPIENT OUTCOME CODE ENHANCED TLS...,
 *         done JOB TROUBLE REUSED TEXT..., ended status|signal N
 */
#include "common/dns.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/record.h"
#include "common/relay_route.h"
#include "common/settings.h"
#include "common/status.h"
#include "common/table.h"
#include "tests/system/real_process.h"
#include "tests/unit/relay_words.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MAX_LINE = 65536,
	MAX_WORDS = 200
};

static struct event_loop *loop;
static struct settings *settings;
static struct channel *relay, *spool, *resolver, *fetcher;
static struct table *answers; /* "TYPE NAME" to the line that said it */
static char *policy;
static pid_t pid;

/* -- Resolver and fetcher -- */

static void
put_value(struct writer *writer, enum dns_type type, char *value)
{
	struct dns_record record = { 0 };
	uint8_t bytes[2048];
	char *part = strrchr(value, ':');

	if (type == DNS_MX) {
		record.preference = (uint16_t)atoi(value);
		record.name = text_of(part + 1);
	} else if (type == DNS_TLSA) {
		size_t size = strlen(part + 1) / 2;

		record.usage = (uint8_t)atoi(value);
		record.selector = (uint8_t)atoi(value + 2);
		record.matching = (uint8_t)atoi(value + 4);
		must(size <= sizeof(bytes) &&
			 text_parse_hex(text_of(part + 1), bytes, size) == 0,
		    "TLSA");
		record.data = text_make(bytes, size);
	} else if (type == DNS_A) {
		must(inet_pton(AF_INET, value, bytes) == 1, "address");
		record.data = text_make(bytes, 4);
	} else if (type == DNS_CNAME) {
		record.name = text_of(value);
	} else {
		for (char *p = value; *p != '\0'; p++)
			*p = *p == '_' ? ' ' : *p;
		record.data = text_of(value);
	}
	dns_put_record(writer, type, &record);
}

/* The line is "secure VALUE...". */
static void
answer_with(struct message_relay_found *found, enum dns_type type,
    const char *line, uint8_t *space)
{
	char copy[MAX_LINE], *word, *rest = copy;
	struct writer writer;

	snprintf(copy, sizeof(copy), "%s", line);
	word = strsep(&rest, " ");
	found->security = strcmp(word, "secure") == 0  ? DNS_SECURE
			  : strcmp(word, "bogus") == 0 ? DNS_BOGUS
						       : DNS_INSECURE;
	writer_init(&writer, space, 32768);
	found->result = found->security == DNS_BOGUS ? DNS_FAILED : DNS_NO_DATA;
	while ((word = strsep(&rest, " ")) != NULL) {
		put_value(&writer, type, word);
		found->result = DNS_FOUND;
	}
	found->records = text_make(space, writer.size);
}

static void
resolver_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_relay_lookup *asked = &message->relay_lookup;
	struct message answer = { .type = MESSAGE_relay_found };
	static uint8_t space[32768];
	const char *line;
	char key[300];

	snprintf(
	    key, sizeof(key), "%u %.*s", asked->type, TEXT_FMT(asked->name));
	line = table_find(answers, key, strlen(key));
	answer.relay_found.tag = asked->tag;
	answer.relay_found.result = DNS_NO_NAME;
	answer.relay_found.canonical = asked->name;
	if (line != NULL)
		answer_with(&answer.relay_found, (enum dns_type)asked->type,
		    line, space);
	(void)channel_send(channel, &answer, NULL, 0);
}

static void
fetcher_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_policy_fetched };

	answer.policy_fetched.tag = message->fetch_policy.tag;
	answer.policy_fetched.status =
	    (uint8_t)(policy != NULL ? STATUS_OK : STATUS_UNAVAILABLE);
	answer.policy_fetched.policy = text_of(policy != NULL ? policy : "");
	(void)channel_send(channel, &answer, NULL, 0);
}

/* -- Spool -- */

static void
spool_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_relay_recipient) {
		const struct message_relay_recipient *said =
		    &message->relay_recipient;

		printf("outcome %llu %u %s %u %.*s %.*s\n",
		    (unsigned long long)said->job, said->recipient,
		    relay_outcomes[said->outcome], said->code,
		    TEXT_FMT(said->enhanced), TEXT_FMT(said->tls));
	} else if (message->type == MESSAGE_relay_done) {
		const struct message_relay_done *said = &message->relay_done;

		printf("done %llu %s %u %.*s\n", (unsigned long long)said->job,
		    relay_troubles[said->trouble], said->is_reused,
		    TEXT_FMT(said->text));
	}
	fflush(stdout);
}

static struct text
word_of(const char *word)
{
	return text_of(strcmp(word, "-") == 0 ? "" : word);
}

static void
send_job(char **words, size_t count)
{
	struct message message = { .type = MESSAGE_relay_job };
	struct message_relay_job *job = &message.relay_job;
	static uint8_t recipients[40000], route_bytes[2000];
	struct relay_route route = { 0 };
	struct writer writer;
	struct stat st;
	int fd = open(words[10], O_RDONLY | O_CLOEXEC);

	must(fd != -1 && fstat(fd, &st) == 0, words[10]);
	route.tls = (enum relay_tls)atoi(words[3]);
	route.host = word_of(words[4]);
	route.port = (uint16_t)atoi(words[5]);
	route.is_implicit_tls = atoi(words[6]) != 0;
	route.user = word_of(words[7]);
	route.password = word_of(words[8]);
	job->job = strtoull(words[1], NULL, 10);
	memset(job->delivery.bytes, (int)job->job, sizeof(job->delivery.bytes));
	job->domain = word_of(words[2]);
	job->flags = (uint16_t)atoi(words[9]);
	job->sender = TEXT("sender@here.test");
	job->size = (uint64_t)st.st_size;
	writer_init(&writer, recipients, sizeof(recipients));
	for (size_t i = 11; i < count; i++) {
		struct outgoing_record record = { .address =
						      text_of(words[i]) };

		record_put_outgoing(&writer, &record);
	}
	job->recipients = text_make(recipients, writer.size);
	writer_init(&writer, route_bytes, sizeof(route_bytes));
	relay_route_put(&writer, &route);
	job->route = text_make(route_bytes, writer.size);
	must(channel_send(spool, &message, &fd, 1) == 0, "job");
	close(fd);
}

/* -- What the test wants -- */

static void
set_name(char **words, size_t count)
{
	char key[300], line[MAX_LINE] = "";

	snprintf(key, sizeof(key), "%s %s", words[1], words[2]);
	for (size_t i = 3; i < count; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line),
		    "%s%s", i > 3 ? " " : "", words[i]);
	free(table_put(answers, key, strlen(key), memory_copy_text(line)));
}

static void
set_policy(const char *text)
{
	char *to;

	memory_free(&policy);
	to = policy = memory_copy_text(text);
	for (const char *from = text; *from != '\0'; from++) {
		if (strncmp(from, "\\n", 2) == 0) {
			*to++ = '\n';
			from++;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

static void
obey(char *line)
{
	struct message stop = { .type = MESSAGE_stop };
	char *words[MAX_WORDS], *word, *rest = line;
	size_t count = 0;

	if (strncmp(line, "policy ", 7) == 0) {
		set_policy(line + 7);
		return;
	}
	while ((word = strsep(&rest, " ")) != NULL && count < MAX_WORDS)
		words[count++] = word;
	if (strcmp(words[0], "name") == 0)
		set_name(words, count);
	else if (strcmp(words[0], "job") == 0 && count > 11)
		send_job(words, count);
	else if (strcmp(words[0], "stop") == 0)
		(void)channel_send(relay, &stop, NULL, 0);
	else
		fatal("line=\"%s\"", line);
}

static void
on_input(int fd, int events, void *context)
{
	static char bytes[4 * MAX_LINE];
	static size_t size;
	ssize_t n = read(fd, bytes + size, sizeof(bytes) - size);
	char *end;

	if (n <= 0) { /* the test is gone */
		(void)kill(pid, SIGKILL);
		exit(EXIT_FAILURE);
	}
	size += (size_t)n;
	while ((end = memchr(bytes, '\n', size)) != NULL) {
		size_t line = (size_t)(end - bytes) + 1;

		*end = '\0';
		obey(bytes);
		memmove(bytes, bytes + line, size - line);
		size -= line;
	}
}

/* -- Master and logger -- */

static struct channel *
play(enum role role, const struct channel_handler *handler)
{
	struct message message = { .type = MESSAGE_introduce };
	int ends[2];

	must(channel_pair(ends, NULL) == 0, "pair");
	message.introduce.role = (uint8_t)role;
	message.introduce.instance = INSTANCE;
	must(channel_send(relay, &message, &ends[1], 1) == 0, "introduce");
	close(ends[1]);
	return channel_new(loop, ends[0], role, ROLE_RELAY, handler, NULL);
}

static void
relay_says(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	static const struct channel_handler spool_handler = { spool_hears,
		peer_gone };
	static const struct channel_handler resolver_handler = { resolver_hears,
		peer_gone };
	static const struct channel_handler fetcher_handler = { fetcher_hears,
		peer_gone };

	if (message->type != MESSAGE_ready)
		return;
	printf("walls %u\n", message->ready.walls);
	spool = play(ROLE_SPOOL, &spool_handler);
	resolver = play(ROLE_RESOLVER, &resolver_handler);
	fetcher = play(ROLE_FETCHER, &fetcher_handler);
	printf("ready\n");
	fflush(stdout);
}

static void
relay_ended(struct channel *channel, const struct error *error, void *context)
{
	int status;

	must(waitpid(pid, &status, 0) == pid, "wait");
	printf("ended %s\n", real_process_ending(status));
	fflush(stdout);
	event_loop_stop(loop);
}

static void
start_relay(const char *build)
{
	static const struct channel_handler handler = { relay_says,
		relay_ended };
	struct process_start start = { .role = ROLE_RELAY };
	struct error error;
	int fd;

	real_process_prepare(&start, loop, settings, build, "smtpd/smtpd-relay",
	    LOG_LEVEL_DEBUG);
	fd = settings_slice(settings, ROLE_RELAY, &error);
	must(fd != -1, "settings");
	process_start_give(&start, START_SETTINGS, fd);
	if (process_start(&start, &pid, &fd, &error) == -1)
		fatal("why=\"%s\"", error.text);
	relay = channel_new(loop, fd, ROLE_MASTER, ROLE_RELAY, &handler, NULL);
}

static char *
read_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct error error;
	struct buf text;

	buf_init(&text, 1 << 20);
	must(fd != -1 && file_read_all(fd, &text, &error) == 0, path);
	close(fd);
	must(buf_put_byte(&text, 0) == 0, path);
	return (char *)text.data;
}

int
main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: relay_alone BUILD AUTHORITIES\n");
		return 2;
	}
	loop = event_loop_new();
	answers = table_new();
	settings = settings_new();
	strcpy(settings->host, "mx.here.test");
	settings->ca_pem = read_text(argv[2]);
	start_relay(argv[1]);
	watch_new(loop, STDIN_FILENO, WATCH_READ, on_input, NULL);
	event_loop_run(loop);
	return EXIT_SUCCESS;
}
