/* SPDX-License-Identifier: Apache-2.0 */
#include "election/record.h"

#include <assert.h>
#include <string.h>

static bool record_fits(const struct record *r)
{
    return r->term <= INT64_MAX && r->lease <= INT64_MAX && r->stop <= INT64_MAX &&
           r->duration <= INT64_MAX && memchr(r->owner, '\0', sizeof r->owner) &&
           (r->clean || !r->claimable);
}

/* The term that a claim begins, or the operator's word. */
static bool begins_term(const struct request *q, const struct reply *reply)
{
    const struct record *r = &reply->record;

    return !r->clean && nonce_equal(&r->nonce, &q->fresh_nonce) && r->term > q->expected_term &&
           r->term >= q->term_floor && r->term > reply->epoch.timeline << TERM_TIMELINE_SHIFT &&
           r->lease == q->lease && r->stop == q->stop && r->duration == q->duration;
}

static bool granted_fits(const struct request *q, const char *owner, const struct reply *reply)
{
    const struct record *r = &reply->record;
    bool ours = strcmp(r->owner, owner) == 0;
    bool fresh = nonce_equal(&r->nonce, &q->fresh_nonce);

    switch (q->operation) {
    case OPERATION_OBSERVE:
        return true;
    case OPERATION_CLAIM:
        return ours && begins_term(q, reply);
    case OPERATION_CONFIRM_DEAD:
        return r->owner[0] == '\0' && begins_term(q, reply);
    case OPERATION_RENEW:
        return ours && fresh && !r->clean && r->term == q->term && r->lease == q->lease &&
               r->duration == q->duration;
    case OPERATION_RELEASE:
        return ours && r->clean && r->term == q->term;
    }
    return false;
}

/* What an earlier life, or a copy, has left there. */
static bool other_nonce_fits(const struct request *q, const char *owner, const struct reply *reply)
{
    const struct record *r = &reply->record;

    if (q->operation != OPERATION_RENEW && q->operation != OPERATION_RELEASE)
        return false;
    for (unsigned i = 0; i < q->n_known && i < REQUEST_NONCES_MAX; i++)
        if (nonce_equal(&q->known[i], &r->nonce))
            return false;
    return reply->has_record && strcmp(r->owner, owner) == 0 && r->term == q->term && !r->clean;
}

bool reply_fits(const struct request *q, const char *owner, const struct reply *reply)
{
    assert(q);
    assert(owner);
    assert(reply);

    if (reply->outcome == OUTCOME_UNKNOWN)
        return !reply->has_record;
    if (reply->outcome != OUTCOME_GRANTED && reply->outcome != OUTCOME_DENIED &&
        reply->outcome != OUTCOME_OTHER_NONCE)
        return false;
    if (reply->epoch.timeline == 0 || reply->epoch.timeline > UINT32_MAX)
        return false;
    if (reply->has_record && !record_fits(&reply->record))
        return false;
    if (reply->outcome == OUTCOME_OTHER_NONCE)
        return other_nonce_fits(q, owner, reply);
    return reply->outcome == OUTCOME_DENIED || (reply->has_record && granted_fits(q, owner, reply));
}
