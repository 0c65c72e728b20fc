/*
 * What becomes of the recipients of a job: the word of a host, said to the
 * spool at once if it is final, and kept if another host may say another:
 * "later", or that this host lacks what the message needs.  Each is said once.
 */
#ifndef SMTPD_RELAY_OUTCOME_H
#define SMTPD_RELAY_OUTCOME_H

#include "smtpd/relay_mail.h"
#include "smtpd/relay_session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relay;
struct relay_outcomes;

/* Of a job, and of who said something. */
struct relay_outcome_of {
	struct relay *relay;
	uint64_t job;
	const char *qid;
	int64_t started_us;
	struct relay_mail *mail;
	const char *host;
	struct relay_session *session; /* NULL: there is none */
};

struct relay_outcomes *relay_outcomes_new(size_t count);
void relay_outcomes_free(struct relay_outcomes **outcomes);

void relay_outcomes_take(struct relay_outcomes *outcomes,
    const struct relay_outcome_of *of, size_t recipient,
    const struct relay_verdict *verdict);
bool relay_outcomes_has_kept(const struct relay_outcomes *outcomes);
/* Those that something is kept of, and those that a host took and whose message
 * it did not see the end of, are asked about again, at another host. */
void relay_outcomes_ask_again(
    struct relay_outcomes *outcomes, struct relay_mail *mail);
/* There is no other host: all is said; `verdict` of those of whom no host said
 * anything. */
void relay_outcomes_end(struct relay_outcomes *outcomes,
    const struct relay_outcome_of *of, const struct relay_verdict *verdict);

#endif
