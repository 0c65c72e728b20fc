/*
 * Whether what firnmail.conf says makes sense as a whole: lines that are
 * missing, settings that exclude each other, and what is unwise.
 */
#include "common/settings_grammar.h"

#include <stdio.h>
#include <string.h>

/* A finding about the file, or about the line that gave the directive. */
static struct report_place
place_whole(const struct parser *parser, unsigned int line)
{
	return (struct report_place){ parser->name, line, 1, { NULL, 0 } };
}

static void
need(struct parser *parser, enum directive_number number)
{
	struct report_place place = place_whole(parser, 0);

	if (parser->origin->directive[number] == 0)
		report_error(parser->report, &place, "a line is missing: %s",
		    settings_directives[number].usage);
}

static void
warn(struct parser *parser, unsigned int line, const char *text)
{
	struct report_place place = place_whole(parser, line);

	report_warning(parser->report, &place, "%s", text);
}

static void
check_listeners(struct parser *parser)
{
	const struct settings *settings = parser->settings;
	struct report_place place;

	for (size_t i = 0; i < settings->listener_count; i++) {
		const struct listen_setting *a = &settings->listeners[i];
		unsigned int line = parser->origin->listener[i];

		place = place_whole(parser, line);
		if (a->tls != LISTEN_TLS_NONE && settings->key_count == 0)
			report_error(parser->report, &place,
			    "TLS needs a certificate: add a line \"tls auto\"");
		if ((a->service == SERVICE_SUBMIT ||
			a->service == SERVICE_IMAP) &&
		    a->tls == LISTEN_TLS_NONE)
			warn(parser, line,
			    "passwords and mail go over this port without "
			    "TLS: add tls-required");
		else if (a->is_plain_login)
			warn(parser, line,
			    "plain-login: passwords without TLS from "
			    "loopback");
		for (size_t j = 0; j < i; j++) {
			const struct listen_setting *b =
			    &settings->listeners[j];

			if (a->port == b->port &&
			    strcmp(a->address, b->address) == 0 &&
			    strcmp(a->path, b->path) == 0)
				report_error(parser->report, &place,
				    "%s%s port %u is taken by line %u",
				    a->address, a->path, a->port,
				    parser->origin->listener[j]);
		}
	}
}

/* Without the slashes at its end. */
static size_t
path_size(const char *path)
{
	size_t size = strlen(path);

	while (size > 1 && path[size - 1] == '/')
		size--;
	return size;
}

static bool
is_inside(const char *path, const char *directory)
{
	size_t size = path_size(directory);

	if (strcmp(directory, "/") == 0)
		return true;
	return size > 0 && strncmp(path, directory, size) == 0 &&
	       (path[size] == '/' || path[size] == '\0');
}

static void
check_paths(struct parser *parser)
{
	const struct settings *settings = parser->settings;
	unsigned int line = parser->origin->directive[DIRECTIVE_SNAPSHOT];

	if (settings->snap_path[0] == '\0' || settings->mail_path[0] == '\0')
		return;
	if (is_inside(settings->snap_path, settings->mail_path))
		warn(parser, line,
		    "the snapshot store lies inside the mail directory: what "
		    "wipes the mail wipes it too");
	else if (is_inside(settings->mail_path, settings->snap_path))
		warn(parser, line,
		    "the mail directory lies inside the snapshot store");
}

/* Beside the store; empty if there is no store, or no room for the path. */
static void
place_beside_store(const struct settings *settings, char *to, size_t to_size)
{
	const char *snap = settings->snap_path;
	int size;

	to[0] = '\0';
	if (snap[0] == '\0')
		return;
	size = snprintf(to, to_size, "%.*s.drill", (int)path_size(snap), snap);
	if (size >= (int)to_size)
		to[0] = '\0';
}

/* Without a directive: beside the store, as /var/lib/firnmail/queue beside
 * /var/lib/firnmail/snap. */
static void
check_queue(struct parser *parser)
{
	struct settings *settings = parser->settings;
	const char *snap = settings->snap_path;
	const char *slash = strrchr(snap, '/');
	struct report_place place =
	    place_whole(parser, parser->origin->directive[DIRECTIVE_QUEUE]);
	const char *const others[] = { settings->mail_path, snap };
	char *queue = settings->queue_path;

	if (queue[0] == '\0') {
		if (slash != NULL &&
		    (size_t)(slash - snap) + sizeof("/queue") <=
			sizeof(settings->queue_path))
			snprintf(queue, sizeof(settings->queue_path),
			    "%.*s/queue", (int)(slash - snap), snap);
		else if (slash != NULL)
			report_error(parser->report, &place,
			    "the snapshot store's path is too long for a "
			    "queue beside it: say where with queue dir");
		return;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i][0] != '\0' && (is_inside(others[i], queue) ||
						is_inside(queue, others[i])))
			report_error(parser->report, &place,
			    "the queue must lie apart from %s", others[i]);
}

/* What is made there is removed again: nothing else may lie there.  Beside a
 * store that lies inside the mail it lies there, too, of which check_paths
 * warns. */
static void
check_drill(struct parser *parser)
{
	struct settings *settings = parser->settings;
	const char *const others[] = { settings->mail_path,
		settings->snap_path };
	struct report_place place =
	    place_whole(parser, parser->origin->directive[DIRECTIVE_DRILL]);
	char beside[sizeof(settings->drill_path)];
	bool is_beside;

	place_beside_store(settings, beside, sizeof(beside));
	if (settings->drill_path[0] == '\0')
		memcpy(settings->drill_path, beside, sizeof(beside));
	is_beside = strcmp(settings->drill_path, beside) == 0;
	if (settings->drill_path[0] == '\0' && settings->snap_path[0] != '\0')
		report_error(parser->report, &place,
		    "the snapshot store's path is too long for a scratch "
		    "folder beside it: say where with drill dir");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (settings->drill_path[0] != '\0' && others[i][0] != '\0' &&
		    (is_inside(others[i], settings->drill_path) ||
			(!is_beside &&
			    is_inside(settings->drill_path, others[i]))))
			report_error(parser->report, &place,
			    "drill's scratch folder must lie apart from %s",
			    others[i]);
}

static void
check_keep(struct parser *parser)
{
	const struct settings *settings = parser->settings;
	unsigned int line = parser->origin->directive[DIRECTIVE_KEEP];
	size_t n = settings->keep_count;

	if (n > 0 && settings->keep[n - 1].span_s < settings->keep_minimum_s)
		warn(parser, line,
		    "the longest tier of keep is shorter than its minimum: "
		    "mail is kept for the minimum");
}

static void
check_uids(struct parser *parser)
{
	const struct settings *settings = parser->settings;
	uint32_t base = settings->uid_account_base;
	uint32_t mask = settings->uid_account_mask;
	uint32_t service = settings->uid_service_base;
	struct report_place place =
	    place_whole(parser, parser->origin->directive[DIRECTIVE_UID_RANGE]);

	if ((base & ~mask) != 0)
		report_error(parser->report, &place,
		    "accounts %u is not a multiple of 2 to the bits", base);
	if ((service & mask) == base || ((service + 31) & mask) == base)
		report_error(
		    parser->report, &place, "services and accounts share uids");
	if (service < 100 || base < 100)
		report_error(parser->report, &place,
		    "uids below 100 belong to the system");
}

/* Mail back to a sender that we made up must come to us. */
static void
check_srs(struct parser *parser)
{
	struct settings *settings = parser->settings;
	struct report_place place =
	    place_whole(parser, parser->origin->directive[DIRECTIVE_SRS]);

	if (settings->srs_domain[0] == '\0' && settings->domain_count > 0)
		memcpy(settings->srs_domain, settings->domains[0],
		    sizeof(settings->srs_domain));
	for (size_t i = 0; i < settings->domain_count; i++)
		if (strcmp(settings->domains[i], settings->srs_domain) == 0)
			return;
	report_error(parser->report, &place, "srs domain %s has no line domain",
	    settings->srs_domain);
}

static void
default_keep(struct settings *settings)
{
	static const uint64_t tiers[][2] = { { 900, 86400 }, { 3600, 604800 },
		{ 86400, 7776000 }, { 604800, 63072000 } };

	for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
		settings->keep[i].every_s = tiers[i][0];
		settings->keep[i].span_s = tiers[i][1];
	}
	settings->keep_count = sizeof(tiers) / sizeof(tiers[0]);
}

static void
default_tls_reports(struct settings *settings)
{
	if (settings->tls_report_contact[0] == '\0')
		(void)snprintf(settings->tls_report_contact,
		    sizeof(settings->tls_report_contact), "postmaster@%.240s",
		    settings->domain_count > 0 ? settings->domains[0]
					       : settings->host);
	if (settings->tls_report_organization[0] == '\0')
		(void)snprintf(settings->tls_report_organization,
		    sizeof(settings->tls_report_organization), "%.127s",
		    settings->host);
}

void
settings_check_whole(struct parser *parser)
{
	if (parser->settings->keep_count == 0)
		default_keep(parser->settings);
	default_tls_reports(parser->settings);
	need(parser, DIRECTIVE_HOST);
	need(parser, DIRECTIVE_DOMAIN);
	need(parser, DIRECTIVE_LISTEN);
	need(parser, DIRECTIVE_USERS);
	need(parser, DIRECTIVE_STORE);
	need(parser, DIRECTIVE_SNAPSHOT);
	check_listeners(parser);
	check_paths(parser);
	check_queue(parser);
	check_drill(parser);
	check_keep(parser);
	check_uids(parser);
	check_srs(parser);
}
