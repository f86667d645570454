/* SPDX-License-Identifier: Apache-2.0 */
/* The claim's answer. */
#include "fixture.h"

TEST_CASE(claiming, .set_up = set_up);

TEST(deadline_counts_from_the_send)
{
    usec_t t0 = claiming();

    f.m.reason = REASON_DENIED; /* of the term before */
    f.now = t0 + 3 * SEC;
    grant();
    ck_assert_int_eq(f.m.reason, REASON_NONE);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(f.u.actions, ACTION_TICKET | ACTION_POLL);
    ck_assert_int_eq(f.u.note, NOTE_STARTING);
    ck_assert_uint_eq(f.m.term.number, TERM + 1);
    ck_assert_uint_eq(f.m.term.deadline, t0 + D);
    ck_assert_uint_eq(f.m.term.cover.lease, L);
    ck_assert_uint_eq(f.m.term.stop, S);
    ck_assert_uint_eq(f.m.term.cover.duration, D);
    ck_assert_uint_eq(member_wake(&f.m), t0 + D);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    ck_assert(!member_leads(&f.m));
}

/* Less than half of D left is too little to start anything: given back instead. */
TEST(late_claim_is_given_back, .times = 2)
{
    usec_t t0 = claiming();

    f.now = t0 + D / 2 - 1 + (usec_t)_i;
    look();
    f.now--;
    grant();
    if (_i == 0) {
        ck_assert_int_eq(f.m.state, MEMBER_STARTING);
        return;
    }
    assert_ends(REASON_LATE);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_uint_eq(f.u.request.term, TERM + 1);
    ck_assert(names(f.row.nonce));
}

TEST(claim_granted_after_the_stop)
{
    claiming();
    event(EVENT_STOP);
    ck_assert(!member_settled(&f.m));
    grant();
    assert_ends(REASON_STOPPED);
}

TEST(claim_granted_when_the_host_is_not_ready_any_more, .times = LACKS)
{
    claiming();
    lack(_i);
    look();
    grant();
    assert_ends(REASON_HOST_NOT_READY);
    ck_assert(f.m.term.release);
}

TEST(claim_granted_with_numbers_that_do_not_hold)
{
    claiming();
    do_it();
    f.row.duration += SEC;
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_HOST_NOT_READY);
}

/* Refused although nothing moved: somebody has it locked, for who knows how long. */
TEST(refused_claim_is_held_back, .times = 3)
{
    usec_t wait = P / 4;

    claiming();
    if (_i == 1) {
        f.row.nonce = next_nonce();
        wait = 50 * MSEC;
    } else if (_i == 2) {
        f.row.term++;
        wait = 50 * MSEC;
    }
    answer(OUTCOME_DENIED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.m.not_before, f.now + wait);
    ck_assert_uint_eq(member_due(&f.m), f.now + wait);
    look_asked_at(f.now);
    ck_assert_uint_eq(member_due(&f.m), f.now + wait);
    f.now += wait - 1;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    f.now++;
    answer(OUTCOME_GRANTED);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}

TEST(unknown_claim_is_held_back)
{
    claiming();
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.m.not_before, f.now + P / 4);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
    ck_assert_uint_eq(f.u.actions, 0);
}

/* What a keeper left shows that there was a later timeline than this server's. */
TEST(replaced_server_is_not_claimed_from, .times = 4)
{
    static const struct {
        uint64_t timeline, row;
        bool claims;
    } cases[] = {
        {1, 1, false}, /* the old primary */
        {2, 1, true},  /* its successor */
        {1, 2, true},  /* a copy of the successor's, in a new server */
        {1, 0, true},  /* an empty table */
    };

    f.m.highest_term = (UINT64_C(2) << TERM_TIMELINE_SHIFT) + 1;
    f.epoch.timeline = cases[_i].timeline;
    f.row.term = cases[_i].row << TERM_TIMELINE_SHIFT;
    f.row.clean = f.row.claimable = true;
    first_seen();
    look();
    step((struct member_event){
        .type = EVENT_HINT,
        .notice = &(struct release_notice){.term = f.row.term, .nonce = f.row.nonce}});
    ask();
    ck_assert(asks(cases[_i].claims ? OPERATION_CLAIM : OPERATION_OBSERVE));
    if (cases[_i].claims) {
        ck_assert_uint_gt(f.u.request.term_floor, f.m.highest_term);
        ck_assert_uint_eq(member_replaced_by(&f.m), 0);
        return;
    }
    answer(OUTCOME_GRANTED);
    ck_assert_uint_gt(member_due(&f.m), f.now + P / 2);
    ck_assert_uint_eq(member_replaced_by(&f.m), 2);
}
