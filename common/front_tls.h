/*
 * The certificates of a front: chains from its settings, signed for by keyd.
 */
#ifndef COMMON_FRONT_TLS_H
#define COMMON_FRONT_TLS_H

#include "common/key_client.h"
#include "common/settings.h"
#include "common/tls.h"

/* Replaces *tls (NULL at first) by one with the chains of `settings`; without
 * any, or with one that is unusable (which is logged), it stays as it is.
 * `keys` must outlive it. */
void front_tls_renew(struct tls_server **tls, const struct settings *settings,
    struct key_client *keys);

#endif
