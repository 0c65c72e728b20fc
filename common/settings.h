/*
 * What the administrator set: the whole of firnmail.conf as the parser leaves
 * it (master and firnmail only), and the slices of it that the other roles are
 * given in sealed memfds.  A slice is the same struct with everything that the
 * role has no business to know left empty.
 */
#ifndef COMMON_SETTINGS_H
#define COMMON_SETTINGS_H

#include "common/error.h"
#include "common/messages.h"
#include "common/network.h"
#include "common/rate_sketch.h"
#include "common/settings_anchor.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SETTINGS_MAX_DOMAINS = 256,
	SETTINGS_MAX_LISTENERS = 16,
	SETTINGS_MAX_KEYS = 8,
	SETTINGS_MAX_SEND_LIMITS = 8,
	SETTINGS_CLASS_SIZE = 33,
	SETTINGS_MAX_FORWARDERS = 8,
	SETTINGS_MAX_ANCHORS = 8,
	SETTINGS_MAX_INSECURE = 8,
	SETTINGS_MAX_TRANSPORTS = 64,
	SETTINGS_MAX_SRS_SECRETS = 4,
	SETTINGS_SRS_SECRET_SIZE = 129,
	SETTINGS_MAX_TRUSTED = 16,
	SETTINGS_TRUSTED_SIZE = 33, /* as LOCAL_USER_SIZE */
	RATE_MAX = 1000000,
	/* What a network may do of what an address may, unless it is said. */
	RATE_NETWORK_SHARE = 4
};

/* Of a segment of the snapshot store: the largest body has room in any. */
#define SETTINGS_MIN_SEGMENT (UINT64_C(512) << 20)
#define SETTINGS_MAX_SEGMENT (UINT64_C(64) << 30)
#define SETTINGS_MAX_QUOTA   (UINT64_C(1) << 50)

enum service {
	SERVICE_SMTP,   /* mail from everyone, no AUTH */
	SERVICE_SUBMIT, /* mail from our users, AUTH required */
	SERVICE_IMAP,
	SERVICE_LMTP, /* mail for our accounts from hosts we trust */
	SERVICE_LOCAL /* mail from programs of this machine: no listen line */
};

enum listen_tls {
	LISTEN_TLS_NONE,
	LISTEN_TLS_OFFERED,  /* `tls`: STARTTLS */
	LISTEN_TLS_REQUIRED, /* `starttls-required`: nothing before STARTTLS */
	LISTEN_TLS_IMPLICIT  /* `tls-required`: TLS from the first byte */
};

struct listen_setting {
	enum service service;
	enum listen_tls tls;
	bool is_plain_login; /* LOGIN without TLS from loopback */
	uint32_t pause_s;    /* before the greeting, for whom we do not know */
	char address[64];    /* "*" or a numeric address */
	uint16_t port;
	char path[108]; /* of a unix socket, instead of the two; "": none */
	/* Whose word about the client is believed: proxies alone connect, if
	 * there are any; XCLIENT; and who may come at all, of lmtp. */
	struct network_list proxies;
	struct network_list xclients;
	struct network_list clients;
};

/* How often one client may do something, and one network. */
struct rate_setting {
	struct rate address;
	struct rate network;
};

struct key_setting {
	char *certificate_pem; /* the chain as text; fronts, master */
	char certificate_path[512];
	char key_path[512]; /* master only */
};

struct forwarder_setting {
	char address[64]; /* numeric */
	uint16_t port;
};

/* Where mail of a domain goes, and what TLS its hosts must show. */
struct transport_setting {
	char domain[256]; /* ".example.org": all that is below it */
	char host[256];   /* a name or an address; "": the domain's MX */
	uint16_t port;    /* 0: the usual one */
	uint8_t tls;      /* enum relay_tls of common/relay_route.h */
	bool is_lmtp;
};

struct settings {
	uint64_t generation; /* raised by each reload */
	char host[256];
	size_t domain_count;
	char domains[SETTINGS_MAX_DOMAINS][256];
	/* 1 more than the place of the one that it is another name of; 0. */
	uint16_t domain_is[SETTINGS_MAX_DOMAINS];
	size_t listener_count;
	struct listen_setting listeners[SETTINGS_MAX_LISTENERS];
	size_t key_count;
	struct key_setting keys[SETTINGS_MAX_KEYS];
	char users_path[512];
	char aliases_path[512];
	char mail_path[512];
	char snap_path[512];
	char queue_path[512]; /* mail that goes out */
	/* Whether those who logged in may send to other hosts; how much in a
	 * day, by the class of the account, "" for those without one: master
	 * and firnmail only, accounts have it (common/account.h). */
	bool is_relaying;
	size_t send_limit_count;
	struct send_limit_setting {
		char class[SETTINGS_CLASS_SIZE];
		uint32_t per_day; /* recipients; 0 while the line is read */
	} send_limits[SETTINGS_MAX_SEND_LIMITS];
	/* How much an account may have in its mailboxes, likewise. */
	size_t quota_count;
	struct quota_setting {
		char class[SETTINGS_CLASS_SIZE];
		uint64_t bytes;    /* 0: any number of them */
		uint64_t messages; /* as here */
	} quotas[SETTINGS_MAX_SEND_LIMITS];
	/* The first wait before a message is tried again, which doubles, and
	 * the longest; those of a destination that is not there; when its
	 * sender hears that it is late, and when it is given up. */
	uint32_t queue_retry_s;
	uint32_t queue_retry_most_s;
	uint32_t queue_probe_most_s;
	uint32_t queue_notice_s;
	uint32_t queue_expire_s;
	uint64_t max_message_bytes;           /* SIZE; default 50 MiB */
	uint32_t max_recipients;              /* a transaction; default 100 */
	uint32_t max_connections;             /* a front; default 1,000 */
	uint32_t max_connections_per_address; /* default 200 */
	uint32_t max_connections_per_network; /* default 400 */
	struct rate_setting connections_rate; /* default 300/minute */
	struct rate_setting errors_rate;      /* default 200/hour */
	struct network_list trusted;          /* these have no such limits */
	uint32_t max_workers;
	uint32_t hibernate_after_s; /* 0: never; default 30 */
	/* What one account may add to the store in a day. */
	uint32_t max_account_changes; /* default 1,000,000 */
	uint64_t max_account_bytes;   /* default 50 GiB */
	uint32_t uid_service_base;    /* services: base + role */
	uint32_t uid_account_base;    /* accounts: base + number */
	uint32_t uid_account_mask;    /* of the aligned power-of-two range */
	uint32_t snapshot_every_s;
	uint64_t segment_bytes;     /* of one at most; default 64 GiB */
	uint32_t seal_after_s;      /* what is new is in one by then; 1 hour */
	uint32_t reconcile_every_s; /* default 24 hours */
	/* A file that another program took away is a deleted message. */
	bool takes_external_deletes;
	/* `keep` policy: up to 8 tiers, `every` for `span`, in seconds. */
	size_t keep_count;
	struct {
		uint64_t every_s;
		uint64_t span_s;
	} keep[8];
	uint64_t keep_minimum_s;
	/* Rehearsals of a restore: how often (0: by hand only), of how many
	 * messages (0: all), and where. */
	uint32_t drill_every_s;
	uint32_t drill_sample;
	char drill_path[512];
	/* /etc/firnmail/store-id as 32 hex digits: which store is ours; empty
	 * before setup. */
	char store_id[33];
	/* DNS: whom the resolver asks, or nobody: the root's servers and
	 * downwards; the anchors beside or instead of the root's own, as lines
	 * of a zone file; zones that are not validated. */
	bool is_system_resolver; /* forwarders are those of resolv.conf */
	size_t forwarder_count;
	struct forwarder_setting forwarders[SETTINGS_MAX_FORWARDERS];
	size_t anchor_count;
	char anchors[SETTINGS_MAX_ANCHORS][SETTINGS_ANCHOR_SIZE];
	char anchor_path[512]; /* a file of them; "" is none */
	size_t insecure_count;
	char insecure_zones[SETTINGS_MAX_INSECURE][256];
	/* Whose certificates of other hosts are believed: PEM; NULL if the file
	 * is not there. Those who connect out have it. */
	char ca_path[512];
	char *ca_pem;
	/* Mail for other hosts: the host that all goes by (the one without a
	 * domain), with our login there, read from a file; the address that
	 * it comes from, and the name that is said. The spool has the first,
	 * the relay the name. */
	struct transport_setting relay;
	char relay_auth_path[512];
	char relay_user[256];
	char relay_password[256];
	char relay_source[64];
	char relay_hello[256];
	size_t transport_count;
	struct transport_setting transports[SETTINGS_MAX_TRANSPORTS];
	/* Senders of what is passed on: the domain that they are given, how
	 * long mail back to them is taken, and the secrets of which the first
	 * signs; none: they stay as they are. The queue has these. */
	bool is_srs_off;
	char srs_path[512];
	char srs_domain[256];
	uint32_t srs_valid_s;
	size_t srs_secret_count;
	char srs_secrets[SETTINGS_MAX_SRS_SECRETS][SETTINGS_SRS_SECRET_SIZE];
	/* Users of this machine who may send as anybody, as root may: master
	 * tells authd (master/local_users.h). */
	size_t trusted_user_count;
	char trusted_users[SETTINGS_MAX_TRUSTED][SETTINGS_TRUSTED_SIZE];
	/* Reports of TLS (RFC 8460) to those domains that ask for them: who
	 * sends them. The relay knows only whether. */
	bool sends_tls_reports; /* default true */
	char tls_report_contact[256];
	char tls_report_organization[128];
};

struct settings *settings_new(void); /* with all defaults */
void settings_free(struct settings **settings);

/* The domain that mail for `domain` is looked up in: of the domain lines that
 * one, or the one that it is another name of; NULL if it is none of them. */
const char *settings_find_domain(
    const struct settings *settings, struct text domain);
bool settings_is_domain(const struct settings *settings, struct text domain);

/* Whether that user of this machine may send as anybody, by name. */
bool settings_is_trusted(const struct settings *settings, struct text user);

/* Of a class, by its own line; NULL if it has none. */
const struct send_limit_setting *settings_find_send_limit(
    const struct settings *settings, struct text class);
const struct quota_setting *settings_find_quota(
    const struct settings *settings, struct text class);

/* The listener that a bound socket was made for (a `*` listener has a socket
 * for IPv4 and one for IPv6), by its address and port; NULL if there is none.
 */
const struct listen_setting *settings_find_listener(
    const struct settings *settings, int fd);

/* The slice for `role` as a sealed memfd, or -1. */
int settings_slice(
    const struct settings *settings, enum role role, struct error *error);

/* From a sealed memfd; the caller frees. NULL and error if it is not one of
 * ours. */
struct settings *settings_read_slice(int fd, struct error *error);

#endif
