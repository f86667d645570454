/* SPDX-License-Identifier: Apache-2.0 */
#include "election/pause.h"

#include <assert.h>

#include "base/budget.h"

/* Times beyond this are no times: with it, no sum below can overflow. */
#define TIME_MAX ((usec_t)INT64_MAX / 4)

/* How much two clocks that keep the assumption can drift apart in this time. */
static int64_t drift(usec_t span)
{
    return (int64_t)(2 * span / BUDGET_CLOCK_RATE_DIVISOR);
}

/* Another node has claimed by then, if one is there: it sees the row unchanged for L, polls, and
 * waits for its answers. */
static int64_t taken_over(usec_t lease)
{
    return (int64_t)(2 * usec_min(lease, BUDGET_LEASE_MAX_USEC) + 4 * BUDGET_POLL_MAX_USEC);
}

/* The two clocks by this answer. */
static struct pause_watch compare(const struct reply *reply, usec_t sent, usec_t now)
{
    return (struct pause_watch){
        .has_mark = true,
        .epoch = reply->epoch,
        .at = now,
        .least = (int64_t)reply->arbiter_time - (int64_t)now,
        .most = (int64_t)reply->arbiter_time - (int64_t)usec_min(sent, now),
    };
}

static bool comparable(const struct pause_watch *a, const struct pause_watch *b)
{
    return a->has_mark && history_equal(&a->epoch, &b->epoch);
}

/* Not whenever it is further ahead: many small pauses add up. Not when it is less far: that may be
 * caught up. But a quick answer says more than a slow one. */
static bool better(const struct pause_watch *fresh, const struct pause_watch *mark)
{
    return usec_sub(fresh->at, mark->at) > PAUSE_MEMORY_USEC ||
           (fresh->least >= mark->least && fresh->most - fresh->least < mark->most - mark->least);
}

static enum pause_verdict judge_excess(int64_t excess, usec_t lease)
{
    if (excess <= (int64_t)PAUSE_MARGIN_USEC)
        return PAUSE_NONE;
    return excess <= taken_over(lease) ? PAUSE_LIKELY : PAUSE_OR_STEP;
}

enum pause_verdict pause_judge(struct pause_watch *w, const struct reply *reply, usec_t sent,
                               usec_t now, usec_t lease)
{
    assert(w);
    assert(reply);

    if (reply->arbiter_time == 0 || reply->arbiter_time > TIME_MAX || now > TIME_MAX)
        return PAUSE_NONE;

    struct pause_watch fresh = compare(reply, sent, now);

    if (!comparable(w, &fresh)) {
        *w = fresh;
        return PAUSE_NONE;
    }

    enum pause_verdict verdict =
        judge_excess(fresh.least - w->most - drift(usec_sub(now, w->at)), lease);
    if (verdict != PAUSE_NONE || better(&fresh, w))
        *w = fresh;
    return verdict;
}
