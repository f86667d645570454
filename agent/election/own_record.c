/* SPDX-License-Identifier: Apache-2.0 */
#include "election/own_record.h"

#include "election/intervals.h"

bool record_ours(const struct member *m, const struct record *r)
{
    return strcmp(r->owner, m->owner) == 0;
}

bool names_us(const struct member *m, const struct record *r)
{
    return record_ours(m, r) && !r->clean;
}

bool shows_our_term(const struct member *m, const struct reply *reply)
{
    return reply->has_record && names_us(m, &reply->record) && reply->record.term == m->term.number;
}

bool left_to_expire(const struct member *m, uint64_t term)
{
    return m->left_term > 0 && term == m->left_term;
}

enum watch_verdict watch_own_record(struct member *m, const struct reply *reply, usec_t now)
{
    enum watch_verdict verdict =
        watch_read(&m->watch, reply, poll_interval(reply->record.duration), now);

    if (!m->sent_fit)
        watch_interrupt(&m->watch);
    return verdict;
}

bool claim_may_hold(const struct member *m, const struct epoch *epoch)
{
    return m->claim_open && history_equal(epoch, &m->claim_epoch);
}
