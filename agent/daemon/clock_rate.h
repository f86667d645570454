/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_CLOCK_RATE_H
#define TENURE_DAEMON_CLOCK_RATE_H

/* How fast this host's clock runs. The budget tolerates a rate error of 1/1000; some time daemons
 * slew faster, and CLOCK_BOOTTIME follows them. What the kernel has been set to (adjtimex) shows a
 * slew as it begins, and apart from the correction for the crystal's own error. What came of it
 * (drift.h) also shows a slew that is over, and can be read anywhere: unprivileged containers and
 * ProtectClock= refuse adjtimex even for reading. Where both can be read, both must be in order. */

#include <stdbool.h>
#include <sys/timex.h>

#include "daemon/drift.h"

#define RATE_TEXT_MAX 256

/* Is the rate that the kernel has been set to apply within what the budget tolerates, frequency and
 * the rest of an offset together? Else the reason, human-readable, is written into text. See
 * adjtimex(2): tick is microseconds per 1/100 s, freq is scaled by 2^16 per ppm, offset is in
 * nanoseconds with STA_NANO, else in microseconds. */
bool rate_within(const struct timex *t, char text[static RATE_TEXT_MAX]);

/* This host's clock, as it is for one tick of requests. */
struct rate_reading {
    bool kernel_says;   /* adjtimex is not refused … */
    bool kernel_within; /* … and what it says is within the limit; true if it says nothing */
    bool sharp;         /* the clocks could be read */
    struct drift_reading reading;
    char text[RATE_TEXT_MAX]; /* !kernel_within: the reason */
};

void rate_read(struct rate_reading *ret);

enum rate_verdict {
    RATE_FIT,
    RATE_UNFIT,
    RATE_UNKNOWN, /* not to be trusted yet, and nothing to be logged */
};

/* May the owner of this watch count on the clock since its last reading, and go on doing so? Pure.
 * For RATE_UNFIT the reason, human-readable, is written into text. */
enum rate_verdict rate_judge(struct drift_watch *w, const struct rate_reading *now,
                             char text[static RATE_TEXT_MAX]);

#endif
