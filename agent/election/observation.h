/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_OBSERVATION_H
#define TENURE_ELECTION_OBSERVATION_H

/* What this node has seen of the record, and when the record may be claimed by that. */

#include "election/member.h"

/* L of the record. */
usec_t record_lease(const struct member *m, const struct record *r);

/* The record was read last so long ago that it may have changed and changed back since. */
bool observation_gap(const struct member *m, usec_t now);

/* The record was read; `now` is after the reply. If it has changed, it is observed from the
 * beginning. */
void observe(struct member *m, const struct reply *reply, usec_t now);

/* The request to read the record. */
void request_observation(const struct member *m, struct request *r);

/* Nothing that was seen counts any more. */
void forget_observation(struct member *m);

/* When the record may be claimed as far as the arbiter goes; USEC_INFINITY: not foreseeable. */
usec_t claimable_at(const struct member *m);

#endif
