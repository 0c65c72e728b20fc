/* What tests call what the relay says: enum relay_outcome and relay_trouble. */
#ifndef TESTS_UNIT_RELAY_WORDS_H
#define TESTS_UNIT_RELAY_WORDS_H

static const char *const relay_outcomes[] = { "delivered", "deferred", "failed",
	"passed" };
static const char *const relay_troubles[] = { "none", "message", "destination",
	"busy" };

#endif
