/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_OWN_RECORD_H
#define TENURE_ELECTION_OWN_RECORD_H

/* What a record has to do with this node. */

#include "election/member.h"

/* It has this very owner: node and instance. */
bool record_ours(const struct member *m, const struct record *r);

/* This owner has it: it is not clean. */
bool names_us(const struct member *m, const struct record *r);

/* The reply shows the record of the term that is held, or is being ended. */
bool shows_our_term(const struct member *m, const struct reply *reply);

/* This node ended the term, and could not release it: its lease expires as any other node's does,
 * for this node too. */
bool left_to_expire(const struct member *m, uint64_t term);

/* Does the claim of unknown outcome still count, if it is found in a record of this epoch? Only in
 * the history that it was made in: a failover that lost writes may have removed another node's
 * later term, whose units still run. */
bool claim_may_hold(const struct member *m, const struct epoch *epoch);

/* A record that names this node was read, while the node holds no term: watches whether it changes.
 * No watch begins with what was asked by a clock that cannot be trusted. */
enum watch_verdict watch_own_record(struct member *m, const struct reply *reply, usec_t now);

#endif
