/* SPDX-License-Identifier: Apache-2.0 */
/* Rows, locks, figures. */
#include "postgresql.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "proxy.h"

/* ---- locks ---- */

TEST_CASE(rows, .set_up = open_both, .tear_down = close_both, .time_limit = 60);

/* Whatever was asked, and whatever came of it: server and test have one clock. */
TEST(answers_tell_the_time)
{
    const char *group = group_new();
    const struct reply led = client_lead(a, group);
    struct request requests[] = {renew_of(group, led.record.term), renew_of(group, 1)};
    struct timespec ts;

    for (int i = 0; i < 2; i++) {
        unsigned answers = a->answers;
        ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &ts), 0);
        usec_t before = (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
        client_send(a, &requests[i], 1, CLIENT_LIMIT);
        client_await(a, &a->answers, answers + 1);
        ck_assert_int_eq(a->replies[0].outcome, i == 0 ? OUTCOME_GRANTED : OUTCOME_DENIED);
        ck_assert_uint_ge(a->replies[0].arbiter_time, before);
        ck_assert_uint_lt(a->replies[0].arbiter_time, before + CLIENT_LIMIT);
    }
}

TEST(a_locked_row_costs_no_other_group)
{
    const char *first = group_new(), *locked = group_new(), *last = group_new();
    const struct reply led[] = {client_lead(a, first), client_lead(a, locked),
                                client_lead(a, last)};
    const char *const groups[] = {first, locked, last};
    struct request requests[3];
    PGconn *session = server_session(&shared);
    char statement[256];
    usec_t before;

    session_do(session, "begin");
    (void)snprintf(statement, sizeof statement,
                   "select from tenure.lease where grp = '%s' for update", locked);
    session_do(session, statement);

    for (int i = 0; i < 3; i++)
        requests[i] = renew_of(groups[i], led[i].record.term);
    unsigned answers = a->answers;
    before = clock_boottime();
    client_send(a, requests, 3, CLIENT_LIMIT);
    client_await(a, &a->answers, answers + 1);
    ck_assert_uint_lt(clock_boottime() - before, USEC_PER_SEC);
    ck_assert_int_eq(a->replies[0].outcome, OUTCOME_GRANTED);
    ck_assert_int_eq(a->replies[1].outcome, OUTCOME_UNKNOWN);
    ck_assert_int_eq(a->replies[2].outcome, OUTCOME_GRANTED);

    /* The other two operations on the locked row; observing needs no lock. */
    struct request request = release_of(locked, led[1].record.term, &led[1].record.nonce);
    ck_assert_int_eq(client_ask(a, &request).outcome, OUTCOME_UNKNOWN);
    request = observe_of(locked);
    struct reply seen = client_ask(b, &request);
    ck_assert_int_eq(seen.outcome, OUTCOME_GRANTED);
    request = claim_of(locked, &seen);
    ck_assert_int_eq(client_ask(b, &request).outcome, OUTCOME_UNKNOWN);
    /* A lock held by somebody else excuses nothing: this is denied, not unknown. */
    request = renew_of(locked, led[1].record.term - 1);
    ck_assert_int_eq(client_ask(a, &request).outcome, OUTCOME_DENIED);

    session_do(session, "rollback");
    PQfinish(session);
    request = renew_of(locked, led[1].record.term);
    ck_assert_int_eq(client_ask(a, &request).outcome, OUTCOME_GRANTED);
}

TEST(an_application_can_fence_off_claims)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);
    PGconn *session = server_session(&shared);
    char statement[256];

    session_do(session, "begin");
    (void)snprintf(statement, sizeof statement,
                   "select from tenure.lease where grp = '%s' and term = %" PRIu64 " for key share",
                   group, led.record.term);
    session_do(session, statement);

    struct request request = renew_of(group, led.record.term);
    struct reply reply = client_ask(a, &request);
    ck_assert_int_eq(reply.outcome, OUTCOME_GRANTED);
    request = claim_of(group, &reply);
    ck_assert_int_eq(client_ask(b, &request).outcome, OUTCOME_UNKNOWN);
    session_do(session, "commit");
    PQfinish(session);
    ck_assert_int_eq(client_ask(b, &request).outcome, OUTCOME_GRANTED);
}

TEST(a_claim_waits_for_no_other_claim)
{
    const char *group = group_new();
    struct request request = observe_of(group);
    struct reply seen = client_ask(a, &request);
    PGconn *session = server_session(&shared);
    char statement[256];

    /* The other claim is not committed yet, and will be. */
    session_do(session, "begin");
    (void)snprintf(statement, sizeof statement,
                   "update tenure.lease set term = term + 1, nonce = gen_random_uuid() where grp = "
                   "'%s'",
                   group);
    session_do(session, statement);
    request = claim_of(group, &seen);
    ck_assert_int_eq(client_ask(a, &request).outcome, OUTCOME_UNKNOWN);
    session_do(session, "commit");
    PQfinish(session);
    ck_assert_int_eq(client_ask(a, &request).outcome, OUTCOME_DENIED);
}

TEST(terms_end_without_harm_to_others)
{
    const char *group = group_new(), *other = group_new();
    struct reply led = client_lead(a, group), led_other = client_lead(a, other);

    struct request request = claim_of(group, &led);
    request.term_floor = INT64_C(4611686018427387904);
    struct reply last = client_ask(b, &request);
    ck_assert_int_eq(last.outcome, OUTCOME_GRANTED);
    ck_assert_uint_eq(last.record.term, request.term_floor);

    const struct request requests[] = {claim_of(group, &last),
                                       renew_of(other, led_other.record.term)};
    unsigned answers = a->answers;
    client_send(a, requests, 2, CLIENT_LIMIT);
    client_await(a, &a->answers, answers + 1);
    ck_assert_int_eq(a->replies[0].outcome, OUTCOME_DENIED);
    ck_assert_int_eq(a->replies[1].outcome, OUTCOME_GRANTED);
}

TEST(clean_of_another_history_is_not_claimable)
{
    static const char *const columns[] = {"timeline = timeline + 1", "system_id = system_id + 1"};

    for (size_t i = 0; i < 2; i++) {
        const char *group = group_new();
        struct reply led = client_lead(a, group);
        struct request request = release_of(group, led.record.term, &led.record.nonce);

        ck_assert_int_eq(client_ask(a, &request).outcome, OUTCOME_GRANTED);
        server_do(&shared, "update tenure.lease set %s where grp = '%s'", columns[i], group);
        request = observe_of(group);
        struct reply seen = client_ask(b, &request);
        ck_assert(seen.record.clean);
        ck_assert(!seen.record.claimable);
        request = claim_of(group, &seen);
        request.rests_on_clean = true;
        ck_assert_int_eq(client_ask(b, &request).outcome, OUTCOME_DENIED);
        request.rests_on_clean = false; /* observed for a lease instead */
        ck_assert_int_eq(client_ask(b, &request).outcome, OUTCOME_GRANTED);
    }
}

TEST(a_row_of_the_other_method_must_be_clean)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);

    server_do(&shared, "update tenure.lease set method = 'advisory' where grp = '%s'", group);
    struct request request = claim_of(group, &led);
    ck_assert_int_eq(client_ask(b, &request).outcome, OUTCOME_DENIED);
    server_do(&shared, "update tenure.lease set clean = true where grp = '%s'", group);
    ck_assert_int_eq(client_ask(b, &request).outcome, OUTCOME_GRANTED);
    ck_assert_int_eq(server_number(&shared,
                                   "select count(*) from tenure.lease where grp = '%s' and method "
                                   "= 'lease'",
                                   group),
                     1);
}

/* ---- one round trip, one transaction ---- */

#define MANY 1000

static char groups[MANY][GROUP_NAME_MAX + 1];
static struct request requests[MANY];
static struct reply replies[MANY];

static void exchange(struct client *c, size_t n)
{
    unsigned answers = c->answers;

    client_send(c, requests, n, CLIENT_LIMIT);
    client_await(c, &c->answers, answers + 1);
    ck_assert_uint_eq(c->n, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(c->replies[i].outcome, OUTCOME_GRANTED);
    memcpy(replies, c->replies, n * sizeof *replies);
}

static void lead_many(struct client *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(groups[i], sizeof groups[i], "%s", group_new());
        requests[i] = observe_of(groups[i]);
    }
    exchange(c, n);
    for (size_t i = 0; i < n; i++)
        requests[i] = claim_of(groups[i], &replies[i]);
    exchange(c, n);
}

static void renew_many(struct client *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        requests[i] = renew_of(groups[i], replies[i].record.term);
    exchange(c, n);
}

static long long next_xid(void)
{
    return server_number(&shared, "select pg_snapshot_xmax(pg_current_snapshot())");
}

TEST(one_round_trip_and_one_transaction_per_tick)
{
    static const size_t sizes[] = {1, 100, MANY};
    struct proxy *proxy = proxy_start(shared.port);
    struct client *c = client_at(proxy->port, CLIENT_OWNER_A);

    for (size_t i = 0; i < 3; i++) {
        lead_many(c, sizes[i]);
        unsigned turns = atomic_load(&proxy->turns);
        uint64_t trips = arbiter_round_trips(c->arbiter);
        long long xid = next_xid();

        renew_many(c, sizes[i]);
        ck_assert_int_eq(next_xid(), xid + 1);
        ck_assert_uint_eq(atomic_load(&proxy->turns), turns + 1);
        ck_assert_uint_eq(arbiter_round_trips(c->arbiter), trips + 1);

        /* Looking at what is there writes nothing. */
        for (size_t k = 0; k < sizes[i]; k++)
            requests[k] = observe_of(groups[k]);
        exchange(c, sizes[i]);
        ck_assert_int_eq(next_xid(), xid + 1);
        ck_assert_uint_eq(atomic_load(&proxy->turns), turns + 2);
    }
    c = client_close(c);
    proxy_stop(proxy);
}

#define TICKS 20
#define TICK_LIMIT_MSEC                                                                            \
    1000 /* far above what it takes: catches a scan per group, not a slow host */

static void measure(struct client *c, const char *what, size_t n,
                    void (*tick)(struct client *, size_t))
{
    usec_t fastest = USEC_INFINITY, before, sum = 0;

    for (int i = 0; i < TICKS; i++) {
        before = clock_boottime();
        tick(c, n);
        usec_t took = clock_boottime() - before;
        sum += took;
        fastest = usec_min(fastest, took);
    }
    (void)printf("%s of %zu groups: mean %.1f ms, best %.1f ms\n", what, n,
                 (double)sum / TICKS / 1000, (double)fastest / 1000);
    (void)fflush(stdout);
    ck_assert_uint_lt(fastest, TICK_LIMIT_MSEC * USEC_PER_MSEC);
}

static void observe_many(struct client *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        requests[i] = observe_of(groups[i]);
    exchange(c, n);
}

TEST(a_thousand_groups_are_a_matter_of_milliseconds)
{
    lead_many(a, MANY);
    measure(a, "renewal", MANY, renew_many);
    measure(a, "observation", MANY, observe_many);
    measure(a, "renewal", 1, renew_many);
}

/* Of a server of its own: the statistics of no one else. */
TEST(renewals_are_hot_updates)
{
    enum { GROUPS = 100, ROUNDS = 60 };
    struct server s;

    server_make(&s, false);
    server_start(&s);
    struct client *c = client_on(&s, CLIENT_OWNER_A);
    lead_many(c, GROUPS);
    for (int i = 0; i < ROUNDS; i++)
        renew_many(c, GROUPS);
    c = client_close(c); /* a backend reports what it counted at its end */
    server_await(&s, "the statistics are there",
                 "select (n_tup_upd >= 6100)::integer from pg_stat_user_tables "
                 "where relname = 'lease'");
    long long updates =
        server_number(&s, "select n_tup_upd from pg_stat_user_tables where relname = 'lease'");
    long long hot =
        server_number(&s, "select n_tup_hot_upd from pg_stat_user_tables where relname = 'lease'");
    (void)printf("%lld of %lld updates were HOT, table of %lld kB\n", hot, updates,
                 server_number(&s, "select pg_table_size('tenure.lease') / 1024"));
    (void)fflush(stdout);
    ck_assert_int_eq(updates, GROUPS * (1 + ROUNDS));
    ck_assert_int_eq(hot, updates);
    server_crash(&s);
}

/* ---- many at once ---- */

#define CLIENTS 8
#define SHARED_GROUPS 40
#define CROWD_USEC (4 * USEC_PER_SEC)

/* Claims whatever it sees and renews what it holds, in an order of its own: rude, but rightful. */
static void crowd_member(const struct server *s, int number, atomic_llong *claims)
{
    struct client *c = client_new();
    char owner[OWNER_MAX + 1], names[SHARED_GROUPS][GROUP_NAME_MAX + 1];
    struct request tick[SHARED_GROUPS];
    uint64_t held[SHARED_GROUPS] = {0};
    struct reply seen[SHARED_GROUPS] = {0};
    usec_t until = clock_boottime() + CROWD_USEC;
    unsigned granted = 0;

    (void)snprintf(owner, sizeof owner, "node%d/%032x", number, number);
    client_connect(c, s->port, owner);
    client_await(c, &c->connects, 1);
    srand((unsigned)number);
    for (int i = 0; i < SHARED_GROUPS; i++) /* each has another order */
        (void)snprintf(names[i], sizeof names[i], "crowd-%02d",
                       (i * (2 * number + 1) + number) % SHARED_GROUPS);
    while (clock_boottime() < until) {
        for (int i = 0; i < SHARED_GROUPS; i++) {
            if (held[i])
                tick[i] = renew_of(names[i], held[i]);
            else if (seen[i].has_record && rand() % 10 == 0)
                tick[i] = claim_of(names[i], &seen[i]);
            else
                tick[i] = observe_of(names[i]);
            if (held[i] && seen[i].has_record && rand() % 20 == 0)
                tick[i] = release_of(names[i], held[i], &seen[i].record.nonce);
        }
        unsigned answers = c->answers;
        client_send(c, tick, SHARED_GROUPS, CLIENT_LIMIT);
        client_await(c, &c->answers, answers + 1);
        for (int i = 0; i < SHARED_GROUPS; i++) {
            const struct reply *r = &c->replies[i];
            bool ours = r->has_record && strcmp(r->record.owner, owner) == 0 && !r->record.clean;

            if (r->outcome == OUTCOME_UNKNOWN)
                continue;
            granted += r->outcome == OUTCOME_GRANTED && tick[i].operation != OPERATION_OBSERVE;
            if (r->outcome == OUTCOME_GRANTED && tick[i].operation == OPERATION_CLAIM)
                (void)atomic_fetch_add(claims, 1);
            held[i] = ours ? r->record.term : 0;
            seen[i] = *r;
        }
    }
    /* A deadlock, or any error, would have cost the connection. */
    int status = c->losses == 0 && c->connects == 1 && granted > 100 ? 0 : 1;
    if (status != 0)
        (void)fprintf(stderr, "client %d: %u granted, %s\n", number, granted, c->losses_text);
    _exit(status);
}

TEST(many_clients_do_not_deadlock)
{
    struct server s;
    pid_t pids[CLIENTS];
    atomic_llong *claims =
        mmap(NULL, sizeof *claims, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(claims, MAP_FAILED);
    server_make(&s, false);
    server_start(&s);
    for (int i = 0; i < CLIENTS; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0)
            crowd_member(&s, i + 1, claims);
    }
    for (int i = 0; i < CLIENTS; i++) {
        int status;

        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    (void)printf(
        "%d clients: %lld claims, %lld updates, no deadlock\n", CLIENTS, atomic_load(claims),
        server_number(&s, "select n_tup_upd from pg_stat_user_tables where relname = 'lease'"));
    (void)fflush(stdout);
    ck_assert_int_gt(atomic_load(claims), SHARED_GROUPS * 5);
    /* Each claim adds one to a term, so no two were granted the same. */
    ck_assert_int_eq(server_number(&s, "select sum(term & 4294967295)::bigint from tenure.lease"),
                     atomic_load(claims));
    ck_assert_int_eq(
        server_number(&s, "select deadlocks from pg_stat_database where datname = 'postgres'"), 0);
    server_crash(&s);
}

/* ---- the schema ---- */

static void dump(const struct server *s, const char *file)
{
    char port[16];

    (void)snprintf(port, sizeof port, "%d", s->port);
    server_run(s, "pg_dump",
               (const char *const[]){"pg_dump", "-h", s->dir, "-p", port, "-U", "postgres", "-n",
                                     "tenure", "-f", file, "postgres", NULL});
}

TEST(the_schema_may_be_run_again)
{
    char before[SERVER_PATH_MAX + 32], after[SERVER_PATH_MAX + 32];

    (void)client_lead(a, group_new());
    (void)snprintf(before, sizeof before, "%s/before.sql", shared.dir);
    (void)snprintf(after, sizeof after, "%s/after.sql", shared.dir);
    dump(&shared, before);
    server_load_schema(&shared);
    dump(&shared, after);
    /* Newer releases of pg_dump put a random word into \restrict. */
    server_run(&shared, "/usr/bin/diff",
               (const char *const[]){"diff", "-u", "-I", "restrict", before, after, NULL});
    server_run(&shared, "/bin/grep", (const char *const[]){"grep", "-q", "GRANT", after, NULL});
}

/* As psql would run it; the session may be anybody's. */
static PGresult *run_schema(PGconn *session)
{
    static char text[256 * 1024];
    FILE *f = fopen(SCHEMA_SQL, "re");

    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    ck_assert(feof(f) && !ferror(f));
    (void)fclose(f);
    text[n] = '\0';
    return PQexec(session, text);
}

/* Transactions that hold rows and, in their ways, the tables: nobody waits for anybody. */
TEST(the_schema_run_again_waits_for_nobody)
{
    static const char *const holds[] = {
        "update tenure.lease set changed_at = changed_at",
        "lock table tenure.lease in row exclusive mode",
        "lock table tenure.lease in access share mode",
        "insert into tenure.assertion(grp, term) values ('g', 1)",
    };
    PGconn *session = server_session(&shared);

    (void)client_lead(a, group_new());
    for (size_t i = 0; i < sizeof holds / sizeof *holds; i++) {
        PGconn *holder = server_session(&shared);

        session_do(holder, "begin");
        session_do(holder, holds[i]);
        usec_t began = clock_boottime();
        PGresult *result = run_schema(session);
        ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s: %s", holds[i],
                      PQerrorMessage(session));
        ck_assert_msg(usec_sub(clock_boottime(), began) < 2 * USEC_PER_SEC, "%s", holds[i]);
        PQclear(result);
        session_do(holder, "rollback");
        PQfinish(holder);
    }
    PQfinish(session);
}

/* Of owners who could change what the agents call, or where they read. */
TEST(a_schema_with_objects_of_strangers_is_refused)
{
    static const struct {
        const char *make, *undo, *named;
    } cases[] = {
        {"alter schema tenure owner to mallory", "alter schema tenure owner to postgres",
         "the schema tenure (of role \"mallory\")"},
        {"alter table tenure.lease owner to mallory", "alter table tenure.lease owner to postgres",
         "the table tenure.lease (of role \"mallory\")"},
        {"alter function tenure.lock_key(text) owner to mallory",
         "alter function tenure.lock_key(text) owner to postgres",
         "the function tenure.lock_key(text) (of role \"mallory\")"},
        {"create view tenure.trap as select 1; alter view tenure.trap owner to mallory",
         "drop view tenure.trap", "the view tenure.trap (of role \"mallory\")"},
    };
    PGconn *session = server_session(&shared);

    session_do(session, "create role mallory");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        session_do(session, cases[i].make);
        PGresult *result = run_schema(session);
        ck_assert_msg(PQresultStatus(result) == PGRES_FATAL_ERROR, "%s", cases[i].make);
        ck_assert_str_eq(PQresultErrorField(result, PG_DIAG_SQLSTATE), "42501");
        const char *said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        ck_assert_msg(strstr(said, cases[i].named), "%s: %s", cases[i].make, said);
        PQclear(result);
        session_do(session, "rollback");
        session_do(session, cases[i].undo);
    }
    session_do(session, "drop role mallory");
    PGresult *result = run_schema(session);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(session));
    PQclear(result);
    PQfinish(session);
}

/* The owner of the database, who is no superuser, has made it, and a superuser runs it again. */
TEST(the_owner_of_the_database_may_own_the_schema)
{
    PGconn *session = server_session(&shared);

    session_do(session, "create role olga");
    session_do(session, "alter database postgres owner to olga");
    session_do(session, "alter schema tenure owner to olga");
    session_do(session, "alter table tenure.lease owner to olga");
    PGresult *result = run_schema(session);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(session));
    PQclear(result);
    session_do(session, "alter schema tenure owner to postgres");
    session_do(session, "alter table tenure.lease owner to postgres");
    session_do(session, "alter database postgres owner to postgres");
    session_do(session, "drop role olga");
    PQfinish(session);
}

/* What a row costs has a bound. */
TEST(more_nonces_than_can_be_named_are_an_error)
{
    for (int n = 8; n <= 9; n++) {
        char sql[1024];

        (void)snprintf(sql, sizeof sql,
                       "select o_outcome from tenure.tick_2('" CLIENT_OWNER_A
                       "', false, pg_backend_pid(), null, '{}', '{%s}', '{lease}', '{0}', "
                       "'{renew}', '{1}', '{0}', array[gen_random_uuid()], array[array(select "
                       "gen_random_uuid() from generate_series(1, %d))::text], "
                       "array[gen_random_uuid()], '{0}', '{1}', '{f}', '{0}', '{0}', '{0}', '{0}')",
                       group_new(), n);
        PGconn *session = server_session(&shared);
        PGresult *result = PQexec(session, sql);
        const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

        if (n == 8)
            ck_assert_str_eq(PQgetvalue(result, 0, 0), "denied");
        else
            ck_assert_str_eq(sqlstate ? sqlstate : "", "22023");
        PQclear(result);
        PQfinish(session);
    }
}

TEST(the_role_has_the_least_grants)
{
    static const char *const forbidden[] = {
        "delete from tenure.lease",
        "truncate tenure.lease",
        "drop function tenure.tick_2",
        "create table tenure.t ()",
        "alter table tenure.lease set (fillfactor = 90)",
    };
    char conninfo[CONNINFO_MAX];

    (void)snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=postgres user=tenure",
                   shared.port);
    PGconn *session = PQconnectdb(conninfo);
    ck_assert_int_eq(PQstatus(session), CONNECTION_OK);
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        PGresult *result = PQexec(session, forbidden[i]);
        const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

        ck_assert_msg(sqlstate && strcmp(sqlstate, "42501") == 0, "%s: %s", forbidden[i],
                      sqlstate ? sqlstate : "done");
        PQclear(result);
    }
    PQfinish(session);
    ck_assert_int_eq(server_number(&shared, "select count(*) from pg_roles where rolname = 'tenure'"
                                            " and rolcanlogin and not rolsuper and not "
                                            "rolcreaterole and not rolcreatedb"),
                     1);
}
