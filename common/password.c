/* See password.h. */
#include "common/password.h"

#include "common/memory.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>

int
password_hash(const char *password, bool is_cheap, char to[PASSWORD_HASH_SIZE],
    struct error *error)
{
	struct crypt_data *data;
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *hash;
	int n = -1;

	if (password[0] == '\0')
		return error_set(error, ERROR_INPUT, "the password is empty");
	if (strlen(password) > PASSWORD_MAX_BYTES)
		return error_set(error, ERROR_LIMIT,
		    "the password is longer than %d bytes", PASSWORD_MAX_BYTES);
	if (crypt_gensalt_rn(is_cheap ? "$6$" : "$y$", is_cheap ? 1000 : 0,
		NULL, 0, setting, sizeof(setting)) == NULL)
		return error_set_errno(error, "crypt_gensalt");
	data = memory_new(1, sizeof(*data));
	hash = crypt_rn(password, setting, data, sizeof(*data));
	if (hash != NULL)
		n = snprintf(to, PASSWORD_HASH_SIZE, "{CRYPT}%s", hash);
	explicit_bzero(data, sizeof(*data));
	memory_free(&data);
	if (n < 0 || n >= PASSWORD_HASH_SIZE)
		return error_set(
		    error, ERROR_UNAVAILABLE, "crypt made no hash");
	return 0;
}
