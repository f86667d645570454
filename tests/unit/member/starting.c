/* SPDX-License-Identifier: Apache-2.0 */
/* From the ticket until the keeper is active. */
#include "fixture.h"

#include <errno.h>

TEST_CASE(starting, .set_up = set_up);

TEST(leads_when_the_keeper_is_active)
{
    usec_t t0 = starting();

    started(0);
    ck_assert(does(ACTION_POLL));
    keeper_lives(f.m.term.number);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_int_eq(f.u.note, NOTE_LEADING);
    ck_assert(member_leads(&f.m));
    ck_assert_uint_eq(member_due(&f.m), t0 + P);
    ck_assert_uint_eq(member_wake(&f.m), t0 + D);
}

/* The keeper may be active before PID 1's answer to StartUnit is read. */
TEST(leads_without_the_answer_of_start_unit)
{
    starting();
    keeper_lives(f.m.term.number);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    started(-EEXIST);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
}

TEST(keeper_of_another_term_is_not_the_one_that_was_started)
{
    starting();
    keeper_lives(f.m.term.number + 1);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    keeper_lives(f.m.term.number);
    f.host.keeper = KEEPER_BUSY;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
}

/* What was asked before the ticket was out says nothing about it. */
TEST(look_from_before_the_ticket, .times = 2)
{
    starting();
    keeper_lives(f.m.term.number);
    f.now += 10 * MSEC;
    look_asked_at(f.m.since + (usec_t)_i);
    ck_assert_int_eq(f.m.state, _i ? MEMBER_LEADING : MEMBER_STARTING);
}

TEST(keeper_that_did_not_come_up)
{
    usec_t yes;

    starting();
    f.now += 10 * MSEC;
    look(); /* gone, but PID 1 has not said yet that it took the job */
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    f.now += 10 * MSEC;
    yes = f.now;
    started(0);
    f.now += 10 * MSEC;
    look_asked_at(yes);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    f.host.keeper = KEEPER_BUSY;
    look_asked_at(yes + 1);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    f.host.keeper = KEEPER_GONE;
    look_asked_at(yes + 1);
    assert_ends(REASON_START_FAILED);
}

TEST(start_refused)
{
    starting();
    started(-EACCES);
    assert_ends(REASON_START_FAILED);
    ck_assert(f.m.term.release);
}

/* No answer is no refusal: PID 1 may have the job. What it says two seconds later decides. */
TEST(start_not_answered, .times = 2)
{
    usec_t t0 = starting(), gave_up;

    f.now += SEC;
    gave_up = f.now;
    started(-ETIMEDOUT);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(f.u.actions, ACTION_POLL);
    f.now = gave_up + 2 * SEC;
    look_asked_at(f.now);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(member_wake(&f.m), f.now + 1);
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, 0);
    f.now++;
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, ACTION_POLL); /* once */
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(member_wake(&f.m), t0 + D);
    if (_i == 1) {
        keeper_lives(f.m.term.number);
        look_asked_at(f.now);
        ck_assert_int_eq(f.m.state, MEMBER_LEADING);
        return;
    }
    look_asked_at(f.now);
    assert_ends(REASON_START_FAILED);
}

/* PID 1 says nothing at all: the deadline decides. */
TEST(start_never_answered, .times = 2)
{
    usec_t t0 = starting();

    f.host.keeper = KEEPER_UNKNOWN;
    started(_i == 0 ? 0 : -ETIMEDOUT);
    look();
    if (_i == 1) {
        f.now = member_wake(&f.m);
        event(EVENT_CLOCK);
    }
    f.now = t0 + D - 1;
    look_asked_at(f.now);
    event(EVENT_CLOCK);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(f.u.actions, 0);
    f.now++;
    event(EVENT_CLOCK);
    assert_ends(REASON_START_FAILED);
}

/* PID 1 was not even asked: no start has failed, and nobody waits longer for it. */
TEST(start_not_asked)
{
    starting();
    started(-EAGAIN);
    assert_ends(REASON_HOST_NOT_READY);
    ck_assert_uint_eq(f.m.failed_starts, 0);
    ck_assert(f.m.term.release);
}

/* The bus broke, with the call or its answer: PID 1's own word on what became of it counts. */
TEST(start_lost_with_the_bus, .times = 2)
{
    starting();
    f.now += SEC;
    started(-ECONNRESET);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(f.u.actions, ACTION_POLL);
    if (_i == 0) {
        look();
        assert_ends(REASON_START_FAILED);
        return;
    }
    look_asked_at(f.now); /* asked when it broke */
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    f.host.keeper = KEEPER_BUSY;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    keeper_lives(f.m.term.number);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
}

/* No second ticket, no renewal and no claim while the first is out. */
TEST(asks_nothing_while_starting)
{
    starting();
    event(EVENT_CONNECTED);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    event(EVENT_HINT);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    ask();
    ck_assert_uint_eq(f.u.actions, 0);
    event(EVENT_STOP);
    assert_ends(REASON_STOPPED);
}

static void fail_to_start(void)
{
    starting();
    started(-EACCES);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
}

/* 2 L, 4 L, … until ten minutes. */
TEST(failed_starts_back_off)
{
    for (unsigned n = 1; n <= 40; n++) {
        usec_t wait = n >= 6 ? 600 * SEC : L << n;

        fail_to_start();
        ck_assert_uint_eq(f.m.not_before, f.now + wait);
        f.now += wait;
    }
    f.now -= 200 * MSEC;
    look();
    first_seen();
    ck_assert_uint_eq(member_due(&f.m), f.m.not_before);
    f.now = f.m.not_before - 1;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_uint_eq(f.m.failed_starts, 40);
    event(EVENT_CONNECTED);
    leading();
    ck_assert_uint_eq(f.m.failed_starts, 0);
    event(EVENT_STOP);
    proven_dead();
    ask();
    grant();
    ck_assert_uint_eq(f.m.not_before, f.now + 300 * MSEC);
}
