/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_COVER_H
#define TENURE_ELECTION_COVER_H

/* The lease of a running term, which may change, and the one rule for it: the lease in the record
 * covers the deadline that the keeper has, whatever lease that came from. Every renewal writes the
 * smallest lease, not below the configured one, for which this holds:
 *
 *     deadline + delta + S + K <= t0 + L (1 - 2 rho)
 *
 * - A longer one stands in the record first. The keeper has it only when the record has shown it
 *   for one old lease, so that a standby server that lags less knows it as well; until then the
 *   deadline is extended by the old D.
 * - A shorter one needs no answer from the keeper: the deadline is not extended until that is due
 *   by the shorter D, and the record's lease shrinks with each renewal. The keeper learns it with
 *   its next extension.
 *
 * A deadline is only ever extended by no more than the D that was granted. S never changes in a
 * term. Times are CLOCK_BOOTTIME in microseconds. */

#include <stdbool.h>

#include "base/budget.h"

struct spans {
    usec_t lease, duration; /* L and D */
};

struct cover {
    usec_t lease, duration; /* what an extension tells the keeper: the last that were granted, or
                               those before, as long as a longer lease has to wait */
    usec_t
        until; /* the keeper's deadline is this at most, and nothing that was sent makes it later */
    usec_t kept; /* the longest lease that the keeper may have by this life's word: its K counts */
    usec_t room; /* and the largest K that it may have by an earlier life's */
    bool fixed;  /* the keeper is of a version that takes no other lease */
    usec_t longer;       /* the record shows this lease, longer than the keeper's; 0: it does not */
    usec_t longer_since; /* and has done so since then */
};

/* The term begins, by a lease that was granted for it. */
void cover_begin(struct cover *c, const struct spans *granted, usec_t deadline);

/* A live keeper was found, with these spans and this deadline. */
void cover_adopt(struct cover *c, const struct spans *keeper, usec_t deadline, bool fixed);

/* Its record was read, by a question sent at `sent`: what an earlier life had granted, and may have
 * sent to the keeper, is covered by that. stop: S of the term. */
void cover_read(struct cover *c, const struct spans *record, usec_t stop, usec_t sent);

/* L and D of a term with this S by the configured lease; as the keeper has them where that counts
 * from the next term on: it is too short for this S, or the keeper takes no other lease. */
struct spans cover_configured(const struct cover *c, usec_t lease, usec_t stop);

/* What a renewal that is sent at t0 writes. configured: as above. */
struct spans cover_ask(const struct cover *c, const struct spans *configured, usec_t stop,
                       usec_t t0);

/* A renewal was granted with these, at `now`. Returns the D by which the deadline is extended. */
usec_t cover_granted(struct cover *c, const struct spans *record, const struct spans *configured,
                     usec_t now);

/* The deadline was extended, and the keeper is sent that. */
void cover_extended(struct cover *c, usec_t deadline);

/* The keeper's state file says so: lease and deadline. */
void cover_seen(struct cover *c, usec_t lease, usec_t deadline);

/* The largest K that the keeper may have. */
usec_t cover_kill(const struct cover *c);

/* Is it known that the keeper has no other lease than the last that was sent? */
bool cover_settled(const struct cover *c);

#endif
