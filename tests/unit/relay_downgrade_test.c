/*
 * Messages for hosts that take 7 bits: what comes out, and that what was
 * encoded is, decoded, what it was.
 */
#include "smtpd/relay_downgrade.h"

#include "common/file.h"
#include "common/mime_encoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static char converted[2000000];
static struct error error;

static int
downgrade(const char *message, size_t size)
{
	int fd = memfd_create("message", MFD_CLOEXEC), result;
	struct relay_body body;
	uint64_t length = 0;
	ssize_t n;

	assert_int_equal(file_write_all(fd, message, size, &error), 0);
	relay_body_init(&body, fd, size);
	memset(&error, 0, sizeof(error));
	result = relay_downgrade(&body, &length, &error);
	close(fd);
	if (result == -1)
		return -1;
	n = pread(result, converted, sizeof(converted) - 1, 0);
	assert_int_equal(n, length);
	converted[n] = '\0';
	close(result);
	return 0;
}

static const struct {
	const char *message;
	const char *converted; /* NULL: it cannot be */
} table[] = {
	{ "Subject: x\r\n\r\nplain\r\n", "Subject: x\r\n\r\nplain\r\n" },
	/* It knew no MIME. */
	{ "Subject: x\r\n\r\nna\xc3\xafve \r\n=\r\n",
	    "Subject: x\r\nMIME-Version: 1.0\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "na=C3=AFve=20\r\n=3D\r\n" },
	{ "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	  "Content-Transfer-Encoding: 8bit\r\nX: y\r\n\r\n\xc3\xa9\r\n",
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "X: y\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=C3=A9\r\n" },
	{ "MIME-Version: 1.0\r\nContent-Type: image/png\r\n"
	  "Content-Transfer-Encoding: binary\r\n\r\n\x89PNG\r\n",
	    "MIME-Version: 1.0\r\nContent-Type: image/png\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\niVBORw0K\r\n" },
	/* Said to be 8-bit, and is not. */
	{ "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n",
	    "MIME-Version: 1.0\r\n\r\nx\r\n" },
	{ "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	  "eA==\r\n",
	    "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	    "eA==\r\n" },
	/* Only the parts that need it; words for nobody lose their accents. */
	{ "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n"
	  "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	  "pr\xc3\xa9"
	  "amble\r\n"
	  "--b\r\n\r\nseven\r\n"
	  "--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9ight\r\n"
	  "--b\r\nContent-Type: image/png\r\n"
	  "Content-Transfer-Encoding: binary\r\n\r\n\x89\r\n\r\n"
	  "--b--\r\nend\r\n",
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	    "pr??amble\r\n"
	    "--b\r\n\r\nseven\r\n"
	    "--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=C3=A9ight\r\n"
	    "--b\r\nContent-Type: image/png\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\niQ0K\r\n"
	    "--b--\r\nend\r\n" },
	/* A message in a message. */
	{ "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n"
	  "Content-Transfer-Encoding: 8bit\r\n\r\n"
	  "Subject: inner\r\n\r\n\xc3\xa9\r\n",
	    "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n"
	    "Subject: inner\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=C3=A9\r\n" },
	{ "Subject: \xc3\xa9\r\n\r\n\xc3\xa9\r\n", NULL },
	{ "MIME-Version: 1.0\r\n"
	  "Content-Type: multipart/signed; boundary=b\r\n\r\n"
	  "--b\r\n\r\n\xc3\xa9\r\n--b\r\n\r\nsignature\r\n--b--\r\n",
	    NULL },
};

static void
messages_become_seven_bits(void **state)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int result =
		    downgrade(table[i].message, strlen(table[i].message));

		if (table[i].converted == NULL) {
			assert_int_equal(result, -1);
			assert_int_equal(error.code, ERROR_REFUSED);
			continue;
		}
		assert_int_equal(result, 0);
		assert_string_equal(converted, table[i].converted);
	}
}

/* Bytes of all kinds, over many pieces. */
static void
what_was_encoded_can_be_decoded(void **state)
{
	static char message[300000];
	static const char *const heads[] = {
		"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n",
		"MIME-Version: 1.0\r\nContent-Type: application/x\r\n\r\n"
	};

	for (size_t i = 0; i < 2; i++) {
		size_t head = strlen(heads[i]);
		struct mime_decoder decoder = {
			.encoding = i == 0 ? MIME_ENCODING_QUOTED_PRINTABLE
					   : MIME_ENCODING_BASE64
		};
		struct buf out;
		char *body;

		memcpy(message, heads[i], head);
		srand(7);
		for (size_t j = head; j < sizeof(message); j++)
			message[j] = (char)(j % 70 == 0   ? '\r'
					    : j % 70 == 1 ? '\n'
							  : 32 + rand() % 220);
		message[sizeof(message) - 1] = '\n';
		message[sizeof(message) - 2] = '\r';
		assert_int_equal(downgrade(message, sizeof(message)), 0);
		for (const char *p = converted; *p != '\0'; p++)
			assert_true((*p & 0x80) == 0);
		body = strstr(converted, "\r\n\r\n") + 4;
		buf_init(&out, sizeof(message) + 100);
		assert_int_equal(mime_decode(&decoder, text_of(body), &out), 0);
		assert_int_equal(mime_decode_end(&decoder, &out), 0);
		assert_int_equal(out.size, sizeof(message) - head);
		assert_memory_equal(out.data, message + head, out.size);
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_become_seven_bits),
		cmocka_unit_test(what_was_encoded_can_be_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
