/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_HOST_EVENTS_H
#define TENURE_DAEMON_HOST_EVENTS_H

/* What this host's systemd says becomes events of members. These are handlers of host/host.h, which
 * says when each is called; userdata is the struct daemon. */

#include "daemon/state.h"

void host_events_polled(void *userdata, const char *group);
void host_events_start_answered(void *userdata, const char *group, int error, const char *text);
void host_events_stop_answered(void *userdata, const char *group, int error, const char *text);
void host_events_strays_answered(void *userdata, const char *group, int error, const char *text);
void host_events_healed(void *userdata, usec_t asked_at, int error, const char *text);

#endif
