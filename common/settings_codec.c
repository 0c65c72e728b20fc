/*
 * The slices of the settings that master cuts for each role.  A slice is
 * written in common/codec.h's form into a sealed memfd; the reader trusts the
 * seals, yet checks every field, because a slice that is cut wrong must not
 * become a process that runs wrong.  What a put writes the get of the same
 * name reads.
 */
#include "common/settings.h"

#include "common/buf.h"
#include "common/codec.h"
#include "common/file.h"
#include "common/memory.h"

#include <string.h>

enum {
	SLICE_MAGIC = 0x31534e46, /* "FNS1" */
	SLICE_MAX_BYTES = 4 * 1024 * 1024,
	CHAIN_MAX_BYTES = 256 * 1024,
	CA_MAX_BYTES = 2 * 1024 * 1024
};

static bool
is_front(enum role role)
{
	return role == ROLE_SMTPD || role == ROLE_IMAPD;
}

/* What of listeners, domains and paths a role has business with. */
static bool
knows_domains(enum role role)
{
	return role == ROLE_SMTPD || role == ROLE_QUEUE || role == ROLE_AUTHD;
}

static void
put_string(struct writer *writer, const char *s, bool is_known)
{
	writer_put_text(writer, text_of(is_known ? s : ""), CHAIN_MAX_BYTES);
}

static void
put_networks(struct writer *writer, const struct network_list *networks)
{
	writer_put_u32(writer, (uint32_t)networks->count);
	for (size_t i = 0; i < networks->count; i++) {
		writer_put_raw(writer, networks->list[i].bytes, NETWORK_BYTES);
		writer_put_u8(writer, networks->list[i].prefix);
	}
}

static void
put_listeners(
    struct writer *writer, const struct settings *settings, enum role role)
{
	size_t count = is_front(role) ? settings->listener_count : 0;

	writer_put_u32(writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		const struct listen_setting *listener = &settings->listeners[i];

		writer_put_u8(writer, (uint8_t)listener->service);
		writer_put_u8(writer, (uint8_t)listener->tls);
		writer_put_u8(writer, listener->is_plain_login);
		writer_put_u32(writer, listener->pause_s);
		put_string(writer, listener->address, true);
		writer_put_u16(writer, listener->port);
		put_string(writer, listener->path, true);
		put_networks(writer, &listener->proxies);
		put_networks(writer, &listener->xclients);
		put_networks(writer, &listener->clients);
	}
}

/* keyd needs the number of keys, fronts the chains as well. */
static void
put_keys(struct writer *writer, const struct settings *settings, enum role role)
{
	size_t count =
	    is_front(role) || role == ROLE_KEYD ? settings->key_count : 0;

	writer_put_u32(writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		const char *chain = settings->keys[i].certificate_pem;

		put_string(writer, chain != NULL ? chain : "", is_front(role));
	}
}

static void
put_domains(
    struct writer *writer, const struct settings *settings, enum role role)
{
	size_t count = knows_domains(role) ? settings->domain_count : 0;

	writer_put_u32(writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		put_string(writer, settings->domains[i], true);
		writer_put_u16(writer, settings->domain_is[i]);
	}
}

static void
put_keep(struct writer *writer, const struct settings *settings, enum role role)
{
	size_t count = role == ROLE_SNAPD ? settings->keep_count : 0;

	writer_put_u32(writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		writer_put_u64(writer, settings->keep[i].every_s);
		writer_put_u64(writer, settings->keep[i].span_s);
	}
	writer_put_u64(writer, settings->keep_minimum_s);
	writer_put_u32(writer, settings->snapshot_every_s);
	writer_put_u64(writer, settings->segment_bytes);
	writer_put_u32(writer, settings->seal_after_s);
	writer_put_u32(writer, settings->reconcile_every_s);
	writer_put_u8(writer, settings->takes_external_deletes);
	writer_put_u32(writer, settings->drill_every_s);
	writer_put_u32(writer, settings->drill_sample);
}

static void
put_queue(struct writer *writer, const struct settings *settings)
{
	writer_put_u8(writer, settings->is_relaying);
	writer_put_u32(writer, settings->queue_retry_s);
	writer_put_u32(writer, settings->queue_retry_most_s);
	writer_put_u32(writer, settings->queue_probe_most_s);
	writer_put_u32(writer, settings->queue_notice_s);
	writer_put_u32(writer, settings->queue_expire_s);
}

static void
put_resolver(
    struct writer *writer, const struct settings *settings, enum role role)
{
	bool is_known = role == ROLE_RESOLVER;
	size_t forwarders = is_known ? settings->forwarder_count : 0;
	size_t anchors = is_known ? settings->anchor_count : 0;
	size_t zones = is_known ? settings->insecure_count : 0;

	writer_put_u32(writer, (uint32_t)forwarders);
	for (size_t i = 0; i < forwarders; i++) {
		put_string(writer, settings->forwarders[i].address, true);
		writer_put_u16(writer, settings->forwarders[i].port);
	}
	writer_put_u32(writer, (uint32_t)anchors);
	for (size_t i = 0; i < anchors; i++)
		put_string(writer, settings->anchors[i], true);
	writer_put_u32(writer, (uint32_t)zones);
	for (size_t i = 0; i < zones; i++)
		put_string(writer, settings->insecure_zones[i], true);
}

static void
put_ca(struct writer *writer, const struct settings *settings, enum role role)
{
	bool is_known = role == ROLE_RELAY || role == ROLE_FETCHER;
	const char *pem = settings->ca_pem;

	writer_put_text(
	    writer, text_of(is_known && pem != NULL ? pem : ""), CA_MAX_BYTES);
}

/* The login is the spool's: it says with each job how it goes. */
static void
put_transport(struct writer *writer, const struct transport_setting *transport)
{
	put_string(writer, transport->domain, true);
	put_string(writer, transport->host, true);
	writer_put_u16(writer, transport->port);
	writer_put_u8(writer, transport->tls);
	writer_put_u8(writer, transport->is_lmtp);
}

static void
put_relay(
    struct writer *writer, const struct settings *settings, enum role role)
{
	const struct transport_setting none = { 0 };
	bool is_spool = role == ROLE_SPOOL;
	size_t count = is_spool ? settings->transport_count : 0;

	put_transport(writer, is_spool ? &settings->relay : &none);
	put_string(writer, settings->relay_user, is_spool);
	put_string(writer, settings->relay_password, is_spool);
	put_string(writer, settings->relay_source, is_spool);
	put_string(writer, settings->relay_hello, role == ROLE_RELAY);
	writer_put_u32(writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		put_transport(writer, &settings->transports[i]);
}

static void
put_srs(struct writer *writer, const struct settings *settings, enum role role)
{
	bool is_known = role == ROLE_QUEUE;
	size_t count = is_known ? settings->srs_secret_count : 0;

	put_string(writer, settings->srs_domain, is_known);
	writer_put_u32(writer, settings->srs_valid_s);
	writer_put_u32(writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		put_string(writer, settings->srs_secrets[i], true);
}

static void
put_tls_reports(
    struct writer *writer, const struct settings *settings, enum role role)
{
	bool is_spool = role == ROLE_SPOOL;

	writer_put_u8(writer, settings->sends_tls_reports);
	put_string(writer, settings->tls_report_contact, is_spool);
	put_string(writer, settings->tls_report_organization, is_spool);
}

static void
put_rate(struct writer *writer, const struct rate *rate)
{
	writer_put_u32(writer, rate->most);
	writer_put_u32(writer, rate->window_s);
}

static void
put_budget(struct writer *writer, const struct settings *settings)
{
	writer_put_u32(writer, settings->max_connections);
	writer_put_u32(writer, settings->max_connections_per_address);
	writer_put_u32(writer, settings->max_connections_per_network);
	put_rate(writer, &settings->connections_rate.address);
	put_rate(writer, &settings->connections_rate.network);
	put_rate(writer, &settings->errors_rate.address);
	put_rate(writer, &settings->errors_rate.network);
	put_networks(writer, &settings->trusted);
}

static void
put_slice(
    struct writer *writer, const struct settings *settings, enum role role)
{
	writer_put_u32(writer, SLICE_MAGIC);
	writer_put_u64(writer, settings->generation);
	put_string(writer, settings->host, true);
	put_domains(writer, settings, role);
	put_listeners(writer, settings, role);
	put_keys(writer, settings, role);
	writer_put_u64(writer, settings->max_message_bytes);
	writer_put_u32(writer, settings->max_recipients);
	put_budget(writer, settings);
	writer_put_u32(writer, settings->max_workers);
	writer_put_u32(writer, settings->hibernate_after_s);
	writer_put_u32(writer, settings->max_account_changes);
	writer_put_u64(writer, settings->max_account_bytes);
	writer_put_u32(writer, settings->uid_service_base);
	writer_put_u32(writer, settings->uid_account_base);
	writer_put_u32(writer, settings->uid_account_mask);
	put_keep(writer, settings, role);
	put_queue(writer, settings);
	put_string(writer, settings->store_id, true);
	put_resolver(writer, settings, role);
	put_ca(writer, settings, role);
	put_relay(writer, settings, role);
	put_srs(writer, settings, role);
	put_tls_reports(writer, settings, role);
}

int
settings_slice(
    const struct settings *settings, enum role role, struct error *error)
{
	uint8_t *data = memory_new(1, SLICE_MAX_BYTES);
	struct writer writer;
	int fd = -1;

	writer_init(&writer, data, SLICE_MAX_BYTES);
	put_slice(&writer, settings, role);
	if (writer.failed)
		error_set(error, ERROR_LIMIT, "settings slice is too large");
	else
		fd = file_sealed_memory("settings", data, writer.size, error);
	explicit_bzero(data, writer.size);
	memory_free(&data);
	return fd;
}

static void
get_string(struct reader *reader, char *to, size_t to_size)
{
	struct text text = reader_get_text(reader, to_size - 1);

	if (text_copy(text, to, to_size) == -1)
		reader->failed = true;
}

/* A count above `max` fails the reader; 0 then. */
static size_t
get_count(struct reader *reader, size_t max)
{
	uint32_t count = reader_get_u32(reader);

	if (count > max)
		reader->failed = true;
	return reader->failed ? 0 : count;
}

static void
get_networks(struct reader *reader, struct network_list *networks)
{
	networks->count = get_count(reader, NETWORK_LIST_MAX);
	for (size_t i = 0; i < networks->count; i++) {
		reader_get_raw(reader, networks->list[i].bytes, NETWORK_BYTES);
		networks->list[i].prefix = reader_get_u8(reader);
	}
}

static void
get_rate(struct reader *reader, struct rate *rate)
{
	rate->most = reader_get_u32(reader);
	rate->window_s = reader_get_u32(reader);
}

static void
get_budget(struct reader *reader, struct settings *settings)
{
	settings->max_connections = reader_get_u32(reader);
	settings->max_connections_per_address = reader_get_u32(reader);
	settings->max_connections_per_network = reader_get_u32(reader);
	get_rate(reader, &settings->connections_rate.address);
	get_rate(reader, &settings->connections_rate.network);
	get_rate(reader, &settings->errors_rate.address);
	get_rate(reader, &settings->errors_rate.network);
	get_networks(reader, &settings->trusted);
}

static void
get_listeners(struct reader *reader, struct settings *settings)
{
	settings->listener_count = get_count(reader, SETTINGS_MAX_LISTENERS);
	for (size_t i = 0; i < settings->listener_count; i++) {
		struct listen_setting *listener = &settings->listeners[i];
		uint8_t service = reader_get_u8(reader);
		uint8_t tls = reader_get_u8(reader);

		if (service > SERVICE_LMTP || tls > LISTEN_TLS_IMPLICIT)
			reader->failed = true;
		listener->service = (enum service)service;
		listener->tls = (enum listen_tls)tls;
		listener->is_plain_login = reader_get_u8(reader) != 0;
		listener->pause_s = reader_get_u32(reader);
		get_string(
		    reader, listener->address, sizeof(listener->address));
		listener->port = reader_get_u16(reader);
		get_string(reader, listener->path, sizeof(listener->path));
		get_networks(reader, &listener->proxies);
		get_networks(reader, &listener->xclients);
		get_networks(reader, &listener->clients);
	}
}

/* NULL if it is empty. */
static char *
get_pem(struct reader *reader, size_t max_size)
{
	struct text pem = reader_get_text(reader, max_size);
	char *copy;

	if (pem.size == 0)
		return NULL;
	copy = memory_new(1, pem.size + 1);
	memcpy(copy, pem.data, pem.size);
	return copy;
}

static void
get_keys(struct reader *reader, struct settings *settings)
{
	settings->key_count = get_count(reader, SETTINGS_MAX_KEYS);
	for (size_t i = 0; i < settings->key_count; i++)
		settings->keys[i].certificate_pem =
		    get_pem(reader, CHAIN_MAX_BYTES);
}

static void
get_keep(struct reader *reader, struct settings *settings)
{
	settings->keep_count = get_count(
	    reader, sizeof(settings->keep) / sizeof(settings->keep[0]));
	for (size_t i = 0; i < settings->keep_count; i++) {
		settings->keep[i].every_s = reader_get_u64(reader);
		settings->keep[i].span_s = reader_get_u64(reader);
	}
	settings->keep_minimum_s = reader_get_u64(reader);
	settings->snapshot_every_s = reader_get_u32(reader);
	settings->segment_bytes = reader_get_u64(reader);
	settings->seal_after_s = reader_get_u32(reader);
	settings->reconcile_every_s = reader_get_u32(reader);
	settings->takes_external_deletes = reader_get_u8(reader) != 0;
	settings->drill_every_s = reader_get_u32(reader);
	settings->drill_sample = reader_get_u32(reader);
}

static void
get_queue(struct reader *reader, struct settings *settings)
{
	settings->is_relaying = reader_get_u8(reader) != 0;
	settings->queue_retry_s = reader_get_u32(reader);
	settings->queue_retry_most_s = reader_get_u32(reader);
	settings->queue_probe_most_s = reader_get_u32(reader);
	settings->queue_notice_s = reader_get_u32(reader);
	settings->queue_expire_s = reader_get_u32(reader);
}

static void
get_resolver(struct reader *reader, struct settings *settings)
{
	settings->forwarder_count = get_count(reader, SETTINGS_MAX_FORWARDERS);
	for (size_t i = 0; i < settings->forwarder_count; i++) {
		struct forwarder_setting *forwarder = &settings->forwarders[i];

		get_string(
		    reader, forwarder->address, sizeof(forwarder->address));
		forwarder->port = reader_get_u16(reader);
	}
	settings->anchor_count = get_count(reader, SETTINGS_MAX_ANCHORS);
	for (size_t i = 0; i < settings->anchor_count; i++)
		get_string(
		    reader, settings->anchors[i], sizeof(settings->anchors[i]));
	settings->insecure_count = get_count(reader, SETTINGS_MAX_INSECURE);
	for (size_t i = 0; i < settings->insecure_count; i++)
		get_string(reader, settings->insecure_zones[i],
		    sizeof(settings->insecure_zones[i]));
}

static void
get_transport(struct reader *reader, struct transport_setting *transport)
{
	get_string(reader, transport->domain, sizeof(transport->domain));
	get_string(reader, transport->host, sizeof(transport->host));
	transport->port = reader_get_u16(reader);
	transport->tls = reader_get_u8(reader);
	transport->is_lmtp = reader_get_u8(reader) != 0;
}

static void
get_relay(struct reader *reader, struct settings *settings)
{
	get_transport(reader, &settings->relay);
	get_string(reader, settings->relay_user, sizeof(settings->relay_user));
	get_string(
	    reader, settings->relay_password, sizeof(settings->relay_password));
	get_string(
	    reader, settings->relay_source, sizeof(settings->relay_source));
	get_string(
	    reader, settings->relay_hello, sizeof(settings->relay_hello));
	settings->transport_count = get_count(reader, SETTINGS_MAX_TRANSPORTS);
	for (size_t i = 0; i < settings->transport_count; i++)
		get_transport(reader, &settings->transports[i]);
}

static void
get_srs(struct reader *reader, struct settings *settings)
{
	get_string(reader, settings->srs_domain, sizeof(settings->srs_domain));
	settings->srs_valid_s = reader_get_u32(reader);
	settings->srs_secret_count =
	    get_count(reader, SETTINGS_MAX_SRS_SECRETS);
	for (size_t i = 0; i < settings->srs_secret_count; i++)
		get_string(reader, settings->srs_secrets[i],
		    sizeof(settings->srs_secrets[i]));
}

static void
get_tls_reports(struct reader *reader, struct settings *settings)
{
	settings->sends_tls_reports = reader_get_u8(reader) != 0;
	get_string(reader, settings->tls_report_contact,
	    sizeof(settings->tls_report_contact));
	get_string(reader, settings->tls_report_organization,
	    sizeof(settings->tls_report_organization));
}

static void
get_slice(struct reader *reader, struct settings *settings)
{
	if (reader_get_u32(reader) != SLICE_MAGIC)
		reader->failed = true;
	settings->generation = reader_get_u64(reader);
	get_string(reader, settings->host, sizeof(settings->host));
	settings->domain_count = get_count(reader, SETTINGS_MAX_DOMAINS);
	for (size_t i = 0; i < settings->domain_count; i++) {
		get_string(
		    reader, settings->domains[i], sizeof(settings->domains[i]));
		settings->domain_is[i] = reader_get_u16(reader);
		if (settings->domain_is[i] > settings->domain_count)
			reader->failed = true;
	}
	get_listeners(reader, settings);
	get_keys(reader, settings);
	settings->max_message_bytes = reader_get_u64(reader);
	settings->max_recipients = reader_get_u32(reader);
	get_budget(reader, settings);
	settings->max_workers = reader_get_u32(reader);
	settings->hibernate_after_s = reader_get_u32(reader);
	settings->max_account_changes = reader_get_u32(reader);
	settings->max_account_bytes = reader_get_u64(reader);
	settings->uid_service_base = reader_get_u32(reader);
	settings->uid_account_base = reader_get_u32(reader);
	settings->uid_account_mask = reader_get_u32(reader);
	get_keep(reader, settings);
	get_queue(reader, settings);
	get_string(reader, settings->store_id, sizeof(settings->store_id));
	get_resolver(reader, settings);
	settings->ca_pem = get_pem(reader, CA_MAX_BYTES);
	get_relay(reader, settings);
	get_srs(reader, settings);
	get_tls_reports(reader, settings);
}

struct settings *
settings_read_slice(int fd, struct error *error)
{
	struct settings *settings;
	struct reader reader;
	struct buf buf;

	if (file_check_sealed(fd, error) == -1)
		return NULL;
	buf_init(&buf, SLICE_MAX_BYTES);
	if (file_read_all(fd, &buf, error) == -1) {
		buf_clear(&buf);
		return NULL;
	}
	settings = settings_new();
	reader_init(&reader, buf.data, buf.size);
	get_slice(&reader, settings);
	if (reader_done(&reader) == -1) {
		error_set(error, ERROR_INPUT, "malformed settings slice");
		settings_free(&settings);
	}
	if (buf.size > 0)
		explicit_bzero(buf.data, buf.size);
	buf_clear(&buf);
	return settings;
}
