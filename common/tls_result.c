/* See tls_result.h. */
#include "common/tls_result.h"

const char *
tls_policy_name(enum tls_policy policy)
{
	static const char *const names[TLS_POLICIES] = {
		[TLS_POLICY_NONE] = "no-policy-found",
		[TLS_POLICY_TLSA] = "tlsa",
		[TLS_POLICY_STS] = "sts",
	};

	return names[policy];
}

const char *
tls_result_name(enum tls_result result)
{
	static const char *const names[TLS_RESULTS] = {
		[TLS_RESULT_SUCCESS] = "none",
		[TLS_RESULT_NO_STARTTLS] = "starttls-not-supported",
		[TLS_RESULT_NAME] = "certificate-host-mismatch",
		[TLS_RESULT_EXPIRED] = "certificate-expired",
		[TLS_RESULT_UNTRUSTED] = "certificate-not-trusted",
		[TLS_RESULT_OTHER] = "validation-failure",
		[TLS_RESULT_TLSA] = "tlsa-invalid",
		[TLS_RESULT_DNSSEC] = "dnssec-invalid",
		[TLS_RESULT_DANE_REQUIRED] = "dane-required",
		[TLS_RESULT_STS_FETCH] = "sts-policy-fetch-error",
		[TLS_RESULT_STS_POLICY] = "sts-policy-invalid",
		[TLS_RESULT_STS_WEBPKI] = "sts-webpki-invalid",
	};

	return names[result];
}
