/* SPDX-License-Identifier: Apache-2.0 */
#include "election/watch.h"

#include <assert.h>

/* Renewals are sent at most an interval apart, and arrive with whatever delay they have: a part of
 * an interval more, for what the delays differ by. */
#define MARGIN_PART ((usec_t)4)

enum watch_verdict watch_read(struct watch *w, const struct reply *reply, usec_t interval,
                              usec_t now)
{
    assert(reply->has_record);

    const struct record *r = &reply->record;
    bool was_copy = watch_is_copy(w, r->term);
    bool same_term = w->term == r->term;
    bool same_history = same_term && epoch_equal(&w->epoch, &reply->epoch);
    bool same = same_history && nonce_equal(&w->nonce, &r->nonce);

    if (!same_term)
        w->changes = 0;
    else if (same_history && !same && w->changes < WATCH_CHANGES_MAX)
        w->changes++; /* in another history it is writes that were lost */
    if (!same || w->since == USEC_INFINITY)
        w->since = now;
    w->term = r->term;
    w->nonce = r->nonce;
    w->epoch = reply->epoch;
    w->interval = interval;
    return watch_is_copy(w, r->term) && !was_copy ? WATCH_COPY : WATCH_GOES_ON;
}

void watch_forget(struct watch *w)
{
    *w = (struct watch){.since = USEC_INFINITY};
}

void watch_interrupt(struct watch *w)
{
    w->since = USEC_INFINITY;
}

void watch_copied(struct watch *w, uint64_t term)
{
    w->term = term;
    w->changes = WATCH_CHANGES_MAX;
    watch_interrupt(w);
}

bool watch_is_copy(const struct watch *w, uint64_t term)
{
    return w->term == term && w->changes == WATCH_CHANGES_MAX;
}

usec_t watch_still_at(const struct watch *w, uint64_t term)
{
    if (w->term != term || w->since == USEC_INFINITY || watch_is_copy(w, term))
        return USEC_INFINITY;
    return usec_add(w->since, usec_add(w->interval, w->interval / MARGIN_PART));
}
