/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_DROP_IN_H
#define TENURE_HOST_DROP_IN_H

/* Whether a copy of the guards is there. */

#include <stdbool.h>

/* Is the guards' drop-in of this unit there, below this directory of units: a file of its own, and
 * not empty? Returns 0, or negative errno when that cannot be seen, for instance in a directory
 * that the agent may not search. */
int drop_in_find(const char *dir, const char *unit, bool *ret_there);

#endif
