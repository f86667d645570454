/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/role.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/obstacle.h"

bool holds_term(const struct member *m)
{
    return m->state != MEMBER_STANDBY;
}

bool waits_for_lock(const struct group *g)
{
    return g->member.state == MEMBER_CONFIRMING && g->daemon->locked[0];
}

/* The agent has just been started, and neither arbiter nor PID 1 has answered it yet. */
static bool is_new(const struct group *g, usec_t now)
{
    const struct daemon *d = g->daemon;
    const struct group_view *v = host_view(d->host, g->config->name);

    return usec_sub(now, d->started_at) < UNCHECKED_AFTER_USEC &&
           ((!d->connected && !d->arbiter_tried) || !v ||
            (v->state.guarded ? v->state.asked_at == 0 : !v->unguarded));
}

bool held_up(const struct group *g)
{
    return g->member.state == MEMBER_STANDBY && g->held_up[0] && g->held_up_claim &&
           g->held_up_term == g->member.seen.record.term;
}

enum role role_of(const struct group *g, usec_t now)
{
    if (waits_for_lock(g))
        return ROLE_BLOCKED;
    switch (g->member.state) {
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        return ROLE_LEADER;
    case MEMBER_STARTING:
    case MEMBER_CONFIRMING:
        return ROLE_STARTING;
    case MEMBER_ENDING:
    case MEMBER_RELEASING:
        return ROLE_STOPPING;
    case MEMBER_STANDBY:
        break;
    }
    if (obstacle_find(g, now) == OBSTACLE_NONE && !held_up(g))
        return ROLE_STANDBY;
    return is_new(g, now) ? ROLE_STARTING : ROLE_BLOCKED;
}

const char *role_name(enum role role)
{
    switch (role) {
    case ROLE_LEADER:
        return "leader";
    case ROLE_STANDBY:
        return "standby";
    case ROLE_STARTING:
        return "starting";
    case ROLE_STOPPING:
        return "stopping";
    case ROLE_BLOCKED:
        return "blocked";
    }
    assert(false);
    return "";
}
