/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_ROLE_H
#define TENURE_DAEMON_ROLE_H

/* This node's role in a group, as the API shows it. */

#include "daemon/state.h"

/* How long it may take until guards are checked: of many groups on a slow host a check takes its
 * time, and its questions may be asked twice. */
#define UNCHECKED_AFTER_USEC (15 * USEC_PER_SEC)

enum role role_of(const struct group *g, usec_t now);
/* As D-Bus and the status line have it. */
const char *role_name(enum role role);

/* Is there a term that has not ended yet? */
bool holds_term(const struct member *m);
/* A claim that waits for another session's lock may be granted when that is gone, but not before.
 */
bool waits_for_lock(const struct group *g);
/* A standby has tried to claim the record as it is, and something in the database prevents it. */
bool held_up(const struct group *g);

#endif
