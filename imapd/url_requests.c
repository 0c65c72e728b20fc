/*
 * See url_requests.h.
 */
#include "imapd/url_requests.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/smtp_verdict.h"
#include "imapd/url_access.h"
#include "imapd/url_message.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	INLINE_SIZE = 16384,          /* as in the row `url_fetched` */
	TURN_BYTES = 4 * 1024 * 1024, /* before others have their turn */
	ALL_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL
};

struct url_request {
	struct url_request *next;
	struct pool *pool;
	uint64_t tag;
	uint64_t max_size;
	struct text text;
	struct url_message message;
	struct buf bytes; /* all of them, if they are few */
	int fd;           /* or a memfd; -1 */
	uint64_t done;
};

struct url_requests {
	struct account_store *account;
	struct url_request *first; /* the one that is at work */
	size_t count;
	bool is_begun; /* `first` is */
	struct timer *turn;
};

static void
request_free(struct url_request *request)
{
	url_message_clear(&request->message);
	buf_clear(&request->bytes);
	if (request->fd != -1)
		close(request->fd);
	pool_free(&request->pool);
	free(request);
}

static void
finish(struct url_requests *requests, unsigned int verdict)
{
	struct url_request *request = requests->first;
	uint64_t size = verdict == VERDICT_OK ? request->done : 0;
	struct text data = TEXT("");
	int none = -1;

	if (verdict == VERDICT_OK && request->fd == -1)
		data = text_make(request->bytes.data, request->bytes.size);
	account_store_answer_url(requests->account, request->tag, verdict, size,
	    data, verdict == VERDICT_OK ? &request->fd : &none);
	if (verdict != VERDICT_OK)
		log_info("url-refused", "code=%u enhanced=%s",
		    (unsigned int)smtp_verdict_row(verdict)->code,
		    smtp_verdict_row(verdict)->enhanced);
	requests->first = request->next;
	requests->count--;
	requests->is_begun = false;
	request_free(request);
	if (requests->first != NULL)
		timer_start(requests->turn, 0);
}

/* ---- Whether, and what ---- */

/* VERDICT_OK: it gives what it names. */
static unsigned int
check(struct url_requests *requests, struct imap_url *url)
{
	struct url_request *request = requests->first;

	if (imap_url_parse(request->text, request->pool, url) == -1 ||
	    !url->has_server || url->is_relative)
		return VERDICT_URL_MALFORMED;
	if (!url_access_is_here(requests->account, url))
		return VERDICT_URL_FOREIGN;
	return url_access_is_given(requests->account, url, URL_USE_SUBMIT,
		   clock_wall_us() / 1000000)
		   ? VERDICT_OK
		   : VERDICT_URL_REFUSED;
}

static void
ready(void *context)
{
	struct url_requests *requests = context;

	timer_start(requests->turn, 0);
}

static void
begin(struct url_requests *requests)
{
	struct url_request *request = requests->first;
	const struct text nothing = { NULL, 0 };
	struct imap_url url;
	unsigned int verdict = check(requests, &url);

	requests->is_begun = true;
	if (verdict != VERDICT_OK)
		finish(requests, verdict);
	else if (url_message_open(&request->message, requests->account, &url,
		     nothing, request->pool, ready, requests) != NULL)
		finish(requests, VERDICT_URL_MISSING);
}

static void
account_ready(enum status status, void *context)
{
	struct url_requests *requests = context;

	if (requests->first == NULL || requests->is_begun)
		return;
	if (status == STATUS_OK)
		begin(requests);
	else
		finish(requests, VERDICT_URL_UNAVAILABLE);
}

/* ---- Its bytes ---- */

static int
open_memory(struct url_request *request)
{
	request->fd = memfd_create("url", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return request->fd;
}

/* VERDICT_OK: it is there, and in memory if it is large. */
static unsigned int
find(struct url_request *request)
{
	struct url_message *message = &request->message;
	const char *why;

	switch (url_message_find(message, &why)) {
	case STATUS_OK:
		break;
	case STATUS_MISSING:
	case STATUS_DAMAGED:
		return VERDICT_URL_MISSING;
	default:
		return VERDICT_URL_UNAVAILABLE;
	}
	if (message->size > request->max_size)
		return VERDICT_TOO_BIG;
	buf_init(&request->bytes, URL_MESSAGE_CHUNK);
	return message->size > INLINE_SIZE && open_memory(request) == -1
		   ? VERDICT_BUSY
		   : VERDICT_OK;
}

/* As url_message_next. */
static int
copy_chunk(struct url_request *request)
{
	size_t before = request->bytes.size;
	struct error error;
	int result = url_message_next(&request->message, &request->bytes);

	if (result != 1)
		return result;
	request->done += request->bytes.size - before;
	if (request->fd == -1)
		return 1;
	if (file_write_all(request->fd, request->bytes.data,
		request->bytes.size, &error) == -1)
		return -1;
	buf_reset(&request->bytes);
	return 1;
}

static void
copy(struct url_requests *requests)
{
	struct url_request *request = requests->first;
	uint64_t until = request->done + TURN_BYTES;
	int result = 1;

	while (result == 1 && request->done < until)
		result = copy_chunk(request);
	if (result == 1)
		timer_start(requests->turn, 0);
	else if (result == -1 ||
		 (request->fd != -1 &&
		     fcntl(request->fd, F_ADD_SEALS, ALL_SEALS) == -1))
		finish(requests, VERDICT_URL_UNAVAILABLE);
	else
		finish(requests, VERDICT_OK);
}

static void
take_turn(void *context)
{
	struct url_requests *requests = context;
	struct url_request *request = requests->first;
	unsigned int verdict = VERDICT_OK;

	if (request == NULL)
		return;
	if (!requests->is_begun) {
		account_store_when_ready(
		    requests->account, account_ready, requests);
		return;
	}
	if (request->message.is_reading)
		return; /* `ready` comes */
	if (request->bytes.max_size == 0)
		verdict = find(request);
	if (verdict != VERDICT_OK)
		finish(requests, verdict);
	else
		copy(requests);
}

/* ---- Requests ---- */

void
url_requests_serve(const struct message_fetch_url *asked, void *context)
{
	struct url_requests *requests = context;
	struct url_request *request, **at = &requests->first;
	int none = -1;

	if (requests->count >= URL_REQUESTS_MAX) {
		account_store_answer_url(requests->account, asked->tag,
		    VERDICT_BUSY, 0, TEXT(""), &none);
		return;
	}
	/* As authd has it for sessions: the same. */
	account_store_set_owner(requests->account, asked->address);
	request = memory_new(1, sizeof(*request));
	request->pool = pool_new();
	request->tag = asked->tag;
	request->max_size = asked->max_size;
	request->text = text_make(
	    pool_text(request->pool, asked->url.data, asked->url.size),
	    asked->url.size);
	request->fd = -1;
	while (*at != NULL)
		at = &(*at)->next;
	*at = request;
	requests->count++;
	if (requests->first == request)
		timer_start(requests->turn, 0);
}

struct url_requests *
url_requests_new(struct event_loop *loop, struct account_store *account)
{
	struct url_requests *requests = memory_new(1, sizeof(*requests));

	requests->account = account;
	requests->turn = timer_new(loop, take_turn, requests);
	account_store_serve_urls(account, url_requests_serve, requests);
	return requests;
}

void
url_requests_free(struct url_requests **pointer)
{
	struct url_requests *requests = *pointer;
	struct url_request *request;

	account_store_serve_urls(requests->account, NULL, NULL);
	account_store_forget_ready(requests->account, requests);
	while ((request = requests->first) != NULL) {
		requests->first = request->next;
		request_free(request);
	}
	timer_free(&requests->turn);
	memory_free(pointer);
}

bool
url_requests_is_idle(const struct url_requests *requests)
{
	return requests->first == NULL;
}
