/* SPDX-License-Identifier: Apache-2.0 */
/* Every bad database there is, what is reported of it, and that it needs no restart of
 * anything of ours once it is mended. */
#include "postgresql.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SESSIONS_MAX 64
#define END_SESSIONS                                                                               \
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tenure'"

static struct server s;
static struct client *c;
static PGconn *sessions[SESSIONS_MAX];
static size_t n_sessions;

/* ---- what is done to it ---- */

static void put_file(const char *name, const char *text)
{
    char path[SERVER_PATH_MAX + 32];

    (void)snprintf(path, sizeof path, "%s/%s", s.dir, name);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static void logins(const char *line)
{
    char text[256];

    (void)snprintf(text, sizeof text, "local all all trust\n%s\n", line);
    put_file("pg_hba.conf", text);
    server_do(&s, "select pg_reload_conf()");
    (void)usleep(100000); /* by a signal to the postmaster */
    server_do(&s, END_SESSIONS);
}

static void logins_by_password(void)
{
    server_do(&s, "alter role tenure password 'another'");
    logins("host all all 127.0.0.1/32 scram-sha-256");
}

static void logins_rejected(void)
{
    logins("host all all 127.0.0.1/32 reject");
}

static void logins_by_tls(void)
{
    logins("hostssl all all 127.0.0.1/32 trust");
}

static void logins_trusted(void)
{
    logins("host all all 127.0.0.1/32 trust");
}

static void stop(void)
{
    server_stop(&s);
}

static void crash(void)
{
    server_crash(&s);
}

static void start(void)
{
    server_start(&s);
}

/* A hot standby of nobody, for ever in recovery. */
static void be_a_standby(void)
{
    server_stop(&s);
    put_file("standby.signal", "");
    server_start(&s);
}

static void promote(void)
{
    server_do(&s, "select pg_promote()");
}

static void be_read_only(void)
{
    server_do(&s, "alter system set default_transaction_read_only = on");
    server_do(&s, "select pg_reload_conf()");
    (void)usleep(100000);
    server_do(&s, END_SESSIONS);
}

static void be_writable(void)
{
    put_file("postgresql.auto.conf", ""); /* nothing can be altered any more */
    server_do(&s, "select pg_reload_conf()");
}

static void fill(const char *conninfo)
{
    for (;;) {
        PGconn *session = PQconnectdb(conninfo);

        if (PQstatus(session) != CONNECTION_OK) {
            PQfinish(session);
            return;
        }
        ck_assert_uint_lt(n_sessions, SESSIONS_MAX);
        sessions[n_sessions++] = session;
    }
}

static void use_up_connections(void)
{
    char conninfo[CONNINFO_MAX];

    (void)snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=postgres user=filler",
                   s.port);
    server_do(&s, "create role filler login");
    /* What an agent's session leaves free is taken, too; unless the agent is quicker. */
    do {
        server_do(&s, END_SESSIONS);
        fill(conninfo);
    } while (server_number(&s, "select count(*) from pg_stat_activity where usename = 'tenure'") >
             0);
}

static void lock_table(void)
{
    char conninfo[SERVER_PATH_MAX + 128];

    (void)snprintf(conninfo, sizeof conninfo, "host=%s port=%d dbname=agents user=postgres", s.dir,
                   s.port);
    sessions[n_sessions++] = PQconnectdb(conninfo);
    session_do(sessions[0], "begin; lock table tenure.lease in access exclusive mode");
}

static void end_sessions(void)
{
    while (n_sessions > 0)
        PQfinish(sessions[--n_sessions]);
}

/* ---- the table ---- */

static const struct {
    const char *name;
    const char *spoil, *mend; /* as superuser; the agents' sessions are ended then */
    void (*do_spoil)(void), (*do_mend)(void); /* instead */
    const char *reported, *more;              /* more: what the server itself says, "": nothing */
} bad[] = {
    /* the server, which ends: one of their own */
    {"it is stopped", NULL, NULL, stop, start, "Connection refused", ""},
    {"it has crashed", NULL, NULL, crash, start, "Connection refused", ""},
    {"it is a standby", NULL, NULL, be_a_standby, promote,
     "connected to a standby, which takes no writes", ""},
#define N_ALONE 3
    /* the server */
    {"it is read-only", NULL, NULL, be_read_only, be_writable,
     "the server is read-only (default_transaction_read_only)", ""},
    {"all connections are taken", NULL, NULL, use_up_connections, end_sessions,
     "remaining connection slots are reserved", ""},
    {"a statement hangs", NULL, NULL, lock_table, end_sessions, "no answer in time", ""},
    /* the login */
    {"the password is wrong", NULL, NULL, logins_by_password, logins_trusted,
     "password authentication failed for user \"tenure\"", ""},
    {"pg_hba.conf refuses it", NULL, NULL, logins_rejected, logins_trusted,
     "pg_hba.conf rejects connection for host", ""},
    {"it wants TLS and has none", NULL, NULL, logins_by_tls, logins_trusted,
     "no pg_hba.conf entry for host \"127.0.0.1\", user \"tenure\", database \"agents\", no "
     "encryption",
     ""},
    {"the role is missing", "alter role tenure rename to away", "alter role away rename to tenure",
     NULL, NULL, "role \"tenure\" does not exist", ""},
    {"the role must not log in", "alter role tenure nologin", "alter role tenure login", NULL, NULL,
     "role \"tenure\" is not permitted to log in", ""},
    {"the role has no connection free", "alter role tenure connection limit 0",
     "alter role tenure connection limit -1", NULL, NULL,
     "too many connections for role \"tenure\"", ""},
    {"connecting to the database is not granted",
     "revoke connect on database agents from public; revoke connect on database agents from tenure",
     "grant connect on database agents to public", NULL, NULL,
     "permission denied for database \"agents\"", "CONNECT privilege"},
    /* the database */
    {"the database is missing", "alter database agents rename to away",
     "alter database away rename to agents", NULL, NULL, "database \"agents\" does not exist", ""},
    {"the database takes no connections", "alter database agents allow_connections false",
     "alter database agents allow_connections true", NULL, NULL,
     "database \"agents\" is not currently accepting connections", ""},
    /* the schema: in that database */
    {"the schema is missing", "@alter schema tenure rename to away",
     "@alter schema away rename to tenure", NULL, NULL, "the schema is missing or older",
     "tenurectl schema | psql"},
    {"the schema is older", "@alter function tenure.tick_2 rename to tick_0",
     "@alter function tenure.tick_0 rename to tick_2", NULL, NULL, "the schema is missing or older",
     "tenurectl schema | psql"},
    {"the schema answers otherwise",
     "@alter function tenure.tick_2 rename to tick_0; do $$ begin execute (select "
     "replace(replace(pg_get_functiondef(oid), 'tick_0', 'tick_2'), 'o_held', 'o_hold') from "
     "pg_proc where proname = 'tick_0'); end $$; "
     "grant execute on all functions in schema tenure to tenure",
     "@drop function tenure.tick_2; alter function tenure.tick_0 rename to tick_2", NULL, NULL,
     "the schema is missing or older", "column \"o_held\" does not exist"},
    {"the table is missing", "@alter table tenure.lease rename to away",
     "@alter table tenure.away rename to lease", NULL, NULL, "the schema is missing or older",
     "tenurectl schema | psql"},
    {"a column is missing", "@alter table tenure.lease rename column stop_usec to away",
     "@alter table tenure.lease rename column away to stop_usec", NULL, NULL,
     "the schema is missing or older", "tenurectl schema | psql"},
    /* grants, one less each */
    {"no usage of the schema", "@revoke usage on schema tenure from tenure",
     "@grant usage on schema tenure to tenure", NULL, NULL, "permission denied for schema tenure",
     "tenurectl schema | psql"},
    {"no execution of the function", "@revoke execute on function tenure.tick_2 from tenure",
     "@grant execute on function tenure.tick_2 to tenure", NULL, NULL, "permission denied",
     "tenurectl schema | psql"},
    {"no execution of another function", "@revoke execute on function tenure.lock_key from tenure",
     "@grant execute on function tenure.lock_key to tenure", NULL, NULL, "grants are missing",
     "permission denied for function lock_key"},
    {"no reading of the table", "@revoke select on tenure.lease from tenure",
     "@grant select on tenure.lease to tenure", NULL, NULL, "grants are missing",
     "permission denied for table lease"},
    {"no writing of the table", "@revoke update on tenure.lease from tenure",
     "@grant update on tenure.lease to tenure", NULL, NULL, "grants are missing",
     "permission denied for table lease"},
};
#define N_BAD ((int)(sizeof bad / sizeof *bad))

/* "@…" in the agents' database, anything else outside of it, where it can be renamed. */
static void execute(const char *statements)
{
    bool inside = *statements == '@';
    char conninfo[SERVER_PATH_MAX + 128];

    (void)snprintf(conninfo, sizeof conninfo, "host=%s port=%d dbname=%s user=postgres", s.dir,
                   s.port, inside ? "agents" : "postgres");
    PGconn *session = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(session) == CONNECTION_OK, "%s", PQerrorMessage(session));
    if (!inside)
        session_do(session, END_SESSIONS);
    session_do(session, statements + inside);
    (void)usleep(20000);
    session_do(session, END_SESSIONS);
    PQfinish(session);
}

static void connect_client(void)
{
    c = client_new();
    client_use(c, false, CLIENT_OWNER_A,
               "host=127.0.0.1 port=%d dbname=agents user=tenure password=geheim", s.port);
    client_await(c, &c->connects, 1);
}

static void set_up_alone(void)
{
    server_make(&s, false);
    server_start(&s);
    server_do(&s, "create database agents template postgres");
    connect_client();
}

static void tear_down_alone(void)
{
    end_sessions();
    c = client_close(c);
    server_crash(&s);
}

/* The shared server is as good as new when a test has mended it. When one has failed, those that
 * follow do without it. */
static bool *mended; /* between all tests */

static void prepare_shared(void)
{
    mended = mmap(NULL, sizeof *mended, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(mended, MAP_FAILED);
    server_do(&shared, "create database agents template postgres");
    *mended = true;
}

static void set_up(void)
{
    if (!*mended) {
        set_up_alone();
        return;
    }
    *mended = false;
    s = shared;
    connect_client();
}

static void tear_down(void)
{
    if (s.pid != shared.pid) {
        tear_down_alone();
        return;
    }
    end_sessions();
    c = client_close(c);
    *mended = true;
}

/* What is sent now is neither done nor refused. */
static void nothing_is_known(const struct request *request)
{
    unsigned answers = c->answers;

    if (!arbiter_idle(c->arbiter))
        return;
    client_send(c, request, 1, USEC_PER_SEC);
    client_await(c, &c->answers, answers + 1);
    ck_assert_msg(c->replies[0].outcome == OUTCOME_UNKNOWN, "%d, after: %s",
                  (int)c->replies[0].outcome, c->lost);
}

static void is_reported_and_recovered_from(int i)
{
    const char *group = group_new();
    char reported[ARBITER_TEXT_MAX];

    client_method = i % 2 ? METHOD_ADVISORY : METHOD_LEASE;
    client_lease = 300 * USEC_PER_MSEC;
    struct reply led = client_lead(c, group);
    struct request request = renew_of(group, led.record.term);
    unsigned connects = c->connects;

    /* It is sent again and again: an earlier try may have been carried out. */
    request.known[request.n_known++] = request.fresh_nonce;

    if (bad[i].do_spoil)
        bad[i].do_spoil();
    else
        execute(bad[i].spoil);
    for (int tries = 0; !strstr(c->lost, bad[i].reported); tries++) {
        ck_assert_msg(tries < 20, "%s: \"%s\" lacks \"%s\"", bad[i].name, c->lost, bad[i].reported);
        nothing_is_known(&request);
        client_turn(c, 100 * USEC_PER_MSEC);
    }
    (void)fprintf(stderr, "%s: %s\n", bad[i].name, c->lost);
    ck_assert_msg(strstr(c->lost, bad[i].more) != NULL, "%s: \"%s\" lacks \"%s\"", bad[i].name,
                  c->lost, bad[i].more);
    ck_assert_ptr_null(strstr(c->losses_text, "geheim"));

    /* Tried again and again; reported in the same words, which the journal has once. */
    (void)snprintf(reported, sizeof reported, "%s", c->lost);
    unsigned losses = c->losses;
    for (int tries = 0; c->losses == losses; tries++) {
        ck_assert_int_lt(tries, 100);
        nothing_is_known(&request);
        client_turn(c, 100 * USEC_PER_MSEC);
    }
    ck_assert_str_eq(c->lost, reported);

    if (bad[i].do_mend)
        bad[i].do_mend();
    else
        execute(bad[i].mend);
    client_await(c, &c->connects, connects + 1);
    /* Some are connected to and fail with the next question; what hung may have the row locked. */
    struct reply reply = {.outcome = OUTCOME_UNKNOWN};
    for (int tries = 0; reply.outcome == OUTCOME_UNKNOWN; tries++) {
        ck_assert_int_lt(tries, 100);
        if (arbiter_idle(c->arbiter))
            reply = client_ask(c, &request);
        client_turn(c, 50 * USEC_PER_MSEC);
    }
    ck_assert_int_eq(reply.outcome, OUTCOME_GRANTED);
}

TEST_CASE(bad_alone, .set_up = set_up_alone, .tear_down = tear_down_alone, .time_limit = 60);

TEST(a_server_that_ends_is_reported_and_recovered_from, .times = N_ALONE)
{
    is_reported_and_recovered_from(_i);
}

TEST_CASE(bad, .before_all = prepare_shared, .set_up = set_up, .tear_down = tear_down,
          .time_limit = 60);

TEST(a_bad_database_is_reported_and_recovered_from, .first = N_ALONE, .times = N_BAD - N_ALONE)
{
    is_reported_and_recovered_from(_i);
}
