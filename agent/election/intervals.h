/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_INTERVALS_H
#define TENURE_ELECTION_INTERVALS_H

/* How often a member asks the arbiter, and how soon it asks again. */

#include "election/member.h"

/* A release or claim that was refused because something moved, or a claim that waits for a slot,
 * is tried again after this. */
#define RETRY_USEC (50 * USEC_PER_MSEC)
/* A request that was refused or not answered, for no reason that can be seen, is tried again after
 * this part of p. */
#define RETRY_PART ((usec_t)4)

/* p for a term of this D. */
usec_t poll_interval(usec_t duration);

/* p less up to a tenth: nodes that started together drift apart, and three tries still fit. */
usec_t jittered(usec_t interval, uint32_t random);

/* The lease of the configuration, for the term that is held. */
struct spans configured_spans(const struct member *m);

/* p of the term that is held: the smaller of what the keeper and the configuration have. */
usec_t renewal_interval(const struct member *m);

#endif
