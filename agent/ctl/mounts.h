/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_MOUNTS_H
#define TENURE_CTL_MOUNTS_H

#include "ctl/ctl.h"

/* Warns of what systemd reads at boot, and finds only when more has been mounted: what apply has
 * written in /etc. */
void ctl_warn_mounted_late(const struct ctl *ctl);

/* The same of the files that name the units, where nothing else of them outlives a boot. Returns
 * whether there was something to warn of. */
bool ctl_warn_declared_late(const struct ctl *ctl);

#endif
