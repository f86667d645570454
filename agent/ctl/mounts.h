/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_MOUNTS_H
#define TENURE_CTL_MOUNTS_H

#include "ctl/ctl.h"

/* Warns if what apply has written in /etc may be mounted only after systemd needs it at boot. */
void ctl_warn_mounted_late(const struct ctl *ctl);

/* The same for the files that name the units, where nothing else of them outlives a boot. Returns
 * whether it has warned. */
bool ctl_warn_declared_late(const struct ctl *ctl);

#endif
