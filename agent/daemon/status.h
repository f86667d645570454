/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_STATUS_H
#define TENURE_DAEMON_STATUS_H

/* What the agent shows: values for D-Bus, and the status line. */

#include "daemon/state.h"

/* Of api_source; userdata is the struct daemon. */
void status_describe_manager(void *userdata, struct api_manager *ret);
size_t status_n_groups(void *userdata);
const char *status_group_name(void *userdata, size_t i);
bool status_describe_group(void *userdata, const char *group, struct api_group *ret);

/* Signals and logs what has changed of each group. */
void status_publish_groups(struct daemon *d);
/* The line that `systemctl status tenured` shows, to PID 1 and to D-Bus, if it has changed. */
void status_publish_line(struct daemon *d);

#endif
