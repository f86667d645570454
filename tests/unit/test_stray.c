/* SPDX-License-Identifier: Apache-2.0 */
/* When units that run without a term are ended by name: each limit, and what sets it. */
#include "election/stray.h"
#include "support/test.h"

#define NOW ((usec_t)1000000000)
#define MSEC USEC_PER_MSEC
#define SEC USEC_PER_SEC
#define S (5 * SEC)
#define K (1 * SEC)
#define BOUND (S + K + BUDGET_SLACK_USEC) /* of an end that nobody disturbs */

static struct member m;
static struct stray s;
static usec_t now;

/* A standby, and a unit that runs on its host. */
static void set_up(void)
{
    now = NOW;
    s = (struct stray){.since = 0};
    m = (struct member){
        .state = MEMBER_STANDBY,
        .since = NOW - 60 * SEC,
        .host = {.keeper = KEEPER_GONE, .slice_empty = true, .units_stay = true},
    };
    ck_assert_int_eq(budget_compute(15 * SEC, S, &m.budget), 0);
}

static enum stray_verdict look_at(usec_t at)
{
    now = at;
    m.host.asked_at = at - 1;
    return stray_judge(&s, &m, now);
}

static void all_dead(void)
{
    m.host.units_dead = m.host.slice_empty = true;
    m.host.units_stay = false;
}

TEST_CASE(stray, .set_up = set_up);

TEST(nothing_runs)
{
    all_dead();
    ck_assert_int_eq(look_at(NOW), STRAY_NONE);
    ck_assert_uint_eq(stray_due(&s), USEC_INFINITY);
    stray_stopped(&s, now);
    ck_assert_uint_eq(stray_due(&s), USEC_INFINITY);
    stray_refused(&s, now);
    ck_assert_uint_eq(stray_due(&s), USEC_INFINITY);
}

/* Systemd has yet to say how its units stopped, after a term or later: that may take its time. */
TEST(what_is_not_proven_yet_does_not_run, .times = 2)
{
    all_dead();
    m.host.open = true;
    if (_i) {
        m.state = MEMBER_ENDING;
        m.since = NOW;
        m.term.stop = S;
        m.term.cover.lease = 15 * SEC;
    }
    ck_assert_int_eq(look_at(NOW + 60 * SEC), STRAY_NONE);
    ck_assert_uint_eq(stray_due(&s), USEC_INFINITY);
    ck_assert_int_eq(look_at(NOW + 120 * SEC), STRAY_NONE);
}

/* Either of both is something. */
TEST(a_stop_of_the_keeper_comes_first, .times = 2)
{
    if (_i) {
        m.host.units_dead = true;
        m.host.units_stay = m.host.slice_empty = false;
    }
    ck_assert_int_eq(look_at(NOW), STRAY_NONE);
    ck_assert_uint_eq(stray_due(&s), NOW + STRAY_LASTS_USEC);
    ck_assert_int_eq(look_at(NOW + STRAY_LASTS_USEC), STRAY_NONE);
    ck_assert_int_eq(look_at(NOW + 60 * SEC), STRAY_NONE); /* the member has not asked for it */
    stray_stopped(&s, now);
    usec_t stopped = now;
    ck_assert_uint_eq(stray_due(&s), stopped + STRAY_STOP_USEC);
    ck_assert_int_eq(look_at(stopped + STRAY_STOP_USEC - 1), STRAY_NONE);
    stray_stopped(&s, now); /* asked again and again: the first time counts */
    ck_assert_int_eq(look_at(stopped + STRAY_STOP_USEC), STRAY_END);
}

/* Seen for the first time, stopped, ended by name. When that was. */
static usec_t end_once(void)
{
    ck_assert_int_eq(look_at(NOW), STRAY_NONE);
    stray_stopped(&s, NOW + STRAY_LASTS_USEC);
    ck_assert_int_eq(look_at(NOW + STRAY_LASTS_USEC + STRAY_STOP_USEC), STRAY_END);
    return now;
}

TEST(and_again_later_each_time)
{
    usec_t ended = end_once(), pause = STRAY_AGAIN_USEC;

    for (int i = 0; i < 8; i++) {
        ck_assert_uint_eq(stray_due(&s), ended + S + pause);
        ck_assert_int_eq(look_at(ended + S + pause - 1), STRAY_NONE);
        ck_assert_int_eq(look_at(ended + S + pause), STRAY_END);
        ended = now;
        pause = usec_min(2 * pause, STRAY_AGAIN_MAX_USEC);
    }
    ck_assert_uint_eq(pause, STRAY_AGAIN_MAX_USEC);
}

TEST(sooner_when_nobody_could_be_asked)
{
    usec_t ended = end_once();

    stray_refused(&s, ended + MSEC);
    ck_assert_uint_eq(stray_due(&s), ended + MSEC + STRAY_AGAIN_USEC);
    ck_assert_int_eq(look_at(stray_due(&s)), STRAY_END);
    stray_refused(&s, now);
    ck_assert_uint_eq(stray_due(&s), now + 2 * STRAY_AGAIN_USEC);
}

TEST(gone_is_reported_when_it_was_ended)
{
    ck_assert_int_eq(look_at(NOW), STRAY_NONE);
    all_dead();
    ck_assert_int_eq(look_at(NOW + MSEC), STRAY_NONE);
    set_up();
    (void)end_once();
    all_dead();
    ck_assert_int_eq(look_at(now + MSEC), STRAY_GONE);
    ck_assert_int_eq(look_at(now + MSEC), STRAY_NONE);
    ck_assert_uint_eq(stray_due(&s), USEC_INFINITY);
}

/* What comes again is another one: with a time of its own. */
TEST(it_begins_again)
{
    (void)end_once();
    struct host_state before = m.host;
    all_dead();
    ck_assert_int_eq(look_at(now + MSEC), STRAY_GONE);
    m.host = before;
    ck_assert_int_eq(look_at(now + MSEC), STRAY_NONE);
    ck_assert_uint_eq(stray_due(&s), now + STRAY_LASTS_USEC);
}

static const enum keeper_presence presences[] = {KEEPER_UNKNOWN, KEEPER_BUSY, KEEPER_ACTIVE};

TEST(a_standby_goes_by_pid1, EACH(presences))
{
    m.host.keeper = presences[_i];
    ck_assert_int_eq(look_at(NOW), STRAY_NONE);
    ck_assert_uint_eq(stray_due(&s), USEC_INFINITY);
}

/* The stop of the keeper waits for them. */
TEST(a_job_that_waits_for_them_is_no_keeper)
{
    ck_assert_int_eq(look_at(NOW), STRAY_NONE);
    stray_stopped(&s, NOW + STRAY_LASTS_USEC);
    m.host.keeper = KEEPER_BUSY;
    m.host.keeper_queued = true;
    ck_assert_int_eq(look_at(NOW + STRAY_LASTS_USEC + STRAY_STOP_USEC), STRAY_END);
}

static const enum member_state with_a_term[] = {MEMBER_CONFIRMING, MEMBER_STARTING, MEMBER_LEADING,
                                                MEMBER_ADOPTING, MEMBER_RELEASING};

/* Whatever runs may do so by right, or is on its way. */
TEST(never_in_a_term, EACH(with_a_term))
{
    (void)end_once();
    m.state = with_a_term[_i];
    ck_assert_int_eq(look_at(stray_due(&s)), STRAY_GONE);
    ck_assert_int_eq(look_at(now + 60 * SEC), STRAY_NONE);
    ck_assert_uint_eq(stray_due(&s), USEC_INFINITY);
}

static void end_term(void)
{
    m.state = MEMBER_ENDING;
    m.since = NOW;
    m.host.units_stay = false;
    m.term.stop = S;
    m.term.cover.lease = 15 * SEC;
}

TEST(after_a_term_no_stop_is_waited_for)
{
    end_term();
    ck_assert_int_eq(look_at(NOW), STRAY_NONE); /* asked before its end */
    ck_assert_uint_eq(stray_due(&s), USEC_INFINITY);
    ck_assert_int_eq(look_at(NOW + 2), STRAY_NONE);
    ck_assert_uint_eq(stray_due(&s), NOW + 2 + STRAY_LASTS_USEC);
    ck_assert_int_eq(look_at(NOW + 2 + STRAY_LASTS_USEC), STRAY_NONE);
    ck_assert_int_eq(look_at(now + STRAY_STOP_USEC), STRAY_END);
}

TEST(a_keeper_that_does_not_go_has_its_time, .times = 2)
{
    end_term();
    m.host.keeper = _i ? KEEPER_BUSY : KEEPER_UNKNOWN;
    ck_assert_int_eq(look_at(NOW + BOUND - 1), STRAY_NONE);
    ck_assert_uint_eq(stray_due(&s), USEC_INFINITY);
    ck_assert_int_eq(look_at(NOW + BOUND), STRAY_NONE);
    ck_assert_uint_eq(stray_due(&s), NOW + BOUND + STRAY_LASTS_USEC);
}

TEST(a_unit_that_no_stop_has_reached_is_ended_at_once)
{
    end_term();
    m.host.keeper = KEEPER_BUSY;
    m.host.units_stay = true;
    ck_assert_int_eq(look_at(NOW + STRAY_UNREACHED_USEC), STRAY_NONE); /* asked a moment before */
    ck_assert_uint_eq(stray_due(&s), USEC_INFINITY);
    m.host.units_stay = false; /* PID 1 stops it */
    ck_assert_int_eq(look_at(NOW + STRAY_UNREACHED_USEC + 1), STRAY_NONE);
    m.host.units_stay = true;
    ck_assert_int_eq(look_at(NOW + STRAY_UNREACHED_USEC + 1), STRAY_END);
    usec_t ended = now;
    ck_assert_int_eq(look_at(ended + S + STRAY_AGAIN_USEC - 1), STRAY_NONE);
    ck_assert_int_eq(look_at(ended + S + STRAY_AGAIN_USEC), STRAY_END);
}

/* The longer one counts: of the term, or of the configuration. */
TEST(s_and_k_of_the_term, .times = 2)
{
    end_term();
    m.term.stop = _i ? S + SEC : SEC;
    m.term.cover.lease = _i ? 15 * SEC : SEC;
    m.host.keeper = KEEPER_BUSY;
    usec_t bound = BOUND + (_i ? SEC : 0);
    (void)look_at(NOW + bound - 1);
    ck_assert_uint_eq(stray_due(&s), USEC_INFINITY);
    (void)look_at(NOW + bound);
    ck_assert_uint_ne(stray_due(&s), USEC_INFINITY);
}

/* What was asked to stop them may do so once more: a term that began now would lose its units. */
TEST(no_claim_while_they_may_be_stopped)
{
    ck_assert(stray_settled(&s, NOW));
    ck_assert_int_eq(look_at(NOW), STRAY_NONE);
    ck_assert(stray_settled(&s, now)); /* PID 1 alone is at it, and the member sees them itself */
    (void)end_once();
    ck_assert(!stray_settled(&s, now + 60 * SEC));
    all_dead();
    ck_assert_int_eq(look_at(now + MSEC), STRAY_GONE);
    usec_t gone = now;
    ck_assert_int_eq(look_at(gone + STRAY_SETTLE_USEC / 2), STRAY_NONE);
    ck_assert(!stray_settled(&s, gone + STRAY_SETTLE_USEC - 1));
    ck_assert(stray_settled(&s, gone + STRAY_SETTLE_USEC));
}

/* Those of before count until then, whatever comes. */
TEST(no_claim_soon_after_others, .times = 2)
{
    (void)end_once();
    struct host_state before = m.host;
    all_dead();
    ck_assert_int_eq(look_at(now + MSEC), STRAY_GONE);
    usec_t gone = now;
    m.host = before;
    ck_assert_int_eq(look_at(gone + MSEC), STRAY_NONE);
    if (_i) {
        all_dead();
        ck_assert_int_eq(look_at(gone + 2 * MSEC), STRAY_NONE);
    }
    ck_assert(!stray_settled(&s, gone + STRAY_SETTLE_USEC - 1));
    ck_assert(stray_settled(&s, gone + STRAY_SETTLE_USEC));
}

TEST(killed_is_said_when_it_is_true)
{
    ck_assert(!stray_killed(&s, &m, NOW + 60 * SEC));
    usec_t ended = end_once();
    ck_assert(!stray_killed(&s, &m, ended + S + K - 1));
    ck_assert(stray_killed(&s, &m, ended + S + K));
}
