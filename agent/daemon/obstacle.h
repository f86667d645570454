/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_OBSTACLE_H
#define TENURE_DAEMON_OBSTACLE_H

/* What keeps a standby from leading its group. Finding it costs a few comparisons; words are made
 * of it when they are needed. */

#include "daemon/state.h"

/* Of several, the first one counts. */
enum obstacle {
    OBSTACLE_NONE,
    OBSTACLE_AGENT_STOPS,
    OBSTACLE_RETIRED,
    OBSTACLE_LOCKED,     /* all records: a connection that waits does not outlast it */
    OBSTACLE_NO_ARBITER, /* why: the agent's status has it once for all groups */
    OBSTACLE_ARBITER,    /* cannot be used by this method */
    OBSTACLE_REPLACED,   /* the arbiter is a primary that was replaced */
    OBSTACLE_METHOD,     /* other hosts have another one */
    OBSTACLE_CLOCK,
    OBSTACLE_NO_BUS,
    OBSTACLE_GUARDS,
    OBSTACLE_NOT_POLLED, /* PID 1, yet */
    OBSTACLE_RUNS,       /* the group, here and without a keeper */
    OBSTACLE_TICKETS,    /* cannot be written */
    OBSTACLE_NO_ANSWER,  /* of PID 1, lately */
    OBSTACLE_POLKIT,
};

enum obstacle obstacle_find(const struct group *g, usec_t now);

/* What this node lacks to lead the group; "" nothing. */
void obstacle_describe(const struct group *g, usec_t now, char ret[static REASON_MAX]);

#endif
