/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_PROOF_H
#define TENURE_HOST_PROOF_H

/* From the start of a keeper to the end of its term: do the stops of its units prove that nothing
 * is left? */

#include <stdbool.h>
#include <stddef.h>

#include "base/usec.h"

struct host;
struct watched_group;

/* At host_add_group(): reads what an earlier agent knew. */
void proof_inherit(struct watched_group *g);
/* Before StartUnit: notes what the units begin as. Returns 0; or negative errno, and nothing may be
 * started. */
int proof_begin(struct watched_group *g);
/* A poll found this unit up. */
void proof_seen_up(struct watched_group *g, size_t unit);
/* A check has seen all of them. */
void proof_all_checked(struct host *h, struct watched_group *g);
/* A poll is complete. */
void proof_polled(struct host *h, struct watched_group *g);
bool proof_due(const struct watched_group *g);
void proof_continue(struct host *h, usec_t now);

#endif
