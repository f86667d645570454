/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_DRAIN_H
#define TENURE_DAEMON_DRAIN_H

/* Has groups step down: for a Retire, a Reload, or the agent's own end. */

#include "daemon/state.h"

/* How long a stop waits for the arbiter once all units are dead; then the leases expire. */
#define RELEASE_WAIT_USEC (5 * USEC_PER_SEC)
/* What a stop or a Retire may take on top of S + K of the slowest group. */
#define STEP_DOWN_EXTRA_USEC (10 * USEC_PER_SEC)

/* Each call is answered, now or by drain_continue(). */
void drain_reload(struct daemon *d, struct api_call *call);
void drain_retire(struct daemon *d, struct api_call *call, const char *const *groups, size_t n);
void drain_stop(struct daemon *d);
/* Once per turn of the loop. */
void drain_continue(struct daemon *d, usec_t now);
/* When drain_continue() has something to do by the clock alone; USEC_INFINITY: never. */
usec_t drain_due(const struct daemon *d);

#endif
