/* SPDX-License-Identifier: Apache-2.0 */
/* Renewals are keyed by what the record may have. Another writer in this very name is
 * an earlier life of the agent, or a copy of this host. */
#include "fixture.h"

TEST_CASE(nonces, .set_up = set_up);

/* So many renewals of unknown outcome in a row; of each the nonce, and before them the last one
 * that was acknowledged. */
static void unanswered_renewals(struct nonce *all, unsigned n)
{
    all[0] = f.row.nonce;
    for (unsigned i = 1; i <= n; i++) {
        f.now = member_due(&f.m);
        ask();
        ck_assert(asks(OPERATION_RENEW));
        ck_assert_uint_eq(n_named(), i);
        for (unsigned k = 0; k < i; k++)
            ck_assert(names(all[k]));
        all[i] = f.request.fresh_nonce;
        answer(OUTCOME_UNKNOWN);
        ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    }
    f.now = member_due(&f.m);
}

TEST(renewals_name_what_is_unknown)
{
    struct nonce all[REQUEST_NONCES_MAX];

    leading();
    unanswered_renewals(all, REQUEST_NONCES_MAX - 1);
    ask();
    ck_assert(asks(OPERATION_RENEW));
    ck_assert_uint_eq(n_named(), REQUEST_NONCES_MAX);
    grant();
    ck_assert(does(ACTION_EXTEND));
    f.now = member_due(&f.m);
    ask(); /* all of that is over */
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(f.row.nonce));
}

/* However many are tried, the one that was acknowledged last is not forgotten. */
TEST(the_last_one_is_remembered)
{
    struct nonce all[REQUEST_NONCES_MAX + 1];

    leading();
    unanswered_renewals(all, REQUEST_NONCES_MAX);
    for (int i = 0; i < NONCES_REMEMBERED; i++) {
        f.m.term.deadline += SEC; /* or there would be no time for so many */
        reading();
        (void)unanswered();
        f.now = member_due(&f.m);
    }
    ck_assert_mem_eq(&f.row.nonce, &all[0], sizeof all[0]);
    reading();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
}

/* One more than can be named. Which one it was carried out shows when the record is read; another
 * one may yet be, in between. */
TEST(beyond_what_can_be_named_the_record_is_read, .times = REQUEST_NONCES_MAX + 1)
{
    struct nonce all[REQUEST_NONCES_MAX + 1];

    leading();
    unanswered_renewals(all, REQUEST_NONCES_MAX);
    f.row.nonce = all[0];
    reading();
    ask();
    ck_assert(asks(OPERATION_RENEW));
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(all[0]));
    if (_i > 0) {
        f.row.nonce = all[_i];
        answer(OUTCOME_OTHER_NONCE);
        ck_assert_int_eq(f.m.state, MEMBER_LEADING);
        ck_assert_uint_eq(member_due(&f.m), f.now);
        ask();
        ck_assert(asks(OPERATION_RENEW));
        ck_assert(names(all[_i]));
    }
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert(does(ACTION_EXTEND));
}

TEST(beyond_what_can_be_named_not_all_is_believed, .times = 3)
{
    struct nonce all[REQUEST_NONCES_MAX + 1];

    leading();
    unanswered_renewals(all, REQUEST_NONCES_MAX);
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    f.row.nonce = next_nonce();
    if (_i == 0) {
        answer(OUTCOME_GRANTED);
        assert_ends(REASON_DENIED);
        ck_assert(!f.m.term.release);
        return;
    }
    if (_i == 1) {
        own(&f.row, OTHER);
        answer(OUTCOME_GRANTED);
        assert_ends(REASON_DENIED);
        return;
    }
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
    f.now = f.m.term.deadline; /* what it wrote last is not known: it must be unchanged */
    event(EVENT_CLOCK);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
}

/* ---- a copy ---- */

static void renewal_refused_by_another_nonce(void)
{
    f.now = member_due(&f.m);
    ask();
    f.row.nonce = next_nonce();
    answer(OUTCOME_OTHER_NONCE);
}

TEST(leader_that_was_copied_ends)
{
    leading();
    renewal_refused_by_another_nonce();
    assert_ends(REASON_COPY);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_LOST);
    ck_assert_uint_eq(f.m.over_term, TERM + 1);
    /* Not an orphan, however long it is unchanged: it is claimed like any other. */
    f.now = f.m.not_before;
    usec_t seen = first_seen();
    ck_assert(member_copied(&f.m));
    observe_until(seen + L - 1, P / 2);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    f.now++;
    look_asked_at(f.now);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert_uint_gt(f.u.request.term_floor, TERM + 1);
}

TEST(copy_found_while_confirming)
{
    confirming();
    renewal_refused_by_another_nonce();
    assert_ends(REASON_COPY);
    ck_assert(!f.m.term.release);
}

/* The answer comes when the term is over: then it says whether something can be given back. */
TEST(copy_found_after_the_end, .times = 2)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    event(EVENT_STOP);
    if (_i == 1)
        proven_dead();
    f.row.nonce = next_nonce();
    answer(OUTCOME_OTHER_NONCE);
    ck_assert_int_eq(f.u.note, NOTE_COPY);
    if (_i == 0)
        proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
}

/* By what it wrote last it gives back what is its own, at once; and never what somebody else has
 * renewed meanwhile. */
TEST(copy_found_by_the_release)
{
    releasing();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    f.row.nonce = next_nonce();
    answer(OUTCOME_OTHER_NONCE);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_COPY);
}

/* ---- another history ---- */

static void several_renewals(struct nonce *all, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        all[i] = f.row.nonce;
        f.now = member_due(&f.m);
        ask();
        ck_assert(asks(OPERATION_RENEW));
        grant();
    }
}

/* A failover has lost the last writes. Of those of this life, sixteen count. */
TEST(leader_goes_on_after_lost_writes, .times = 3)
{
    struct nonce all[NONCES_REMEMBERED];

    leading();
    several_renewals(all, NONCES_REMEMBERED);
    /* The oldest that is remembered, the one before it, any other. */
    struct nonce back = _i == 0 ? all[1] : _i == 1 ? all[0] : next_nonce();
    f.now = member_due(&f.m);
    ask();
    f.epoch.timeline++;
    f.row.nonce = back;
    answer(OUTCOME_OTHER_NONCE);
    if (_i > 0) { /* an earlier life's, or a copy's */
        assert_ends(REASON_DENIED);
        ck_assert(!f.m.term.release);
        proven_dead();
        f.now = f.m.not_before;
        usec_t seen = first_seen();
        ck_assert(!member_copied(&f.m));
        observe_until(seen + STILL, P);
        assert_ends(REASON_ORPHAN);
        return;
    }
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_RENEW));
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(back));
    grant();
    ck_assert(does(ACTION_EXTEND));
}

/* In this history all is known again. */
/* Back at the old server meanwhile, it had sent there what is carried out late: until a renewal is
 * acknowledged in that history, it may be any of its own. */
TEST(lost_writes_count_until_one_is_acknowledged, .times = 2)
{
    struct nonce all[4];

    leading();
    several_renewals(all, 4);
    f.now = member_due(&f.m);
    ask();
    f.epoch.timeline++;
    f.row.nonce = all[1];
    answer(OUTCOME_OTHER_NONCE);
    ask();
    f.row.nonce = all[2];
    answer(OUTCOME_OTHER_NONCE);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ask();
    if (_i == 0)
        f.row.nonce = next_nonce(); /* and nobody else's */
    else {
        grant();
        ask();
        f.row.nonce = all[2];
    }
    answer(OUTCOME_OTHER_NONCE);
    assert_ends(_i == 0 ? REASON_DENIED : REASON_COPY);
}

TEST(lost_writes_in_the_same_history_are_none)
{
    struct nonce all[4];

    leading();
    several_renewals(all, 4);
    f.now = member_due(&f.m);
    ask();
    f.row.nonce = all[2];
    answer(OUTCOME_OTHER_NONCE);
    assert_ends(REASON_COPY);
}

TEST(release_after_lost_writes, .times = 2)
{
    struct nonce all[4];

    leading();
    several_renewals(all, 4);
    event(EVENT_STOP);
    proven_dead();
    ask();
    f.epoch.timeline++;
    f.row.nonce = _i == 0 ? all[1] : next_nonce();
    answer(OUTCOME_OTHER_NONCE);
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    f.now = usec_max(f.now, member_due(&f.m));
    ask();
    ck_assert(asks(_i == 0 ? OPERATION_RELEASE : OPERATION_OBSERVE));
    if (_i == 0)
        ck_assert(names(all[1]));
}
