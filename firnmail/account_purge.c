/*
 * firnmail account purge-request|purge-confirm|purge-withdraw: the one way in
 * which mail is forgotten before its snapshots are, for who has a legal claim
 * to it.  It takes two words of an administrator, each with the address typed
 * once more, and the minimum of the policy between them; each is an event of
 * the store's log.  The store decides (snapd/erasure.h), this only asks.
 */
#include "firnmail/account_purge.h"

#include "common/span.h"
#include "common/status.h"

#include <stdio.h>
#include <string.h>

enum {
	MAX_LINE = 400
};

static const struct {
	const char *verb;
	uint8_t step;
} steps[] = { { "purge-request", 1 }, { "purge-confirm", 2 },
	{ "purge-withdraw", 3 } };

static uint8_t
step_of(const char *verb)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strcmp(verb, steps[i].verb) == 0)
			return steps[i].step;
	return 0;
}

bool
account_is_purge(const char *verb)
{
	return step_of(verb) != 0;
}

/* The address once more, on standard input. */
static int
ask_again(const struct account *account)
{
	char line[MAX_LINE] = "";

	fprintf(stderr,
	    "All mail of %s will be forgotten, without a way back. Type the "
	    "address once more: ",
	    account->address);
	if (fgets(line, sizeof(line), stdin) == NULL ||
	    !text_is(text_trim(text_of(line)), account->address))
		return command_fail(
		    EXIT_FAILED, "that is not the address: nothing was done");
	return EXIT_DONE;
}

static void
take_left(const struct message_control_row *row, void *context)
{
	struct control_fact fact;

	if (row->kind == CONTROL_FACT &&
	    control_get_fact(row->record, &fact) == 0)
		(void)text_parse_number(fact.value, UINT64_MAX, context);
}

static int
ask_store(const struct firnmail *firnmail, const struct account *account,
    uint8_t step, uint64_t *left_s, struct message *answer)
{
	struct message request = { .type = MESSAGE_control_purge };
	struct daemon snapd;
	int code = daemon_open(firnmail, ROLE_SNAPD, &snapd);

	if (code != EXIT_DONE)
		return code;
	request.control_purge.account = account->number;
	request.control_purge.step = step;
	code = daemon_ask(&snapd, &request, take_left, left_s, answer);
	daemon_close(&snapd);
	return code;
}

static int
say_refusal(const struct message_control_done *done, const char *left)
{
	switch ((enum status)done->status) {
	case STATUS_EXISTS:
		return command_fail(
		    EXIT_REFUSED, "that was said before: see snapctl log");
	case STATUS_MISSING:
		return command_fail(
		    EXIT_NONE, "no purge of that account was requested");
	case STATUS_REFUSED:
		return command_fail(EXIT_REFUSED, "%.*s: %s are left",
		    TEXT_FMT(done->text), left);
	default:
		return command_fail(EXIT_FAILED, "%s%s%.*s",
		    status_name(done->status), done->text.size > 0 ? ": " : "",
		    TEXT_FMT(done->text));
	}
}

int
account_purge(struct firnmail *firnmail, const char *verb, const char *address)
{
	const struct account *account =
	    account_find_address(firnmail->accounts, text_of(address));
	uint8_t step = step_of(verb);
	char left[SPAN_SIZE];
	struct message answer;
	uint64_t left_s = 0;
	int code = EXIT_DONE;

	if (account == NULL)
		return command_fail(EXIT_NONE, "%s is no account", address);
	if ((account->flags & ACCOUNT_DISABLED) == 0)
		return command_fail(EXIT_REFUSED,
		    "%s can log in: retire the account first (nologin)",
		    address);
	if (step != 3)
		code = ask_again(account);
	if (code == EXIT_DONE)
		code = ask_store(firnmail, account, step, &left_s, &answer);
	if (code != EXIT_DONE)
		return code;
	/* Hours are enough for people. */
	span_format(left_s < 7200 ? left_s : left_s / 3600 * 3600, left);
	if (answer.control_done.status != STATUS_OK)
		return say_refusal(&answer.control_done, left);
	const struct field fields[] = {
		FIELD_T("purge", 9, text_of(verb + strlen("purge-"))),
		FIELD_N("number", 6, account->number),
		FIELD_T(
		    "confirm_in", 10, step == 1 ? text_of(left) : TEXT("-")),
		FIELD_T("address", 0, text_of(account->address)),
	};
	output_row(firnmail->output, "purge", fields,
	    sizeof(fields) / sizeof(fields[0]));
	return EXIT_DONE;
}
