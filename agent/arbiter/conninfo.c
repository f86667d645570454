/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/conninfo.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "arbiter/login.h"
#include "base/cleanup.h"
#include "base/parse.h"

#define DEFAULT_PORT "5432"
#define CREDENTIAL_PATH_MAX 512

static const struct {
    const char *keyword, *value;
} defaults[] = {
    {"tcp_user_timeout", CONNINFO_TCP_USER_TIMEOUT},
    {"keepalives", "1"},
    {"keepalives_idle", CONNINFO_KEEPALIVES_IDLE},
    {"keepalives_interval", CONNINFO_KEEPALIVES_INTERVAL},
    {"keepalives_count", CONNINFO_KEEPALIVES_COUNT},
    {"application_name", "tenured"},
    {"client_encoding", "UTF8"},
    /* Asking a Kerberos server blocks, so libpq must not try that by itself. */
    {"gssencmode", "disable"},
};

static const char *option(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o && o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0)
            return o->val && *o->val ? o->val : NULL;
    return NULL;
}

const char *conninfo_option(const struct conninfo *c, const char *keyword)
{
    assert(c);
    return option(c->options, keyword);
}

struct conninfo *conninfo_free(struct conninfo *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < c->n_hosts; i++) {
        free(c->hosts[i].name);
        free(c->hosts[i].hostaddr);
        free(c->hosts[i].port);
    }
    PQconninfoFree(c->options);
    free(c);
    return NULL;
}

static void cleanup_conninfo(struct conninfo **c)
{
    (void)conninfo_free(*c);
}

static void cleanup_options(PQconninfoOption **o)
{
    PQconninfoFree(*o);
}

static bool numeric(const char *host)
{
    unsigned char buffer[sizeof(struct in6_addr)];
    char address[CONNINFO_ADDRESS_MAX];

    if (inet_pton(AF_INET, host, buffer) == 1)
        return true;
    /* A zone ("%eth0") is not for inet_pton(). */
    size_t length = strcspn(host, "%");
    if (length >= sizeof address)
        return false;
    memcpy(address, host, length);
    address[length] = '\0';
    return inet_pton(AF_INET6, address, buffer) == 1;
}

static size_t elements(const char *list)
{
    size_t n = 1;

    if (!list)
        return 0;
    for (const char *p = list; *p; p++)
        n += *p == ',';
    return n;
}

/* Element i of a comma-separated list: a copy, "" when there is no list. NULL: out of memory. */
static char *element(const char *list, size_t i)
{
    const char *p = list;

    if (!list)
        return strdup("");
    for (; i > 0; i--) {
        p = strchr(p, ',');
        assert(p); /* the caller counted */
        p++;
    }
    return strndup(p, strcspn(p, ","));
}

/* The rules of libpq: hostaddr, else host says how many there are; one port is for all. */
static int split_hosts(struct conninfo *c, const char *host, const char *hostaddr, const char *port,
                       char reterr_text[static ARBITER_TEXT_MAX])
{
    size_t n_host = elements(host), n_addr = elements(hostaddr), n_port = elements(port);
    size_t n = n_addr ? n_addr : n_host ? n_host : 1;

    if (n > CONNINFO_HOSTS_MAX) {
        (void)snprintf(reterr_text, ARBITER_TEXT_MAX,
                       "conninfo names %zu hosts; at most %d are allowed", n, CONNINFO_HOSTS_MAX);
        return -EINVAL;
    }
    if ((n_host && n_host != n) || (n_port > 1 && n_port != n)) {
        (void)snprintf(reterr_text, ARBITER_TEXT_MAX,
                       "conninfo lists %zu hosts, %zu hostaddrs and %zu ports: the lists must be "
                       "of one length",
                       n_host, n_addr, n_port);
        return -EINVAL;
    }
    for (; c->n_hosts < n; c->n_hosts++) {
        struct conninfo_host *h = &c->hosts[c->n_hosts];

        h->name = element(host, c->n_hosts);
        h->hostaddr = element(hostaddr, c->n_hosts);
        h->port = element(port, n_port > 1 ? c->n_hosts : 0);
        if (!h->name || !h->hostaddr || !h->port) {
            c->n_hosts++; /* so that what there is will be freed */
            return -ENOMEM;
        }
        h->by_name = !*h->hostaddr && *h->name && !strchr("/@", *h->name) && !numeric(h->name);
    }
    return 0;
}

static int take_connect_timeout(struct conninfo *c, char reterr_text[static ARBITER_TEXT_MAX])
{
    const char *text = option(c->options, "connect_timeout");
    uint64_t seconds;

    c->connect_limit = USEC_INFINITY;
    if (!text)
        return 0;
    if (parse_u64(text, &seconds) < 0 || seconds > 3600) {
        (void)snprintf(reterr_text, ARBITER_TEXT_MAX,
                       "connect_timeout in conninfo is no number of seconds up to 3600");
        return -EINVAL;
    }
    if (seconds > 0)
        c->connect_limit = seconds * USEC_PER_SEC;
    return 0;
}

int conninfo_new(const char *text, struct conninfo **ret, char reterr_text[static ARBITER_TEXT_MAX])
{
    assert(text);
    assert(ret);

    _cleanup_(cleanup_conninfo) struct conninfo *c = calloc(1, sizeof *c);
    _cleanup_(cleanup_options) PQconninfoOption *fallback = NULL;
    char *message = NULL;

    if (!c)
        return -ENOMEM;
    c->options = PQconninfoParse(text, &message);
    PQfreemem(message); /* it quotes the value, which may be a password */
    if (!c->options) {
        (void)snprintf(reterr_text, ARBITER_TEXT_MAX,
                       "conninfo is neither \"keyword=value ...\" with keywords of libpq nor a "
                       "postgresql:// URI");
        return -EINVAL;
    }
    if (option(c->options, "service")) {
        (void)snprintf(reterr_text, ARBITER_TEXT_MAX,
                       "conninfo uses \"service\", which is not supported: write out its options");
        return -EINVAL;
    }
    /* libpq would take hosts, passwords and what protects them from its file, unseen here. */
    if (getenv("PGSERVICE")) {
        (void)snprintf(
            reterr_text, ARBITER_TEXT_MAX,
            "PGSERVICE is set in the environment, which is not supported: take it out, "
            "say from a drop-in of tenured.service, and write its options into conninfo");
        return -EINVAL;
    }
    fallback = PQconndefaults(); /* PGHOST and the like */
    if (!fallback)
        return -ENOMEM;

    const char *host = option(c->options, "host"), *hostaddr = option(c->options, "hostaddr"),
               *port = option(c->options, "port");
    int r = split_hosts(c, host ? host : option(fallback, "host"),
                        hostaddr ? hostaddr : option(fallback, "hostaddr"),
                        port ? port : option(fallback, "port"), reterr_text);
    if (r < 0)
        return r;
    r = take_connect_timeout(c, reterr_text);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(c);
    return 0;
}

/* systemd's credential (systemd.exec(5)): a file that is this service's alone. libpq's own
 * passfile= will not do: systemd 257 lets it be read by an access control list, which libpq takes
 * for access of a group, and refuses. False: there is none. */
static bool read_credential(char ret[static CONNINFO_PASSWORD_MAX])
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    char path[CREDENTIAL_PATH_MAX];
    int n = dir ? snprintf(path, sizeof path, "%s/" CONNINFO_CREDENTIAL, dir) : -1;
    int fd = n > 0 && (size_t)n < sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return false;
    ssize_t length = read(fd, ret, CONNINFO_PASSWORD_MAX - 1);
    (void)close(fd);
    if (length <= 0)
        return false;
    ret[length] = '\0';
    ret[strcspn(ret, "\r\n")] = '\0';
    return *ret != '\0';
}

/* ---- who gets the password ---- */

/* address: of a name; NULL: not known. */
static bool leaves_host(const struct conninfo_host *h, const char *address)
{
    const char *last = strrchr(h->name, '.');

    if (*h->hostaddr)
        return !login_is_loopback(h->hostaddr);
    if (!*h->name || strchr("/@", *h->name))
        return false;
    if (!h->by_name)
        return !login_is_loopback(h->name);
    return address ? !login_is_loopback(address)
                   : strcasecmp(last ? last + 1 : h->name, "localhost") != 0;
}

static enum login_protection protection_of(const struct conninfo *c)
{
    struct login_settings s = {.sslmode = option(c->options, "sslmode"),
                               .require_auth = option(c->options, CONNINFO_METHOD_KEYWORD),
                               .channel_binding = option(c->options, CONNINFO_BINDING_KEYWORD)};

    for (const PQconninfoOption *o = c->options; o->keyword; o++)
        s.knows_require_auth =
            s.knows_require_auth || strcmp(o->keyword, CONNINFO_METHOD_KEYWORD) == 0;
    return login_protection(&s);
}

bool conninfo_names_password(const struct conninfo *c)
{
    assert(c);
    return option(c->options, "password") || option(c->options, "passfile");
}

/* Also what only the environment names, and libpq would take. */
static bool has_password(const struct conninfo *c)
{
    char password[CONNINFO_PASSWORD_MAX];
    bool has = conninfo_names_password(c) || getenv("PGPASSWORD") || getenv("PGPASSFILE") ||
               read_credential(password);

    explicit_bzero(password, sizeof password);
    return has;
}

/* Without anything added: would it go to any server that answers? To one that is verified it is
 * meant to go. */
static bool is_open(const struct conninfo *c)
{
    const char *sslmode = option(c->options, "sslmode");

    return protection_of(c) != LOGIN_AS_WRITTEN &&
           !(sslmode && strcmp(sslmode, "verify-full") == 0);
}

bool conninfo_needs_protection(const struct conninfo *c)
{
    assert(c);

    bool leaves = false;

    for (size_t i = 0; i < c->n_hosts; i++)
        leaves = leaves || leaves_host(&c->hosts[i], NULL);
    return leaves && protection_of(c) != LOGIN_AS_WRITTEN;
}

bool conninfo_may_need_protection(const struct conninfo *c)
{
    assert(c);

    bool named = option(c->options, "host") || option(c->options, "hostaddr");

    return conninfo_needs_protection(c) || (!named && protection_of(c) != LOGIN_AS_WRITTEN);
}

/* Where nothing is to be protected, all versions behave the same; "localhost" may be a lie. */
static bool is_protected(const struct conninfo *c)
{
    return c->password == PASSWORD_PROTECTED ||
           (c->password == PASSWORD_AS_BEFORE && !conninfo_needs_protection(c));
}

bool conninfo_exposes(const struct conninfo *c)
{
    return conninfo_needs_protection(c) && is_open(c) && conninfo_names_password(c) &&
           (!is_protected(c) || protection_of(c) == LOGIN_EXPOSED);
}

bool conninfo_unprotected(const struct conninfo *c, const struct conninfo_host *host,
                          const char *address)
{
    assert(c);
    assert(host);
    return !is_protected(c) && leaves_host(host, address) && has_password(c) && is_open(c);
}

/* What is added for one host; it comes last, so it counts. Returns 0 or 1: how many. What would
 * expose the password is refused before; should it come here, then there is no login without TLS.
 */
static size_t add_protection(const struct conninfo *c, const struct conninfo_host *host,
                             const char *address, const char **keyword, const char **value)
{
    if (!is_protected(c) || !leaves_host(host, address) || !has_password(c))
        return 0;
    switch (protection_of(c)) {
    case LOGIN_AS_WRITTEN:
        return 0;
    case LOGIN_SCRAM:
        *keyword = CONNINFO_METHOD_KEYWORD;
        *value = CONNINFO_METHOD;
        return 1;
    case LOGIN_BINDING:
    case LOGIN_EXPOSED:
        break;
    }
    *keyword = CONNINFO_BINDING_KEYWORD;
    *value = CONNINFO_BINDING;
    return 1;
}

static void add(struct conninfo_parameters *p, const char *keyword, const char *value)
{
    assert(p->n < CONNINFO_PARAMETERS_MAX);
    p->keywords[p->n] = keyword;
    p->values[p->n++] = value;
    p->keywords[p->n] = p->values[p->n] = NULL;
}

void conninfo_parameters(const struct conninfo *c, const struct conninfo_host *host,
                         const char *address, struct conninfo_parameters *ret)
{
    assert(c);
    assert(host);
    assert(address || !host->by_name);
    assert(ret);

    const char *keyword, *value;

    ret->n = 0;
    for (const PQconninfoOption *o = c->options; o->keyword; o++)
        if (o->val && *o->val && strcmp(o->keyword, "host") != 0 &&
            strcmp(o->keyword, "hostaddr") != 0 && strcmp(o->keyword, "port") != 0 &&
            ret->n < CONNINFO_PARAMETERS_MAX / 2)
            add(ret, o->keyword, o->val);
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (!option(c->options, defaults[i].keyword))
            add(ret, defaults[i].keyword, defaults[i].value);
    if (!option(c->options, "password") && !option(c->options, "passfile") &&
        read_credential(ret->password))
        add(ret, "password", ret->password);
    /* The name goes along with the address: certificates and .pgpass are checked by it. */
    add(ret, "host", host->name);
    add(ret, "hostaddr", host->by_name ? address : host->hostaddr);
    add(ret, "port", *host->port ? host->port : DEFAULT_PORT);
    if (add_protection(c, host, address, &keyword, &value) > 0)
        add(ret, keyword, value);
}

PGconn *conninfo_start(const struct conninfo *c, const struct conninfo_host *host,
                       const char *address)
{
    struct conninfo_parameters p;

    conninfo_parameters(c, host, address, &p);
    PGconn *connection = PQconnectStartParams(p.keywords, p.values, 0);
    explicit_bzero(&p, sizeof p);
    return connection;
}

const char *conninfo_where(const struct conninfo_host *host, const char *address, char *ret,
                           size_t size)
{
    const char *port = *host->port ? host->port : DEFAULT_PORT;

    if (!*host->name && *host->hostaddr)
        (void)snprintf(ret, size, "%.64s:%.8s", host->hostaddr, port);
    else if (!*host->name)
        (void)snprintf(ret, size, "the local socket, port %.8s", port);
    else if (*host->name == '/' || *host->name == '@')
        (void)snprintf(ret, size, "socket %.100s, port %.8s", host->name, port);
    else if (address)
        (void)snprintf(ret, size, "%.100s:%.8s (%.64s)", host->name, port, address);
    else
        (void)snprintf(ret, size, "%.100s:%.8s", host->name, port);
    return ret;
}
