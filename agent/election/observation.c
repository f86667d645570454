/* SPDX-License-Identifier: Apache-2.0 */
#include "election/observation.h"

#include <assert.h>

/* No term's lease can be as short as the smallest D. A value that is shorter is no lease, and gaps
 * above half of it would never let its observation end. */
usec_t record_lease(const struct member *m, const struct record *r)
{
    return r->lease > BUDGET_RENEW_MIN_USEC ? r->lease : m->budget.lease;
}

bool observation_gap(const struct member *m, usec_t now)
{
    return usec_sub(now, m->seen.at) > record_lease(m, &m->seen.record) / 2;
}

void observe(struct member *m, const struct reply *reply, usec_t now)
{
    const struct record *r = &reply->record;
    bool same = m->seen.valid && m->seen.record.term == r->term &&
                nonce_equal(&m->seen.record.nonce, &r->nonce) &&
                epoch_equal(&m->seen.epoch, &reply->epoch);

    if (!same || observation_gap(m, now))
        m->seen.since = now;
    m->seen.valid = true;
    m->seen.at = now;
    m->seen.record = *r;
    m->seen.epoch = reply->epoch;
}

void request_observation(const struct member *m, struct request *r)
{
    *r = (struct request){
        .operation = OPERATION_OBSERVE,
        .lease = m->budget.lease,
        .stop = m->budget.stop,
        .duration = m->budget.duration,
    };
}

void forget_observation(struct member *m)
{
    m->seen.valid = false;
    m->has_notice = false;
    m->namesake_changes = 0;
    watch_interrupt(&m->watch);
}

/* A copy of the database that came to a new server has the later terms in it, and an empty table
 * has none. */
uint64_t member_replaced_by(const struct member *m)
{
    const struct observation *seen = &m->seen;
    uint64_t latest = usec_max(m->highest_term, m->over_term) >> TERM_TIMELINE_SHIFT;
    bool replaced = seen->record.term > 0 && seen->epoch.timeline < latest &&
                    seen->record.term >> TERM_TIMELINE_SHIFT <= seen->epoch.timeline;

    return replaced ? latest : 0;
}

uint64_t member_term_floor(const struct member *m)
{
    return usec_max(m->highest_term, m->over_term) + 1;
}

usec_t claimable_at(const struct member *m)
{
    if (!m->seen.valid || member_replaced_by(m) > 0)
        return USEC_INFINITY;
    if (m->seen.record.claimable)
        return m->seen.since;
    return usec_add(m->seen.since, record_lease(m, &m->seen.record));
}

void member_observation(const struct member *m, usec_t now, usec_t *ret_done, usec_t *ret_whole)
{
    assert(m);
    assert(ret_done);
    assert(ret_whole);

    const struct record *r = &m->seen.record;
    bool waits = m->state == MEMBER_STANDBY && m->seen.at > 0 && !r->claimable;
    bool unbroken = waits && m->seen.valid && !observation_gap(m, now);

    *ret_whole = waits ? record_lease(m, r) : 0;
    *ret_done = unbroken ? usec_sub(now, m->seen.since) : 0;
}

usec_t member_claims_at(const struct member *m, usec_t now)
{
    assert(m);

    usec_t at = claimable_at(m);

    if (m->state != MEMBER_STANDBY || m->stopping || at == USEC_INFINITY ||
        (!m->seen.record.claimable && observation_gap(m, now)))
        return USEC_INFINITY;
    return usec_max(at, m->not_before);
}
