/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody has had this node confirmed dead, and it lives: whatever it does, it finds a term that
 * is nobody's. */
#include "fixture.h"

TEST_CASE(confirmed_dead, .set_up = set_up);

/* The record that the operator's word makes. */
static void take_away(void)
{
    f.row.term++;
    f.row.nonce = next_nonce();
    own(&f.row, "");
    f.row.clean = f.row.claimable = false;
}

static void ends_without_a_release(void)
{
    ck_assert_uint_eq(f.u.actions & (unsigned)(ACTION_TICKET | ACTION_EXTEND), 0);
    if (f.m.state == MEMBER_ENDING)
        proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert(!f.m.term.release);
    if (f.m.stopping)
        return;
    /* And nothing of it is taken up again. */
    look();
    f.now = usec_max(f.now, member_due(&f.m));
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert(!member_copied(&f.m));
}

TEST(the_renewal_is_denied)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    ck_assert(asks(OPERATION_RENEW));
    take_away();
    answer(OUTCOME_DENIED);
    assert_ends(REASON_DENIED);
    ends_without_a_release();
}

TEST(the_release_is_denied)
{
    releasing();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    take_away();
    answer(OUTCOME_DENIED);
    ck_assert_int_eq(f.u.note, NOTE_LOST);
    ends_without_a_release();
}

/* An agent that was restarted there, while the keeper lived on. */
TEST(nothing_is_adopted)
{
    adopting();
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    take_away();
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_DENIED);
    ends_without_a_release();
}

TEST(nothing_that_was_read_is_adopted)
{
    adopting_by_renewal();
    take_away();
    answer(OUTCOME_DENIED);
    assert_ends(REASON_DENIED);
    ends_without_a_release();
}

TEST(a_claim_of_unknown_outcome_is_not_confirmed, .times = 2)
{
    if (_i == 0) {
        confirming();
        ask();
        take_away();
        answer(OUTCOME_DENIED);
    } else {
        (void)claiming();
        do_it();
        take_away();
        answer(OUTCOME_UNKNOWN);
        f.now = member_due(&f.m);
        ask();
        ck_assert(asks(OPERATION_CLAIM)); /* of what was seen: it has changed */
        answer(OUTCOME_DENIED);
    }
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ends_without_a_release();
}

TEST(it_is_no_orphan)
{
    take_away();
    usec_t seen = first_seen();

    observe_until(seen + 2 * STILL, P);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(watch_still_at(&f.m.watch, f.row.term), USEC_INFINITY);
}

/* It is claimed by anybody, that node too, after its whole lease: not a microsecond before. */
TEST(it_is_observed_for_its_lease, .times = 2)
{
    f.row.lease = 2 * L;
    take_away();
    usec_t seen = first_seen();

    observe_until(seen + 2 * L - 1, P);
    f.now = seen + 2 * L - (_i == 0);
    look_asked_at(f.now);
    ask();
    ck_assert(asks(_i == 0 ? OPERATION_OBSERVE : OPERATION_CLAIM));
    if (_i == 0)
        return;
    ck_assert(!f.u.request.rests_on_clean);
    ck_assert_uint_eq(f.u.request.expected_term, f.row.term);
    ck_assert_uint_gt(f.u.request.term_floor, f.row.term);
}

TEST(new_terms_are_above_what_was_seen)
{
    take_away();
    f.row.term += 1000;
    (void)first_seen();
    ck_assert_uint_eq(member_term_floor(&f.m), f.row.term + 1);
}
