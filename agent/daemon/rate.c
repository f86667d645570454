/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/rate.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"

#define PPM_MAX (1000000L / (long)BUDGET_CLOCK_RATE_DIVISOR)
#define TICK_NOMINAL 10000L /* at the 100 Hz that the interface speaks in */
#define PPM_PER_TICK 100L
#define FREQ_PER_PPM 65536L

bool rate_within(const struct timex *t, char text[static RATE_TEXT_MAX])
{
    assert(t);

    long ppm = (t->tick - TICK_NOMINAL) * PPM_PER_TICK + t->freq / FREQ_PER_PPM;

    text[0] = '\0';
    if (labs(ppm) < PPM_MAX)
        return true;
    (void)snprintf(text, RATE_TEXT_MAX,
                   "this host's clock is being slewed by %ld ppm, and leases bear less than %ld: "
                   "nothing is renewed or claimed until the time daemon is done",
                   ppm, PPM_MAX);
    return false;
}

bool rate_fit(char text[static RATE_TEXT_MAX])
{
    struct timex t = {.modes = 0};

    if (adjtimex(&t) < 0) {
        (void)snprintf(text, RATE_TEXT_MAX,
                       "the rate of this host's clock cannot be read (adjtimex: %s): nothing is "
                       "renewed or claimed",
                       strerror(errno));
        return false;
    }
    return rate_within(&t, text);
}
