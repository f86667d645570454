/* SPDX-License-Identifier: Apache-2.0 */
#include "host/guard_check.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/guard.h"
#include "host/bus_names.h"
#include "host/call.h"
#include "host/drop_in.h"
#include "host/groups.h"
#include "host/guards.h"
#include "host/pace.h"
#include "host/proof.h"
#include "host/properties.h"
#include "host/state.h"

#define CHECK_CALLS_MAX 8 /* leaves room for starts and stops */
#define CHECK_AGAIN_INTERVAL_USEC (300 * USEC_PER_SEC)

/* One group is checked step by step, one call after another, to the end: reported is the worst that
 * was found, and the first of several that are as bad. Several groups are checked side by side. */
enum {
    STEP_SLICE,
    STEP_KEEPER,
    STEP_UNITS, /* and on */
};

static const char *step_unit(const struct watched_group *g)
{
    if (g->check_step == STEP_SLICE)
        return g->slice_unit;
    if (g->check_step == STEP_KEEPER)
        return g->keeper_unit;
    return g->units[g->check_step - STEP_UNITS].name;
}

static struct guards guards_of(const struct watched_group *g)
{
    return (struct guards){
        .group = g->name,
        .keeper_unit = g->keeper_unit,
        .slice_unit = g->slice_unit,
        .units = g->units,
        .n_units = g->view.n_units,
        .stop = g->stop,
    };
}

static bool unit_is_bare(const struct watched_group *g, const struct unit_properties *p)
{
    const struct guards guards = guards_of(g);

    return guards_are_bare(&guards, step_unit(g), p);
}

static enum guard_verdict judge_step(struct watched_group *g, const struct unit_properties *p,
                                     char problem[static HOST_PROBLEM_MAX])
{
    const struct guards guards = guards_of(g);

    if (g->check_step == STEP_SLICE)
        return guards_of_slice(&guards, p, problem);
    if (g->check_step == STEP_KEEPER)
        return guards_of_keeper(&guards, p, problem);
    g->units[g->check_step - STEP_UNITS].may_rest = guards_may_rest(&guards, p);
    stop_see(&g->seen[g->check_step - STEP_UNITS], p);
    return guards_of_unit(&guards, step_unit(g), p, problem);
}

/* A copy that cannot be seen is not lost. */
static bool is_lost(const char *unit)
{
    bool there;

    return drop_in_find(GUARD_COPY_DIR, unit, &there) == 0 && !there;
}

/* Of units and keeper; the slice has none. The first that is lost is named. */
static void find_copies(struct watched_group *g, const struct unit_properties *p)
{
    struct findings *f = &g->finding;

    if (g->check_step == STEP_SLICE || *f->lost_copy || strcmp(p->load_state, "loaded") != 0)
        return;
    if (!guards_by_generator(step_unit(g), p))
        (void)snprintf(
            f->lost_copy, sizeof f->lost_copy,
            "%s: systemd does not use what tenure-generator writes to " GUARD_GENERATOR_DIR,
            step_unit(g));
    else if (is_lost(step_unit(g)))
        (void)snprintf(f->lost_copy, sizeof f->lost_copy,
                       "%s: what tenurectl apply wrote to " GUARD_COPY_DIR " is gone",
                       step_unit(g));
}

static void take_step(struct watched_group *g, const struct unit_properties *p)
{
    char problem[HOST_PROBLEM_MAX] = "";
    struct findings *f = &g->finding;
    bool is_unit = g->check_step >= STEP_UNITS;
    enum guard_verdict verdict = judge_step(g, p, problem);

    if (verdict > f->verdict) {
        f->verdict = verdict;
        (void)snprintf(g->checking_problem, sizeof g->checking_problem, "%s", problem);
    }
    if (is_unit && verdict >= GUARDS_LOST) {
        f->outside = f->outside || verdict == GUARDS_OUTSIDE;
        f->bare = f->bare || unit_is_bare(g, p);
    }
    find_copies(g, p);
    g->check_step++;
}

static void finish_check(struct host *h, struct watched_group *g)
{
    g->checked = g->checking;
    g->checking = 0;
    g->check_retry = 0;
    g->found = g->finding;
    (void)snprintf(g->check_problem, sizeof g->check_problem, "%s", g->checking_problem);
    g->start_checked = true;
    proof_all_checked(h, g);
    /* A fault may be corrected without a daemon-reload, for instance by stopping a unit that was
     * started before its guards were written; and files change without one, which is better
     * reported before a failover than by it. */
    g->recheck = true;
    g->check_at = usec_add(clock_boottime(), *g->check_problem || *g->found.lost_copy
                                                 ? POLL_GONE_INTERVAL_USEC
                                                 : CHECK_AGAIN_INTERVAL_USEC);
    group_judge(h, g);
    group_report(h, g);
}

/* No answer: nothing is known, and the check begins again a little later. */
static void postpone(const struct host *h, struct watched_group *g, const char *unit,
                     const char *text)
{
    g->checking = 0;
    g->check_retry = backoff(g->check_retry, POLL_RETRY_MIN_USEC, POLL_RETRY_MAX_USEC);
    g->check_at = usec_add(clock_boottime(), g->check_retry);
    g->checked = 0;
    (void)snprintf(g->check_problem, sizeof g->check_problem,
                   "%s: its properties could not be read: %s", unit, text);
    group_judge(h, g);
}

static void properties_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                                int error, const char *text)
{
    _cleanup_(unit_properties_clear) struct unit_properties p = {0};

    h->n_check_calls--;
    if (!g)
        return;
    g->check_in_flight = false;
    if (error == 0 && properties_read(reply, &p) < 0) {
        error = -EBADMSG;
        text = "the answer of systemd was not understood";
    }
    if (error < 0) {
        postpone(h, g, step_unit(g), text);
        return;
    }
    /* An answer to what was asked before a reload says nothing after it: begin again, at once. */
    if (g->checking != h->generation)
        return;
    take_step(g, &p);
    if (g->check_step == STEP_UNITS + g->view.n_units)
        finish_check(h, g);
}

static int ask_properties(struct host *h, struct watched_group *g)
{
    _cleanup_free_ char *path = NULL;
    int r = sd_bus_path_encode(SYSTEMD_UNIT_PATH, step_unit(g), &path);

    return r < 0 ? r : call_for_properties(h, path, g, properties_answered);
}

bool check_due(const struct host *h, const struct watched_group *g)
{
    return (g->checked != h->generation || g->recheck) && !g->check_in_flight;
}

static void continue_group(struct host *h, struct watched_group *g)
{
    if (g->checking != h->generation) {
        g->checking = h->generation;
        g->check_step = STEP_SLICE;
        g->finding = (struct findings){.asked_at = clock_boottime(), .verdict = GUARDS_GOOD};
        g->checking_problem[0] = '\0';
    }
    int r = ask_properties(h, g);
    if (r < 0) {
        postpone(h, g, step_unit(g), strerror(-r));
        return;
    }
    g->check_in_flight = true;
    h->n_check_calls++;
}

/* First those that a start waits for. */
void check_continue(struct host *h, usec_t now)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < h->n_groups; i++) {
            struct watched_group *g = h->groups[i];

            if (h->n_check_calls >= CHECK_CALLS_MAX || calls_free(h) == 0)
                return;
            if (check_due(h, g) && g->check_at <= now && (pass > 0 || g->start_wanted))
                continue_group(h, g);
        }
}
