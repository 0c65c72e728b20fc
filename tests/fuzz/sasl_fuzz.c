/*
 * SASL exchanges: lines separated by LF, the first one is the mechanism.
 */
#include "common/sasl.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text rest = text_make(data, size), line;
	enum sasl_step step;
	struct sasl sasl;

	if (size == 0 || !text_next(&rest, '\n', &line))
		return 0;
	step = sasl_start(&sasl, line, (struct text){ NULL, 0 });
	while (step == SASL_CHALLENGE && text_next(&rest, '\n', &line))
		step = sasl_continue(&sasl, line);
	if (step == SASL_DONE &&
	    (sasl_user(&sasl).size == 0 || sasl_password(&sasl).size == 0))
		abort();
	sasl_clear(&sasl);
	return 0;
}
