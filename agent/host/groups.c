/* SPDX-License-Identifier: Apache-2.0 */
#include "host/groups.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "host/bus_names.h"
#include "host/state.h"

/* ---- which there are ---- */

/* Where name is, or would be. */
static size_t group_position(const struct host *h, const char *name)
{
    size_t low = 0, high = h->n_groups;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(h->groups[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct watched_group *group_find(const struct host *h, const char *name)
{
    size_t i = group_position(h, name);

    return i < h->n_groups && strcmp(h->groups[i]->name, name) == 0 ? h->groups[i] : NULL;
}

static size_t path_position(const struct host *h, const char *path)
{
    size_t low = 0, high = h->n_paths;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(h->paths[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct watched *watched_find(const struct host *h, const char *path)
{
    size_t i = path ? path_position(h, path) : h->n_paths;

    return i < h->n_paths && strcmp(h->paths[i]->path, path) == 0 ? h->paths[i] : NULL;
}

static struct watched_group *group_free(struct watched_group *g)
{
    if (!g)
        return NULL;
    for (size_t i = 0; g->watched && i <= g->view.n_units; i++)
        free(g->watched[i].path);
    free(g->watched);
    free(g->units);
    free(g->seen);
    free(g->began);
    free(g->ended);
    free(g);
    return NULL;
}

static void group_freep(struct watched_group **g)
{
    group_free(*g);
}

static int watch(struct watched_group *g, size_t i, const char *unit, struct unit_view *view)
{
    if (strlen(unit) >= sizeof view->name)
        return -EINVAL;
    (void)snprintf(view->name, sizeof view->name, "%s", unit);
    g->watched[i].group = g;
    g->watched[i].view = view;
    int r = sd_bus_path_encode(SYSTEMD_UNIT_PATH, unit, &g->watched[i].path);
    return r < 0 ? r : 0;
}

static int group_new(const char *name, const char *const *units, size_t n_units,
                     struct watched_group **ret)
{
    _cleanup_(group_freep) struct watched_group *g = calloc(1, sizeof *g);

    if (!g)
        return -ENOMEM;
    if (group_keeper_unit(name, g->keeper_unit, sizeof g->keeper_unit) < 0 ||
        group_slice_unit(name, g->slice_unit, sizeof g->slice_unit) < 0 ||
        group_stop_unit(name, g->stop_unit, sizeof g->stop_unit) < 0)
        return -EINVAL;
    (void)snprintf(g->name, sizeof g->name, "%s", name); /* a valid name fits */
    g->view.n_units = n_units;
    g->units = calloc(n_units, sizeof *g->units);
    g->watched = calloc(n_units + 1, sizeof *g->watched);
    g->seen = calloc(n_units, sizeof *g->seen);
    g->began = calloc(n_units, sizeof *g->began);
    g->ended = calloc(n_units, sizeof *g->ended);
    if (!g->units || !g->watched || !g->seen || !g->began || !g->ended)
        return -ENOMEM;
    g->view.units = g->units;

    int r = watch(g, 0, g->keeper_unit, &g->keeper);
    for (size_t i = 0; i < n_units && r >= 0; i++)
        r = watch(g, i + 1, units[i], &g->units[i]);
    for (size_t i = 0; i < n_units; i++)
        g->ended[i].wanted = true; /* for all that is known */
    if (r < 0)
        return r;
    *ret = TAKE_PTR(g);
    return 0;
}

/* Room for n more groups and paths, so that what follows cannot fail half-way. */
static int make_room(struct host *h, size_t n_paths)
{
    struct watched_group **groups =
        realloc(h->groups, (h->n_groups + 1) * sizeof(struct watched_group *));

    if (!groups)
        return -ENOMEM;
    h->groups = groups;
    struct watched **paths = realloc(h->paths, (h->n_paths + n_paths) * sizeof(struct watched *));
    if (!paths)
        return -ENOMEM;
    h->paths = paths;
    return 0;
}

static void add_path(struct host *h, struct watched *w)
{
    size_t at = path_position(h, w->path);

    memmove(h->paths + at + 1, h->paths + at, (h->n_paths - at) * sizeof(struct watched *));
    h->paths[at] = w;
    h->n_paths++;
}

int groups_add(struct host *h, const char *group, const char *const *units, size_t n_units,
               usec_t stop, struct watched_group **ret)
{
    _cleanup_(group_freep) struct watched_group *g = NULL;
    int r = group_new(group, units, n_units, &g);

    if (r < 0 || (r = make_room(h, n_units + 1)) < 0)
        return r;
    assert(g);
    g->stop = stop;

    size_t at = group_position(h, group);
    memmove(h->groups + at + 1, h->groups + at,
            (h->n_groups - at) * sizeof(struct watched_group *));
    h->groups[at] = g;
    h->n_groups++;
    for (size_t i = 0; i <= n_units; i++)
        add_path(h, &g->watched[i]);
    *ret = TAKE_PTR(g);
    return 0;
}

void groups_remove(struct host *h, struct watched_group *g)
{
    size_t at = group_position(h, g->name), kept = 0;

    for (size_t i = 0; i < h->n_paths; i++)
        if (h->paths[i]->group != g)
            h->paths[kept++] = h->paths[i];
    h->n_paths = kept;

    h->n_groups--;
    memmove(h->groups + at, h->groups + at + 1,
            (h->n_groups - at) * sizeof(struct watched_group *));
    group_free(g);
}

void groups_free(struct host *h)
{
    for (size_t i = 0; i < h->n_groups; i++)
        group_free(h->groups[i]);
    free(h->groups);
    free(h->paths);
}

/* ---- what is wanted of them ---- */

void pump_soon(struct host *h)
{
    /* Cannot fail: the source exists. */
    (void)sd_event_source_set_enabled(h->pump, SD_EVENT_ONESHOT);
}

void group_poll_soon(struct host *h, struct watched_group *g)
{
    g->poll_wanted = true;
    pump_soon(h);
}

void groups_poll_soon(struct host *h)
{
    for (size_t i = 0; i < h->n_groups; i++)
        group_poll_soon(h, h->groups[i]);
}

/* ---- what is known of them ---- */

bool groups_require_watchdog(const struct host *h)
{
    for (size_t i = 0; i < h->n_groups; i++)
        if (h->groups[i]->watchdog > 0)
            return true;
    return false;
}

/* As it began; or as it would begin now, which it may have done since the last check. */
bool group_may_keep(const struct watched_group *g, size_t unit)
{
    static const struct stop_definition unknown = {.known = false};
    const char *name = g->units[unit].name;

    return stop_keeps(name, &g->began[unit].as) || stop_keeps(name, &g->seen[unit].as) ||
           (g->judge_all && stop_keeps(name, &unknown));
}

/* What the hardware watchdog lacks for this group; "" nothing, or it is not required. */
static void judge_watchdog(const struct host *h, struct watched_group *g,
                           char ret[static HOST_PROBLEM_MAX])
{
    ret[0] = '\0';
    if (g->watchdog > 0)
        watchdog_obstacle(&h->hardware, g->watchdog, ret, HOST_PROBLEM_MAX);
    g->view.unarmed = h->connected && *ret && h->hardware.state != WATCHDOG_UNKNOWN;
}

static enum guards_state judge_copies(const struct watched_group *g)
{
    if (g->found.bare)
        return GUARDS_BARE;
    return *g->found.lost_copy || g->found.verdict == GUARDS_LOST ? GUARDS_PART : GUARDS_WHOLE;
}

/* What was found of the guards counts as long as PID 1 has not read its files again since. */
static void judge_guards(struct watched_group *g, bool known)
{
    struct group_view *v = &g->view;

    v->state.guards = (struct guards_seen){
        .state = known ? judge_copies(g) : GUARDS_UNKNOWN,
        .outside = known && g->found.outside,
        .asked_at = known ? g->found.asked_at : 0,
    };
    v->lost = known && g->found.verdict >= GUARDS_LOST;
    (void)snprintf(v->lost_copy, sizeof v->lost_copy, "%s", known ? g->found.lost_copy : "");
}

void group_judge(const struct host *h, struct watched_group *g)
{
    const char *problem = g->check_problem;
    char obstacle[HOST_PROBLEM_MAX];

    judge_watchdog(h, g, obstacle);
    if (!h->connected)
        problem = "the guards of its units cannot be checked without the system bus";
    else if (g->checked != h->generation && !*problem)
        problem = "the guards of its units are being checked";
    else if (h->watchdogs_known && !h->watchdogs)
        problem = "systemd: ServiceWatchdogs is no, which disarms the second guard of every "
                  "keeper: run systemctl service-watchdogs yes";
    else if (!*problem && g->view.unarmed)
        problem = obstacle;
    g->view.state.guarded =
        g->checked == h->generation && !*problem && h->watchdogs_known && !*obstacle;
    /* What was found stays found while it is checked again. */
    g->view.unguarded =
        h->connected && *problem && (g->checked == h->generation || *g->check_problem);
    judge_guards(g, h->connected && g->checked == h->generation);
    if (!g->view.state.guarded && !*problem)
        problem = h->watchdogs_known ? obstacle
                                     : "systemd has not said yet whether service watchdogs are on";
    (void)snprintf(g->view.problem, sizeof g->view.problem, "%s", problem);
}

void groups_new_generation(struct host *h)
{
    h->generation++;
    for (size_t i = 0; i < h->n_groups; i++) {
        h->groups[i]->check_at = 0;
        group_judge(h, h->groups[i]);
    }
    pump_soon(h);
}

void group_report(struct host *h, struct watched_group *g)
{
    struct group_view *v = &g->view;

    v->state.open = v->ending && v->stops == STOPS_OPEN;
    v->state.left = v->stops == STOPS_LEFT;
    h->handler->polled(h->userdata, g->name);
}
