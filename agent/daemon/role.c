/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/role.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/obstacle.h"

/* Of many groups on a slow host a check takes its time, and its questions may be asked twice. */
#define UNCHECKED_AFTER_USEC (15 * USEC_PER_SEC)

bool holds_term(const struct member *m)
{
    return m->state != MEMBER_STANDBY;
}

/* A claim that waits for somebody's lock may be granted when that is gone, but not before. */
bool waits_for_lock(const struct group *g)
{
    return g->member.state == MEMBER_CONFIRMING && g->daemon->locked[0];
}

/* The agent has just been started, and nobody has answered it yet. */
static bool is_new(const struct group *g, usec_t now)
{
    const struct daemon *d = g->daemon;
    const struct group_view *v = host_view(d->host, g->config->name);

    return usec_sub(now, d->started_at) < UNCHECKED_AFTER_USEC &&
           ((!d->connected && !d->arbiter_tried) || !v ||
            (v->guarded ? v->asked_at == 0 : !v->unguarded));
}

/* A standby has tried to claim the record as it is, and something in the database prevents it. */
bool held_up(const struct group *g)
{
    return g->member.state == MEMBER_STANDBY && g->held_up[0] && g->held_up_claim &&
           g->held_up_term == g->member.record.term;
}

const char *role_of(const struct group *g, usec_t now)
{
    char obstacle[REASON_MAX];

    if (waits_for_lock(g))
        return "blocked";
    switch (g->member.state) {
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        return "leader";
    case MEMBER_STARTING:
    case MEMBER_CONFIRMING:
        return "starting";
    case MEMBER_ENDING:
    case MEMBER_RELEASING:
        return "stopping";
    case MEMBER_STANDBY:
        break;
    }
    describe_obstacle(g, now, obstacle);
    if (!obstacle[0] && !held_up(g))
        return "standby";
    return is_new(g, now) ? "starting" : "blocked";
}
