/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/clock_rate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/budget.h"

#define PPM_MAX (1000000L / (long)BUDGET_CLOCK_RATE_DIVISOR)
#define TICK_NOMINAL 10000L /* at the 100 Hz that the interface speaks in */
#define PPM_PER_TICK 100L
#define FREQ_PER_PPM 65536L
#define NSEC_PER_PPM 1000L /* in a second */
#define PLL_PART 4L        /* 2^SHIFT_PLL */
#define READ_TRIES 10
#define CONSTANT_MAX 14L /* of the kernel: MAXTC, and 4 without STA_NANO */

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
    (void)snprintf(
        text, RATE_TEXT_MAX,
        "this host's clock is being slewed by %ld ppm, and leases tolerate less than %ld: "
        "nothing is renewed or claimed until the time daemon is done",
        ppm, PPM_MAX);
    return false;
}

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec ts;
    int r = clock_gettime(clock, &ts);

    assert(r == 0);
    assert(ts.tv_sec >= 0);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Repeated when the readings were interrupted. */
static bool read_clocks(struct drift_reading *ret)
{
    for (int i = 0; i < READ_TRIES; i++) {
        ret->before = nanoseconds(CLOCK_MONOTONIC_RAW);
        ret->monotonic = nanoseconds(CLOCK_MONOTONIC);
        ret->after = nanoseconds(CLOCK_MONOTONIC_RAW);
        if (drift_sharp(ret))
            return true;
    }
    return false;
}

void rate_read(struct rate_reading *ret)
{
    struct timex t = {.modes = 0};

    assert(ret);

    *ret = (struct rate_reading){.kernel_says = adjtimex(&t) >= 0};
    ret->kernel_within = !ret->kernel_says || rate_within(&t, ret->text);
    ret->sharp = read_clocks(&ret->reading);
}

static void describe_drift(const struct drift_watch *w, char text[static RATE_TEXT_MAX])
{
    if (w->ppm == 0)
        (void)snprintf(text, RATE_TEXT_MAX,
                       "this host's clock went back: nothing is renewed or claimed before it has "
                       "gone on for a while");
    else
        (void)snprintf(
            text, RATE_TEXT_MAX,
            "this host's clock ran %ld ppm too %s by CLOCK_MONOTONIC_RAW, and leases "
            "tolerate less than %ld: nothing is renewed or claimed until the time daemon "
            "is done",
            labs(w->ppm), w->ppm > 0 ? "fast" : "slow", PPM_MAX);
}

enum rate_verdict rate_judge(struct drift_watch *w, const struct rate_reading *now,
                             char text[static RATE_TEXT_MAX])
{
    assert(w);
    assert(now);

    enum drift_verdict drift = now->sharp ? drift_judge(w, &now->reading) : DRIFT_UNKNOWN;

    text[0] = '\0';
    if (!now->kernel_within)
        (void)snprintf(text, RATE_TEXT_MAX, "%s", now->text);
    else if (drift == DRIFT_BEYOND)
        describe_drift(w, text);
    else if (!now->kernel_says && !now->sharp)
        (void)snprintf(text, RATE_TEXT_MAX,
                       "the rate of this host's clock cannot be read: adjtimex is refused, and "
                       "something comes in between whenever its clocks are compared; nothing is "
                       "renewed or claimed");
    if (text[0])
        return RATE_UNFIT;
    return now->kernel_says || drift == DRIFT_WITHIN ? RATE_FIT : RATE_UNKNOWN;
}
