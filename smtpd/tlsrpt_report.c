/* See tlsrpt_report.h. */
#include "smtpd/tlsrpt_report.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/tls_result.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

enum {
	GZIP_WINDOW = 15 + 16, /* the largest, and gzip's header */
	ID_SIZE = 320
};

struct tlsrpt_report {
	json_t *root;
	json_t *policies;
	json_t *failures; /* of the last policy; NULL: it has none */
	json_t *last;     /* policy */
};

/* A stranger's words. */
static json_t *
clean(struct text text)
{
	char copy[TLSRPT_MAX_TEXT + 1];
	size_t size = text.size < TLSRPT_MAX_TEXT ? text.size : TLSRPT_MAX_TEXT;

	for (size_t i = 0; i < size; i++)
		copy[i] = text.data[i] >= ' ' && text.data[i] <= '~'
			      ? text.data[i]
			      : '?';
	return json_stringn(copy, size);
}

static void
set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) == -1)
		fatal("no memory for a report");
}

static void
set_word(json_t *object, const char *key, struct text word)
{
	if (word.size > 0)
		set(object, key, clean(word));
}

/* RFC 3339. */
static json_t *
date(int64_t time)
{
	time_t seconds = (time_t)time;
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

void
tlsrpt_report_id(const struct tlsrpt_about *about, char *to, size_t to_size)
{
	(void)snprintf(to, to_size, "%lld.%016llx@%.255s",
	    (long long)about->begin, (unsigned long long)about->id.domain,
	    about->host);
}

struct tlsrpt_report *
tlsrpt_report_new(const struct tlsrpt_about *about)
{
	struct tlsrpt_report *report = memory_new(1, sizeof(*report));
	json_t *range = json_object();
	char id[ID_SIZE];

	report->root = json_object();
	report->policies = json_array();
	tlsrpt_report_id(about, id, sizeof(id));
	set(report->root, "organization-name",
	    json_string(about->organization));
	set(range, "start-datetime", date(about->begin));
	set(range, "end-datetime", date(about->end));
	set(report->root, "date-range", range);
	set(report->root, "contact-info", json_string(about->contact));
	set(report->root, "report-id", json_string(id));
	set(report->root, "policies", report->policies);
	return report;
}

void
tlsrpt_report_free(struct tlsrpt_report **report)
{
	if (*report != NULL)
		json_decref((*report)->root);
	memory_free(report);
}

/* -- What was counted -- */

/* The lines, and the hosts that those of MTA-STS name. */
static void
add_lines(json_t *policy, const struct tlsrpt_policy *from)
{
	struct text rest = from->lines, line;
	json_t *lines = json_array(), *hosts = json_array();

	while (text_next(&rest, '\n', &line)) {
		line = text_trim(line);
		if (line.size == 0)
			continue;
		(void)json_array_append_new(lines, clean(line));
		if (from->type == TLS_POLICY_STS &&
		    text_starts_nocase(line, "mx:"))
			(void)json_array_append_new(
			    hosts, clean(text_trim(text_skip(line, 3))));
	}
	set(policy, "policy-string", lines);
	if (json_array_size(hosts) > 0)
		set(policy, "mx-host", hosts);
	else
		json_decref(hosts);
}

static void
add_policy(struct tlsrpt_report *report, const struct tlsrpt_policy *from)
{
	json_t *policy = json_object(), *summary = json_object();

	report->last = json_object();
	report->failures = NULL;
	set(policy, "policy-type",
	    json_string(tls_policy_name((enum tls_policy)from->type)));
	if (from->type != TLS_POLICY_NONE)
		add_lines(policy, from);
	set(policy, "policy-domain", clean(from->domain));
	set(summary, "total-successful-session-count",
	    json_integer((json_int_t)from->good));
	set(summary, "total-failure-session-count",
	    json_integer((json_int_t)from->bad));
	set(report->last, "policy", policy);
	set(report->last, "summary", summary);
	(void)json_array_append_new(report->policies, report->last);
}

static void
add_failure(struct tlsrpt_report *report, const struct tlsrpt_failure *from)
{
	json_t *failure = json_object();

	if (report->failures == NULL) {
		report->failures = json_array();
		set(report->last, "failure-details", report->failures);
	}
	set(failure, "result-type",
	    json_string(tls_result_name((enum tls_result)from->result)));
	set_word(failure, "sending-mta-ip", from->sending_ip);
	set_word(failure, "receiving-mx-hostname", from->mx);
	set_word(failure, "receiving-mx-helo", from->helo);
	set_word(failure, "receiving-ip", from->receiving_ip);
	set(failure, "failed-session-count",
	    json_integer((json_int_t)from->count));
	set_word(failure, "failure-reason-code", from->reason);
	(void)json_array_append_new(report->failures, failure);
}

void
tlsrpt_report_add(void *context, const struct tlsrpt_policy *policy,
    const struct tlsrpt_failure *failure)
{
	struct tlsrpt_report *report = context;

	if (policy != NULL)
		add_policy(report, policy);
	else if (report->last != NULL)
		add_failure(report, failure);
}

/* -- Its bytes -- */

/* 0, or -1 if it is longer than `to` may be. */
static int
compress_text(const char *text, struct buf *to)
{
	z_stream stream = { 0 };
	uint8_t *room = buf_reserve(to, to->max_size);
	int result;

	if (room == NULL ||
	    deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW,
		8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -1;
	stream.next_in = (Bytef *)(uintptr_t)text;
	stream.avail_in = (uInt)strlen(text);
	stream.next_out = room;
	stream.avail_out = (uInt)to->max_size;
	result = deflate(&stream, Z_FINISH);
	(void)deflateEnd(&stream);
	if (result != Z_STREAM_END)
		return -1;
	buf_added(to, stream.total_out);
	return 0;
}

static int
write_all(const struct tlsrpt_report *report, struct buf *to)
{
	char *text = json_dumps(report->root, JSON_COMPACT);
	int result = text == NULL ? -1 : compress_text(text, to);

	free(text);
	return result;
}

/* Half of the failures of each policy; false: there are none. */
static bool
leave_out_some(struct tlsrpt_report *report)
{
	bool has_some = false;
	json_t *policy;
	size_t i;

	json_array_foreach(report->policies, i, policy)
	{
		json_t *failures = json_object_get(policy, "failure-details");
		size_t left = json_array_size(failures) / 2;

		has_some |= failures != NULL;
		while (json_array_size(failures) > left)
			(void)json_array_remove(failures, left);
		if (left == 0)
			(void)json_object_del(policy, "failure-details");
	}
	return has_some;
}

int
tlsrpt_report_write(struct tlsrpt_report *report, struct buf *to)
{
	while (write_all(report, to) == -1)
		if (!leave_out_some(report))
			return -1;
	return 0;
}
