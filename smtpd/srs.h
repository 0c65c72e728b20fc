/*
 * The Sender Rewriting Scheme: mail that is passed on to another host goes out
 * under a sender in our domain, so that the SPF of that host holds, and what
 * comes back to that sender finds its way to the first one.
 *
 *   bob@far.example                  SRS0=HASH=DAY=far.example=bob@ours
 *   SRS0=xyz=AB=far.example=bob@mid  SRS1=HASH=mid==xyz=AB=far.example=bob@ours
 *
 * DAY is two letters, the days since 1970 modulo 1024; HASH eight letters, the
 * first 40 bits of an HMAC-SHA-256 over what stands behind it and the name
 * before it, in lower case: hosts on the way may change the case.  Both are in
 * base32, and letters of either case.  A hash of any other length is wrong.
 *
 * A sender that is too long for that stands nowhere in the address:
 *
 *   long...@far.example              SRS0=HASH=DAY==TOKEN@ours
 *
 * TOKEN is sixteen letters, 80 bits of an HMAC-SHA-256 over the sender, and the
 * spool keeps who it is (spool_senders.h).
 *
 * Pure.  After M. Wittenborn's and S. Sen Wong's paper, "SRS:
 * The Sender Rewriting Scheme" (2003), section 4; with another hash, which is
 * nobody's business but ours.
 */
#ifndef SMTPD_SRS_H
#define SMTPD_SRS_H

#include "common/mail_address.h"
#include "common/settings.h"
#include "common/text.h"

#include <stdint.h>

enum {
	SRS_ADDRESS_SIZE = MAIL_ADDRESS_MAX_PATH + 1,
	SRS_HASH_LETTERS = 8,
	SRS_TOKEN_LETTERS = 16
};

struct srs;

/* With the domain, the secrets and the validity of the settings; NULL if there
 * is no secret, or SRS is off. */
struct srs *srs_new(const struct settings *settings);
void srs_free(struct srs **srs);

/* The sender that `sender`, an address elsewhere, goes out under. 0; -1 if
 * there is none: it is quoted or a literal, or the local part would be longer
 * than 64 bytes. */
int srs_forward(struct srs *srs, struct text sender, int64_t now_s,
    char to[SRS_ADDRESS_SIZE]);

/* The same under a token, for one that would be too long. */
int srs_forward_kept(struct srs *srs, struct text sender, int64_t now_s,
    char to[SRS_ADDRESS_SIZE]);

/* Whether a local part has the form, by its beginning; that with a token. */
bool srs_is_form(struct text local);
bool srs_is_kept_form(struct text local);

enum srs_result {
	SRS_GOOD,
	SRS_KEPT,   /* good, with a token: the spool knows whose it is */
	SRS_FORGED, /* or malformed, or of a secret that is gone */
	SRS_EXPIRED
};

/* Where what comes to such a local part in our domain goes, in `to` if it is
 * SRS_GOOD. */
enum srs_result srs_reverse(struct srs *srs, struct text local, int64_t now_s,
    char to[SRS_ADDRESS_SIZE]);

#endif
