/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_CONTRACT_KNOWN_H
#define TENURE_TESTS_CONTRACT_KNOWN_H

/* What the owner of a record knows of its nonce: the one that was read or granted last, by any of
 * a test's clients, and those of renewals that were not answered since. And its L and D. */

#include "election/record.h"

/* Just before it is sent, and when it is answered. */
void known_sent(const struct request *request);
void known_answered(const char *group, const struct reply *reply);
/* Fills in what a renewal has to name. */
void known_fill(struct request *request);

#endif
