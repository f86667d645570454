/* SPDX-License-Identifier: Apache-2.0 */
#include "base/budget.h"

#include <assert.h>
#include <errno.h>

#define SMALLEST_LEASE_STEP (100 * USEC_PER_MSEC)
/* What a fast clock sees of a lease, in parts of 1/rho; and what is left of that when K is a part
 * of the lease. */
#define SEEN_PARTS (BUDGET_CLOCK_RATE_DIVISOR - 2)
#define LEFT_PARTS (SEEN_PARTS - BUDGET_CLOCK_RATE_DIVISOR / BUDGET_KILL_LEASE_DIVISOR)

/* L (1 - 2 rho), rounded down: the safe direction. */
static usec_t lease_as_seen_by_a_fast_clock(usec_t lease)
{
    return usec_sub(lease, (2 * lease + BUDGET_CLOCK_RATE_DIVISOR - 1) / BUDGET_CLOCK_RATE_DIVISOR);
}

usec_t budget_kill(usec_t lease)
{
    return usec_min(BUDGET_KILL_MAX_USEC, lease / BUDGET_KILL_LEASE_DIVISOR);
}

int budget_compute(usec_t lease, usec_t stop, struct budget *ret)
{
    assert(ret);

    if (lease == 0 || lease > BUDGET_LEASE_MAX_USEC || stop == 0 || stop > BUDGET_STOP_MAX_USEC)
        return -ERANGE;

    usec_t kill = budget_kill(lease);
    usec_t spent = BUDGET_SLACK_USEC + stop + kill;
    usec_t duration = usec_sub(lease_as_seen_by_a_fast_clock(lease), spent);

    if (duration < BUDGET_RENEW_MIN_USEC)
        return -ERANGE;
    assert(duration + spent <= lease_as_seen_by_a_fast_clock(lease));

    usec_t poll = usec_min(duration / BUDGET_TRIES, BUDGET_POLL_MAX_USEC);

    *ret = (struct budget){
        .lease = lease,
        .stop = stop,
        .kill = kill,
        .duration = duration,
        .poll = poll,
        .request = poll,
    };
    return 0;
}

usec_t budget_smallest_lease(usec_t stop)
{
    struct budget b;
    usec_t low = 0, high = BUDGET_LEASE_MAX_USEC / SMALLEST_LEASE_STEP;

    if (budget_compute(BUDGET_LEASE_MAX_USEC, stop, &b) < 0)
        return USEC_INFINITY;
    /* D grows with L (K takes a tenth of it at most), so bisect: high always does, low never. */
    /*@ loop invariant 0 <= low < high <= 864000;
        loop invariant accepted(high * 100000, stop) && !accepted(low * 100000, stop);
        loop assigns low, high, b;
        loop variant high - low; */
    while (high - low > 1) {
        usec_t middle = low + (high - low) / 2;

        if (budget_compute(middle * SMALLEST_LEASE_STEP, stop, &b) < 0)
            low = middle;
        else
            high = middle;
    }
    return high * SMALLEST_LEASE_STEP;
}

bool budget_holds(usec_t lease, usec_t stop, usec_t duration)
{
    if (lease == 0 || lease > BUDGET_LEASE_MAX_USEC || stop == 0 || stop > BUDGET_STOP_MAX_USEC ||
        duration == 0 || duration > lease)
        return false;
    return duration + BUDGET_SLACK_USEC + stop + budget_kill(lease) <=
           lease_as_seen_by_a_fast_clock(lease);
}

usec_t budget_room(usec_t lease, usec_t stop, usec_t duration)
{
    usec_t spent = duration + BUDGET_SLACK_USEC + stop;

    return usec_min(usec_sub(lease_as_seen_by_a_fast_clock(lease), spent), BUDGET_KILL_MAX_USEC);
}

static bool covers(usec_t lease, usec_t spent, usec_t kill)
{
    return spent + usec_max(budget_kill(lease), kill) <= lease_as_seen_by_a_fast_clock(lease);
}

/* The smallest lease that a fast clock does not see as shorter than that: rounded up. */
static usec_t lease_seen_as(usec_t span)
{
    return (span * BUDGET_CLOCK_RATE_DIVISOR + SEEN_PARTS - 1) / SEEN_PARTS;
}

usec_t budget_covering_lease(usec_t least, usec_t stop, usec_t duration, usec_t kill)
{
    usec_t spent = duration + BUDGET_SLACK_USEC + stop;
    /* As K is the keeper's, a tenth of the lease, or the most that it can be. */
    usec_t by_kill = lease_seen_as(spent + kill);
    usec_t by_tenth = ((spent + 1) * BUDGET_CLOCK_RATE_DIVISOR + LEFT_PARTS - 1) / LEFT_PARTS;
    usec_t by_most = lease_seen_as(spent + BUDGET_KILL_MAX_USEC);

    if (covers(least, spent, kill))
        return least;
    if (covers(by_kill, spent, kill))
        return usec_max(least, by_kill);
    return usec_max(least, usec_min(by_tenth, by_most));
}
