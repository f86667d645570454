/* SPDX-License-Identifier: Apache-2.0 */
/* Guards that got lost: when PID 1 is to read them again, and when the term ends because of them.
 */
#include "fixture.h"

TEST_CASE(healing, .set_up = set_up);

static void guards_are(enum guards_state state)
{
    f.host.guards.state = state;
    f.host.guards.asked_at = f.now + 1;
    look();
}

/* A heal that was asked for a moment ago is over now. */
static void healed(bool answered)
{
    step((struct member_event){
        .type = EVENT_HEALED, .asked_at = f.now - 100 * MSEC, .answered = answered});
}

/* The clock comes when it was asked for. */
static void heal_due_now(usec_t at)
{
    ck_assert_uint_eq(member_wake(&f.m), at);
    f.now = at - 1;
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, 0);
    f.now = at;
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, ACTION_HEAL);
    /* Not another one while that is under way. */
    ck_assert_uint_gt(member_wake(&f.m), f.now);
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, 0);
}

/* The lease is renewed meanwhile. */
static void renew(void)
{
    f.now = usec_max(f.now, member_due(&f.m));
    ask();
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
}

TEST(standby_heals_after_a_while, .times = 2)
{
    guards_are(_i == 0 ? GUARDS_PART : GUARDS_BARE);
    ck_assert_uint_eq(f.u.actions, 0);
    heal_due_now(f.now + 500 * MSEC);
}

TEST(what_passes_by_itself_is_not_healed)
{
    guards_are(GUARDS_PART);
    guards_are(GUARDS_WHOLE);
    ck_assert_uint_eq(member_wake(&f.m), USEC_INFINITY);
    f.now += SEC;
    event(EVENT_CLOCK);
    look();
    ck_assert_uint_eq(f.u.actions, 0);
}

/* Neither what was not asked yet, nor an answer of long ago. */
TEST(unknown_is_not_lost, .times = 3)
{
    if (_i == 2) {
        f.host.guards = (struct guards_seen){.state = GUARDS_BARE, .asked_at = f.now};
        f.now += 10 * SEC + 1;
        look();
    } else {
        if (_i == 1)
            guards_are(GUARDS_BARE);
        guards_are(GUARDS_UNKNOWN);
    }
    ck_assert_uint_eq(member_wake(&f.m), USEC_INFINITY);
    f.now += SEC;
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, 0);
}

TEST(pauses_grow, .times = 2)
{
    usec_t pause = 4 * SEC;

    if (_i == 1) {
        leading();
        renew();
    }
    guards_are(GUARDS_PART);
    heal_due_now(f.now + 500 * MSEC);
    for (int n = 0; n < (_i == 0 ? 12 : 1); n++) {
        f.now += 200 * MSEC;
        healed(n % 3 > 0);
        ck_assert_uint_eq(f.u.actions, ACTION_POLL);
        guards_are(GUARDS_PART);
        ck_assert_uint_eq(f.u.actions, 0);
        heal_due_now(f.now - 1 + pause);
        pause = usec_min(2 * pause, 600 * SEC);
    }
}

/* All was whole for a minute after the last one. */
TEST(pauses_begin_again, .times = 2)
{
    guards_are(GUARDS_PART);
    for (int n = 0; n < 3; n++) {
        f.now = member_wake(&f.m);
        event(EVENT_CLOCK);
        f.now += 200 * MSEC;
        healed(true);
        guards_are(GUARDS_PART);
    }
    f.now += 60 * SEC - 3 + (usec_t)_i;
    guards_are(GUARDS_WHOLE);
    guards_are(GUARDS_PART);
    heal_due_now(f.now + 500 * MSEC);
    f.now += 200 * MSEC;
    healed(true);
    guards_are(GUARDS_PART);
    ck_assert_uint_eq(member_wake(&f.m), f.now - 1 + (_i == 0 ? 32 * SEC : 4 * SEC));
}

/* Another group's heal: what is not known to be lost here waits for a moment, no longer. */
TEST(heals_are_shared)
{
    healed(true);
    guards_are(GUARDS_PART);
    heal_due_now(f.now - 1 + 4 * SEC);
}

/* Not beside an apply, nor while a term begins. */
TEST(not_in_between, .times = 3)
{
    if (_i == 0)
        event(EVENT_STOP);
    else if (_i == 1)
        starting();
    else
        confirming();
    guards_are(GUARDS_BARE);
    f.now += SEC;
    event(EVENT_CLOCK);
    ck_assert(!does(ACTION_HEAL));
}

/* A leader's unit is unguarded. The lease is renewed all the time. */
static void bare_leader(void)
{
    leading();
    renew();
    guards_are(GUARDS_BARE);
}

static void heal_in_vain(void)
{
    f.now = f.m.heal.not_before;
    event(EVENT_CLOCK);
    ck_assert(does(ACTION_HEAL));
    f.now += 200 * MSEC;
    healed(true);
}

TEST(two_heals_in_vain_end_the_term)
{
    bare_leader();
    heal_in_vain();
    guards_are(GUARDS_BARE);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    renew();
    heal_in_vain();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    /* What was found before it was over says nothing. */
    f.host.guards.asked_at = f.now;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    guards_are(GUARDS_BARE);
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    ck_assert_int_eq(f.m.reason, REASON_UNGUARDED);
    ck_assert_uint_eq(f.u.actions, ACTION_UNLINK | ACTION_END | ACTION_POLL | ACTION_STOP_KEEPER);
    /* Planned: it is given back. */
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
}

enum interruption {
    BACK,      /* in between all is whole */
    PART,      /* or one copy is back */
    UNKNOWN,   /* PID 1 does not say what came of it */
    NO_ANSWER, /* nor whether it was done */
    INTERRUPTIONS,
};

TEST(what_does_not_count_as_two, .times = INTERRUPTIONS)
{
    bare_leader();
    heal_in_vain();
    guards_are(GUARDS_BARE);
    if (_i == BACK || _i == PART) {
        guards_are(_i == BACK ? GUARDS_WHOLE : GUARDS_PART);
        guards_are(GUARDS_BARE);
    }
    renew();
    heal_in_vain();
    if (_i == NO_ANSWER)
        healed(false);
    guards_are(_i == UNKNOWN ? GUARDS_UNKNOWN : GUARDS_BARE);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
}

/* Its pause would be minutes by now. */
TEST(a_leader_does_not_wait_for_long)
{
    guards_are(GUARDS_PART);
    for (int n = 0; n < 8; n++) {
        f.now = member_wake(&f.m);
        event(EVENT_CLOCK);
        f.now += 200 * MSEC;
        healed(true);
        guards_are(GUARDS_PART);
    }
    usec_t over = f.now - 1;

    guards_are(GUARDS_WHOLE);
    ck_assert_uint_gt(f.m.heal.not_before, over + 60 * SEC);
    leading();
    guards_are(GUARDS_BARE);
    f.m.term.deadline = over + 20 * SEC;
    heal_due_now(over + 10 * SEC);
}

TEST(outside_its_slice_ends_the_term_at_once, .times = 2)
{
    if (_i == 0)
        leading();
    else
        adopting();
    f.host.guards.outside = true;
    guards_are(GUARDS_WHOLE);
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    ck_assert_int_eq(f.m.reason, REASON_OUTSIDE);
    ck_assert_uint_eq(f.u.actions, ACTION_UNLINK | ACTION_END | ACTION_POLL | ACTION_STOP_KEEPER);
}

TEST(outside_of_long_ago_says_nothing, .times = 2)
{
    leading();
    f.host.guards = (struct guards_seen){
        .state = _i == 0 ? GUARDS_WHOLE : GUARDS_UNKNOWN, .outside = true, .asked_at = f.now};
    if (_i == 0)
        f.now += 10 * SEC;
    f.m.term.deadline = f.now + SEC;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
}

/* What crashes would be started again by PID 1, with nothing that ends it. But a reload in the
 * middle of a stop has PID 1 forget how far it has come. */
TEST(an_end_is_healed_where_a_unit_is_unguarded, .times = 2)
{
    ending();
    guards_are(_i == 0 ? GUARDS_PART : GUARDS_BARE);
    f.now = f.m.since + S + BUDGET_KILL_MAX_USEC - 1;
    event(EVENT_CLOCK);
    ck_assert(!does(ACTION_HEAL));
    f.now++;
    event(EVENT_CLOCK);
    ck_assert_int_eq(does(ACTION_HEAL), _i == 1);
}
