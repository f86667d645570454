/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/group_units.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define MISSED_NAMES_MAX 3u
/* Beyond S + K; then a group that is not dead has outlived SIGKILL. */
#define STUCK_AFTER_USEC (1 * USEC_PER_SEC)

static bool failed(const struct unit_view *u)
{
    return u->dead && strcmp(u->active_state, "failed") == 0;
}

/* Is this unit not what it should be while its node leads? */
static bool missed(const struct unit_view *u)
{
    return u->dead && (!u->may_rest || failed(u));
}

void describe_missed(const struct group_view *v, char *ret, size_t size)
{
    size_t used = 0, n = 0;

    ret[0] = '\0';
    for (int pass = 0; v && pass < 2; pass++)
        for (size_t i = 0; i < v->n_units; i++) {
            const struct unit_view *u = &v->units[i];

            if (!missed(u) || failed(u) != (pass == 0) || used >= size || n++ >= MISSED_NAMES_MAX)
                continue;
            int length = snprintf(ret + used, size - used, "%s%s is %s", n == 1 ? "" : ", ",
                                  u->name, u->active_state);
            used += length > 0 ? (size_t)length : 0;
        }
    if (n > MISSED_NAMES_MAX && used < size)
        (void)snprintf(ret + used, size - used, ", and %zu more", n - MISSED_NAMES_MAX);
}

size_t count_missed(const struct group_view *v)
{
    size_t n = 0;

    for (size_t i = 0; v && i < v->n_units; i++)
        if (missed(&v->units[i]))
            n++;
    return n;
}

void describe_left(const struct group *g, char ret[static REASON_MAX])
{
    const struct group_view *v = host_view(g->daemon->host, g->config->name);
    size_t i = 0;

    ret[0] = '\0';
    if (!v || v->state.asked_at == 0)
        return;
    while (i < v->n_units && v->units[i].dead)
        i++;
    if (i < v->n_units)
        (void)snprintf(ret, REASON_MAX, "%s is %s (%s)", v->units[i].name, v->units[i].active_state,
                       v->units[i].sub_state);
    else if (!v->state.slice_empty)
        (void)snprintf(ret, REASON_MAX,
                       "processes are left in its slice, as systemd-cgls -u tenure.slice shows");
}

#define KILLED "SIGKILL has not ended it"
#define NOT_KILLED                                                                                 \
    "it was started again, or runs outside its slice, and is being stopped by its name"

/* Keeper or fence killed all that is in the slice. A process elsewhere, or one that was started
 * since, counts as killed only if it was ended by name. */
static bool was_killed(const struct group *g, const struct group_view *v, usec_t now)
{
    return (!v->state.slice_empty && !v->state.units_stay) ||
           stray_killed(&g->stray, &g->member, now);
}

void describe_stuck(const struct group *g, usec_t now, char ret[static REASON_MAX])
{
    const struct member *m = &g->member;
    const struct budget *b = &g->config->budget;
    const struct group_view *v = host_view(g->daemon->host, g->config->name);
    usec_t limit = usec_max(m->term.stop, b->stop) + usec_max(cover_kill(&m->term.cover), b->kill);
    char left[REASON_MAX];

    ret[0] = '\0';
    if (m->state != MEMBER_ENDING || usec_sub(now, m->since) < limit + STUCK_AFTER_USEC)
        return;
    describe_left(g, left);
    if (!v || v->state.asked_at <= m->since)
        (void)snprintf(ret, REASON_MAX, "not known to be dead: PID 1 does not answer");
    else if (left[0])
        (void)snprintf(ret, REASON_MAX, "%s: %.*s", was_killed(g, v, now) ? KILLED : NOT_KILLED,
                       REASON_MAX - 128, left);
    else if (v->stops == STOPS_OPEN)
        (void)snprintf(ret, REASON_MAX,
                       "not known to be gone: systemd does not say how its units stopped");
    else
        (void)snprintf(ret, REASON_MAX, "its keeper has not ended");
}
