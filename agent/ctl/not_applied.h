/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_NOT_APPLIED_H
#define TENURE_CTL_NOT_APPLIED_H

#include "ctl/ctl.h"

/* Warns of what the files say and is not applied: groups, the arbiter, the node's name. */
void ctl_warn_not_applied(const struct ctl *ctl, const struct tenure_config *applied,
                          const struct tenure_config *files);

/* The same for this host's files, as far as this user may read them; warns if they have problems.
 */
void ctl_warn_files_differ(const struct ctl *ctl);

#endif
