/* SPDX-License-Identifier: Apache-2.0 */
/* Until the death of the units is proven. */
#include "fixture.h"

#include <errno.h>

TEST_CASE(ending, .set_up = set_up);

TEST(keeper_is_asked_again, .times = 2)
{
    usec_t began;

    ending();
    began = f.now;
    ck_assert_uint_eq(member_wake(&f.m), began + 250 * MSEC);
    f.now = began + 250 * MSEC - 1;
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, 0);
    for (usec_t t = 250 * MSEC; t < SEC; t += 250 * MSEC) {
        f.now = began + t;
        event(EVENT_CLOCK);
        ck_assert_uint_eq(f.u.actions, ACTION_END | ACTION_POLL);
        ck_assert_uint_eq(member_wake(&f.m), f.now + 250 * MSEC);
    }
    f.now = began + SEC; /* it does not listen: PID 1 shall stop it */
    if (_i == 1)
        f.host.keeper = KEEPER_BUSY; /* which it is doing already */
    look_asked_at(f.now - 1);
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, (unsigned)(ACTION_END | ACTION_POLL) |
                                       (_i == 1 ? 0u : (unsigned)ACTION_STOP_KEEPER));
}

/* Somebody started a unit in mid-stop: the keeper's start waits for the agent's end. */
TEST(a_start_that_waits_is_dropped)
{
    ending();
    f.host.keeper = KEEPER_BUSY;
    f.host.keeper_queued = true;
    look_asked_at(f.m.since); /* what was asked too early proves nothing */
    ck_assert_uint_eq(f.u.actions, 0);
    f.now += 10 * MSEC;
    look();
    ck_assert_uint_eq(f.u.actions, ACTION_STOP_KEEPER | ACTION_POLL);
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
}

/* … or when the group was given back already, and the agent is about to end. */
TEST(a_start_that_waits_is_dropped_by_a_standby_that_ends)
{
    f.host.keeper = KEEPER_BUSY;
    f.host.keeper_queued = true;
    f.now += 10 * MSEC;
    look();
    ck_assert_uint_eq(f.u.actions, 0); /* it passes by itself */
    event(EVENT_STOP);
    f.now += 10 * MSEC;
    look();
    ck_assert_uint_eq(f.u.actions, ACTION_STOP_KEEPER | ACTION_POLL);
    ck_assert(!member_settled(&f.m));
    f.host.keeper = KEEPER_GONE;
    f.host.keeper_queued = false;
    f.now += 10 * MSEC;
    look();
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert(member_settled(&f.m));
}

/* … or it took the place of that unit's stop. */
TEST(a_stop_that_was_undone_is_done_again)
{
    usec_t began;

    ending();
    began = f.m.since;
    f.host.keeper = KEEPER_BUSY;
    f.host.units_dead = false;
    f.host.units_stay = true;
    f.now = began + 100 * MSEC - 1; /* PID 1 may not have heard from the keeper yet */
    look_asked_at(f.now);
    ck_assert_uint_eq(f.u.actions, 0);
    f.now = began + 100 * MSEC;
    look();
    ck_assert_uint_eq(f.u.actions, ACTION_STOP_KEEPER | ACTION_POLL);
    f.host.units_stay = false;
    look();
    ck_assert_uint_eq(f.u.actions, 0);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
}

/* All three must be dead. (Guards are about starting.) */
TEST(no_proof_while_something_lives, .times = LACKS)
{
    ending();
    f.now += SEC;
    all_dead();
    lack(_i);
    look();
    ck_assert_int_eq(f.m.state, _i != LACK_GUARDS ? MEMBER_ENDING : MEMBER_RELEASING);
}

/* What was asked while the ticket lay there is no proof. */
TEST(no_proof_from_before_the_unlink, .times = 2)
{
    ending();
    all_dead();
    f.now += SEC;
    look_asked_at(f.m.since + (usec_t)_i);
    if (_i == 0) {
        ck_assert_int_eq(f.m.state, MEMBER_ENDING);
        ck_assert_uint_eq(f.u.actions, 0);
        return;
    }
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ck_assert_int_eq(f.u.note, NOTE_DEAD);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ck_assert_uint_eq(member_wake(&f.m), USEC_INFINITY);
}

/* Nothing takes an end back. */
TEST(end_is_for_good)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    event(EVENT_STOP);
    resume(L, S);
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    ck_assert_uint_eq(f.u.actions, 0);
    event(EVENT_CONNECTED);
    event(EVENT_HINT);
    started(0);
    started(-EACCES);
    look();
    event(EVENT_STOP);
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    ck_assert_uint_eq(f.m.failed_starts, 0);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    f.now += 2 * SEC;
    ask();
    ck_assert_uint_eq(f.u.actions, 0);
}
