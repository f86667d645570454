/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/concern.h"

#include <stdio.h>

#include "base/parse.h"
#include "daemon/group_units.h"

/* A leader's units are polled every 10 s, and again soon when there is no answer. */
#define UNANSWERED_AFTER_USEC (15 * USEC_PER_SEC)

static enum concern find_in_agent(const struct group *g)
{
    const struct daemon *d = g->daemon;

    if (d->locked[0])
        return CONCERN_LOCKED;
    if (!d->connected)
        return CONCERN_NO_ARBITER;
    if (!d->fit)
        return CONCERN_CLOCK;
    if (g->held_up[0])
        return CONCERN_HELD_UP;
    if (g->member.state == MEMBER_ADOPTING)
        return CONCERN_ADOPTING;
    return d->bus_text[0] ? CONCERN_NO_BUS : CONCERN_NONE;
}

static enum concern find_in_view(const struct group_view *v, usec_t now)
{
    if (v && v->state.asked_at > 0 && usec_sub(now, v->state.asked_at) > UNANSWERED_AFTER_USEC)
        return CONCERN_NO_ANSWER;
    if (v && v->lost)
        return CONCERN_LOST;
    if (v && *v->doubt)
        return CONCERN_DOUBT;
    if (v && v->unguarded)
        return CONCERN_UNGUARDED;
    return count_missed(v) > 0 ? CONCERN_MISSED : CONCERN_NONE;
}

enum concern concern_find(const struct group *g, const struct group_view *v, usec_t now)
{
    enum concern found = find_in_agent(g);

    if (found == CONCERN_NONE)
        found = find_in_view(v, now);
    if (found != CONCERN_NONE)
        return found;
    if (*host_ticket_problem(g->daemon->host))
        return CONCERN_TICKETS;
    if (v && v->lost_copy[0])
        return CONCERN_COPY;
    return g->member.budget.lease != g->member.term.cover.lease ? CONCERN_LEASE : CONCERN_NONE;
}

/* A configured lease that the running term does not get. */
static void describe_waiting_lease(const struct group *g, char ret[static REASON_MAX])
{
    const struct member *m = &g->member;
    char lease[SPAN_FORMAT_MAX], stop[SPAN_FORMAT_MAX];
    struct budget b;

    format_span(m->budget.lease, lease, sizeof lease);
    if (budget_compute(m->budget.lease, m->term.stop, &b) < 0)
        (void)snprintf(ret, REASON_MAX,
                       "leads; the configured lease of %s counts from the next term on: it is too "
                       "short for the stop timeout of this one, %s",
                       lease, format_span(m->term.stop, stop, sizeof stop));
    else if (m->term.cover.fixed)
        (void)snprintf(ret, REASON_MAX,
                       "leads; the configured lease of %s counts from the next term on: the keeper "
                       "of this one is of an earlier version",
                       lease);
}

static void describe_units(const struct group_view *v, char ret[static REASON_MAX])
{
    char units[REASON_MAX / 2];

    describe_missed(v, units, sizeof units);
    (void)snprintf(ret, REASON_MAX, "leads, but %s", units);
}

void concern_describe(const struct group *g, usec_t now, char ret[static REASON_MAX])
{
    const struct daemon *d = g->daemon;
    const struct group_view *v = host_view(d->host, g->config->name);

    ret[0] = '\0';
    switch (concern_find(g, v, now)) {
    case CONCERN_NONE:
        return;
    case CONCERN_LOCKED:
        (void)snprintf(ret, REASON_MAX,
                       "leads until its deadline; it cannot renew the lease, because %s",
                       d->locked);
        return;
    case CONCERN_NO_ARBITER:
        (void)snprintf(ret, REASON_MAX, "leads until its deadline unless the arbiter comes back");
        return;
    case CONCERN_CLOCK:
        (void)snprintf(ret, REASON_MAX, "%s", d->unfit_text);
        return;
    case CONCERN_HELD_UP:
        (void)snprintf(ret, REASON_MAX,
                       "leads until its deadline; it cannot renew the lease because of %s",
                       g->held_up);
        return;
    case CONCERN_ADOPTING:
        (void)snprintf(ret, REASON_MAX, "a live keeper was found; its term is being renewed");
        return;
    case CONCERN_NO_BUS:
        (void)snprintf(ret, REASON_MAX, "leads, but the system bus cannot be reached: %s",
                       d->bus_text);
        return;
    case CONCERN_NO_ANSWER:
        (void)snprintf(ret, REASON_MAX,
                       "leads, but PID 1 does not answer: no unit that fails is started again");
        return;
    case CONCERN_LOST:
        (void)snprintf(ret, REASON_MAX, "leads, but guards are not in effect: %s", v->problem);
        return;
    case CONCERN_DOUBT:
        (void)snprintf(ret, REASON_MAX, "leads, but its end will prove nothing: %s", v->doubt);
        return;
    case CONCERN_UNGUARDED:
        (void)snprintf(ret, REASON_MAX, "leads, but could not take over again: %s", v->problem);
        return;
    case CONCERN_MISSED:
        describe_units(v, ret);
        return;
    case CONCERN_TICKETS:
        (void)snprintf(ret, REASON_MAX, "leads, but could not take over again: %s",
                       host_ticket_problem(d->host));
        return;
    case CONCERN_COPY:
        (void)snprintf(ret, REASON_MAX, "leads, but a copy of its guards is lost: %s",
                       v->lost_copy);
        return;
    case CONCERN_LEASE:
        describe_waiting_lease(g, ret);
        return;
    }
}
