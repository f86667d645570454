/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_OBSTACLE_H
#define TENURE_DAEMON_OBSTACLE_H

/* What keeps a standby from leading its group. */

#include "daemon/state.h"

/* What this node lacks to lead the group; "" nothing. */
void describe_obstacle(const struct group *g, usec_t now, char ret[static REASON_MAX]);

#endif
