/* See front_tls.h. */
#include "common/front_tls.h"

#include "common/log.h"

void
front_tls_renew(struct tls_server **tls, const struct settings *settings,
    struct key_client *keys)
{
	const struct tls_signer signer = key_client_signer(keys);
	const char *chains[SETTINGS_MAX_KEYS];
	struct tls_server *renewed;
	struct error error;

	if (settings->key_count == 0)
		return;
	for (size_t i = 0; i < settings->key_count; i++)
		chains[i] = settings->keys[i].certificate_pem;
	renewed = tls_server_new(chains, settings->key_count, &signer, &error);
	if (renewed == NULL) {
		log_error("tls-certificate", "why=\"%s\"", error.text);
		return;
	}
	tls_server_free(tls);
	*tls = renewed;
}
