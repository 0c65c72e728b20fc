/*
 * ENABLE (RFC 5161): CONDSTORE and QRESYNC (RFC 7162), IMAP4rev2 (RFC 9051),
 * UIDONLY (RFC 9586) and UTF8=ACCEPT (RFC 9755) are what can be enabled.  Other
 * names are ignored, as the RFC wants.
 */
#include "imapd/imap_commands.h"

static const struct {
	const char *name;
	void (*enable)(struct imap_command *command);
} features[] = {
	{ "CONDSTORE", command_enable_condstore },
	{ "IMAP4rev2", command_enable_rev2 },
	{ "QRESYNC", command_enable_qresync },
	{ "UIDONLY", command_enable_uidonly },
	{ "UTF8=ACCEPT", command_enable_utf8 },
};
enum {
	FEATURE_COUNT = sizeof(features) / sizeof(*features)
};

enum command_step
cmd_enable(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	bool is_asked[FEATURE_COUNT] = { false };
	struct text name;
	size_t i;

	if (imap_parse_space(parser) == -1)
		return command_malformed(command);
	do {
		if (imap_parse_atom(parser, &name) == -1)
			return command_malformed(command);
		for (i = 0; i < FEATURE_COUNT; i++)
			if (text_is_nocase(name, features[i].name))
				is_asked[i] = true;
	} while (imap_parse_skip(parser, ' '));
	if (imap_parse_end(parser) == -1)
		return command_malformed(command);
	(void)buf_put_text(command->out, "* ENABLED");
	for (i = 0; i < FEATURE_COUNT; i++)
		if (is_asked[i])
			(void)buf_put_format(
			    command->out, " %s", features[i].name);
	(void)buf_put_text(command->out, "\r\n");
	for (i = 0; i < FEATURE_COUNT; i++)
		if (is_asked[i])
			features[i].enable(command);
	return command_ok(command, "Enabled");
}
