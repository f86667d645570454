/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_APPLY_LOCK_H
#define TENURE_CTL_APPLY_LOCK_H

/* One apply at a time on this host. */

#include "ctl/ctl.h"

/* Returns the lock, a descriptor that the caller closes, or negative errno after having printed
 * why: -EWOULDBLOCK when another apply is at work. */
int apply_lock(const struct ctl *ctl);

/* The exit status of what apply_lock() has returned. */
int apply_lock_status(int lock);

#endif
