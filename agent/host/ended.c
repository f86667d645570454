/* SPDX-License-Identifier: Apache-2.0 */
/* A unit's run may be over long before its term: a job of a timer, a unit that is stopped by hand.
 * PID 1 knows only until the next daemon-reload how the stop went, so it is judged at once, by the
 * rule of stops.c, and what is proven is remembered for the end of the term. */
#include "host/ended.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/call.h"
#include "host/groups.h"
#include "host/pace.h"
#include "host/poll.h"
#include "host/properties.h"
#include "host/state.h"

void ended_stirred(struct watched *w)
{
    if (w != w->group->watched) /* the keeper */
        w->group->ended[w - w->group->watched - 1].wanted = true;
}

void ended_proven(struct host *h, struct watched_group *g, size_t unit, usec_t run)
{
    struct ended *e = &g->ended[unit];

    e->run = run;
    e->asked_at = clock_boottime();
    e->generation = h->generation;
}

void ended_polled(struct host *h, struct watched_group *g)
{
    for (size_t i = 0; i < g->view.n_units; i++) {
        struct ended *e = &g->ended[i];

        if (e->run == 0)
            continue;
        if (e->generation != h->generation)
            e->wanted = true; /* it is not known by which files it was judged */
        else if (g->view.state.asked_at < e->asked_at)
            continue;
        else if (g->began[i].proven != e->run) {
            g->began[i].proven = e->run;
            g->stops_changed = true;
        }
        e->run = 0;
    }
}

/* The next unit that is to be judged; n_units: none. */
static size_t next(const struct watched_group *g)
{
    size_t i = 0;

    while (i < g->view.n_units && !(g->ended[i].wanted && g->units[i].dead && group_may_keep(g, i)))
        i++;
    return i;
}

/* At the end of a term all are judged anyway. */
bool ended_due(const struct watched_group *g)
{
    return g->view.state.keeper == KEEPER_ACTIVE && !g->view.ending && !g->ended_in_flight &&
           next(g) < g->view.n_units;
}

static void judge(struct host *h, struct watched_group *g, size_t unit,
                  const struct unit_properties *p)
{
    char problem[HOST_PROBLEM_MAX];

    if (!state_is_dead(p->active_state) ||
        stop_judge(&g->began[unit], g->units[unit].name, p, h->load_stamp, problem) != STOP_PROVEN)
        return; /* reported at the end of the term, if it is not proven by then */
    ended_proven(h, g, unit, p->inactive_exit);
    group_poll_soon(h, g);
}

static void answered(struct host *h, struct watched_group *g, sd_bus_message *reply, int error,
                     const char *text)
{
    _cleanup_(unit_properties_clear) struct unit_properties p = {0};

    (void)text;
    if (!g)
        return;
    g->ended_in_flight = false;
    struct ended *e = &g->ended[g->ended_step];
    if (error < 0 || properties_read(reply, &p) < 0) {
        e->wanted = true;
        g->ended_at = usec_add(clock_boottime(), POLL_RETRY_MAX_USEC);
        return;
    }
    /* load_stamp is from before this question. */
    e->wanted = e->wanted || e->generation != h->generation;
    if (!e->wanted) /* nor has it run since */
        judge(h, g, g->ended_step, &p);
}

void ended_continue(struct host *h, usec_t now)
{
    for (size_t i = 0; i < h->n_groups && calls_free(h) > POLL_CALLS; i++) {
        struct watched_group *g = h->groups[i];

        if (!ended_due(g) || g->ended_at > now)
            continue;
        g->ended_step = next(g);
        if (call_for_properties(h, g->watched[g->ended_step + 1].path, g, answered) < 0) {
            g->ended_at = usec_add(now, POLL_RETRY_MAX_USEC);
            continue;
        }
        g->ended[g->ended_step].wanted = false;
        g->ended[g->ended_step].generation = h->generation;
        g->ended_in_flight = true;
    }
}
