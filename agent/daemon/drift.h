/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_DRIFT_H
#define TENURE_DAEMON_DRIFT_H

/* How far CLOCK_MONOTONIC, and with it the CLOCK_BOOTTIME that leases are counted on, has run from
 * CLOCK_MONOTONIC_RAW, which nothing slews. Pure: readings go in, a verdict comes out.
 *
 * It is about the whole time between two readings, so a slew that began and ended in between counts
 * with what it came to. It needs no right but to read clocks, and no kernel that says what it has
 * been set to. It cannot see a slew that is about to begin, nor a crystal that is off by itself, as
 * both clocks depend on it; and the correction of a crystal's own error it takes for a slew. Both
 * clocks stop while the host is suspended or paused: this shows nothing. */

#include <stdbool.h>
#include <stdint.h>

/* Read in one go: a reading that takes longer was interrupted. */
#define DRIFT_WIDTH_MAX_NSEC UINT64_C(100000)

/* Nanoseconds of these clocks. The raw one was read before and after the other, which so belongs to
 * some time between. */
struct drift_reading {
    uint64_t before, monotonic, after;
};

enum drift_verdict {
    DRIFT_UNKNOWN, /* nothing was compared yet */
    DRIFT_WITHIN,
    DRIFT_BEYOND, /* the limit of the budget, or a clock went back: that is no rate at all */
};

/* Of a group, which counts on the clock from one reading to the next. All zero: nothing was read.
 */
struct drift_watch {
    bool has_mark;
    struct drift_reading mark;
    enum drift_verdict verdict;
    long ppm; /* behind it: how much faster than the raw clock; 0: a clock went back */
};

/* Was it read in one go? */
bool drift_sharp(const struct drift_reading *r);

/* Judges the time since the last reading, which this one then replaces. When so little time has
 * passed that the two show nothing yet, the last verdict holds, and the mark stays. For sharp
 * readings: others show that much less. Returns the verdict. */
enum drift_verdict drift_judge(struct drift_watch *w, const struct drift_reading *r);

#endif
