/*
 * Is this what a TLS server signs in a handshake, and nothing else?  Bytes in,
 * verdict out.
 */
#ifndef KEYD_SIGN_BLOCK_H
#define KEYD_SIGN_BLOCK_H

#include "common/text.h"

#include <stdint.h>

enum sign_block {
	SIGN_BLOCK_NONE,  /* refuse */
	SIGN_BLOCK_TLS13, /* CertificateVerify, RFC 8446 4.4.3 */
	SIGN_BLOCK_TLS12  /* ServerKeyExchange, RFC 8422 5.4 */
};

enum sign_block sign_block_find(struct text block);

#endif
