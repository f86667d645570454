/* SPDX-License-Identifier: Apache-2.0 */
/* What this host's clock and the arbiter's say of each other. */

#include "base/budget.h"
#include "election/pause.h"
#include "support/test.h"

#define SEC USEC_PER_SEC
#define MSEC USEC_PER_MSEC
#define L (15 * SEC)
#define WALL ((usec_t)1700000000 * SEC)

/* Own time, and by how much the arbiter's clock is off from "WALL at our 0". */
static usec_t own;
static int64_t offset;
static struct epoch epoch;
static struct pause_watch watch;

static void set_up(void)
{
    own = 5000 * SEC;
    offset = 0;
    epoch = (struct epoch){.system_id = UINT64_MAX, .timeline = 3};
    watch = (struct pause_watch){0};
}

TEST_CASE(pauses, .set_up = set_up);

/* After a span of own time: an answer that took so long, the arbiter's clock read when `part` of a
 * hundred of that was over. */
static enum pause_verdict ask(usec_t later, usec_t took, unsigned part)
{
    usec_t sent = own + later;
    struct reply reply = {.outcome = OUTCOME_GRANTED, .epoch = epoch};

    own = sent + took;
    reply.arbiter_time = WALL + (usec_t)((int64_t)(sent + took * part / 100) + offset);
    return pause_judge(&watch, &reply, sent, own, L);
}

static enum pause_verdict tick(void)
{
    return ask(2 * SEC, MSEC, 50);
}

TEST(nothing_happens)
{
    for (unsigned i = 0; i < 1000; i++)
        ck_assert_int_eq(ask(2 * SEC, i % 7 * 300 * MSEC, i % 101), PAUSE_NONE);
}

static const struct {
    int64_t step;
    enum pause_verdict verdict;
} steps[] = {
    {-3600 * (int64_t)SEC, PAUSE_NONE},
    {-(int64_t)SEC, PAUSE_NONE},
    {500 * (int64_t)MSEC, PAUSE_NONE},
    {999 * (int64_t)MSEC, PAUSE_NONE},
    {1050 * (int64_t)MSEC, PAUSE_LIKELY},
    {8 * (int64_t)SEC, PAUSE_LIKELY},
    {(int64_t)L, PAUSE_LIKELY},
    {(int64_t)(2 * L + 20 * SEC), PAUSE_LIKELY},
    {(int64_t)(2 * L + 21 * SEC), PAUSE_OR_STEP},
    {3600 * (int64_t)SEC, PAUSE_OR_STEP},
};

TEST(the_arbiters_clock_goes_ahead, EACH(steps))
{
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(tick(), PAUSE_NONE);
    offset += steps[_i].step;
    ck_assert_int_eq(tick(), steps[_i].verdict);
    for (int i = 0; i < 1000; i++) /* said once */
        ck_assert_int_eq(tick(), PAUSE_NONE);
}

/* As time daemons do it, on either host: 0.05 %, either way. */
TEST(drift_is_no_pause)
{
    for (int direction = -1; direction <= 1; direction += 2) {
        set_up();
        for (int i = 0; i < 10000; i++) {
            offset += direction * (int64_t)(2 * SEC / 2000);
            ck_assert_int_eq(tick(), PAUSE_NONE);
        }
    }
}

/* The arbiter's host was paused, and its time daemon sets the clock right again. */
TEST(catching_up_is_no_pause)
{
    ck_assert_int_eq(tick(), PAUSE_NONE);
    offset -= 20 * (int64_t)SEC;
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(tick(), PAUSE_NONE);
    offset += 20 * (int64_t)SEC;
    ck_assert_int_eq(tick(), PAUSE_NONE);
    /* Too long ago is forgotten. */
    offset -= 20 * (int64_t)SEC;
    for (int i = 0; i < 400; i++)
        ck_assert_int_eq(tick(), PAUSE_NONE);
    offset += 20 * (int64_t)SEC;
    ck_assert_int_eq(tick(), PAUSE_LIKELY);
}

TEST(small_pauses_add_up)
{
    int i;

    ck_assert_int_eq(tick(), PAUSE_NONE);
    for (i = 0; i < 10; i++) {
        offset += 300 * (int64_t)MSEC;
        if (tick() == PAUSE_LIKELY)
            break;
    }
    ck_assert_int_eq(i, 3);
}

/* A slow answer proves little, whichever way; a quick one later makes up for it. */
TEST(slow_answers)
{
    ck_assert_int_eq(ask(2 * SEC, 2 * SEC, 0), PAUSE_NONE);
    offset += 2 * (int64_t)SEC;
    ck_assert_int_eq(ask(2 * SEC, 2 * SEC, 100), PAUSE_LIKELY);
    set_up();
    ck_assert_int_eq(ask(2 * SEC, 2 * SEC, 100), PAUSE_NONE);
    offset += 2 * (int64_t)SEC;
    ck_assert_int_eq(tick(), PAUSE_NONE); /* may have been read that late */
    ck_assert_int_eq(tick(), PAUSE_NONE);
    offset += 2 * (int64_t)SEC;
    ck_assert_int_eq(tick(), PAUSE_LIKELY);
}

/* Another server has another clock. */
TEST(a_failover_begins_again)
{
    ck_assert_int_eq(tick(), PAUSE_NONE);
    offset += 5 * (int64_t)SEC;
    epoch.timeline++;
    ck_assert_int_eq(tick(), PAUSE_NONE);
    offset += 5 * (int64_t)SEC;
    epoch.system_id = 7;
    ck_assert_int_eq(tick(), PAUSE_NONE);
    offset += 5 * (int64_t)SEC;
    ck_assert_int_eq(tick(), PAUSE_LIKELY);
}

TEST(times_that_are_none)
{
    static const usec_t times[] = {0, USEC_INFINITY, INT64_MAX, (usec_t)INT64_MAX / 4 + 1};
    struct reply reply = {.outcome = OUTCOME_GRANTED, .epoch = epoch};

    ck_assert_int_eq(tick(), PAUSE_NONE);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        reply.arbiter_time = times[i];
        ck_assert_int_eq(pause_judge(&watch, &reply, own, own, L), PAUSE_NONE);
    }
    reply.arbiter_time = WALL;
    ck_assert_int_eq(pause_judge(&watch, &reply, own, USEC_INFINITY, L), PAUSE_NONE);
    ck_assert_int_eq(pause_judge(&watch, &reply, USEC_INFINITY, own, USEC_INFINITY), PAUSE_NONE);
    set_up();
    ck_assert_int_eq(tick(), PAUSE_NONE);
    reply = (struct reply){.epoch = epoch, .arbiter_time = (usec_t)INT64_MAX / 4};
    ck_assert_int_eq(pause_judge(&watch, &reply, 0, own, USEC_INFINITY), PAUSE_OR_STEP);
}
