/* SPDX-License-Identifier: Apache-2.0 */
/* A record that names this node: a claim of unknown outcome, or an earlier life's. */
#include "fixture.h"

TEST_CASE(confirming, .set_up = set_up);

/* Reading is no acknowledgement: only the renewal gives a deadline, counted from its own send. */
TEST(own_claim_is_confirmed_by_a_renewal)
{
    usec_t t0;

    confirming();
    ck_assert_uint_eq(f.u.actions & (unsigned)(ACTION_TICKET | ACTION_EXTEND), 0);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ck_assert_uint_eq(member_wake(&f.m), USEC_INFINITY);
    f.now += SEC;
    look();
    t0 = f.now;
    ask();
    ck_assert(asks(OPERATION_RENEW));
    ck_assert_uint_eq(f.u.request.term, TERM + 1);
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(f.row.nonce));
    ck_assert(does(ACTION_POLL));
    f.now += SEC;
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert(does(ACTION_TICKET));
    ck_assert_uint_eq(f.m.term.deadline, t0 + D);
    ck_assert(!f.m.claim_open);
}

TEST(confirmation_refused)
{
    confirming();
    ask();
    own(&f.row, OTHER);
    f.row.term++;
    answer(OUTCOME_DENIED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.over_term, TERM + 1);
}

TEST(confirmation_unknown)
{
    confirming();
    ask();
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
}

TEST(confirmation_by_an_unfit_clock)
{
    confirming();
    f.fit = false;
    ask();
    ck_assert(!does(ACTION_REQUEST));
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
}

TEST(confirmation_stopped)
{
    confirming();
    look();
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
    event(EVENT_CLOCK);
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
    ck_assert_uint_eq(f.m.term.cover.lease, L);
    ck_assert_uint_eq(f.m.term.stop, S);
    event(EVENT_STOP);
    assert_ends(REASON_STOPPED);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(f.row.nonce));
}

TEST(claim_of_other_nonce_is_not_confirmed)
{
    claiming();
    do_it();
    answer(OUTCOME_UNKNOWN);
    f.row.nonce = next_nonce();
    f.now += 100 * MSEC;
    ask();
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert(!asks(OPERATION_CLAIM));
    observe_until(f.now + STILL, P); /* an earlier life's, or a copy's: it is watched */
    assert_ends(REASON_ORPHAN);
}

/* The next claim is refused, for the last one had been granted after all. */
TEST(claim_of_unknown_outcome_refuses_the_next)
{
    claiming();
    do_it();
    answer(OUTCOME_UNKNOWN);
    f.now = f.m.not_before;
    look();
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    answer(OUTCOME_DENIED);
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
}

/* A failover that lost writes shows our claim again, and not the later term of another. */
TEST(claim_of_an_older_history_is_not_confirmed, .times = 2)
{
    if (_i == 0) {
        claiming();
        do_it();
        answer(OUTCOME_UNKNOWN);
        f.epoch.timeline++;
        f.now += 100 * MSEC;
        ask();
        answer(OUTCOME_GRANTED);
        ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
        observe_until(f.now + STILL, P);
    } else { /* between the look and the renewal */
        confirming();
        f.now += 100 * MSEC;
        look();
        ask();
        f.epoch.timeline++;
        grant();
        ck_assert(!does(ACTION_TICKET));
    }
    assert_ends(REASON_ORPHAN);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(f.row.nonce));
}

/* Nor is what it says there of the nonce: the record may be another's by then. */
TEST(confirmation_in_another_history, .times = 2)
{
    confirming();
    f.now += 100 * MSEC;
    look();
    if (_i == 1)
        (void)unanswered();
    f.now = member_due(&f.m);
    struct nonce claimed = f.row.nonce;
    ask();
    f.epoch.timeline++;
    f.row.nonce = _i == 0 ? next_nonce() : claimed;
    if (_i == 0) {
        answer(OUTCOME_OTHER_NONCE);
        ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
        ck_assert_uint_eq(f.u.actions, 0);
        ck_assert_uint_eq(f.m.over_term, TERM + 1);
        return;
    }
    grant();
    assert_ends(REASON_ORPHAN);
}

/* A server that was merely started again has the same history: what it shows was committed. */
TEST(claim_of_an_earlier_life_is_confirmed)
{
    claiming();
    do_it();
    answer(OUTCOME_UNKNOWN);
    f.epoch.started++;
    event(EVENT_CONNECTED);
    f.now += 100 * MSEC;
    look_asked_at(f.now);
    ask();
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
    ask();
    ck_assert(asks(OPERATION_RENEW));
    grant();
    ck_assert(does(ACTION_TICKET));
}

TEST(claim_of_a_term_that_ended_is_not_confirmed, .times = 2)
{
    releasing();
    ask();
    grant();
    resume(L, S);
    f.now += SEC;
    claiming();
    do_it();
    answer(OUTCOME_UNKNOWN);
    f.row.term = f.m.over_term + (usec_t)_i; /* an arbiter that lost rows */
    f.now += 100 * MSEC;
    ask();
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, _i == 1 ? MEMBER_CONFIRMING : MEMBER_STANDBY);
    if (_i == 0) {
        observe_until(f.now + STILL, P);
        assert_ends(REASON_ORPHAN);
    }
}

/* Ours, and nobody renewed it for its whole lease: like anybody's. */
TEST(own_record_is_claimed_when_its_lease_is_over, .times = 2)
{
    usec_t seen;

    own(&f.row, ME);
    f.host.keeper = KEEPER_UNKNOWN; /* so that it is not given back before */
    look();
    seen = first_seen();
    observe_until(seen + L - 1, P);
    all_dead();
    f.now = seen + L - 1 + (usec_t)_i;
    look_asked_at(f.now);
    ask();
    ck_assert(asks(_i == 0 ? OPERATION_OBSERVE : OPERATION_CLAIM));
    if (_i == 1)
        ck_assert_mem_eq(&f.u.request.expected_nonce, &f.row.nonce, sizeof f.row.nonce);
}

TEST(own_record_that_is_clean_is_claimed_at_once)
{
    own(&f.row, ME);
    free_record();
    ask();
    answer(OUTCOME_GRANTED);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}
