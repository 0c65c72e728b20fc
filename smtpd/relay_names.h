/*
 * Questions to the resolver, and who waits for which answer.  Without a
 * resolver they wait, and are asked again of the next one: whoever asks has a
 * deadline.
 */
#ifndef SMTPD_RELAY_NAMES_H
#define SMTPD_RELAY_NAMES_H

#include "common/channel.h"
#include "common/dns.h"

#include <stdint.h>

struct relay_names;

/* From the loop only, never inside of relay_names_ask; texts of `found` are
 * valid during the call. */
typedef void relay_names_found(
    const struct message_relay_found *found, void *context);

struct relay_names *relay_names_new(void);
void relay_names_free(struct relay_names **names);

/* The channel stays the caller's; NULL: there is none now. */
void relay_names_use(struct relay_names *names, struct channel *resolver);

/* The number of the question, never 0. */
uint64_t relay_names_ask(struct relay_names *names, enum dns_type type,
    struct text name, relay_names_found *found, void *context);
/* *question becomes 0; nobody is told. */
void relay_names_forget(struct relay_names *names, uint64_t *question);

void relay_names_answer(
    struct relay_names *names, const struct message_relay_found *found);

#endif
