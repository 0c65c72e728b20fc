/*
 * What the files of the store share: spool_store.c, spool_store_take.c,
 * spool_store_decide.c and spool_store_end.c.
 */
#ifndef SMTPD_SPOOL_STORE_STATE_H
#define SMTPD_SPOOL_STORE_STATE_H

#include "smtpd/spool_body.h"
#include "smtpd/spool_store.h"

struct spool_store {
	struct spool_env *env;
	struct spool_bodies *bodies;
	uint64_t next_id;
	uint64_t kept_id; /* as it stands in the environment */
};

int spool_store_put_message(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct error *error);

/* In SPOOL_PARCEL or SPOOL_DRAFT. */
int spool_store_put_parcel(struct spool_store *store, enum spool_table table,
    const struct spool_parcel *parcel, struct error *error);
/* Those of its recipients, and its body. */
int spool_store_remove_rows(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct error *error);

#endif
