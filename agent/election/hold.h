/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_HOLD_H
#define TENURE_ELECTION_HOLD_H

/* What a member does that holds a term, or has yet to prove that it does: it confirms, starts,
 * leads and adopts. */

#include "election/member.h"

/* ---- confirming ---- */

void verify_ask(struct member *m, const struct member_event *event, struct update *update);
void verify_reply(struct member *m, const struct member_event *event, struct update *update);

/* ---- starting ---- */

void start_clock(struct member *m, const struct member_event *event, struct update *update);
void start_host(struct member *m, const struct member_event *event, struct update *update);
/* PID 1 answered StartUnit. */
void start_answer(struct member *m, const struct member_event *event, struct update *update);

/* ---- leading and adopting ---- */

void lead_clock(struct member *m, const struct member_event *event, struct update *update);
void lead_ask(struct member *m, const struct member_event *event, struct update *update);
void lead_reply(struct member *m, const struct member_event *event, struct update *update);
void lead_host(struct member *m, const struct member_event *event, struct update *update);

/* ---- all of them ---- */

void hold_stop(struct member *m, const struct member_event *event, struct update *update);

#endif
