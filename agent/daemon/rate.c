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
#define NSEC_PER_PPM 1000L /* in a second */
#define PLL_PART 4L        /* 2^SHIFT_PLL */
#define CONSTANT_MAX 14L   /* of the kernel: MAXTC, and 4 without STA_NANO */

/* What is left of an offset that the kernel's phase-locked loop takes away, as systemd-timesyncd
 * has it do: each second a 2^(2 + constant)th of the rest (kernel/time/ntp.c, ntp_offset_chunk();
 * with a pulse per second all of it). It is in neither tick nor freq. */
static long phase_ppm(const struct timex *t)
{
    long nsec = t->status & STA_NANO ? t->offset : t->offset * 1000;
    long constant = t->constant < 0 ? 0 : t->constant > CONSTANT_MAX ? CONSTANT_MAX : t->constant;
    bool at_once = (t->status & STA_PPSTIME) && (t->status & STA_PPSSIGNAL);

    return (at_once ? nsec : nsec / (PLL_PART << constant)) / NSEC_PER_PPM;
}

bool rate_within(const struct timex *t, char text[static RATE_TEXT_MAX])
{
    assert(t);

    long steady = (t->tick - TICK_NOMINAL) * PPM_PER_TICK + t->freq / FREQ_PER_PPM;

    /* The steady part may be what makes up for the crystal, so they do not cancel each other. */
    long ppm = labs(steady) + labs(phase_ppm(t));

    text[0] = '\0';
    if (ppm < PPM_MAX)
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
