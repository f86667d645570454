/* SPDX-License-Identifier: Apache-2.0 */
#include "election/hold.h"

#include <errno.h>

#include "election/healing.h"
#include "election/intervals.h"
#include "election/moves.h"
#include "election/observation.h"
#include "election/own_record.h"

/* PID 1 did not answer StartUnit: a keeper that is not there this much later does not come. */
#define START_LATE_USEC (2 * USEC_PER_SEC)
/* Adopting: as many nonces of an earlier life are read and renewed by, because its last renewals
 * may come late. If there are more, another host renews all the time. */
#define ADOPTED_BY_MAX 3u

/* ---- requests ---- */

/* Renews by the nonces that the record may have; if these are not known, it is read first. A claim
 * of unknown outcome is confirmed as it is. */
static void request_renewal(const struct member *m, const struct member_event *event,
                            struct request *r)
{
    const struct term *term = &m->term;

    if (term->nonces.n_known == 0) {
        request_observation(m, r);
        return;
    }

    struct spans spans = {.lease = term->cover.lease, .duration = term->cover.duration};

    if (m->state != MEMBER_CONFIRMING) {
        spans = configured_spans(m);
        spans = cover_ask(&term->cover, &spans, term->stop, event->now);
    }
    *r = (struct request){
        .operation = OPERATION_RENEW,
        .term = term->number,
        .fresh_nonce = event->nonce,
        .lease = spans.lease,
        .duration = spans.duration,
    };
    nonces_name(&term->nonces, r);
}

void lead_ask(struct member *m, const struct member_event *event, struct update *update)
{
    if (!event->fit)
        return;
    request_renewal(m, event, &update->request);
    update->actions |= ACTION_REQUEST;
}

void verify_ask(struct member *m, const struct member_event *event, struct update *update)
{
    lead_ask(m, event, update);
    update->actions |= ACTION_POLL; /* the start that follows needs a fresh host state */
}

/* ---- replies ---- */

/* A term that was renewed may go on unless this host was paused: then a deadline by its clocks is
 * worth nothing. */
static bool end_if_paused(struct member *m, usec_t now, struct update *update)
{
    if (m->pause_verdict == PAUSE_LIKELY) {
        begin_ending(m, REASON_PAUSED, now, update);
        return true;
    }
    if (m->pause_verdict == PAUSE_OR_STEP)
        update->note = NOTE_STEP;
    return false;
}

/* The extension is sent to the keeper; it is sent again if the keeper does not show the last one:
 * with a shorter lease, the next one may be far away. */
static void extend(struct member *m, const struct record *r, usec_t now, struct update *update)
{
    struct term *term = &m->term;
    struct spans granted = spans_of(r), wanted = configured_spans(m);
    usec_t duration = cover_granted(&term->cover, &granted, &wanted, now);
    usec_t deadline = usec_add(m->sent_at, duration);
    const struct host_state *host = &m->host;

    term->renewed_at = m->sent_at;
    if (deadline > term->deadline)
        term->deadline = deadline;
    else if (term->cover.fixed ||
             (host->keeper_term == term->number && host->keeper_deadline == term->deadline))
        return;
    cover_extended(&term->cover, term->deadline);
    update->actions |= ACTION_EXTEND;
    if (!cover_settled(&term->cover))
        update->actions |= ACTION_POLL;
}

static void confirmed(struct member *m, const struct reply *reply, usec_t now,
                      struct update *update)
{
    bool holds = claim_may_hold(m, &reply->epoch);

    take_term(m, reply);
    if (holds)
        begin_starting(m, now, update);
    else
        begin_ending(m, REASON_ORPHAN, now, update);
}

static void renewed(struct member *m, const struct reply *reply, usec_t now, struct update *update)
{
    nonces_granted(&m->term.nonces, &reply->record.nonce, &reply->epoch);
    if (now >= m->term.deadline) { /* acknowledged too late: the keeper has ended already */
        begin_ending(m, REASON_DEADLINE, now, update);
        return;
    }
    if (end_if_paused(m, now, update))
        return;
    extend(m, &reply->record, now, update);
    if (m->state == MEMBER_ADOPTING) {
        m->reason = REASON_NONE;
        enter(m, MEMBER_LEADING, now);
        update->note = NOTE_ADOPTED;
    }
}

/* The record is another node's, or clean, or not there any more. */
static void lose_term(struct member *m, usec_t now, struct update *update)
{
    if (m->state == MEMBER_CONFIRMING) {
        become_standby(m, now, 0);
        return;
    }
    m->term.release = false; /* the record is not ours any more */
    begin_ending(m, REASON_DENIED, now, update);
}

/* The nonce is this node's own: what this life remembers of the term, or while adopting, a few
 * times, whatever it is. */
static bool believe_nonce(struct member *m, const struct reply *reply)
{
    if (nonces_explain(&m->term.nonces, &reply->record.nonce, &reply->epoch))
        return true;
    if (m->state != MEMBER_ADOPTING || m->term.adopted_by >= ADOPTED_BY_MAX)
        return false;
    m->term.adopted_by++;
    return true;
}

/* The record is this node's, and of this term, with a nonce that it should not have. If that is not
 * this node's own, a copy of this host has written it, and only one of both can go on. Where not
 * all nonces are known, or in another history, where a failover may have brought back what an
 * earlier life wrote, the nonce does not say who wrote it: the term ends, and the record is
 * watched. */
static void judge_nonce(struct member *m, const struct reply *reply, usec_t now,
                        struct update *update)
{
    struct term *term = &m->term;

    if (believe_nonce(m, reply)) {
        struct spans spans = spans_of(&reply->record);

        nonces_read(&term->nonces, &reply->record.nonce, &reply->epoch);
        if (m->state == MEMBER_ADOPTING)
            cover_read(&term->cover, &spans, term->stop, m->sent_at);
        m->due = now;
        return;
    }
    if (!nonces_exclude(&term->nonces, &reply->epoch) && m->state != MEMBER_ADOPTING) {
        lose_term(m, now, update);
        return;
    }
    term->release = false;
    watch_copied(&m->watch, term->number);
    begin_ending(m, REASON_COPY, now, update);
}

/* The reply to the question which nonce the record has, or to one that was asked before the term
 * began. */
static void judge_reading(struct member *m, const struct member_event *event, struct update *update)
{
    const struct reply *reply = event->reply;

    if (reply->outcome == OUTCOME_UNKNOWN) {
        m->due = usec_add(event->now, renewal_interval(m) / RETRY_PART);
        return;
    }
    if (m->state != MEMBER_CONFIRMING && end_if_paused(m, event->now, update))
        return;
    if (m->sent_at < m->since)
        return;
    if (shows_our_term(m, reply))
        judge_nonce(m, reply, event->now, update);
    else
        lose_term(m, event->now, update);
}

/* To a renewal that was not granted. */
static void judge_refusal(struct member *m, const struct member_event *event, struct update *update)
{
    switch (event->reply->outcome) {
    case OUTCOME_DENIED:
        lose_term(m, event->now, update);
        return;
    case OUTCOME_OTHER_NONCE:
        judge_nonce(m, event->reply, event->now, update);
        return;
    case OUTCOME_UNKNOWN: /* it may have been carried out, and the deadline stays */
        nonces_tried(&m->term.nonces, &m->sent_nonce);
        m->due = usec_add(event->now, renewal_interval(m) / RETRY_PART);
        return;
    case OUTCOME_GRANTED:
        return;
    }
}

static bool renewal_granted(const struct member *m, const struct reply *reply)
{
    return m->operation == OPERATION_RENEW && reply->outcome == OUTCOME_GRANTED;
}

static void judge_other_reply(struct member *m, const struct member_event *event,
                              struct update *update)
{
    if (m->operation == OPERATION_RENEW)
        judge_refusal(m, event, update);
    else if (m->operation == OPERATION_OBSERVE)
        judge_reading(m, event, update);
}

void verify_reply(struct member *m, const struct member_event *event, struct update *update)
{
    if (renewal_granted(m, event->reply))
        confirmed(m, event->reply, event->now, update);
    else
        judge_other_reply(m, event, update);
}

void lead_reply(struct member *m, const struct member_event *event, struct update *update)
{
    if (!renewal_granted(m, event->reply)) {
        judge_other_reply(m, event, update);
        return;
    }

    usec_t interval = renewal_interval(m); /* as it was before a lease that changes */

    renewed(m, event->reply, event->now, update);
    if (m->state == MEMBER_LEADING)
        m->due = usec_max(event->now, usec_add(m->sent_at, jittered(interval, event->random)));
}

/* ---- this host ---- */

void start_host(struct member *m, const struct member_event *event, struct update *update)
{
    const struct host_state *host = &m->host;

    if (host->asked_at <= m->since)
        return; /* asked before the ticket was out */
    if (host->keeper == KEEPER_ACTIVE && host->keeper_term == m->term.number) {
        m->failed_starts = 0;
        enter(m, MEMBER_LEADING, event->now);
        m->due = usec_max(event->now, usec_add(m->sent_at, renewal_interval(m)));
        update->note = NOTE_LEADING;
    } else if (host->keeper == KEEPER_GONE && m->started_at > 0 && host->asked_at > m->started_at)
        begin_ending(m, REASON_START_FAILED, event->now, update);
}

void start_answer(struct member *m, const struct member_event *event, struct update *update)
{
    int error = event->error;

    if (error == -EAGAIN) { /* not even asked */
        begin_ending(m, REASON_HOST_NOT_READY, event->now, update);
        return;
    }
    /* No answer is no refusal: PID 1 may be busy and have the job yet. The keeper's state some time
     * later decides, or on a new connection when the bus broke. */
    if (error != 0 && error != -ETIMEDOUT && error != -ECONNRESET) {
        begin_ending(m, REASON_START_FAILED, event->now, update);
        return;
    }
    m->started_at = usec_add(event->now, error == -ETIMEDOUT ? START_LATE_USEC : 0);
    m->poll_at = error == -ETIMEDOUT ? usec_add(m->started_at, 1) : USEC_INFINITY;
    update->actions |= ACTION_POLL;
}

/* A leader's term ends while the units that it runs can still be stopped. No reload moves a unit
 * that runs outside the slice into it, and the keeper's kill misses it: PID 1 is asked to stop it
 * by name. */
static void end_if_unguarded(struct member *m, usec_t now, struct update *update)
{
    const struct guards_seen *g = &m->host.guards;

    if (!heal_knows(g, now))
        return;
    if (g->outside)
        begin_ending(m, REASON_OUTSIDE, now, update);
    else if (g->state == GUARDS_BARE && heal_failed(&m->heal))
        begin_ending(m, REASON_UNGUARDED, now, update);
    else
        return;
    update->actions |= ACTION_STOP_KEEPER;
}

/* A keeper without state, or of another term, has begun to end by itself. */
static bool keeper_lost(const struct member *m)
{
    const struct host_state *host = &m->host;

    return host->asked_at > m->since && host->keeper != KEEPER_UNKNOWN &&
           (host->keeper == KEEPER_GONE || host->keeper_term != m->term.number);
}

void lead_host(struct member *m, const struct member_event *event, struct update *update)
{
    const struct host_state *host = &m->host;
    usec_t now = event->now;
    bool late = now >= m->term.deadline;

    if (m->state == MEMBER_LEADING && host->keeper_term == m->term.number)
        cover_seen(&m->term.cover, host->keeper_lease, host->keeper_deadline);
    if (keeper_lost(m))
        begin_ending(m, late ? REASON_DEADLINE : REASON_KEEPER_LOST, now, update);
    else
        end_if_unguarded(m, now, update);
    if (m->state != MEMBER_ENDING)
        heal_if_due(m, event, update);
}

/* ---- time, orders ---- */

void start_clock(struct member *m, const struct member_event *event, struct update *update)
{
    if (event->now >= m->term.deadline)
        begin_ending(m, REASON_START_FAILED, event->now, update);
    else if (event->now >= m->poll_at) {
        m->poll_at = USEC_INFINITY;
        update->actions |= ACTION_POLL;
    }
}

void lead_clock(struct member *m, const struct member_event *event, struct update *update)
{
    if (event->now >= m->term.deadline)
        begin_ending(m, REASON_DEADLINE, event->now, update);
    else
        heal_if_due(m, event, update);
}

void hold_stop(struct member *m, const struct member_event *event, struct update *update)
{
    begin_ending(m, REASON_STOPPED, event->now, update);
}
