/*
 * sendmail, mailq, newaliases: as programs of this machine have called them for
 * forty years.  It has no rights of its own and needs none
 * (firnmail-sendmail(8)).
 */
#include "common/memory.h"
#include "common/text.h"
#include "sendmail/letter.h"
#include "sendmail/talk.h"

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

struct order {
	const char *socket;
	char mode; /* m, s, p, i, q */
	bool ignores_dots;
	bool reads_recipients;
	bool is_shown;
	const char *name;
	const char *sender; /* NULL: the user's */
	const char *notify;
	const char *return_part;
	const char *envelope_id;
	const char *recipients[LETTER_MAX_RECIPIENTS];
	int recipient_count;
};

static int
complain(int status, const char *text)
{
	fprintf(stderr, "sendmail: %s\n", text);
	return status;
}

/* What a refusal means to the caller (sysexits.h). */
static int
status_of(unsigned int code)
{
	if (code < 500)
		return EX_TEMPFAIL;
	return code == 552 || code == 554 ? EX_DATAERR : EX_UNAVAILABLE;
}

/* -- The message -- */

/* Without a From the server adds one, but it does not know the name. */
static int
put_name(const struct order *order, const char *sender, struct buf *letter)
{
	char line[1024];
	struct buf whole;
	int size;

	if (order->name == NULL || letter_has_field(letter, "From") ||
	    strpbrk(order->name, "\r\n\"\\") != NULL)
		return 0;
	size = snprintf(
	    line, sizeof(line), "From: \"%s\" <%s>\r\n", order->name, sender);
	if (size >= (int)sizeof(line))
		return 0;
	buf_init(&whole, LETTER_MAX_SIZE);
	if (buf_put(&whole, line, (size_t)size) == -1 ||
	    buf_put(&whole, letter->data, letter->size) == -1) {
		buf_clear(&whole);
		return -1;
	}
	buf_clear(letter);
	*letter = whole;
	return 0;
}

/* "name" is name@origin. */
static void
qualify(const struct talk *talk, const char *address, char *to, size_t to_size)
{
	bool has_domain = address[0] == '\0' || strchr(address, '@') != NULL;

	(void)snprintf(to, to_size, "%s%s%s", address, has_domain ? "" : "@",
	    has_domain ? "" : talk->origin);
}

static void
find_sender(const struct talk *talk, const struct order *order, char *to,
    size_t to_size)
{
	const struct passwd *user = getpwuid(getuid());
	char number[32];

	(void)snprintf(number, sizeof(number), "uid-%u", getuid());
	qualify(talk,
	    order->sender != NULL ? order->sender
	    : user != NULL        ? user->pw_name
				  : number,
	    to, to_size);
}

static int
say_sender(struct talk *talk, const struct order *order, const char *sender,
    bool is_utf8, struct error *error)
{
	return talk_say(talk, error, "MAIL FROM:<%s> BODY=8BITMIME%s%s%s%s%s",
	    sender, is_utf8 ? " SMTPUTF8" : "",
	    order->return_part != NULL ? " RET=" : "",
	    order->return_part != NULL ? order->return_part : "",
	    order->envelope_id != NULL ? " ENVID=" : "",
	    order->envelope_id != NULL ? order->envelope_id : "");
}

/* EX_OK: all were taken. */
static int
say_recipients(
    struct talk *talk, const struct order *order, struct error *error)
{
	char address[TALK_MAX_LINE];
	int status = EX_OK;

	for (int i = 0; i < order->recipient_count; i++) {
		qualify(talk, order->recipients[i], address, sizeof(address));
		if (talk_say(talk, error, "RCPT TO:<%s>%s%s", address,
			order->notify != NULL ? " NOTIFY=" : "",
			order->notify != NULL ? order->notify : "") == -1)
			return EX_TEMPFAIL;
		if (talk->code == 250)
			continue;
		fprintf(stderr, "sendmail: %s: %s\n", address, talk->reply);
		if (status == EX_OK || status == EX_TEMPFAIL)
			status = talk->code < 500 ? EX_TEMPFAIL : EX_NOUSER;
	}
	return status;
}

static bool
is_utf8(const struct order *order, const char *sender)
{
	bool is_ascii = text_is_ascii(text_of(sender));

	for (int i = 0; i < order->recipient_count; i++)
		is_ascii =
		    is_ascii && text_is_ascii(text_of(order->recipients[i]));
	return !is_ascii;
}

static int
send_letter(struct talk *talk, const struct order *order, struct buf *letter)
{
	char sender[TALK_MAX_LINE];
	struct error error = { 0 };
	int status;

	find_sender(talk, order, sender, sizeof(sender));
	if (put_name(order, sender, letter) == -1)
		return complain(EX_DATAERR, "the message is too large");
	if (talk->max_size > 0 && letter->size > talk->max_size)
		return complain(EX_DATAERR, "the message is too large");
	if (say_sender(talk, order, sender, is_utf8(order, sender), &error) ==
	    -1)
		return complain(
		    error.code == ERROR_INPUT ? EX_USAGE : EX_TEMPFAIL,
		    error.text);
	if (talk->code != 250)
		return complain(
		    talk->code == 553 ? EX_NOPERM : status_of(talk->code),
		    talk->reply);
	status = say_recipients(talk, order, &error);
	if (status != EX_OK) {
		if (error.text[0] != '\0')
			complain(status, error.text);
		return status;
	}
	if (talk_send(talk, letter, &error) == -1)
		return complain(EX_TEMPFAIL, error.text);
	if (talk->code != 250)
		return complain(status_of(talk->code), talk->reply);
	return EX_OK;
}

static int
read_letter(struct order *order, struct buf *letter, struct pool *pool)
{
	struct error error;
	int count;

	if (letter_read(STDIN_FILENO, !order->ignores_dots, letter, &error) ==
	    -1)
		return complain(EX_NOINPUT, error.text);
	if (order->reads_recipients) {
		count = letter_recipients(letter, pool,
		    order->recipients + order->recipient_count,
		    LETTER_MAX_RECIPIENTS - order->recipient_count, &error);
		if (count == -1)
			return complain(EX_DATAERR, error.text);
		order->recipient_count += count;
	}
	if (order->recipient_count == 0)
		return complain(EX_USAGE, "no recipients");
	return EX_OK;
}

static int
send_mail(struct order *order)
{
	struct talk talk = { .fd = -1, .is_shown = order->is_shown };
	struct pool *pool = pool_new();
	struct error error;
	struct buf letter;
	int status;

	buf_init(&letter, LETTER_MAX_SIZE);
	status = read_letter(order, &letter, pool);
	if (status == EX_OK) {
		if (talk_begin(&talk, order->socket, &error) == -1)
			status = complain(EX_TEMPFAIL, error.text);
		else
			status = send_letter(&talk, order, &letter);
		talk_end(&talk);
	}
	buf_clear(&letter);
	pool_free(&pool);
	return status;
}

static int
speak_smtp(const struct order *order)
{
	struct error error;

	if (talk_copy(order->socket, &error) == -1)
		return complain(EX_TEMPFAIL, error.text);
	return EX_OK;
}

/* -- What is the administrator's -- */

static int
run_firnmail(const char *verb, const char *action)
{
	execl(
	    FIRNMAIL_SBIN "/firnmail", "firnmail", verb, action, (char *)NULL);
	return complain(EX_OSFILE, "cannot run " FIRNMAIL_SBIN "/firnmail");
}

/* -- The command line -- */

static bool
set_mode(struct order *order, const char *mode)
{
	if (strchr("msipd", mode[0]) == NULL || mode[0] == '\0')
		return false;
	order->mode = mode[0];
	return order->mode != 'd'; /* there is no daemon in here */
}

static bool
take_option(struct order *order, int option, const char *argument)
{
	switch (option) {
	case 'b':
		return set_mode(order, argument);
	case 'F':
		order->name = argument;
		break;
	case 'f':
	case 'r':
		order->sender = strcmp(argument, "<>") == 0 ? "" : argument;
		break;
	case 'i':
		order->ignores_dots = true;
		break;
	case 'o':
		order->ignores_dots |= strcmp(argument, "i") == 0;
		break;
	case 'N':
		order->notify = argument;
		break;
	case 'R':
		order->return_part = argument;
		break;
	case 'V':
		order->envelope_id = argument;
		break;
	case 'q':
		order->mode = 'q';
		break;
	case 't':
		order->reads_recipients = true;
		break;
	case 'v':
		order->is_shown = true;
		break;
	default:
		return option != '?';
	}
	return true;
}

static int
parse_arguments(struct order *order, int argc, char **argv)
{
	int option;

	while (
	    (option = getopt(argc, argv,
		 "A:B:C:F:GIL:N:O:R:UV:X:b:ce:d:f:h:imno:p:q::r:stvx")) != -1)
		if (!take_option(order, option, optarg))
			return complain(EX_USAGE,
			    "usage: sendmail [-bm|-bs|-bp|-bi] [-itv] "
			    "[-F name] [-f sender] [recipient ...]");
	for (; optind < argc; optind++) {
		if (order->recipient_count == LETTER_MAX_RECIPIENTS)
			return complain(EX_USAGE, "too many recipients");
		order->recipients[order->recipient_count++] = argv[optind];
	}
	return EX_OK;
}

static char
mode_of_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	if (strcmp(name, "mailq") == 0)
		return 'p';
	return strcmp(name, "newaliases") == 0 ? 'i' : 'm';
}

int
main(int argc, char **argv)
{
	static struct order order;
	const char *socket = getenv("FIRNMAIL_SUBMIT");
	int status;

	signal(SIGPIPE, SIG_IGN);
	order.socket = socket != NULL ? socket : "/run/firnmail/submit.sock";
	order.mode = mode_of_name(argc > 0 ? argv[0] : "sendmail");
	status = parse_arguments(&order, argc, argv);
	if (status != EX_OK)
		return status;
	switch (order.mode) {
	case 's':
		return speak_smtp(&order);
	case 'p':
		return run_firnmail("queue", "list");
	case 'q':
		return run_firnmail("queue", "flush");
	case 'i':
		return run_firnmail("reload", NULL);
	default:
		return send_mail(&order);
	}
}
