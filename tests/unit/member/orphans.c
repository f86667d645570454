/* SPDX-License-Identifier: Apache-2.0 */
/* A record in this node's name though nothing of it lives here: an earlier life's, or a copy's. */
#include "fixture.h"

TEST_CASE(orphans, .set_up = set_up);

/* Sees it for the first time, and every P until `until`. Returns since when. */
static usec_t watched_until(usec_t after)
{
    own(&f.row, ME);
    usec_t seen = first_seen();

    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    if (after > 0)
        observe_until(seen + after, P);
    return seen;
}

TEST(orphan_is_given_back_when_it_stayed_unchanged, .times = 2)
{
    usec_t seen = watched_until(STILL - 1);

    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(member_due(&f.m), seen + STILL);
    f.now = member_due(&f.m);
    look_asked_at(f.now);
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_ORPHAN);
    if (_i == 1) /* whatever connection it was seen on */
        event(EVENT_CONNECTED);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_uint_eq(f.u.request.term, TERM);
    ck_assert_uint_eq(n_named(), 1);
    ck_assert(names(f.row.nonce));
    grant();
    ck_assert_int_eq(f.u.note, NOTE_RELEASED);
}

static void interrupt_history(void)
{
    f.epoch.timeline++;
}
static void interrupt_change(void)
{
    f.row.nonce = next_nonce();
}
static void interrupt_clock(void)
{
    f.fit = false;
    ask();
    answer(OUTCOME_GRANTED);
    f.fit = true;
    f.now = f.m.not_before;
}
static void (*const interruptions[])(void) = {interrupt_history, interrupt_change, interrupt_clock};

/* Connections that last for less than it takes: a nonce that is the same has not changed. */
TEST(what_stays_unchanged_does_so_over_reconnects)
{
    watched_until(STILL - 1);
    event(EVENT_CONNECTED);
    f.now++;
    look_asked_at(f.now);
    ask();
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_ORPHAN);
}

TEST(what_does_not_stay_unchanged_is_watched_again, EACH(interruptions))
{
    watched_until(STILL - 1);
    interruptions[_i]();
    f.now++;
    look_asked_at(f.now);
    ask();
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_NONE);
    usec_t again = f.now;
    observe_until(again + STILL - 1, P);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    f.now++;
    look_asked_at(f.now);
    ask();
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_ORPHAN);
}

/* Once may be a renewal of the earlier life that came late. */
TEST(what_changes_twice_is_a_copy)
{
    watched_until(0);
    for (int i = 1; i <= 3; i++) {
        f.now += P;
        look_asked_at(f.now);
        f.row.nonce = next_nonce();
        if (i == 2)
            event(EVENT_CONNECTED); /* which makes it no other */
        ask();
        answer(OUTCOME_GRANTED);
        ck_assert_int_eq(f.u.note, i == 2 ? NOTE_COPY : NOTE_NONE); /* said once */
        ck_assert_int_eq(member_copied(&f.m), i >= 2);
    }
    /* Never given back; but it is claimed like anybody's. */
    usec_t seen = f.now;
    observe_until(seen + L - 1, P / 2);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    f.now++;
    look_asked_at(f.now);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}

/* Writes that a failover lost are no renewals; neither is another term. */
TEST(what_changes_otherwise_is_no_copy, .times = 2)
{
    watched_until(0);
    for (int i = 0; i < 4; i++) {
        f.now += P;
        look_asked_at(f.now);
        f.row.nonce = next_nonce();
        if (_i == 0)
            f.epoch.timeline++;
        else
            f.row.term++;
        ask();
        answer(OUTCOME_GRANTED);
        ck_assert_int_eq(f.u.note, NOTE_NONE);
        ck_assert(!member_copied(&f.m));
    }
}

/* Where the term is over already, too: what an unfit clock saw does not count. */
TEST(what_is_given_back_is_watched_by_a_fit_clock)
{
    usec_t seen = watched_until(STILL - 1);

    f.now = seen + STILL;
    look_asked_at(f.now);
    ask();
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_ORPHAN);
    proven_dead();
    f.fit = false;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    f.fit = true;
    f.now += STILL;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_uint_ge(member_due(&f.m), f.now);
    f.now += STILL;
    ask();
    ck_assert(asks(OPERATION_RELEASE));
}

/* It changes between the look and the release. */
TEST(orphan_that_moves_when_given_back, .times = 2)
{
    usec_t seen = watched_until(STILL - 1);

    f.now = seen + STILL;
    look_asked_at(f.now);
    ask();
    answer(OUTCOME_GRANTED);
    proven_dead();
    for (int i = 0; i < 2; i++) {
        f.now = usec_max(f.now, member_due(&f.m));
        ask();
        while (asks(OPERATION_OBSERVE)) {
            answer(OUTCOME_GRANTED);
            f.now = member_due(&f.m);
            ask();
        }
        ck_assert(asks(OPERATION_RELEASE));
        ck_assert(names(f.row.nonce));
        if (_i == 1 && i == 1)
            break;
        f.row.nonce = next_nonce();
        answer(OUTCOME_OTHER_NONCE);
        if (i == 0)
            ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    }
    if (_i == 1) { /* a late renewal was all */
        grant();
        ck_assert_int_eq(f.u.note, NOTE_RELEASED);
        return;
    }
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_COPY);
    ck_assert_uint_eq(f.m.over_term, TERM);
}

/* Its keeper may live: no answer of PID 1, no judgement. */
TEST(orphan_waits_for_pid1, .times = 3)
{
    usec_t seen = watched_until(STILL - 1);

    f.now = seen + STILL;
    if (_i == 0)
        f.now = f.m.host.asked_at + 2 * P + SEC + 1; /* the last look is stale */
    else {
        f.host.keeper = _i == 1 ? KEEPER_UNKNOWN : KEEPER_BUSY;
        look_asked_at(f.now);
    }
    ask();
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_gt(member_due(&f.m), f.now);
}

/* What a keeper that cannot be adopted has left behind is watched, too. */
TEST(record_of_a_keeper_that_was_not_adopted)
{
    own(&f.row, ME);
    keeper_lives(TERM);
    f.host.keeper_deadline = f.now + 1;
    look();
    assert_ends(REASON_FOREIGN_KEEPER);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_uint_gt(member_due(&f.m), f.now);
    f.row.nonce = next_nonce();
    for (int i = 0; i < 2; i++) {
        f.now = member_due(&f.m);
        ask();
        answer(OUTCOME_GRANTED);
        f.row.nonce = next_nonce();
    }
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_COPY);
}

/* Nothing is known of a term that is a copy's but that. */
TEST(keeper_of_a_copied_term)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    f.row.nonce = next_nonce();
    answer(OUTCOME_OTHER_NONCE);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    keeper_lives(TERM + 1);
    look();
    assert_ends(REASON_FOREIGN_KEEPER);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_LOST);
}
