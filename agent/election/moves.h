/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_MOVES_H
#define TENURE_ELECTION_MOVES_H

/* The moves from one state to another: each is one of member_edges, and does all that belongs to
 * it. All of them are here, below what each state does, because any state may end in any other. */

#include "election/member.h"

/* Moves to a state; asserts that this is one of the edges. */
void enter(struct member *m, enum member_state state, usec_t now);

/* To standby: the term and what was observed are forgotten, and nothing is claimed before
 * not_before. */
void become_standby(struct member *m, usec_t now, usec_t not_before);

/* No claim before this. */
void hold_back_until(struct member *m, usec_t not_before);

/* The arbiter acknowledged our record at t0: takes its values, and counts from t0. */
void take_term(struct member *m, const struct reply *reply);

/* The record that was read has a claim of this node's that was not answered: a renewal must prove
 * it. */
void begin_confirming(struct member *m, usec_t now);

/* A live keeper of this node was found: takes its term as it says. */
void begin_adopting(struct member *m, usec_t now);

/* A term is acknowledged and nothing runs yet: hands out its one ticket, or ends the term. */
void begin_starting(struct member *m, usec_t now, struct update *update);

/* From here on the term is over, whatever comes: the ticket goes first, the keeper is asked to end,
 * and what PID 1 is asked after this step is the proof. */
void begin_ending(struct member *m, enum member_reason reason, usec_t now, struct update *update);

/* ---- what a move needs to know of this host ---- */

/* Was the host polled lately? */
bool poll_is_fresh(const struct member *m, usec_t now);

/* Does nothing of the group run here? */
bool host_all_dead(const struct host_state *host);

/* The deadline of a live keeper that was found. No keeper has one that is further ahead than D: a
 * file that says so was damaged, and an extension to that time would be refused. */
usec_t adopted_deadline(const struct host_state *host, usec_t now);

struct spans spans_of(const struct record *r);

#endif
