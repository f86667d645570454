/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/files.h"
#include "host/internal.h"

#define TIMER_ACCURACY_USEC 1 /* 0 would mean 250 ms */
/* Behind everything else, so that one question serves all that this turn of the loop brings. */
#define PUMP_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

usec_t backoff(usec_t last, usec_t min, usec_t max)
{
    return last == 0 ? min : usec_min(usec_add(last, last), max);
}

/* ---- groups ---- */

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

struct watched_group *host_group(const struct host *h, const char *name)
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

struct watched *host_watched(const struct host *h, const char *path)
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

int host_add_group(struct host *h, const char *group, const char *const *units, size_t n_units,
                   usec_t stop)
{
    assert(h);
    assert(group);
    assert(units);

    _cleanup_(group_freep) struct watched_group *g = NULL;

    if (host_group(h, group))
        return -EEXIST;
    if (n_units == 0)
        return -EINVAL;
    if (n_units > HOST_UNITS_MAX || h->n_groups >= HOST_GROUPS_MAX)
        return -E2BIG;
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
    proof_inherit(g);
    group_judge(h, g);
    group_poll_soon(h, TAKE_PTR(g));
    return 0;
}

int host_set_stop(struct host *h, const char *group, usec_t stop)
{
    struct watched_group *g = host_group(h, group);

    if (!g)
        return -ENOENT;
    if (g->stop == stop)
        return 0;
    g->stop = stop;
    g->checked = 0;
    g->checking = 0; /* what is under way goes by the old one */
    g->check_at = 0;
    group_judge(h, g);
    host_pump_soon(h);
    return 0;
}

bool host_requires_watchdog(const struct host *h)
{
    for (size_t i = 0; i < h->n_groups; i++)
        if (h->groups[i]->watchdog > 0)
            return true;
    return false;
}

int host_require_watchdog(struct host *h, const char *group, usec_t longest)
{
    struct watched_group *g = host_group(h, group);

    if (!g)
        return -ENOENT;
    if (g->watchdog == longest)
        return 0;
    if (!host_requires_watchdog(h))
        h->hardware.state = WATCHDOG_UNKNOWN; /* not asked for since nobody does */
    g->watchdog = longest;
    group_judge(h, g);
    group_poll_soon(h, g);
    return 0;
}

int host_remove_group(struct host *h, const char *group)
{
    assert(h);
    assert(group);

    struct watched_group *g = host_group(h, group);
    size_t kept = 0;

    if (!g)
        return -ENOENT;
    calls_forget_group(h, g);
    poll_forget_group(h, g);
    for (size_t i = 0; i < h->n_paths; i++)
        if (h->paths[i]->group != g)
            h->paths[kept++] = h->paths[i];
    h->n_paths = kept;

    size_t at = group_position(h, group);
    h->n_groups--;
    memmove(h->groups + at, h->groups + at + 1,
            (h->n_groups - at) * sizeof(struct watched_group *));
    group_free(g);
    return 0;
}

const struct group_view *host_view(const struct host *h, const char *group)
{
    const struct watched_group *g = host_group(h, group);

    return g ? &g->view : NULL;
}

/* ---- what to do next ---- */

void host_pump_soon(struct host *h)
{
    /* Cannot fail: the source exists. */
    (void)sd_event_source_set_enabled(h->pump, SD_EVENT_ONESHOT);
}

void group_poll_soon(struct host *h, struct watched_group *g)
{
    g->poll_wanted = true;
    host_pump_soon(h);
}

void host_poll(struct host *h, const char *group)
{
    struct watched_group *g = host_group(h, group);

    if (g)
        group_poll_soon(h, g);
}

void host_poll_all(struct host *h)
{
    for (size_t i = 0; i < h->n_groups; i++)
        group_poll_soon(h, h->groups[i]);
}

void host_new_generation(struct host *h)
{
    h->generation++;
    for (size_t i = 0; i < h->n_groups; i++) {
        h->groups[i]->check_at = 0;
        group_judge(h, h->groups[i]);
    }
    host_pump_soon(h);
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

static enum guards_found judge_copies(const struct watched_group *g)
{
    if (g->found.bare)
        return HOST_GUARDS_BARE;
    return *g->found.lost_copy || g->found.verdict == GUARDS_LOST ? HOST_GUARDS_PART
                                                                  : HOST_GUARDS_WHOLE;
}

/* What was found of the guards counts as long as PID 1 has not read its files again since. */
static void judge_guards(struct watched_group *g, bool known)
{
    struct group_view *v = &g->view;

    v->guards = known ? judge_copies(g) : HOST_GUARDS_UNKNOWN;
    v->lost = known && g->found.verdict >= GUARDS_LOST;
    v->outside = known && g->found.outside;
    v->guards_asked_at = known ? g->found.asked_at : 0;
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
    g->view.guarded = g->checked == h->generation && !*problem && h->watchdogs_known && !*obstacle;
    /* What was found stays found while it is checked again. */
    g->view.unguarded =
        h->connected && *problem && (g->checked == h->generation || *g->check_problem);
    judge_guards(g, h->connected && g->checked == h->generation);
    if (!g->view.guarded && !*problem)
        problem = h->watchdogs_known ? obstacle
                                     : "systemd has not said yet whether service watchdogs are on";
    (void)snprintf(g->view.problem, sizeof g->view.problem, "%s", problem);
}

static usec_t next_due(const struct host *h)
{
    usec_t due = h->subscribed || h->subscribe_in_flight ? USEC_INFINITY : h->subscribe_at;

    due = usec_min(due, usec_min(heal_wake(h), polkit_due(h)));

    for (size_t i = 0; i < h->n_groups; i++) {
        const struct watched_group *g = h->groups[i];

        due = usec_min(due, g->poll_at);
        if (check_due(h, g))
            due = usec_min(due, usec_max(g->check_at, 1));
        if (proof_due(g))
            due = usec_min(due, usec_max(g->judge_at, 1));
        if (ended_due(g))
            due = usec_min(due, usec_max(g->ended_at, 1));
        if (g->start_wanted)
            due = usec_min(due, g->start_until);
    }
    return due;
}

static void arm_timer(struct host *h, usec_t now)
{
    usec_t due = next_due(h);

    /* What is due but found no free call is taken up again when one is answered. */
    if (due <= now && h->n_calls > 0)
        due = usec_add(now, HOST_CALL_TIMEOUT_USEC);
    if (due == USEC_INFINITY) {
        (void)sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
        return;
    }
    (void)sd_event_source_set_time(h->timer, usec_max(due, usec_add(now, USEC_PER_MSEC)));
    (void)sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
}

/* Starts and stops before questions, questions before checks. */
static int on_pump(sd_event_source *source, void *userdata)
{
    struct host *h = userdata;
    usec_t now = clock_boottime();

    (void)source;
    if (!h->connected)
        return 0; /* on_connected() begins anew */
    if (!h->subscribed && !h->subscribe_in_flight && h->subscribe_at <= now)
        connection_subscribe(h);
    for (size_t i = 0; i < h->n_groups; i++)
        if (h->groups[i]->poll_at <= now)
            h->groups[i]->poll_wanted = true;
    control_send(h, now);
    heal_send(h, now);
    poll_ask(h, now);
    polkit_ask(h, now);
    proof_continue(h, now);
    ended_continue(h, now);
    check_continue(h, now);
    arm_timer(h, now);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)usec;
    return on_pump(source, userdata);
}

/* ---- life ---- */

int host_new(struct sd_event *event, const struct host_handler *handler, void *userdata,
             struct host **ret)
{
    assert(event);
    assert(handler && handler->viewed && handler->start_answered && handler->own_job);
    assert(ret);

    struct host *h = calloc(1, sizeof *h);
    int r;

    if (!h)
        return -ENOMEM;
    h->handler = handler;
    h->userdata = userdata;
    h->generation = 1;
    h->event = sd_event_ref(event);
    h->socket_fd = datagram_socket();
    if ((r = h->socket_fd) < 0 || (r = sd_event_add_defer(event, &h->pump, on_pump, h)) < 0 ||
        (r = sd_event_source_set_priority(h->pump, PUMP_PRIORITY)) < 0 ||
        (r = sd_event_source_set_enabled(h->pump, SD_EVENT_OFF)) < 0 ||
        (r = sd_event_add_time(event, &h->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_USEC, on_timer,
                               h)) < 0 ||
        (r = sd_event_source_set_enabled(h->timer, SD_EVENT_OFF)) < 0 ||
        (r = connection_begin(h)) < 0) {
        host_free(h);
        return r;
    }
    *ret = h;
    return 0;
}

struct host *host_free(struct host *h)
{
    if (!h)
        return NULL;
    /* Nobody is told: the answers under way are dropped. */
    for (size_t i = 0; i < HOST_CALLS_MAX; i++)
        h->calls[i].slot = sd_bus_slot_unref(h->calls[i].slot);
    connection_end(h);
    sd_event_source_disable_unref(h->pump);
    sd_event_source_disable_unref(h->timer);
    for (size_t i = 0; i < h->n_groups; i++)
        group_free(h->groups[i]);
    free(h->groups);
    free(h->paths);
    if (h->socket_fd >= 0)
        (void)close(h->socket_fd);
    sd_event_unref(h->event);
    free(h);
    return NULL;
}
