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

/* A signal or a look says that the unit runs, or has run. Of a keeper nothing is made. */
void ended_stirred(struct watched *w);
/* The judgement of its last run, asked for in this generation: proven, as of a view to come. */
void ended_proven(struct host *h, struct watched_group *g, size_t unit, usec_t run);
/* A look is complete: what was proven before it, with no file read again since, is. */
void ended_polled(struct host *h, struct watched_group *g);
bool ended_due(const struct watched_group *g);
void ended_continue(struct host *h, usec_t now);

#endif
