/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/attempt.h"

#include <assert.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "arbiter/advice.h"
#include "arbiter/pg_error.h"
#include "arbiter/rehearsal.h"
#include "base/clock.h"
#include "base/text.h"

/* ---- connecting ---- */

static int milliseconds_until(usec_t until)
{
    usec_t now = clock_boottime();

    return now >= until ? 0 : (int)((until - now) / USEC_PER_MSEC) + 1;
}

/* Returns false when the time is up. */
static bool wait_for(PGconn *pg, short events, usec_t until)
{
    struct pollfd p = {.fd = PQsocket(pg), .events = events};

    return poll(&p, 1, milliseconds_until(until)) > 0;
}

static void explain(const struct conninfo *c, PGconn *pg, char text[static ARBITER_TEXT_MAX])
{
    char of_password[ARBITER_TEXT_MAX];

    (void)one_line(PQerrorMessage(pg), text, ARBITER_TEXT_MAX);
    const char *advice = PQconnectionNeedsPassword(pg)
                             ? advice_on_password(c, of_password, sizeof of_password)
                             : advice_on(text);
    size_t used = strlen(text);

    if (advice)
        (void)snprintf(text + used, ARBITER_TEXT_MAX - used, ": %s", advice);
}

/* Past its first step there is a connection. */
static bool is_connected(const PGconn *pg)
{
    ConnStatusType s = PQstatus(pg);

    return s == CONNECTION_MADE || s == CONNECTION_AWAITING_RESPONSE || s == CONNECTION_AUTH_OK ||
           s == CONNECTION_SSL_STARTUP;
}

/* Otherwise libpq writes them to stderr, raw, whatever the server sends. */
static void drop_notice(void *userdata, const PGresult *r)
{
    (void)userdata;
    (void)r;
}

/* To the end of the login, of one address. */
static PGconn *log_in(const struct conninfo *c, const struct conninfo_host *h, const char *address,
                      usec_t until, struct attempt *ret)
{
    PGconn *pg = conninfo_start(c, h, address);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    bool in_time = true;

    if (pg)
        (void)PQsetNoticeReceiver(pg, drop_notice, NULL);
    (void)conninfo_where(h, address, ret->where, sizeof ret->where);
    ret->stage = ATTEMPT_FOUND;
    while (pg && PQstatus(pg) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
           next != PGRES_POLLING_FAILED && in_time) {
        in_time = wait_for(pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, until);
        if (is_connected(pg))
            ret->stage = ATTEMPT_REACHED;
        if (in_time)
            next = PQconnectPoll(pg);
    }
    if (pg && next == PGRES_POLLING_OK)
        return pg;
    if (!pg)
        (void)snprintf(ret->text, sizeof ret->text, "out of memory");
    else if (in_time) {
        ret->no_password = PQconnectionNeedsPassword(pg) && !conninfo_option(c, "passfile");
        explain(c, pg, ret->text);
    } else if (ret->stage == ATTEMPT_REACHED)
        (void)snprintf(ret->text, sizeof ret->text,
                       "connected, but nobody answers in time: is this PostgreSQL, and not "
                       "overloaded or stopped?");
    else
        (void)snprintf(ret->text, sizeof ret->text,
                       "no connection in time: is the host up, and no firewall in between?");
    PQfinish(pg);
    return NULL;
}

static usec_t limit_of(const struct conninfo *c)
{
    return usec_min(c->connect_limit, ATTEMPT_ADDRESS_LIMIT_USEC);
}

/* One address, to the end. */
static void try_address(const struct conninfo *c, const struct conninfo_host *h,
                        const char *address, usec_t until, struct attempt *ret)
{
    PGconn *pg =
        log_in(c, h, address, usec_min(until, usec_add(clock_boottime(), limit_of(c))), ret);

    if (!pg)
        return;
    ret->stage = ATTEMPT_IN;
    ret->text[0] = '\0';
    ret->version = PQserverVersion(pg);
    ret->link = link_of(pg);
    ret->used_password = PQconnectionUsedPassword(pg) != 0;
    (void)text_clean(PQuser(pg), ret->role, sizeof ret->role);
    (void)text_clean(PQdb(pg), ret->database, sizeof ret->database);
    rehearse(pg, until, ret);
    PQfinish(pg);
}

/* The agent, too, goes on to the next address when one fails. */
static void try_name(const struct conninfo *c, const struct conninfo_host *h, usec_t until,
                     struct attempt *ret)
{
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char address[CONNINFO_ADDRESS_MAX];
    size_t n = 0;
    int r = getaddrinfo(h->name, NULL, &wanted, &found);

    if (r != 0)
        (void)snprintf(ret->text, sizeof ret->text, "the name cannot be resolved: %s",
                       gai_strerror(r));
    else
        (void)snprintf(ret->text, sizeof ret->text,
                       "the name was resolved too late: do all name servers of this host answer?");
    for (const struct addrinfo *a = r == 0 ? found : NULL;
         a && n < CONNINFO_ADDRESSES_MAX && clock_boottime() < until && !attempt_usable(ret);
         a = a->ai_next) {
        struct attempt one = {.stage = ATTEMPT_NOTHING};

        if (getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof address, NULL, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        try_address(c, h, address, until, &one);
        if (n++ == 0 || attempt_is_better(&one, ret))
            *ret = one;
    }
    if (r == 0)
        freeaddrinfo(found);
}

void attempt_make(const struct conninfo *c, size_t host, usec_t until, struct attempt *ret)
{
    assert(c);
    assert(host < c->n_hosts);
    assert(ret);

    const struct conninfo_host *h = &c->hosts[host];

    *ret = (struct attempt){.stage = ATTEMPT_NOTHING};
    (void)conninfo_where(h, NULL, ret->where, sizeof ret->where);
    if (h->by_name)
        try_name(c, h, until, ret);
    else
        try_address(c, h, NULL, until, ret);
}

static void settle(char *text, size_t size)
{
    text[size - 1] = '\0';
    (void)text_clean(text, text, size);
}

void attempt_settle(struct attempt *a)
{
    assert(a);

    if ((unsigned)a->stage > ATTEMPT_OVER)
        a->stage = ATTEMPT_NOTHING;
    if ((unsigned)a->link > LINK_CLEAR)
        a->link = LINK_CLEAR;
    a->writes = a->writes != 0;
    a->synchronous = a->synchronous != 0;
    a->row_security = a->row_security != 0;
    a->alone = a->alone != 0;
    a->no_password = a->no_password != 0;
    a->used_password = a->used_password != 0;
    a->error = 0; /* that is not the attempt's to say */
    settle(a->where, sizeof a->where);
    settle(a->text, sizeof a->text);
    settle(a->role, sizeof a->role);
    settle(a->database, sizeof a->database);
    settle(a->unwilling, sizeof a->unwilling);
    settle(a->schema, sizeof a->schema);
    settle(a->grants, sizeof a->grants);
    settle(a->trial, sizeof a->trial);
}

bool attempt_is_better(const struct attempt *a, const struct attempt *b)
{
    assert(a);
    assert(b);

    if (attempt_usable(a) != attempt_usable(b))
        return attempt_usable(a);
    /* A standby gets as far as a server whose schema is missing, and is less informative. */
    return a->stage > b->stage || (a->stage == b->stage && a->writes > b->writes);
}

bool attempt_usable(const struct attempt *a)
{
    assert(a);
    return a->stage == ATTEMPT_OVER && a->writes && !a->alone && !a->schema[0] && !a->grants[0] &&
           !a->trial[0];
}
