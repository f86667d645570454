/* SPDX-License-Identifier: Apache-2.0 */
/* What applications assert: tenure.assert_leader() and tenure.assert_leader_at_commit(). */
#include "postgresql.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOST "TN001"
#define CONFLICT "40001" /* serialization_failure */
#define STATEMENT_MAX 512

static const enum method methods[] = {METHOD_LEASE, METHOD_ADVISORY};
#define N_METHODS ((int)(sizeof methods / sizeof *methods))

static PGconn *application;

/* An application as schema.sql has it: a role that may call the two functions, and no more. */
static void set_up(void)
{
    char conninfo[CONNINFO_MAX];

    client_lease = 300 * USEC_PER_MSEC; /* the quarantine of advisory takes as long */
    open_both();
    server_do(&shared,
              "do $$ begin if not exists (select from pg_roles where rolname = 'billing') then "
              "create role billing login; create table public.payments (id bigint, term bigint); "
              "grant all on public.payments to billing; "
              "grant usage on schema tenure to billing; grant execute on function "
              "tenure.assert_leader, tenure.assert_leader_at_commit to billing; end if; end $$");
    (void)snprintf(conninfo, sizeof conninfo,
                   "host=127.0.0.1 port=%d dbname=postgres user=billing application_name=billing",
                   shared.port);
    application = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(application) == CONNECTION_OK, "%s", PQerrorMessage(application));
}

static void tear_down(void)
{
    PQfinish(application);
    close_both();
}

/* SQLSTATE, "" when it succeeded, "gone" with the connection. Static storage. */
static const char *state_of(PGresult *result)
{
    static char state[6];
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool failed = PQresultStatus(result) == PGRES_FATAL_ERROR;

    (void)snprintf(state, sizeof state, "%s", code ? code : failed ? "gone" : "");
    PQclear(result);
    return state;
}

static const char *try_it(const char *statement)
{
    return state_of(PQexec(application, statement));
}

static const char *assert_text(const char *function, const char *group, uint64_t term)
{
    static char statement[STATEMENT_MAX];

    (void)snprintf(statement, sizeof statement, "select tenure.%s('%s', %" PRIu64 ")", function,
                   group, term);
    return statement;
}

static const char *assert_leader(const char *group, uint64_t term)
{
    return try_it(assert_text("assert_leader", group, term));
}

static const char *assert_at_commit(const char *group, uint64_t term)
{
    return try_it(assert_text("assert_leader_at_commit", group, term));
}

static enum outcome claim_by(struct client *c, const char *group, struct reply *ret)
{
    struct request request = observe_of(group);
    struct reply seen = client_ask(c, &request);

    request = claim_of(group, &seen);
    request.rests_on_clean = true;
    *ret = client_ask(c, &request);
    return ret->outcome;
}

/* A busy machine may make a pause longer than a client is allowed. */
static void hold_on(void)
{
    ck_assert_str_eq(try_it("set local idle_in_transaction_session_timeout = 0"), "");
}

static void release_by(struct client *c, const char *group, const struct reply *led)
{
    struct request request = release_of(group, led->record.term, &led->record.nonce);

    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_GRANTED);
}

/* Returns the new term. */
static uint64_t take_over(const char *group, const struct reply *led)
{
    struct reply next;

    release_by(a, group, led);
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_GRANTED);
    ck_assert_uint_gt(next.record.term, led->record.term);
    return next.record.term;
}

static long long payments(uint64_t term)
{
    return server_number(&shared, "select count(*) from public.payments where term = %" PRIu64,
                         term);
}

TEST_CASE(fencing, .set_up = set_up, .tear_down = tear_down, .time_limit = 30);

TEST(only_the_leaders_own_term_passes, .times = N_METHODS)
{
    const char *group = group_new(), *unclaimed = group_new();

    client_method = methods[_i];
    struct reply led = client_lead(a, group);
    uint64_t term = led.record.term;
    struct request request = observe_of(unclaimed);
    (void)client_ask(a, &request);

    ck_assert_str_eq(assert_leader(group, term), "");
    ck_assert_str_eq(assert_leader(group, term - 1), LOST);
    ck_assert_str_eq(assert_leader(group, term + 1), LOST);
    ck_assert_str_eq(assert_leader("nobody-knows-it", term), LOST);
    ck_assert_str_eq(assert_leader(unclaimed, 0), LOST);
    ck_assert_str_eq(try_it("select tenure.assert_leader(null, 1)"), LOST);
    ck_assert_str_eq(try_it("select tenure.assert_leader('x', null)"), LOST);
    ck_assert_str_eq(assert_at_commit(group, term), "");
    ck_assert_str_eq(assert_at_commit(group, term - 1), LOST);
    ck_assert_str_eq(try_it("select tenure.assert_leader_at_commit(null, null)"), LOST);

    release_by(a, group, &led);
    ck_assert_str_eq(assert_leader(group, term), LOST);
    ck_assert_str_eq(assert_at_commit(group, term), LOST);
}

TEST(an_asserted_term_is_renewed_but_not_followed, .times = N_METHODS)
{
    const char *group = group_new();
    struct reply next;

    client_method = methods[_i];
    struct reply led = client_lead(a, group);
    ck_assert_str_eq(try_it("begin"), "");
    ck_assert_str_eq(assert_leader(group, led.record.term), "");
    hold_on();

    struct request request = renew_of(group, led.record.term);
    led = client_ask(a, &request);
    ck_assert_int_eq(led.outcome, OUTCOME_GRANTED);
    ck_assert_str_eq(assert_leader(group, led.record.term), "");
    request = renew_of(group, led.record.term);
    led = client_ask(a, &request);
    ck_assert_int_eq(led.outcome, OUTCOME_GRANTED);
    release_by(a, group, &led);
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_UNKNOWN);

    ck_assert_str_eq(try_it("commit"), "");
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_GRANTED);
    ck_assert_str_eq(b->held_up, "");
    ck_assert_str_eq(assert_leader(group, led.record.term), LOST);
    ck_assert_str_eq(assert_leader(group, next.record.term), "");
}

/* Who holds up a failover is named, whether it is one transaction or several. */
TEST(who_holds_up_is_named, .times = N_METHODS)
{
    const char *group = group_new();
    struct reply next;
    char expected[STATEMENT_MAX], other[STATEMENT_MAX];

    client_method = methods[_i];
    struct reply led = client_lead(a, group);
    (void)snprintf(expected, sizeof expected,
                   "an open transaction of process %d of role \"billing\", application \"billing\"",
                   PQbackendPID(application));
    ck_assert_str_eq(try_it("begin"), "");
    ck_assert_str_eq(assert_leader(group, led.record.term), "");
    hold_on();
    struct request request = renew_of(group, led.record.term);
    led = client_ask(a, &request);
    ck_assert_int_eq(led.outcome, OUTCOME_GRANTED);
    ck_assert_str_eq(a->held_up, "");

    PGconn *session = server_session(&shared);
    session_do(session, "begin");
    session_do(session, assert_text("assert_leader", group, led.record.term));
    release_by(a, group, &led);
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_UNKNOWN);
    /* One of them. */
    (void)snprintf(other, sizeof other,
                   "an open transaction of process %d of role \"postgres\", application \"test\"",
                   PQbackendPID(session));
    ck_assert_msg(strcmp(b->held_up, expected) == 0 || strcmp(b->held_up, other) == 0, "%s",
                  b->held_up);
    session_do(session, "commit");
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_UNKNOWN);
    ck_assert_str_eq(b->held_up, expected);
    ck_assert_str_eq(try_it("commit"), "");
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_GRANTED);

    /* A renewal is held up by what nobody should do. */
    session_do(session, "begin; set application_name = 'by hand'; lock table tenure.lease in row "
                        "share mode; select from tenure.lease for update");
    request = renew_of(group, next.record.term);
    ck_assert_int_eq(client_ask(b, &request).outcome, OUTCOME_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(b->held_up, "application \"by hand\""));
    session_do(session, "rollback");
    PQfinish(session);
}

/* It has no process, and nobody ends it but by its name. */
TEST(a_prepared_transaction_is_named, .times = N_METHODS)
{
    const char *group = group_new();
    char statement[STATEMENT_MAX];
    struct reply next;

    client_method = methods[_i];
    struct reply led = client_lead(a, group);
    (void)snprintf(statement, sizeof statement,
                   "begin; select from tenure.lease where grp = '%s' for key share; prepare "
                   "transaction 'it''s %s'",
                   group, group);
    server_do(&shared, "%s", statement);
    release_by(a, group, &led);
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_UNKNOWN);
    (void)snprintf(statement, sizeof statement,
                   "the prepared transaction 'it''s %s' of role \"postgres\"", group);
    ck_assert_str_eq(b->held_up, statement);
    server_do(&shared, "rollback prepared 'it''s %s'", group);
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_GRANTED);
}

TEST(at_commit_it_keeps_nobody_waiting_and_fails, .times = N_METHODS)
{
    const char *group = group_new();
    char insert[STATEMENT_MAX];

    client_method = methods[_i];
    struct reply led = client_lead(a, group);
    server_do(&shared, "delete from public.payments");
    (void)snprintf(insert, sizeof insert, "insert into payments values (1, %" PRIu64 ")",
                   led.record.term);

    ck_assert_str_eq(try_it("begin"), "");
    ck_assert_str_eq(assert_at_commit(group, led.record.term), "");
    ck_assert_str_eq(try_it(insert), "");
    ck_assert_str_eq(try_it("commit"), "");
    ck_assert_int_eq(payments(led.record.term), 1);

    ck_assert_str_eq(try_it("begin"), "");
    ck_assert_str_eq(try_it(insert), "");
    ck_assert_str_eq(assert_at_commit(group, led.record.term), "");
    (void)take_over(group, &led);
    ck_assert_str_eq(try_it("commit"), LOST);
    ck_assert_int_eq(payments(led.record.term), 1);
    ck_assert_int_eq(server_number(&shared, "select count(*) from tenure.assertion"), 0);
}

/* Triggers are off for who loads data so; this one is not. */
TEST(a_loader_of_data_asserts_too, .times = N_METHODS)
{
    const char *group = group_new();

    client_method = methods[_i];
    struct reply led = client_lead(a, group);
    server_do(&shared, "grant set on parameter session_replication_role to billing");
    ck_assert_str_eq(try_it("set session_replication_role = replica"), "");
    ck_assert_str_eq(assert_at_commit(group, led.record.term), "");
    ck_assert_str_eq(assert_at_commit(group, led.record.term - 1), LOST);
}

/* A snapshot of before the failover must not show the term of before. */
TEST(no_isolation_level_hides_a_failover, .times = 2)
{
    static const char *const levels[] = {"repeatable read", "serializable"};
    const char *group = group_new();
    char begin[STATEMENT_MAX];

    client_method = METHOD_LEASE;
    for (int at_commit = 0; at_commit < 2; at_commit++) {
        struct reply led = client_lead(a, group);

        (void)snprintf(begin, sizeof begin, "begin isolation level %s", levels[_i]);
        ck_assert_str_eq(try_it(begin), "");
        ck_assert_str_eq(try_it("select count(*) from payments"), "");
        if (at_commit)
            ck_assert_str_eq(assert_at_commit(group, led.record.term), "");
        /* Renewals alone do no harm. */
        struct request request = renew_of(group, led.record.term);
        led = client_ask(a, &request);
        ck_assert_int_eq(led.outcome, OUTCOME_GRANTED);
        (void)take_over(group, &led);
        ck_assert_str_eq(at_commit ? try_it("commit") : assert_leader(group, led.record.term),
                         CONFLICT);
        if (!at_commit)
            ck_assert_str_eq(try_it("rollback"), "");

        led = client_lead(a, group);
        ck_assert_str_eq(try_it(begin), "");
        ck_assert_str_eq(try_it("select count(*) from payments"), "");
        request = renew_of(group, led.record.term);
        ck_assert_int_eq(client_ask(a, &request).outcome, OUTCOME_GRANTED);
        ck_assert_str_eq(assert_leader(group, led.record.term), "");
        ck_assert_str_eq(try_it("commit"), "");
    }
}

TEST(a_claim_under_way_is_waited_for)
{
    const char *group = group_new();
    char statement[STATEMENT_MAX];

    client_method = METHOD_LEASE;
    struct reply led = client_lead(a, group);
    PGconn *session = server_session(&shared);

    session_do(session, "begin");
    (void)snprintf(statement, sizeof statement,
                   "select from tenure.lease where grp = '%s' for update", group);
    session_do(session, statement);
    (void)snprintf(statement, sizeof statement,
                   "update tenure.lease set term = term + 1, nonce = gen_random_uuid() where grp = "
                   "'%s'",
                   group);
    session_do(session, statement);

    ck_assert_int_eq(PQsendQuery(application, assert_text("assert_leader", group, led.record.term)),
                     1);
    server_await(&shared, "the application waits",
                 "select count(*) from pg_stat_activity where usename = 'billing' and "
                 "wait_event_type = 'Lock'");
    session_do(session, "commit");
    PQfinish(session);
    ck_assert_str_eq(state_of(PQgetResult(application)), LOST);
    ck_assert_ptr_null(PQgetResult(application));
}

/* It neither commits nor ends: as long as it lasts nobody else could lead. */
TEST(a_client_that_is_gone_holds_nothing_up_for_long, .times = N_METHODS)
{
    const char *group = group_new();
    struct reply next;

    client_method = methods[_i];
    struct request request = observe_of(group);
    struct reply seen = client_ask(a, &request);
    client_wait_out(a);
    request = claim_of(group, &seen);
    request.duration = 300 * USEC_PER_MSEC;
    struct reply led = client_ask(a, &request);
    ck_assert_int_eq(led.outcome, OUTCOME_GRANTED);

    ck_assert_str_eq(try_it("begin"), "");
    ck_assert_str_eq(assert_leader(group, led.record.term), "");
    release_by(a, group, &led);
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_UNKNOWN);
    client_turn(b, 600 * USEC_PER_MSEC);
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_GRANTED);
    /* The error may have come, or only the end of the connection. */
    const char *state = try_it("commit");
    ck_assert_msg(strcmp(state, "25P03") == 0 || strcmp(state, "gone") == 0, "%s", state);
}

TEST(limits_are_the_transactions_and_only_ever_stricter, .times = 3)
{
    static const struct {
        const char *set, *inside;
    } sessions[] = {
        {"reset all", "4335ms 4335 1083ms"},
        {"set idle_in_transaction_session_timeout = 100; set tcp_user_timeout = 200; "
         "set client_connection_check_interval = 300",
         "100ms 200 300ms"},
        {"set idle_in_transaction_session_timeout = '1d'; set tcp_user_timeout = 100000; "
         "set client_connection_check_interval = '1h'",
         "4335ms 4335 1083ms"},
    };
    static const char show[] = "select concat_ws(' ', "
                               "current_setting('idle_in_transaction_session_timeout'), "
                               "current_setting('tcp_user_timeout'), "
                               "current_setting('client_connection_check_interval'))";
    const char *group = group_new();
    char before[STATEMENT_MAX];

    client_method = METHOD_LEASE;
    struct reply led = client_lead(a, group);
    ck_assert_str_eq(try_it(sessions[_i].set), "");
    PGresult *result = PQexec(application, show);
    (void)snprintf(before, sizeof before, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);

    ck_assert_str_eq(try_it("begin"), "");
    ck_assert_str_eq(assert_leader(group, led.record.term), "");
    result = PQexec(application, show);
    ck_assert_str_eq(PQgetvalue(result, 0, 0), sessions[_i].inside);
    PQclear(result);
    ck_assert_str_eq(try_it("commit"), "");
    result = PQexec(application, show);
    ck_assert_str_eq(PQgetvalue(result, 0, 0), before);
    PQclear(result);
}

/* What was asserted in a savepoint is forgotten with it; before that it holds. */
TEST(a_savepoint_that_is_rolled_back_asserts_nothing)
{
    const char *group = group_new();
    struct reply next;

    client_method = METHOD_LEASE;
    struct reply led = client_lead(a, group);
    ck_assert_str_eq(try_it("begin; savepoint s"), "");
    ck_assert_str_eq(assert_leader(group, led.record.term), "");
    release_by(a, group, &led);
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_UNKNOWN);
    ck_assert_str_eq(try_it("rollback to s"), "");
    ck_assert_int_eq(claim_by(b, group, &next), OUTCOME_GRANTED);
    ck_assert_str_eq(assert_leader(group, led.record.term), LOST);
    ck_assert_str_eq(try_it("rollback"), "");
}

TEST(applications_may_only_assert, .times = 6)
{
    static const char *const statements[] = {
        "select from tenure.lease",
        "update tenure.lease set term = 1",
        "select from tenure.assertion",
        "insert into tenure.assertion (grp, term) values ('x', 1)",
        "select tenure.bound_transaction_1(1)",
        "select tenure.lock_key('x')",
    };

    ck_assert_str_eq(try_it(statements[_i]), "42501");
}

/* ---- confirmed dead ---- */

static struct reply confirm_by(struct client *c, const char *group, const struct reply *led)
{
    struct request request = confirm_of(group, led);

    return client_ask(c, &request);
}

/* As a claim is: named is what it is, whosever. */
TEST(a_transaction_keeps_it_from_being_confirmed_dead, .times = N_METHODS)
{
    const char *group = group_new();
    char expected[STATEMENT_MAX];

    client_method = methods[_i];
    struct reply led = client_lead(a, group);
    (void)snprintf(expected, sizeof expected,
                   "process %d of role \"billing\", application \"billing\", which select "
                   "pg_terminate_backend(%d) ends",
                   PQbackendPID(application), PQbackendPID(application));
    ck_assert_str_eq(try_it("begin"), "");
    ck_assert_str_eq(assert_leader(group, led.record.term), "");
    ck_assert_int_eq(confirm_by(b, group, &led).outcome, OUTCOME_UNKNOWN);
    ck_assert_str_eq(b->held_up, expected);
    ck_assert_str_eq(try_it("commit"), "");
    struct reply done = confirm_by(b, group, &led);
    ck_assert_int_eq(done.outcome, OUTCOME_GRANTED);
    ck_assert_str_eq(b->held_up, "");
    ck_assert_str_eq(assert_leader(group, led.record.term), LOST);
    ck_assert_str_eq(assert_leader(group, done.record.term), LOST);
    if (client_method == METHOD_ADVISORY)
        client_await(a, &a->connects, 2);
}

/* A prepared transaction needs no session to last. */
TEST(a_prepared_transaction_keeps_it_from_being_confirmed_dead)
{
    struct server s;
    const char *group = group_new();

    server_make(&s, false);
    server_configure(&s, "max_prepared_transactions = 2");
    server_start(&s);
    struct client *c = client_on(&s, CLIENT_OWNER_A), *d = client_on(&s, CLIENT_OWNER_B);
    client_method = METHOD_LEASE;
    struct reply led = client_lead(c, group);
    PGconn *session = server_session(&s);
    session_do(session, "begin");
    session_do(session, assert_text("assert_leader", group, led.record.term));
    session_do(session, "prepare transaction 'it''s mine'");
    PQfinish(session);
    ck_assert_int_eq(confirm_by(d, group, &led).outcome, OUTCOME_UNKNOWN);
    ck_assert_str_eq(d->held_up,
                     "the prepared transaction 'it''s mine' of role \"postgres\", which "
                     "rollback prepared 'it''s mine' ends, or commit prepared, as its transaction "
                     "manager decided");
    server_do(&s, "rollback prepared 'it''s mine'");
    ck_assert_int_eq(confirm_by(d, group, &led).outcome, OUTCOME_GRANTED);
    c = client_close(c);
    d = client_close(d);
    server_crash(&s);
}
