/* SPDX-License-Identifier: Apache-2.0 */
/* Giving the record back. */
#include "fixture.h"

TEST_CASE(releasing, .set_up = set_up);

TEST(releases_with_the_last_nonce)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    grant();
    event(EVENT_STOP);
    proven_dead();
    f.fit = false; /* no clock is needed for it */
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_uint_eq(f.u.request.term, TERM + 1);
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(f.row.nonce));
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_RELEASED);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.not_before, f.now + 300 * MSEC); /* others go first */
    ck_assert_uint_eq(f.m.over_term, TERM + 1);
    ck_assert(member_settled(&f.m));
}

TEST(unknown_release_is_sent_again)
{
    releasing();
    ask();
    f.now += SEC;
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
    ck_assert(!member_settled(&f.m));
    event(EVENT_CONNECTED);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
}

/* What the record may be when a release is refused. */
TEST(refused_release, .first = 1, .times = 4)
{
    releasing();
    ask();
    f.row.nonce = next_nonce();
    if (_i == 1) /* clean already */
        f.row.clean = true;
    else if (_i == 2)
        own(&f.row, OTHER);
    else if (_i == 3)
        f.row.term++;
    if (_i == 4) /* the record is no more */
        answer_without_record(OUTCOME_DENIED);
    else
        answer(OUTCOME_DENIED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, _i == 1 ? NOTE_RELEASED : NOTE_LOST);
}

static void nonce_of_a_granted_renewal(void)
{
    grant();
}
static void nonce_of_an_unknown_renewal(void)
{
    answer(OUTCOME_UNKNOWN);
}
static void nonce_of_a_refused_renewal(void)
{
    answer(OUTCOME_DENIED);
}
static void nonce_of_another_term(void)
{
    f.row.term++;
    f.row.nonce = next_nonce();
    answer(OUTCOME_GRANTED);
}
static void nonce_of_another_owner(void)
{
    own(&f.row, OTHER);
    f.row.nonce = next_nonce();
    answer(OUTCOME_GRANTED);
}
static void (*const late_replies[])(void) = {
    nonce_of_a_granted_renewal, nonce_of_an_unknown_renewal, nonce_of_a_refused_renewal,
    nonce_of_another_term, nonce_of_another_owner};

#define N_LATE_REPLIES ((int)(sizeof late_replies / sizeof *late_replies))

/* A renewal was under way when the term ended: only its nonce still matters. _i: its answer comes
 * while ending; beyond, while releasing already. */
TEST(renewal_answered_after_the_end, .times = 2 * N_LATE_REPLIES)
{
    struct nonce before, fresh;

    leading();
    before = f.row.nonce;
    f.now = member_due(&f.m);
    ask();
    fresh = f.request.fresh_nonce;
    event(EVENT_STOP);
    if (_i >= N_LATE_REPLIES) {
        proven_dead();
        ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY); /* one request at a time */
    }
    late_replies[_i % N_LATE_REPLIES]();
    if (_i < N_LATE_REPLIES)
        proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ck_assert_uint_le(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_int_eq(names(fresh), _i % N_LATE_REPLIES <= 1);
    ck_assert_int_eq(names(before), _i % N_LATE_REPLIES >= 1);
    ck_assert_uint_eq(n_named(), _i % N_LATE_REPLIES == 1 ? 2 : 1);
}

/* Once given up, whatever the reply to the release: the term is over. */
TEST(term_that_ended_is_never_taken_up_again, .times = 2)
{
    releasing();
    ask();
    resume(L, S);
    own(&f.row, OTHER);
    answer(OUTCOME_DENIED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    own(&f.row, ME); /* a failover brought it back */
    f.now += SEC;
    if (_i == 0) {
        look();
        observe_until(f.now + STILL, P);
        assert_ends(REASON_ORPHAN);
    } else {
        keeper_lives(TERM + 1);
        f.host.keeper_deadline = f.now + 5 * SEC;
        look();
        assert_ends(REASON_FOREIGN_KEEPER);
    }
    proven_dead();
    ask();
    ck_assert(asks(_i == 0 ? OPERATION_RELEASE : OPERATION_OBSERVE));
}

TEST(nothing_but_the_release_matters_while_releasing)
{
    releasing();
    event(EVENT_CLOCK);
    event(EVENT_HINT);
    event(EVENT_STOP);
    started(0);
    keeper_lives(TERM + 1);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ck_assert_uint_eq(f.u.actions, 0);
    all_dead();
    resume(L, S);
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    grant();
    ck_assert(!member_settled(&f.m));
    f.now = f.m.not_before;
    look();
    ask();
    answer(OUTCOME_GRANTED);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert_uint_ge(f.u.request.term_floor, TERM + 2);
}

/* An arbiter that grants a renewal and shows no record: the release goes by the nonce known before.
 */
TEST(renewal_granted_without_a_record_after_the_end)
{
    struct nonce before;

    leading();
    before = f.row.nonce;
    f.now = member_due(&f.m);
    ask();
    event(EVENT_STOP);
    answer_without_record(OUTCOME_GRANTED);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(before));
}
