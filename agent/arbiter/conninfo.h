/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_CONNINFO_H
#define TENURE_ARBITER_CONNINFO_H

/* A libpq connection string taken apart into its hosts, so that one attempt means one address:
 * libpq itself would resolve names in the middle of the event loop, and would try a dead host first
 * on each attempt. */

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "arbiter/arbiter.h"
#include "base/usec.h"

#define CONNINFO_HOSTS_MAX 16
#define CONNINFO_ADDRESSES_MAX 8 /* per host: what a name may resolve to */
#define CONNINFO_ADDRESS_MAX 64  /* a numeric address with its NUL */

/* The file in $CREDENTIALS_DIRECTORY with the password, when the string names neither password nor
 * passfile; its first line counts. */
#define CONNINFO_CREDENTIAL "password"
#define CONNINFO_PASSWORD_MAX 1024
#define CONNINFO_PARAMETERS_MAX 128 /* libpq 15 knows 43 */

/* Defaults where the administrator says nothing: a dead link is noticed in seconds, not hours. */
#define CONNINFO_TCP_USER_TIMEOUT "5000" /* ms */
#define CONNINFO_KEEPALIVES_IDLE "5"     /* s */
#define CONNINFO_KEEPALIVES_INTERVAL "2"
#define CONNINFO_KEEPALIVES_COUNT "2"

/* Where a password would go over TCP that leaves this host and the string says nothing of it, one
 * of these is added: see login.h. */
#define CONNINFO_BINDING_KEYWORD "channel_binding"
#define CONNINFO_BINDING "require"
#define CONNINFO_METHOD_KEYWORD "require_auth"
#define CONNINFO_METHOD "scram-sha-256"

struct conninfo_host {
    char *name;     /* "" is libpq's default socket */
    char *hostaddr; /* "": none was given */
    char *port;     /* "": the default */
    bool by_name;   /* must be resolved before libpq sees it */
    char addresses[CONNINFO_ADDRESSES_MAX][CONNINFO_ADDRESS_MAX]; /* by_name: last known */
    size_t n_addresses;
};

struct conninfo {
    PQconninfoOption *options; /* as given */
    struct conninfo_host hosts[CONNINFO_HOSTS_MAX];
    size_t n_hosts;
    usec_t connect_limit;           /* connect_timeout=, USEC_INFINITY when not given */
    enum arbiter_password password; /* protected; the caller may set it */
};

/* Returns 0, -ENOMEM, or -EINVAL with the reason in reterr_text: it names options, never values. */
int conninfo_new(const char *text, struct conninfo **ret,
                 char reterr_text[static ARBITER_TEXT_MAX]);

struct conninfo *conninfo_free(struct conninfo *c);

/* The value of a keyword of libpq as the connection string has it; NULL: it has none. */
const char *conninfo_option(const struct conninfo *c, const char *keyword);

/* Does the string name a password, or a file of them, for a host over TCP that leaves this one, and
 * nothing keeps it from any server that answers: neither the string itself nor, with
 * PASSWORD_PROTECTED, what could be added? A server that is verified (sslmode=verify-full) is none
 * of those. What a name resolves to is not asked: "localhost" is this host. Such a string is
 * refused. */
bool conninfo_exposes(const struct conninfo *c);

/* Does the string name a password, or a file of them? */
bool conninfo_names_password(const struct conninfo *c);

/* Would something be added for a password, whether the string or a credential names it? */
bool conninfo_needs_protection(const struct conninfo *c);

/* So, or might the agent's environment name a host for which it would? */
bool conninfo_may_need_protection(const struct conninfo *c);

/* May a password go in clear text to any server that answers there, by c->password and all the
 * rest? */
bool conninfo_unprotected(const struct conninfo *c, const struct conninfo_host *host,
                          const char *address);

/* What is handed to libpq: where a keyword appears twice, the last one counts. NULL at the end.
 * Borrows from all three. Has the password: explicit_bzero() it. */
struct conninfo_parameters {
    const char *keywords[CONNINFO_PARAMETERS_MAX + 1], *values[CONNINFO_PARAMETERS_MAX + 1];
    size_t n;
    char password[CONNINFO_PASSWORD_MAX];
};

/* Of one host, and with `by_name` of one of its addresses. */
void conninfo_parameters(const struct conninfo *c, const struct conninfo_host *host,
                         const char *address, struct conninfo_parameters *ret);

/* PQconnectStart for one host, and with `by_name` for one of its addresses; does not block. NULL:
 * out of memory. The caller owns the connection. */
PGconn *conninfo_start(const struct conninfo *c, const struct conninfo_host *host,
                       const char *address);

/* "pg1:5432", "pg1:5432 (10.0.0.1)", "socket /run/postgresql:5432": human-readable. Returns ret. */
const char *conninfo_where(const struct conninfo_host *host, const char *address, char *ret,
                           size_t size);

#endif
