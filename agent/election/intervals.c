/* SPDX-License-Identifier: Apache-2.0 */
#include "election/intervals.h"

/* The same rule as budget_compute()'s, for terms of another configuration; no smaller than for the
 * smallest D there can be, so that no number from outside makes the member ask without a pause. */
usec_t poll_interval(usec_t duration)
{
    return usec_min(usec_max(duration, BUDGET_RENEW_MIN_USEC) / BUDGET_TRIES, BUDGET_POLL_MAX_USEC);
}

usec_t jittered(usec_t interval, uint32_t random)
{
    return interval - interval / 10 * (random % 1024) / 1024;
}

struct spans configured_spans(const struct member *m)
{
    return cover_configured(&m->term.cover, m->budget.lease, m->term.stop);
}

usec_t renewal_interval(const struct member *m)
{
    return poll_interval(usec_min(m->term.cover.duration, configured_spans(m).duration));
}

usec_t member_limit(const struct member *m)
{
    return m->term.cover.duration > 0 ? renewal_interval(m) : poll_interval(m->budget.duration);
}
