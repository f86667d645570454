/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody has the whole table of the leases locked: nothing is answered, and it is known whose
 * fault that is. */
#include "postgresql.h"
#include "proxy.h"

#include <stdio.h>
#include <string.h>

#include "arbiter/connection.h"
#include "base/clock.h"
#include "support/text.h"

#define LIMIT (300 * USEC_PER_MSEC)
#define STATEMENT_MAX 256
#define GID_MAX 199 /* of a prepared transaction, in PostgreSQL */

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

static void lock_it(PGconn *session)
{
    session_do(session, "begin; lock table tenure.lease in access exclusive mode");
}

static void expect_held_up(const struct client *c)
{
    char text[STATEMENT_MAX];

    (void)snprintf(text, sizeof text, "process %d of role \"postgres\", application \"report\"",
                   PQbackendPID(stranger));
    ASSERT_CONTAINS(c->held_up, text);
    ASSERT_CONTAINS(c->held_up, ") at least since 20");
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
    (void)snprintf(text, sizeof text, "application \"report\", has a lock (%s) at least since ",
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
    ASSERT_CONTAINS(a->locked, "run \"rollback prepared 'month''s end'\", or \"commit "
                               "prepared\" with that name, as its transaction manager decided");
    server_do(&shared, "rollback prepared 'month''s end'");
}

/* Its name may be long, and is needed as a whole. */
TEST(a_prepared_transaction_with_a_long_name_is_named)
{
    struct request observe = observe_of(group_new());
    char quotes[2 * GID_MAX + 1], text[2 * sizeof quotes];

    (void)memset(quotes, '\'', sizeof quotes - 1);
    quotes[sizeof quotes - 1] = '\0';
    server_do(&shared,
              "begin; lock table tenure.lease in access exclusive mode; prepare transaction '%s'",
              quotes);
    ask_in_vain(a, &observe);
    (void)snprintf(text, sizeof text,
                   "; to end it, run \"rollback prepared '%s'\", or \"commit prepared\" with that "
                   "name, as its "
                   "transaction manager decided, in the database as a superuser",
                   quotes);
    ASSERT_CONTAINS(a->locked, text);
    server_do(&shared, "rollback prepared '%s'", quotes);
}

/* In a command, a name that is not shown as it is would be another's. */
static const char *const strange_names[] = {"two  blanks", "\tbegins", "ends ", "caf\xc3\xa9"};

TEST(a_prepared_transaction_with_a_strange_name_is_in_no_command, EACH(strange_names))
{
    const char *group = group_new();
    struct request observe = observe_of(group);
    struct reply led = client_lead(a, group), seen = client_ask(b, &observe);
    struct request renew = renew_of(group, led.record.term), claim = claim_of(group, &seen);

    client_turn(b, 2 * LIMIT);
    server_do(&shared, "begin; lock table tenure.lease in share mode; prepare transaction '%s'",
              strange_names[_i]);
    ask_in_vain(a, &renew);
    ASSERT_CONTAINS(a->locked, "UTC; to end it, commit or roll back that prepared transaction, as "
                               "its transaction manager decided, in the database");
    ck_assert_int_eq(client_ask(b, &claim).outcome, OUTCOME_UNKNOWN);
    ASSERT_CONTAINS(b->held_up, "UTC; to end it, commit or roll back that prepared transaction, as "
                                "its transaction manager decided, in the database");
    server_do(&shared, "rollback prepared '%s'", strange_names[_i]);
}

/* That a superuser was dropped does not end its session, nor make it the server's own. */
TEST(a_session_of_a_role_that_was_dropped_is_to_be_ended)
{
    const char *group = group_new();
    struct request observe = observe_of(group);
    struct reply led = client_lead(a, group), seen = client_ask(b, &observe);
    struct request renew = renew_of(group, led.record.term), claim = claim_of(group, &seen);
    char text[STATEMENT_MAX];

    client_turn(b, 2 * LIMIT);
    server_do(&shared, "create role gone superuser login");
    (void)snprintf(text, sizeof text, "host=127.0.0.1 port=%d dbname=postgres user=gone",
                   shared.port);
    PGconn *gone = PQconnectdb(text);
    ck_assert_int_eq(PQstatus(gone), CONNECTION_OK);
    session_do(gone, "begin; lock table tenure.lease in share mode");
    server_do(&shared, "drop role gone");
    ask_in_vain(a, &renew);
    (void)snprintf(text, sizeof text, "; to end it, run \"select pg_terminate_backend(%d)\"",
                   PQbackendPID(gone));
    ASSERT_CONTAINS(a->locked, text);
    ck_assert_int_eq(client_ask(b, &claim).outcome, OUTCOME_UNKNOWN);
    ASSERT_CONTAINS(b->held_up, text);
    PQfinish(gone);
}

/* An agent that is refused because another one waits for it names it as well. */
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
    ASSERT_CONTAINS(b->held_up, "UTC; to end it, run \"rollback prepared 'month''s end'\", or "
                                "\"commit prepared\" with that name, as its transaction manager "
                                "decided, in the database as a superuser");
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

    lock_it(stranger);
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
    lock_it(stranger);
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

/* An agent that was just started, too, says why it does not get a connection. */
TEST(it_is_named_to_a_new_agent_where_many_requests_are_stuck)
{
    PGconn *stuck[CONNECTION_STUCK_MAX];
    char text[STATEMENT_MAX];

    (void)snprintf(text, sizeof text, "host=127.0.0.1 port=%d dbname=postgres user=tenure",
                   shared.port);
    lock_it(stranger);
    for (int i = 0; i < CONNECTION_STUCK_MAX; i++) {
        stuck[i] = PQconnectdb(text);
        ck_assert_int_eq(PQsendQuery(stuck[i], "select from tenure.lease /* tenure.tick_2 */"), 1);
    }
    client_turn(a, 6 * USEC_PER_SEC);
    struct client *c = client_new();
    client_connect(c, shared.port, CLIENT_OWNER_A);
    client_await(c, &c->losses, 1);
    expect_named(c);
    ASSERT_CONTAINS(c->lost, c->locked);
    session_do(stranger, "rollback");
    client_await(c, &c->connects, 1);
    ck_assert_str_eq(c->locked, "");
    c = client_close(c);
    for (int i = 0; i < CONNECTION_STUCK_MAX; i++)
        PQfinish(stuck[i]);
}

/* On the connection that a host has: it may be one that claims nothing for hours. */
TEST(that_it_is_over_shows_by_the_next_answer)
{
    struct request observe = observe_of(group_new());
    unsigned connects, answers;

    lock_it(stranger);
    ask_in_vain(a, &observe);
    expect_named(a);
    connects = a->connects, answers = a->answers;
    client_turn(a, CONNECTION_HOLDER_USEC);
    client_send(a, &observe, 1, CLIENT_LIMIT);
    client_turn(a, LIMIT);
    ck_assert_uint_eq(a->answers, answers);
    ck_assert_uint_eq(a->unlocks, 0);
    session_do(stranger, "rollback");
    client_await(a, &a->unlocks, 1);
    ck_assert_uint_eq(a->answers, answers + 1);
    ck_assert_uint_eq(a->connects, connects);
    ck_assert(arbiter_idle(a->arbiter));
    ck_assert_int_eq(client_ask(a, &observe).outcome, OUTCOME_GRANTED);
    ck_assert(arbiter_idle(a->arbiter)); /* and that was all */
}

/* Who could write need not ask: the next renewal does not wait for the answer. */
TEST(that_it_is_over_shows_by_what_is_granted)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);
    struct request renew = renew_of(group, led.record.term);

    session_do(stranger, "begin; lock table tenure.lease in exclusive mode");
    ask_in_vain(a, &renew);
    expect_named(a);
    client_turn(a, CONNECTION_HOLDER_USEC);
    session_do(stranger, "rollback");
    renew = renew_of(group, led.record.term);
    ck_assert_int_eq(client_ask(a, &renew).outcome, OUTCOME_GRANTED);
    ck_assert(arbiter_idle(a->arbiter));
    ck_assert_uint_eq(a->unlocks, 1);
    ck_assert_str_eq(a->locked, "");
}

/* Answers come, and whether it is over is asked for once a second. */
TEST(it_is_asked_for_no_more_often_than_once_a_second)
{
    struct request observe = observe_of(group_new()), claim;
    struct reply seen = client_ask(a, &observe);

    claim = claim_of(observe.group, &seen);
    session_do(stranger, "begin; lock table tenure.lease in exclusive mode");
    ask_in_vain(a, &claim);
    expect_named(a);
    unsigned locks = a->locks, connects = a->connects;
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(client_ask(a, &observe).outcome, OUTCOME_GRANTED);
        ck_assert(arbiter_idle(a->arbiter));
    }
    ck_assert_uint_eq(a->locks, locks);
    client_turn(a, CONNECTION_HOLDER_USEC);
    ck_assert_int_eq(client_ask(a, &observe).outcome, OUTCOME_GRANTED);
    ck_assert(!arbiter_idle(a->arbiter));
    client_await(a, &a->locks, locks + 1);
    ck_assert(arbiter_idle(a->arbiter));
    ck_assert_uint_eq(a->connects, connects);
    session_do(stranger, "rollback");
}

static struct proxy *cut;

/* What is sent from here on is lost. */
static void cut_off(struct client *c)
{
    (void)c;
    cut->silent = true;
}

/* A connection that is cut off just when that is asked. What is due next waits for a part of a
 * tick's time; and the next connections are not given up for a question that is asked only for
 * operators.
 */
TEST(a_question_without_an_answer_is_soon_given_up_and_seldom_asked)
{
    struct request observe = observe_of(group_new());
    cut = proxy_start(shared.port);
    struct client *c = client_at(cut->port, CLIENT_OWNER_A);
    usec_t limit = 2 * USEC_PER_SEC;
    unsigned connects;

    struct reply seen = client_ask(c, &observe);
    struct request claim = claim_of(observe.group, &seen);
    session_do(stranger, "begin; lock table tenure.lease in exclusive mode");
    ask_in_vain(c, &claim);
    expect_named(c);
    client_turn(c, CONNECTION_HOLDER_USEC);
    connects = c->connects;
    unsigned answers = c->answers, losses = c->losses;
    c->on_replies = cut_off;
    client_send(c, &observe, 1, limit);
    client_await(c, &c->answers, answers + 1);
    ck_assert(!arbiter_idle(c->arbiter));
    c->on_replies = NULL;
    usec_t began = clock_boottime();
    client_await(c, &c->losses, losses + 1);
    ck_assert_uint_le(clock_boottime() - began, limit / 2);
    ASSERT_CONTAINS(c->lost, "no answer in time to who has the table tenure.lease locked");
    expect_named(c);
    cut->silent = false;
    client_await(c, &c->connects, connects + 1);
    expect_named(c);
    client_turn(c, CONNECTION_HOLDER_USEC);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(client_ask(c, &observe).outcome, OUTCOME_GRANTED);
        ck_assert(arbiter_idle(c->arbiter));
        client_turn(c, CONNECTION_HOLDER_USEC / 2);
    }
    c = client_close(c);
    proxy_stop(cut);
    session_do(stranger, "rollback");
}

/* The server itself may end what waits for too long. */
static const char *const limits[] = {"lock_timeout", "statement_timeout"};

TEST(a_request_that_the_server_ends_was_not_answered, EACH(limits))
{
    struct request observe = observe_of(group_new());
    char text[STATEMENT_MAX];

    server_do(&shared, "alter role tenure set %s = '200ms'", limits[_i]);
    struct client *c = client_on(&shared, CLIENT_OWNER_A);
    lock_it(stranger);
    client_send(c, &observe, 1, CLIENT_LIMIT);
    client_await(c, &c->losses, 1);
    ASSERT_CONTAINS(c->lost, "canceling statement due to ");
    client_await(c, &c->connects, 2);
    (void)snprintf(text, sizeof text, "is locked: process %d of role", PQbackendPID(stranger));
    ASSERT_CONTAINS(c->locked, text);

    /* Since when is not shown to the agent, unless another request waits: then it is news. */
    ck_assert_ptr_null(strstr(c->locked, " since "));
    ask_in_vain(a, &observe);
    client_send(c, &observe, 1, CLIENT_LIMIT);
    client_await(c, &c->connects, 3);
    ASSERT_CONTAINS(c->locked, text);
    ASSERT_CONTAINS(c->locked, " at least since 20");
    c = client_close(c);
    server_do(&shared, "alter role tenure reset %s", limits[_i]);
}

/* All others wait behind the first, whatever the number of its process is. */
TEST(of_those_that_wait_the_first_is_named)
{
    struct request observe = observe_of(group_new());
    PGconn *reader = server_session(&shared), *waiters[2] = {stranger, server_session(&shared)};
    bool swap = PQbackendPID(waiters[0]) < PQbackendPID(waiters[1]);
    PGconn *first = waiters[swap], *second = waiters[!swap];
    char text[STATEMENT_MAX];

    session_do(reader, "begin; select from tenure.lease limit 1");
    ck_assert_int_eq(PQsendQuery(first, "begin; lock table tenure.lease"), 1);
    server_await(&shared, "one waits for the table",
                 "select count(*)::integer from pg_locks where not granted");
    ck_assert_int_eq(PQsendQuery(second, "begin; lock table tenure.lease"), 1);
    server_await(&shared, "two wait for it",
                 "select count(*)::integer - 1 from pg_locks where not granted");
    ask_in_vain(a, &observe);
    (void)snprintf(text, sizeof text, "is locked: process %d of role", PQbackendPID(first));
    ASSERT_CONTAINS(a->locked, text);
    PQfinish(reader);
    PQfinish(waiters[1]);
}

/* ---- on servers of their own ---- */

static struct server primary, standby;

static void make_primary(void)
{
    server_make(&primary, false);
    server_start(&primary);
}

/* Of a server that is not there it is not known who has anything locked. */
TEST(it_is_not_named_where_no_server_answers)
{
    struct request observe = observe_of(group_new());

    make_primary();
    struct client *c = client_on(&primary, CLIENT_OWNER_A);
    PGconn *session = server_session(&primary);
    lock_it(session);
    ask_in_vain(c, &observe);
    ASSERT_CONTAINS(c->locked, "the table tenure.lease is locked: process ");
    ck_assert_uint_eq(c->unlocks, 0);
    server_crash(&primary);
    client_await(c, &c->losses, c->losses + 1);
    ck_assert_str_eq(c->locked, "");
    PQfinish(session);
    server_start(&primary);
    client_await(c, &c->connects, c->connects + 1);
    ck_assert_str_eq(c->locked, "");
    c = client_close(c);
    server_stop(&primary);
}

/* Requests that wait for the table use up all connections that the role may have: the server
 * answers, and who has the table locked is no less known. */
TEST(it_is_named_where_no_connection_is_free)
{
    struct request observe = observe_of(group_new());

    make_primary();
    struct client *c = client_on(&primary, CLIENT_OWNER_A);
    PGconn *session = server_session(&primary);
    lock_it(session);
    ask_in_vain(c, &observe);
    ASSERT_CONTAINS(c->locked, "the table tenure.lease is locked: process ");
    unsigned losses = c->losses;
    server_do(&primary, "alter role tenure connection limit 1");
    client_send(c, &observe, 1, LIMIT);
    client_await(c, &c->losses, losses + 3);
    ASSERT_CONTAINS(c->lost, "FATAL: too many connections for role");
    ASSERT_CONTAINS(c->locked, "the table tenure.lease is locked: process ");
    ck_assert_uint_eq(c->unlocks, 0);
    c = client_close(c);
    PQfinish(session);
    server_stop(&primary);
}

/* Cut off while a request waits: what was not answered may be the lock's fault, but who does not
 * get a connection does not know. */
TEST(it_is_not_named_to_who_is_cut_off)
{
    struct request observe = observe_of(group_new());
    struct proxy *x = proxy_start(shared.port);
    struct client *c = client_at(x->port, CLIENT_OWNER_A);

    lock_it(stranger);
    ask_in_vain(c, &observe);
    expect_named(c);
    client_send(c, &observe, 1, LIMIT);
    x->silent = true;
    client_await(c, &c->losses, 2);
    expect_named(c);
    client_await(c, &c->losses, 3);
    ck_assert_str_eq(c->locked, "");
    /* And is named again. */
    x->silent = false;
    client_await(c, &c->connects, 3);
    expect_named(c);
    c = client_close(c);
    proxy_stop(x);
}

/* Processes of a standby have numbers of their own, and locks as well: it is not asked. */
TEST(it_is_named_where_a_standby_answers_first)
{
    struct request observe = observe_of(group_new());
    char path[SERVER_PATH_MAX + 32];

    server_make(&primary, false);
    server_copy(&primary, &standby);
    (void)snprintf(path, sizeof path, "%s/standby.signal", standby.dir);
    server_run(&standby, "/bin/touch", (const char *const[]){"touch", path, NULL});
    server_start(&primary);
    server_start(&standby);
    struct client *c = client_new();
    client_use(c, false, CLIENT_OWNER_A,
               "host=127.0.0.1,127.0.0.1 port=%d,%d dbname=postgres user=tenure", standby.port,
               primary.port);
    client_await(c, &c->connects, 1);
    PGconn *session = server_session(&primary);
    lock_it(session);
    ask_in_vain(c, &observe);
    ASSERT_CONTAINS(c->locked, "the table tenure.lease is locked: process ");
    ask_in_vain(c, &observe);
    ck_assert_uint_eq(c->unlocks, 0);
    c = client_close(c);
    PQfinish(session);
    server_stop(&primary);
    server_stop(&standby);
}

/* Requests whose commit waits for a standby have the table locked, too. To end who waits behind
 * them would not help. */
TEST(who_waits_for_agents_is_not_to_be_ended)
{
    const char *group = group_new();

    make_primary();
    struct client *c = client_on(&primary, CLIENT_OWNER_A),
                  *d = client_on(&primary, CLIENT_OWNER_B);
    struct reply led = client_lead(c, group);
    struct request renew = renew_of(group, led.record.term), observe = observe_of(group);
    server_do(&primary, "alter system set synchronous_standby_names = 'nobody'");
    server_do(&primary, "select pg_reload_conf()");
    server_await(&primary, "it is so",
                 "select (current_setting('synchronous_standby_names') = 'nobody')::integer");
    client_send(c, &renew, 1, CLIENT_LIMIT);
    client_turn(c, LIMIT);
    server_await(&primary, "the commit waits",
                 "select count(*)::integer from pg_stat_activity where wait_event = 'SyncRep'");
    PGconn *session = server_session(&primary);
    ck_assert_int_eq(PQsendQuery(session, "begin; lock table tenure.lease"), 1);
    server_await(&primary, "somebody waits for the table",
                 "select count(*)::integer from pg_locks where not granted");
    ask_in_vain(d, &observe);
    ASSERT_CONTAINS(d->locked, "waits for a lock (AccessExclusiveLock) ");
    ASSERT_CONTAINS(d->locked, " UTC; it waits for requests of agents, which have not ended: do "
                               "their writes wait for a synchronous standby?");
    ck_assert_ptr_null(strstr(d->locked, "to end it"));
    c = client_close(c);
    d = client_close(d);
    PQfinish(session);
    server_crash(&primary);
}
