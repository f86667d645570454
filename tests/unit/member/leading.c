/* SPDX-License-Identifier: Apache-2.0 */
/* Renewals, and how a leadership ends. */
#include "fixture.h"

TEST_CASE(leading, .set_up = set_up);

TEST(renewal_extends_from_its_send, .first = 1020, .times = 8)
{
    usec_t t0 = leading();
    struct nonce fresh;

    f.now = member_due(&f.m);
    ck_assert_uint_eq(f.now, t0 + P);
    t0 = f.now;
    ask();
    ck_assert(asks(OPERATION_RENEW));
    ck_assert_uint_eq(f.u.request.term, TERM + 1);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    fresh = f.u.request.fresh_nonce;
    f.now += 2 * SEC;
    f.random = (uint32_t)_i;
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(f.u.actions, ACTION_EXTEND);
    ck_assert_uint_eq(f.m.term.deadline, t0 + D);
    /* Jittered by a tenth, never beyond p. */
    ck_assert_uint_le(member_due(&f.m), t0 + P);
    ck_assert_uint_ge(member_due(&f.m), t0 + P - P / 10);
    ck_assert_int_eq(member_due(&f.m) == t0 + P, _i % 1024 == 0);
    f.now = member_due(&f.m);
    ask(); /* by the nonce of this one, and of no other */
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(fresh));
}

TEST(renewal_that_took_longer_than_the_interval)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    f.now += P + 1;
    grant();
    ck_assert_uint_eq(member_due(&f.m), f.now);
}

TEST(unknown_renewal_changes_nothing)
{
    usec_t t0 = leading();

    f.now = member_due(&f.m);
    ask();
    do_it(); /* it may have been done nevertheless */
    f.now += SEC;
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.term.deadline, t0 + D);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
}

TEST(acknowledged_after_the_deadline, .times = 2)
{
    usec_t t0 = leading();

    f.now = member_due(&f.m);
    ask();
    f.now = t0 + D - 1 + (usec_t)_i;
    grant();
    if (_i == 0) {
        ck_assert_int_eq(f.m.state, MEMBER_LEADING);
        ck_assert(does(ACTION_EXTEND));
        return;
    }
    assert_ends(REASON_DEADLINE);
    ck_assert_uint_eq(f.m.term.deadline, t0 + D);
}

TEST(deadline_passes)
{
    usec_t t0 = leading();

    f.now = t0 + D - 1;
    event(EVENT_CLOCK);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(f.u.actions, 0);
    f.now++;
    event(EVENT_CLOCK);
    assert_ends(REASON_DEADLINE);
}

static void renewed_while_the_arbiters_clock_gains(usec_t gained)
{
    f.ahead = 1700000000 * SEC;
    leading();
    f.now = member_due(&f.m);
    ask();
    f.ahead += gained;
    grant();
}

/* Renewed, and given up all the same: by these clocks no deadline can be kept. */
TEST(a_pause_that_our_clock_did_not_see)
{
    renewed_while_the_arbiters_clock_gains(3 * SEC);
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    ck_assert_int_eq(f.m.reason, REASON_PAUSED);
    ck_assert_int_eq(f.u.note, NOTE_ENDING);
    ck_assert(does(ACTION_END));
    ck_assert(!does(ACTION_EXTEND));
    /* It is given back, so that others need not wait; and they go first. */
    f.host.keeper = KEEPER_GONE;
    f.host.keeper_term = 0;
    f.host.units_dead = f.host.slice_empty = true;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.m.not_before, f.now + 2 * P);
}

static const struct {
    usec_t gained;
    enum member_note note;
} no_pauses[] = {
    {-(3600 * SEC), NOTE_NONE},
    {0, NOTE_NONE},
    {PAUSE_MARGIN_USEC, NOTE_NONE},
    {3600 * SEC, NOTE_STEP},
};

TEST(a_clock_that_is_set_is_no_pause, EACH(no_pauses))
{
    renewed_while_the_arbiters_clock_gains(no_pauses[_i].gained);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_int_eq(f.u.note, no_pauses[_i].note);
    ck_assert_uint_eq(f.u.actions, ACTION_EXTEND);
}

/* Who does not lead has nothing to lose by it: longer than it believes is the safe direction. */
TEST(a_pause_of_a_standby)
{
    f.ahead = 1700000000 * SEC;
    first_seen();
    f.ahead += 3 * SEC;
    f.now = member_due(&f.m);
    ask();
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_NONE);
    ck_assert_int_eq(f.m.reason, REASON_NONE);
}

TEST(renewal_refused)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    own(&f.row, OTHER);
    f.row.term++;
    answer(OUTCOME_DENIED);
    assert_ends(REASON_DENIED);
    proven_dead(); /* it is another's: nothing to release */
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_LOST);
    ck_assert_uint_eq(f.m.over_term, TERM + 1);
}

static void lose_nothing(void)
{
}
static void lose_keeper(void)
{
    all_dead();
}
static void lose_state(void)
{
    f.host.keeper_term = 0;
}
static void find_other_keeper(void)
{
    f.host.keeper_term++;
}
static void lose_pid1(void)
{
    f.host.keeper = KEEPER_UNKNOWN;
    f.host.keeper_term = 0;
}
static void lose_guards(void)
{
    f.host.guarded = false;
}
static void lose_units(void) /* an administrator stopped them all */
{
    f.host.units_dead = f.host.slice_empty = true;
}

static const struct {
    void (*lose)(void);
    bool ends;
} losses[] = {
    {lose_nothing, false}, {lose_keeper, true},  {lose_state, true},  {find_other_keeper, true},
    {lose_pid1, false},    {lose_guards, false}, {lose_units, false},
};

TEST(keeper_lost, EACH(losses))
{
    leading();
    losses[_i].lose();
    look_asked_at(f.m.since); /* asked before it led */
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    f.now++;
    look_asked_at(f.m.since + 1);
    if (losses[_i].ends)
        assert_ends(REASON_KEEPER_LOST);
    else {
        ck_assert_int_eq(f.m.state, MEMBER_LEADING);
        ck_assert_uint_eq(f.u.actions, 0);
    }
}

/* The keeper noticed first. */
TEST(keeper_gone_at_the_deadline, .times = 2)
{
    usec_t t0 = leading();

    lose_keeper();
    f.now = t0 + D - 1 + (usec_t)_i;
    look_asked_at(f.now);
    assert_ends(_i ? REASON_DEADLINE : REASON_KEEPER_LOST);
}

TEST(unfit_clock_renews_nothing)
{
    usec_t t0 = leading();

    f.fit = false;
    f.now = member_due(&f.m);
    ask();
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
    ck_assert_uint_eq(f.m.term.deadline, t0 + D);
    f.fit = true;
    ask();
    ck_assert(asks(OPERATION_RENEW));
}

TEST(renews_at_once_after_a_reconnect)
{
    leading();
    ck_assert_uint_gt(member_due(&f.m), f.now);
    event(EVENT_CONNECTED);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
}

TEST(stepped_down)
{
    leading();
    event(EVENT_STOP);
    assert_ends(REASON_STOPPED);
    ck_assert(!member_leads(&f.m));
    ck_assert(!member_settled(&f.m));
}
