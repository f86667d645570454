/* SPDX-License-Identifier: Apache-2.0 */
/* The contract on PostgreSQL, and what is PostgreSQL's own. Starts its own servers. */
#include "postgresql.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contract.h"

#include "../suite.h"

struct server shared;

static pid_t main_process;

void client_use(struct client *c, const char *conninfo, bool require_sync, const char *owner)
{
    char error[ARBITER_TEXT_MAX];
    int r = arbiter_postgresql_new(c->event, conninfo, require_sync, owner, &client_handler, c,
                                   &c->arbiter, error);

    ck_assert_msg(r == 0, "%s: %s", strerror(-r), error);
}

void client_connect(struct client *c, const struct server *s, const char *owner, const char *more)
{
    char conninfo[CONNINFO_MAX];

    (void)snprintf(conninfo, sizeof conninfo,
                   "host=127.0.0.1 port=%d dbname=postgres user=tenure %s", s->port, more);
    client_use(c, conninfo, false, owner);
}

struct client *client_on(const struct server *s, const char *owner)
{
    struct client *c = client_new();

    client_connect(c, s, owner, "");
    client_await(c, &c->connects, 1);
    ck_assert_uint_eq(c->losses, 0);
    return c;
}

static int make_shared(sd_event *event, const char *owner, const struct arbiter_handler *handler,
                       void *userdata, struct arbiter **ret)
{
    char conninfo[CONNINFO_MAX], error[ARBITER_TEXT_MAX];

    (void)snprintf(conninfo, sizeof conninfo, "host=%s port=%d dbname=postgres user=tenure",
                   shared.dir, shared.port);
    return arbiter_postgresql_new(event, conninfo, false, owner, handler, userdata, ret, error);
}

static void clean_up(void)
{
    if (getpid() != main_process)
        return;
    if (shared.pid > 0)
        server_crash(&shared);
    servers_clean_up();
}

static void on_signal(int signal)
{
    (void)signal;
    /* Servers go with us; only their files stay behind. */
    exit(EXIT_FAILURE); // NOLINT(bugprone-signal-handler,cert-sig30-c): at worst the tests hang
}

/* With an argument only the databases that are bad in one way or another: they take long, most of
 * it waiting, and do it beside the others. */
int main(int argc, char *argv[])
{
    (void)argv;
    main_process = getpid();
    (void)atexit(clean_up);
    /* Also where they were ignored, as in the background of a shell. */
    (void)signal(SIGHUP, on_signal);
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    servers_set_up();
    if (argc > 1)
        return run_suite(bad_suite());
    server_make(&shared, false);
    server_start(&shared);

    PGresult *version = server_query(&shared, "show server_version");
    (void)printf("PostgreSQL %s\n", PQgetvalue(version, 0, 0));
    PQclear(version);

    Suite *suite = contract_suite("postgresql", make_shared);
    lease_tests(suite);
    advisory_tests(suite);
    durability_tests(suite);
    fault_tests(suite);
    fencing_tests(suite);
    connecting_tests(suite);
    return run_suite(suite);
}
