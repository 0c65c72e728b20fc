/*
 * The real resolver and fetcher in their real sandboxes; this program plays
 * master, logger, relay and spool: what a test writes to standard input is
 * asked of them, and what they answer is written to standard output, a line
 * each, with the number of the question in front.  With a third word the relay
 * is the real one, too.
 *
 *     net_stand BUILD CONFIG [relay]
 *
 * stdin:
 *   lookup TYPE NAME     -> N found|no-data|no-name|failed
 *                           secure|insecure|bogus TTL CANONICAL RECORD...
 *   policy DOMAIN        -> N policy STATUS HEX WHY
 *   post URI HEX         -> N posted STATUS WHY
 *   reload CONFIG        -> N reloaded
 *   relay                -> N relay: a new one, the old one's end is closed
 *   job DOMAIN FILE TO   -> N job OUTCOME CODE TROUBLE TLS TEXT
 *                           ("-" is none; OUTCOME and TROUBLE are numbers)
 *   stop
 *
 * TYPE is a number.  A record is its fields with / between; data is in hex.
 */
#include "common/dns.h"
#include "common/memory.h"
#include "common/record.h"
#include "common/relay_route.h"
#include "common/report.h"
#include "common/settings_parser.h"
#include "tests/system/real_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MAX_LINE = 65536
};

struct child {
	enum role role;
	const char *program;
	pid_t pid;
	struct channel *channel;
	bool is_ready;
};

static struct event_loop *loop;
static struct settings *settings;
static struct child children[3] = { { .role = ROLE_RESOLVER,
					.program = "resolver/resolver" },
	{ .role = ROLE_FETCHER, .program = "fetcher/fetcher" },
	{ .role = ROLE_RELAY, .program = "smtpd/smtpd-relay" } };
static struct channel *relay_names, *relay_fetches, *spool_posts, *spool_jobs;
static size_t child_count = 2;
/* Of the one job that runs. */
static struct {
	unsigned int outcome;
	unsigned int code;
	char tls[100];
	char text[600];
} said;
static const char *build;
static uint64_t questions;
static bool is_started;

static void
load_settings(const char *path)
{
	struct report *report = report_new();
	struct settings *fresh = settings_load(path, NULL, report);
	struct buf buf;

	buf_init(&buf, 65536);
	report_format(report, &buf);
	if (fresh == NULL)
		fatal("settings: %.*s", (int)buf.size, buf.data);
	settings_free(&settings);
	settings = fresh;
	buf_clear(&buf);
	report_free(&report);
}

/* -- Answers -- */

static void
print_hex(struct text data)
{
	for (size_t i = 0; i < data.size; i++)
		printf("%02x", (unsigned int)(uint8_t)data.data[i]);
}

/* The answer does not tell its type: the shape of its records does. */
static void
print_records(struct text records, uint16_t type)
{
	struct dns_record record;
	struct reader reader;
	int status;

	reader_init(&reader, records.data, records.size);
	while ((status = dns_get_record(
		    &reader, (enum dns_type)type, &record)) == 1) {
		if (type == DNS_MX)
			printf(" %u/%.*s", record.preference,
			    TEXT_FMT(record.name));
		else if (type == DNS_SRV)
			printf(" %u/%u/%u/%.*s", record.preference,
			    record.weight, record.port, TEXT_FMT(record.name));
		else if (type == DNS_TLSA)
			printf(" %u/%u/%u/", record.usage, record.selector,
			    record.matching);
		else if (record.data.size == 0)
			printf(" %.*s", TEXT_FMT(record.name));
		else
			printf(" ");
		print_hex(record.data);
	}
	must(status == 0, "records");
}

static void
relay_hears_names(struct channel *channel, const struct message *message,
    int *fds, void *context)
{
	static const char *const results[] = { "found", "no-data", "no-name",
		"failed" };
	static const char *const securities[] = { "insecure", "secure",
		"bogus" };
	const struct message_relay_found *found = &message->relay_found;

	must(found->result <= DNS_FAILED && found->security <= DNS_BOGUS,
	    "values");
	printf("%llu %s %s %u %.*s", (unsigned long long)(found->tag >> 16),
	    results[found->result], securities[found->security], found->ttl_s,
	    TEXT_FMT(found->canonical));
	print_records(found->records, found->tag & 0xffff);
	printf("\n");
	fflush(stdout);
}

static void
relay_hears_policies(struct channel *channel, const struct message *message,
    int *fds, void *context)
{
	const struct message_policy_fetched *fetched = &message->policy_fetched;

	printf("%llu policy %u ", (unsigned long long)fetched->tag,
	    fetched->status);
	print_hex(fetched->policy);
	printf(" %.*s\n", TEXT_FMT(fetched->why));
	fflush(stdout);
}

static void
spool_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	printf("%llu posted %u %.*s\n",
	    (unsigned long long)message->report_posted.tag,
	    message->report_posted.status,
	    TEXT_FMT(message->report_posted.why));
	fflush(stdout);
}

static void
job_over(uint64_t job, unsigned int trouble, struct text text)
{
	printf("%llu job %u %u %u %s %s%.*s\n", (unsigned long long)job,
	    said.outcome, said.code, trouble,
	    said.tls[0] != '\0' ? said.tls : "-", said.text,
	    said.text[0] != '\0' ? 0 : (int)text.size, text.data);
	fflush(stdout);
}

static void
spool_hears_relay(struct channel *channel, const struct message *message,
    int *fds, void *context)
{
	const struct message_relay_recipient *one = &message->relay_recipient;
	struct text version;
	struct text rest;

	if (message->type == MESSAGE_relay_done) {
		job_over(message->relay_done.job, message->relay_done.trouble,
		    message->relay_done.text);
		return;
	}
	if (message->type != MESSAGE_relay_recipient)
		return;
	rest = one->tls;
	said.outcome = one->outcome;
	said.code = one->code;
	if (text_next(&rest, ' ', &version))
		(void)text_copy(version, said.tls, sizeof(said.tls));
	(void)text_copy(one->text, said.text, sizeof(said.text));
}

/* -- Master -- */

static void
introduce(struct child *child, enum role role, int fd)
{
	struct message message = { .type = MESSAGE_introduce };

	message.introduce.role = (uint8_t)role;
	message.introduce.instance = INSTANCE;
	if (child->channel != NULL)
		(void)channel_send(child->channel, &message, &fd, 1);
	close(fd);
}

static void
play(struct channel **channel, enum role role, struct child *child,
    const struct channel_handler *handler)
{
	int ends[2];

	must(channel_pair(ends, NULL) == 0, "pair");
	introduce(child, role, ends[1]);
	channel_free(channel);
	*channel = channel_new(loop, ends[0], role, child->role, handler, NULL);
}

static const struct channel_handler names_handler = { relay_hears_names,
	peer_gone };
static const struct channel_handler policies_handler = { relay_hears_policies,
	peer_gone };
static const struct channel_handler spool_handler = { spool_hears, peer_gone };
static const struct channel_handler jobs_handler = { spool_hears_relay,
	peer_gone };

static void
join(struct child *a, struct child *b)
{
	int ends[2];

	must(channel_pair(ends, NULL) == 0, "pair");
	introduce(a, b->role, ends[0]);
	introduce(b, a->role, ends[1]);
}

static void
introduce_all(void)
{
	join(&children[0], &children[1]);
	play(&spool_posts, ROLE_SPOOL, &children[1], &spool_handler);
	if (child_count == 3) {
		join(&children[0], &children[2]);
		join(&children[1], &children[2]);
		play(&spool_jobs, ROLE_SPOOL, &children[2], &jobs_handler);
		return;
	}
	play(&relay_names, ROLE_RELAY, &children[0], &names_handler);
	play(&relay_fetches, ROLE_RELAY, &children[1], &policies_handler);
}

static void
child_says(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct child *child = context;

	if (message->type != MESSAGE_ready)
		return;
	child->is_ready = true;
	for (size_t i = 0; i < child_count; i++)
		if (!children[i].is_ready)
			return;
	if (is_started)
		return;
	is_started = true;
	introduce_all();
	printf("ready\n");
	fflush(stdout);
}

static void
child_ended(struct channel *channel, const struct error *error, void *context)
{
	struct child *child = context;
	int status;

	must(waitpid(child->pid, &status, 0) == child->pid, "wait");
	printf("ended %s %s\n", role_name(child->role),
	    real_process_ending(status));
	fflush(stdout);
	channel_free(&child->channel);
	for (size_t i = 0; i < child_count; i++)
		if (children[i].channel != NULL)
			return;
	event_loop_stop(loop);
}

static void
start_child(struct child *child)
{
	static const struct channel_handler handler = { child_says,
		child_ended };
	struct process_start start = { .role = child->role };
	struct error error;
	int fd;

	real_process_prepare(
	    &start, loop, settings, build, child->program, LOG_LEVEL_DEBUG);
	process_start_give(&start, START_SETTINGS,
	    settings_slice(settings, child->role, &error));
	if (process_start(&start, &child->pid, &fd, &error) == -1)
		fatal("why=\"%s\"", error.text);
	child->channel =
	    channel_new(loop, fd, ROLE_MASTER, child->role, &handler, child);
}

static void
reload(const char *path)
{
	struct message message = { .type = MESSAGE_settings };
	struct error error;

	load_settings(path);
	for (size_t i = 0; i < child_count; i++) {
		struct process_start start = { .role = children[i].role };

		process_start_give(&start, START_SETTINGS,
		    settings_slice(settings, start.role, &error));
		message.settings.kinds = text_make(start.kinds, start.fd_count);
		must(channel_send(children[i].channel, &message, start.fds,
			 start.fd_count) == 0,
		    "reload");
		close(start.fds[0]);
	}
}

static void
stop(void)
{
	struct message message = { .type = MESSAGE_stop };

	for (size_t i = 0; i < child_count; i++)
		if (children[i].channel != NULL)
			(void)channel_send(
			    children[i].channel, &message, NULL, 0);
}

/* -- What the test wants -- */

static void
lookup(uint64_t number, char *words)
{
	struct message message = { .type = MESSAGE_relay_lookup };
	uint16_t type = (uint16_t)strtoul(words, &words, 10);

	message.relay_lookup.tag = number << 16 | type;
	message.relay_lookup.type = type;
	message.relay_lookup.name = text_trim(text_of(words));
	must(channel_send(relay_names, &message, NULL, 0) == 0, "lookup");
}

static void
fetch(uint64_t number, const char *domain)
{
	struct message message = { .type = MESSAGE_fetch_policy };

	message.fetch_policy.tag = number;
	message.fetch_policy.domain = text_of(domain);
	must(channel_send(relay_fetches, &message, NULL, 0) == 0, "policy");
}

static void
post(uint64_t number, char *words)
{
	static uint8_t data[30000];
	struct message message = { .type = MESSAGE_post_report };
	char *space = strchr(words, ' ');
	size_t size;

	must(space != NULL, "post URI HEX");
	*space++ = '\0';
	size = strlen(space) / 2;
	must(size <= sizeof(data) &&
		 text_parse_hex(text_of(space), data, size) == 0,
	    "hex");
	message.post_report.tag = number;
	message.post_report.uri = text_of(words);
	message.post_report.data = text_make(data, size);
	must(channel_send(spool_posts, &message, NULL, 0) == 0, "post");
}

static void
put_recipient(struct writer *writer, const char *address)
{
	struct outgoing_record record = { .address = text_of(address) };

	record_put_outgoing(writer, &record);
}

/* `DOMAIN FILE TO`, to the hosts of the domain, as DNS and policies have it. */
static void
send_job(uint64_t number, char *words)
{
	static uint8_t recipients[2000], route_bytes[2000];
	const struct relay_route route = { .protocol = RELAY_SMTP };
	struct message message = { .type = MESSAGE_relay_job };
	struct message_relay_job *job = &message.relay_job;
	const char *domain = strsep(&words, " ");
	const char *path = strsep(&words, " ");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	struct writer writer;

	must(fd != -1 && words != NULL, "job DOMAIN FILE TO");
	memset(&said, 0, sizeof(said));
	said.outcome = RELAY_DEFERRED;
	job->job = number;
	job->domain = text_of(domain);
	job->sender = TEXT("sender@here.example");
	job->size = (uint64_t)lseek(fd, 0, SEEK_END);
	writer_init(&writer, recipients, sizeof(recipients));
	put_recipient(&writer, words);
	job->recipients = text_make(recipients, writer.size);
	writer_init(&writer, route_bytes, sizeof(route_bytes));
	relay_route_put(&writer, &route);
	job->route = text_make(route_bytes, writer.size);
	must(channel_send(spool_jobs, &message, &fd, 1) == 0, "job");
	close(fd);
}

static bool
is_word(char **line, const char *word)
{
	size_t size = strlen(word);

	if (strncmp(*line, word, size) != 0)
		return false;
	*line += size;
	return true;
}

static void
obey(char *line)
{
	uint64_t number = ++questions;

	if (is_word(&line, "lookup ")) {
		lookup(number, line);
	} else if (is_word(&line, "policy ")) {
		fetch(number, line);
	} else if (is_word(&line, "post ")) {
		post(number, line);
	} else if (is_word(&line, "job ")) {
		send_job(number, line);
	} else if (is_word(&line, "reload ")) {
		reload(line);
		printf("%llu reloaded\n", (unsigned long long)number);
	} else if (is_word(&line, "relay")) {
		play(&relay_names, ROLE_RELAY, &children[0], &names_handler);
		printf("%llu relay\n", (unsigned long long)number);
	} else {
		stop();
	}
	fflush(stdout);
}

static void
input(int fd, int events, void *context)
{
	static char line[MAX_LINE];
	static size_t size;
	ssize_t n = read(fd, line + size, sizeof(line) - size);
	char *end;

	if (n <= 0) {
		struct watch **watch = context;

		watch_free(watch);
		stop();
		return;
	}
	size += (size_t)n;
	while ((end = memchr(line, '\n', size)) != NULL) {
		*end++ = '\0';
		obey(line);
		size -= (size_t)(end - line);
		memmove(line, end, size);
	}
	must(size < sizeof(line), "a line too long");
}

int
main(int argc, char **argv)
{
	struct watch *watch;

	must(argc == 3 || argc == 4, "net_stand BUILD CONFIG [relay]");
	child_count = (size_t)argc - 1;
	signal(SIGPIPE, SIG_IGN);
	build = argv[1];
	load_settings(argv[2]);
	loop = event_loop_new();
	watch = watch_new(loop, STDIN_FILENO, WATCH_READ, input, &watch);
	for (size_t i = 0; i < child_count; i++)
		start_child(&children[i]);
	event_loop_run(loop);
	return EXIT_SUCCESS;
}
