/*
 * What lies unfiled in the store, and the workers that file it: a list of
 * deliveries for each account, a bounded number of workers asked for at once,
 * retries until it is filed.  If all this is lost, snapd still knows.
 */
#ifndef SMTPD_FILING_H
#define SMTPD_FILING_H

#include "smtpd/queue.h"

struct filing_list;

struct filing_list *filing_list_new(struct queue *queue);
void filing_list_free(struct filing_list **list);

/* A durable delivery of `account`; NULL: whatever lies there unfiled. */
void filing_add(struct filing_list *list, uint32_t account,
    const struct delivery_id *delivery);

/* The channel to the account's worker, for another question; NULL: it is being
 * started, and transaction_ask_urls says when it is there. */
struct channel *filing_channel(struct filing_list *list, uint32_t account);

/* The worker's channel. Takes over `fd`. */
void filing_worker(struct filing_list *list,
    const struct message_introduce *introduce, int fd);

/* The broker's answer to need_worker. */
void filing_started(
    struct filing_list *list, uint32_t account, enum status status);

/* The broker is gone: what was asked of it is asked of the next one. */
void filing_forget_starter(struct filing_list *list);

/* Tries again what failed; called every QUEUE_RETRY_MS. */
void filing_retry(struct filing_list *list);

/* Accounts with mail that is not filed yet. */
size_t filing_count(const struct filing_list *list);

#endif
