/* SPDX-License-Identifier: Apache-2.0 */
/* What is observed of the record of another, and when that allows a claim. */
#include "fixture.h"

TEST_CASE(observing, .set_up = set_up);

/* Full observation counts from after the reply that first showed the record. */
TEST(claims_after_a_full_lease, .times = 2)
{
    usec_t seen = first_seen();

    observe_until(seen + L - SEC, P);
    look();
    f.now = seen + L - (usec_t)_i;
    ask();
    ck_assert(asks(_i ? OPERATION_OBSERVE : OPERATION_CLAIM));
}

/* … and the member wants to be asked at that very moment. */
TEST(is_due_when_the_lease_has_run_out)
{
    usec_t seen = first_seen();

    observe_until(seen + L - SEC, P);
    ck_assert_uint_eq(member_due(&f.m), seen + L);
}

/* The lease of the record rules, not this node's own. */
TEST(observes_for_the_records_own_lease, .times = 2)
{
    static const usec_t leases[] = {4 * SEC, 40 * SEC};
    usec_t lease = leases[_i], seen;

    f.row.lease = lease;
    seen = first_seen();
    ck_assert_uint_le(member_due(&f.m), f.now + usec_min(lease / 4, P));
    observe_until(seen + lease - SEC / 2, SEC / 2);
    look();
    f.now = seen + lease - 1;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    f.now++;
    answer(OUTCOME_GRANTED);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}

/* What no term can have is no lease: this node's own counts. */
TEST(observes_for_its_own_lease_when_the_record_has_none)
{
    usec_t seen;

    f.row.lease = BUDGET_RENEW_MIN_USEC;
    seen = first_seen();
    observe_until(seen + L - SEC, P);
    look();
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_uint_eq(member_due(&f.m), seen + L);
}

static void change_nothing(void)
{
}
static void change_nonce(void)
{
    f.row.nonce = next_nonce();
}
static void change_term(void)
{
    f.row.term++;
}
static void change_timeline(void)
{
    f.epoch.timeline++;
}
static void change_system(void)
{
    f.epoch.system_id++;
}
static void change_by_a_gap(void)
{
    f.now = f.m.seen.at + L / 2 + 1 - MSEC; /* the reply comes a millisecond later */
}
static void change_by_the_longest_pause(void)
{
    f.now = f.m.seen.at + L / 2 - MSEC;
}
static void change_connection(void)
{
    event(EVENT_CONNECTED);
}
static void change_life_of_the_server(void)
{
    event(EVENT_CONNECTED);
    f.epoch.started++;
}
/* A pooler keeps its clients over a restart. */
static void change_life_behind_a_pooler(void)
{
    f.epoch.started--;
}
static void change_connection_after_a_gap(void)
{
    change_by_a_gap();
    event(EVENT_CONNECTED);
}
static void change_connection_after_the_longest_pause(void)
{
    change_by_the_longest_pause();
    event(EVENT_CONNECTED);
}
static void change_by_an_unfit_question(void)
{
    f.fit = false;
    ask();
    answer(OUTCOME_GRANTED);
    f.fit = true;
}

static const struct {
    void (*change)(void);
    bool starts_again;
} changes[] = {
    {change_nothing, false},
    {change_by_the_longest_pause, false},
    {change_by_a_gap, true},
    {change_nonce, true},
    {change_term, true},
    {change_timeline, true},
    {change_system, true},
    {change_connection, false},
    {change_connection_after_the_longest_pause, false},
    {change_connection_after_a_gap, true},
    {change_life_of_the_server, true},
    {change_life_behind_a_pooler, true},
    {change_by_an_unfit_question, true},
};

TEST(observation_starts_again, EACH(changes))
{
    usec_t seen = first_seen(), again;

    observe_until(seen + 5 * SEC, P);
    f.now += MSEC;
    changes[_i].change();
    look_asked_at(f.now);
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    f.now += MSEC;
    answer(OUTCOME_GRANTED);
    again = changes[_i].starts_again ? f.now : seen;
    observe_until(again + L - 1, P);
    ck_assert_uint_eq(member_due(&f.m), again + L);
    look_asked_at(f.now);
    f.now = again + L;
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}

/* After a gap the lease may have run out on the clock: nobody looked, so it proves nothing. */
TEST(no_claim_after_a_gap, .times = 2)
{
    usec_t seen = first_seen();

    observe_until(seen + L - SEC, P);
    f.now = f.m.seen.at + L / 2 + (usec_t)_i;
    look_asked_at(f.now);
    ask();
    ck_assert(asks(_i ? OPERATION_OBSERVE : OPERATION_CLAIM));
    ck_assert(f.now > seen + L);
}

/* However short they are: a connection that lasts for one question each does. */
TEST(claims_after_a_full_lease_on_many_connections)
{
    usec_t seen = first_seen();

    while (f.now < seen + L - P) {
        event(EVENT_CONNECTED);
        ck_assert_uint_eq(member_due(&f.m), f.now);
        ask();
        ck_assert(asks(OPERATION_OBSERVE));
        f.now += P - MSEC;
        answer(OUTCOME_GRANTED);
        f.now += MSEC;
    }
    f.now = seen + L;
    look_asked_at(f.now);
    event(EVENT_CONNECTED);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(!f.u.request.rests_on_clean);
}

TEST(unknown_reply_is_no_observation)
{
    usec_t seen = first_seen(), last = f.now;

    f.now += P;
    ask();
    f.now += P;
    answer(OUTCOME_UNKNOWN);
    ck_assert_uint_eq(f.m.seen.at, last);
    ck_assert_uint_eq(f.m.seen.since, seen);
    ck_assert(f.m.seen.valid);
    ck_assert_uint_gt(member_due(&f.m), f.now);
}

TEST(reply_without_a_record_is_no_observation)
{
    ask();
    answer_without_record(OUTCOME_GRANTED);
    ck_assert(!f.m.seen.valid);
    ck_assert_uint_gt(member_due(&f.m), f.now);
}

TEST(claims_what_is_clean_at_once)
{
    free_record();
    first_seen();
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(f.u.request.rests_on_clean);
}

/* Clean, but of another history of the arbiter. */
TEST(observes_what_is_clean_but_not_claimable)
{
    usec_t seen;

    f.row.clean = true;
    seen = first_seen();
    observe_until(seen + L - 1, P);
    look_asked_at(f.now);
    f.now = seen + L;
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(!f.u.request.rests_on_clean);
}

TEST(claim_names_what_was_observed)
{
    usec_t seen;

    /* A term of this group that was seen once and lost by a failover is never used again. */
    f.row.term = TERM + 100;
    first_seen();
    f.row.term = TERM;
    f.now += SEC;
    ask();
    answer(OUTCOME_GRANTED);
    seen = f.now;
    observe_until(seen + L - 1, P);
    look_asked_at(f.now);
    f.now = seen + L;
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    const struct request *q = &f.u.request;
    ck_assert_uint_eq(q->expected_term, TERM);
    ck_assert_mem_eq(&q->expected_nonce, &f.row.nonce, sizeof q->expected_nonce);
    ck_assert_mem_ne(&q->fresh_nonce, &f.row.nonce, sizeof q->fresh_nonce);
    ck_assert_uint_eq(q->epoch.system_id, 7);
    ck_assert_uint_eq(q->epoch.timeline, 1);
    ck_assert_uint_eq(q->epoch.started, 100);
    ck_assert_uint_eq(q->term_floor, TERM + 101);
    ck_assert(!q->rests_on_clean);
    ck_assert_uint_eq(q->lease, L);
    ck_assert_uint_eq(q->stop, S);
    ck_assert_uint_eq(q->duration, D);
}

/* ---- how much of it is done ---- */

static void observation_is(usec_t done, usec_t whole)
{
    usec_t d, w;

    member_observation(&f.m, f.now, &d, &w);
    ck_assert_uint_eq(d, done);
    ck_assert_uint_eq(w, whole);
}

TEST(observation_is_reported)
{
    observation_is(0, 0); /* nothing was read yet */
    f.row.lease = 20 * SEC;
    usec_t seen = first_seen();

    observation_is(0, 20 * SEC);
    observe_until(seen + 5 * SEC, P);
    observation_is(f.m.seen.at - seen, 20 * SEC);
    f.now += SEC; /* up to now, not to the last look */
    event(EVENT_CONNECTED);
    observation_is(f.now - seen, 20 * SEC);
    f.now = f.m.seen.at + 10 * SEC;
    observation_is(f.now - seen, 20 * SEC);
    f.now++; /* as the next look will find it: nothing was seen for half of the lease */
    observation_is(0, 20 * SEC);
    f.epoch.started++;
    ask();
    answer(OUTCOME_GRANTED);
    observation_is(0, 20 * SEC);
}

TEST(observation_goes_on_beyond_the_whole)
{
    usec_t seen = first_seen();

    lack(LACK_GUARDS);
    observe_until(seen + 3 * L, P);
    observation_is(f.now - seen, L);
}

/* What status foresees is what it does. */
TEST(when_it_claims_is_foreseen)
{
    ck_assert_uint_eq(member_claims_at(&f.m, f.now), USEC_INFINITY);
    usec_t seen = first_seen();

    ck_assert_uint_eq(member_claims_at(&f.m, f.now), seen + L);
    ck_assert_uint_eq(member_claims_at(&f.m, f.now + L / 2), seen + L);
    ck_assert_uint_eq(member_claims_at(&f.m, f.now + L / 2 + 1), USEC_INFINITY);
    f.m.not_before = seen + 2 * L;
    ck_assert_uint_eq(member_claims_at(&f.m, f.now), seen + 2 * L);
    f.m.not_before = 0;
    observe_until(seen + L - SEC, P);
    ck_assert_uint_eq(member_claims_at(&f.m, f.now), seen + L);
    f.row.claimable = f.row.clean = true;
    ask();
    answer(OUTCOME_GRANTED);
    ck_assert_uint_le(member_claims_at(&f.m, f.now), f.now);
    event(EVENT_STOP);
    ck_assert_uint_eq(member_claims_at(&f.m, f.now), USEC_INFINITY);
}

TEST(observation_by_an_unfit_clock_is_none)
{
    usec_t seen = first_seen();

    observe_until(seen + 5 * SEC, P);
    change_by_an_unfit_question();
    observation_is(0, L);
}

/* What is given back or led here need not be waited for in this way. */
TEST(no_observation_to_wait_for, .times = 2)
{
    if (_i == 0) {
        free_record();
        first_seen();
    } else
        leading();
    observation_is(0, 0);
}

/* What an earlier life left, if it is not given back before. */
TEST(observation_of_its_own_record_is_reported)
{
    own(&f.row, ME);
    f.host.keeper = KEEPER_UNKNOWN;
    look();
    usec_t seen = first_seen();

    observation_is(0, L);
    observe_until(seen + 5 * SEC, P);
    observation_is(f.m.seen.at - seen, L);
}
