/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/apply_arbiter.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ctl/password.h"
#include "ctl/trial.h"

/* ---- the password ---- */

#define DECIDE                                                                                     \
    "allow_unverified = false; beside conninfo has it protected, whatever comes of it, and "       \
    "allow_unverified = true; leaves it so"

static bool is_protected(const struct config_arbiter *a)
{
    return !a->allow_unverified && !a->unjudged;
}

/* Is it what an earlier version has applied, so that the operator has not decided about the
 * password? With "false" in the file, that is decided. */
static bool is_as_before(const struct apply_case *c, const struct config_arbiter *after)
{
    return c->before && c->before->arbiter.unjudged && !after->decided &&
           strcmp(c->before->arbiter.conninfo, after->conninfo) == 0;
}

/* Would the agent protect the password from now on, while it does not by what is applied? */
static bool is_promoted(const struct apply_case *c, const struct config_arbiter *after)
{
    return is_protected(after) && is_as_before(c, after) && ctl_needs_protection(after);
}

/* Nothing can be tried, an earlier version may have applied it before the boot, and it may depend
 * on what would be kept from it now. */
static void apply_unjudged(const struct ctl *ctl, struct config_arbiter *after)
{
    after->unjudged = true;
    if (ctl_exposes_password(after))
        ctl_warn(
            ctl,
            "nothing is applied, and nobody has tried whether the server lets the "
            "agent in with its password protected, so this is applied without: the "
            "password goes in clear text to any server that answers and asks for it so; " DECIDE);
}

int apply_judge_password(const struct ctl *ctl, const struct apply_case *c,
                         struct tenure_config *after)
{
    assert(ctl);
    assert(c);
    assert(after);

    bool judged = c->before && !c->before->arbiter.unjudged;

    /* A version that does not know the key could not read what is applied with it. */
    if (is_protected(&after->arbiter) && !ctl_may_need_protection(&after->arbiter)) {
        after->arbiter.unjudged = true;
        return CTL_OK;
    }
    if (c->insist && !judged && !after->arbiter.decided && ctl_needs_protection(&after->arbiter)) {
        apply_unjudged(ctl, &after->arbiter);
        return CTL_OK;
    }
    if (!is_protected(&after->arbiter) || !ctl_exposes_password(&after->arbiter))
        return CTL_OK;
    ctl_print_exposed(ctl, &after->arbiter);
    if (is_as_before(c, &after->arbiter)) {
        after->arbiter.unjudged = true;
        ctl_warn(ctl, "this arbiter is applied already, by an earlier version or a start with "
                      "nothing applied, so it goes on as it is; " DECIDE);
        return CTL_OK;
    }
    if (!c->insist)
        return ctl_fail(ctl, "nothing is changed: what was applied before stays in force");
    ctl_warn(ctl, "the agent does not send it so; nothing is led if nobody lets it in otherwise");
    return CTL_OK;
}

/* With the password protected this arbiter would not do, or that is not known. Is it left as it is,
 * then? */
static bool stays_as_before(const struct ctl *ctl, const struct apply_case *c,
                            struct config_arbiter *after, const char *of_new)
{
    if (!is_promoted(c, after))
        return false;
    after->unjudged = true;
    ctl_warn(ctl,
             "this arbiter is applied already, by an earlier version or a start with nothing "
             "applied, so it goes on as it is: the "
             "agent does nothing to protect the password. With that it would not do: %s; " DECIDE,
             of_new);
    return true;
}

/* ---- the arbiter ---- */

/* Each server may be the primary one day. Where none got a password from here, the agent may still
 * have one, by its environment or a credential. If they do not, text says why. */
static bool all_let_in(const struct config_arbiter *arbiter, const struct trial *t,
                       char text[static ARBITER_TEXT_MAX])
{
    bool named = ctl_names_password(arbiter);

    for (size_t i = 0; i < t->n; i++) {
        const struct attempt *a = &t->attempts[i];
        const char *why = a->stage < ATTEMPT_IN ? a->text
                          : !named && !a->used_password
                              ? "the trial had no password there, and the agent may have one"
                              : NULL;

        if (!why)
            continue;
        (void)snprintf(text, ARBITER_TEXT_MAX, "%.200s: %.400s", a->where, why);
        (void)text_clean(text, text, ARBITER_TEXT_MAX);
        return false;
    }
    return true;
}

/* Would it do? If not, text says why. */
static bool answers(const struct ctl *ctl, const struct apply_case *c,
                    const struct config_arbiter *arbiter, char text[static ARBITER_TEXT_MAX])
{
    _cleanup_trial_ struct trial *t = trial_start(ctl, arbiter);
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
    return usable && !asynchronous && (!is_promoted(c, arbiter) || all_let_in(arbiter, t, text));
}

/* At a server that waits for no standby, an agent that requires one renews nothing, whatever it did
 * there before. */
static bool asks_no_more(const struct config_arbiter *before, const struct config_arbiter *after)
{
    return strcmp(before->conninfo, after->conninfo) == 0 &&
           (before->require_sync || !after->require_sync) &&
           (is_protected(before) || !is_protected(after) || !ctl_needs_protection(after));
}

/* Is it the one that is applied, or does it answer? If not, text says why. */
static bool is_fine(const struct ctl *ctl, const struct apply_case *c,
                    const struct config_arbiter *after, char text[static ARBITER_TEXT_MAX])
{
    return (c->before && asks_no_more(&c->before->arbiter, after)) || answers(ctl, c, after, text);
}

/* Why the apply goes on with an arbiter that would not do. */
static const char *why_not_refused(const struct apply_case *c)
{
    if (c->force)
        return "it is applied all the same";
    if (!c->before && !c->unreadable)
        return "nothing is led until it does";
    return c->running ? "nor does the one that is applied, so this goes on"
                      : "tenured does not run, so this goes on; nothing is led until it does";
}

int apply_arbiter(const struct ctl *ctl, const struct apply_case *c, struct tenure_config *after)
{
    assert(ctl);
    assert(c);
    assert(after);

    char of_new[ARBITER_TEXT_MAX], of_old[ARBITER_TEXT_MAX];
    bool may_refuse = c->running && !c->force;

    if (is_fine(ctl, c, &after->arbiter, of_new) ||
        (stays_as_before(ctl, c, &after->arbiter, of_new) &&
         is_fine(ctl, c, &after->arbiter, of_new)))
        return CTL_OK;
    if (may_refuse && c->unreadable)
        return ctl_fail(ctl,
                        "the arbiter of the files would not do, and what is applied cannot be "
                        "read, so the agent may have one that does: %s; nothing is changed; "
                        "tenurectl apply --force applies it all the same",
                        of_new);
    if (may_refuse && c->before && answers(ctl, c, &c->before->arbiter, of_old))
        return ctl_fail(ctl,
                        "the arbiter of the files would not do, and the one that is applied does: "
                        "%s; nothing is changed; tenurectl check says more, tenurectl apply "
                        "--force applies it all the same, and what this host leads ends at its "
                        "deadline then",
                        of_new);
    ctl_warn(ctl, "the arbiter does not do: %s; %s", of_new, why_not_refused(c));
    return CTL_OK;
}
