/* SPDX-License-Identifier: Apache-2.0 */
/* A server or network that hangs, errs or goes away. */
#include "postgresql.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arbiter/connection.h"
#include "base/clock.h"
#include "proxy.h"

#define LIMIT (400 * USEC_PER_MSEC)
#define LIMIT_LATE                                                                                 \
    (150 * USEC_PER_MSEC) /* a busy machine's scheduling; 250 ms would be sd-event's */

#define TRIES 4 /* a timer can be right by chance */

static const char *group;
static struct client *c;
static struct reply led;

static void lead(void)
{
    group = group_new();
    c = client_on(&shared, CLIENT_OWNER_A);
    led = client_lead(c, group);
}

static void leave(void)
{
    c = client_close(c);
}

/* Sends a renewal that will not be answered: unknown, and the connection closed, at the limit. */
static void runs_into_the_limit(void)
{
    struct request request = renew_of(group, led.record.term);
    unsigned answers = c->answers, losses = c->losses;
    usec_t sent = clock_boottime();

    client_send(c, &request, 1, LIMIT);
    client_await(c, &c->answers, answers + 1);
    usec_t took = clock_boottime() - sent;
    ck_assert_uint_ge(took, LIMIT);
    ck_assert_uint_lt(took, LIMIT + LIMIT_LATE);
    ck_assert_int_eq(c->replies[0].outcome, OUTCOME_UNKNOWN);
    ck_assert_uint_eq(c->losses, losses + 1);
    ck_assert_ptr_nonnull(strstr(c->lost, "no answer in time"));
    ck_assert_uint_lt(c->longest_gap, LIMIT_LATE);
}

static void works_again(unsigned connects)
{
    struct request request = renew_of(group, led.record.term);

    client_await(c, &c->connects, connects + 1);
    /* What was given up before may only now come to its end, and have the row locked. */
    struct reply reply = client_ask(c, &request);
    for (int i = 0; i < 100 && reply.outcome == OUTCOME_UNKNOWN; i++)
        reply = client_ask(c, &request);
    ck_assert_int_eq(reply.outcome, OUTCOME_GRANTED);
}

TEST_CASE(faults, .set_up = lead, .tear_down = leave, .time_limit = 60);

TEST(a_hanging_statement_is_given_up)
{
    PGconn *session = server_session(&shared);

    session_do(session, "begin");
    session_do(session, "lock table tenure.lease in access exclusive mode");
    for (unsigned i = 1; i <= TRIES; i++) {
        runs_into_the_limit();
        client_await(c, &c->connects, i + 1); /* there is still a server */
    }
    session_do(session, "rollback");
    PQfinish(session);
    works_again(TRIES);
}

TEST(a_frozen_backend_is_given_up)
{
    long long pid = server_number(&shared, "select max(pid) from pg_stat_activity where usename = "
                                           "'tenure' and application_name = 'tenured'");

    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(kill((pid_t)pid, SIGSTOP), 0);
    runs_into_the_limit();
    works_again(1);
    ck_assert_int_eq(kill((pid_t)pid, SIGCONT), 0);
}

TEST(a_cut_network_is_given_up)
{
    struct proxy *proxy = proxy_start(shared.port);

    c = client_close(c);
    c = client_new();
    client_use(c, false, CLIENT_OWNER_A,
               "host=127.0.0.1 port=%d dbname=postgres user=tenure connect_timeout=1", proxy->port);
    client_await(c, &c->connects, 1);
    atomic_store(&proxy->silent, true);
    (void)usleep(50000);
    runs_into_the_limit();
    /* The kernel takes the connection, nobody answers: this is bounded too. */
    client_await(c, &c->losses, 2);
    ck_assert_ptr_nonnull(strstr(c->lost, "in time"));
    ck_assert_uint_eq(c->connects, 1);
    atomic_store(&proxy->silent, false);
    works_again(1);
    proxy_stop(proxy);
}

TEST(stuck_requests_do_not_use_up_the_server)
{
    PGconn *stuck[CONNECTION_STUCK_MAX];
    char conninfo[CONNINFO_MAX];

    (void)snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=postgres user=tenure",
                   shared.port);
    for (int i = 0; i < CONNECTION_STUCK_MAX; i++) {
        stuck[i] = PQconnectdb(conninfo);
        ck_assert_int_eq(PQstatus(stuck[i]), CONNECTION_OK);
        ck_assert_int_eq(PQsendQuery(stuck[i], "select pg_sleep(15) /* tenure.tick_2 */"), 1);
    }
    client_close(client_on(&shared, CLIENT_OWNER_B)); /* not for long yet */
    server_await(&shared, "the requests have been stuck for a while",
                 "select (max(query_start) < clock_timestamp() - interval '" CONNECTION_STUCK_AGE
                 "')::integer from pg_stat_activity where query like '%tenure.tick%' and usename = "
                 "'tenure' and query like '%sleep%'");
    struct client *other = client_new();
    client_connect(other, shared.port, CLIENT_OWNER_B);
    client_await(other, &other->losses, 1);
    ck_assert_ptr_nonnull(strstr(other->lost, "stuck"));
    works_again(0); /* who is connected is not concerned */
    server_do(&shared, "select pg_terminate_backend(pid) from pg_stat_activity where query like "
                       "'%%sleep%%' and usename = 'tenure'");
    client_await(other, &other->connects, 1);
    other = client_close(other);
    for (int i = 0; i < CONNECTION_STUCK_MAX; i++)
        PQfinish(stuck[i]);
}

TEST(an_ended_session_is_reported_at_once)
{
    server_do(&shared, "select pg_terminate_backend(pid) from pg_stat_activity where usename = "
                       "'tenure'");
    client_await(c, &c->losses, 1); /* though nothing was asked */
    ck_assert_ptr_nonnull(strstr(c->lost, "57P01"));
    works_again(1);
}

/* All rows are hidden, so a leader is none any more; and no grant would help. */
TEST(row_level_security_is_explained)
{
    struct request renew = renew_of(group, led.record.term), observe = observe_of(group);

    server_do(&shared, "alter table tenure.lease enable row level security");
    ck_assert_int_ne(client_ask(c, &renew).outcome, OUTCOME_GRANTED);
    client_send(c, &observe, 1, CLIENT_LIMIT);
    client_await(c, &c->losses, 1);
    server_do(&shared, "alter table tenure.lease disable row level security");
    ck_assert_int_eq(c->replies[0].outcome, OUTCOME_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(c->lost, "row level security is on"));
    ck_assert_ptr_nonnull(strstr(c->lost, "alter table tenure.lease disable row level security"));
    works_again(1);
}

TEST(an_error_is_unknown_and_explained)
{
    struct request request = renew_of(group, led.record.term);
    struct server s;

    c = client_close(c);
    server_make(&s, false);
    server_start(&s);
    c = client_on(&s, CLIENT_OWNER_A);
    led = client_lead(c, group);
    server_do(&s, "revoke update on tenure.lease from tenure");
    unsigned answers = c->answers;
    client_send(c, &request, 1, CLIENT_LIMIT);
    client_await(c, &c->losses, 1);
    ck_assert_uint_eq(c->answers, answers + 1);
    ck_assert_int_eq(c->replies[0].outcome, OUTCOME_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(c->lost, "grants are missing"));
    server_load_schema(&s); /* as the text advises */
    works_again(1);

    /* A function that answers in another shape. */
    server_do(&s, "alter function tenure.tick_2 rename to tick_0");
    answers = c->answers;
    request = renew_of(group, led.record.term);
    client_send(c, &request, 1, CLIENT_LIMIT);
    client_await(c, &c->losses, 2);
    ck_assert_int_eq(c->replies[0].outcome, OUTCOME_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(c->lost, "schema is missing or older"));
    server_crash(&s);
}

/* What the test's own tick_2 answers: true is an answer that may be believed. */
static const struct {
    const char *number, *outcome, *term, *owner, *nonce, *clean, *timeline, *more, *lease,
        *duration;
    bool believed;
} answers_given[] = {
    {"1", "'granted'", "e[1]", "a", "h[1]", "false", "1", "", "m[1]", "o[1]", true},
    {"1", "'granted'", "e[1]", "a", "h[1]", "false", "1", "where false", "m[1]", "o[1]", false},
    {"1", "'granted'", "e[1]", "a", "h[1]", "false", "1", "from generate_series(1, 2)", "m[1]",
     "o[1]", false},
    {"2", "'granted'", "e[1]", "a", "h[1]", "false", "1", "", "m[1]", "o[1]", false},
    {"1", "'perhaps'", "e[1]", "a", "h[1]", "false", "1", "", "m[1]", "o[1]", false},
    {"1", "null", "e[1]", "a", "h[1]", "false", "1", "", "m[1]", "o[1]", false},
    {"1", "'unknown'", "e[1]", "a", "h[1]", "false", "1", "", "m[1]", "o[1]", false},
    {"1", "'granted'", "e[1] + 1", "a", "h[1]", "false", "1", "", "m[1]", "o[1]", false},
    {"1", "'granted'", "-1", "a", "h[1]", "false", "1", "", "m[1]", "o[1]", false},
    {"1", "'granted'", "null", "a", "h[1]", "false", "1", "", "m[1]", "o[1]", false},
    {"1", "'granted'", "e[1]", "'x'", "h[1]", "false", "1", "", "m[1]", "o[1]", false},
    {"1", "'granted'", "e[1]", "repeat('x', 98)", "h[1]", "false", "1", "", "m[1]", "o[1]", false},
    {"1", "'granted'", "e[1]", "a", "gen_random_uuid()", "false", "1", "", "m[1]", "o[1]", false},
    {"1", "'granted'", "e[1]", "a", "h[1]", "true", "1", "", "m[1]", "o[1]", false},
    {"1", "'granted'", "e[1]", "a", "h[1]", "false", "0", "", "m[1]", "o[1]", false},
    {"1", "'granted'", "e[1]", "a", "h[1]", "false", "null", "", "m[1]", "o[1]", false},
    {"1", "'granted'", "e[1]", "a", "h[1]", "false", "1", "", "m[1] + 1", "o[1]", false},
    {"1", "'granted'", "e[1]", "a", "h[1]", "false", "1", "", "m[1]", "o[1] - 1", false},
};

TEST(an_answer_that_makes_no_sense_is_unknown)
{
    struct server s;

    c = client_close(c);
    server_make(&s, false);
    server_start(&s);
    server_do(&s, "alter function tenure.tick_2 rename to tick_0");
    for (size_t i = 0; i < sizeof answers_given / sizeof answers_given[0]; i++) {
        server_do(
            &s,
            "create or replace function tenure.tick_2(a text, b boolean, pid integer, bound "
            "bigint, dropped text[], c text[], method text[], waited bigint[], d text[], e "
            "bigint[], f bigint[], g uuid[], known text[], h uuid[], i bigint[], j bigint[], k "
            "boolean[], "
            "l bigint[], m bigint[], n bigint[], o bigint[]) returns table (o_number bigint, "
            "o_outcome text, o_term bigint, o_owner text, o_nonce uuid, o_clean boolean, "
            "o_claimable boolean, o_lease bigint, o_stop bigint, o_duration bigint, o_method "
            "text, o_since bigint, o_system_id bigint, o_timeline bigint, o_synchronous boolean, "
            "o_session "
            "boolean, o_held boolean, o_holder text) language sql as $$ select "
            "set_config('synchronous_commit', 'on', true), "
            "set_config('client_min_messages', 'warning', true); select (%s)::bigint, "
            "(%s)::text, (%s)::bigint, (%s)::text, (%s)::uuid, %s, false, (%s)::bigint, "
            "1::bigint, (%s)::bigint, 'lease'::text, 0::bigint, 7::bigint, (%s)::bigint, false, "
            "true, false, null "
            "%s $$",
            answers_given[i].number, answers_given[i].outcome, answers_given[i].term,
            answers_given[i].owner, answers_given[i].nonce, answers_given[i].clean,
            answers_given[i].lease, answers_given[i].duration, answers_given[i].timeline,
            answers_given[i].more);
        c = client_on(&s, CLIENT_OWNER_A);
        struct request request = renew_of(group, 5);
        struct reply reply = client_ask(c, &request);
        ck_assert_msg(reply.outcome ==
                          (answers_given[i].believed ? OUTCOME_GRANTED : OUTCOME_UNKNOWN),
                      "answer %zu", i);
        ck_assert_uint_eq(c->losses, answers_given[i].believed ? 0 : 1);
        c = client_close(c);
    }
    /* One that leaves the commit asynchronous. */
    server_do(&s, "alter function tenure.tick_2 rename to tick_00");
    server_do(&s, "alter function tenure.tick_0 rename to tick_2");
    c = client_on(&s, CLIENT_OWNER_A);
    led = client_lead(c, group);
    server_do(&s, "alter function tenure.tick_2 set synchronous_commit = on");
    server_do(&s, "alter role tenure set synchronous_commit = off");
    c = client_close(c);
    c = client_on(&s, CLIENT_OWNER_A);
    struct request request = renew_of(group, led.record.term);
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(c->lost, "synchronous_commit"));
    server_crash(&s);
}

TEST(a_pooler_is_noticed)
{
    struct proxy *proxy = proxy_start(shared.port);
    struct client *other = client_on(&shared, CLIENT_OWNER_B);

    c = client_close(c);
    atomic_store(&proxy->foreign, true);
    c = client_at(proxy->port, CLIENT_OWNER_A);
    ck_assert_ptr_nonnull(strstr(c->connected, "pooler"));

    /* It works, and nothing was left in the session: no LISTEN. */
    struct request request = renew_of(group, led.record.term);
    struct reply reply = client_ask(c, &request);
    ck_assert_int_eq(reply.outcome, OUTCOME_GRANTED);
    request = release_of(group, led.record.term, &reply.record.nonce);
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_GRANTED);
    client_await(other, &other->hints, 1);
    client_turn(c, 200 * USEC_PER_MSEC);
    ck_assert_uint_eq(c->hints, 0);
    other = client_close(other);
    proxy_stop(proxy);
}

TEST(another_isolation_level_is_overridden_or_named)
{
    struct server s;
    struct client *direct, *pooled;

    server_make(&s, false);
    server_start(&s);
    server_do(&s, "alter role tenure set default_transaction_isolation = 'repeatable read'");
    direct = client_on(&s, CLIENT_OWNER_A);
    (void)client_lead(direct, group);
    direct = client_close(direct);

    struct proxy *proxy = proxy_start(s.port);
    atomic_store(&proxy->foreign, true);
    pooled = client_at(proxy->port, CLIENT_OWNER_A);
    struct request request = observe_of(group);
    ck_assert_int_eq(client_ask(pooled, &request).outcome, OUTCOME_UNKNOWN);
    client_await(pooled, &pooled->losses, 1);
    ck_assert_ptr_nonnull(strstr(pooled->lost, "default_transaction_isolation"));
    pooled = client_close(pooled);
    proxy_stop(proxy);
    server_crash(&s);
}
