/*
 * See dns_reply.h.  A name may end in a pointer to an earlier one; pointers
 * lead backwards only, so each name ends.  The answer section is walked once
 * for each CNAME and once for the records: its records may come in any order.
 */
#include "resolver/dns_reply.h"

#include <string.h>

enum {
	HEADER_SIZE = 12,
	FLAG_REPLY = 0x8000,
	FLAG_CUT = 0x0200,
	RCODE_MASK = 0x000f,
	RCODE_NO_NAME = 3,
	CLASS_IN = 1,
	TYPE_SOA = 6,
	POINTER = 0xc0,
	MAX_LABEL = 63,
	MAX_WIRE_NAME = 255
};

/* Where in the packet we are, and how far we may go. */
struct cursor {
	const uint8_t *packet;
	size_t at;
	size_t end;
	bool failed;
};

/* A name as text; odd if it cannot be one (dns_reply.h). */
struct name {
	char text[DNS_MAX_NAME + 1];
	size_t size;
	bool is_odd;
};

struct resource {
	struct name owner;
	uint16_t type;
	uint16_t class;
	uint32_t ttl_s;
	struct cursor data;
};

/* What is looked for. */
struct search {
	struct cursor answer; /* the answer section */
	unsigned int count;   /* records in it */
	enum dns_type type;
	struct name name;
	uint32_t ttl_s;
};

static unsigned int
get_u8(struct cursor *cursor)
{
	if (cursor->failed || cursor->at == cursor->end) {
		cursor->failed = true;
		return 0;
	}
	return cursor->packet[cursor->at++];
}

static uint16_t
get_u16(struct cursor *cursor)
{
	unsigned int high = get_u8(cursor);

	return (uint16_t)(high << 8 | get_u8(cursor));
}

static uint32_t
get_u32(struct cursor *cursor)
{
	uint32_t high = get_u16(cursor);

	return high << 16 | get_u16(cursor);
}

/* -- Names -- */

bool
dns_reply_is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || text_is_digit(c) ||
	       (c != '\0' && strchr("-_/*+", c) != NULL);
}

static void
add_label(struct name *name, const uint8_t *label, size_t size)
{
	if (name->size > 0)
		name->text[name->size++] = '.';
	for (size_t i = 0; i < size; i++) {
		char c = text_lower_byte((char)label[i]);

		name->is_odd |= !dns_reply_is_name_byte(c);
		name->text[name->size++] = c;
	}
}

/*
 * A label in the packet takes a byte more than its text, and one takes the
 * end: 255 bytes there are at most 253 of text.  Pointers lead before the
 * place where the present run of labels began.
 */
static void
get_name(struct cursor *cursor, struct name *name)
{
	struct cursor labels = *cursor;
	size_t run = cursor->at;
	size_t wire = 1;
	bool has_jumped = false;
	unsigned int size;

	name->size = 0;
	name->is_odd = false;
	while ((size = get_u8(&labels)) != 0 && !labels.failed) {
		if ((size & POINTER) == POINTER) {
			size_t target = (size & ~(unsigned int)POINTER) << 8;

			target |= get_u8(&labels);
			if (!has_jumped)
				cursor->at = labels.at;
			has_jumped = true;
			labels.failed |= target >= run;
			labels.at = run = target;
			continue;
		}
		wire += size + 1;
		if (size > MAX_LABEL || wire > MAX_WIRE_NAME ||
		    labels.end - labels.at < size) {
			labels.failed = true;
			break;
		}
		add_label(name, labels.packet + labels.at, size);
		labels.at += size;
	}
	name->text[name->size] = '\0';
	cursor->failed |= labels.failed;
	if (!has_jumped)
		cursor->at = labels.at;
}

static bool
same_name(const struct name *a, const struct name *b)
{
	return !a->is_odd && !b->is_odd && strcmp(a->text, b->text) == 0;
}

static struct text
text_of_name(const struct name *name)
{
	return text_make(name->text, name->size);
}

/* -- Records -- */

/* RFC 2181 section 8: a TTL with its highest bit set is 0. */
static void
get_resource(struct cursor *cursor, struct resource *resource)
{
	uint16_t size;

	get_name(cursor, &resource->owner);
	resource->type = get_u16(cursor);
	resource->class = get_u16(cursor);
	resource->ttl_s = get_u32(cursor);
	if (resource->ttl_s > INT32_MAX)
		resource->ttl_s = 0;
	size = get_u16(cursor);
	if (cursor->failed || cursor->end - cursor->at < size) {
		cursor->failed = true;
		return;
	}
	resource->data = *cursor;
	resource->data.end = cursor->at + size;
	cursor->at += size;
}

static bool
is_wanted(const struct search *search, const struct resource *resource,
    unsigned int type)
{
	return resource->class == CLASS_IN && resource->type == type &&
	       same_name(&resource->owner, &search->name);
}

static void
take_ttl(struct search *search, uint32_t ttl_s)
{
	if (ttl_s < search->ttl_s)
		search->ttl_s = ttl_s;
}

/* One name to its end. */
static void
get_only_name(struct cursor *data, struct name *name)
{
	get_name(data, name);
	data->failed |= name->is_odd || data->at != data->end;
}

/* The strings of a TXT are joined (RFC 7208 section 3.3). */
static size_t
get_strings(struct cursor *data, uint8_t *to)
{
	size_t size = 0;

	do {
		size_t part = get_u8(data);

		if (data->failed || data->end - data->at < part ||
		    size + part > DNS_REPLY_MAX_DATA) {
			data->failed = true;
			return 0;
		}
		memcpy(to + size, data->packet + data->at, part);
		size += part;
		data->at += part;
	} while (data->at < data->end);
	return size;
}

/* The rest as it is, of `min` to `max` bytes. */
static struct text
get_rest(struct cursor *data, size_t min, size_t max)
{
	size_t size = data->end - data->at;

	data->failed |= size < min || size > max;
	return text_make(data->packet + data->at, size);
}

/* Puts the record, or leaves it out if its data is not of its type's form:
 * false. */
static bool
put_resource(enum dns_type type, struct cursor *data, struct writer *records)
{
	uint8_t joined[DNS_REPLY_MAX_DATA];
	struct dns_record record = { 0 };
	struct name name = { .size = 0 };

	switch (type) {
	case DNS_SRV:
		record.preference = get_u16(data);
		record.weight = get_u16(data);
		record.port = get_u16(data);
		get_only_name(data, &name);
		break;
	case DNS_MX:
		record.preference = get_u16(data);
		get_only_name(data, &name);
		break;
	case DNS_PTR:
	case DNS_CNAME:
		get_only_name(data, &name);
		break;
	case DNS_TXT:
		record.data = text_make(joined, get_strings(data, joined));
		break;
	case DNS_TLSA:
		record.usage = (uint8_t)get_u8(data);
		record.selector = (uint8_t)get_u8(data);
		record.matching = (uint8_t)get_u8(data);
		record.data = get_rest(data, 1, DNS_REPLY_MAX_DATA);
		break;
	case DNS_A:
		record.data = get_rest(data, 4, 4);
		break;
	case DNS_AAAA:
		record.data = get_rest(data, 16, 16);
		break;
	}
	record.name = text_of_name(&name);
	if (data->failed)
		return false;
	dns_put_record(records, type, &record);
	return true;
}

/* -- The reply -- */

/* The next CNAME of the chain: 1, 0 at its end, -1 malformed. */
static int
follow(struct search *search)
{
	struct cursor answer = search->answer;
	struct resource resource;
	struct name target;

	for (unsigned int i = 0; i < search->count; i++) {
		get_resource(&answer, &resource);
		if (answer.failed)
			return -1;
		if (!is_wanted(search, &resource, DNS_CNAME))
			continue;
		get_only_name(&resource.data, &target);
		if (resource.data.failed)
			return -1;
		take_ttl(search, resource.ttl_s);
		search->name = target;
		return 1;
	}
	return 0;
}

static int
follow_chain(struct search *search, struct error *error)
{
	int status = 1;

	for (int i = 0; search->type != DNS_CNAME && status == 1; i++) {
		if (i > DNS_REPLY_MAX_CHAIN)
			return error_set(error, ERROR_LIMIT,
			    "a chain of more than %d CNAMEs",
			    DNS_REPLY_MAX_CHAIN);
		status = follow(search);
		if (status == -1)
			return error_set(
			    error, ERROR_INPUT, "malformed records");
	}
	return 0;
}

/* How many records were put; -1 if there were some, and none could be. */
static int
take_records(struct search *search, struct writer *records, struct error *error)
{
	struct cursor *answer = &search->answer;
	struct resource resource;
	int seen = 0, put = 0;

	for (unsigned int i = 0; i < search->count; i++) {
		struct writer before = *records;

		get_resource(answer, &resource);
		if (answer->failed)
			return error_set(
			    error, ERROR_INPUT, "malformed records");
		if (!is_wanted(search, &resource, search->type))
			continue;
		seen++;
		take_ttl(search, resource.ttl_s);
		if (put == DNS_MAX_RECORDS ||
		    !put_resource(search->type, &resource.data, records))
			continue;
		if (records->failed)
			*records = before;
		else
			put++;
	}
	if (seen > 0 && put == 0)
		return error_set(
		    error, ERROR_INPUT, "no record of a usable form");
	return put;
}

/* RFC 2308 section 5: how long there is nothing, from the SOA. */
static void
take_negative_ttl(struct search *search, unsigned int authority_count)
{
	struct cursor *authority = &search->answer;
	struct resource resource;
	struct name name;

	for (unsigned int i = 0; i < authority_count; i++) {
		get_resource(authority, &resource);
		if (authority->failed)
			break;
		if (resource.type != TYPE_SOA || resource.class != CLASS_IN)
			continue;
		get_name(&resource.data, &name);
		get_name(&resource.data, &name);
		for (int field = 0; field < 4; field++)
			(void)get_u32(&resource.data);
		take_ttl(search, get_u32(&resource.data));
		take_ttl(search, resource.ttl_s);
		return;
	}
	search->ttl_s = 0;
}

/* Up to the answer section: the question must be ours. */
static int
begin(struct search *search, struct text name, struct error *error)
{
	struct cursor *cursor = &search->answer;
	struct name question;
	uint16_t type, class;

	get_name(cursor, &question);
	type = get_u16(cursor);
	class = get_u16(cursor);
	if (cursor->failed || type != search->type || class != CLASS_IN ||
	    question.is_odd || !text_equal(text_of_name(&question), name))
		return error_set(
		    error, ERROR_INPUT, "the reply is to another question");
	search->name = question;
	return 0;
}

int
dns_reply_parse(const uint8_t *packet, size_t size, struct text name,
    enum dns_type type, struct dns_reply *reply, struct writer *records,
    struct error *error)
{
	struct search search = { .answer = { packet, 0, size, false },
		.type = type,
		.ttl_s = INT32_MAX };
	struct cursor *cursor = &search.answer;
	unsigned int flags, questions, authority_count;
	int put;

	(void)get_u16(cursor);
	flags = get_u16(cursor);
	questions = get_u16(cursor);
	search.count = get_u16(cursor);
	authority_count = get_u16(cursor);
	(void)get_u16(cursor);
	if (cursor->failed || (flags & FLAG_REPLY) == 0 ||
	    (flags & FLAG_CUT) != 0 || questions != 1)
		return error_set(error, ERROR_INPUT, "not a whole reply");
	if (begin(&search, name, error) == -1 ||
	    follow_chain(&search, error) == -1)
		return -1;
	put = take_records(&search, records, error);
	if (put == -1)
		return -1;
	if (put == 0)
		take_negative_ttl(&search, authority_count);
	memcpy(reply->canonical, search.name.text, search.name.size + 1);
	reply->ttl_s = search.ttl_s;
	if (put > 0)
		reply->result = DNS_FOUND;
	else if ((flags & RCODE_MASK) == RCODE_NO_NAME)
		reply->result = DNS_NO_NAME;
	else
		reply->result =
		    (flags & RCODE_MASK) == 0 ? DNS_NO_DATA : DNS_FAILED;
	return 0;
}
