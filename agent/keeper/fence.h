/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_FENCE_H
#define TENURE_KEEPER_FENCE_H

/* The fence as a process. */

#include "keeper/keeper_config.h"

/* Sees to it that nothing of the group runs once the keeper is gone; logs; returns an exit status:
 * EXIT_SUCCESS when the slice is empty or not there. SIGTERM makes it kill at once. */
int fence_run(const struct keeper_config *config);

#endif
