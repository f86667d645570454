/* SPDX-License-Identifier: Apache-2.0 */
/* What was granted must outlive the server: synchronous_commit, warnings, crashes, failovers. */
#include "postgresql.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAITING                                                                                    \
    "select count(*) from pg_stat_activity where usename = 'tenure' and wait_event = 'SyncRep'"

static struct server s;

static void start(void)
{
    server_make(&s, false);
    server_start(&s);
}

static void stop(void)
{
    server_crash(&s);
}

static void set_standbys(const char *names)
{
    server_do(&s, "alter system set synchronous_standby_names = '%s'", names);
    server_do(&s, "select pg_reload_conf()");
    for (;;) {
        PGresult *result = server_query(&s, "show synchronous_standby_names");
        bool done = strcmp(PQgetvalue(result, 0, 0), names) == 0;

        PQclear(result);
        if (done)
            return;
        (void)usleep(10000);
    }
}

/* Sends, and returns when the server waits for a standby that is not there. */
static void send_into_wait(struct client *c, const struct request *requests, size_t n)
{
    unsigned answers = c->answers;

    client_send(c, requests, n, CLIENT_LIMIT);
    client_turn(c, 50 * USEC_PER_MSEC);
    server_await(&s, "the commit waits for a standby", WAITING);
    client_turn(c, 300 * USEC_PER_MSEC);
    ck_assert_uint_eq(c->answers, answers); /* nothing is believed before the commit */
}

static void cancel_wait(struct client *c)
{
    unsigned answers = c->answers;

    server_do(&s, "select pg_cancel_backend(pid) from pg_stat_activity where usename = 'tenure'"
                  " and wait_event = 'SyncRep'");
    client_await(c, &c->answers, answers + 1);
}

TEST_CASE(durability, .set_up = start, .tear_down = stop, .time_limit = 60);

TEST(a_cancelled_wait_for_a_standby_is_unknown)
{
    const char *led_group = group_new(), *claimed = group_new(), *seen_group = group_new();

    /* All that could hide it. */
    server_do(&s, "alter role tenure set synchronous_commit = off");
    server_do(&s, "alter role tenure set client_min_messages = error");
    struct client *c = client_on(&s, CLIENT_OWNER_A);
    struct reply led = client_lead(c, led_group);
    struct request request = observe_of(claimed);
    struct reply seen = client_ask(c, &request);
    request = observe_of(seen_group);
    (void)client_ask(c, &request);

    set_standbys("nobody");
    const struct request requests[] = {renew_of(led_group, led.record.term),
                                       claim_of(claimed, &seen), observe_of(seen_group)};
    send_into_wait(c, requests, 3);
    cancel_wait(c);
    ck_assert_int_eq(c->replies[0].outcome, OUTCOME_UNKNOWN);
    ck_assert_int_eq(c->replies[1].outcome, OUTCOME_UNKNOWN);
    ck_assert(!c->replies[1].has_record);
    ck_assert_int_eq(c->replies[2].outcome, OUTCOME_GRANTED);
    ck_assert_uint_eq(c->notices, 1);
    ck_assert_ptr_nonnull(strstr(c->notice, "warns"));
    ck_assert_uint_eq(c->losses, 0);
    /* And here is why it may not be believed: the server did all of it. */
    ck_assert_int_eq(server_number(&s,
                                   "select count(*) from tenure.lease where owner = '%s' and grp = "
                                   "'%s'",
                                   CLIENT_OWNER_A, claimed),
                     1);

    set_standbys("");
    request = renew_of(led_group, led.record.term);
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_GRANTED);
    c = client_close(c);
}

#define LARGE 500 /* the result fills the server's buffer: it comes before the commit */

TEST(a_result_before_the_commit_is_not_believed)
{
    static char groups[LARGE][GROUP_NAME_MAX + 1];
    static struct request requests[LARGE];
    struct client *c = client_on(&s, CLIENT_OWNER_A);

    for (int i = 0; i < LARGE; i++) {
        (void)snprintf(groups[i], sizeof groups[i], "%s", group_new());
        requests[i] = observe_of(groups[i]);
    }
    client_send(c, requests, LARGE, CLIENT_LIMIT);
    client_await(c, &c->answers, 1);
    for (int i = 0; i < LARGE; i++)
        requests[i] = claim_of(groups[i], &c->replies[i]);
    set_standbys("nobody");
    send_into_wait(c, requests, LARGE);
    cancel_wait(c);
    for (int i = 0; i < LARGE; i++)
        ck_assert_int_eq(c->replies[i].outcome, OUTCOME_UNKNOWN);
    ck_assert_int_eq(server_number(&s, "select count(*) from tenure.lease where term > 0"), LARGE);

    /* The server dies in that very moment. */
    for (int i = 0; i < LARGE; i++)
        requests[i] = renew_of(groups[i], (UINT64_C(1) << 32) + 1);
    send_into_wait(c, requests, LARGE);
    server_crash(&s);
    client_await(c, &c->losses, 1);
    ck_assert_uint_eq(c->answers, 3);
    for (int i = 0; i < LARGE; i++)
        ck_assert_int_eq(c->replies[i].outcome, OUTCOME_UNKNOWN);
    c = client_close(c);
}

TEST(any_warning_makes_it_unknown)
{
    const char *group = group_new();
    struct client *c = client_on(&s, CLIENT_OWNER_A);
    struct reply led = client_lead(c, group);
    struct request request = renew_of(group, led.record.term);

    server_do(&s, "create function public.warn() returns trigger language plpgsql as"
                  " 'begin raise warning ''multi\nline %%'', new.grp; return new; end'");
    server_do(&s, "create trigger warn before update on tenure.lease for each row"
                  " execute function public.warn()");
    for (int i = 0; i < 2; i++) {
        request = renew_of(group, led.record.term);
        ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_UNKNOWN);
    }
    ck_assert_uint_eq(c->notices, 1); /* said once, not with every tick */
    ck_assert_ptr_nonnull(strstr(c->notice, "multi line"));

    server_do(&s, "create or replace function public.warn() returns trigger language plpgsql as"
                  " 'begin raise notice ''harmless''; return new; end'");
    request = renew_of(group, led.record.term);
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_GRANTED);
    ck_assert_uint_eq(c->notices, 1);
    ck_assert_uint_eq(c->losses, 0);
    c = client_close(c);
}

TEST(a_warning_of_wraparound_harms_nothing)
{
    const char *group = group_new();
    char path[SERVER_PATH_MAX + 32];

    /* 2.11 of 2.147 milliards of transactions later. Vacuum would mend that, and at that age comes
     * by itself, whatever is configured: a slot that needs the old catalogs keeps it from that. */
    server_stop(&s);
    server_configure(&s, "wal_level = logical");
    server_start(&s);
    server_do(&s, "select pg_create_logical_replication_slot('old', 'pgoutput')");
    server_stop(&s);
    server_run(&s, "pg_resetwal",
               (const char *const[]){"pg_resetwal", "-x", "2110000000", "-D", s.dir, NULL});
    (void)snprintf(path, sizeof path, "of=%s/pg_xact/07DC", s.dir);
    server_run(&s, "/bin/dd",
               (const char *const[]){"dd", "if=/dev/zero", path, "bs=256K", "count=1", NULL});
    server_start(&s);
    struct client *c = client_on(&s, CLIENT_OWNER_A);
    struct reply led = client_lead(c, group);
    struct request request = renew_of(group, led.record.term);
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_GRANTED);
    ck_assert_uint_eq(c->notices, 1);
    ck_assert_ptr_nonnull(strstr(c->notice, "vacuumed"));
    c = client_close(c);
}

TEST(require_sync_refuses_without_a_standby)
{
    const char *group = group_new(), *other = group_new();
    struct client *plain = client_on(&s, CLIENT_OWNER_A), *c = client_new();
    struct reply led = client_lead(plain, group);

    client_use(c, true, CLIENT_OWNER_A, "host=%s port=%d dbname=postgres user=tenure", s.dir,
               s.port);
    client_await(c, &c->connects, 1);
    struct request request = renew_of(group, led.record.term);
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_UNKNOWN);
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_UNKNOWN);
    ck_assert_uint_eq(c->notices, 1);
    ck_assert_ptr_nonnull(strstr(c->notice, "require_sync"));
    request = observe_of(other);
    struct reply seen = client_ask(c, &request);
    ck_assert_int_eq(seen.outcome, OUTCOME_GRANTED);
    request = claim_of(other, &seen);
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_DENIED);
    /* Giving up is always possible, and nothing was written before. */
    request = release_of(group, led.record.term, &led.record.nonce);
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_GRANTED);
    c = client_close(c);
    plain = client_close(plain);
}

/* ---- crash ---- */

TEST(a_crash_is_survived_by_what_was_granted)
{
    const char *group = group_new();
    struct client *c = client_on(&s, CLIENT_OWNER_A);
    struct reply led = client_lead(c, group), reply;
    struct request request = renew_of(group, led.record.term);

    for (unsigned i = 1; i <= 3; i++) {
        request = renew_of(group, led.record.term);
        reply = client_ask(c, &request);
        ck_assert_int_eq(reply.outcome, OUTCOME_GRANTED);
        unsigned losses = c->losses;
        server_crash(&s);
        client_await(c, &c->losses, losses + 1);
        ck_assert(!arbiter_idle(c->arbiter));
        ck_assert_int_lt(arbiter_send(c->arbiter, &request, 1, CLIENT_LIMIT), 0);
        server_start(&s);
        client_await(c, &c->connects, i + 1);
        request = observe_of(group);
        struct reply seen = client_ask(c, &request);
        ck_assert(nonce_equal(&seen.record.nonce, &reply.record.nonce));
    }
    c = client_close(c);
}

/* What was seen before it may have been taken back by it, as far as anybody can know. */
TEST(a_restart_is_another_life, .times = 4)
{
    const char *group = group_new();

    client_method = _i < 2 ? METHOD_LEASE : METHOD_ADVISORY;
    client_lease = USEC_PER_SEC;
    struct client *leader = client_on(&s, CLIENT_OWNER_A), *other = client_on(&s, CLIENT_OWNER_B);
    struct reply led = client_lead(leader, group);
    struct request request = observe_of(group);
    struct reply seen = client_ask(other, &request);
    leader = client_close(leader);
    client_turn(other, client_lease);
    if (_i % 2)
        server_crash(&s);
    else
        server_stop(&s);
    server_start(&s);
    client_await(other, &other->connects, 2);
    request = claim_of(group, &seen);
    ck_assert_int_eq(client_ask(other, &request).outcome, OUTCOME_DENIED);

    request = observe_of(group);
    struct reply again = client_ask(other, &request);
    ck_assert_uint_ne(again.epoch.started, seen.epoch.started);
    ck_assert_uint_eq(again.epoch.system_id, seen.epoch.system_id);
    ck_assert_uint_eq(again.epoch.timeline, seen.epoch.timeline);
    ck_assert(nonce_equal(&again.record.nonce, &led.record.nonce));
    request = claim_of(group, &again);
    if (client_method == METHOD_ADVISORY) { /* the arbiter itself begins again, too */
        ck_assert_int_eq(client_ask(other, &request).outcome, OUTCOME_DENIED);
        client_wait_out(other);
    }
    ck_assert_int_eq(client_ask(other, &request).outcome, OUTCOME_GRANTED);
    other = client_close(other);
}

/* A session that is killed takes all others with it, and the server recovers from its log: what was
 * granted is in there, whether or not it was written to the disk. So it is the same life. */
TEST(a_session_that_crashes_is_no_restart, .times = 2)
{
    const char *group = group_new();

    client_method = _i ? METHOD_ADVISORY : METHOD_LEASE;
    client_lease = 300 * USEC_PER_MSEC;
    struct client *c = client_on(&s, CLIENT_OWNER_A);
    struct reply led = client_lead(c, group);
    struct request request = renew_of(group, led.record.term);
    led = client_ask(c, &request);
    ck_assert_int_eq(led.outcome, OUTCOME_GRANTED);
    long long pid = server_number(&s, "select pid from pg_stat_activity where usename = 'tenure'");
    ck_assert_int_eq(kill((pid_t)pid, SIGKILL), 0);
    client_await(c, &c->connects, 2);
    request = observe_of(group);
    struct reply seen = client_ask(c, &request);
    ck_assert_uint_eq(seen.epoch.started, led.epoch.started);
    ck_assert(nonce_equal(&seen.record.nonce, &led.record.nonce));
    c = client_close(c);
}

TEST(a_tick_under_way_in_a_crash_is_unknown)
{
    const char *group = group_new();
    struct client *c = client_on(&s, CLIENT_OWNER_A);
    struct reply led = client_lead(c, group);
    PGconn *session = server_session(&s);

    session_do(session, "begin");
    session_do(session, "lock table tenure.lease in access exclusive mode");
    struct request request = renew_of(group, led.record.term);
    unsigned answers = c->answers;
    client_send(c, &request, 1, CLIENT_LIMIT);
    client_turn(c, 200 * USEC_PER_MSEC);
    ck_assert_uint_eq(c->answers, answers);
    server_crash(&s);
    PQfinish(session);
    client_await(c, &c->losses, 1);
    ck_assert_uint_eq(c->answers, answers + 1);
    ck_assert_int_eq(c->replies[0].outcome, OUTCOME_UNKNOWN);
    server_start(&s);
    client_await(c, &c->connects, 2);
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_GRANTED);
    c = client_close(c);
}

/* ---- failover ---- */

static void make_standby(struct server *standby)
{
    char path[SERVER_PATH_MAX + 32];

    (void)snprintf(path, sizeof path, "%s/standby.signal", standby->dir);
    server_run(standby, "/bin/touch", (const char *const[]){"touch", path, NULL});
}

/* The old primary comes back and the new one is gone: nobody is led back in time. */
static void nobody_goes_back(struct client *c, struct server *old, struct server *new,
                             const char *group)
{
    unsigned losses = c->losses, connects = c->connects, answers = c->answers;
    struct request request = observe_of(group);

    server_start(old);
    server_crash(new);
    client_await(c, &c->losses, losses + 1);
    client_await(c, &c->connects, connects + 1);
    losses = c->losses;
    client_send(c, &request, 1, CLIENT_LIMIT);
    client_await(c, &c->losses, losses + 1);
    ck_assert_uint_eq(c->answers, answers + 1);
    ck_assert_int_eq(c->replies[0].outcome, OUTCOME_UNKNOWN);
    ck_assert(!c->replies[0].has_record);
    ck_assert_ptr_nonnull(strstr(c->lost, "timeline 1"));
    client_await(c, &c->connects, connects + 2);
    losses = c->losses;
    client_send(c, &request, 1, CLIENT_LIMIT);
    client_await(c, &c->losses, losses + 1);
    ck_assert_uint_eq(c->alarms, 1); /* and not with each attempt */

    server_crash(old);
    server_start(new);
    connects = c->connects;
    client_await(c, &c->connects, connects + 1);
}

TEST(a_failover_makes_a_new_history)
{
    const char *clean_group = group_new(), *led_group = group_new();
    struct server old, new;

    struct client *c = client_on(&s, CLIENT_OWNER_A);
    struct reply clean = client_lead(c, clean_group), led = client_lead(c, led_group);
    struct request request = release_of(clean_group, clean.record.term, &clean.record.nonce);
    ck_assert(client_ask(c, &request).record.claimable);
    c = client_close(c);

    server_stop(&s);
    server_copy(&s, &old);
    server_copy(&s, &new);
    make_standby(&new);
    server_start(&new);

    /* A standby is no server to work with; after its promotion it is. */
    c = client_new();
    client_use(c, false, CLIENT_OWNER_B,
               "host=127.0.0.1,127.0.0.1 port=%d,%d dbname=postgres user=tenure", new.port,
               old.port);
    client_await(c, &c->losses, 1);
    ck_assert_ptr_nonnull(strstr(c->lost, "standby"));
    server_do(&new, "select pg_promote()");
    client_await(c, &c->connects, 1);

    /* Terms of the new history are above all of the old, and clean does not count any more. */
    request = observe_of(clean_group);
    struct reply seen = client_ask(c, &request);
    ck_assert_uint_eq(seen.epoch.timeline, 2);
    ck_assert_uint_eq(seen.epoch.system_id, clean.epoch.system_id);
    ck_assert(seen.record.clean);
    ck_assert(!seen.record.claimable);
    request = claim_of(clean_group, &seen);
    request.rests_on_clean = true;
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_DENIED);
    request = claim_of(led_group, &led); /* as seen before the failover */
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_DENIED);
    request.epoch = seen.epoch;
    struct reply claimed = client_ask(c, &request);
    ck_assert_int_eq(claimed.outcome, OUTCOME_GRANTED);
    ck_assert_uint_gt(claimed.record.term, UINT64_C(2) << 32);

    nobody_goes_back(c, &old, &new, led_group);
    request = renew_of(led_group, claimed.record.term);
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_GRANTED);
    c = client_close(c);
    server_crash(&new);
}

TEST(another_server_is_an_alarm)
{
    const char *group = group_new();
    struct server other;
    struct client *c = client_new();
    struct request request = observe_of(group);

    server_make(&other, true);
    server_start(&other);
    client_use(c, false, CLIENT_OWNER_A,
               "host=127.0.0.1,127.0.0.1 port=%d,%d dbname=postgres user=tenure", s.port,
               other.port);
    client_await(c, &c->connects, 1);
    struct reply before = client_ask(c, &request);
    ck_assert_int_eq(before.outcome, OUTCOME_GRANTED);
    server_crash(&s);
    client_await(c, &c->connects, 2);
    unsigned losses = c->losses;
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_UNKNOWN);
    client_await(c, &c->losses, losses + 1);
    ck_assert_ptr_nonnull(strstr(c->lost, "another database server answers"));
    ck_assert_uint_eq(c->alarms, 1);
    /* And goes on with the new one. */
    client_await(c, &c->connects, 3);
    struct reply after = client_ask(c, &request);
    ck_assert_int_eq(after.outcome, OUTCOME_GRANTED);
    ck_assert_uint_ne(after.epoch.system_id, before.epoch.system_id);
    c = client_close(c);
    server_crash(&other);
}
