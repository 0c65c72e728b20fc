/*
 * See messages.h.  Encoder, decoder and the table of rules are made from the
 * same rows, so that they cannot disagree.
 */
#include "common/messages.h"

#include "common/codec.h"

#include <stdbool.h>

/* -- The table -- */

/* Sizes of the fields on the wire: at least, then at most. */
#define U8(name)          +1
#define U16(name)         +2
#define U32(name)         +4
#define U64(name)         +8
#define I64(name)         +8
#define DELIVERY_ID(name) +18
#define HASH(name)        +32
#define STORE_ID(name)    +16
#define STRING(name, max) +4
#define BYTES(name, max)  +4
#define MESSAGE(number, name, from, to, flow, fds, ...) \
	MIN_SIZE_##name = 2 __VA_ARGS__,
enum {
#include "common/messages.def"
};
#undef MESSAGE
#undef STRING
#undef BYTES
#define STRING(name, max) +4 + (max)
#define BYTES(name, max)  +4 + (max)
#define MESSAGE(number, name, from, to, flow, fds, ...) \
	MAX_SIZE_##name = 2 __VA_ARGS__,
enum {
#include "common/messages.def"
};
#undef MESSAGE
#define MESSAGE(number, name, from, to, flow, fds, ...) \
	_Static_assert((size_t)MAX_SIZE_##name <= MESSAGE_MAX_SIZE, #name);
#include "common/messages.def"
#undef MESSAGE
#undef U8
#undef U16
#undef U32
#undef U64
#undef I64
#undef DELIVERY_ID
#undef HASH
#undef STORE_ID
#undef STRING
#undef BYTES

static const struct message_rule rules[] = {
#define MESSAGE(number, name, from, to, flow, fds, ...)            \
	{ number, #name, ROLE_##from, ROLE_##to, FLOW_##flow, fds, \
		MIN_SIZE_##name, MAX_SIZE_##name },
#include "common/messages.def"
#undef MESSAGE
};

const struct message_rule *
message_rules(size_t *count)
{
	*count = sizeof(rules) / sizeof(rules[0]);
	return rules;
}

enum {
#define MESSAGE(number, name, from, to, flow, fds, ...) PLACE_##name,
#include "common/messages.def"
#undef MESSAGE
};

const struct message_rule *
message_rule_find(uint16_t type)
{
	switch (type) {
#define MESSAGE(number, name, from, to, flow, fds, ...) \
	case number:                                    \
		return &rules[PLACE_##name];
#include "common/messages.def"
#undef MESSAGE
	default:
		return NULL;
	}
}

const char *
role_name(enum role role)
{
	static const char *const names[ROLE_COUNT] = {
		[ROLE_MASTER] = "master",
		[ROLE_LOGGER] = "logger",
		[ROLE_SNAPD] = "snapd",
		[ROLE_KEYD] = "keyd",
		[ROLE_BROKER] = "broker",
		[ROLE_AUTHD] = "authd",
		[ROLE_SMTPD] = "smtpd",
		[ROLE_QUEUE] = "queue",
		[ROLE_IMAPD] = "imapd",
		[ROLE_WORKER] = "worker",
		[ROLE_SNAPCTL] = "snapctl",
		[ROLE_FIRNMAIL] = "firnmail",
		[ROLE_VERIFY] = "verify",
		[ROLE_IMPORT] = "import",
		[ROLE_DRILL] = "drill",
		[ROLE_SPOOL] = "spool",
		[ROLE_RELAY] = "relay",
		[ROLE_RESOLVER] = "resolver",
		[ROLE_FETCHER] = "fetcher",
	};

	if ((unsigned int)role >= ROLE_COUNT)
		return "unknown";
	return names[role];
}

/* -- Packets -- */

#define U8(name)          writer_put_u8(&w, m->name);
#define U16(name)         writer_put_u16(&w, m->name);
#define U32(name)         writer_put_u32(&w, m->name);
#define U64(name)         writer_put_u64(&w, m->name);
#define I64(name)         writer_put_u64(&w, (uint64_t)m->name);
#define DELIVERY_ID(name) writer_put_raw(&w, m->name.bytes, 18);
#define HASH(name)        writer_put_raw(&w, m->name.bytes, 32);
#define STORE_ID(name)    writer_put_raw(&w, m->name.bytes, 16);
#define STRING(name, max) writer_put_text(&w, m->name, max);
#define BYTES(name, max)  writer_put_text(&w, m->name, max);
#define MESSAGE(number, label, from, to, flow, fds, ...)           \
	case number: {                                             \
		const struct message_##label *m = &message->label; \
		__VA_ARGS__                                        \
		break;                                             \
	}

size_t
message_encode(const struct message *message, uint8_t *data)
{
	struct writer w;

	writer_init(&w, data, MESSAGE_MAX_SIZE);
	writer_put_u16(&w, (uint16_t)message->type);
	switch ((uint16_t)message->type) {
#include "common/messages.def"
	default:
		return 0;
	}
	return w.failed ? 0 : w.size;
}

#undef MESSAGE
#undef U8
#undef U16
#undef U32
#undef U64
#undef I64
#undef DELIVERY_ID
#undef HASH
#undef STORE_ID
#undef STRING
#undef BYTES

#define U8(name)          m->name = reader_get_u8(&r);
#define U16(name)         m->name = reader_get_u16(&r);
#define U32(name)         m->name = reader_get_u32(&r);
#define U64(name)         m->name = reader_get_u64(&r);
#define I64(name)         m->name = (int64_t)reader_get_u64(&r);
#define DELIVERY_ID(name) reader_get_raw(&r, m->name.bytes, 18);
#define HASH(name)        reader_get_raw(&r, m->name.bytes, 32);
#define STORE_ID(name)    reader_get_raw(&r, m->name.bytes, 16);
#define STRING(name, max) m->name = reader_get_text(&r, max);
#define BYTES(name, max)  m->name = reader_get_text(&r, max);
#define MESSAGE(number, label, from, to, flow, fds, ...)     \
	case number: {                                       \
		struct message_##label *m = &message->label; \
		__VA_ARGS__                                  \
		break;                                       \
	}

static bool
is_role(enum role rule, enum role role)
{
	if (rule == ROLE_ANY)
		return true;
	if (rule == ROLE_STARTER)
		return role == ROLE_MASTER || role == ROLE_BROKER;
	return rule == role;
}

int
message_decode(const uint8_t *data, size_t size, enum role from, enum role to,
    struct message *message, struct error *error)
{
	const struct message_rule *rule;
	struct reader r;
	uint16_t type;

	reader_init(&r, data, size);
	type = reader_get_u16(&r);
	rule = r.failed ? NULL : message_rule_find(type);
	if (rule == NULL)
		return error_set(error, ERROR_INPUT,
		    "unknown message type 0x%04x of %zu bytes", type, size);
	if (!is_role(rule->from, from) || !is_role(rule->to, to))
		return error_set(error, ERROR_INPUT,
		    "message %s is not for %s to say to %s", rule->name,
		    role_name(from), role_name(to));
	message->type = type;
	switch (type) {
#include "common/messages.def"
	}
	if (reader_done(&r) == -1)
		return error_set(error, ERROR_INPUT,
		    "message %s has the wrong length %zu", rule->name, size);
	return 0;
}
