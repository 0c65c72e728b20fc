/*
 * See accept_layout.h.
 */
#include "snapd/accept_layout.h"

#include "common/messages.h"
#include "common/record.h"
#include "common/table.h"

#include <string.h>

enum {
	/* Raised where the log's own fields are changed (accept_log.c,
	 * batch_parts.c). */
	FORM = 2,
	SAMPLES_MAX = 200
};

static const uint8_t key[16] = "accepted layout";

#define U8(name)          "u8 "
#define U16(name)         "u16 "
#define U32(name)         "u32 "
#define U64(name)         "u64 "
#define I64(name)         "i64 "
#define DELIVERY_ID(name) "delivery "
#define HASH(name)        "hash "
#define STORE_ID(name)    "store "
#define STRING(name, max) "text " #max " "
#define BYTES(name, max)  "text " #max " "
#define MESSAGE(number, name, from, to, flow, fds, ...) \
	{ number, "" __VA_ARGS__ },
static const struct accept_row all_rows[] = {
#include "common/messages.def"
};

const struct accept_row *
accept_rows(size_t *count)
{
	*count = sizeof(all_rows) / sizeof(all_rows[0]);
	return all_rows;
}

bool
accept_has_part(unsigned int type)
{
	switch (type) {
	case MESSAGE_change_file:
	case MESSAGE_change_append:
	case MESSAGE_change_flags:
	case MESSAGE_change_copy:
	case MESSAGE_change_recall:
	case MESSAGE_change_expunge:
		return true;
	default:
		return false;
	}
}

/* One of each record that stands within a packet, no two bytes of its numbers
 * alike. */
static size_t
put_samples(uint8_t data[SAMPLES_MAX])
{
	const struct delivery_id delivery = { "eighteen bytes of" };
	const uint64_t wide = UINT64_C(0x0102030405060708);
	const uint32_t word = 0x11121314, other = 0x21222324;
	const struct recipient_record recipient = { .account = word,
		.address = TEXT("a@b.test") };
	const struct flag_record flags = { word, other, wide };
	const struct copy_record copy = {
		.uid = word, .keywords = wide, .delivery = delivery
	};
	const struct recall_record recall = { .delivery = delivery,
		.blob = wide,
		.internaldate = (int64_t)(wide << 4),
		.flags = word,
		.keywords = wide << 3,
		.form = 0x31 };
	struct writer w;

	writer_init(&w, data, SAMPLES_MAX);
	record_put_recipient(&w, &recipient);
	record_put_flags(&w, &flags);
	record_put_copy(&w, &copy);
	record_put_recall(&w, &recall);
	return w.size;
}

uint32_t
accept_layout(const struct accept_row *rows, size_t count)
{
	uint8_t samples[SAMPLES_MAX];
	uint64_t sums[3] = { FORM };
	size_t i;

	if (rows == NULL)
		rows = accept_rows(&count);
	sums[2] = table_siphash(key, samples, put_samples(samples));
	for (i = 0; i < count; i++) {
		if (!accept_has_part(rows[i].type))
			continue;
		sums[0] += (uint64_t)rows[i].type << 8;
		sums[1] =
		    table_siphash(key, rows[i].fields, strlen(rows[i].fields));
		sums[2] = table_siphash(key, sums, sizeof(sums));
	}
	return (uint32_t)sums[2];
}
