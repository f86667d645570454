/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_APPLY_ARBITER_H
#define TENURE_CTL_APPLY_ARBITER_H

/* No arbiter that answers is replaced by one that does not. */

#include <stdbool.h>

#include "ctl/ctl.h"

/* Tries the arbiter of `after`, unless it is that of `before` (NULL: nothing is applied); and where
 * it would not do, that one. Takes 2 * TRIAL_LIMIT_USEC at most. Refuses with CTL_FAILED when that
 * one would do, and nobody insists (force); else it warns, and returns CTL_OK. */
int apply_arbiter(const struct ctl *ctl, const struct tenure_config *before,
                  const struct tenure_config *after, bool force);

#endif
