/* SPDX-License-Identifier: Apache-2.0 */
#include "election/moves.h"

#include <assert.h>
#include <limits.h>

#include "election/intervals.h"
#include "election/observation.h"

/* A poll of this host that is older counts as none: PID 1 does not answer. */
#define POLL_AGE_MARGIN_USEC (1 * USEC_PER_SEC)

const struct member_edge member_edges[MEMBER_EDGES] = {
    {MEMBER_STANDBY, MEMBER_CONFIRMING, "the record has a claim of its own that was not answered"},
    {MEMBER_STANDBY, MEMBER_STARTING, "a claim is granted, and the host is ready"},
    {MEMBER_STANDBY, MEMBER_ADOPTING, "a live keeper of its own is found"},
    {MEMBER_STANDBY, MEMBER_ENDING, "a claim is granted in vain; an orphan; a foreign keeper"},
    {MEMBER_CONFIRMING, MEMBER_STARTING, "a renewal is granted, and the host is ready"},
    {MEMBER_CONFIRMING, MEMBER_ENDING, "a renewal is granted in vain; stop"},
    {MEMBER_CONFIRMING, MEMBER_STANDBY, "the renewal is denied"},
    {MEMBER_STARTING, MEMBER_LEADING, "the keeper is active"},
    {MEMBER_STARTING, MEMBER_ENDING, "the keeper does not start; stop"},
    {MEMBER_ADOPTING, MEMBER_LEADING, "a renewal is granted"},
    {MEMBER_ADOPTING, MEMBER_ENDING, "as leading"},
    {MEMBER_LEADING, MEMBER_ENDING, "stop; denied; deadline; the keeper or a guard is gone"},
    {MEMBER_ENDING, MEMBER_RELEASING, "all is dead, with proof"},
    {MEMBER_ENDING, MEMBER_STANDBY, "all is dead, and the record is not to be released"},
    {MEMBER_RELEASING, MEMBER_STANDBY, "released, or lost to another node"},
};

bool member_may_move(enum member_state from, enum member_state to)
{
    for (unsigned i = 0; i < MEMBER_EDGES; i++)
        if (member_edges[i].from == from && member_edges[i].to == to)
            return true;
    return false;
}

void enter(struct member *m, enum member_state state, usec_t now)
{
    assert(member_may_move(m->state, state));

    m->state = state;
    m->since = now;
    m->due = now;
}

void hold_back_until(struct member *m, usec_t not_before)
{
    m->not_before = usec_max(m->not_before, not_before);
}

static void forget_term(struct member *m)
{
    if (m->term.number > m->over_term)
        m->over_term = m->term.number;
    m->term = (struct term){0};
    m->started_at = 0;
    m->claim_open = false;
}

void become_standby(struct member *m, usec_t now, usec_t not_before)
{
    forget_term(m);
    forget_observation(m);
    m->stray_since = 0;
    enter(m, MEMBER_STANDBY, now);
    hold_back_until(m, not_before);
}

void begin_ending(struct member *m, enum member_reason reason, usec_t now, struct update *update)
{
    m->reason = reason;
    if (reason == REASON_START_FAILED && m->failed_starts < UINT_MAX)
        m->failed_starts++;
    m->end_sent_at = now;
    if (m->in_flight) /* what the reply says of the record will not be judged */
        watch_interrupt(&m->watch);
    enter(m, MEMBER_ENDING, now);
    update->actions |= ACTION_UNLINK | ACTION_END | ACTION_POLL;
    update->note = NOTE_ENDING;
}

bool poll_is_fresh(const struct member *m, usec_t now)
{
    usec_t limit = usec_add(2 * poll_interval(m->budget.duration), POLL_AGE_MARGIN_USEC);

    return m->host.asked_at > 0 && usec_sub(now, m->host.asked_at) <= limit;
}

bool host_all_dead(const struct host_state *host)
{
    return host->keeper == KEEPER_GONE && host->units_dead && host->slice_empty && !host->open;
}

bool member_ready(const struct member *m, usec_t now)
{
    return poll_is_fresh(m, now) && host_all_dead(&m->host) && m->host.guarded;
}

struct spans spans_of(const struct record *r)
{
    return (struct spans){.lease = r->lease, .duration = r->duration};
}

void take_term(struct member *m, const struct reply *reply)
{
    assert(reply->has_record);

    struct term *term = &m->term;
    struct spans granted = spans_of(&reply->record);

    term->number = reply->record.term;
    term->stop = reply->record.stop;
    nonces_granted(&term->nonces, &reply->record.nonce, &reply->epoch);
    term->release = true;
    term->deadline = usec_add(m->sent_at, granted.duration);
    term->renewed_at = m->sent_at;
    cover_begin(&term->cover, &granted, term->deadline);
    watch_forget(&m->watch);
    m->claim_open = false;
}

/* Why the term that was acknowledged must not start; REASON_NONE: it may. */
static enum member_reason refuse_start(const struct member *m, usec_t now)
{
    const struct cover *cover = &m->term.cover;

    if (m->stopping)
        return REASON_STOPPED;
    if (!budget_holds(cover->lease, m->term.stop, cover->duration))
        return REASON_HOST_NOT_READY;
    if (now >= usec_add(m->sent_at, cover->duration / 2))
        return REASON_LATE;
    return member_ready(m, now) ? REASON_NONE : REASON_HOST_NOT_READY;
}

void begin_starting(struct member *m, usec_t now, struct update *update)
{
    enum member_reason reason = refuse_start(m, now);

    if (reason != REASON_NONE) {
        begin_ending(m, reason, now, update);
        return;
    }
    m->reason = REASON_NONE;
    m->started_at = 0;
    m->poll_at = USEC_INFINITY;
    enter(m, MEMBER_STARTING, now);
    m->due = USEC_INFINITY;
    update->actions |= ACTION_TICKET | ACTION_POLL;
    update->note = NOTE_STARTING;
}

void begin_confirming(struct member *m, usec_t now)
{
    const struct record *r = &m->seen.record;
    struct term *term = &m->term;
    struct spans spans = spans_of(r);

    term->number = r->term;
    term->stop = r->stop;
    cover_begin(&term->cover, &spans, 0);
    nonces_granted(&term->nonces, &r->nonce, &m->seen.epoch);
    term->release = true;
    watch_forget(&m->watch);
    enter(m, MEMBER_CONFIRMING, now);
}

usec_t adopted_deadline(const struct host_state *host, usec_t now)
{
    return usec_min(host->keeper_deadline, usec_add(now, host->keeper_duration));
}

void begin_adopting(struct member *m, usec_t now)
{
    const struct host_state *host = &m->host;
    const struct spans spans = {.lease = host->keeper_lease, .duration = host->keeper_duration};
    struct term *term = &m->term;

    term->number = host->keeper_term;
    term->stop = host->keeper_stop;
    term->deadline = adopted_deadline(host, now);
    term->renewed_at = usec_sub(term->deadline, host->keeper_duration);
    cover_adopt(&term->cover, &spans, term->deadline, host->keeper_fixed);
    term->release = true;
    watch_forget(&m->watch);
    if (term->number > m->highest_term)
        m->highest_term = term->number;
    enter(m, MEMBER_ADOPTING, now);
}
