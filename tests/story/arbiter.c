/* SPDX-License-Identifier: Apache-2.0 */
/* The record in memory, with the conditions of agent/arbiter/schema.sql for the method lease. */
#include <string.h>

#include "story.h"
#include "support/epoch.h"
#include "support/nonce.h"

static bool claimable(const struct arbiter *a)
{
    return a->record.clean && history_equal(&a->made_in, &a->epoch);
}

static bool claim(struct arbiter *a, const char *owner, const struct request *q)
{
    const struct record *r = &a->record;
    uint64_t term = usec_max(r->term + 1, (a->epoch.timeline << TERM_TIMELINE_SHIFT) + 1);

    if (!a->exists || r->term != q->expected_term || !nonce_equal(&r->nonce, &q->expected_nonce) ||
        !epoch_equal(&q->epoch, &a->epoch) || (q->rests_on_clean && !claimable(a)))
        return false;
    a->record = (struct record){.term = usec_max(term, q->term_floor),
                                .nonce = q->fresh_nonce,
                                .lease = q->lease,
                                .stop = q->stop,
                                .duration = q->duration};
    memcpy(a->record.owner, owner, strlen(owner) + 1);
    a->made_in = a->epoch;
    return true;
}

static bool own_term(const struct arbiter *a, const char *owner, const struct request *q)
{
    return a->exists && a->record.term == q->term && strcmp(a->record.owner, owner) == 0;
}

static bool renew(struct arbiter *a, const char *owner, const struct request *q)
{
    if (!own_term(a, owner, q) || a->record.clean)
        return false;
    a->record.nonce = q->fresh_nonce;
    return true;
}

static bool release(struct arbiter *a, const char *owner, const struct request *q)
{
    if (!own_term(a, owner, q) || !nonce_equal(&a->record.nonce, &q->expected_nonce))
        return false;
    a->record.clean = true;
    return true;
}

/* Reading a missing record creates it: not clean, so that it is observed first. */
static bool observe(struct arbiter *a, const struct request *q)
{
    if (!a->exists) {
        a->record = (struct record){.lease = q->lease, .stop = q->stop, .duration = q->duration};
        a->made_in = a->epoch;
        a->exists = true;
    }
    return true;
}

static bool execute(struct arbiter *a, const char *owner, const struct request *q)
{
    switch (q->operation) {
    case OPERATION_OBSERVE:
        return observe(a, q);
    case OPERATION_CLAIM:
        return claim(a, owner, q);
    case OPERATION_RENEW:
        return renew(a, owner, q);
    case OPERATION_RELEASE:
        return release(a, owner, q);
    }
    return false;
}

void arbiter_execute(struct arbiter *a, const char *owner, const struct request *q,
                     struct reply *ret)
{
    bool done = execute(a, owner, q);

    *ret = (struct reply){.outcome = done ? OUTCOME_GRANTED : OUTCOME_DENIED,
                          .has_record = a->exists,
                          .record = a->record,
                          .epoch = a->epoch};
    ret->record.claimable = claimable(a);
}

void arbiter_fail_over(struct arbiter *a, const struct record *record)
{
    a->record = *record;
    a->epoch.timeline++;
    a->epoch.started++;
}
