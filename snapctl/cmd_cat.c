/* snapctl cat: the bytes of one message, or of a file of account 0, as of a
 * point in time, as they are stored. */
#include "snapctl/cat.h"
#include "snapctl/selector.h"

#include "common/sealed_secret.h"

#include <stdio.h>
#include <unistd.h>

static const char synopsis[] =
    "cat SNAP:ACCOUNT/MAILBOX;UID=n (or ;id=<message-id>)\n"
    "       snapctl cat [--recovery-key KEYFILE] SNAP:0/FILE";

/* What is printed: how far, and what waits to be opened. */
struct printing {
	cat_open *open; /* NULL: printed as it is */
	bool is_begun;
	bool is_secret;
	struct buf sealed;
};

static int
begin(struct printing *printing, struct text record)
{
	printing->is_begun = true;
	if (!sealed_secret_is(record))
		return EXIT_DONE;
	printing->is_secret = printing->open != NULL;
	if (printing->is_secret || isatty(STDOUT_FILENO) != 1)
		return EXIT_DONE;
	fprintf(stderr,
	    "snapctl: this is sealed for the recovery key: --recovery-key "
	    "KEYFILE opens it here,\n\"> FILE\" and snapctl unseal "
	    "elsewhere\n");
	return EXIT_REFUSED;
}

static int
print_body(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	struct printing *printing = context;
	int code = EXIT_DONE;

	if (kind != CONTROL_BODY)
		return EXIT_DONE;
	if (!printing->is_begun)
		code = begin(printing, record);
	if (code != EXIT_DONE)
		return code;
	if (!printing->is_secret) {
		output_bytes(snapctl->output, record);
		return EXIT_DONE;
	}
	if (buf_put(&printing->sealed, record.data, record.size) == 0)
		return EXIT_DONE;
	fprintf(stderr, "snapctl: larger than any secret\n");
	return EXIT_FAILED;
}

/* Of a message which one it is must be said; a file has one version at a
 * time. */
static bool
is_one(const struct selector *selector)
{
	if (selector->account == ACCOUNT_SERVICE)
		return selector->mailbox.size > 0;
	return selector->account != 0 &&
	       (selector->uid != 0 || selector->message_id.size > 0);
}

int
cat_print(struct snapctl *snapctl, int argc, char **argv, cat_open *open)
{
	struct message request = { .type = MESSAGE_control_cat };
	struct message_control_cat *cat = &request.control_cat;
	struct printing printing = { .open = open };
	struct selector selector;
	struct error error;
	int code;

	if (argc != 1)
		return command_usage(synopsis);
	if (selector_parse(text_of(argv[0]), snapctl->accounts, snapctl->now,
		&selector, &error) == -1)
		return command_fail(&error);
	if (!is_one(&selector))
		return command_usage(synopsis);
	point_fill(&selector.point, &cat->point_kind, &cat->point_time,
	    &cat->point_name);
	cat->account = selector.account;
	cat->mailbox = selector.mailbox;
	cat->uid = selector.uid;
	cat->message_id = selector.message_id;
	buf_init(&printing.sealed, CAT_MAX_SECRET);
	code = client_ask(snapctl, &request, print_body, &printing);
	if (code == EXIT_DONE && printing.is_secret)
		code = open(snapctl,
		    text_make(printing.sealed.data, printing.sealed.size),
		    selector.mailbox);
	buf_clear(&printing.sealed);
	return code;
}

int
cmd_cat(struct snapctl *snapctl, int argc, char **argv)
{
	return cat_print(snapctl, argc, argv, NULL);
}
