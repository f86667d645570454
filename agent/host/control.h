/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_CONTROL_H
#define TENURE_HOST_CONTROL_H

/* StartUnit and StopUnit of keepers: see host_start_keeper() and those after it. */

#include "base/usec.h"

struct host;

/* What is wanted, and can be sent now. */
void control_send(struct host *h, usec_t now);
/* What was not sent yet: nobody wants it after a reconnect. */
void control_fail_waiting(struct host *h, int error, const char *text);

#endif
