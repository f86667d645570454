/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_REPORT_PARTS_H
#define TENURE_CTL_REPORT_PARTS_H

/* The subjects of a report. */

#include <systemd/sd-bus.h>

#include "ctl/report.h"
#include "ctl/trial.h"

/* Of a trial that is finished. Pure. */
void report_arbiter(struct report *r, const struct trial *t, bool require_sync);

/* Does polkit let the agent's user start and stop what it has to? */
void report_polkit(struct report *r, const struct ctl *ctl, sd_bus *bus);

/* Has the agent its name on the bus, or would it get it? */
void report_bus(struct report *r, sd_bus *bus);

/* Is this host's clock one to count leases on? */
void report_clock(struct report *r);

#endif
