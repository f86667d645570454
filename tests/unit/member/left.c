/* SPDX-License-Identifier: Apache-2.0 */
/* All is dead, and yet it is not proven that nothing is left, an address for one: the record is not
 * given back, and runs out. */
#include "fixture.h"

TEST_CASE(left, .set_up = set_up);

static void dead_but_left(void)
{
    f.now += 10 * MSEC;
    all_dead();
    f.host.left = true;
    look();
}

/* The member stands by, and asks no release, whatever comes. */
static usec_t ended_and_left(void)
{
    leading();
    event(EVENT_STOP);
    resume(L, S);
    dead_but_left();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    return f.now;
}

/* Its own record has run out, and nobody else has wanted it. */
static void ran_out(void)
{
    usec_t at = ended_and_left() + L + 2 * P;

    f.now += SEC;
    (void)first_seen();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    observe_until(at - 1, P);
    look_asked_at(f.now);
    f.now = at;
    ask();
}

TEST(what_may_be_left_is_not_given_back)
{
    ending();
    dead_but_left();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_LEFT);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.over_term, f.m.left_term);
    /* It ends, if that is what was asked. */
    ck_assert(member_settled(&f.m));
}

/* Not before all is dead, nor by what was asked too early. */
TEST(it_is_not_over_before_all_is_dead, .times = LACKS)
{
    ending();
    f.now += SEC;
    all_dead();
    f.host.left = true;
    lack(_i);
    if (_i == LACK_GUARDS)
        look_asked_at(f.m.since);
    else
        look();
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    ck_assert_uint_eq(f.m.left_term, 0);
}

/* The record is another node's: there is nothing to release, but nothing is claimed on a notice,
 * either. */
TEST(nothing_to_give_back)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    own(&f.row, OTHER);
    f.row.term++;
    answer(OUTCOME_DENIED);
    assert_ends(REASON_DENIED);
    dead_but_left();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_LOST);
}

/* It runs out as a stranger's would, for this node too, and then others go first; and it is no
 * orphan of an earlier life. */
TEST(the_record_runs_out)
{
    ran_out();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(!f.u.request.rests_on_clean);
    ck_assert_uint_eq(f.u.request.expected_term, f.row.term);
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_gt(f.m.term.number, f.m.left_term);
}

/* What is left on this host is its own when it leads again: that is no obstacle. */
TEST(left_is_ready)
{
    (void)ended_and_left();
    ck_assert(member_ready(&f.m, f.now));
}

/* A later term of its own is judged by itself. */
TEST(a_later_term_is_given_back)
{
    ran_out();
    grant();
    event(EVENT_STOP);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_uint_eq(f.u.request.term, f.m.term.number);
}

/* An agent that was restarted finds its own record, and no keeper: it needs the same proof. */
TEST(an_orphan_that_left_something, .times = 2)
{
    own(&f.row, ME);
    usec_t seen = first_seen();

    observe_until(seen + STILL - 1, P);
    f.now = member_due(&f.m);
    look_asked_at(f.now);
    ask();
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_ORPHAN);
    if (_i == 1)
        dead_but_left();
    else
        proven_dead();
    ck_assert_int_eq(f.m.state, _i == 1 ? MEMBER_STANDBY : MEMBER_RELEASING);
    if (_i == 0)
        return;
    /* Said once: not an orphan again, however long the record is unchanged. */
    f.now = member_due(&f.m);
    seen = first_seen();
    observe_until(seen + 2 * STILL, P);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
}

/* Seen for its whole length, and yet later than others may have: it does not race them. */
TEST(others_go_first)
{
    usec_t ended = ended_and_left();

    (void)first_seen();
    observe_until(ended + L + 2 * P - 1, P);
    ck_assert_uint_ge(f.now - f.m.seen.since, L);
}
