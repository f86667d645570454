/* SPDX-License-Identifier: Apache-2.0 */
/* This host's part in a claim and in a stop: what PID 1 says of it. */
#include "fixture.h"

TEST_CASE(host, .set_up = set_up);

TEST(claims_only_when_the_host_is_ready, .times = LACKS)
{
    free_record();
    lack(_i);
    look();
    ck_assert(!member_ready(&f.m, f.now));
    first_seen();
    ck_assert_uint_gt(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_uint_gt(member_due(&f.m), f.now);
    look();
    ck_assert_uint_gt(member_due(&f.m), f.now);

    all_dead(); /* and as soon as it is, the claim is not kept waiting for the next poll */
    look();
    ck_assert(member_ready(&f.m, f.now));
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}

/* PID 1 that does not answer is not ready. */
TEST(claims_on_a_fresh_look_only, .times = 2)
{
    usec_t asked;

    free_record();
    look();
    asked = f.now;
    first_seen();
    f.now = asked + 2 * P + SEC + (usec_t)_i;
    ck_assert_int_eq(member_ready(&f.m, f.now), _i == 0);
    ask();
    ck_assert(asks(_i ? OPERATION_OBSERVE : OPERATION_CLAIM));
    ck_assert(does(ACTION_POLL));
}

TEST(never_ready_without_a_look)
{
    member_init(&f.m, ME);
    resume(L, S);
    ck_assert(!member_ready(&f.m, 1));
}

TEST(waits_for_a_slot)
{
    free_record();
    first_seen();
    f.may_claim = false;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_uint_eq(member_due(&f.m), f.now + 50 * MSEC);
    f.may_claim = true;
    f.now += 50 * MSEC;
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}

TEST(unfit_clock_claims_nothing)
{
    free_record();
    first_seen();
    f.fit = false;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    f.fit = true;
    answer(OUTCOME_GRANTED);
    ck_assert(!f.m.seen.valid);
    f.now = member_due(&f.m);
    ck_assert_uint_gt(f.now, f.m.sent_at + P / 2);
    ck_assert_uint_eq(f.m.not_before, f.m.sent_at + P);
    ask(); /* what the clock that was unfit has seen does not count */
    ck_assert(asks(OPERATION_OBSERVE));
}

TEST(stopped_standby_asks_nothing)
{
    event(EVENT_STOP);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    ck_assert(member_settled(&f.m));
    ck_assert_int_eq(f.m.reason, REASON_STOPPED);
    ask();
    ck_assert_uint_eq(f.u.actions, 0);
    event(EVENT_HINT);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    resume(L, S);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ck_assert_int_eq(f.m.reason, REASON_NONE);
    ck_assert(!member_settled(&f.m));
}

/* Nothing is over before PID 1 has said that nothing runs here. */
TEST(settled_by_the_word_of_pid1, .times = 1 + LACKS)
{
    if (_i == 0) {
        member_init(&f.m, ME);
        resume(L, S);
        event(EVENT_STOP);
        ck_assert_uint_eq(f.u.actions, ACTION_POLL);
        ck_assert(!member_settled(&f.m));
    } else {
        event(EVENT_STOP);
        ck_assert(member_settled(&f.m));
        lack(_i - 1);
        look();
        ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
        ck_assert_int_eq(member_settled(&f.m), _i - 1 == LACK_GUARDS);
        all_dead();
    }
    look();
    ck_assert(member_settled(&f.m));
}

/* Stopped with a question under way: what is answered then must lead to nothing. */
TEST(stopped_while_asking)
{
    ask();
    event(EVENT_STOP);
    ck_assert(!member_settled(&f.m));
    free_record();
    own(&f.row, ME);
    f.row.clean = f.row.claimable = false;
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert(member_settled(&f.m));
}

/* How they stopped is not known yet: nothing of it runs. */
TEST(what_is_dead_is_no_stray)
{
    f.host.open = true;
    look();
    f.now += 2 * SEC;
    look();
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_int_eq(f.u.note, NOTE_NONE);
}

/* Units without a keeper: a job that passes through is left alone for a second. */
TEST(strays_are_stopped, .times = 2)
{
    usec_t began;

    if (_i == 1)
        event(EVENT_STOP);
    if (_i == 0)
        f.host.slice_empty = false;
    else
        f.host.units_dead = false;
    look();
    began = f.now;
    ck_assert_uint_eq(f.u.actions, 0);
    f.now = began + SEC - 2;
    look();
    ck_assert_uint_eq(f.u.actions, 0);
    look();
    ck_assert_uint_eq(f.u.actions, ACTION_STOP_KEEPER);
    ck_assert_int_eq(f.u.note, NOTE_STRAY);
    f.now = began + 2 * SEC - 2;
    look();
    ck_assert_uint_eq(f.u.actions, 0);
    look();
    ck_assert_uint_eq(f.u.actions, ACTION_STOP_KEEPER);
    ck_assert_int_eq(f.u.note, NOTE_NONE); /* said once */
    all_dead();
    look();
    f.now += SEC;
    f.host.units_dead = false;
    look();
    ck_assert_uint_eq(f.u.actions, 0);
    f.now += SEC;
    look();
    ck_assert_int_eq(f.u.note, NOTE_STRAY);
}
