/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this host's clock kept within what the budget tolerates, by what two of its clocks say.
 */
#include <string.h>

#include "daemon/clock_rate.h"
#include "daemon/drift.h"
#include "support/test.h"
#include "support/text.h"

TEST_CASE(drift);

#define SEC UINT64_C(1000000000)
#define MSEC UINT64_C(1000000)
#define YEARS (INT64_C(8760) * 3600 * (int64_t)SEC)
#define WIDTH UINT64_C(200) /* of a reading that nothing came in between of */
#define NOW (1000 * SEC)

/* Both clocks at some time, the raw one read at both ends of `width`. */
static struct drift_reading reading(uint64_t raw, uint64_t monotonic, uint64_t width)
{
    return (struct drift_reading){
        .before = raw - width / 2, .monotonic = monotonic, .after = raw + width / 2};
}

static struct drift_watch w;

static enum drift_verdict judge(uint64_t raw, uint64_t monotonic)
{
    struct drift_reading r = reading(raw, monotonic, WIDTH);

    return drift_judge(&w, &r);
}

/* From NOW on, both having shown the same then. */
static enum drift_verdict after(uint64_t span, int64_t ahead)
{
    ck_assert_int_eq(judge(NOW, NOW), DRIFT_UNKNOWN);
    return judge(NOW + span, NOW + span + (uint64_t)ahead);
}

TEST(one_reading_says_nothing)
{
    ck_assert_int_eq(judge(NOW, 7 * NOW), DRIFT_UNKNOWN);
    ck_assert(w.has_mark);
}

TEST(where_the_clocks_were_before_does_not_matter)
{
    ck_assert_int_eq(judge(NOW, 7 * NOW), DRIFT_UNKNOWN);
    ck_assert_int_eq(judge(NOW + SEC, 7 * NOW + SEC), DRIFT_WITHIN);
    ck_assert_int_eq(w.ppm, 0);
}

/* Half of WIDTH of each reading, and two nanoseconds, may be on the other side. */
TEST(a_thousandth_is_the_limit, .times = 2)
{
    int64_t sign = _i ? -1 : 1, limit = (int64_t)(SEC - WIDTH) / 1000;
    int64_t unsure = (int64_t)WIDTH + 2;

    ck_assert_int_eq(after(SEC, sign * (limit - unsure)), DRIFT_WITHIN);
    w = (struct drift_watch){0};
    ck_assert_int_eq(after(SEC, sign * (limit - unsure + 1)), DRIFT_BEYOND);
    ck_assert_int_eq(w.ppm, sign * 999);
}

/* What counts is the whole time between: 1 s at 5 % of 2 s, or of 2 min. */
TEST(a_slew_that_is_over_is_seen_by_what_it_came_to)
{
    ck_assert_int_eq(after(2 * SEC, (int64_t)(50 * MSEC)), DRIFT_BEYOND);
    ck_assert_int_eq(w.ppm, 25000);
    ck_assert_int_eq(judge(NOW + 4 * SEC, NOW + 4 * SEC + 50 * MSEC), DRIFT_WITHIN);
    w = (struct drift_watch){0};
    ck_assert_int_eq(after(120 * SEC, (int64_t)(50 * MSEC)), DRIFT_WITHIN);
    ck_assert_int_eq(w.ppm, 416);
}

/* Each time from the last reading that was judged: what was, is not made good by what comes. */
TEST(each_time_is_judged_by_itself)
{
    ck_assert_int_eq(after(SEC, (int64_t)MSEC), DRIFT_BEYOND);
    ck_assert_int_eq(judge(NOW + 2 * SEC, NOW + 2 * SEC + MSEC), DRIFT_WITHIN);
    ck_assert_int_eq(judge(NOW + 3 * SEC, NOW + 3 * SEC), DRIFT_BEYOND);
    ck_assert_int_eq(w.ppm, -1000);
}

/* 402 ns uncertain in all: in less than 4 ms that is more than 100 ppm. */
TEST(too_short_a_time_says_nothing_yet)
{
    uint64_t first = 2 * MSEC + 20 * 1000 + WIDTH;

    ck_assert_int_eq(after(first - 1, (int64_t)MSEC), DRIFT_UNKNOWN);
    ck_assert_uint_eq(w.mark.before, NOW - WIDTH / 2);
    ck_assert_int_eq(judge(NOW + first, NOW + first), DRIFT_WITHIN);
    /* And then what was known before stands. */
    ck_assert_int_eq(judge(NOW + first + 1000, NOW + first + 9000), DRIFT_WITHIN);
    ck_assert_int_eq(judge(NOW + first, NOW + first), DRIFT_WITHIN);
    ck_assert_int_eq(judge(NOW + SEC, NOW + 2 * SEC), DRIFT_BEYOND);
    ck_assert_int_eq(judge(NOW + SEC + 1000, NOW + 2 * SEC + 1000), DRIFT_BEYOND);
    ck_assert_int_gt(w.ppm, 900000);
}

/* An interrupted reading says less, so it takes longer. */
TEST(wide_readings_need_more_time)
{
    struct drift_reading first = reading(NOW, NOW, DRIFT_WIDTH_MAX_NSEC),
                         soon = reading(NOW + SEC, NOW + SEC, DRIFT_WIDTH_MAX_NSEC),
                         late = reading(NOW + 3 * SEC, NOW + 3 * SEC, DRIFT_WIDTH_MAX_NSEC);

    ck_assert(drift_sharp(&first));
    ck_assert_int_eq(drift_judge(&w, &first), DRIFT_UNKNOWN);
    ck_assert_int_eq(drift_judge(&w, &soon), DRIFT_UNKNOWN);
    ck_assert_int_eq(drift_judge(&w, &late), DRIFT_WITHIN);
}

TEST(what_is_read_in_one_go)
{
    struct drift_reading r = {.before = NOW, .monotonic = NOW, .after = NOW + DRIFT_WIDTH_MAX_NSEC};

    ck_assert(drift_sharp(&r));
    r.after++;
    ck_assert(!drift_sharp(&r));
    r.after = r.before - 1; /* went back in between */
    ck_assert(!drift_sharp(&r));
}

/* Suspended, or a virtual machine that was stopped: neither clock goes on. */
TEST(a_machine_that_was_paused_shows_nothing)
{
    ck_assert_int_eq(after(SEC, 0), DRIFT_WITHIN);
    /* Eight hours later by any other clock. */
    ck_assert_int_eq(judge(NOW + SEC + 1000, NOW + SEC + 1000), DRIFT_WITHIN);
    ck_assert_int_eq(judge(NOW + 2 * SEC, NOW + 2 * SEC), DRIFT_WITHIN);
}

/* One of them stopped alone, or was set forward. */
TEST(one_clock_alone_is_beyond, .times = 2)
{
    ck_assert_int_eq(judge(NOW, NOW), DRIFT_UNKNOWN);
    ck_assert_int_eq(judge(NOW + (_i ? SEC : 30000 * SEC), NOW + (_i ? 30000 * SEC : SEC)),
                     DRIFT_BEYOND);
    ck_assert_int_eq(w.ppm, _i ? 1000000000 : -999966); /* as much as is worth telling */
    ck_assert_int_eq(judge(NOW + 60000 * SEC, NOW + (_i ? 89999 : 30001) * SEC), DRIFT_WITHIN);
}

TEST(a_clock_that_went_back_is_no_clock, .times = 3)
{
    ck_assert_int_eq(after(SEC, 0), DRIFT_WITHIN);
    uint64_t raw = _i == 1 ? NOW + 2 * SEC : NOW, monotonic = _i == 0 ? NOW + 2 * SEC : NOW;

    ck_assert_int_eq(judge(raw, monotonic), DRIFT_BEYOND);
    ck_assert_int_eq(w.ppm, 0);
    /* From there on it may be one again. */
    ck_assert_int_eq(judge(raw + SEC, monotonic + SEC), DRIFT_WITHIN);
}

static const uint64_t huge[] = {
    (uint64_t)INT64_MAX / 8 + 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX,
};

/* No reading of a machine: never believed, and nothing wraps. */
TEST(times_beyond_reason, EACH(huge))
{
    struct drift_reading r[] = {
        {.before = huge[_i], .monotonic = huge[_i], .after = huge[_i]},
        {.before = 0, .monotonic = 0, .after = huge[_i]},
        {.before = NOW, .monotonic = huge[_i], .after = NOW},
        {.before = huge[_i], .monotonic = NOW, .after = NOW},
    };

    for (size_t i = 0; i < sizeof r / sizeof r[0]; i++) {
        w = (struct drift_watch){0};
        ck_assert(!drift_sharp(&r[i]));
        ck_assert_int_eq(drift_judge(&w, &r[i]), DRIFT_BEYOND);
        ck_assert_int_eq(after(SEC, 0), DRIFT_WITHIN);
        ck_assert_int_eq(drift_judge(&w, &r[i]), DRIFT_BEYOND);
        ck_assert_int_eq(judge(NOW + 2 * SEC, NOW + 2 * SEC), DRIFT_UNKNOWN);
        ck_assert_int_eq(judge(NOW + 3 * SEC, NOW + 3 * SEC), DRIFT_WITHIN);
    }
}

/* The longest times that are, and the widest readings: from one end to the other. */
TEST(the_longest_times_do_not_wrap)
{
    const uint64_t most = (uint64_t)INT64_MAX / 8;
    const struct drift_reading ends[] = {
        {.before = 0, .monotonic = 0, .after = 0},
        {.before = 0, .monotonic = most, .after = most},
        {.before = most, .monotonic = 0, .after = most},
        {.before = most, .monotonic = most, .after = most},
    };

    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            w = (struct drift_watch){0};
            ck_assert_int_eq(drift_judge(&w, &ends[i]), DRIFT_UNKNOWN);
            enum drift_verdict v = drift_judge(&w, &ends[j]);

            ck_assert_int_eq(v == DRIFT_WITHIN, i == 0 && j == 3);
        }
    ck_assert_int_gt((int64_t)most, 36 * YEARS);
}

/* ---- with what the kernel says ---- */

static enum rate_verdict verdict;
static char text[RATE_TEXT_MAX];

/* kernel: 1 within, 0 beyond, -1: it does not say. */
static void look(int kernel, bool sharp, uint64_t raw, uint64_t monotonic)
{
    struct rate_reading l = {.kernel_says = kernel >= 0,
                             .kernel_within = kernel != 0,
                             .sharp = sharp,
                             .reading = reading(raw, monotonic, WIDTH)};

    if (kernel == 0)
        strcpy(l.text, "slewed");
    verdict = rate_judge(&w, &l, text);
    ck_assert_int_eq(verdict == RATE_UNFIT, text[0] != '\0');
}

TEST(the_kernels_word_is_enough_at_first)
{
    look(1, true, NOW, NOW);
    ck_assert_int_eq(verdict, RATE_FIT);
}

TEST(both_must_be_well)
{
    look(1, true, NOW, NOW);
    look(1, true, NOW + SEC, NOW + SEC);
    ck_assert_int_eq(verdict, RATE_FIT);
    look(0, true, NOW + 2 * SEC, NOW + 2 * SEC);
    ck_assert_int_eq(verdict, RATE_UNFIT);
    ck_assert_str_eq(text, "slewed");
    look(1, true, NOW + 3 * SEC, NOW + 3 * SEC - 50 * MSEC);
    ck_assert_int_eq(verdict, RATE_UNFIT);
    ASSERT_CONTAINS(text, "50000 ppm too slow");
    look(1, true, NOW + 4 * SEC, NOW + 4 * SEC);
    ASSERT_CONTAINS(text, "50000 ppm too fast");
    look(1, true, NOW + 5 * SEC, NOW + 5 * SEC);
    ck_assert_int_eq(verdict, RATE_FIT);
    look(1, true, NOW, NOW);
    ck_assert_int_eq(verdict, RATE_UNFIT);
    ASSERT_CONTAINS(text, "went back");
}

/* Measured while the kernel said that it slews: what it came to counts from there on. */
TEST(it_is_measured_while_the_kernel_slews)
{
    look(1, true, NOW, NOW);
    look(0, true, NOW + SEC, NOW + SEC + 50 * MSEC);
    look(1, true, NOW + 2 * SEC, NOW + 2 * SEC + 50 * MSEC);
    ck_assert_int_eq(verdict, RATE_FIT);
}

TEST(where_the_kernel_does_not_say_it_is_measured)
{
    look(-1, true, NOW, NOW);
    ck_assert_int_eq(verdict, RATE_UNKNOWN);
    look(-1, true, NOW + SEC, NOW + SEC);
    ck_assert_int_eq(verdict, RATE_FIT);
    look(-1, true, NOW + SEC + 10, NOW + SEC + 10);
    ck_assert_int_eq(verdict, RATE_FIT);
    look(-1, true, NOW + 2 * SEC, NOW + 2 * SEC + 2 * MSEC);
    ck_assert_int_eq(verdict, RATE_UNFIT);
    ASSERT_CONTAINS(text, "ppm too fast");
}

TEST(where_nothing_can_be_read_nothing_is_trusted)
{
    look(-1, true, NOW, NOW);
    look(-1, true, NOW + SEC, NOW + SEC);
    look(-1, false, NOW + 2 * SEC, NOW + 2 * SEC);
    ck_assert_int_eq(verdict, RATE_UNFIT);
    ASSERT_CONTAINS(text, "cannot be read");
    look(1, false, NOW + 3 * SEC, NOW + 3 * SEC);
    ck_assert_int_eq(verdict, RATE_FIT);
}

TEST(this_hosts_clocks_can_be_compared)
{
    struct rate_reading l;

    rate_read(&l);
    ck_assert(l.sharp);
    ck_assert(drift_sharp(&l.reading));
}
