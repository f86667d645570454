/* SPDX-License-Identifier: Apache-2.0 */
/* From the start of a keeper to the end of its term: what is known of the units' stops, and whether
 * these prove that nothing is left. stops.c has the rule. */
#include "host/proof.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/call.h"
#include "host/ended.h"
#include "host/groups.h"
#include "host/pace.h"
#include "host/properties.h"
#include "host/state.h"
#include "host/stops_file.h"

/* ---- the file ---- */

/* The names, as the file has them. */
static void names_of(const struct watched_group *g, const char *ret[static HOST_UNITS_MAX])
{
    for (size_t i = 0; i < g->view.n_units; i++)
        ret[i] = g->units[i].name;
}

static int save(struct watched_group *g)
{
    const char *names[HOST_UNITS_MAX];
    struct stops_file f = {.term = g->view.stops_term,
                           .stops = g->view.stops,
                           .n = g->view.n_units,
                           .units = names,
                           .began = g->began};

    g->stops_changed = false;
    if (g->view.stops_term == 0 || g->view.stops == STOPS_UNKNOWN)
        return 0;
    names_of(g, names);
    return stops_save(TENURE_INSTANCE_DIR, g->name, &f);
}

/* In the middle of a term or at its end: an older file never says that anything is gone which is
 * not. It is tried again with the next poll. */
static void save_or_log(struct watched_group *g)
{
    int r = save(g);

    g->stops_changed = r < 0;
    if (r < 0 && r != g->stops_error)
        log_warning("%s: what is known of its units' stops cannot be written to %s: %s", g->name,
                    TENURE_INSTANCE_DIR, strerror(-r));
    g->stops_error = r;
}

void proof_inherit(struct watched_group *g)
{
    const char *names[HOST_UNITS_MAX];
    struct stops_file f = {.n = g->view.n_units, .units = names, .began = g->began};

    names_of(g, names);
    int r = stops_load(TENURE_INSTANCE_DIR, g->name, &f);
    if (r < 0) {
        if (r != -ENOENT)
            log_warning("%s: what was known of its units' stops cannot be read: %s", g->name,
                        strerror(-r));
        return;
    }
    g->view.stops_term = f.term;
    g->inherited = f.stops == STOPS_OPEN;
    /* A term that was judged is over. */
    if (f.stops == STOPS_OPEN || f.stops == STOPS_NONE)
        g->view.stops = f.stops;
}

/* ---- the beginning ---- */

static bool any_keeps(const struct watched_group *g)
{
    for (size_t i = 0; i < g->view.n_units; i++)
        if (group_may_keep(g, i))
            return true;
    return false;
}

static void set_stops(struct watched_group *g, enum stops stops)
{
    g->stops_changed = g->stops_changed || g->view.stops != stops;
    g->view.stops = stops;
    if (stops != STOPS_LEFT)
        g->view.left[0] = '\0';
}

int proof_begin(struct watched_group *g)
{
    usec_t since = clock_monotonic();

    for (size_t i = 0; i < g->view.n_units; i++) {
        g->began[i] =
            (struct stop_began){.as = g->seen[i].as, .since = since, .proven = g->began[i].proven};
    }
    g->was_active = g->inherited = g->judging = g->judged = g->view.ending = g->judge_all = false;
    g->view.doubt[0] = '\0';
    set_stops(g, any_keeps(g) ? STOPS_OPEN : STOPS_NONE);
    return save(g);
}

void proof_seen_up(struct watched_group *g, size_t unit)
{
    g->stops_changed = g->stops_changed || !g->began[unit].was_up;
    g->began[unit].was_up = true;
}

/* What was seen counts after the next poll, which says whether PID 1 has read its files again. */
void proof_all_checked(struct host *h, struct watched_group *g)
{
    g->seen_at = clock_boottime();
    g->seen_generation = h->generation;
    if (g->view.state.keeper == KEEPER_ACTIVE && g->view.stops_term > 0)
        group_poll_soon(h, g);
}

static void judge_running(const struct host *h, struct watched_group *g)
{
    char doubt[HOST_PROBLEM_MAX] = "";

    for (size_t i = 0; i < g->view.n_units; i++) {
        struct stop_began before = g->began[i];
        char problem[HOST_PROBLEM_MAX];

        if (!g->seen[i].up)
            continue;
        if (!stop_provable(&g->began[i], g->units[i].name, &g->seen[i], h->load_stamp, problem) &&
            !*doubt)
            (void)snprintf(doubt, sizeof doubt, "%s", problem);
        g->stops_changed = g->stops_changed || before.as.known != g->began[i].as.known ||
                           before.as.fingerprint != g->began[i].as.fingerprint;
    }
    (void)snprintf(g->view.doubt, sizeof g->view.doubt, "%s", doubt);
    set_stops(g, any_keeps(g) ? STOPS_OPEN : STOPS_NONE);
}

/* A live keeper whose term is not in the file: an older version of the agent has started it. */
static void adopt_term(struct watched_group *g)
{
    for (size_t i = 0; i < g->view.n_units; i++)
        g->began[i] =
            (struct stop_began){.was_up = g->began[i].was_up, .proven = g->began[i].proven};
    g->view.stops_term = g->view.state.keeper_term;
    set_stops(g, STOPS_OPEN);
}

static void polled_in_term(const struct host *h, struct watched_group *g)
{
    const struct group_view *v = &g->view;

    if (v->state.keeper_term > 0 && v->state.keeper_term != v->stops_term)
        adopt_term(g);
    if (g->seen_at > 0 && v->state.asked_at >= g->seen_at && g->seen_generation == h->generation) {
        g->seen_at = 0;
        judge_running(h, g);
    }
}

/* ---- the end ---- */

/* From the first unit on. */
static void begin_judging(struct host *h, struct watched_group *g)
{
    g->judging = true;
    g->judged = false;
    g->judge_stale = g->judge_in_flight;
    g->judge_step = 0;
    g->judge_at = 0;
    g->judge_problem[0] = '\0';
    g->judge_generation = h->generation;
}

void host_end_term(struct host *h, const char *group)
{
    struct watched_group *g = group_find(h, group);

    if (!g)
        return;
    g->view.ending = true;
    g->ending_since = clock_boottime();
    g->inherited = false;
    /* Files were read again since the last check, and a unit may have been started by them. */
    g->judge_all = g->checked != h->generation;
    if (g->view.stops == STOPS_LEFT && g->view.state.units_dead) {
        /* Found already, when the keeper was gone. */
    } else if (!any_keeps(g)) {
        g->judging = false;
        set_stops(g, STOPS_NONE);
    } else {
        set_stops(g, STOPS_OPEN);
        begin_judging(h, g);
    }
    save_or_log(g);
    group_poll_soon(h, g);
}

/* All units were asked about, and then PID 1 was polled once more: nothing has been started since,
 * and no file read again. */
static void conclude(struct watched_group *g)
{
    g->judging = g->judged = false;
    set_stops(g, *g->judge_problem ? STOPS_LEFT : STOPS_GONE);
    (void)snprintf(g->view.left, sizeof g->view.left, "%s", g->judge_problem);
}

/* The term has ended or is about to, by whatever cause: a keeper that was killed is followed by its
 * fence, which waits for what is found here. Not before a keeper has come up. */
static bool is_over(const struct watched_group *g)
{
    enum keeper_presence keeper = g->view.state.keeper;

    return g->view.ending ||
           ((keeper == KEEPER_GONE || keeper == KEEPER_BUSY) && (g->was_active || g->inherited));
}

static void go_on_judging(struct host *h, struct watched_group *g)
{
    const struct group_view *v = &g->view;

    if (!v->state.units_dead) { /* not over, whatever was found before */
        set_stops(g, STOPS_OPEN);
        begin_judging(h, g);
    } else if (v->stops == STOPS_OPEN && (!g->judging || g->judge_generation != h->generation))
        begin_judging(h, g);
    else if (g->judged && v->state.asked_at >= g->judged_at)
        conclude(g);
}

void proof_polled(struct host *h, struct watched_group *g)
{
    const struct group_view *v = &g->view;

    ended_polled(h, g);
    if (v->state.keeper == KEEPER_ACTIVE && !v->ending) {
        g->was_active = true;
        g->inherited = false;
        polled_in_term(h, g);
    }
    if (v->stops == STOPS_UNKNOWN || v->stops == STOPS_NONE)
        ; /* there is nothing to judge */
    else if (is_over(g))
        go_on_judging(h, g);
    else {
        g->judging = g->judged = false;
        set_stops(g, STOPS_OPEN);
    }
    if (g->stops_changed)
        save_or_log(g);
}

/* Units that have nothing but processes need not be asked about. */
static void skip_others(struct watched_group *g)
{
    while (g->judge_step < g->view.n_units && !group_may_keep(g, g->judge_step))
        g->judge_step++;
}

static void all_asked(struct host *h, struct watched_group *g)
{
    g->judged = true;
    g->judged_at = clock_boottime();
    group_poll_soon(h, g);
}

static void postpone(struct watched_group *g)
{
    g->judge_retry = backoff(g->judge_retry, POLL_RETRY_MIN_USEC, POLL_RETRY_MAX_USEC);
    g->judge_at = usec_add(clock_boottime(), g->judge_retry);
}

static void answered(struct host *h, struct watched_group *g, sd_bus_message *reply, int error,
                     const char *text)
{
    _cleanup_(unit_properties_clear) struct unit_properties p = {0};
    char problem[HOST_PROBLEM_MAX];

    (void)text;
    if (!g)
        return;
    g->judge_in_flight = false;
    if (g->judge_stale || !g->judging) {
        g->judge_stale = false;
        return;
    }
    if (error < 0 || properties_read(reply, &p) < 0) {
        postpone(g);
        return;
    }
    g->judge_retry = 0;
    const char *unit = g->units[g->judge_step].name;
    if (stop_judge(&g->began[g->judge_step], unit, &p, h->load_stamp, problem) == STOP_PROVEN)
        ended_proven(h, g, g->judge_step, p.inactive_exit);
    else if (!*g->judge_problem)
        (void)snprintf(g->judge_problem, sizeof g->judge_problem, "%s", problem);
    g->judge_step++;
}

bool proof_due(const struct watched_group *g)
{
    return g->judging && !g->judged && !g->judge_in_flight && g->view.state.units_dead;
}

void proof_continue(struct host *h, usec_t now)
{
    for (size_t i = 0; i < h->n_groups && calls_free(h) > 0; i++) {
        struct watched_group *g = h->groups[i];

        if (!proof_due(g) || g->judge_at > now)
            continue;
        skip_others(g);
        if (g->judge_step >= g->view.n_units) {
            all_asked(h, g);
            continue;
        }
        if (call_for_properties(h, g->watched[g->judge_step + 1].path, g, answered) < 0)
            postpone(g);
        else
            g->judge_in_flight = true;
    }
}
