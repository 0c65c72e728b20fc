/*
 * smtp_data_scan: the first byte says how long the chunks are; the outcome must
 * be the same as in one piece.
 */
#include "smtpd/smtp_data.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_SIZE = 4096
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
scan(const uint8_t *in, size_t size, size_t chunk, uint8_t *out,
    struct smtp_data *data)
{
	size_t at = 0, used, made, out_size = 0, left;
	enum smtp_data_step step = SMTP_DATA_MORE;

	smtp_data_init(data, true);
	while (at < size && step != SMTP_DATA_END) {
		left = size - at < chunk ? size - at : chunk;
		step = smtp_data_scan(data, in + at, left, &used,
		    out + out_size, SMTP_DATA_MIN_ROOM + chunk, &made);
		at += used;
		out_size += made;
	}
	return out_size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t one[3 * MAX_SIZE + 64], two[3 * MAX_SIZE + 64];
	struct smtp_data a, b;
	size_t made;

	if (size < 2 || size > MAX_SIZE)
		return 0;
	made = scan(data + 1, size - 1, MAX_SIZE, one, &a);
	if (scan(data + 1, size - 1, 1 + data[0] % 32, two, &b) != made ||
	    memcmp(one, two, made) != 0 || a.defects != b.defects ||
	    a.state != b.state)
		abort();
	return 0;
}
