/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_TICK_H
#define TENURE_DAEMON_TICK_H

/* Ticks: the requests of all members that are due, in one round trip, and their replies. */

#include "daemon/state.h"

/* Groups between claim and active keeper at once. PID 1 starts them one after the other, so more
 * are not up any sooner; but on a slow host they keep it from answering in time, starts are given
 * up and claimed again, and a hundred groups come up later than with a few at a time. */
#define STARTS_MAX 2u
/* A tick takes along what is due within this part of its poll interval: one round trip for all. */
#define TICK_AHEAD_PART 8u
/* A clock that was not to be trusted for some group is trusted again, and this is logged, once it
 * was for all of them for so long: each asks at least that often. */
#define CLOCK_SETTLED_USEC BUDGET_POLL_MAX_USEC

/* When there is something to ask; USEC_INFINITY: not before the arbiter says something. */
usec_t tick_due(const struct daemon *d);
/* Sends a tick if one is due. */
void tick_send(struct daemon *d, usec_t now);
/* The connection it was sent on is being dropped: no reply will come. */
void tick_abandon(struct daemon *d);

/* The replies to the tick under way; and just before, what holds one of its requests up. */
void tick_replies(struct daemon *d, const struct reply *replies, size_t n);
void tick_held_up(struct daemon *d, size_t i, const char *said);

#endif
