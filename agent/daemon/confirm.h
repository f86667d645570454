/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_CONFIRM_H
#define TENURE_DAEMON_CONFIRM_H

/* An operator's word that a node is dead, acted out on the records of all groups that this agent
 * has: one at a time, in ticks of its own. What is to be done, election/confirm.h decides. */

#include "daemon/state.h"

/* How long it takes at most until all records were watched, if the arbiter does not answer all the
 * time; and then until what has one locked lets go. */
#define CONFIRM_WATCH_MAX_USEC (3 * CONFIRM_WATCH_USEC)
#define CONFIRM_WAIT_USEC (5 * USEC_PER_SEC)

/* The call is answered, now or later. */
void confirm_start(struct daemon *d, struct api_call *call, const char *node, uid_t uid);
/* It fails: why. Nothing if none is under way. */
void confirm_abandon(struct daemon *d, const char *why);
/* The caller has gone: while the records are only watched, that ends it. */
void confirm_caller_gone(struct daemon *d, const struct api_call *call);
/* Once per turn of the loop. */
void confirm_continue(struct daemon *d, usec_t now);
/* When confirm_continue() has something to do by the clock alone; USEC_INFINITY: never. */
usec_t confirm_due(const struct daemon *d);
/* The replies to a tick of its own; and just before, what holds one of its requests up. */
void confirm_replies(struct daemon *d, const struct reply *replies, size_t n);
void confirm_held_up(struct daemon *d, size_t i, const char *holder);

#endif
