/* SPDX-License-Identifier: Apache-2.0 */
/* The lease of a running term changes: what the record has always covers what the keeper has. */
#include "fixture.h"

TEST_CASE(covering, .set_up = set_up);

/* D for this lease and the term's S. */
static usec_t d_of(usec_t lease)
{
    struct budget b;

    ck_assert_int_eq(budget_compute(lease, S, &b), 0);
    return b.duration;
}

static usec_t kept; /* the longest lease that the keeper may have when it is sent */

/* As soon as it is due; looks at the host first, as the daemon does. */
static usec_t renew(void)
{
    f.now = usec_max(f.now, member_due(&f.m));
    f.host.keeper_lease = f.m.term.cover.lease;
    f.host.keeper_deadline = f.m.term.deadline;
    look();
    kept = f.m.term.cover.kept;
    usec_t t0 = f.now;
    ask();
    ck_assert(asks(OPERATION_RENEW));
    grant();
    return t0;
}

/* By what was written at t0: the deadline, and K of the keeper's longest lease. */
static void assert_covered(usec_t deadline, usec_t longest, usec_t t0)
{
    usec_t left = usec_sub(deadline, t0) + BUDGET_SLACK_USEC + S + budget_kill(longest);

    ck_assert_uint_le(left, f.row.lease - (2 * f.row.lease + 999) / 1000);
}

static void leads(void)
{
    leading();
    f.host.keeper_duration = f.m.term.cover.duration;
    f.host.keeper_stop = S;
}

/* In the record at once; the keeper has it when the record has shown it for one old lease. */
TEST(a_longer_lease_waits_for_one_old_one)
{
    leads();
    usec_t old_d = d_of(L), new_d = d_of(60 * SEC), t0 = 0, shown = 0;

    resume(60 * SEC, 2 * SEC);
    ck_assert_uint_eq(member_limit(&f.m), old_d / 4);
    while (shown == 0 || f.now < shown + L) {
        t0 = renew();
        if (shown == 0)
            shown = f.now;
        ck_assert_uint_eq(f.row.lease, 60 * SEC);
        ck_assert_uint_eq(f.row.duration, new_d);
        if (f.now < shown + L) {
            ck_assert_uint_eq(f.m.term.cover.lease, L);
            ck_assert_uint_eq(f.m.term.deadline, t0 + old_d);
        }
    }
    ck_assert(does(ACTION_EXTEND));
    ck_assert_uint_eq(f.m.term.cover.lease, 60 * SEC);
    ck_assert_uint_eq(f.m.term.cover.duration, new_d);
    ck_assert_uint_eq(f.m.term.deadline, t0 + new_d);
    ck_assert_uint_eq(f.m.term.stop, S);
}

/* Another one in between: what has to be shown is the one that the keeper will get. */
TEST(a_longer_lease_waits_again_for_another)
{
    leads();
    resume(60 * SEC, S);
    usec_t shown = renew();
    resume(40 * SEC, S);
    while (f.now < shown + L) {
        (void)renew();
        ck_assert_uint_eq(f.m.term.cover.lease, L);
    }
    usec_t until = f.now + L;
    while (f.now <= until)
        (void)renew();
    ck_assert_uint_eq(f.m.term.cover.lease, 40 * SEC);
}

/* The record shrinks with each renewal, as the deadline comes closer; the keeper hears of it when
 * the shorter D is due to extend that. */
TEST(a_shorter_lease_stops_extending)
{
    leads();
    usec_t new_d = d_of(10 * SEC), deadline = f.m.term.deadline, before = L;

    resume(10 * SEC, 2 * SEC);
    ck_assert_uint_eq(member_limit(&f.m), new_d / 4);
    while (f.m.term.deadline == deadline) {
        usec_t t0 = renew();

        assert_covered(f.m.term.deadline, L, t0);
        ck_assert_uint_lt(f.row.lease, before);
        before = f.row.lease;
        if (f.m.term.deadline == deadline) {
            ck_assert(!does(ACTION_EXTEND)); /* the keeper shows the one that it has */
            continue;
        }
        ck_assert(does(ACTION_EXTEND));
        ck_assert_uint_eq(f.m.term.deadline, t0 + new_d);
    }
    ck_assert_uint_eq(f.row.lease, 10 * SEC);
    ck_assert_uint_eq(f.m.term.cover.lease, 10 * SEC);
    ck_assert_uint_eq(f.m.term.cover.duration, new_d);
}

/* The last extension got lost, and the next one is far away: it is sent again. */
TEST(a_shorter_lease_repeats_what_got_lost)
{
    leads();
    usec_t deadline = f.m.term.deadline;

    resume(10 * SEC, S);
    f.host.keeper_deadline = deadline - SEC;
    f.now = member_due(&f.m);
    look();
    ask();
    grant();
    ck_assert(does(ACTION_EXTEND));
    ck_assert_uint_eq(f.m.term.deadline, deadline);
    /* By what the record has: the keeper takes no deadline beyond D. */
    ck_assert_uint_ge(f.now + f.m.term.cover.duration, deadline);
    ck_assert_uint_eq(f.m.term.cover.lease, f.row.lease);
}

/* K of a keeper that has a longer lease still counts, until its state shows that it has not. */
TEST(a_longer_k_counts_until_the_keeper_has_the_shorter)
{
    leads();
    resume(8 * SEC, S);
    usec_t d = d_of(8 * SEC), t0 = 0;
    for (int i = 0; f.row.lease != 8 * SEC; i++) {
        ck_assert_int_lt(i, 50);
        t0 = renew();
        assert_covered(f.m.term.deadline, kept, t0);
        if (f.m.term.deadline == t0 + d && kept > 8 * SEC + 100 * MSEC)
            ck_assert_uint_gt(f.row.lease, 8 * SEC);
    }
    ck_assert_uint_eq(f.m.term.deadline, t0 + d);
}

/* A lease that is too short for the S of this term counts from the next one on. */
TEST(a_lease_too_short_for_this_stop_waits)
{
    leads();
    usec_t d = f.m.term.cover.duration;

    resume(2 * SEC, 500 * MSEC);
    usec_t t0 = renew();
    ck_assert_uint_eq(f.row.lease, L);
    ck_assert_uint_eq(f.m.term.deadline, t0 + d);
    event(EVENT_STOP);
    proven_dead();
    ask();
    grant();
    ck_assert_uint_eq(member_limit(&f.m), P);
}

/* Another node takes over by the record's lease: a pause of that length is none of the database's
 * clock. */
TEST(a_pause_while_a_longer_lease_waits)
{
    leads();
    resume(60 * SEC, 2 * SEC);
    f.ahead = 1000 * SEC;
    (void)renew();
    (void)renew();
    ck_assert_uint_eq(f.row.lease, 60 * SEC);
    ck_assert_uint_eq(f.m.term.cover.lease, L);
    f.now = usec_max(f.now, member_due(&f.m));
    ask();
    f.ahead += 2 * 60 * SEC;
    grant();
    ck_assert_int_eq(f.m.reason, REASON_PAUSED);
}

/* A keeper of the first version keeps its lease, and so does the record. */
TEST(a_keeper_of_version_1_is_sent_no_other_lease)
{
    leads();
    usec_t old_d = f.m.term.cover.duration, t0;

    f.m.term.cover.fixed = true;
    resume(60 * SEC, S);
    for (int i = 0; i < 20; i++) {
        t0 = renew();
        ck_assert_uint_eq(f.m.term.deadline, t0 + old_d);
        ck_assert_uint_eq(f.row.lease, L);
        ck_assert_uint_eq(f.m.term.cover.lease, L);
        if (i == 9)
            resume(10 * SEC, S);
    }
}

/* Whatever an earlier life may still have on its way to the keeper is covered: its last renewal
 * covers it, and that is in the record. */
TEST(adopting_covers_what_an_earlier_life_sent)
{
    usec_t t0 = f.now + 1, left = d_of(60 * SEC);

    own(&f.row, ME);
    keeper_lives(TERM);
    f.host.keeper_deadline = t0 + 2 * SEC;
    f.row.lease = 60 * SEC;
    f.row.duration = left;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
    reading();
    usec_t sent = f.m.sent_at;
    ask();
    grant();
    assert_covered(sent + left, 60 * SEC, sent);
    /* By the keeper's own, shorter D: a longer one has to wait. */
    ck_assert_uint_eq(f.m.term.deadline, sent + D);
    ck_assert_uint_eq(f.m.term.cover.lease, L);
    f.now += 20 * SEC;
    ask();
    ck_assert_uint_ge(usec_add(f.now, f.request.duration), sent + left);
}

/* The keeper's D may be a longer one than the record's by now. */
TEST(adopts_by_the_records_d)
{
    usec_t t0 = f.now + 1;

    own(&f.row, ME);
    keeper_lives(TERM);
    f.host.keeper_lease = 60 * SEC;
    f.host.keeper_duration = d_of(60 * SEC);
    f.host.keeper_deadline = t0 + 3 * SEC;
    look();
    reading();
    usec_t sent = f.now;
    ask();
    grant();
    ck_assert_uint_eq(f.row.lease, L);
    ck_assert_uint_eq(f.m.term.deadline, sent + D);
    ck_assert_uint_eq(f.m.term.cover.lease, L);
    ck_assert(does(ACTION_EXTEND));
}

/* A claim of unknown outcome is confirmed as it was made. */
TEST(a_claim_is_confirmed_with_its_own_lease)
{
    confirming();
    resume(60 * SEC, S);
    ask();
    ck_assert(asks(OPERATION_RENEW));
    ck_assert_uint_eq(f.request.lease, L);
}
