/*
 * SASL PLAIN and LOGIN: pure state machines over lines of base64.
 */
#include "common/sasl.h"

#include "common/base64.h"

#include <string.h>

enum {
	STEP_RESPONSE, /* PLAIN: all of it; LOGIN: the user name */
	STEP_PASSWORD
};

static const char *const login_challenges[] = {
	[STEP_RESPONSE] = "VXNlcm5hbWU6", /* Username: */
	[STEP_PASSWORD] = "UGFzc3dvcmQ6"  /* Password: */
};

void
sasl_clear(struct sasl *sasl)
{
	explicit_bzero(sasl, sizeof(*sasl));
}

struct text
sasl_user(const struct sasl *sasl)
{
	return text_make(sasl->user, sasl->user_size);
}

struct text
sasl_password(const struct sasl *sasl)
{
	return text_make(sasl->password, sasl->password_size);
}

static enum sasl_step
take_user(struct sasl *sasl, struct text user)
{
	if (user.size == 0 || user.size > sizeof(sasl->user) ||
	    !text_is_utf8(user) || text_find_byte(user, '\0') != -1)
		return SASL_MALFORMED;
	memcpy(sasl->user, user.data, user.size);
	sasl->user_size = user.size;
	return SASL_DONE;
}

static enum sasl_step
take_password(struct sasl *sasl, struct text password)
{
	if (password.size == 0 || password.size > sizeof(sasl->password) ||
	    text_find_byte(password, '\0') != -1)
		return SASL_MALFORMED;
	memcpy(sasl->password, password.data, password.size);
	sasl->password_size = password.size;
	return SASL_DONE;
}

/* message = [authzid] NUL authcid NUL passwd */
static enum sasl_step
take_plain(struct sasl *sasl, struct text message)
{
	ptrdiff_t first = text_find_byte(message, '\0'), second;
	struct text authzid, user;

	if (first == -1)
		return SASL_MALFORMED;
	authzid = text_make(message.data, (size_t)first);
	message = text_skip(message, (size_t)first + 1);
	second = text_find_byte(message, '\0');
	if (second == -1)
		return SASL_MALFORMED;
	user = text_make(message.data, (size_t)second);
	if (take_user(sasl, user) != SASL_DONE)
		return SASL_MALFORMED;
	/* Names of accounts have no case. */
	if (authzid.size > 0 && !text_equal_nocase(authzid, user))
		return SASL_REFUSED;
	return take_password(sasl, text_skip(message, (size_t)second + 1));
}

static enum sasl_step
take_login(struct sasl *sasl, struct text response)
{
	if (sasl->step == STEP_PASSWORD)
		return take_password(sasl, response);
	if (take_user(sasl, response) != SASL_DONE)
		return SASL_MALFORMED;
	sasl->step = STEP_PASSWORD;
	sasl->challenge = login_challenges[STEP_PASSWORD];
	return SASL_CHALLENGE;
}

/* `encoded` is one response; what was decoded is wiped. */
static enum sasl_step
take_response(struct sasl *sasl, struct text encoded)
{
	uint8_t decoded[SASL_MAX_LINE_SIZE];
	enum sasl_step step = SASL_MALFORMED;
	struct text response;
	size_t size;

	if (encoded.size <= SASL_MAX_LINE_SIZE &&
	    base64_decode(encoded, decoded, sizeof(decoded), &size) == 0) {
		response = text_make(decoded, size);
		step = sasl->mechanism == SASL_MECHANISM_PLAIN
			   ? take_plain(sasl, response)
			   : take_login(sasl, response);
	}
	explicit_bzero(decoded, sizeof(decoded));
	return step;
}

enum sasl_step
sasl_start(struct sasl *sasl, struct text mechanism, struct text initial)
{
	memset(sasl, 0, sizeof(*sasl));
	if (text_is_nocase(mechanism, "PLAIN")) {
		sasl->mechanism = SASL_MECHANISM_PLAIN;
		sasl->challenge = "";
	} else if (text_is_nocase(mechanism, "LOGIN")) {
		sasl->mechanism = SASL_MECHANISM_LOGIN;
		sasl->challenge = login_challenges[STEP_RESPONSE];
	} else {
		return SASL_UNKNOWN;
	}
	if (initial.data == NULL)
		return SASL_CHALLENGE;
	if (text_is(initial, "="))
		initial.size = 0;
	return take_response(sasl, initial);
}

enum sasl_step
sasl_continue(struct sasl *sasl, struct text line)
{
	if (sasl->mechanism == SASL_MECHANISM_NONE)
		return SASL_MALFORMED;
	if (text_is(line, "*"))
		return SASL_CANCELLED;
	return take_response(sasl, line);
}
