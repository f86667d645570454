/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/drift.h"

#include <assert.h>

#include "base/budget.h"

/* Times beyond this, 36 years, are none: with it, no sum below can overflow. */
#define TIME_MAX_NSEC ((uint64_t)INT64_MAX / 8)
/* Two readings are compared once what is uncertain about them is at most this part of the time
 * between: 100 ppm. */
#define SURE_DIVISOR 10000u
/* A nanosecond that each clock was rounded down by. Everything here is twice as much. */
#define ROUNDED_NSEC 4u
#define PPM 1000000
#define PPM_MAX 1000000000L

static bool is_time(const struct drift_reading *r)
{
    return r->before <= r->after && r->after <= TIME_MAX_NSEC && r->monotonic <= TIME_MAX_NSEC;
}

static uint64_t width(const struct drift_reading *r)
{
    return r->after - r->before;
}

bool drift_sharp(const struct drift_reading *r)
{
    assert(r);
    return is_time(r) && width(r) <= DRIFT_WIDTH_MAX_NSEC;
}

/* Twice by how much the one clock was ahead of the middle of the other's two times. */
static int64_t ahead(const struct drift_reading *r)
{
    return 2 * (int64_t)r->monotonic - (int64_t)r->before - (int64_t)r->after;
}

/* For an operator to read: of a clock that went mad, a billion is enough. */
static long ppm_of(int64_t drift, uint64_t span)
{
    int64_t most = INT64_MAX / PPM, twice = 2 * (int64_t)span;
    bool small = drift <= most && drift >= -most;
    int64_t ppm = small          ? drift * PPM / twice
                  : twice >= PPM ? drift / (twice / PPM)
                  : drift > 0    ? PPM_MAX
                                 : -PPM_MAX;

    return ppm > PPM_MAX ? PPM_MAX : ppm < -PPM_MAX ? -PPM_MAX : (long)ppm;
}

static enum drift_verdict take(struct drift_watch *w, const struct drift_reading *r,
                               enum drift_verdict verdict, long ppm)
{
    w->has_mark = true;
    w->mark = *r;
    w->verdict = verdict;
    w->ppm = ppm;
    return verdict;
}

enum drift_verdict drift_judge(struct drift_watch *w, const struct drift_reading *r)
{
    assert(w);
    assert(r);

    const struct drift_reading *mark = &w->mark;

    if (!is_time(r)) { /* and nothing can be compared with it */
        *w = (struct drift_watch){.verdict = DRIFT_BEYOND};
        return w->verdict;
    }
    if (!w->has_mark)
        return take(w, r, DRIFT_UNKNOWN, 0);
    if (r->before < mark->before || r->monotonic < mark->monotonic)
        return take(w, r, DRIFT_BEYOND, 0);

    /* At least so much time has passed, and the drift is known to within so much. */
    uint64_t span = r->before > mark->after ? r->before - mark->after : 0;
    uint64_t unsure = width(r) + width(mark) + ROUNDED_NSEC;
    int64_t drift = ahead(r) - ahead(mark);

    if (unsure > 2 * span / SURE_DIVISOR)
        return w->verdict;
    assert(span > 0); /* as unsure is */

    uint64_t most = (uint64_t)(drift < 0 ? -drift : drift) + unsure;
    bool within = most < 2 * span / BUDGET_CLOCK_RATE_DIVISOR;

    return take(w, r, within ? DRIFT_WITHIN : DRIFT_BEYOND, ppm_of(drift, span));
}
