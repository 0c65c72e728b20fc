/*
 * See transfer.h.  libcurl would look names up in a thread of its own: it never
 * does, because each host comes with its addresses.  The handle that it keeps
 * is made before the sandbox shuts, since it makes a pair of sockets for
 * itself.
 */
#include "fetcher/transfer.h"

#include "common/buf.h"
#include "common/log.h"
#include "common/memory.h"

#include <curl/curl.h>

#include <stdio.h>
#include <string.h>

enum {
	CONNECT_TIMEOUT_MS = 20000,
	TIMEOUT_MS = 60000
};

struct transfers {
	struct event_loop *loop;
	struct timer *timer;
	struct timer *failing; /* those that could not begin */
	struct curl_blob authorities;
	struct transfer *all;
};

struct transfer {
	struct transfers *transfers;
	struct transfer *next;
	CURL *easy; /* NULL: it could not begin */
	struct curl_slist *addresses;
	struct curl_slist *fields;
	const char *wanted_type;
	struct buf body;
	size_t header_bytes;
	bool is_too_large;
	transfer_callback callback;
	void *context;
};

static CURLM *multi;

void
transfers_prepare(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		fatal("what=\"libcurl does not start\"");
	multi = curl_multi_init();
	if (multi == NULL)
		fatal("what=\"libcurl does not start\"");
}

/* -- How it ends -- */

static void
transfer_free(struct transfer *transfer)
{
	struct transfer **place = &transfer->transfers->all;

	while (*place != transfer)
		place = &(*place)->next;
	*place = transfer->next;
	if (transfer->easy != NULL) {
		(void)curl_multi_remove_handle(multi, transfer->easy);
		curl_easy_cleanup(transfer->easy);
	}
	curl_slist_free_all(transfer->addresses);
	curl_slist_free_all(transfer->fields);
	buf_clear(&transfer->body);
	memory_free(&transfer);
}

void
transfer_cancel(struct transfer **transfer)
{
	if (*transfer == NULL)
		return;
	transfer_free(*transfer);
	*transfer = NULL;
}

/* The media type is what stands before parameters (RFC 9110 section 8.3). */
static bool
is_wanted_type(const struct transfer *transfer)
{
	const char *type = NULL;
	struct text rest, media;

	if (transfer->wanted_type == NULL)
		return true;
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
	if (type == NULL)
		return false;
	rest = text_of(type);
	return text_next(&rest, ';', &media) &&
	       text_is_nocase(text_trim(media), transfer->wanted_type);
}

static void
judge_reply(struct transfer *transfer, struct transfer_result *result)
{
	long code = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &code);
	if (code == 404 || code == 410) {
		result->status = STATUS_MISSING;
		result->why = "there is no such document";
	} else if (code >= 500) {
		result->status = STATUS_UNAVAILABLE;
		result->why = "the server failed";
	} else if (transfer->fields != NULL ? code < 200 || code > 299
					    : code != 200) {
		result->status = STATUS_INVALID;
		result->why = "the status is not 200";
	} else if (!is_wanted_type(transfer)) {
		result->status = STATUS_INVALID;
		result->why = "the document is of another type";
	} else {
		result->status = STATUS_OK;
		result->why = "";
		result->body =
		    text_make(transfer->body.data, transfer->body.size);
	}
}

static void
judge_failure(
    struct transfer *transfer, CURLcode code, struct transfer_result *result)
{
	result->status = STATUS_UNAVAILABLE;
	result->why = curl_easy_strerror(code);
	if (transfer->is_too_large || code == CURLE_FILESIZE_EXCEEDED) {
		result->status = STATUS_LIMIT;
		result->why = "the document is too large";
	} else if (code == CURLE_PEER_FAILED_VERIFICATION) {
		result->status = STATUS_REFUSED;
		result->why = "the certificate is not good";
	}
}

static void
finish(struct transfer *transfer, CURLcode code)
{
	struct transfer_result result = { .status = STATUS_UNAVAILABLE };

	if (code == CURLE_OK)
		judge_reply(transfer, &result);
	else
		judge_failure(transfer, code, &result);
	transfer->callback(&result, transfer->context);
	transfer_free(transfer);
}

/* What has come to its end; a callback may cancel others. */
static void
take_ended(void)
{
	struct CURLMsg *message;
	struct transfer *transfer;
	int left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL) {
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
			(char **)&transfer) != CURLE_OK)
			continue;
		finish(transfer, code);
	}
}

/* -- libcurl on our loop -- */

static void
socket_ready(int fd, int events, void *context)
{
	int mask = 0, running;

	if (events & WATCH_READ)
		mask |= CURL_CSELECT_IN;
	if (events & WATCH_WRITE)
		mask |= CURL_CSELECT_OUT;
	(void)curl_multi_socket_action(multi, fd, mask, &running);
	take_ended();
}

static int
watch_socket(
    CURL *easy, curl_socket_t fd, int what, void *context, void *of_socket)
{
	struct transfers *transfers = context;
	struct watch *watch = of_socket;
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		watch_free(&watch);
		(void)curl_multi_assign(multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= WATCH_READ;
	if (what & CURL_POLL_OUT)
		events |= WATCH_WRITE;
	if (watch == NULL) {
		watch = watch_new(
		    transfers->loop, fd, events, socket_ready, transfers);
		(void)curl_multi_assign(multi, fd, watch);
	} else {
		watch_set(watch, events);
	}
	return 0;
}

static int
set_timer(CURLM *of, long delay_ms, void *context)
{
	struct transfers *transfers = context;

	if (delay_ms < 0)
		timer_stop(transfers->timer);
	else
		timer_start(transfers->timer, delay_ms);
	return 0;
}

static void
time_passed(void *context)
{
	int running;

	(void)curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_ended();
}

static void
fail_those(void *context)
{
	struct transfers *transfers = context;
	struct transfer *one = transfers->all;

	while (one != NULL) {
		if (one->easy != NULL) {
			one = one->next;
			continue;
		}
		finish(one, CURLE_FAILED_INIT);
		one = transfers->all; /* anything may have changed */
	}
}

struct transfers *
transfers_new(struct event_loop *loop)
{
	struct transfers *transfers = memory_new(1, sizeof(*transfers));

	transfers->loop = loop;
	transfers->timer = timer_new(loop, time_passed, transfers);
	transfers->failing = timer_new(loop, fail_those, transfers);
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, transfers);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, transfers);
	return transfers;
}

void
transfers_free(struct transfers **transfers)
{
	struct transfers *t = *transfers;

	if (t == NULL)
		return;
	while (t->all != NULL)
		transfer_free(t->all);
	curl_multi_cleanup(multi);
	multi = NULL;
	timer_free(&t->timer);
	timer_free(&t->failing);
	memory_free(&t->authorities.data);
	memory_free(transfers);
}

void
transfers_set_authorities(struct transfers *transfers, const char *pem)
{
	memory_free(&transfers->authorities.data);
	transfers->authorities.len = pem != NULL ? strlen(pem) : 0;
	if (pem != NULL)
		transfers->authorities.data = memory_copy_text(pem);
	transfers->authorities.flags = CURL_BLOB_COPY;
}

/* -- How it begins -- */

static size_t
take_body(char *data, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;

	if (buf_put(&transfer->body, data, size * count) == 0)
		return size * count;
	transfer->is_too_large = true;
	return 0;
}

static size_t
take_header(char *data, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;

	transfer->header_bytes += size * count;
	if (transfer->header_bytes <= TRANSFER_MAX_HEADER)
		return size * count;
	transfer->is_too_large = true;
	return 0;
}

static struct curl_slist *
add(struct curl_slist *list, const char *text)
{
	list = curl_slist_append(list, text);
	if (list == NULL)
		fatal("what=\"out of memory\"");
	return list;
}

/* +HOST:PORT:ADDRESS,...: for this time, not for ever. */
static struct curl_slist *
list_addresses(const struct transfer_request *request)
{
	char line[HTTPS_HOST_SIZE + 16 +
		  TRANSFER_MAX_ADDRESSES * (TRANSFER_ADDRESS_SIZE + 1)];
	int size = snprintf(line, sizeof(line), "+%s:%u:", request->uri.host,
	    request->uri.port);

	for (size_t i = 0; i < request->address_count; i++)
		size += snprintf(line + size, sizeof(line) - (size_t)size,
		    "%s%s", i > 0 ? "," : "", request->addresses[i]);
	return add(NULL, line);
}

/* Nothing that is there by default, by the environment or by a file. */
static CURLcode
set_walls(CURL *easy, struct curl_blob *authorities)
{
	CURLcode code = CURLE_OK;

#define SET(option, value)    \
	if (code == CURLE_OK) \
	code = curl_easy_setopt(easy, option, value)
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_CAINFO, NULL);
	SET(CURLOPT_CAINFO_BLOB, authorities);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	SET(CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	return code;
}

static CURLcode
set_request(struct transfer *transfer, const struct transfer_request *request)
{
	char url[HTTPS_HOST_SIZE + HTTPS_PATH_SIZE + 20];
	CURL *easy = transfer->easy;
	CURLcode code = CURLE_OK;

	snprintf(url, sizeof(url), "https://%s:%u%s", request->uri.host,
	    request->uri.port, request->uri.path);
	SET(CURLOPT_URL, url);
	SET(CURLOPT_RESOLVE, transfer->addresses);
	SET(CURLOPT_USERAGENT, "firnmail");
	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)TRANSFER_MAX_BODY);
	if (request->body_type == NULL)
		return code;
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDS, request->body.data);
	SET(CURLOPT_POSTFIELDSIZE, (long)request->body.size);
	SET(CURLOPT_HTTPHEADER, transfer->fields);
#undef SET
	return code;
}

static struct curl_slist *
list_fields(const struct transfer_request *request)
{
	char field[200];

	if (request->body_type == NULL)
		return NULL;
	snprintf(field, sizeof(field), "Content-Type: %s", request->body_type);
	/* No "Expect: 100-continue". */
	return add(add(NULL, field), "Expect:");
}

/* Without authorities or addresses nothing begins: it fails from the loop. */
static bool
begin(struct transfer *transfer, const struct transfer_request *request)
{
	struct transfers *transfers = transfer->transfers;

	if (transfers->authorities.data == NULL || request->address_count == 0)
		return false;
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL)
		fatal("what=\"out of memory\"");
	if (set_walls(transfer->easy, &transfers->authorities) == CURLE_OK &&
	    set_request(transfer, request) == CURLE_OK &&
	    curl_multi_add_handle(multi, transfer->easy) == CURLM_OK)
		return true;
	curl_easy_cleanup(transfer->easy);
	transfer->easy = NULL;
	return false;
}

struct transfer *
transfer_start(struct transfers *transfers,
    const struct transfer_request *request, transfer_callback callback,
    void *context)
{
	struct transfer *transfer = memory_new(1, sizeof(*transfer));

	transfer->transfers = transfers;
	transfer->next = transfers->all;
	transfers->all = transfer;
	transfer->callback = callback;
	transfer->context = context;
	transfer->wanted_type = request->wanted_type;
	transfer->addresses = list_addresses(request);
	transfer->fields = list_fields(request);
	buf_init(&transfer->body, TRANSFER_MAX_BODY);
	if (!begin(transfer, request))
		timer_start(transfers->failing, 0);
	return transfer;
}
