/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody has the whole table of the leases locked: nothing is answered, and it is known whose
 * fault that is. */
#include "postgresql.h"

#include <stdio.h>
#include <string.h>

#include "arbiter/connection.h"
#include "support/text.h"

#define LIMIT (300 * USEC_PER_MSEC)
#define STATEMENT_MAX 256

static PGconn *stranger;

static void set_up(void)
{
    client_lease = LIMIT;
    open_both();
    stranger = server_session(&shared);
    session_do(stranger, "set application_name = 'report'");
}

static void tear_down(void)
{
    PQfinish(stranger);
    close_both();
}

TEST_CASE(locked, .set_up = set_up, .tear_down = tear_down, .time_limit = 60);

/* Asks until an answer is missing, and the client has connected again since. */
static void ask_in_vain(struct client *c, const struct request *request)
{
    unsigned connects = c->connects, losses = c->losses;

    client_send(c, request, 1, LIMIT);
    client_await(c, &c->losses, losses + 1);
    ASSERT_CONTAINS(c->lost, "no answer in time");
    ck_assert_int_eq(c->replies[0].outcome, OUTCOME_UNKNOWN);
    client_await(c, &c->connects, connects + 1);
}

static void expect_named(const struct client *c)
{
    char text[STATEMENT_MAX];

    (void)snprintf(text, sizeof text,
                   "the table tenure.lease is locked: process %d of role \"postgres\", application "
                   "\"report\", ",
                   PQbackendPID(stranger));
    ASSERT_CONTAINS(c->locked, text);
    ASSERT_CONTAINS(c->locked, " since 20");
    (void)snprintf(text, sizeof text, " UTC; to end it, run \"select pg_terminate_backend(%d)\"",
                   PQbackendPID(stranger));
    ASSERT_CONTAINS(c->locked, text);
}

static void expect_held_up(const struct client *c)
{
    char text[STATEMENT_MAX];

    (void)snprintf(text, sizeof text, "process %d of role \"postgres\", application \"report\"",
                   PQbackendPID(stranger));
    ASSERT_CONTAINS(c->held_up, text);
    (void)snprintf(text, sizeof text, "UTC; to end it, run \"select pg_terminate_backend(%d)\"",
                   PQbackendPID(stranger));
    ASSERT_CONTAINS(c->held_up, text);
}

/* A mode, whether what agents only read is answered all the same, and whether a renewal that waits
 * has the row locked meanwhile: then a claim does not wait for anything, and is refused. */
static const struct {
    const char *mode, *name;
    bool readable, rows;
} modes[] = {
    {"share", "ShareLock", true, true},
    {"share row exclusive", "ShareRowExclusiveLock", true, true},
    {"exclusive", "ExclusiveLock", true, false},
    {"access exclusive", "AccessExclusiveLock", false, false},
};

TEST(who_has_the_table_is_named, EACH(modes))
{
    const char *group = group_new();
    struct request observe = observe_of(group);
    char text[STATEMENT_MAX];

    struct reply led = client_lead(a, group), seen = client_ask(b, &observe);
    struct request renew = renew_of(group, led.record.term), claim = claim_of(group, &seen);

    client_turn(b, 2 * LIMIT);
    (void)snprintf(text, sizeof text, "begin; lock table tenure.lease in %s mode", modes[_i].mode);
    session_do(stranger, text);
    ck_assert_str_eq(a->locked, "");
    ask_in_vain(a, &renew);
    (void)snprintf(text, sizeof text, "application \"report\", has a lock (%s) since ",
                   modes[_i].name);
    ASSERT_CONTAINS(a->locked, text);
    expect_named(a);
    if (modes[_i].readable)
        ck_assert_int_eq(client_ask(b, &observe).outcome, OUTCOME_GRANTED);
    else
        ask_in_vain(b, &observe);
    if (modes[_i].rows) {
        ck_assert_int_eq(client_ask(b, &claim).outcome, OUTCOME_UNKNOWN);
        ASSERT_CONTAINS(b->held_up, "which has the table tenure.lease locked (Share");
        expect_held_up(b);
        session_do(stranger, "rollback");
        return;
    }
    ask_in_vain(b, &claim);
    expect_named(b);

    /* The same words each time, or they would be news. */
    char before[ARBITER_TEXT_MAX];
    unsigned locks = b->locks;
    memcpy(before, b->locked, sizeof before);
    claim = claim_of(group, &seen);
    ask_in_vain(b, &claim);
    ck_assert_uint_eq(b->locks, locks + 1);
    ck_assert_str_eq(b->locked, before);

    session_do(stranger, "rollback");
    (void)client_ask(b, &observe);
    unsigned connects = b->connects;
    server_do(&shared, "select pg_terminate_backend(pid) from pg_stat_activity "
                       "where usename = 'tenure'");
    client_await(b, &b->connects, connects + 1);
    ck_assert_str_eq(b->locked, ""); /* what the next connection finds */
}

/* It has no process, and nobody ends it but by its name. */
TEST(a_prepared_transaction_that_has_it_is_named)
{
    struct request observe = observe_of(group_new());

    server_do(&shared, "begin; lock table tenure.lease in access exclusive mode; "
                       "prepare transaction 'month''s end'");
    ask_in_vain(a, &observe);
    ASSERT_CONTAINS(a->locked, "is locked: the prepared transaction 'month''s end' of role "
                               "\"postgres\" has a lock (AccessExclusiveLock) since 20");
    ASSERT_CONTAINS(a->locked, "run \"rollback prepared 'month''s end'\"");
    server_do(&shared, "rollback prepared 'month''s end'");
}

/* By an agent that is refused because another one waits for it, as well. */
TEST(a_prepared_transaction_is_named_to_all)
{
    const char *group = group_new();
    struct request observe = observe_of(group);
    struct reply led = client_lead(a, group), seen = client_ask(b, &observe);
    struct request renew = renew_of(group, led.record.term), claim = claim_of(group, &seen);

    client_turn(b, 2 * LIMIT);
    server_do(&shared, "begin; lock table tenure.lease in share mode; "
                       "prepare transaction 'month''s end'");
    ask_in_vain(a, &renew);
    ck_assert_int_eq(client_ask(b, &claim).outcome, OUTCOME_UNKNOWN);
    ASSERT_CONTAINS(b->held_up,
                    "the prepared transaction 'month''s end' of role \"postgres\", which "
                    "has the table tenure.lease locked (ShareLock) since 20");
    ASSERT_CONTAINS(b->held_up, "UTC; to end it, run \"rollback prepared 'month''s end'\" in the "
                                "database as a superuser");
    server_do(&shared, "rollback prepared 'month''s end'");
}

/* All that come later wait behind it. */
TEST(who_waits_for_it_is_named)
{
    struct request observe = observe_of(group_new());
    PGconn *reader = server_session(&shared);

    session_do(reader, "begin; select from tenure.lease limit 1");
    ck_assert_int_eq(PQsendQuery(stranger, "begin; lock table tenure.lease"), 1);
    server_await(&shared, "somebody waits for the table",
                 "select count(*)::integer from pg_locks where not granted and mode = "
                 "'AccessExclusiveLock'");
    ask_in_vain(a, &observe);
    expect_named(a);
    ASSERT_CONTAINS(a->locked, "application \"report\", waits for a lock (AccessExclusiveLock)");
    PQfinish(reader);
}

/* As when the schema is applied: who has it for a moment is not to blame for anything. */
TEST(a_lock_that_nobody_waited_for_is_no_news)
{
    unsigned connects = a->connects;

    session_do(stranger, "begin; lock table tenure.lease in access exclusive mode");
    server_do(&shared, "select pg_terminate_backend(pid) from pg_stat_activity "
                       "where usename = 'tenure'");
    client_await(a, &a->connects, connects + 1);
    ck_assert_str_eq(a->locked, "");
    session_do(stranger, "rollback");
}

/* Requests that wait for it are many after a while: then that is why there is no connection. */
TEST(it_is_named_where_many_requests_are_stuck)
{
    struct request observe = observe_of(group_new());
    PGconn *stuck[CONNECTION_STUCK_MAX];
    char text[STATEMENT_MAX];

    (void)snprintf(text, sizeof text, "host=127.0.0.1 port=%d dbname=postgres user=tenure",
                   shared.port);
    session_do(stranger, "begin; lock table tenure.lease in access exclusive mode");
    for (int i = 0; i < CONNECTION_STUCK_MAX; i++) {
        stuck[i] = PQconnectdb(text);
        ck_assert_int_eq(PQstatus(stuck[i]), CONNECTION_OK);
        ck_assert_int_eq(PQsendQuery(stuck[i], "select from tenure.lease /* tenure.tick_2 */"), 1);
    }
    client_turn(a, 6 * USEC_PER_SEC);
    client_send(a, &observe, 1, LIMIT);
    client_await(a, &a->losses, 2);
    (void)snprintf(text, sizeof text, "run \"select pg_terminate_backend(%d)\"",
                   PQbackendPID(stranger));
    ASSERT_CONTAINS(a->lost, text);
    session_do(stranger, "rollback");
    client_await(a, &a->connects, 2);
    ck_assert_str_eq(a->locked, "");
    for (int i = 0; i < CONNECTION_STUCK_MAX; i++)
        PQfinish(stuck[i]);
}
