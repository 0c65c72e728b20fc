/* See tls_kept.h. */
#include "common/tls_kept.h"

#include "common/buf.h"
#include "common/memory.h"
#include "common/table.h"

#include <string.h>
#include <time.h>

enum {
	MAX_AGE_S = 3600,
	MAX_KEY = 32768 /* all records and names have room */
};

struct tls_kept {
	struct table *table; /* key: SSL_SESSION */
};

static void
put_part(struct buf *key, const void *data, size_t size)
{
	uint32_t length = (uint32_t)size;

	(void)buf_put(key, &length, sizeof(length));
	(void)buf_put(key, data, size);
}

struct buf *
tls_kept_key(const struct tls_wish *wish)
{
	const char *other = wish->other_name != NULL ? wish->other_name : "";
	struct buf *key;

	if (wish->place.size == 0)
		return NULL;
	key = memory_new(1, sizeof(*key));
	buf_init(key, MAX_KEY);
	(void)buf_put_byte(key, (uint8_t)wish->proof);
	put_part(key, wish->place.data, wish->place.size);
	put_part(key, wish->name, strlen(wish->name));
	put_part(key, other, strlen(other));
	for (size_t i = 0; i < wish->tlsa_count; i++) {
		const struct tls_tlsa *tlsa = &wish->tlsa[i];

		(void)buf_put_byte(key, tlsa->usage);
		(void)buf_put_byte(key, tlsa->selector);
		(void)buf_put_byte(key, tlsa->matching);
		put_part(key, tlsa->data.data, tlsa->data.size);
	}
	return key;
}

void
tls_kept_forget(struct tls_kept *kept, const struct buf *key)
{
	SSL_SESSION_free(table_remove(kept->table, key->data, key->size));
}

/* Room for one more: any other goes. */
static void
make_room(struct tls_kept *kept)
{
	size_t position = 0, size;
	const void *key;
	void *value;

	if (table_count(kept->table) < TLS_CLIENT_MAX_KEPT ||
	    !table_next(kept->table, &position, &key, &size, &value))
		return;
	SSL_SESSION_free(table_remove(kept->table, key, size));
}

void
tls_kept_put(struct tls_kept *kept, const struct buf *key, SSL_SESSION *session)
{
	tls_kept_forget(kept, key);
	make_room(kept);
	(void)table_put(kept->table, key->data, key->size, session);
}

SSL_SESSION *
tls_kept_take(struct tls_kept *kept, const struct buf *key)
{
	SSL_SESSION *session = table_find(kept->table, key->data, key->size);

	if (session == NULL)
		return NULL;
	if (SSL_SESSION_get_time(session) + MAX_AGE_S < time(NULL) ||
	    !SSL_SESSION_is_resumable(session)) {
		tls_kept_forget(kept, key);
		return NULL;
	}
	if (SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION)
		return table_remove(kept->table, key->data, key->size);
	SSL_SESSION_up_ref(session);
	return session;
}

size_t
tls_kept_count(const struct tls_kept *kept)
{
	return table_count(kept->table);
}

struct tls_kept *
tls_kept_new(void)
{
	struct tls_kept *kept = memory_new(1, sizeof(*kept));

	kept->table = table_new();
	return kept;
}

void
tls_kept_free(struct tls_kept **kept)
{
	size_t position = 0;
	void *session;

	if (*kept == NULL)
		return;
	while (table_next((*kept)->table, &position, NULL, NULL, &session))
		SSL_SESSION_free(session);
	table_free(&(*kept)->table);
	memory_free(kept);
}
