/* SPDX-License-Identifier: Apache-2.0 */
#include "election/cover.h"

void cover_begin(struct cover *c, const struct spans *granted, usec_t deadline)
{
    *c = (struct cover){
        .lease = granted->lease,
        .duration = granted->duration,
        .until = deadline,
        .kept = granted->lease,
    };
}

void cover_adopt(struct cover *c, const struct spans *keeper, usec_t deadline, bool fixed)
{
    cover_begin(c, keeper, deadline);
    c->fixed = fixed;
}

/* An earlier life sent nothing after this one began, and no deadline and no lease that its last
 * renewal did not cover. */
void cover_read(struct cover *c, const struct spans *record, usec_t stop, usec_t sent)
{
    usec_t lease = usec_min(record->lease, BUDGET_LEASE_MAX_USEC);
    usec_t duration = usec_min(record->duration, BUDGET_LEASE_MAX_USEC);

    c->until = usec_max(c->until, usec_add(sent, duration));
    c->room = usec_max(c->room, budget_room(lease, usec_min(stop, BUDGET_STOP_MAX_USEC), duration));
}

struct spans cover_configured(const struct cover *c, usec_t lease, usec_t stop)
{
    struct budget b;

    if (c->fixed || budget_compute(lease, stop, &b) < 0)
        return (struct spans){
            .lease = usec_min(c->lease, BUDGET_LEASE_MAX_USEC),
            .duration =
                usec_max(usec_min(c->duration, BUDGET_LEASE_MAX_USEC), BUDGET_RENEW_MIN_USEC),
        };
    return (struct spans){.lease = b.lease, .duration = b.duration};
}

struct spans cover_ask(const struct cover *c, const struct spans *configured, usec_t stop,
                       usec_t t0)
{
    usec_t duration = usec_max(configured->duration, usec_sub(c->until, t0));

    duration = usec_min(duration, BUDGET_LEASE_MAX_USEC);
    usec_t lease = budget_covering_lease(configured->lease, usec_min(stop, BUDGET_STOP_MAX_USEC),
                                         duration, cover_kill(c));

    return (struct spans){
        .lease = usec_min(lease, BUDGET_LEASE_MAX_USEC),
        .duration = duration,
    };
}

usec_t cover_kill(const struct cover *c)
{
    return usec_max(budget_kill(usec_max(c->kept, c->lease)), c->room);
}

/* Is this lease sent to the keeper now? */
static bool is_due(struct cover *c, usec_t lease, usec_t now)
{
    if (lease <= c->lease)
        return true;
    if (c->longer != lease) {
        c->longer = lease;
        c->longer_since = now;
    }
    return !c->fixed && usec_sub(now, c->longer_since) >= c->lease;
}

/* The keeper is sent no longer lease than is configured, if only a K that it still has made the
 * record's lease longer. */
static struct spans spans_to_send(const struct spans *record, const struct spans *configured)
{
    bool longer = record->lease > configured->lease && record->duration == configured->duration;

    return longer ? *configured : *record;
}

usec_t cover_granted(struct cover *c, const struct spans *record, const struct spans *configured,
                     usec_t now)
{
    struct spans spans = spans_to_send(record, configured);

    if (is_due(c, spans.lease, now)) {
        c->lease = spans.lease;
        c->duration = spans.duration;
        c->longer = 0;
    }
    return usec_min(usec_min(c->duration, record->duration), configured->duration);
}

void cover_extended(struct cover *c, usec_t deadline)
{
    c->until = usec_max(c->until, deadline);
    c->kept = usec_max(c->kept, c->lease);
}

void cover_seen(struct cover *c, usec_t lease, usec_t deadline)
{
    if (lease != c->lease || deadline != c->until)
        return;
    c->kept = lease;
    c->room = 0;
}

bool cover_settled(const struct cover *c)
{
    return c->kept <= c->lease && c->room == 0;
}
