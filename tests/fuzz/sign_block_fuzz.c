/*
 * What keyd would sign, written down a second time: whatever is found must
 * have the fixed parts of its form, byte for byte, and its exact length.
 */
#include "keyd/sign_block.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int holds)
{
	if (!holds)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char words[] = "TLS 1.3, server CertificateVerify";
	enum sign_block form = sign_block_find(text_make(data, size));

	if (form == SIGN_BLOCK_TLS13) {
		must(size == 64 + 34 + 32 || size == 64 + 34 + 48);
		for (size_t i = 0; i < 64; i++)
			must(data[i] == 0x20);
		must(memcmp(data + 64, words, 34) == 0);
	} else if (form == SIGN_BLOCK_TLS12) {
		must(size == 133 || size == 165 || size == 100);
		must(data[64] == 3 && data[65] == 0);
		must(data[67] == size - 68);
		must(data[66] == (size == 133 ? 23 : size == 165 ? 24 : 29));
		must(size == 100 || data[68] == 4);
	}
	return 0;
}
