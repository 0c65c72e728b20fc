/*
 * A front's key_client before keyd's key_requests, over a channel as the
 * broker makes it: signatures for each front in its own rows, refusals, a keyd
 * that is away, and fronts that misbehave.
 */
#include "common/channel.h"
#include "common/file.h"
#include "common/key_client.h"
#include "keyd/key_requests.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct event_loop *loop;
static struct key_requests *requests;
static int misbehaved;
static EVP_PKEY *pair;

static struct keys *
make_keys(void)
{
	struct keys *keys = keys_new();
	BIO *bio = BIO_new(BIO_s_mem());
	struct error error;
	char *data;
	long size;
	int fd;

	EVP_PKEY_free(pair);
	pair = EVP_EC_gen("P-256");
	PEM_write_bio_PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL);
	size = BIO_get_mem_data(bio, &data);
	fd = file_sealed_memory("key", data, (size_t)size, &error);
	assert_int_equal(keys_add(keys, fd, &error), 0);
	/* The same descriptor again, as a keyd that was restarted gets it. */
	assert_int_equal(keys_add(keys, fd, &error), 0);
	close(fd);
	BIO_free(bio);
	return keys;
}

static void
note_misbehaved(enum role role, uint64_t instance, void *context)
{
	assert_int_equal(role, ROLE_IMAPD);
	assert_int_equal(instance, 12);
	misbehaved++;
	event_loop_stop(loop);
}

static void
late(void *context)
{
	event_loop_stop(loop);
}

/* The front: another thread, since it blocks for an answer. */
struct front {
	struct key_client *client;
	const char *block;
	size_t block_size;
	uint32_t key;
	int result;
	atomic_bool is_done;
	uint8_t signature[KEYS_MAX_SIGNATURE];
	size_t signature_size;
};

static void *
front_run(void *context)
{
	struct front *front = context;
	struct tls_signer signer = key_client_signer(front->client);

	front->signature_size = sizeof(front->signature);
	front->result =
	    signer.sign(front->key, 0x0403, front->block, front->block_size,
		front->signature, &front->signature_size, signer.context);
	atomic_store(&front->is_done, true);
	return NULL;
}

static void
ask(struct front *front)
{
	struct timer *tick = timer_new(loop, late, NULL);
	pthread_t thread;

	atomic_store(&front->is_done, false);
	assert_int_equal(pthread_create(&thread, NULL, front_run, front), 0);
	while (!atomic_load(&front->is_done)) {
		timer_start(tick, 1);
		event_loop_run(loop);
	}
	(void)pthread_join(thread, NULL);
	timer_free(&tick);
}

static bool
is_signed(const struct front *front)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool ok =
	    EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, pair) ==
		1 &&
	    EVP_DigestVerify(context, front->signature, front->signature_size,
		(const uint8_t *)front->block, front->block_size) == 1;

	EVP_MD_CTX_free(context);
	return ok;
}

static char block[130];

static int
begin(void **state)
{
	memset(block, ' ', 64);
	memcpy(block + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(block + 98, 7, 32);
	misbehaved = 0;
	loop = event_loop_new();
	requests = key_requests_new(loop, make_keys(), note_misbehaved, NULL);
	return 0;
}

static int
end(void **state)
{
	key_requests_free(&requests);
	event_loop_free(&loop);
	EVP_PKEY_free(pair);
	pair = NULL;
	return 0;
}

static int
connect_front(enum role role)
{
	struct error error;
	int ends[2];

	assert_int_equal(channel_pair(ends, &error), 0);
	assert_int_equal(key_requests_serve(requests, ends[0], role, 12), 0);
	return ends[1];
}

static void
both_fronts_get_signatures(void **state)
{
	const enum role roles[] = { ROLE_SMTPD, ROLE_IMAPD };

	for (size_t i = 0; i < 2; i++) {
		struct front front = { .block = block,
			.block_size = sizeof(block) };

		front.client =
		    key_client_new(connect_front(roles[i]), roles[i]);
		for (front.key = 0; front.key < 2; front.key++) {
			ask(&front);
			assert_int_equal(front.result, 0);
			assert_true(is_signed(&front));
		}
		ask(&front); /* a key that is not there */
		assert_int_equal(front.result, -1);
		front.key = 0;
		front.block = "I owe Mallory 1000 crowns";
		front.block_size = 25;
		ask(&front);
		assert_int_equal(front.result, -1);
		/* The channel is none the worse for it. */
		front.block = block;
		front.block_size = sizeof(block);
		ask(&front);
		assert_int_equal(front.result, 0);
		key_client_free(&front.client);
	}
	assert_int_equal(misbehaved, 0);
}

static void
new_keys_sign_for_old_channels(void **state)
{
	struct front front = { .block = block, .block_size = sizeof(block) };

	front.client = key_client_new(connect_front(ROLE_IMAPD), ROLE_IMAPD);
	ask(&front);
	assert_true(is_signed(&front));
	key_requests_set_keys(requests, make_keys());
	assert_false(is_signed(&front));
	ask(&front);
	assert_true(is_signed(&front));
	key_client_free(&front.client);
}

static void
without_keyd_nothing_is_signed_until_there_is_another(void **state)
{
	struct front front = { .block = block, .block_size = sizeof(block) };
	int fd = connect_front(ROLE_IMAPD);

	front.client = key_client_new(-1, ROLE_IMAPD);
	ask(&front);
	assert_int_equal(front.result, -1);
	key_client_replace(front.client, fd);
	ask(&front);
	assert_int_equal(front.result, 0);
	key_requests_free(&requests); /* keyd dies */
	ask(&front);
	assert_int_equal(front.result, -1);
	requests = key_requests_new(loop, make_keys(), note_misbehaved, NULL);
	key_client_replace(front.client, connect_front(ROLE_IMAPD));
	ask(&front);
	assert_int_equal(front.result, 0);
	key_client_free(&front.client);
}

static void
only_fronts_are_served(void **state)
{
	for (int role = 0; role < ROLE_COUNT; role++) {
		struct error error;
		int ends[2];

		if (role == ROLE_SMTPD || role == ROLE_IMAPD)
			continue;
		assert_int_equal(channel_pair(ends, &error), 0);
		assert_int_equal(
		    key_requests_serve(requests, ends[0], (enum role)role, 12),
		    -1);
		close(ends[1]);
	}
}

static void
a_front_with_the_wrong_rows_is_told_of(void **state)
{
	static const char packet[] = "\x01\x09 not what imapd may say";
	struct timer *deadline = timer_new(loop, late, NULL);
	int fd = connect_front(ROLE_IMAPD);
	char byte;

	assert_true(send(fd, packet, sizeof(packet), 0) > 0);
	timer_start(deadline, 5000);
	event_loop_run(loop);
	assert_int_equal(misbehaved, 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 0); /* closed */
	close(fd);
	timer_free(&deadline);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(both_fronts_get_signatures),
		TEST(new_keys_sign_for_old_channels),
		TEST(without_keyd_nothing_is_signed_until_there_is_another),
		TEST(only_fronts_are_served),
		TEST(a_front_with_the_wrong_rows_is_told_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
