/* SPDX-License-Identifier: Apache-2.0 */

/* The floor under a switchover: what no agent can beat that gives a lease up in one transaction and
 * takes it in another on the same server. One connection commits an update and a NOTIFY, a second
 * one that listens commits an update of its own as soon as it hears of it. Prints one line for each
 * round: microseconds from before the first statement until the second commit is acknowledged.
 *
 *     floor CONNINFO ROUNDS
 */

#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS_MAX 100000
#define NOTIFY_TIMEOUT_MS 10000

static uint64_t now_usec(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what, PGconn *c)
{
    (void)fprintf(stderr, "floor: %s: %s\n", what, c ? PQerrorMessage(c) : "");
    exit(EXIT_FAILURE);
}

static void run(PGconn *c, const char *sql)
{
    PGresult *r = PQexec(c, sql);
    ExecStatusType s = PQresultStatus(r);

    if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK)
        die(sql, c);
    PQclear(r);
}

static PGconn *connect_to(const char *conninfo)
{
    PGconn *c = PQconnectdb(conninfo);

    if (PQstatus(c) != CONNECTION_OK)
        die("cannot connect", c);
    run(c, "set synchronous_commit = on");
    return c;
}

static void wait_for_notify(PGconn *c)
{
    for (;;) {
        PGnotify *n;
        struct pollfd p = {.fd = PQsocket(c), .events = POLLIN};

        if (!PQconsumeInput(c))
            die("cannot listen", c);
        n = PQnotifies(c);
        if (n) {
            PQfreemem(n);
            return;
        }
        if (poll(&p, 1, NOTIFY_TIMEOUT_MS) <= 0)
            die("no notification came", NULL);
    }
}

int main(int argc, char *argv[])
{
    char *end = NULL;

    if (argc != 3)
        die("usage: floor CONNINFO ROUNDS", NULL);
    errno = 0;
    long rounds = strtol(argv[2], &end, 10);
    if (errno != 0 || *end || rounds < 1 || rounds > ROUNDS_MAX)
        die("ROUNDS is no number that would do", NULL);

    PGconn *old = connect_to(argv[1]), *new = connect_to(argv[1]);
    run(old, "create table if not exists public.tenure_floor (who text primary key, x int)");
    run(old,
        "insert into public.tenure_floor values ('old', 0), ('new', 0) on conflict do nothing");
    run(new, "listen tenure_floor");
    for (long i = 0; i < rounds; i++) {
        uint64_t began = now_usec();

        run(old, "begin; update public.tenure_floor set x = x + 1 where who = 'old';"
                 " notify tenure_floor; commit");
        wait_for_notify(new);
        run(new, "update public.tenure_floor set x = x + 1 where who = 'new'");
        (void)printf("%" PRIu64 "\n", now_usec() - began);
    }
    run(old, "drop table public.tenure_floor");
    PQfinish(old);
    PQfinish(new);
    return EXIT_SUCCESS;
}
