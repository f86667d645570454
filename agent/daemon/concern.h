/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_CONCERN_H
#define TENURE_DAEMON_CONCERN_H

/* What there is to say of a group that this node leads. As with an obstacle (obstacle.h), finding
 * it costs a few comparisons; words are made of it when they are needed. */

#include "daemon/state.h"

/* Of several, the first one counts. */
enum concern {
    CONCERN_NONE,
    CONCERN_LOCKED,
    CONCERN_NO_ARBITER,
    CONCERN_CLOCK,
    CONCERN_HELD_UP,
    CONCERN_ADOPTING,
    CONCERN_NO_BUS,
    CONCERN_NO_ANSWER, /* of PID 1 */
    CONCERN_LOST,      /* guards */
    CONCERN_DOUBT,
    CONCERN_UNGUARDED,
    CONCERN_MISSED, /* units */
    CONCERN_TICKETS,
    CONCERN_COPY,  /* of the guards */
    CONCERN_LEASE, /* the configured one does not count yet */
};

/* v: the host's view of the group; NULL is fine. */
enum concern concern_find(const struct group *g, const struct group_view *v, usec_t now);

/* "leads, but …"; "" nothing. */
void concern_describe(const struct group *g, usec_t now, char ret[static REASON_MAX]);

#endif
