/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_APPLY_H
#define TENURE_CTL_APPLY_H

/* From the files to what is acted on. */

#include "ctl/ctl.h"

/* What was asked for beside the files. */
struct apply_wishes {
    const char *const *release;
    size_t n_release;
    bool insist;  /* on what is refused otherwise: nothing is applied yet */
    bool force;   /* an arbiter that does not answer */
    bool dry_run; /* only say what would come of it */
};

/* Checks the files, has the agent step down from what goes, writes all of it, and has PID 1 and the
 * agent act on it. Prints what it does. Returns the exit status. */
int apply(const struct ctl *ctl, const struct apply_wishes *w);

#endif
