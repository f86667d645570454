/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_LINK_H
#define TENURE_DAEMON_LINK_H

/* News of the connection to the arbiter, and what comes on it unasked. */

#include "daemon/state.h"

/* A connection that lasted for less is no news, when it ends for the same reason as the one before.
 */
#define CONNECTION_LASTS_USEC (10 * USEC_PER_SEC)

/* The arbiter has answered a request. Only then is a connection logged: some troubles (grants that
 * are missing, say) let an agent log in, and show when it asks for something. */
void link_answered(struct daemon *d);

/* Handlers of arbiter/arbiter.h, which says when each is called; userdata is the struct daemon. */
void link_on_connected(void *userdata, const char *text);
void link_on_lost(void *userdata, const char *said);
void link_on_locked(void *userdata, const char *said);
void link_on_hint(void *userdata, const char *group, const struct release_notice *notice);
void link_on_alarm(void *userdata, const char *said);
void link_on_notice(void *userdata, const char *said);

#endif
