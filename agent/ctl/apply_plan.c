/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/apply_plan.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "config/load.h"
#include "config/string_list.h"
#include "config/unit_name.h"
#include "guard/copy.h"
#include "guard/names.h"
#include "guard/text.h"

/* How long stepping down from a group may take: S + K, and room for the arbiter and PID 1. */
#define RETIRE_EXTRA_USEC (30 * USEC_PER_SEC)

void plan_clear(struct plan *p)
{
    free(p->retire);
    p->before = config_free(p->before);
    p->after = config_free(p->after);
}

int plan_load_applied(struct plan *p, const struct ctl *ctl)
{
    _cleanup_problems_ struct config_problems problems = {0};
    int r = config_load_applied(ctl->applied, &problems, &p->before, NULL);

    /* Missing is not empty: what the agent and live keepers use may have been deleted. */
    return r == -ENOMEM ? r : 0;
}

/* ---- what stays guarded ---- */

/* All units that are known to have been of a group here, one after the other. */
struct keeping {
    struct plan *plan;
    const struct ctl *ctl;
    struct unit_links links;
    bool *released; /* as many as plan->release: something was */
    size_t n_refused;
};

static bool is_released(const struct keeping *k, const char *group)
{
    for (size_t i = 0; i < k->plan->n_release; i++)
        if (strcmp(k->plan->release[i], group) == 0) {
            k->released[i] = true;
            return true;
        }
    return false;
}

/* The group that has it from now on, under this name or another name of its file. *ret: NULL for
 * none. declared: by which name. Returns 0 or -ENOMEM. */
static int group_now(const struct keeping *k, const char *unit, const struct config_group **ret,
                     char declared[static UNIT_NAME_LEN_MAX + 1])
{
    const struct config_group *g = config_group_of(k->plan->after, unit);
    char **names = NULL;
    size_t n = 0;
    int r = g ? 0 : unit_links_names(&k->links, unit, &names, &n);

    (void)snprintf(declared, UNIT_NAME_LEN_MAX + 1, "%s", unit);
    for (size_t i = 0; i < n && !g; i++)
        if ((g = config_group_of(k->plan->after, names[i])))
            (void)snprintf(declared, UNIT_NAME_LEN_MAX + 1, "%s", names[i]);
    strings_free(names, n);
    *ret = g;
    return r;
}

/* declared: by which of its names it is in the group `now`. */
static void refuse(struct keeping *k, const char *unit, const char *group,
                   const struct config_group *now, const char *declared)
{
    char other[UNIT_NAME_LEN_MAX + sizeof ", another name of \"\","] = "";

    if (strcmp(declared, unit) != 0)
        (void)snprintf(other, sizeof other, ", another name of \"%s\",", unit);
    (void)ctl_fail(k->ctl,
                   "%s:%u: unit \"%s\"%s of group \"%s\" is guarded here for group \"%s\", and "
                   "other hosts may lead that with it: take it out of group \"%s\" on every host, "
                   "then run tenurectl apply --release %s on each",
                   now->file, now->line, declared, other, now->name, group, group, group);
    k->n_refused++;
}

static int was(struct keeping *k, const char *unit, const char *group)
{
    const struct config_group *now;
    char declared[UNIT_NAME_LEN_MAX + 1];
    int r = group_now(k, unit, &now, declared);

    if (r < 0 || (now && strcmp(now->name, group) == 0) || is_released(k, group))
        return r;
    if (!now)
        return config_keep(k->plan->after, group, unit);
    refuse(k, unit, group, now, declared);
    return 0;
}

static bool known_before(const struct plan *p, const char *unit)
{
    return p->before && config_has_unit(p->before, unit);
}

/* A guard in the copy on disk names a group that the applied configuration may have lost. */
static int was_by_copy(void *userdata, const char *unit, const char *group)
{
    struct keeping *k = userdata;

    if (known_before(k->plan, unit))
        return 0;
    if (*group)
        return was(k, unit, group);
    if (!config_group_of(k->plan->after, unit))
        ctl_warn(k->ctl,
                 "%s/%s.d/" GUARD_FILE " does not say of which group it is, and stays: remove "
                 "it when no other host runs the unit",
                 k->ctl->copy_dir, unit);
    return 0;
}

static int was_before(struct keeping *k, const struct tenure_config *before)
{
    int r = 0;

    for (size_t i = 0; i < before->n_groups && r == 0; i++)
        for (size_t n = 0; n < before->groups[i].n_units && r == 0; n++)
            r = was(k, before->groups[i].units[n], before->groups[i].name);
    for (size_t i = 0; i < before->n_kept && r == 0; i++)
        for (size_t n = 0; n < before->kept[i].n_units && r == 0; n++)
            r = was(k, before->kept[i].units[n], before->kept[i].name);
    return r;
}

/* Files of an earlier version are removed by an apply: what is there was applied since. */
static int was_older(struct keeping *k)
{
    int r = 0;

    for (size_t i = 0; k->ctl->applied[i] && r == 0; i++) {
        _cleanup_problems_ struct config_problems problems = {0};
        _cleanup_config_ struct tenure_config *older = NULL;

        if (i < CONFIG_APPLIED_OLDER)
            continue;
        r = config_load_snapshot(k->ctl->applied[i], &problems, &older);
        if (r == 0)
            r = was_before(k, older);
        else if (r != -ENOMEM)
            r = 0;
    }
    return r;
}

static int was_by_agent(struct keeping *k, const struct agent_view *view)
{
    int r = 0;

    for (size_t i = 0; i < view->n_groups && r == 0; i++)
        for (size_t n = 0; n < view->groups[i].n_units && r == 0; n++)
            if (group_name_valid(view->groups[i].name) &&
                !unit_name_problem(view->groups[i].units[n].name))
                r = was(k, view->groups[i].units[n].name, view->groups[i].name);
    return r;
}

static int check_released(const struct keeping *k)
{
    for (size_t i = 0; i < k->plan->n_release; i++)
        if (!k->released[i])
            return ctl_fail(k->ctl, "nothing is kept of group \"%s\" on this host",
                            k->plan->release[i]);
    return CTL_OK;
}

/* Whatever left its group stays guarded, until an operator says that no other host runs it. */
static int keep_what_left(struct plan *p, const struct ctl *ctl, const struct agent_view *view)
{
    _cleanup_free_ bool *released = calloc(p->n_release + 1, sizeof *released);
    struct keeping k = {.plan = p, .ctl = ctl, .released = released};
    int r = released ? unit_links_load(ctl_unit_dirs(ctl), &k.links) : -ENOMEM;

    if (r == 0 && p->before)
        r = was_before(&k, p->before);
    else if (r == 0 && view)
        r = was_by_agent(&k, view);
    if (r == 0)
        r = was_older(&k);
    if (r == 0)
        r = guard_copy_scan(ctl->copy_dir, was_by_copy, &k);
    unit_links_clear(&k.links);
    if (r < 0)
        return ctl_fail(ctl, "cannot find out what is guarded here: %s", strerror(-r));
    return k.n_refused > 0 ? CTL_FAILED : check_released(&k);
}

/* ---- what ends first ---- */

static void note_difference(void *userdata, const char *unit)
{
    if (strcmp(unit, "tenured.service") != 0)
        ++*(size_t *)userdata;
}

/* Are the guards on disk, which the last apply wrote, those that this one would write? Then nothing
 * changes under a live keeper, whatever became of the applied configuration. */
static bool same_guards(const struct plan *p, const struct ctl *ctl, const struct config_group *g)
{
    const struct config_kept *k = config_find_kept(p->after, g->name);
    struct config_kept kept = k ? *k : (struct config_kept){.n_units = 0};
    struct config_group copy = *g;
    const struct tenure_config alone = {
        .groups = &copy, .n_groups = 1, .kept = &kept, .n_kept = k ? 1 : 0};
    size_t differences = 0;

    return guard_copy_compare(&alone, ctl->copy_dir, ctl_unit_dirs(ctl), note_difference,
                              &differences) >= 0 &&
           differences == 0;
}

static bool stays_as_it_is(const struct plan *p, const struct ctl *ctl, const char *group)
{
    const struct config_group *g = config_find_group(p->after, group);

    return g && same_guards(p, ctl, g);
}

/* If the configuration cannot be read, the agent knows what is applied. */
static int retire_by_agent(struct plan *p, const struct ctl *ctl, const struct agent_view *view)
{
    p->retire = calloc(view->n_groups + 1, sizeof *p->retire);
    if (!p->retire)
        return ctl_fail(ctl, "out of memory");
    for (size_t i = 0; i < view->n_groups; i++) {
        const struct agent_group *g = &view->groups[i];

        if (stays_as_it_is(p, ctl, g->name))
            continue;
        p->retire[p->n_retire++] = g->name;
        p->timeout = usec_max(p->timeout, usec_add(g->stop_timeout, RETIRE_EXTRA_USEC));
    }
    return CTL_OK;
}

/* The agent steps down from a group before the group's guards are removed or changed; and from all
 * groups when the node is renamed, since its records have the old name as their owner's. */
static int compare(struct plan *p, const struct ctl *ctl)
{
    _cleanup_free_ struct config_difference *list = NULL;
    size_t n;
    bool renamed = p->before && strcmp(p->before->node, p->after->node) != 0;

    if (config_diff(p->before, p->after, &list, &n) < 0 ||
        !(p->retire = calloc(n + 1, sizeof *p->retire)))
        return ctl_fail(ctl, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct config_group *g = list[i].before;

        p->count[list[i].change]++;
        if (!g || (!renamed && list[i].change != CONFIG_REMOVED &&
                   list[i].change != CONFIG_CHANGED_UNITS))
            continue;
        p->retire[p->n_retire++] = g->name;
        p->timeout = usec_max(p->timeout, g->budget.stop + g->budget.kill);
    }
    p->timeout += RETIRE_EXTRA_USEC;
    return CTL_OK;
}

int plan_make(struct plan *p, const struct ctl *ctl, const struct agent_view *view)
{
    assert(p && p->after);
    assert(ctl);

    int r = keep_what_left(p, ctl, view);

    if (r == CTL_OK)
        r = compare(p, ctl);
    if (r == CTL_OK && !p->before && view) {
        free(p->retire);
        r = retire_by_agent(p, ctl, view);
    }
    return r;
}

bool plan_concerns(const struct plan *p, const struct ctl *ctl, const char *group)
{
    for (size_t i = 0; i < p->n_retire; i++)
        if (strcmp(p->retire[i], group) == 0)
            return true;
    return !p->before && !stays_as_it_is(p, ctl, group);
}
