/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_ALERTS_H
#define TENURE_DAEMON_ALERTS_H

/* What the journal has about groups that an operator should see to: blocked, led by no node, not
 * ended, with units that do not run, without guards. Each once, and again when it is over. */

#include "daemon/state.h"

/* shown: the group as it is described now. */
void alerts_check(struct group *g, const struct api_group *shown, usec_t now);
/* Is nothing logged that is to be taken back, and nothing about to be logged? */
bool alerts_quiet(const struct group *g);

#endif
