/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_ENDED_H
#define TENURE_HOST_ENDED_H

/* Units whose run ends in the middle of a term. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/usec.h"

struct host;
struct watched;
struct watched_group;

/* A signal or a poll says that the unit runs, or has run. A keeper is ignored. */
void ended_stirred(struct watched *w);
/* The stop of its last run is proven, by an answer of this generation; that counts from the next
 * poll on. */
void ended_proven(struct host *h, struct watched_group *g, size_t unit, usec_t run);
/* A poll is complete: what was proven before it counts, if PID 1 has read no file again since. */
void ended_polled(struct host *h, struct watched_group *g);
bool ended_due(const struct watched_group *g);
void ended_continue(struct host *h, usec_t now);

#endif
