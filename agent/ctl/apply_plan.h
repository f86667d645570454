/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_APPLY_PLAN_H
#define TENURE_CTL_APPLY_PLAN_H

/* What an apply has to do: from what is applied now, by all that still shows it, to what the
 * files say. This decides, and changes nothing on the host. */

#include "ctl/agent.h"
#include "ctl/ctl.h"

struct plan {
    struct tenure_config *before; /* what is applied; NULL: it cannot be read */
    struct tenure_config *after;  /* what will be, with what is kept */
    const char **retire;          /* groups to be stepped down from first: names, in the models */
    size_t n_retire;
    usec_t timeout; /* how long that may take */
    size_t count[CONFIG_CHANGED_UNITS + 1];
    const char *const *release; /* groups that no other host runs any more */
    size_t n_release;
};

void plan_clear(struct plan *p);
#define _cleanup_plan_ _cleanup_(plan_clear)

/* p->before, if it can be read. Returns 0 or -ENOMEM. */
int plan_load_applied(struct plan *p, const struct ctl *ctl);

/* With before and after there. view: what the agent has, NULL without one; only asked when before
 * cannot be read. Prints what cannot be done. Returns an exit status. */
int plan_make(struct plan *p, const struct ctl *ctl, const struct agent_view *view);

/* Is this group, whose keeper lives, in the way where no agent steps down from it? */
bool plan_concerns(const struct plan *p, const struct ctl *ctl, const char *group);

#endif
