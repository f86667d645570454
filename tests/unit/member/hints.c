/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications: of any change, and of a record that was given back. */
#include "fixture.h"

TEST_CASE(hints, .set_up = set_up);

TEST(hint_makes_due, .times = 2)
{
    first_seen();
    f.now += 10 * MSEC;
    ck_assert_uint_gt(member_due(&f.m), f.now);
    event(EVENT_HINT);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    f.now += 10 * MSEC;
    if (_i == 1)
        event(EVENT_HINT); /* what is being answered may have been read before */
    answer(OUTCOME_GRANTED);
    if (_i == 0) {
        ck_assert_uint_gt(member_due(&f.m), f.now);
        return;
    }
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    answer(OUTCOME_GRANTED); /* once */
    ck_assert_uint_gt(member_due(&f.m), f.now);
}

TEST(hint_says_nothing_to_a_leader)
{
    leading();
    usec_t due = member_due(&f.m);

    event(EVENT_HINT);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(member_due(&f.m), due);
}

/* A notification, true or not. */
static void announced(uint64_t term, const struct nonce *nonce)
{
    const struct release_notice t = {.term = term, .nonce = *nonce};

    step((struct member_event){.type = EVENT_HINT, .notice = &t});
}

/* The record as the leader gave it back: renewed since it was seen last. */
static void given_back(void)
{
    f.row.nonce = next_nonce();
    free_record();
    announced(f.row.term, &f.row.nonce);
}

TEST(claims_at_once_what_is_announced_as_clean)
{
    first_seen();
    look();
    given_back();
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(f.request.rests_on_clean); /* which the arbiter tests */
    ck_assert_uint_eq(f.request.expected_term, TERM);
    ck_assert_mem_eq(&f.request.expected_nonce, &f.row.nonce, sizeof f.row.nonce);
    ck_assert_mem_eq(&f.request.epoch, &f.epoch, sizeof f.epoch);
    ck_assert_uint_gt(f.request.term_floor, TERM);
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
}

/* A node that was asked to step down has forgotten the notice by the time that it may claim
 * again. */
TEST(no_claim_on_a_notice_from_before_a_stop)
{
    first_seen();
    look();
    given_back();
    event(EVENT_STOP);
    resume(L, S);
    look();
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
}

/* The notice comes while a poll is under way, which was answered before the release. */
TEST(claims_on_a_notice_that_came_during_a_poll)
{
    struct record before;

    first_seen();
    look();
    ask();
    before = f.row;
    given_back();
    struct record after = f.row;

    f.row = before;
    answer(OUTCOME_GRANTED);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    f.row = after;
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(f.request.rests_on_clean);
}

/* Then it looks, as after any hint. */
TEST(no_claim_on_a_notice, .times = 8)
{
    if (_i != 0)
        first_seen();
    if (_i != 1)
        look();
    if (_i == 1)
        f.now += 60 * SEC; /* PID 1 has not been asked for long */
    f.fit = _i != 2;
    f.may_claim = _i != 3;
    if (_i == 4)
        own(&f.m.seen.record, ME);
    if (_i == 5)
        announced(TERM - 1, &f.row.nonce);
    else if (_i == 6)
        announced(TERM + 1, &f.row.nonce);
    else
        given_back();
    if (_i == 7)
        event(EVENT_CONNECTED); /* another session: by whom was it announced? */
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_UNKNOWN);
    f.now = usec_max(f.now, f.m.not_before);
    f.fit = f.may_claim = true;
    look();
    ask(); /* it counts for one request alone */
    ck_assert(asks(OPERATION_OBSERVE));
}

TEST(no_claim_on_a_notice_after_a_release)
{
    leading();
    event(EVENT_STOP);
    all_dead();
    look();
    ask();
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    resume(L, S);
    ask();
    answer(OUTCOME_GRANTED);
    look();
    announced(f.row.term, &f.row.nonce);
    ask();
    ck_assert(asks(OPERATION_OBSERVE)); /* others go first */
}

/* A client that may send notifications must not be able to keep a group without a leader: what was
 * observed stays, and the claim that it allows comes when it is due. */
TEST(lies_delay_no_claim)
{
    usec_t seen = first_seen();

    while (f.now < seen + L) {
        look();
        announced(TERM, &f.row.nonce);
        ck_assert_uint_eq(member_due(&f.m), f.now);
        ask();
        if (f.now < seen + L && asks(OPERATION_CLAIM))
            ck_assert(f.request.rests_on_clean);
        if (f.now >= seen + L)
            break;
        answer(asks(OPERATION_CLAIM) ? OUTCOME_DENIED : OUTCOME_GRANTED);
        f.now = usec_min(f.now + 60 * MSEC, seen + L - 1);
    }
    if (!asks(OPERATION_CLAIM)) {
        answer(OUTCOME_GRANTED);
        f.now += 51 * MSEC;
        look();
        ask();
    }
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(!f.request.rests_on_clean);
    ck_assert_uint_le(f.now, seen + L + 60 * MSEC);
}
