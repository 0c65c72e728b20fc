/*
 * The provider "firnmail": key management for EC and RSA that holds a public
 * key of the default provider and a number, and digest-sign that hands the
 * bytes which are to be signed to keyd through the signer.  It never exports
 * anything private, since it has nothing private.
 */
#include "common/tls_provider.h"

#include "common/memory.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define PROPERTIES "provider=firnmail"
#define KEY_PARAM  "firnmail-key"

struct provider_key {
	OSSL_LIB_CTX *library;
	bool is_rsa;
	EVP_PKEY *public;
	uint32_t number;
	const struct tls_signer *signer; /* NULL: a public key only */
};

struct provider_signature {
	const struct provider_key *key;
	uint16_t hash; /* high byte of the old SignatureScheme: 4, 5, 6 */
	bool is_pss;
};

/* -- Keys -- */

static void *
key_new(void *library, bool is_rsa)
{
	struct provider_key *key = memory_new(1, sizeof(*key));

	key->library = library;
	key->is_rsa = is_rsa;
	return key;
}

static void *
key_new_ec(void *library)
{
	return key_new(library, false);
}

static void *
key_new_rsa(void *library)
{
	return key_new(library, true);
}

static void
key_free(void *data)
{
	struct provider_key *key = data;

	if (key == NULL)
		return;
	EVP_PKEY_free(key->public);
	memory_free(&key);
}

static int
key_has(const void *data, int selection)
{
	const struct provider_key *key = data;

	if (key->public == NULL)
		return 0;
	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 ||
	       key->signer != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct provider_key *one = a;
	const struct provider_key *two = b;

	return one->public != NULL && two->public != NULL &&
	       EVP_PKEY_eq(one->public, two->public) == 1;
}

/* The public key of another provider, to be compared with ours. */
static int
import_public(struct provider_key *key, const OSSL_PARAM params[])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(
	    key->library, key->is_rsa ? "RSA" : "EC", "provider=default");
	int ok = context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
		 EVP_PKEY_fromdata(context, &key->public, EVP_PKEY_PUBLIC_KEY,
		     (OSSL_PARAM *)(uintptr_t)params) == 1;

	EVP_PKEY_CTX_free(context);
	return ok;
}

static int
key_import(void *data, int selection, const OSSL_PARAM params[])
{
	struct provider_key *key = data;
	const OSSL_PARAM *own = OSSL_PARAM_locate_const(params, KEY_PARAM);
	const struct provider_key *from;
	const void *pointer;
	size_t size;

	if (own == NULL)
		return import_public(key, params);
	if (OSSL_PARAM_get_octet_ptr(own, &pointer, &size) != 1)
		return 0;
	from = pointer;
	if (EVP_PKEY_up_ref(from->public) != 1)
		return 0;
	key->public = from->public;
	key->number = from->number;
	key->signer = from->signer;
	return 1;
}

static const OSSL_PARAM *
key_import_types(int selection)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_octet_ptr(
						KEY_PARAM, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0), OSSL_PARAM_END };

	return types;
}

static const OSSL_PARAM *
key_gettable(void *library)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_int(
						OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_END };

	return types;
}

static int
key_get_params(void *data, OSSL_PARAM params[])
{
	struct provider_key *key = data;

	return key->public != NULL && EVP_PKEY_get_params(key->public, params);
}

static const char *
name_ecdsa(int operation)
{
	return "ECDSA";
}

static const char *
name_rsa(int operation)
{
	return "RSA";
}

typedef void (*dispatch_function)(void);
#define FUNCTION(number, name)                  \
	{                                       \
		number, (dispatch_function)name \
	}

#define KEY_FUNCTIONS                                                   \
	FUNCTION(OSSL_FUNC_KEYMGMT_FREE, key_free),                     \
	    FUNCTION(OSSL_FUNC_KEYMGMT_HAS, key_has),                   \
	    FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, key_match),               \
	    FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, key_import),             \
	    FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types), \
	    FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),     \
	    FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),  \
	{                                                               \
		0, NULL                                                 \
	}

static const OSSL_DISPATCH ec_functions[] = { FUNCTION(OSSL_FUNC_KEYMGMT_NEW,
						  key_new_ec),
	FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, name_ecdsa),
	KEY_FUNCTIONS };
static const OSSL_DISPATCH rsa_functions[] = { FUNCTION(OSSL_FUNC_KEYMGMT_NEW,
						   key_new_rsa),
	FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, name_rsa),
	KEY_FUNCTIONS };

/* -- Signatures -- */

static void *
signature_new(void *library, const char *properties)
{
	return memory_new(1, sizeof(struct provider_signature));
}

static void
signature_free(void *data)
{
	memory_free(&data);
}

static void *
signature_copy(void *data)
{
	return memory_copy(data, sizeof(struct provider_signature));
}

static int
set_padding(struct provider_signature *signature, const OSSL_PARAM *param)
{
	int mode;

	if (param->data_type == OSSL_PARAM_UTF8_STRING) {
		const char *name = param->data;

		signature->is_pss =
		    strcmp(name, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
		return signature->is_pss ||
		       strcmp(name, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0;
	}
	if (OSSL_PARAM_get_int(param, &mode) != 1)
		return 0;
	signature->is_pss = mode == RSA_PKCS1_PSS_PADDING;
	return signature->is_pss || mode == RSA_PKCS1_PADDING;
}

static int
signature_set_params(void *data, const OSSL_PARAM params[])
{
	const OSSL_PARAM *padding;

	if (params == NULL)
		return 1;
	padding =
	    OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	return padding == NULL || set_padding(data, padding);
}

static const OSSL_PARAM *
signature_settable(void *data, void *library)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(
		    OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_utf8_string(
		    OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_END
	};

	return types;
}

static int
signature_init(
    void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct provider_signature *signature = data;

	signature->key = key;
	if (digest == NULL)
		return 0;
	if (strcasecmp(digest, "SHA256") == 0 ||
	    strcasecmp(digest, "SHA2-256") == 0)
		signature->hash = 4;
	else if (strcasecmp(digest, "SHA384") == 0 ||
		 strcasecmp(digest, "SHA2-384") == 0)
		signature->hash = 5;
	else if (strcasecmp(digest, "SHA512") == 0 ||
		 strcasecmp(digest, "SHA2-512") == 0)
		signature->hash = 6;
	else
		return 0;
	return signature_set_params(signature, params);
}

/* RFC 8446 4.2.3 */
static uint16_t
signature_scheme(const struct provider_signature *signature)
{
	if (!signature->key->is_rsa)
		return (uint16_t)(signature->hash << 8 | 3);
	if (signature->is_pss)
		return (uint16_t)(0x0800 | signature->hash);
	return (uint16_t)(signature->hash << 8 | 1);
}

static int
signature_sign(void *data, unsigned char *to, size_t *size, size_t max_size,
    const unsigned char *block, size_t block_size)
{
	const struct provider_signature *signature = data;
	const struct provider_key *key = signature->key;

	if (key == NULL || key->signer == NULL)
		return 0;
	if (to == NULL) {
		*size = (size_t)EVP_PKEY_get_size(key->public);
		return 1;
	}
	*size = max_size;
	return key->signer->sign(key->number, signature_scheme(signature),
		   block, block_size, to, size, key->signer->context) == 0;
}

static const OSSL_DISPATCH signature_functions[] = {
	FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, signature_new),
	FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, signature_free),
	FUNCTION(OSSL_FUNC_SIGNATURE_DUPCTX, signature_copy),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signature_init),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signature_sign),
	FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signature_set_params),
	FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signature_settable),
	{ 0, NULL }
};

/* -- The provider -- */

static const OSSL_ALGORITHM key_algorithms[] = {
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", PROPERTIES, ec_functions,
	    NULL },
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTIES, rsa_functions,
	    NULL },
	{ NULL, NULL, NULL, NULL }
};
static const OSSL_ALGORITHM signature_algorithms[] = {
	{ "ECDSA", PROPERTIES, signature_functions, NULL },
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTIES,
	    signature_functions, NULL },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM *
provider_query(void *library, int operation, int *no_cache)
{
	*no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return key_algorithms;
	if (operation == OSSL_OP_SIGNATURE)
		return signature_algorithms;
	return NULL;
}

static OSSL_LIB_CTX *loading; /* the context that the provider is for */

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **context)
{
	static const OSSL_DISPATCH functions[] = {
		FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
		{ 0, NULL }
	};

	*out = functions;
	*context = loading;
	return 1;
}

int
tls_provider_load(OSSL_LIB_CTX *library, struct tls_providers *providers)
{
	loading = library;
	providers->system = OSSL_PROVIDER_load(library, "default");
	if (providers->system == NULL ||
	    OSSL_PROVIDER_add_builtin(library, "firnmail", provider_init) != 1)
		return -1;
	providers->own = OSSL_PROVIDER_load(library, "firnmail");
	return providers->own != NULL ? 0 : -1;
}

void
tls_provider_unload(struct tls_providers *providers)
{
	if (providers->own != NULL)
		OSSL_PROVIDER_unload(providers->own);
	if (providers->system != NULL)
		OSSL_PROVIDER_unload(providers->system);
	*providers = (struct tls_providers){ NULL, NULL };
}

EVP_PKEY *
tls_provider_key(OSSL_LIB_CTX *library, EVP_PKEY *public, uint32_t number,
    const struct tls_signer *signer)
{
	struct provider_key from = { library, false, public, number, signer };
	void *pointer = &from;
	OSSL_PARAM params[] = { OSSL_PARAM_octet_ptr(
				    KEY_PARAM, &pointer, sizeof(from)),
		OSSL_PARAM_END };
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(
	    library, EVP_PKEY_is_a(public, "RSA") ? "RSA" : "EC", PROPERTIES);
	EVP_PKEY *key = NULL;

	if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}
