/* SPDX-License-Identifier: Apache-2.0 */
/* main() of the programs that test PostgreSQL's arbiter. Each starts its own servers, in a folder
 * of its own, and dies with its parent: they run side by side. */
#include "postgresql.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct server shared;

static pid_t main_process;

void client_use(struct client *c, bool require_sync, const char *owner, const char *format, ...)
{
    char conninfo[CONNINFO_MAX], error[ARBITER_TEXT_MAX];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(conninfo, sizeof conninfo, format, ap);
    va_end(ap);
    int r = arbiter_postgresql_new(c->event, conninfo, c->password, require_sync, owner,
                                   &client_handler, c, &c->arbiter, error);
    ck_assert_msg(r == 0, "%s: %s", strerror(-r), error);
}

void client_connect(struct client *c, int port, const char *owner)
{
    client_use(c, false, owner, "host=127.0.0.1 port=%d dbname=postgres user=tenure", port);
}

struct client *client_at(int port, const char *owner)
{
    struct client *c = client_new();

    client_connect(c, port, owner);
    client_await(c, &c->connects, 1);
    ck_assert_uint_eq(c->losses, 0);
    return c;
}

struct client *client_on(const struct server *s, const char *owner)
{
    return client_at(s->port, owner);
}

void open_both(void)
{
    a = client_on(&shared, CLIENT_OWNER_A);
    b = client_on(&shared, CLIENT_OWNER_B);
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

/* In each process that is started from here on. What is started for a test has this from it. */
static void die_with_parent(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void print_version(void)
{
    PGresult *version = server_query(&shared, "show server_version");

    (void)printf("PostgreSQL %s\n", PQgetvalue(version, 0, 0));
    PQclear(version);
}

int main(int argc, char *argv[])
{
    if (test_lists(argc, argv))
        return test_main(argc, argv);
    main_process = getpid();
    (void)atexit(clean_up);
    /* Also where they were ignored, as in the background of a shell. */
    (void)signal(SIGHUP, on_signal);
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    servers_set_up();
    (void)pthread_atfork(NULL, NULL, die_with_parent);
    server_make(&shared, false);
    server_start(&shared);
    print_version();

    return test_main(argc, argv);
}
