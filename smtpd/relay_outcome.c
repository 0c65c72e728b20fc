/* See relay_outcome.h. */
#include "smtpd/relay_outcome.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "smtpd/relay.h"

#include <stdio.h>

struct kept {
	enum relay_outcome outcome;
	unsigned int code;
	char enhanced[12];
	char text[RELAY_REPLY_MAX_TEXT + 1];
	char host[256];
};

struct relay_outcomes {
	size_t kept_count;
	size_t count;
	struct kept *kept[]; /* of a recipient; NULL: nothing */
};

/* -- What the spool is told -- */

static void
log_outcome(const struct relay_outcome_of *of, size_t recipient,
    const struct relay_verdict *verdict, const char *tls)
{
	static const char *const events[] = { "relay-sent", "relay-deferred",
		"relay-failed", "relay-sent" };
	int64_t ms = (clock_monotonic_us() - of->started_us) / 1000;
	char to[300];

	relay_reply_clean(
	    of->mail->recipients[recipient].address, to, sizeof(to));
	log_info(events[verdict->outcome],
	    "qid=%s to=<%s> host=%s tls=\"%s\" level=%s code=%u "
	    "enhanced=%s ms=%lld text=\"%.200s\"",
	    of->qid, to, of->host, tls,
	    of->session != NULL
		? relay_level_name(relay_session_level(of->session))
		: "none",
	    verdict->code, verdict->enhanced, (long long)ms, verdict->text);
}

static void
say(const struct relay_outcome_of *of, size_t recipient,
    const struct relay_verdict *verdict)
{
	struct message message = { .type = MESSAGE_relay_recipient };
	struct message_relay_recipient *said = &message.relay_recipient;
	const char *tls = "";

	if (of->session != NULL) {
		tls = relay_session_tls(of->session);
		said->address = text_of(relay_session_address(of->session));
	}
	said->job = of->job;
	said->recipient = (uint16_t)recipient;
	said->outcome = (uint8_t)verdict->outcome;
	said->code = (uint16_t)verdict->code;
	said->enhanced = text_of(verdict->enhanced);
	said->text = text_of(verdict->text);
	said->host = text_of(of->host);
	said->tls = text_of(tls);
	if (of->relay->spool != NULL)
		(void)channel_send(of->relay->spool, &message, NULL, 0);
	log_outcome(of, recipient, verdict, tls);
}

/* -- What another host may say otherwise -- */

/* A failure without a reply is what this host lacks. */
static bool
may_differ(const struct relay_verdict *verdict)
{
	return verdict->outcome == RELAY_DEFERRED ||
	       (verdict->outcome == RELAY_FAILED && verdict->code == 0);
}

/* "Later" goes before "never". */
static void
keep(struct relay_outcomes *outcomes, size_t recipient, const char *host,
    const struct relay_verdict *verdict)
{
	struct kept *kept = outcomes->kept[recipient];

	if (kept != NULL && kept->outcome == RELAY_DEFERRED &&
	    verdict->outcome == RELAY_FAILED)
		return;
	if (kept == NULL) {
		kept = outcomes->kept[recipient] = memory_new(1, sizeof(*kept));
		outcomes->kept_count++;
	}
	kept->outcome = verdict->outcome;
	kept->code = verdict->code;
	(void)snprintf(
	    kept->enhanced, sizeof(kept->enhanced), "%s", verdict->enhanced);
	(void)snprintf(kept->text, sizeof(kept->text), "%s", verdict->text);
	(void)snprintf(kept->host, sizeof(kept->host), "%s", host);
}

static void
forget(struct relay_outcomes *outcomes, size_t recipient)
{
	if (outcomes->kept[recipient] == NULL)
		return;
	memory_free(&outcomes->kept[recipient]);
	outcomes->kept_count--;
}

void
relay_outcomes_take(struct relay_outcomes *outcomes,
    const struct relay_outcome_of *of, size_t recipient,
    const struct relay_verdict *verdict)
{
	if (may_differ(verdict)) {
		keep(outcomes, recipient, of->host, verdict);
		return;
	}
	forget(outcomes, recipient);
	say(of, recipient, verdict);
}

bool
relay_outcomes_has_kept(const struct relay_outcomes *outcomes)
{
	return outcomes->kept_count > 0;
}

void
relay_outcomes_ask_again(
    struct relay_outcomes *outcomes, struct relay_mail *mail)
{
	for (size_t i = 0; i < outcomes->count; i++)
		if (outcomes->kept[i] != NULL ||
		    mail->recipients[i].state == RELAY_RECIPIENT_ACCEPTED)
			mail->recipients[i].state = RELAY_RECIPIENT_WAITS;
}

void
relay_outcomes_end(struct relay_outcomes *outcomes,
    const struct relay_outcome_of *of, const struct relay_verdict *verdict)
{
	for (size_t i = 0; i < outcomes->count; i++) {
		const struct kept *kept = outcomes->kept[i];
		struct relay_outcome_of then = *of;

		if (kept == NULL)
			continue;
		const struct relay_verdict word = { kept->outcome, kept->code,
			kept->enhanced, kept->text };
		then.host = kept->host;
		then.session = NULL;
		of->mail->recipients[i].state = RELAY_RECIPIENT_DECIDED;
		say(&then, i, &word);
		forget(outcomes, i);
	}
	for (size_t i = 0; i < of->mail->count; i++) {
		if (of->mail->recipients[i].state == RELAY_RECIPIENT_DECIDED)
			continue;
		of->mail->recipients[i].state = RELAY_RECIPIENT_DECIDED;
		say(of, i, verdict);
	}
}

struct relay_outcomes *
relay_outcomes_new(size_t count)
{
	struct relay_outcomes *outcomes = memory_new(
	    1, sizeof(*outcomes) + count * sizeof(outcomes->kept[0]));

	outcomes->count = count;
	return outcomes;
}

void
relay_outcomes_free(struct relay_outcomes **outcomes)
{
	if (*outcomes == NULL)
		return;
	for (size_t i = 0; i < (*outcomes)->count; i++)
		memory_free(&(*outcomes)->kept[i]);
	memory_free(outcomes);
}
