/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GENERATOR_LIVE_H
#define TENURE_GENERATOR_LIVE_H

/* Groups that are led here although nothing is applied any more. */

#include "generator/generate.h"

/* Writes the guards of each declared group whose keeper lives, where they have no other copy: what
 * runs must not outlive the term because all was deleted. And what ends keepers of an earlier
 * version's names, which then have no units any more. What is to be need not be what was; it is
 * all that is left. Returns 0, or the first error; 0 for files that cannot be used. */
int guard_live(const struct generate_paths *paths, int dir_fd);

#endif
