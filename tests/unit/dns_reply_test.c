/*
 * Replies of the DNS as bytes: what is found in them, and what is malformed.
 * Each packet is also cut at every byte, and each of its bytes changed.
 */
#include "resolver/dns_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
	REPLY = 0x8180, /* flags of an answer */
	CUT = 0x0200,
	NO_NAME = 3,
	MAX_PACKET = 65535
};

struct packet {
	uint8_t bytes[MAX_PACKET];
	size_t size;
	unsigned int records; /* of the answer */
	unsigned int authorities;
};

static struct packet p;
static uint8_t rows[60000];
static struct writer records;
static struct dns_reply reply;
static struct error error;

static void
put(const void *data, size_t size)
{
	assert_true(p.size + size <= sizeof(p.bytes));
	memcpy(p.bytes + p.size, data, size);
	p.size += size;
}

static void
put_u16(unsigned int value)
{
	const uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(bytes, 2);
}

static void
put_u32(unsigned int value)
{
	put_u16(value >> 16);
	put_u16(value & 0xffff);
}

/* Labels of `name`, `\` for a pointer to the place that follows in decimal. */
static void
put_name(const char *name)
{
	while (*name != '\0' && *name != '\\') {
		uint8_t size = (uint8_t)strcspn(name, ".\\");

		put(&size, 1);
		put(name, size);
		name += size;
		name += *name == '.';
	}
	if (*name == '\\')
		put_u16(0xc000u | (unsigned int)atoi(name + 1));
	else
		put("", 1);
}

static void
begin(unsigned int flags, const char *name, enum dns_type type)
{
	memset(&p, 0, sizeof(p));
	put_u16(1);
	put_u16(REPLY | flags);
	put_u16(1);
	put_u16(0);
	put_u16(0);
	put_u16(0);
	put_name(name);
	put_u16(type);
	put_u16(1);
}

/* Up to its data, whose size end_record fills in. */
static size_t
begin_record(const char *owner, unsigned int type, unsigned int ttl_s)
{
	put_name(owner);
	put_u16(type);
	put_u16(1);
	put_u32(ttl_s);
	put_u16(0);
	p.records++;
	return p.size;
}

static void
end_record(size_t data)
{
	p.bytes[data - 2] = (uint8_t)((p.size - data) >> 8);
	p.bytes[data - 1] = (uint8_t)(p.size - data);
}

static void
record(const char *owner, unsigned int type, unsigned int ttl_s,
    const void *bytes, size_t size)
{
	size_t data = begin_record(owner, type, ttl_s);

	put(bytes, size);
	end_record(data);
}

static void
name_record(const char *owner, unsigned int type, unsigned int ttl_s,
    const char *target)
{
	size_t data = begin_record(owner, type, ttl_s);

	put_name(target);
	end_record(data);
}

static void
mx_record(const char *owner, unsigned int preference, const char *target)
{
	size_t data = begin_record(owner, DNS_MX, 60);

	put_u16(preference);
	put_name(target);
	end_record(data);
}

static int
parse_bytes(
    const uint8_t *bytes, size_t size, const char *name, enum dns_type type)
{
	/* Exactly as large: ASan sees who reads behind it. */
	uint8_t *copy = malloc(size + (size == 0));
	int status;

	memcpy(copy, bytes, size);
	memset(&reply, 0, sizeof(reply));
	writer_init(&records, rows, sizeof(rows));
	status = dns_reply_parse(
	    copy, size, text_of(name), type, &reply, &records, &error);
	free(copy);
	return status;
}

/* As it is; then cut and changed, which may be malformed but never worse. */
static int
parse(const char *name, enum dns_type type)
{
	uint8_t *changed;

	p.bytes[7] = (uint8_t)p.records;
	p.bytes[6] = (uint8_t)(p.records >> 8);
	p.bytes[9] = (uint8_t)p.authorities;
	if (p.size < 2000) {
		changed = malloc(p.size);
		for (size_t i = 0; i < p.size; i++) {
			memcpy(changed, p.bytes, p.size);
			(void)parse_bytes(changed, i, name, type);
			for (unsigned int bit = 1; bit < 256; bit <<= 1) {
				changed[i] ^= (uint8_t)bit;
				(void)parse_bytes(changed, p.size, name, type);
				changed[i] ^= (uint8_t)bit;
			}
			changed[i] = 0xff;
			(void)parse_bytes(changed, p.size, name, type);
		}
		free(changed);
	}
	return parse_bytes(p.bytes, p.size, name, type);
}

/* The rows as text. */
static const char *
found(enum dns_type type)
{
	static char text[4000];
	struct dns_record row;
	struct reader reader;
	size_t size = 0;

	reader_init(&reader, rows, records.size);
	text[0] = '\0';
	while (dns_get_record(&reader, type, &row) == 1) {
		size += (size_t)snprintf(text + size, sizeof(text) - size,
		    "%s%u/%u/%u/%u/%u/%u/%.*s/%.*s", size > 0 ? " " : "",
		    row.preference, row.weight, row.port, row.usage,
		    row.selector, row.matching, TEXT_FMT(row.name),
		    TEXT_FMT(row.data));
		assert_true(size < sizeof(text));
	}
	return text;
}

static void
each_type_has_its_fields(void **state)
{
	begin(0, "a.b", DNS_MX);
	mx_record("A.b", 10, "M1.a.B");
	mx_record("\\12", 258, "m2\\12");
	mx_record("\\12", 0, "");
	assert_int_equal(parse("a.b", DNS_MX), 0);
	assert_int_equal(reply.result, DNS_FOUND);
	assert_string_equal(reply.canonical, "a.b");
	assert_string_equal(found(DNS_MX),
	    "10/0/0/0/0/0/m1.a.b/ 258/0/0/0/0/0/m2.a.b/ 0/0/0/0/0/0//");

	begin(0, "a", DNS_SRV);
	record("a", DNS_SRV, 9, "\0\1\0\2\0\3\1x\0", 9);
	assert_int_equal(parse("a", DNS_SRV), 0);
	assert_string_equal(found(DNS_SRV), "1/2/3/0/0/0/x/");
	assert_int_equal(reply.ttl_s, 9);

	begin(0, "a", DNS_TXT);
	record("a", DNS_TXT, 9, "\3v=1\0\2; ", 8);
	assert_int_equal(parse("a", DNS_TXT), 0);
	assert_string_equal(found(DNS_TXT), "0/0/0/0/0/0//v=1; ");

	begin(0, "a", DNS_TLSA);
	record("a", DNS_TLSA, 9, "\3\1\2xyz", 6);
	assert_int_equal(parse("a", DNS_TLSA), 0);
	assert_string_equal(found(DNS_TLSA), "0/0/0/3/1/2//xyz");

	begin(0, "a", DNS_A);
	record("a", DNS_A, 9, "ABCD", 4);
	assert_int_equal(parse("a", DNS_A), 0);
	assert_string_equal(found(DNS_A), "0/0/0/0/0/0//ABCD");

	begin(0, "a", DNS_AAAA);
	record("a", DNS_AAAA, 9, "ABCDEFGHIJKLMNOP", 16);
	assert_int_equal(parse("a", DNS_AAAA), 0);
	assert_string_equal(found(DNS_AAAA), "0/0/0/0/0/0//ABCDEFGHIJKLMNOP");

	begin(0, "1.in-addr.arpa", DNS_PTR);
	name_record("1.in-addr.arpa", DNS_PTR, 9, "Host.x");
	assert_int_equal(parse("1.in-addr.arpa", DNS_PTR), 0);
	assert_string_equal(found(DNS_PTR), "0/0/0/0/0/0/host.x/");
}

static void
a_chain_is_followed_whatever_its_order(void **state)
{
	begin(0, "a", DNS_A);
	record("c", DNS_A, 30, "ABCD", 4);
	name_record("b", DNS_CNAME, 20, "C");
	record("b", DNS_A, 1, "none", 4);
	name_record("a", DNS_CNAME, 40, "b");
	record("a", DNS_A, 1, "none", 4);
	assert_int_equal(parse("a", DNS_A), 0);
	assert_string_equal(found(DNS_A), "0/0/0/0/0/0//ABCD");
	assert_string_equal(reply.canonical, "c");
	assert_int_equal(reply.ttl_s, 20);

	/* Who asks for the CNAME gets it. */
	begin(0, "a", DNS_CNAME);
	name_record("a", DNS_CNAME, 40, "b");
	assert_int_equal(parse("a", DNS_CNAME), 0);
	assert_string_equal(found(DNS_CNAME), "0/0/0/0/0/0/b/");
}

/* n0 -> n1 -> ... */
static int
chain_of(unsigned int links)
{
	char from[16], to[16];

	begin(0, "n0", DNS_A);
	for (unsigned int i = 0; i < links; i++) {
		snprintf(from, sizeof(from), "n%u", i);
		snprintf(to, sizeof(to), "n%u", i + 1);
		name_record(from, DNS_CNAME, 1, to);
	}
	snprintf(to, sizeof(to), "n%u", links);
	record(to, DNS_A, 1, "ABCD", 4);
	return parse("n0", DNS_A);
}

static void
a_chain_ends(void **state)
{
	assert_int_equal(chain_of(DNS_REPLY_MAX_CHAIN), 0);
	assert_string_equal(found(DNS_A), "0/0/0/0/0/0//ABCD");
	assert_int_equal(chain_of(DNS_REPLY_MAX_CHAIN + 1), -1);
	assert_int_equal(error.code, ERROR_LIMIT);
	begin(0, "a", DNS_A);
	name_record("a", DNS_CNAME, 1, "a");
	assert_int_equal(parse("a", DNS_A), -1);
	assert_int_equal(error.code, ERROR_LIMIT);
}

static void
soa(const char *owner, unsigned int ttl_s, unsigned int minimum_s)
{
	size_t data = begin_record(owner, 6, ttl_s);

	put_name("ns");
	put_name("post.master");
	for (int i = 0; i < 4; i++)
		put_u32(5);
	put_u32(minimum_s);
	end_record(data);
	p.records--;
	p.authorities++;
}

static void
what_is_not_there_has_a_time(void **state)
{
	begin(NO_NAME, "x.y", DNS_MX);
	soa("y", 300, 60);
	assert_int_equal(parse("x.y", DNS_MX), 0);
	assert_int_equal(reply.result, DNS_NO_NAME);
	assert_int_equal(reply.ttl_s, 60);
	assert_int_equal(records.size, 0);

	begin(0, "x.y", DNS_MX);
	soa("y", 30, 60);
	assert_int_equal(parse("x.y", DNS_MX), 0);
	assert_int_equal(reply.result, DNS_NO_DATA);
	assert_int_equal(reply.ttl_s, 30);

	/* Records of others, or of another class, are none. */
	begin(0, "x.y", DNS_A);
	record("y", DNS_A, 5, "ABCD", 4);
	record("x.y", DNS_AAAA, 5, "ABCDEFGHIJKLMNOP", 16);
	record("x.y", DNS_A, 5, "ABCD", 4);
	p.bytes[p.size - 4 - 2 - 4 - 1] = 3; /* CH */
	assert_int_equal(parse("x.y", DNS_A), 0);
	assert_int_equal(reply.result, DNS_NO_DATA);
	assert_int_equal(reply.ttl_s, 0);

	begin(2, "x.y", DNS_A);
	assert_int_equal(parse("x.y", DNS_A), 0);
	assert_int_equal(reply.result, DNS_FAILED);

	/* The end of a chain is not there. */
	begin(NO_NAME, "a", DNS_A);
	name_record("a", DNS_CNAME, 7, "b");
	soa("", 300, 60);
	assert_int_equal(parse("a", DNS_A), 0);
	assert_int_equal(reply.result, DNS_NO_NAME);
	assert_string_equal(reply.canonical, "b");
	assert_int_equal(reply.ttl_s, 7);
}

static void
a_ttl_beyond_31_bits_is_none(void **state)
{
	begin(0, "a", DNS_A);
	record("a", DNS_A, 0x80000000, "ABCD", 4);
	assert_int_equal(parse("a", DNS_A), 0);
	assert_int_equal(reply.ttl_s, 0);
}

/* One good record and one of this data; then this one alone. */
static void
is_left_out(enum dns_type type, const void *good, size_t good_size,
    const void *data, size_t size)
{
	begin(0, "a", type);
	record("a", type, 1, data, size);
	record("a", type, 1, good, good_size);
	assert_int_equal(parse("a", type), 0);
	assert_int_equal(reply.result, DNS_FOUND);
	assert_true(records.size > 0 && strchr(found(type), ' ') == NULL);

	begin(0, "a", type);
	record("a", type, 1, data, size);
	assert_int_equal(parse("a", type), -1);
	assert_int_equal(error.code, ERROR_INPUT);
}

static void
odd_records_are_left_out(void **state)
{
	static const char good_mx[] = "\0\1\1x";
	static const char *const bad_names[] = { "\3a.b", "\1 ", "\1\n",
		"\2\xc3\xa4", "\1\\", "\1\"", "\1%", "\1@" };
	char data[20] = "\0\1";

	is_left_out(DNS_A, "ABCD", 4, "ABC", 3);
	is_left_out(DNS_A, "ABCD", 4, "ABCDE", 5);
	is_left_out(DNS_A, "ABCD", 4, "", 0);
	is_left_out(DNS_AAAA, "ABCDEFGHIJKLMNOP", 16, "ABCD", 4);
	is_left_out(DNS_TLSA, "\3\1\1x", 4, "\3\1\1", 3);
	is_left_out(DNS_TXT, "\1x", 2, "\2x", 2);
	is_left_out(DNS_TXT, "\1x", 2, "", 0);
	is_left_out(DNS_MX, good_mx, 5, "\0", 1);
	is_left_out(DNS_MX, good_mx, 5, "\0\1\1xyz", 6);
	/* A name and something behind it. */
	is_left_out(DNS_MX, good_mx, 5, "\0\1\1x\0z", 6);
	for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
		size_t size = strlen(bad_names[i]);

		memcpy(data + 2, bad_names[i], size + 1);
		is_left_out(DNS_MX, good_mx, 5, data, 2 + size + 1);
	}
}

static void
names_end(void **state)
{
	char name[300] = "";

	/* To itself, to a later one, and forth and back. */
	begin(0, "a", DNS_PTR);
	name_record("\\19", DNS_PTR, 1, "x");
	assert_int_equal(parse("a", DNS_PTR), -1);
	begin(0, "a", DNS_PTR);
	name_record("\\40", DNS_PTR, 1, "x");
	assert_int_equal(parse("a", DNS_PTR), -1);
	begin(0, "a", DNS_PTR);
	name_record("a", DNS_PTR, 1, "x\\31");
	assert_int_equal(parse("a", DNS_PTR), -1);

	/* 255 bytes in the packet are 253 of text. */
	for (int i = 0; i < 3; i++)
		strcat(name, "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeee"
			     "effffffffffggg.");
	strcat(name, "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeef");
	begin(0, "a", DNS_PTR);
	name_record("a", DNS_PTR, 1, name);
	assert_int_equal(parse("a", DNS_PTR), 0);
	assert_int_equal(strlen(name), 243);
	assert_non_null(strstr(found(DNS_PTR), name));
	strcat(name, ".aaaaaaaaa"); /* 253 */
	begin(0, "a", DNS_PTR);
	name_record("a", DNS_PTR, 1, name);
	assert_int_equal(parse("a", DNS_PTR), 0);
	assert_non_null(strstr(found(DNS_PTR), name));
	strcat(name, "a");
	begin(0, "a", DNS_PTR);
	name_record("a", DNS_PTR, 1, name);
	assert_int_equal(parse("a", DNS_PTR), -1);
}

static void
only_a_whole_reply_to_our_question_counts(void **state)
{
	begin(0, "a", DNS_A);
	record("a", DNS_A, 1, "ABCD", 4);
	assert_int_equal(parse("b", DNS_A), -1);
	assert_int_equal(parse("a", DNS_AAAA), -1);
	assert_int_equal(parse("a", DNS_A), 0);
	p.bytes[2] = 0; /* a question */
	assert_int_equal(parse("a", DNS_A), -1);
	begin(CUT, "a", DNS_A);
	record("a", DNS_A, 1, "ABCD", 4);
	assert_int_equal(parse("a", DNS_A), -1);
}

static void
there_are_at_most_256_records(void **state)
{
	begin(0, "a", DNS_A);
	for (unsigned int i = 0; i < 300; i++)
		record("\\12", DNS_A, 1, "ABCD", 4);
	assert_int_equal(parse("a", DNS_A), 0);
	assert_int_equal(records.size, DNS_MAX_RECORDS * (4 + 4));
}

/* Strings of 255 bytes: 16 of them and 16 bytes are all that a TXT may have,
 * and of 15 of them 15 records are all that an answer holds. */
static void
there_are_as_many_as_fit(void **state)
{
	char large[16 * 256 + 1 + 17];

	memset(large, 'x', sizeof(large));
	for (size_t i = 0; i < sizeof(large); i += 256)
		large[i] = (char)255;
	large[16 * 256] = 16;
	begin(0, "a", DNS_TXT);
	record("a", DNS_TXT, 1, large, sizeof(large) - 1);
	assert_int_equal(parse("a", DNS_TXT), 0);
	assert_int_equal(records.size, 4 + DNS_REPLY_MAX_DATA);
	large[16 * 256] = 17;
	begin(0, "a", DNS_TXT);
	record("a", DNS_TXT, 1, large, sizeof(large));
	assert_int_equal(parse("a", DNS_TXT), -1);

	begin(0, "a", DNS_TXT);
	for (int i = 0; i < 17; i++)
		record("a", DNS_TXT, 1, large, 15 * 256);
	assert_int_equal(parse("a", DNS_TXT), 0);
	assert_int_equal(records.size, 15 * (4 + 15 * 255));
	assert_false(records.failed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_has_its_fields),
		cmocka_unit_test(a_chain_is_followed_whatever_its_order),
		cmocka_unit_test(a_chain_ends),
		cmocka_unit_test(what_is_not_there_has_a_time),
		cmocka_unit_test(a_ttl_beyond_31_bits_is_none),
		cmocka_unit_test(odd_records_are_left_out),
		cmocka_unit_test(names_end),
		cmocka_unit_test(only_a_whole_reply_to_our_question_counts),
		cmocka_unit_test(there_are_at_most_256_records),
		cmocka_unit_test(there_are_as_many_as_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
