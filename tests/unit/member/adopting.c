/* SPDX-License-Identifier: Apache-2.0 */
/* A keeper that was there before the agent. */
#include "fixture.h"

TEST_CASE(adopting, .set_up = set_up);

TEST(adopts_a_live_keeper)
{
    usec_t t0;

    f.m.reason = REASON_DENIED; /* of the term before */
    adopting();
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.term.number, TERM);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ck_assert_uint_eq(member_wake(&f.m), f.host.keeper_deadline);
    ck_assert(member_leads(&f.m));
    f.now += 10 * MSEC;
    reading(); /* by what else could it renew? */
    t0 = f.now;
    ask();
    ck_assert(asks(OPERATION_RENEW));
    ck_assert_uint_eq(f.u.request.term, TERM);
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(f.row.nonce));
    f.now += SEC;
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(f.u.actions, ACTION_EXTEND | ACTION_POLL); /* until its lease is seen */
    ck_assert_int_eq(f.u.note, NOTE_ADOPTED);
    ck_assert_int_eq(f.m.reason, REASON_NONE);
    ck_assert_uint_eq(f.m.term.deadline, t0 + 8670000);
    ck_assert_uint_eq(member_due(&f.m), t0 + 8670000 / 4);
    event(EVENT_STOP); /* the renewal has shown the nonce */
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
}

TEST(adoption_answered_after_the_end)
{
    adopting_by_renewal();
    event(EVENT_STOP);
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(f.row.nonce));
}

/* The earlier life's last renewals come late, one after the other; who goes on for ever is no
 * earlier life. */
TEST(adoption_overtaken)
{
    adopting_by_renewal();
    for (int i = 0; i < 2; i++) {
        f.row.nonce = next_nonce();
        f.now += 10 * MSEC;
        answer(OUTCOME_OTHER_NONCE);
        ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
        ck_assert_uint_eq(f.u.actions, 0);
        ck_assert_uint_eq(member_due(&f.m), f.now);
        ask();
        ck_assert(asks(OPERATION_RENEW));
        ck_assert_uint_eq(n_named(), 1);
        ck_assert(names(f.row.nonce));
    }
    f.row.nonce = next_nonce();
    answer(OUTCOME_OTHER_NONCE);
    assert_ends(REASON_COPY);
    proven_dead(); /* it is the copy's: nothing to release */
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_LOST);
}

/* By what it reads, just the same: the lock that the method asks for may be the other's, and then
 * nothing is refused. */
TEST(adoption_that_reads_something_else_each_time)
{
    adopting();
    for (int i = 0; i < 3; i++) {
        f.row.nonce = next_nonce();
        reading();
        (void)unanswered();
        f.now = member_due(&f.m);
    }
    f.row.nonce = next_nonce();
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_COPY);
}

/* Its own renewals of unknown outcome are no others'. */
TEST(adoption_by_a_renewal_of_unknown_outcome)
{
    adopting();
    for (int i = 0; i < 5; i++) {
        reading();
        f.row.nonce = unanswered();
        f.now = member_due(&f.m);
    }
    reading();
    ask();
    ck_assert(names(f.row.nonce));
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
}

/* The record shows that it is lost before it is asked for. */
TEST(adoption_of_what_is_lost, .times = 3)
{
    adopting();
    ask();
    if (_i == 0)
        own(&f.row, OTHER);
    else if (_i == 1)
        f.row.term++;
    else
        f.row.clean = true;
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_DENIED);
    ck_assert(!f.m.term.release);
}

TEST(adoption_not_read)
{
    usec_t deadline;

    adopting();
    deadline = f.m.term.deadline;
    ask();
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.term.deadline, deadline);
    ck_assert_uint_eq(member_due(&f.m), f.now + 8670000 / 4 / 4);
    reading();
}

/* A pause that our clocks did not see is as bad when it shows in what is read. */
TEST(adoption_after_a_pause)
{
    f.ahead = 1700000000 * SEC;
    first_seen();
    adopting();
    f.now += SEC;
    f.ahead += 3 * SEC;
    ask();
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_PAUSED);
}

/* The numbers are the keeper's, and its record has them. */
TEST(adopts_the_keepers_numbers)
{
    struct budget b;
    usec_t t0 = f.now + 1;

    ck_assert_int_eq(budget_compute(30 * SEC, 7 * SEC, &b), 0);
    resume(30 * SEC, 2 * SEC); /* S is the term's */
    own(&f.row, ME);
    keeper_lives(TERM);
    f.row.lease = f.host.keeper_lease = b.lease;
    f.row.stop = f.host.keeper_stop = b.stop;
    f.row.duration = f.host.keeper_duration = b.duration;
    f.host.keeper_deadline = t0 + b.duration;
    look();
    ck_assert_uint_eq(f.m.term.cover.lease, 30 * SEC);
    ck_assert_uint_eq(f.m.term.stop, 7 * SEC);
    ck_assert_uint_eq(member_limit(&f.m), b.poll);
    reading();
    f.now = t0 + 1;
    ask();
    ck_assert_uint_eq(f.request.lease, b.lease);
    ck_assert_uint_eq(f.request.duration, b.duration);
    grant();
    ck_assert_uint_eq(f.m.term.deadline, t0 + 1 + b.duration);
    f.now = member_due(&f.m);
    ask();
    grant();
    ck_assert_uint_eq(f.m.term.deadline, t0 + 1 + b.poll + b.duration);
}

/* What no keeper ever had is not believed: D ahead of the look, or less. */
#define KEEPERS_D ((usec_t)8670000)
static const struct {
    usec_t ahead, adopted;
} deadlines[] = {
    {1, 1},
    {KEEPERS_D - 1, KEEPERS_D - 1},
    {KEEPERS_D, KEEPERS_D},
    {KEEPERS_D + 1, KEEPERS_D},
    {9 * SEC, KEEPERS_D},
    {10000 * SEC, KEEPERS_D}, /* one digit of it is wrong */
    {USEC_INFINITY, KEEPERS_D},
};

TEST(adopts_no_deadline_beyond_d, EACH(deadlines))
{
    usec_t t0 = f.now + 1;

    own(&f.row, ME);
    keeper_lives(TERM);
    f.host.keeper_deadline = usec_add(t0, deadlines[_i].ahead);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
    ck_assert_uint_eq(f.m.term.deadline, t0 + deadlines[_i].adopted);
    ck_assert_uint_eq(member_wake(&f.m), t0 + deadlines[_i].adopted);
    if (deadlines[_i].ahead == 1)
        return; /* there is no time left to renew in */
    reading();
    f.now = t0 + 1;
    ask();
    grant(); /* in no time: the keeper would refuse more than D */
    ck_assert_uint_eq(f.u.actions, ACTION_EXTEND | ACTION_POLL); /* until its lease is seen */
    ck_assert_uint_eq(f.m.term.deadline, t0 + 1 + KEEPERS_D);
}

static void keeper_of_another_owner(void)
{
    f.host.keeper_ours = false;
}
static void keeper_at_its_deadline(void)
{
    f.host.keeper_deadline = f.now + 1; /* the time of the look */
}
static void keeper_just_before_its_deadline(void)
{
    f.host.keeper_deadline = f.now + 2;
}
static void keeper_without_a_duration(void)
{
    f.host.keeper_duration = 0;
}
static void keeper_of_a_term_that_ended(void)
{
    f.m.over_term = TERM;
}
static void keeper_of_a_later_term(void)
{
    f.m.over_term = TERM - 1;
}

static const struct {
    void (*make)(void);
    bool adopted, ours;
} found[] = {
    {keeper_just_before_its_deadline, true, true}, {keeper_of_a_later_term, true, true},
    {keeper_of_another_owner, false, false},       {keeper_at_its_deadline, false, true},
    {keeper_of_a_term_that_ended, false, true},    {keeper_without_a_duration, false, true},
};

TEST(adopts_only_what_is_its_own, EACH(found))
{
    own(&f.row, ME);
    keeper_lives(TERM);
    found[_i].make();
    look();
    if (found[_i].adopted) {
        ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
        return;
    }
    assert_ends(REASON_FOREIGN_KEEPER);
    ck_assert_uint_eq(f.m.term.number, TERM); /* which END names */
    proven_dead();
    ck_assert_int_eq(f.m.state, found[_i].ours ? MEMBER_RELEASING : MEMBER_STANDBY);
    if (!found[_i].ours)
        ck_assert_int_eq(f.u.note, NOTE_LOST);
}

/* One that begins or ends by itself is neither adopted nor ended. */
TEST(keeper_on_its_way_is_left_alone, .times = 3)
{
    keeper_lives(TERM);
    if (_i == 0)
        f.host.keeper = KEEPER_BUSY;
    else if (_i == 1)
        f.host.keeper_term = 0;
    else
        f.host.keeper = KEEPER_UNKNOWN;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.u.actions, 0);
}

TEST(adoption_refused)
{
    adopting_by_renewal();
    own(&f.row, OTHER);
    answer(OUTCOME_DENIED);
    assert_ends(REASON_DENIED);
    ck_assert(!f.m.term.release);
}

/* No answer: the keeper's old deadline rules, then the record is watched: the life that renewed it
 * may live. */
TEST(adoption_unknown)
{
    usec_t deadline;

    adopting_by_renewal();
    deadline = f.m.term.deadline;
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.term.deadline, deadline);
    f.now = deadline - 1;
    event(EVENT_CLOCK);
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
    f.now++;
    event(EVENT_CLOCK);
    assert_ends(REASON_DEADLINE);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    usec_t read_at = f.now;
    while (f.now < read_at + STILL) {
        ck_assert_uint_le(member_due(&f.m), usec_min(f.now + P, read_at + STILL));
        ck_assert_uint_gt(member_due(&f.m), f.now);
        f.now = member_due(&f.m);
        ask();
        ck_assert_int_eq(asks(OPERATION_RELEASE), f.now == read_at + STILL);
        if (asks(OPERATION_OBSERVE))
            answer(OUTCOME_GRANTED);
    }
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(f.row.nonce));
}

/* An answer to a mere look proves nothing, even though it names this node. */
TEST(reading_is_no_adoption)
{
    ask();
    adopting();
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(member_due(&f.m), f.now);
}

TEST(stopped_member_ends_what_it_finds)
{
    event(EVENT_STOP);
    own(&f.row, ME);
    keeper_lives(TERM);
    look();
    assert_ends(REASON_STOPPED);
    ck_assert_uint_eq(f.m.term.number, TERM);
    ck_assert(f.m.term.release);
}

TEST(adopting_keeper_lost_or_stopped, .times = 2)
{
    adopting();
    if (_i == 0) {
        event(EVENT_STOP);
        assert_ends(REASON_STOPPED);
        return;
    }
    all_dead();
    look();
    assert_ends(REASON_KEEPER_LOST);
}

/* A keeper seen while a claim is under way is judged when its answer is there. */
TEST(keeper_found_while_claiming)
{
    claiming();
    keeper_lives(TERM);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.u.actions, 0);
    grant();
    assert_ends(REASON_HOST_NOT_READY);
}
