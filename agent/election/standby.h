/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_STANDBY_H
#define TENURE_ELECTION_STANDBY_H

/* What a standby does: it observes the record, claims it when it may, finds out what a record in
 * its own name is about, and has stopped what runs here without a term. */

#include "election/member.h"

/* A tick: the claim when everything allows it at this very moment, else a poll of the record. */
void standby_ask(struct member *m, const struct member_event *event, struct update *update);

void standby_reply(struct member *m, const struct member_event *event, struct update *update);

/* The record is said to have changed, or to be released. */
void standby_hint(struct member *m, const struct member_event *event, struct update *update);

void standby_host(struct member *m, const struct member_event *event, struct update *update);

void standby_stop(struct member *m, const struct member_event *event, struct update *update);

void standby_resume(struct member *m, const struct member_event *event, struct update *update);

#endif
