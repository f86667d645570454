/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ELECTION_HEALING_H
#define TENURE_ELECTION_HEALING_H

/* When a member has the lost guards of its group healed: by its state, and by election/heal.h. */

#include "election/member.h"

/* When the next heal is due; USEC_INFINITY: none. */
usec_t next_heal(const struct member *m);

/* Asks for a heal if one is due. */
void heal_if_due(struct member *m, const struct member_event *event, struct update *update);

#endif
