/*
 * GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208).  An account has one quota
 * root, which all its mailboxes are under, also those that are not there yet,
 * or none if nothing limits it.  Snapshots are under none: what they hold does
 * not count.
 */
#include "imapd/imap_commands.h"

#include "imapd/imap_writer.h"

enum {
	STORAGE_UNIT = 1024 /* RFC 9208 section 5.1 */
};

static const char quota_root[] = "account";

static bool
has_root(const struct account_usage *usage)
{
	return usage->max_bytes != 0 || usage->max_messages != 0;
}

/* What is used is rounded up: full is never shown as less. */
static void
put_quota(struct buf *out, const struct account_usage *usage)
{
	const char *space = "";

	(void)buf_put_format(out, "* QUOTA %s (", quota_root);
	if (usage->max_bytes != 0) {
		(void)buf_put_format(out, "STORAGE %llu %llu",
		    (unsigned long long)((usage->bytes + STORAGE_UNIT - 1) /
					 STORAGE_UNIT),
		    (unsigned long long)(usage->max_bytes / STORAGE_UNIT));
		space = " ";
	}
	if (usage->max_messages != 0)
		(void)buf_put_format(out, "%sMESSAGE %llu %llu", space,
		    (unsigned long long)usage->messages,
		    (unsigned long long)usage->max_messages);
	(void)buf_put_text(out, ")\r\n");
}

enum command_step
cmd_getquota(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct account_usage usage;
	struct text root;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_astring(parser, &root) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	account_store_usage(command->account, &usage);
	if (!text_is(root, quota_root) || !has_root(&usage))
		return command_no(command, "[NONEXISTENT] No such quota root");
	put_quota(command->out, &usage);
	return command_ok(command, "Getquota completed");
}

enum command_step
cmd_getquotaroot(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct account_usage usage;
	const char *name;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &name) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	account_store_usage(command->account, &usage);
	(void)buf_put_text(command->out, "* QUOTAROOT ");
	(void)imap_put_mailbox(
	    command->out, text_of(name), parser->is_utf8_names);
	if (has_root(&usage) && !command_is_past(command, text_of(name))) {
		(void)buf_put_format(command->out, " %s\r\n", quota_root);
		put_quota(command->out, &usage);
	} else {
		(void)buf_put_text(command->out, "\r\n");
	}
	return command_ok(command, "Getquotaroot completed");
}

/* "root (STORAGE 512 MESSAGE 10)": whoever asks for it well-formed hears that
 * it is not for him. */
enum command_step
cmd_setquota(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct text word;
	uint64_t number;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_astring(parser, &word) == -1 ||
	    imap_parse_space(parser) == -1 || !imap_parse_skip(parser, '('))
		return command_malformed(command);
	while (!imap_parse_skip(parser, ')')) {
		if (imap_parse_atom(parser, &word) == -1 ||
		    imap_parse_space(parser) == -1 ||
		    imap_parse_number(parser, INT64_MAX, &number) == -1)
			return command_malformed(command);
		(void)imap_parse_skip(parser, ' ');
	}
	if (imap_parse_end(parser) == -1)
		return command_malformed(command);
	return command_no(command,
	    "[NOPERM] Only the administrator changes quotas, in his settings");
}
