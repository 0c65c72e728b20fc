/*
 * The two forms that keyd signs:
 *
 *   TLS 1.3: 64 spaces, "TLS 1.3, server CertificateVerify", NUL, a hash
 *            (32 or 48 bytes)
 *   TLS 1.2: client random (32), server random (32), then ServerECDHParams:
 *            3, named curve, length, point
 *
 * They cannot be taken for each other: after 64 bytes stands 'T' or 3.
 */
#include "keyd/sign_block.h"

#include <string.h>

enum {
	PREFIX_SIZE = 64, /* spaces, or the two randoms */
	CURVE_P256 = 0x0017,
	CURVE_P384 = 0x0018,
	CURVE_X25519 = 0x001d,
	CURVE_TYPE_NAMED = 3,
	POINT_UNCOMPRESSED = 4
};

static const char certificate_verify[] = "TLS 1.3, server CertificateVerify";

static enum sign_block
check_tls13(struct text block)
{
	size_t head = PREFIX_SIZE + sizeof(certificate_verify);

	if (block.size != head + 32 && block.size != head + 48)
		return SIGN_BLOCK_NONE;
	for (size_t i = 0; i < PREFIX_SIZE; i++)
		if (block.data[i] != ' ')
			return SIGN_BLOCK_NONE;
	if (memcmp(block.data + PREFIX_SIZE, certificate_verify,
		sizeof(certificate_verify)) != 0)
		return SIGN_BLOCK_NONE;
	return SIGN_BLOCK_TLS13;
}

static size_t
point_size(unsigned int curve)
{
	switch (curve) {
	case CURVE_P256:
		return 65;
	case CURVE_P384:
		return 97;
	case CURVE_X25519:
		return 32;
	default:
		return 0;
	}
}

static enum sign_block
check_tls12(struct text block)
{
	const uint8_t *params = (const uint8_t *)block.data + PREFIX_SIZE;
	unsigned int curve;
	size_t size;

	if (block.size < PREFIX_SIZE + 4)
		return SIGN_BLOCK_NONE;
	curve = (unsigned int)(params[1] << 8 | params[2]);
	size = point_size(curve);
	if (size == 0 || params[3] != size ||
	    block.size != PREFIX_SIZE + 4 + size)
		return SIGN_BLOCK_NONE;
	if (curve != CURVE_X25519 && params[4] != POINT_UNCOMPRESSED)
		return SIGN_BLOCK_NONE;
	return SIGN_BLOCK_TLS12;
}

enum sign_block
sign_block_find(struct text block)
{
	if (block.size <= PREFIX_SIZE)
		return SIGN_BLOCK_NONE;
	if ((uint8_t)block.data[PREFIX_SIZE] == CURVE_TYPE_NAMED)
		return check_tls12(block);
	return check_tls13(block);
}
