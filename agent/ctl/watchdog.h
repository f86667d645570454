/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_WATCHDOG_H
#define TENURE_CTL_WATCHDOG_H

#include "ctl/ctl.h"

/* Warns of every group that requires the hardware watchdog where this host has none that does, as
 * PID 1 says. Returns their number. */
size_t ctl_warn_watchdog(const struct ctl *ctl, const struct tenure_config *c);

#endif
