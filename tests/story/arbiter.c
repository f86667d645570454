/* SPDX-License-Identifier: Apache-2.0 */
/* The record in memory, with the conditions of agent/arbiter/schema.sql for the method lease. */
#include <string.h>

#include "story.h"

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

static bool named(const struct arbiter *a, const struct request *q)
{
    for (unsigned i = 0; i < q->n_known; i++)
        if (nonce_equal(&a->record.nonce, &q->known[i]))
            return true;
    return false;
}

static bool renew(struct arbiter *a, const char *owner, const struct request *q)
{
    if (!own_term(a, owner, q) || !named(a, q) || a->record.clean)
        return false;
    a->record.nonce = q->fresh_nonce;
    a->record.lease = q->lease;
    a->record.duration = q->duration;
    return true;
}

static bool release(struct arbiter *a, const char *owner, const struct request *q)
{
    if (!own_term(a, owner, q) || !named(a, q))
        return false;
    a->record.clean = true;
    return true;
}

/* What is refused although it is of this very term and owner. */
static enum outcome refusal(const struct arbiter *a, const char *owner, const struct request *q)
{
    bool keyed = q->operation == OPERATION_RENEW || q->operation == OPERATION_RELEASE;
    bool other = keyed && own_term(a, owner, q) && !a->record.clean && !named(a, q);

    return other ? OUTCOME_OTHER_NONCE : OUTCOME_DENIED;
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
    case OPERATION_CONFIRM_DEAD: /* no operator in these stories */
        return false;
    }
    return false;
}

void arbiter_execute(struct arbiter *a, const char *owner, const struct request *q,
                     struct reply *ret)
{
    bool done = execute(a, owner, q);

    *ret = (struct reply){.outcome = done ? OUTCOME_GRANTED : refusal(a, owner, q),
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
