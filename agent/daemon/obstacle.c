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

/* Whoever has the other method claims only what is clean, in the history in which it was released.
 */
static bool led_by_another_method(const struct group *g)
{
    const struct record *r = &g->member.record;

    return g->member.seen_at > 0 && r->owner[0] && !r->claimable &&
           g->record_method != g->config->method;
}

/* What this node lacks to take the group over; "" nothing. */
void describe_obstacle(const struct group *g, usec_t now, char ret[static REASON_MAX])
{
    const struct daemon *d = g->daemon;
    const struct group_view *v = host_view(d->host, g->config->name);

    ret[0] = '\0';
    if (g->member.stopping && d->drain == DRAIN_STOP)
        (void)snprintf(ret, REASON_MAX, "tenured is being stopped");
    else if (g->member.stopping)
        (void)snprintf(ret, REASON_MAX,
                       "led down by an apply that has not ended: run tenurectl apply");
    else if (d->locked[0]) /* which a connection that waits does not outlast */
        (void)snprintf(ret, REASON_MAX, "%s", d->locked);
    else if (!d->connected)
        (void)snprintf(ret, REASON_MAX, "the arbiter cannot be reached"); /* why: once, above */
    else if (arbiter_obstacle(d->arbiter, g->config->method))
        (void)snprintf(ret, REASON_MAX, "%s", arbiter_obstacle(d->arbiter, g->config->method));
    else if (member_replaced_by(&g->member) > 0)
        (void)snprintf(ret, REASON_MAX,
                       "the arbiter is a primary that was replaced: it is at timeline %" PRIu64
                       ", and a term of timeline %" PRIu64
                       " was seen here; nothing is claimed until its successor is reached (or, if "
                       "it was restored from an older backup, until tenured was restarted on all "
                       "hosts)",
                       g->member.epoch.timeline, member_replaced_by(&g->member));
    else if (led_by_another_method(g))
        (void)snprintf(ret, REASON_MAX,
                       "the lease is of the method %s, and this host has %s: set the same method "
                       "on all hosts",
                       method_name(g->record_method), method_name(g->config->method));
    else if (!d->fit)
        (void)snprintf(ret, REASON_MAX, "%s", d->unfit_text);
    else if (d->bus_text[0])
        (void)snprintf(ret, REASON_MAX, "the system bus cannot be reached: %s", d->bus_text);
    else if (v && !v->guarded)
        (void)snprintf(ret, REASON_MAX, "%s", v->problem);
    else if (!v || v->asked_at == 0)
        (void)snprintf(ret, REASON_MAX, "PID 1 has not answered yet");
    else if (v->keeper == KEEPER_GONE && !(v->units_dead && v->slice_empty))
        describe_runs(g, ret);
    else if (*host_ticket_problem(d->host))
        (void)snprintf(ret, REASON_MAX, "%s", host_ticket_problem(d->host));
    else if (!member_ready(&g->member, now))
        (void)snprintf(ret, REASON_MAX, "PID 1 does not answer");
    else if (*host_polkit_problem(d->host))
        (void)snprintf(ret, REASON_MAX,
                       "polkit does not answer, so systemd lets the agent start no keeper: install "
                       "polkitd, or see systemctl status polkit: %s",
                       host_polkit_problem(d->host));
}
