/* SPDX-License-Identifier: Apache-2.0 */
#include "config/cross_check.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/trigger.h"
#include "config/unit_name.h"

static const struct config_group *group_of(const struct loader *l, const struct unit_place *p)
{
    return &l->config->groups[p->group];
}

static int compare_places(const void *a, const void *b)
{
    const struct unit_place *p = a, *q = b;
    int order = strcmp(p->name, q->name);

    return order ? order : (p->order > q->order) - (p->order < q->order);
}

static void refuse_same_units(struct loader *l)
{
    if (l->n_places > 0)
        qsort(l->places, l->n_places, sizeof *l->places, compare_places);
    for (size_t i = 1, first = 0; i < l->n_places; i++) {
        const struct unit_place *p = &l->places[i], *q = &l->places[first];
        const struct config_group *here = group_of(l, p), *there = group_of(l, q);

        if (strcmp(p->name, q->name) != 0)
            first = i;
        else if (p->group == q->group)
            config_problem_add(
                l->problems, here->file, p->line,
                "unit \"%s\" appears twice in group \"%s\" (first at line %u): keep one "
                "of the two",
                p->name, here->name, q->line);
        else
            config_problem_add(l->problems, here->file, p->line,
                               "unit \"%s\" of group \"%s\" belongs to group \"%s\" already (%s:%u)"
                               ": a unit can belong to one group only, take it out of the other",
                               p->name, here->name, there->name, there->file, q->line);
    }
}

static bool declares(const struct config_group *g, const char *unit)
{
    for (size_t i = 0; i < g->n_units; i++)
        if (strcmp(g->units[i], unit) == 0)
            return true;
    return false;
}

/* A timer that the leader alone runs must not start what every host may run: what a unit of a
 * group triggers is declared in the same group. */
static void check_trigger(struct loader *l, const struct unit_place *p)
{
    const struct config_group *g = group_of(l, p);
    const char *suffix = unit_name_suffix(p->name);
    char triggered[UNIT_NAME_LEN_MAX + 1];

    if (strcmp(suffix, "timer") != 0 && strcmp(suffix, "socket") != 0 &&
        strcmp(suffix, "path") != 0)
        return;
    int r = trigger_find(l->unit_dirs, p->name, triggered, sizeof triggered);
    if (r == -ENOMEM)
        l->out_of_memory = true;
    else if (r == -EXDEV)
        config_problem_add(l->problems, g->file, p->line,
                           "unit \"%s\" has Accept=yes: it starts an instance per connection, "
                           "which cannot be declared; write a service that takes the listening "
                           "socket itself (Accept=no)",
                           p->name);
    else if (r == 0 && !declares(g, triggered))
        config_problem_add(l->problems, g->file, p->line,
                           "unit \"%s\" starts \"%s\", which is not declared in group \"%s\": add "
                           "it to the units of this group",
                           p->name, triggered, g->name);
}

/* No apply writes such a file, so what was meant is not known. */
static void refuse_kept_and_declared(struct loader *l)
{
    for (size_t i = 0; i < l->config->n_kept; i++)
        for (size_t k = 0; k < l->config->kept[i].n_units; k++) {
            const char *unit = l->config->kept[i].units[k];
            const struct config_group *g = config_group_of(l->config, unit);

            if (g)
                config_problem_add(l->problems, g->file, g->line,
                                   "unit \"%s\" of group \"%s\" is kept for group \"%s\" as well",
                                   unit, g->name, l->config->kept[i].name);
        }
}

static int compare_groups(const void *a, const void *b)
{
    return strcmp(((const struct config_group *)a)->name, ((const struct config_group *)b)->name);
}

static int compare_in_order(const void *a, const void *b)
{
    const struct config_group *g = *(const struct config_group *const *)a;
    const struct config_group *h = *(const struct config_group *const *)b;
    int order = strcmp(g->name, h->name);

    return order ? order : (g > h) - (g < h);
}

/* Groups are in the order of reading, so of two with one name the first in memory was read first.
 */
static void refuse_same_groups(struct loader *l)
{
    size_t n = l->config->n_groups;
    // NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers
    const struct config_group **sorted = calloc(n + 1, sizeof *sorted);

    if (!sorted) {
        l->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = &l->config->groups[i];
    qsort(sorted, n, sizeof(const struct config_group *), compare_in_order);
    for (size_t i = 1, first = 0; i < n; i++) {
        if (strcmp(sorted[i]->name, sorted[first]->name) != 0)
            first = i;
        else if (sorted[i]->name[0])
            config_problem_add(
                l->problems, sorted[i]->file, sorted[i]->line,
                "group \"%s\" is declared twice (first at %s:%u): keep one of the two",
                sorted[i]->name, sorted[first]->file, sorted[first]->line);
    }
    free(sorted);
}

void load_finish(struct loader *l)
{
    assert(l);

    if (l->out_of_memory)
        return;
    refuse_same_groups(l);
    refuse_same_units(l);
    refuse_kept_and_declared(l);
    for (size_t i = 0; i < l->n_places; i++)
        check_trigger(l, &l->places[i]);
    if (l->config->n_groups > 0)
        qsort(l->config->groups, l->config->n_groups, sizeof *l->config->groups, compare_groups);
}
