/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_CONTROL_H
#define TENURE_HOST_CONTROL_H

/* StartUnit and StopUnit of keepers: see host_start_keeper() and those after it. */

#include "base/usec.h"

struct host;

/* Sends what is wanted and can be sent now. */
void control_send(struct host *h, usec_t now);
/* Fails all that was not sent yet: after a reconnect it is not wanted any more. */
void control_fail_waiting(struct host *h, int error, const char *text);

#endif
