/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_PAUSE_H
#define TENURE_ELECTION_PAUSE_H

/* A pause of this host that its own clocks did not see: a virtual machine that was stopped for a
 * snapshot or a migration and whose CLOCK_BOOTTIME stops meanwhile. Deadlines are worth nothing
 * on such a host. The only other clock there is, is the arbiter's wall clock, which each reply
 * contains: a hint, because an operator may set it.
 *
 * What is concluded: if it went forward by more than this host's own time can explain, then either
 * this host was paused, or that clock was stepped.
 * - Up to PAUSE_MARGIN_USEC within PAUSE_MEMORY_USEC: nothing. Time daemons do as much.
 * - Up to the time in which another node would have claimed the record: this host may well have
 * been paused, and lead nevertheless. It must not.
 * - More, and the renewal was granted: had this host been paused for so long, another would lead,
 *   or there is none. So it was the arbiter's clock, or no harm was done.
 * - It went less far, or back: nothing. What it then catches up is no pause either: compared is
 *   with how it was before, for PAUSE_MEMORY_USEC. So long may that hide a pause as long. */

#include <stdbool.h>
#include <stdint.h>

#include "election/record.h"

#define PAUSE_MARGIN_USEC (1 * USEC_PER_SEC)
#define PAUSE_MEMORY_USEC (600 * USEC_PER_SEC)

/* The answer that compares best with later ones. */
struct pause_watch {
    bool has_mark;
    struct epoch epoch; /* another server has another clock */
    usec_t at;          /* own time: when it was taken */
    /* How far the arbiter's clock was ahead of our own: between these, as it is not known when
     * between request and reply it was read. */
    int64_t least, most;
};

enum pause_verdict {
    PAUSE_NONE,
    PAUSE_LIKELY,
    PAUSE_OR_STEP, /* too long to have been a pause that nobody took over in */
};

/* An answer that came at `now` to what was sent at `sent`. lease: L of the term. */
enum pause_verdict pause_judge(struct pause_watch *w, const struct reply *reply, usec_t sent,
                               usec_t now, usec_t lease);

#endif
