/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/string_list.h"

const char *const config_applied_files[] = {
    [CONFIG_APPLIED_OWN] = "/etc/tenure.applied/applied.conf",
    [CONFIG_APPLIED_COPY] = "/etc/systemd/system/tenured.service.d/applied.conf.copy",
    [CONFIG_APPLIED_VOLATILE] = "/run/tenure.applied/applied.conf",
    [CONFIG_APPLIED_OLDER] = "/etc/tenure/applied.conf",
    "/etc/tenure/applied.conf.copy",
    NULL,
};

struct tenure_config *config_free(struct tenure_config *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < c->n_groups; i++) {
        strings_free(c->groups[i].units, c->groups[i].n_units);
        free(c->groups[i].file);
    }
    for (size_t i = 0; i < c->n_kept; i++)
        strings_free(c->kept[i].units, c->kept[i].n_units);
    free(c->groups);
    free(c->kept);
    free(c->arbiter.conninfo);
    free(c->arbiter.file);
    free(c);
    return NULL;
}

static int compare_name_to_group(const void *name, const void *group)
{
    return strcmp(name, ((const struct config_group *)group)->name);
}

const struct config_group *config_find_group(const struct tenure_config *c, const char *name)
{
    assert(c);
    assert(name);

    if (c->n_groups == 0)
        return NULL;
    return bsearch(name, c->groups, c->n_groups, sizeof *c->groups, compare_name_to_group);
}

static bool has_unit(const struct config_group *g, const char *unit)
{
    for (size_t i = 0; i < g->n_units; i++)
        if (strcmp(g->units[i], unit) == 0)
            return true;
    return false;
}

const struct config_group *config_group_of(const struct tenure_config *c, const char *unit)
{
    assert(c);
    assert(unit);

    for (size_t i = 0; i < c->n_groups; i++)
        if (has_unit(&c->groups[i], unit))
            return &c->groups[i];
    return NULL;
}

/* ---- what is kept ---- */

/* Where it is, or would be. */
static size_t kept_position(const struct tenure_config *c, const char *group)
{
    size_t low = 0, high = c->n_kept;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(c->kept[middle].name, group) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct config_kept *config_find_kept(const struct tenure_config *c, const char *group)
{
    assert(c);
    assert(group);

    size_t at = kept_position(c, group);

    return at < c->n_kept && strcmp(c->kept[at].name, group) == 0 ? &c->kept[at] : NULL;
}

static int insert_kept(struct tenure_config *c, const char *group, size_t at)
{
    struct config_kept *more = reallocarray(c->kept, c->n_kept + 1, sizeof *more);

    if (!more)
        return -ENOMEM;
    c->kept = more;
    memmove(more + at + 1, more + at, (c->n_kept - at) * sizeof *more);
    more[at] = (struct config_kept){.units = NULL};
    (void)snprintf(more[at].name, sizeof more[at].name, "%s", group);
    c->n_kept++;
    return 0;
}

static int add_kept_unit(struct config_kept *k, const char *unit)
{
    for (size_t i = 0; i < k->n_units; i++)
        if (strcmp(k->units[i], unit) == 0)
            return 0;
    return strings_add(&k->units, &k->n_units, unit);
}

bool config_has_unit(const struct tenure_config *c, const char *unit)
{
    assert(c);
    assert(unit);

    for (size_t i = 0; i < c->n_kept; i++)
        for (size_t k = 0; k < c->kept[i].n_units; k++)
            if (strcmp(c->kept[i].units[k], unit) == 0)
                return true;
    return config_group_of(c, unit) != NULL;
}

int config_keep(struct tenure_config *c, const char *group, const char *unit)
{
    assert(c);
    assert(group_name_valid(group));
    assert(unit);

    size_t at = kept_position(c, group);

    if (at == c->n_kept || strcmp(c->kept[at].name, group) != 0) {
        int r = insert_kept(c, group, at);

        if (r < 0)
            return r;
    }
    return add_kept_unit(&c->kept[at], unit);
}

/* ---- what changed ---- */

/* A unit appears once in a group, so equal numbers and one containing the other are enough. */
static bool same_units(const struct config_group *a, const struct config_group *b)
{
    if (a->n_units != b->n_units)
        return false;
    for (size_t i = 0; i < a->n_units; i++)
        if (!has_unit(b, a->units[i]))
            return false;
    return true;
}

static enum config_change compare_groups(const struct config_group *a, const struct config_group *b)
{
    /* A keeper gets the right to reboot, or not, when it starts. */
    if (a->method != b->method || a->reboot != b->reboot || !same_units(a, b))
        return CONFIG_CHANGED_UNITS;
    /* A longer stop timeout in the units' guards would outlast what a running term allows, and so
     * would a longer K in the environment of its fence. */
    if (b->budget.stop > a->budget.stop || (b->reboot && b->budget.kill > a->budget.kill))
        return CONFIG_CHANGED_UNITS;
    if (a->budget.lease != b->budget.lease || a->budget.stop != b->budget.stop ||
        a->watchdog != b->watchdog)
        return CONFIG_CHANGED_BUDGET;
    return CONFIG_UNCHANGED;
}

int config_diff(const struct tenure_config *before, const struct tenure_config *after,
                struct config_difference **ret, size_t *ret_n)
{
    assert(after);
    assert(ret);
    assert(ret_n);

    size_t n_before = before ? before->n_groups : 0, i = 0, k = 0, n = 0;
    struct config_difference *list = calloc(n_before + after->n_groups + 1, sizeof *list);

    if (!list)
        return -ENOMEM;
    while (i < n_before || k < after->n_groups) {
        const struct config_group *a = i < n_before ? &before->groups[i] : NULL;
        const struct config_group *b = k < after->n_groups ? &after->groups[k] : NULL;
        int order = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);

        if (order < 0)
            list[n++] = (struct config_difference){.change = CONFIG_REMOVED, .before = a};
        else if (order > 0)
            list[n++] = (struct config_difference){.change = CONFIG_ADDED, .after = b};
        else
            list[n++] =
                (struct config_difference){.change = compare_groups(a, b), .before = a, .after = b};
        i += order <= 0;
        k += order >= 0;
    }
    *ret = list;
    *ret_n = n;
    return 0;
}

bool config_same_arbiter(const struct tenure_config *a, const struct tenure_config *b)
{
    assert(a);
    assert(b);

    return strcmp(a->node, b->node) == 0 && strcmp(a->arbiter.conninfo, b->arbiter.conninfo) == 0 &&
           a->arbiter.require_sync == b->arbiter.require_sync &&
           a->arbiter.allow_unverified == b->arbiter.allow_unverified &&
           a->arbiter.unjudged == b->arbiter.unjudged;
}
