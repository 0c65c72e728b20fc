/*
 * snapctl completion: the script for a shell; and, asked by that script, what
 * can follow on a command line.  What the store knows (accounts, snapshots,
 * mailboxes, tags) is asked of snapd and of nobody else: whoever may not open
 * its socket is told of no account.
 */
#include "snapctl/completion.h"

#include "common/channel.h"
#include "snapctl/completion_scripts.h"
#include "snapctl/selector.h"

#include <stdio.h>
#include <unistd.h>

int
cmd_completion(struct snapctl *snapctl, int argc, char **argv)
{
	static const struct {
		const char *shell;
		const char *script;
	} scripts[] = { { "bash", completion_bash }, { "zsh", completion_zsh },
		{ "fish", completion_fish } };

	(void)snapctl;
	for (size_t i = 0; argc == 1 && i < 3; i++)
		if (text_is(text_of(argv[0]), scripts[i].shell)) {
			fputs(scripts[i].script, stdout);
			return EXIT_DONE;
		}
	return command_usage("completion bash|zsh|fish");
}

/* -- What can follow -- */

/* Control bytes would end the line, or worse. */
static void
offer(struct text word, const char *about, void *context)
{
	const struct completion *c = context;

	for (size_t i = 0; i < word.size; i++)
		if ((unsigned char)word.data[i] < ' ' || word.data[i] == 0x7f)
			return;
	if (word.size == 0 || !completion_fits(c, word))
		return;
	printf("%.*s%.*s", TEXT_FMT(c->kept), TEXT_FMT(word));
	printf(about[0] != '\0' ? "\t%s\n" : "\n", about);
}

static int
offer_row(struct snapctl *snapctl, enum control_row_kind kind,
    struct text record, void *context)
{
	const struct completion *c = context;
	struct control_snapshot snapshot;
	struct control_account account;
	struct mailbox_record mailbox;
	struct control_hold hold;
	struct reader reader;
	char storage[12];

	reader_init(&reader, record.data, record.size);
	if (c->kind == COMPLETE_SNAPSHOT && kind == CONTROL_SNAPSHOT &&
	    control_get_snapshot(record, &snapshot) == 0) {
		offer(snapshot.id, "", context);
		offer(snapshot.name, "", context);
	} else if (c->kind == COMPLETE_ACCOUNT && kind == CONTROL_ACCOUNT &&
		   control_get_account(record, &account) == 0) {
		offer(command_account_name(snapctl, account.account, storage),
		    "", context);
	} else if (c->kind == COMPLETE_MAILBOX && kind == CONTROL_MAILBOX &&
		   record_get_mailbox(&reader, &mailbox) == 1) {
		offer(mailbox.name, "", context);
	} else if (c->kind == COMPLETE_TAG && kind == CONTROL_HOLD &&
		   control_get_hold(record, &hold) == 0) {
		offer(hold.tag, "", context);
	}
	return EXIT_DONE;
}

static int
ask(struct snapctl *snapctl, struct completion *c)
{
	struct message request = { .type = MESSAGE_control_ls };
	struct error error;

	request.control_ls.point_kind = POINT_NOW;
	if (c->kind == COMPLETE_SNAPSHOT) {
		offer(TEXT("latest"), "the newest snapshot", c);
		offer(TEXT("live"), "the present state", c);
		request = (struct message){ .type = MESSAGE_control_list };
	} else if (c->kind == COMPLETE_TAG) {
		request = (struct message){ .type = MESSAGE_control_holds };
	} else if (c->kind == COMPLETE_MAILBOX &&
		   account_parse(c->account, snapctl->accounts,
		       &request.control_ls.account, &error) == -1) {
		return EXIT_DONE;
	}
	return client_ask(snapctl, &request, offer_row, c);
}

int
completion_words(struct snapctl *snapctl, const struct verb_table *table,
    const char *socket, int count, char **words)
{
	struct completion completion;
	struct error error;
	int code = EXIT_DONE;

	completion_find(table, (size_t)count, words, &completion);
	completion_offer(table, &completion, offer, &completion);
	if (completion.kind < COMPLETE_ACCOUNT)
		return EXIT_DONE;
	if (completion.config != NULL)
		snapctl->options.config = completion.config;
	snapctl->socket = channel_connect_now(
	    completion.socket != NULL ? completion.socket : socket, &error);
	if (snapctl->socket == -1)
		return EXIT_UNREACHABLE;
	command_load_accounts(snapctl);
	/* It looks at the terminal, which nobody may behind the walls. */
	snapctl->output = output_new(OUTPUT_TABS, false);
	code = ask(snapctl, &completion);
	output_free(&snapctl->output);
	account_table_free(&snapctl->accounts);
	close(snapctl->socket);
	return code;
}
