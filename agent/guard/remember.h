/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_GUARD_REMEMBER_H
#define TENURE_GUARD_REMEMBER_H

/* A third copy of the keepers' drop-ins alone, which PID 1 does not read: when both others are
 * lost, whatever stops units by name still knows which ones. In /run: neither a deployment of /etc
 * nor a generator that fails reaches it, and it has what was applied last. */

#include "config/config.h"

/* Makes dir contain those of this configuration, and no others. unit_dirs: as in guard/each.h.
 * Returns 1 if something was different, 0 if not, or the first negative errno; goes on after an
 * error. */
int guard_remember(const struct tenure_config *c, const char *dir, const char *const unit_dirs[]);

/* Whether it would change anything. */
bool guard_remembers(const struct tenure_config *c, const char *dir, const char *const unit_dirs[]);

/* Whether dir says that this group is applied here, and not only that units have left it. */
bool guard_remembers_group(const char *dir, const char *group);

#endif
