/* Settings as a struct: defaults, and what is found in them. */
#include "common/settings.h"

#include "common/memory.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DEFAULT_CA_PATH "/etc/ssl/certs/ca-certificates.crt"

struct settings *
settings_new(void)
{
	struct settings *settings = memory_new(1, sizeof(*settings));

	settings->generation = 1;
	settings->max_message_bytes = 50 * 1024 * 1024;
	settings->max_recipients = 100;
	settings->max_connections = 1000;
	settings->max_connections_per_address = 200;
	settings->max_connections_per_network = 400;
	settings->connections_rate.address = (struct rate){ 300, 60 };
	settings->connections_rate.network = (struct rate){ 1200, 60 };
	settings->errors_rate.address = (struct rate){ 200, 3600 };
	settings->errors_rate.network = (struct rate){ 800, 3600 };
	settings->max_workers = 500;
	settings->hibernate_after_s = 30;
	settings->max_account_changes = 1000000;
	settings->max_account_bytes = UINT64_C(50) << 30;
	settings->uid_service_base = 0x6fff0000;
	settings->uid_account_base = 0x70000000;
	settings->uid_account_mask = 0xf0000000;
	settings->snapshot_every_s = 15 * 60;
	settings->segment_bytes = SETTINGS_MAX_SEGMENT;
	settings->seal_after_s = 60 * 60;
	settings->reconcile_every_s = 24 * 60 * 60;
	settings->keep_minimum_s = (uint64_t)30 * 86400;
	settings->drill_sample = 1000;
	settings->queue_retry_s = 5 * 60;
	settings->queue_retry_most_s = 4 * 60 * 60;
	settings->queue_probe_most_s = 30 * 60;
	settings->queue_notice_s = 4 * 60 * 60;
	settings->queue_expire_s = 5 * 86400;
	settings->srs_valid_s = 21 * 86400;
	settings->sends_tls_reports = true;
	memcpy(settings->ca_path, DEFAULT_CA_PATH, sizeof(DEFAULT_CA_PATH));
	return settings;
}

void
settings_free(struct settings **settings)
{
	if (*settings == NULL)
		return;
	for (size_t i = 0; i < (*settings)->key_count; i++)
		memory_free(&(*settings)->keys[i].certificate_pem);
	memory_free(&(*settings)->ca_pem);
	explicit_bzero(
	    (*settings)->srs_secrets, sizeof((*settings)->srs_secrets));
	memory_free(settings);
}

const char *
settings_find_domain(const struct settings *settings, struct text domain)
{
	for (size_t i = 0; i < settings->domain_count; i++)
		if (text_is_nocase(domain, settings->domains[i]))
			return settings->domain_is[i] == 0
				   ? settings->domains[i]
				   : settings
					 ->domains[settings->domain_is[i] - 1];
	return NULL;
}

bool
settings_is_domain(const struct settings *settings, struct text domain)
{
	return settings_find_domain(settings, domain) != NULL;
}

bool
settings_is_trusted(const struct settings *settings, struct text user)
{
	for (size_t i = 0; i < settings->trusted_user_count; i++)
		if (text_is(user, settings->trusted_users[i]))
			return true;
	return false;
}

const struct send_limit_setting *
settings_find_send_limit(const struct settings *settings, struct text class)
{
	for (size_t i = 0; i < settings->send_limit_count; i++)
		if (text_is(class, settings->send_limits[i].class))
			return &settings->send_limits[i];
	return NULL;
}

const struct quota_setting *
settings_find_quota(const struct settings *settings, struct text class)
{
	for (size_t i = 0; i < settings->quota_count; i++)
		if (text_is(class, settings->quotas[i].class))
			return &settings->quotas[i];
	return NULL;
}

static const struct listen_setting *
find_unix(const struct settings *settings, const struct sockaddr_un *bound)
{
	static const struct listen_setting local = { .service = SERVICE_LOCAL };

	for (size_t i = 0; i < settings->listener_count; i++)
		if (settings->listeners[i].path[0] != '\0' &&
		    strcmp(settings->listeners[i].path, bound->sun_path) == 0)
			return &settings->listeners[i];
	return &local;
}

const struct listen_setting *
settings_find_listener(const struct settings *settings, int fd)
{
	struct sockaddr_storage bound = { 0 };
	const struct sockaddr_in *v4 = (const void *)&bound;
	const struct sockaddr_in6 *v6 = (const void *)&bound;
	socklen_t size = sizeof(bound);
	char address[INET6_ADDRSTRLEN] = "";
	uint16_t port;

	if (getsockname(fd, (struct sockaddr *)&bound, &size) == -1)
		return NULL;
	if (bound.ss_family == AF_UNIX)
		return find_unix(settings, (const void *)&bound);
	if (bound.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof(address));
	else
		inet_ntop(AF_INET, &v4->sin_addr, address, sizeof(address));
	port =
	    ntohs(bound.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
	for (size_t i = 0; i < settings->listener_count; i++) {
		const struct listen_setting *listen = &settings->listeners[i];

		if (listen->path[0] == '\0' && listen->port == port &&
		    (strcmp(listen->address, "*") == 0 ||
			strcmp(listen->address, address) == 0))
			return listen;
	}
	return NULL;
}
