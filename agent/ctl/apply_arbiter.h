/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_APPLY_ARBITER_H
#define TENURE_CTL_APPLY_ARBITER_H

/* No arbiter that answers is replaced by one that does not. */

#include <stdbool.h>

#include "ctl/ctl.h"

struct apply_case {
    const struct tenure_config *before; /* NULL: nothing is applied, or it is … */
    bool unreadable;                    /* … not to be read */
    bool running;                       /* the agent, maybe with groups that it leads */
    bool force;                         /* the operator insists */
    bool insist; /* nothing is applied yet, and it would have to be applied again */
};

/* Refuses with CTL_FAILED, before anything is asked, what would have the password go to any server
 * that answers. What an earlier version has applied in that way goes on, with a
 * warning: after->arbiter.unjudged is set then. So does what is applied without a trial where
 * nothing is applied, as at a boot that has lost it, unless the file says allow_unverified = false:
 * then the agent protects the password, whatever comes of it. And so does what needs no protection,
 * so that versions before this one can read it. */
int apply_judge_password(const struct ctl *ctl, const struct apply_case *c,
                         struct tenure_config *after);

/* Tries the arbiter of `after`, unless that of `before` asks no less of the same servers; and where
 * it would not do, that one. Takes 3 * TRIAL_LIMIT_USEC at most. Refuses with CTL_FAILED when that
 * one would do, or cannot be known, the agent runs, and `force` is not set; else it warns, and
 * returns CTL_OK. An arbiter of an earlier version goes on as by apply_judge_password() unless each
 * of its hosts lets the agent in with the password protected, as it shows by one that was sent. */
int apply_arbiter(const struct ctl *ctl, const struct apply_case *c, struct tenure_config *after);

#endif
