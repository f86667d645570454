/* SPDX-License-Identifier: Apache-2.0 */
/* The method advisory: locks, the quarantine, sessions that end. */
#include "postgresql.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arbiter/advisory.h"
#include "base/clock.h"
#include "proxy.h"
#include "support/text.h"

#define LEASE (300 * USEC_PER_MSEC)
#define LONGER (2 * LEASE)

static void open_both_advisory(void)
{
    client_method = METHOD_ADVISORY;
    client_lease = LEASE;
    open_both();
}

static struct reply observe(struct client *c, const char *group)
{
    struct request request = observe_of(group);
    struct reply reply = client_ask(c, &request);

    ck_assert_int_eq(reply.outcome, OUTCOME_GRANTED);
    return reply;
}

static enum outcome ask(struct client *c, struct request request)
{
    return client_ask(c, &request).outcome;
}

/* How many sessions hold the group's lock, by a query of its own to pg_locks. */
static long long locks_on(const struct server *s, const char *group)
{
    return server_number(
        s,
        "select count(*) from pg_locks where locktype = 'advisory' and granted and "
        "(classid::bigint << 32) | objid::bigint = tenure.lock_key('%s')",
        group);
}

static long long locks(const char *group)
{
    return locks_on(&shared, group);
}

static void await_unlocked(const char *group)
{
    char statement[256];

    (void)snprintf(statement, sizeof statement,
                   "select (count(*) = 0)::integer from pg_locks where locktype = 'advisory' and "
                   "(classid::bigint << 32) | objid::bigint = tenure.lock_key('%s')",
                   group);
    server_await(&shared, "the lock is free", statement);
}

/* Of the session with this much of an application_name: agents that hold locks have their instance
 * there. */
static void terminate(const struct server *s, const char *owner)
{
    ck_assert_int_eq(server_number(s,
                                   "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                                   "where application_name = 'tenured/%s'",
                                   strchr(owner, '/') + 1),
                     1);
}

TEST_CASE(advisory, .set_up = open_both_advisory, .tear_down = close_both, .time_limit = 60);

/* ---- the lock ---- */

TEST(a_session_excludes_others)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);

    ck_assert_int_eq(locks(group), 1);
    (void)observe(b, group);
    client_turn(b, LONGER);
    /* Seen unchanged for long enough, but the leader's session lives. */
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ask(b, claim_of(group, &led)), OUTCOME_DENIED);
        ASSERT_CONTAINS(b->held_up, "the group's advisory lock, which process ");
        ASSERT_CONTAINS(b->held_up, strchr(CLIENT_OWNER_A, '/') + 1);
    }
    ck_assert_int_eq(locks(group), 1);
    ck_assert_int_eq(ask(a, renew_of(group, led.record.term)), OUTCOME_GRANTED);
}

TEST(locks_do_not_stack)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);

    for (int i = 0; i < 300; i++) {
        struct request renew = renew_of(group, led.record.term);

        led = client_ask(a, &renew);
        ck_assert_int_eq(led.outcome, OUTCOME_GRANTED);
    }
    ck_assert_int_eq(locks(group), 1);
    ck_assert_int_eq(ask(a, release_of(group, led.record.term, &led.record.nonce)),
                     OUTCOME_GRANTED);
    ck_assert_int_eq(locks(group), 0);
}

TEST(keys_are_64_bits_of_a_hash)
{
    /* Fixed for good: agents of several versions must mean the same lock. */
    ck_assert_int_eq(server_number(&shared, "select tenure.lock_key('billing')"),
                     INT64_C(3906319064833043502));
    ck_assert_int_eq(server_number(&shared, "select count(distinct tenure.lock_key('g' || i)) from "
                                            "generate_series(1, 100000) i"),
                     100000);
}

TEST(two_names_with_one_key_are_never_one_group)
{
    struct server s;
    const char *first = group_new(), *second = group_new();

    server_make(&s, false);
    server_start(&s);
    server_do(&s, "create or replace function tenure.lock_key(p_grp text) returns bigint language "
                  "sql immutable as 'select 7::bigint'");
    struct client *c = client_on(&s, CLIENT_OWNER_A);
    struct reply led = client_lead(c, first);
    const struct request requests[] = {renew_of(first, led.record.term), observe_of(second)};
    unsigned answers = c->answers;
    client_send(c, requests, 2, CLIENT_LIMIT);
    client_await(c, &c->answers, answers + 1);
    ck_assert_int_eq(c->replies[0].outcome, OUTCOME_GRANTED);
    ck_assert_int_eq(c->replies[1].outcome, OUTCOME_UNKNOWN);
    c = client_close(c);
    server_crash(&s);
}

TEST(a_stranger_with_the_lock_is_left_alone)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);
    PGconn *session = server_session(&shared);
    char statement[256];

    (void)snprintf(statement, sizeof statement, "select pg_advisory_lock(tenure.lock_key('%s'))",
                   group);
    terminate(&shared, CLIENT_OWNER_A);
    session_do(session, statement);
    client_await(a, &a->connects, 2);
    /* The row is still ours, so nobody leads: not denied, but not ours to go on either. */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ask(a, renew_of(group, led.record.term)), OUTCOME_UNKNOWN);
    ck_assert_int_eq(PQstatus(session), CONNECTION_OK);
    session_do(session, "select 1");
    PQfinish(session);
    await_unlocked(group);
    ck_assert_int_eq(ask(a, renew_of(group, led.record.term)), OUTCOME_GRANTED);
}

/* ---- the quarantine ---- */

/* The client got to know the row at some moment between these two. */
struct learned {
    usec_t from, to;
};

static struct reply learn(struct client *c, const char *group, struct learned *ret)
{
    ret->from = clock_boottime();
    struct reply seen = observe(c, group);
    ret->to = clock_boottime();
    return seen;
}

/* Claims again and again: not granted before the client has known the row for `lease`, and granted
 * from then on. Nothing is locked before. */
static void quarantine_lasts(struct client *c, struct request claim, struct learned learned,
                             usec_t lease)
{
    for (;;) {
        usec_t asked = clock_boottime();
        enum outcome outcome = ask(c, claim);

        if (outcome == OUTCOME_GRANTED) {
            ck_assert_uint_ge(clock_boottime() - learned.from, lease);
            return;
        }
        ck_assert_int_eq(outcome, OUTCOME_DENIED);
        ck_assert_uint_lt(asked - learned.to, lease);
        ck_assert_int_eq(locks(claim.group), 0);
        client_turn(c, 5 * USEC_PER_MSEC);
    }
}

TEST(the_quarantine_is_the_rows_lease_or_the_longer_own)
{
    for (int own_is_longer = 0; own_is_longer < 2; own_is_longer++) {
        const char *group = group_new();

        client_lease = own_is_longer ? LEASE : LONGER;
        (void)client_lead(a, group);
        a = client_close(a);
        await_unlocked(group);
        client_lease = own_is_longer ? LONGER : LEASE;
        struct learned learned;
        struct reply seen = learn(b, group, &learned);
        quarantine_lasts(b, claim_of(group, &seen), learned, LONGER);
        a = client_on(&shared, CLIENT_OWNER_A);
    }
}

TEST(a_new_group_has_a_quarantine_too)
{
    const char *group = group_new();
    struct learned learned;
    struct reply seen = learn(b, group, &learned);

    quarantine_lasts(b, claim_of(group, &seen), learned, LEASE);
}

TEST(a_renewal_restarts_the_quarantine)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group), seen = observe(b, group);

    client_turn(b, LEASE * 3 / 4);
    ck_assert_int_eq(ask(a, renew_of(group, led.record.term)), OUTCOME_GRANTED);
    a = client_close(a);
    await_unlocked(group);
    client_turn(b, LEASE / 2);
    /* The row is read with the reply to a claim, too. */
    struct learned learned = {.from = clock_boottime()};
    ck_assert_int_eq(ask(b, claim_of(group, &seen)), OUTCOME_DENIED); /* not what stands there */
    learned.to = clock_boottime();
    seen = observe(b, group);
    quarantine_lasts(b, claim_of(group, &seen), learned, LEASE);
    a = client_on(&shared, CLIENT_OWNER_A);
}

/* For longer than half the lease it was not observed. */
TEST(a_gap_between_sessions_restarts_the_quarantine)
{
    const char *group = group_new();

    (void)client_lead(a, group);
    a = client_close(a);
    struct reply seen = observe(b, group);
    client_turn(b, LEASE * 3 / 4);
    server_do(&shared,
              "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tenure'");
    client_await(b, &b->connects, 2);
    struct learned learned = {.from = clock_boottime()};
    /* Without a request there is no observation. */
    ck_assert_int_eq(ask(b, claim_of(group, &seen)), OUTCOME_DENIED);
    learned.to = clock_boottime();
    quarantine_lasts(b, claim_of(group, &seen), learned, LEASE);
    a = client_on(&shared, CLIENT_OWNER_A);
}

TEST(the_quarantine_counts_on_in_new_sessions)
{
    const char *group = group_new();
    struct learned learned;
    unsigned sessions = 1;

    client_lease = 2 * USEC_PER_SEC;
    (void)client_lead(a, group);
    a = client_close(a);
    struct reply seen = learn(b, group, &learned);
    for (;;) {
        usec_t asked = clock_boottime();
        enum outcome outcome = ask(b, claim_of(group, &seen));

        if (outcome == OUTCOME_GRANTED)
            break;
        ck_assert_int_eq(outcome, OUTCOME_DENIED);
        ck_assert_uint_lt(asked - learned.to, client_lease);
        server_do(&shared, "select pg_terminate_backend(pid) from pg_stat_activity where usename = "
                           "'tenure'");
        client_await(b, &b->connects, ++sessions);
    }
    ck_assert_uint_ge(clock_boottime() - learned.from, client_lease);
    ck_assert_uint_ge(sessions, 5);
    a = client_on(&shared, CLIENT_OWNER_A);
}

TEST(a_clean_row_has_no_quarantine)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);

    ck_assert_int_eq(ask(a, release_of(group, led.record.term, &led.record.nonce)),
                     OUTCOME_GRANTED);
    struct reply seen = observe(b, group);
    ck_assert(seen.record.claimable);
    ck_assert_int_eq(ask(b, claim_of(group, &seen)), OUTCOME_GRANTED);

    /* But of another history it has. */
    group = group_new();
    led = client_lead(a, group);
    ck_assert_int_eq(ask(a, release_of(group, led.record.term, &led.record.nonce)),
                     OUTCOME_GRANTED);
    server_do(&shared, "update tenure.lease set timeline = timeline + 1 where grp = '%s'", group);
    seen = observe(b, group);
    ck_assert(!seen.record.claimable);
    ck_assert_int_eq(ask(b, claim_of(group, &seen)), OUTCOME_DENIED);
    client_turn(b, LEASE);
    ck_assert_int_eq(ask(b, claim_of(group, &seen)), OUTCOME_GRANTED);
}

TEST(a_release_without_the_lock_is_a_release)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);

    /* The session is lost while the units are stopped. That they are dead is still true. */
    terminate(&shared, CLIENT_OWNER_A);
    client_await(a, &a->connects, 2);
    ck_assert_int_eq(ask(a, release_of(group, led.record.term, &led.record.nonce)),
                     OUTCOME_GRANTED);
    ck_assert_int_eq(locks(group), 0);
    struct reply seen = observe(b, group);
    ck_assert_int_eq(ask(b, claim_of(group, &seen)), OUTCOME_GRANTED);
}

TEST(an_earlier_session_of_the_agent_is_ended)
{
    const char *led = group_new(), *clean = group_new();

    client_lease = USEC_PER_SEC;
    struct reply first = observe(a, led), second = observe(a, clean);
    client_wait_out(a);
    struct request claims[] = {claim_of(led, &first), claim_of(clean, &second)};
    first = client_ask(a, &claims[0]);
    second = client_ask(a, &claims[1]);
    struct client *again = client_on(&shared, CLIENT_OWNER_A);

    /* For the server the old session is in the best of health. */
    struct request request = renew_of(led, first.record.term);
    usec_t begin = clock_boottime();
    ck_assert_int_eq(ask(again, request), OUTCOME_UNKNOWN);
    await_unlocked(led);
    await_unlocked(clean);
    ck_assert_uint_lt(clock_boottime() - begin, ADVISORY_BOUND_MIN_USEC / 2); /* not by itself */
    ck_assert_int_eq(ask(again, request), OUTCOME_GRANTED);

    /* Nor does it keep others from what is given back. */
    terminate(&shared, CLIENT_OWNER_A);
    client_await(a, &a->connects, 2);
    ck_assert_int_eq(ask(a, renew_of(clean, second.record.term)), OUTCOME_GRANTED);
    again = client_close(again);
    again = client_on(&shared, CLIENT_OWNER_A);
    struct reply seen = observe(again, clean);
    ck_assert_int_eq(ask(again, release_of(clean, second.record.term, &seen.record.nonce)),
                     OUTCOME_GRANTED);
    await_unlocked(clean);
    ck_assert_int_eq(ask(b, claim_of(clean, &seen)), OUTCOME_GRANTED);
    again = client_close(again);
}

/* ---- the other method ---- */

TEST(a_row_of_the_other_method_must_be_clean)
{
    const char *group = group_new();

    client_method = METHOD_LEASE;
    struct reply led = client_lead(a, group);
    client_method = METHOD_ADVISORY;
    (void)observe(b, group);
    client_turn(b, LONGER);
    ck_assert_int_eq(ask(b, claim_of(group, &led)), OUTCOME_DENIED);
    ck_assert_int_eq(locks(group), 0);
    /* Nor does the owner itself go on by another method than it began with. */
    ck_assert_int_eq(ask(a, renew_of(group, led.record.term)), OUTCOME_DENIED);
    ck_assert_int_eq(ask(a, release_of(group, led.record.term, &led.record.nonce)),
                     OUTCOME_GRANTED);
    struct reply seen = observe(b, group);
    ck_assert_int_eq(ask(b, claim_of(group, &seen)), OUTCOME_GRANTED);

    client_method = METHOD_LEASE;
    seen = observe(a, group);
    ck_assert_int_eq(ask(a, claim_of(group, &seen)), OUTCOME_DENIED);
}

TEST(a_lock_goes_with_its_row)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);

    server_do(&shared, "update tenure.lease set owner = '%s', term = term + 1 where grp = '%s'",
              CLIENT_OWNER_B, group);
    ck_assert_int_eq(locks(group), 1);
    ck_assert_int_eq(ask(a, renew_of(group, led.record.term)), OUTCOME_DENIED);
    ck_assert_int_eq(locks(group), 0);
}

TEST(the_lock_of_a_term_that_is_over_is_let_go)
{
    const char *stuck = group_new(), *other = group_new();
    struct reply led = client_lead(a, other);

    (void)client_lead(a, stuck);
    /* Neither renewed nor released: its units do not die. The session is kept busy by another. */
    usec_t until = clock_boottime() + LEASE + 50 * USEC_PER_MSEC;
    while (clock_boottime() < until) {
        ck_assert_int_eq(locks(stuck), 1);
        ck_assert_int_eq(ask(a, renew_of(other, led.record.term)), OUTCOME_GRANTED);
        client_turn(a, 100 * USEC_PER_MSEC);
    }
    ck_assert_int_eq(ask(a, renew_of(other, led.record.term)), OUTCOME_GRANTED);
    ck_assert_int_eq(locks(stuck), 0);
    ck_assert_int_eq(locks(other), 1);
}

/* ---- sessions that end ---- */

TEST(a_killed_session_is_replaced)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);

    for (unsigned i = 1; i <= 3; i++) {
        terminate(&shared, CLIENT_OWNER_A);
        client_await(a, &a->losses, i);
        client_await(a, &a->connects, i + 1);
        ck_assert_int_eq(locks(group), 0);
        ck_assert_int_eq(ask(a, renew_of(group, led.record.term)), OUTCOME_GRANTED);
        ck_assert_int_eq(locks(group), 1);
    }
}

TEST(a_restarted_server_changes_nothing)
{
    struct server s;
    const char *group = group_new();

    server_make(&s, false);
    server_start(&s);
    struct client *leader = client_on(&s, CLIENT_OWNER_A), *other = client_on(&s, CLIENT_OWNER_B);
    struct reply led = client_lead(leader, group);
    (void)observe(other, group);
    client_turn(other, LEASE);
    for (int clean = 0; clean < 2; clean++) {
        unsigned connects = leader->connects, others = other->connects;

        if (clean)
            server_stop(&s);
        else
            server_crash(&s);
        server_start(&s);
        client_await(other, &other->connects, others + 1);
        /* All locks are free, and it comes first. */
        ck_assert_int_eq(ask(other, claim_of(group, &led)), OUTCOME_DENIED);
        client_await(leader, &leader->connects, connects + 1);
        struct request renew = renew_of(group, led.record.term);
        led = client_ask(leader, &renew);
        ck_assert_int_eq(led.outcome, OUTCOME_GRANTED);
        client_turn(other, LEASE);
        ck_assert_int_eq(ask(other, claim_of(group, &led)), OUTCOME_DENIED);
        ck_assert_int_eq(locks_on(&s, group), 1);
    }
    leader = client_close(leader);
    other = client_close(other);
    server_crash(&s);
}

/* How long the lock outlives what happens now. */
static usec_t freed_after(const char *group)
{
    usec_t begin = clock_boottime();

    ck_assert_int_eq(locks(group), 1);
    while (locks(group) > 0) {
        ck_assert_uint_lt(clock_boottime() - begin, 20 * USEC_PER_SEC);
        (void)usleep(10000);
    }
    return clock_boottime() - begin;
}

TEST(a_stopped_client_does_not_keep_its_lock)
{
    const char *group = group_new();

    client_lease = 4 * USEC_PER_SEC;
    (void)client_lead(a, group);
    /* Its kernel answers, it does not: nobody turns its loop. */
    usec_t took = freed_after(group);
    ck_assert_uint_ge(took, 3 * USEC_PER_SEC);
    ck_assert_uint_lt(took, client_lease + 200 * USEC_PER_MSEC); /* our own query is slow */
    client_await(a, &a->losses, 1);
    ck_assert_ptr_nonnull(strstr(a->lost, "idle"));
}

TEST(a_client_that_was_cut_off_does_not_keep_its_lock)
{
    const char *group = group_new();
    struct proxy *proxy = proxy_start(shared.port);
    struct client *c = client_at(proxy->port, CLIENT_OWNER_A);

    (void)client_lead(c, group);
    atomic_store(&proxy->silent, true);
    ck_assert_uint_lt(freed_after(group), ADVISORY_BOUND_MIN_USEC + USEC_PER_SEC);
    /* By the limits of the other session nothing changed here. */
    c = client_close(c);
    proxy_stop(proxy);
}

TEST(a_session_without_locks_has_no_limit)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);

    ck_assert_int_eq(ask(a, release_of(group, led.record.term, &led.record.nonce)),
                     OUTCOME_GRANTED);
    (void)observe(a, group);
    (void)observe(b, group);
    client_turn(a, ADVISORY_BOUND_MIN_USEC + USEC_PER_SEC / 2);
    ck_assert_uint_eq(a->losses, 0);
    client_turn(b, 10 * USEC_PER_MSEC);
    ck_assert_uint_eq(b->losses, 0);
}

/* ---- where it does not belong ---- */

TEST(a_pooler_is_refused_with_the_reason)
{
    const char *group = group_new(), *by_lease = group_new();
    struct reply led = client_lead(a, group);
    struct proxy *proxy = proxy_start(shared.port);

    atomic_store(&proxy->foreign, true);
    struct client *c = client_at(proxy->port, CLIENT_OWNER_A);
    ck_assert_ptr_null(arbiter_obstacle(c->arbiter, METHOD_LEASE));
    ck_assert_ptr_nonnull(arbiter_obstacle(c->arbiter, METHOD_ADVISORY));
    ck_assert_ptr_nonnull(strstr(arbiter_obstacle(c->arbiter, METHOD_ADVISORY), "pooler"));
    ck_assert_ptr_null(arbiter_obstacle(a->arbiter, METHOD_ADVISORY));
    ck_assert_uint_eq(c->notices, 0);

    ck_assert_int_eq(ask(c, renew_of(group, led.record.term)), OUTCOME_UNKNOWN);
    const char *other = group_new();
    struct reply seen = observe(c, other);
    client_turn(c, LEASE);
    ck_assert_int_eq(ask(c, claim_of(other, &seen)), OUTCOME_UNKNOWN);
    ck_assert_int_eq(locks(other), 0);
    ck_assert_uint_eq(c->notices, 1);
    ck_assert_ptr_nonnull(strstr(c->notice, "pooler"));

    client_method = METHOD_LEASE; /* which works there */
    led = client_lead(c, by_lease);
    ck_assert_int_eq(ask(c, renew_of(by_lease, led.record.term)), OUTCOME_GRANTED);
    c = client_close(c);
    proxy_stop(proxy);
}

TEST(several_servers_are_warned_of)
{
    char conninfo[CONNINFO_MAX];

    (void)observe(a, group_new());
    ck_assert_uint_eq(a->notices, 0);
    (void)snprintf(conninfo, sizeof conninfo, "host=%s port=%d user=postgres replication=true",
                   shared.dir, shared.port);
    PGconn *standby = PQconnectdb(conninfo);
    ck_assert_int_eq(PQstatus(standby), CONNECTION_OK);

    struct client *c = client_on(&shared, CLIENT_OWNER_A);
    client_method = METHOD_LEASE;
    (void)observe(c, group_new());
    ck_assert_uint_eq(c->notices, 0);
    client_method = METHOD_ADVISORY;
    (void)observe(c, group_new());
    (void)observe(c, group_new());
    ck_assert_uint_eq(c->notices, 1);
    ck_assert_ptr_nonnull(strstr(c->notice, "standbys are connected"));
    c = client_close(c);
    PQfinish(standby);
}

/* ---- one round trip ---- */

#define MANY 500

TEST(both_methods_share_one_round_trip)
{
    static struct request requests[2 * MANY];
    static char names[2 * MANY][GROUP_NAME_MAX + 1];
    static struct reply seen[2 * MANY];
    struct proxy *proxy = proxy_start(shared.port);
    struct client *c = client_at(proxy->port, CLIENT_OWNER_A);

    client_lease = 2 * USEC_PER_SEC;
    for (int round = 0; round < 4; round++) { /* observe, claim, renew, renew */
        for (int i = 0; i < 2 * MANY; i++) {
            client_method = i % 2 ? METHOD_ADVISORY : METHOD_LEASE;
            if (round == 0)
                (void)snprintf(names[i], sizeof names[i], "%s", group_new());
            requests[i] = round == 0   ? observe_of(names[i])
                          : round == 1 ? claim_of(names[i], &seen[i])
                                       : renew_of(names[i], seen[i].record.term);
        }
        unsigned answers = c->answers, turns = atomic_load(&proxy->turns);
        usec_t begin = clock_boottime();
        client_send(c, requests, 2 * MANY, CLIENT_LIMIT);
        client_await(c, &c->answers, answers + 1);
        (void)printf("both methods, %d groups, round %d: %.1f ms\n", 2 * MANY, round,
                     (double)(clock_boottime() - begin) / 1000);
        (void)fflush(stdout);
        ck_assert_uint_eq(atomic_load(&proxy->turns), turns + 1);
        memcpy(seen, c->replies, sizeof seen);
        for (int i = 0; i < 2 * MANY; i++)
            ck_assert_int_eq(seen[i].outcome, OUTCOME_GRANTED);
        client_turn(c, round == 0 ? client_lease : 0);
    }
    ck_assert_uint_eq(arbiter_round_trips(c->arbiter), 4);
    ck_assert_uint_eq(c->losses, 0);
    ck_assert_int_eq(server_number(&shared, "select count(*) from pg_locks where locktype = "
                                            "'advisory'"),
                     MANY);
    c = client_close(c);
    proxy_stop(proxy);
}

/* ---- confirmed dead ---- */

static enum outcome confirm(struct client *c, const char *group, const struct reply *led)
{
    return ask(c, confirm_of(group, led));
}

/* The session of the dead node has the lock, and would keep all others from claiming. */
TEST(confirmed_dead_the_session_ends)
{
    const char *group = group_new(), *other = group_new();
    struct reply led = client_lead(a, group);

    (void)client_lead(b, other);
    ck_assert_int_eq(confirm(b, group, &led), OUTCOME_GRANTED);
    ck_assert_str_eq(b->held_up, "");
    client_await(a, &a->losses, 1);
    await_unlocked(group);
    /* No other session, and none of another group. */
    ck_assert_uint_eq(b->losses, 0);
    ck_assert_int_eq(locks(other), 1);
    client_turn(b, LONGER);
    led = observe(b, group);
    client_turn(b, LONGER);
    ck_assert_int_eq(ask(b, claim_of(group, &led)), OUTCOME_GRANTED);
}

/* A session of another owner leads nothing by that lock: it is named, and stays. */
TEST(confirmed_dead_another_session_is_named)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);
    char expected[128];

    terminate(&shared, CLIENT_OWNER_A);
    await_unlocked(group);
    PGconn *session = server_session(&shared);
    char take[128];
    (void)snprintf(take, sizeof take, "select pg_advisory_lock(tenure.lock_key('%s'))", group);
    session_do(session, take);
    ck_assert_int_eq(confirm(b, group, &led), OUTCOME_GRANTED);
    (void)snprintf(expected, sizeof expected,
                   "process %d of role \"postgres\", application \"test\"", PQbackendPID(session));
    ck_assert_msg(strncmp(b->held_up, expected, strlen(expected)) == 0, "%s", b->held_up);
    ck_assert_int_eq(locks(group), 1);
    PQfinish(session);
}

/* A session of that name, and of a role that this one may not touch. */
TEST(confirmed_dead_without_the_right_to_end_it)
{
    const char *group = group_new();
    struct reply led = client_lead(a, group);

    terminate(&shared, CLIENT_OWNER_A);
    await_unlocked(group);
    PGconn *session = server_session(&shared);
    char take[256];
    (void)snprintf(take, sizeof take,
                   "set application_name = 'tenured/%s'; select "
                   "pg_advisory_lock(tenure.lock_key('%s'))",
                   strchr(CLIENT_OWNER_A, '/') + 1, group);
    session_do(session, take);
    ck_assert_int_eq(confirm(b, group, &led), OUTCOME_GRANTED);
    ck_assert_ptr_nonnull(strstr(b->held_up, "role \"tenure\" may not end it"));
    ck_assert_ptr_nonnull(strstr(b->held_up, "grant pg_signal_backend to \"tenure\""));
    ck_assert_int_eq(locks(group), 1);
    PQfinish(session);
}

/* By the method lease there is no session that matters. */
TEST(confirmed_dead_by_lease_no_session_ends)
{
    const char *group = group_new();

    client_method = METHOD_LEASE;
    struct reply led = client_lead(a, group);
    ck_assert_int_eq(confirm(b, group, &led), OUTCOME_GRANTED);
    client_turn(a, LEASE);
    ck_assert_uint_eq(a->losses, 0);
    struct request renew = renew_knowing(group, led.record.term, &led.record.nonce);
    ck_assert_int_eq(ask(a, renew), OUTCOME_DENIED);
}

/* What the word is for: nobody else is configured with the method of the one who is gone. */
TEST(confirmed_dead_the_other_method_may_follow, .times = 2)
{
    const enum method theirs = _i == 0 ? METHOD_LEASE : METHOD_ADVISORY,
                      ours = _i == 0 ? METHOD_ADVISORY : METHOD_LEASE;
    const char *group = group_new();

    client_method = theirs;
    struct reply led = client_lead(a, group);
    client_method = ours;
    (void)observe(b, group);
    client_turn(b, LONGER);
    ck_assert_int_eq(ask(b, claim_of(group, &led)), OUTCOME_DENIED);
    ck_assert_int_eq(confirm(b, group, &led), OUTCOME_GRANTED);
    ck_assert_str_eq(b->held_up, "");
    await_unlocked(group);
    client_turn(b, LONGER);
    struct reply seen = observe(b, group);
    client_turn(b, LONGER);
    ck_assert_int_eq(ask(b, claim_of(group, &seen)), OUTCOME_GRANTED);
    ck_assert_int_eq(locks(group), ours == METHOD_ADVISORY);
    client_method = theirs;
    if (theirs == METHOD_ADVISORY)
        client_await(a, &a->connects, 2);
    ck_assert_int_eq(ask(a, renew_knowing(group, led.record.term, &led.record.nonce)),
                     OUTCOME_DENIED);
}
