/* SPDX-License-Identifier: Apache-2.0 */
#include "election/heal.h"

#include <assert.h>

bool heal_knows(const struct guards_seen *g, usec_t now)
{
    assert(g);

    return g->state != GUARDS_UNKNOWN && g->asked_at > 0 &&
           usec_sub(now, g->asked_at) <= HEAL_ANSWER_AGE_USEC;
}

static void note_whole(struct heal *h, usec_t now)
{
    h->since = 0;
    h->failed = 0;
    if (usec_sub(now, h->over_at) >= HEAL_CALM_USEC)
        h->doublings = 0;
}

/* Whether the last heal helped: only what was asked after it can say so, and once. */
static void judge_last(struct heal *h, const struct guards_seen *g)
{
    if (!h->open || g->asked_at <= h->over_at)
        return;
    h->open = false;
    if (g->state == GUARDS_BARE && h->failed < HEALS_MAX)
        h->failed++;
}

void heal_poll(struct heal *h, const struct guards_seen *g, usec_t now)
{
    assert(h);
    assert(g);

    if (!heal_knows(g, now))
        return;
    judge_last(h, g);
    if (g->state == GUARDS_WHOLE) {
        note_whole(h, now);
        return;
    }
    if (g->state == GUARDS_PART)
        h->failed = 0;
    if (h->since == 0) {
        h->since = now;
        h->not_before = usec_max(h->not_before, usec_add(now, HEAL_GRACE_USEC));
    }
}

void heal_over(struct heal *h, usec_t asked_at, bool answered, usec_t now)
{
    assert(h);
    assert(asked_at <= now);

    usec_t pause = usec_min(HEAL_PAUSE_MIN_USEC << h->doublings, HEAL_PAUSE_MAX_USEC);

    h->asked = false;
    h->over_at = now;
    /* One that was asked for before the loss was known says nothing about it. */
    h->open = answered && h->since > 0 && h->since <= asked_at;
    if (h->since > 0 && h->doublings < HEAL_DOUBLINGS_MAX)
        h->doublings++;
    h->not_before = usec_max(h->not_before, usec_add(now, pause));
}

usec_t heal_due(const struct heal *h, bool urgent)
{
    assert(h);

    if (h->since == 0 || h->asked)
        return USEC_INFINITY;
    if (!urgent)
        return h->not_before;
    return usec_max(usec_add(h->since, HEAL_GRACE_USEC),
                    usec_min(h->not_before, usec_add(h->over_at, HEAL_PAUSE_URGENT_USEC)));
}

bool heal_failed(const struct heal *h)
{
    assert(h);
    return h->failed >= HEALS_MAX;
}
