/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_ANNOUNCE_H
#define TENURE_CTL_ANNOUNCE_H

/* What an apply would do, printed before it is done. */

#include "ctl/apply_plan.h"

/* Prints it: what steps down, what is new, what counts from when. only_if_led: nothing, unless this
 * host leads what would step down. Returns 0, or negative errno when systemd cannot be asked for
 * keepers. */
int announce(const struct ctl *ctl, const struct plan *p, sd_bus *bus, bool only_if_led);

#endif
