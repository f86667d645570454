/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GENERATOR_EARLIER_H
#define TENURE_GENERATOR_EARLIER_H

/* Keepers that live under the names that earlier versions gave them. */

#include "generator/generate.h"

/* For each of those of this configuration's groups, writes what ends it: the units are bound to
 * today's names from this moment on, so PID 1 stops them, and these keepers have nothing to keep.
 * Returns 0, or the first error; goes on after one. */
int earlier_keepers_end(const struct generate_paths *paths, int dir_fd,
                        const struct tenure_config *config);

#endif
