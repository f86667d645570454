/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

usec_t clock_boottime(void)
{
    struct timespec ts;
    int r = clock_gettime(CLOCK_BOOTTIME, &ts);

    assert(r == 0);
    assert(ts.tv_sec >= 0);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}
