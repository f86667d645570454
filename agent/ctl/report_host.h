/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_REPORT_HOST_H
#define TENURE_CTL_REPORT_HOST_H

#include <systemd/sd-bus.h>

#include "ctl/report.h"

/* Does polkit let the agent's user start and stop what it has to? */
void report_polkit(struct report *r, const struct ctl *ctl, sd_bus *bus);

/* Does the agent own its name on the bus, or would it get it? */
void report_bus(struct report *r, sd_bus *bus);

/* May leases be counted by this host's clock? */
void report_clock(struct report *r);

#endif
