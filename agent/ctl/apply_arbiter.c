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
    if (t->hidden.n > 0) {
        (void)snprintf(text, ARBITER_TEXT_MAX, "%s", t->hidden.text[0]);
        return false;
    }
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

/* At a server that waits for no standby an agent that requires one renews nothing, whatever it did
 * there before. */
static bool asks_no_more(const struct config_arbiter *before, const struct config_arbiter *after)
{
    return strcmp(before->conninfo, after->conninfo) == 0 &&
           (before->require_sync || !after->require_sync);
}

/* Why it goes on with an arbiter that does not do. */
static const char *why_not_refused(const struct apply_case *c)
{
    if (c->force)
        return "it is applied all the same";
    if (!c->before && !c->unreadable)
        return "nothing is led until it does";
    return c->running ? "nor does the one that is applied, so this goes on"
                      : "tenured does not run, so this goes on; nothing is led until it does";
}

int apply_arbiter(const struct ctl *ctl, const struct apply_case *c,
                  const struct tenure_config *after)
{
    assert(ctl);
    assert(c);
    assert(after);

    char of_new[ARBITER_TEXT_MAX], of_old[ARBITER_TEXT_MAX];
    bool may_refuse = c->running && !c->force;

    if (c->before && asks_no_more(&c->before->arbiter, &after->arbiter))
        return CTL_OK;
    if (answers(ctl, &after->arbiter, of_new))
        return CTL_OK;
    if (may_refuse && c->unreadable)
        return ctl_fail(ctl,
                        "the arbiter of the files would not do, and what is applied cannot be "
                        "read, so the agent may have one that does: %s; nothing is changed; "
                        "tenurectl apply --force applies it all the same",
                        of_new);
    if (may_refuse && c->before && answers(ctl, &c->before->arbiter, of_old))
        return ctl_fail(ctl,
                        "the arbiter of the files would not do, and the one that is applied does: "
                        "%s; nothing is changed; tenurectl check says more, tenurectl apply "
                        "--force applies it all the same, and what this host leads ends at its "
                        "deadline then",
                        of_new);
    ctl_warn(ctl, "the arbiter does not do: %s; %s", of_new, why_not_refused(c));
    return CTL_OK;
}
