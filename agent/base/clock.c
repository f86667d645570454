/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

static usec_t read_clock(clockid_t clock)
{
    struct timespec ts;
    int r = clock_gettime(clock, &ts);

    assert(r == 0);
    assert(ts.tv_sec >= 0);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

usec_t clock_boottime(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

usec_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}
