/*
 * Any bytes as a sealed secret, and as a recovery key that somebody typed: what
 * opens is what was sealed, whole.
 */
#include "common/digest.h"
#include "common/sealed_secret.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MAX = 1 << 20
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t ones[RECOVERY_KEY_SIZE] = { 1, 1, 1, 1 };
	uint8_t key[RECOVERY_KEY_SIZE];
	struct buf secret;
	struct error error;

	digest_prepare();
	buf_init(&secret, MAX);
	if (sealed_secret_open(text_make(data, size), text_make(NULL, 0), ones,
		&secret, &error) == 0 &&
	    (secret.size >= size || !sealed_secret_is(text_make(data, size))))
		abort();
	buf_clear(&secret);
	(void)recovery_key_parse(text_make(data, size), key);
	return 0;
}
