/*
 * The addresses of a host, from the answers of the resolver.
 */
#ifndef FETCHER_ADDRESSES_H
#define FETCHER_ADDRESSES_H

#include "common/dns.h"
#include "fetcher/transfer.h"

#include <stdbool.h>

/* Adds those of an answer to A or AAAA as text, as far as there is room.  Where
 * `is_public_only`, those that are not of the public Internet are left out (RFC
 * 6890: private, loopback, link-local and so on). */
void addresses_take(struct transfer_request *request, enum dns_type type,
    struct text records, bool is_public_only);

/* `bytes` are 4 or 16. */
bool addresses_is_public(struct text bytes);

#endif
