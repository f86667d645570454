/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_END_H
#define TENURE_ELECTION_END_H

/* How a term ends: the keeper is asked to end until PID 1 proves that all is dead; then the record
 * is released, unless it is not this node's any more or something may be left. */

#include "election/member.h"

/* How often an ending keeper is asked to end. */
#define END_AGAIN_USEC (250 * USEC_PER_MSEC)

/* ---- ending ---- */

void end_clock(struct member *m, const struct member_event *event, struct update *update);
void end_host(struct member *m, const struct member_event *event, struct update *update);

/* ---- releasing ---- */

void release_ask(struct member *m, const struct member_event *event, struct update *update);
void release_reply(struct member *m, const struct member_event *event, struct update *update);

/* ---- several states ---- */

/* The reply to a request of before the state, whose outcome decides nothing any more. */
void late_reply(struct member *m, const struct member_event *event, struct update *update);

/* Claims may be made again, once the term is over. */
void end_resume(struct member *m, const struct member_event *event, struct update *update);

#endif
