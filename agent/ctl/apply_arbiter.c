/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/apply_arbiter.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ctl/trial.h"

/* Would it do? If not, why is in text. */
static bool answers(const struct ctl *ctl, const struct config_arbiter *arbiter,
                    char text[static ARBITER_TEXT_MAX])
{
    _cleanup_trial_ struct trial *t = trial_start(ctl, arbiter->conninfo);
    char obstacle[ARBITER_TEXT_MAX];

    (void)snprintf(text, ARBITER_TEXT_MAX, "it could not be tried");
    if (!t)
        return false;
    trial_finish(t);

    const struct attempt *best = trial_best(t);
    if (!best)
        return false;
    bool usable = trial_usable(t), asynchronous = arbiter->require_sync && !best->synchronous;
    if (usable && asynchronous)
        (void)snprintf(obstacle, sizeof obstacle,
                       "require_sync is set, but synchronous_standby_names is empty on the server");
    else
        (void)trial_obstacle(best, obstacle, sizeof obstacle);
    (void)snprintf(text, ARBITER_TEXT_MAX, "%.200s: %.400s", best->where, obstacle);
    (void)text_clean(text, text, ARBITER_TEXT_MAX); /* it may be cut within a character */
    return usable && !asynchronous;
}

int apply_arbiter(const struct ctl *ctl, const struct tenure_config *before,
                  const struct tenure_config *after, bool force)
{
    assert(ctl);
    assert(after);

    char of_new[ARBITER_TEXT_MAX], of_old[ARBITER_TEXT_MAX];

    /* The agent keeps its connection then. */
    if (before && strcmp(before->arbiter.conninfo, after->arbiter.conninfo) == 0)
        return CTL_OK;
    if (answers(ctl, &after->arbiter, of_new))
        return CTL_OK;
    if (before && !force && answers(ctl, &before->arbiter, of_old))
        return ctl_fail(ctl,
                        "the arbiter of the files would not do, and the one that is applied does: "
                        "%s; nothing is changed; tenurectl check says more, tenurectl apply "
                        "--force applies it all the same, and what this host leads ends at its "
                        "deadline then",
                        of_new);
    ctl_warn(ctl, "the arbiter does not do: %s; %s", of_new,
             force    ? "it is applied all the same"
             : before ? "nor does the one that is applied, so this goes on"
                      : "nothing is led until it does");
    return CTL_OK;
}
