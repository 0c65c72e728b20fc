/* See certificate.h. */
#include "firnmail/certificate.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	CERTIFICATE_DAYS = 3650,
	CERTIFICATE_SERIAL_BYTES = 16
};

static bool
add_extension(X509 *certificate, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool is_added;

	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	is_added =
	    extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return is_added;
}

/* RFC 5280 4.1.2.2: positive, and unlike any other. */
static bool
set_serial(X509 *certificate)
{
	unsigned char bytes[CERTIFICATE_SERIAL_BYTES];
	BIGNUM *number;
	bool is_set;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (bytes[0] & 0x7f) | 0x40;
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	is_set =
	    number != NULL && BN_to_ASN1_INTEGER(number,
				  X509_get_serialNumber(certificate)) != NULL;
	BN_free(number);
	return is_set;
}

/* The name is an ASN.1 common name of at most 64 bytes: a longer host stands
 * in the alternative name only, which is the one that is looked at. */
static bool
set_names(X509 *certificate, const char *host)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	const char *common = strlen(host) <= 64 ? host : "firnmail";
	char alternative[300];

	(void)snprintf(alternative, sizeof(alternative), "DNS:%s", host);
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		   (const unsigned char *)common, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(certificate, name) == 1 &&
	       add_extension(certificate, NID_subject_alt_name, alternative) &&
	       add_extension(
		   certificate, NID_basic_constraints, "critical,CA:TRUE") &&
	       add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
	       add_extension(certificate, NID_subject_key_identifier, "hash");
}

static bool
fill(X509 *certificate, EVP_PKEY *key, const char *host)
{
	return X509_set_version(certificate, X509_VERSION_3) == 1 &&
	       set_serial(certificate) &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) !=
		   NULL &&
	       X509_time_adj_ex(X509_getm_notAfter(certificate),
		   CERTIFICATE_DAYS, 0, NULL) != NULL &&
	       X509_set_pubkey(certificate, key) == 1 &&
	       set_names(certificate, host) &&
	       X509_sign(certificate, key, EVP_sha256()) > 0;
}

static int
take_bytes(BIO *bio, struct buf *to)
{
	char *data;
	long size = BIO_get_mem_data(bio, &data);
	int status = size > 0 ? buf_put(to, data, (size_t)size) : -1;

	return status;
}

static int
write_pem(X509 *certificate, EVP_PKEY *key, struct buf *certificate_pem,
    struct buf *key_pem)
{
	BIO *public = BIO_new(BIO_s_mem());
	BIO *private = BIO_new(BIO_s_secmem());
	int status = -1;

	if (public != NULL && private != NULL &&
	    PEM_write_bio_X509(public, certificate) == 1 &&
	    PEM_write_bio_PrivateKey(private, key, NULL, NULL, 0, NULL, NULL) ==
		1)
		status = take_bytes(public, certificate_pem) |
			 take_bytes(private, key_pem);
	BIO_free(public);
	BIO_free(private);
	return status;
}

int
certificate_make(const char *host, struct buf *certificate, struct buf *key,
    struct error *error)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	X509 *x509 = X509_new();
	int status = -1;

	if (pair != NULL && x509 != NULL && fill(x509, pair, host))
		status = write_pem(x509, pair, certificate, key);
	X509_free(x509);
	EVP_PKEY_free(pair);
	if (status == 0)
		return 0;
	return error_set(
	    error, ERROR_UNAVAILABLE, "no certificate could be made");
}

int
certificate_key_hash(const char *pem, struct hash *hash)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate =
	    bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	unsigned char *der = NULL;
	int size = -1, status = -1;

	if (certificate != NULL)
		size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	if (size > 0 && EVP_Digest(der, (size_t)size, hash->bytes, NULL,
			    EVP_sha256(), NULL) == 1)
		status = 0;
	OPENSSL_free(der);
	X509_free(certificate);
	BIO_free(bio);
	return status;
}
