/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_GROUP_UNITS_H
#define TENURE_DAEMON_GROUP_UNITS_H

/* What the last poll says of a group's units on this host, in words. */

#include "daemon/state.h"

/* What of the group is not dead here: "a.service is active (running)"; "" nothing. */
void describe_left(const struct group *g, char ret[static REASON_MAX]);

/* Which units are not alive although this node leads: "a.service is failed, …", the failed ones
 * first; "" none. NULL is fine: nothing is known. */
void describe_missed(const struct group_view *v, char *ret, size_t size);
size_t count_missed(const struct group_view *v);

/* What keeps a group from being dead although SIGKILL was sent to it long enough ago; "" nothing,
 * or not yet. */
void describe_stuck(const struct group *g, usec_t now, char ret[static REASON_MAX]);

#endif
