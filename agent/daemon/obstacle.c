/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/obstacle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/group_units.h"

static void describe_runs(const struct group *g, char ret[static REASON_MAX])
{
    char left[REASON_MAX];

    describe_left(g, left);
    (void)snprintf(ret, REASON_MAX, "something of the group still runs here: %.*s", REASON_MAX - 64,
                   left);
}

/* A node of the other method claims only what is clean, in the history in which it was released.
 */
static bool led_by_another_method(const struct group *g)
{
    const struct record *r = &g->member.seen.record;

    return g->member.seen.at > 0 && r->owner[0] && !r->claimable &&
           g->record_method != g->config->method;
}

/* The agent's, of this group's member, or all groups'. */
static enum obstacle find_in_agent(const struct group *g)
{
    const struct daemon *d = g->daemon;

    if (g->member.stopping)
        return d->drain == DRAIN_STOP ? OBSTACLE_AGENT_STOPS : OBSTACLE_RETIRED;
    if (d->locked[0])
        return OBSTACLE_LOCKED;
    if (!d->connected)
        return OBSTACLE_NO_ARBITER;
    if (arbiter_obstacle(d->arbiter, g->config->method))
        return OBSTACLE_ARBITER;
    if (member_replaced_by(&g->member) > 0)
        return OBSTACLE_REPLACED;
    if (led_by_another_method(g))
        return OBSTACLE_METHOD;
    return d->fit ? OBSTACLE_NONE : OBSTACLE_CLOCK;
}

static enum obstacle find_on_host(const struct group *g, usec_t now)
{
    const struct daemon *d = g->daemon;
    const struct group_view *v = host_view(d->host, g->config->name);

    if (d->bus_text[0])
        return OBSTACLE_NO_BUS;
    if (v && !v->state.guarded)
        return OBSTACLE_GUARDS;
    if (!v || v->state.asked_at == 0)
        return OBSTACLE_NOT_POLLED;
    if (v->state.keeper == KEEPER_GONE && !(v->state.units_dead && v->state.slice_empty))
        return OBSTACLE_RUNS;
    if (*host_ticket_problem(d->host))
        return OBSTACLE_TICKETS;
    if (!member_ready(&g->member, now))
        return OBSTACLE_NO_ANSWER;
    return *host_polkit_problem(d->host) ? OBSTACLE_POLKIT : OBSTACLE_NONE;
}

enum obstacle obstacle_find(const struct group *g, usec_t now)
{
    enum obstacle found = find_in_agent(g);

    return found != OBSTACLE_NONE ? found : find_on_host(g, now);
}

static void describe_replaced(const struct member *m, char ret[static REASON_MAX])
{
    (void)snprintf(ret, REASON_MAX,
                   "the arbiter is a primary that was replaced: it is at timeline %" PRIu64
                   ", and a term of timeline %" PRIu64
                   " was seen here; nothing is claimed until its successor is reached (or, if "
                   "it was restored from an older backup, until tenured was restarted on all "
                   "hosts)",
                   m->seen.epoch.timeline, member_replaced_by(m));
}

static void describe_method(const struct group *g, char ret[static REASON_MAX])
{
    (void)snprintf(ret, REASON_MAX,
                   "the lease is of the method %s, and this host has %s: set the same method "
                   "on all hosts",
                   method_name(g->record_method), method_name(g->config->method));
}

static void describe_polkit(const struct host *h, char ret[static REASON_MAX])
{
    (void)snprintf(ret, REASON_MAX,
                   "polkit does not answer, so systemd lets the agent start no keeper: install "
                   "polkitd, or see systemctl status polkit: %s",
                   host_polkit_problem(h));
}

/* For those that have a text of their own; "" for the others. */
static const char *text_of(enum obstacle obstacle, const struct group *g)
{
    const struct daemon *d = g->daemon;

    switch (obstacle) {
    case OBSTACLE_AGENT_STOPS:
        return "tenured is being stopped";
    case OBSTACLE_RETIRED:
        return "stepped down for an apply that has not ended: run tenurectl apply";
    case OBSTACLE_LOCKED:
        return d->locked;
    case OBSTACLE_NO_ARBITER:
        return "the arbiter cannot be reached";
    case OBSTACLE_ARBITER:
        return arbiter_obstacle(d->arbiter, g->config->method);
    case OBSTACLE_CLOCK:
        return d->unfit_text;
    case OBSTACLE_GUARDS:
        return host_view(d->host, g->config->name)->problem;
    case OBSTACLE_NOT_POLLED:
        return "PID 1 has not answered yet";
    case OBSTACLE_TICKETS:
        return host_ticket_problem(d->host);
    case OBSTACLE_NO_ANSWER:
        return "PID 1 does not answer";
    case OBSTACLE_NONE:
    case OBSTACLE_REPLACED:
    case OBSTACLE_METHOD:
    case OBSTACLE_NO_BUS:
    case OBSTACLE_RUNS:
    case OBSTACLE_POLKIT:
        break;
    }
    return "";
}

void obstacle_describe(const struct group *g, usec_t now, char ret[static REASON_MAX])
{
    const struct daemon *d = g->daemon;
    enum obstacle obstacle = obstacle_find(g, now);

    if (obstacle == OBSTACLE_REPLACED)
        describe_replaced(&g->member, ret);
    else if (obstacle == OBSTACLE_METHOD)
        describe_method(g, ret);
    else if (obstacle == OBSTACLE_NO_BUS)
        (void)snprintf(ret, REASON_MAX, "the system bus cannot be reached: %s", d->bus_text);
    else if (obstacle == OBSTACLE_RUNS)
        describe_runs(g, ret);
    else if (obstacle == OBSTACLE_POLKIT)
        describe_polkit(d->host, ret);
    else
        (void)snprintf(ret, REASON_MAX, "%s", text_of(obstacle, g));
}
