/*
 * The messages between Firnmail's processes, made from the rows of
 * messages.def: a struct for each message, and one decoder and one encoder
 * that know them all.  What is not a row there cannot be said.
 *
 * A packet is a u16 message type and then the fields of the row in their
 * order, as common/codec.h writes them.
 */
#ifndef COMMON_MESSAGES_H
#define COMMON_MESSAGES_H

#include "common/error.h"
#include "common/text.h"

#include <stddef.h>
#include <stdint.h>

enum {
	MESSAGE_MAX_SIZE = 65536
};

enum role {
	ROLE_MASTER,
	ROLE_LOGGER,
	ROLE_SNAPD,
	ROLE_KEYD,
	ROLE_BROKER,
	ROLE_AUTHD,
	ROLE_SMTPD,
	ROLE_QUEUE,
	ROLE_IMAPD,
	ROLE_WORKER,
	ROLE_SNAPCTL,
	ROLE_FIRNMAIL,
	ROLE_VERIFY,
	ROLE_IMPORT,
	ROLE_DRILL,
	ROLE_SPOOL,
	ROLE_RELAY,
	ROLE_RESOLVER,
	ROLE_FETCHER,
	ROLE_COUNT,
	/* In rows only. */
	ROLE_STARTER, /* whoever started the process: master or broker */
	ROLE_ANY      /* every process, to its starter or logger */
};

/* Lower-case name for logs and tables: "snapd", "smtpd", "queue" ... */
const char *role_name(enum role role);

/* How a row takes part in flow control. */
enum message_flow {
	FLOW_REQUEST, /* is answered by exactly one FLOW_ANSWER */
	FLOW_ANSWER,
	FLOW_PART,  /* belongs to the request that follows it */
	FLOW_NOTICE /* is not answered */
};

/* Sizes of fixed runs of bytes. */
struct delivery_id {
	uint8_t bytes[18]; /* 16 random, 2 recipient number */
};
struct hash {
	uint8_t bytes[32]; /* SHA-256 */
};
struct store_id {
	uint8_t bytes[16];
};

enum message_type {
#define MESSAGE(number, name, from, to, flow, fds, ...) MESSAGE_##name = number,
#include "common/messages.def"
#undef MESSAGE
};

/* struct message_accept and so on. */
#define U8(name)          uint8_t name;
#define U16(name)         uint16_t name;
#define U32(name)         uint32_t name;
#define U64(name)         uint64_t name;
#define I64(name)         int64_t name;
#define DELIVERY_ID(name) struct delivery_id name;
#define HASH(name)        struct hash name;
#define STORE_ID(name)    struct store_id name;
#define STRING(name, max) struct text name;
#define BYTES(name, max)  struct text name;
#define MESSAGE(number, name, from, to, flow, fds, ...) \
	struct message_##name {                         \
		__VA_ARGS__                             \
	};
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

struct message {
	enum message_type type;
	union {
#define MESSAGE(number, name, from, to, flow, fds, ...) \
	struct message_##name name;
#include "common/messages.def"
#undef MESSAGE
	};
};

/* A row of the table. */
struct message_rule {
	uint16_t type;
	const char *name;
	enum role from;
	enum role to;
	enum message_flow flow;
	unsigned char max_fds;
	size_t min_size; /* of the whole packet */
	size_t max_size;
};

/* The row for a type, or NULL. */
const struct message_rule *message_rule_find(uint16_t type);

/* All rows in the order of the file. */
const struct message_rule *message_rules(size_t *count);

/* The packet of `message` into `data` (MESSAGE_MAX_SIZE bytes). Its size, or 0
 * if a field is longer than its row allows. */
size_t message_encode(const struct message *message, uint8_t *data);

/*
 * 0, or -1 with ERROR_INPUT if the packet has no row from `from` to `to`, is
 * shorter or longer than its fields, or a field passes its limit. Texts point
 * into `data`.
 */
int message_decode(const uint8_t *data, size_t size, enum role from,
    enum role to, struct message *message, struct error *error);

#endif
