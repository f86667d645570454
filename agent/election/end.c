/* SPDX-License-Identifier: Apache-2.0 */
#include "election/end.h"

#include "election/healing.h"
#include "election/intervals.h"
#include "election/moves.h"
#include "election/observation.h"
#include "election/own_record.h"

/* After a release other nodes go first: the notification reaches them in a few milliseconds. */
#define YIELD_USEC (300 * USEC_PER_MSEC)
/* How long before PID 1 is asked to stop an ending keeper. */
#define STOP_FALLBACK_USEC (1 * USEC_PER_SEC)
/* By then PID 1 has heard from an ending keeper, and stops what is bound to it. */
#define STOP_SEEN_USEC (100 * USEC_PER_MSEC)
/* After a start that failed: 2 L, doubling, at most this. */
#define START_BACKOFF_MAX_USEC (600 * USEC_PER_SEC)
#define START_BACKOFF_DOUBLINGS_MAX 10u

/* ---- the end of the end ---- */

/* 2 L, 4 L, … after starts that failed in a row. */
static usec_t start_backoff(const struct member *m)
{
    unsigned doublings = m->failed_starts < START_BACKOFF_DOUBLINGS_MAX
                             ? m->failed_starts
                             : START_BACKOFF_DOUBLINGS_MAX;

    return usec_min(m->budget.lease << doublings, START_BACKOFF_MAX_USEC);
}

static void finish(struct member *m, enum member_note note, usec_t now, struct update *update)
{
    usec_t wait = m->failed_starts > 0 ? start_backoff(m) : YIELD_USEC;

    /* Another node first, even one that learns of the release by polling alone. */
    if (m->reason == REASON_PAUSED)
        wait = usec_max(wait, 2 * poll_interval(m->budget.duration));
    /* Likewise, and no node can claim before the lease has expired. */
    if (left_to_expire(m, m->term.number))
        wait = usec_max(wait, usec_add(usec_max(m->term.cover.lease, m->budget.lease),
                                       2 * poll_interval(m->budget.duration)));

    update->note = note;
    become_standby(m, now, usec_add(now, wait));
}

/* The term is over here, and a copy of this host has it: nothing is released. */
static void find_copy(struct member *m, usec_t now, struct update *update)
{
    m->term.release = false;
    watch_copied(&m->watch, m->term.number);
    if (m->state == MEMBER_RELEASING)
        finish(m, NOTE_COPY, now, update);
    else
        update->note = NOTE_COPY;
}

/* ---- ending ---- */

void end_clock(struct member *m, const struct member_event *event, struct update *update)
{
    usec_t now = event->now;

    if (usec_sub(now, m->end_sent_at) >= END_AGAIN_USEC) {
        m->end_sent_at = now;
        update->actions |= ACTION_END | ACTION_POLL;
        if (usec_sub(now, m->since) >= STOP_FALLBACK_USEC && m->host.keeper != KEEPER_BUSY)
            update->actions |= ACTION_STOP_KEEPER;
    }
    heal_if_due(m, event, update);
}

/* All is dead, which PID 1 has proven. */
static void end_when_dead(struct member *m, usec_t now, struct update *update)
{
    bool left = m->host.left;

    /* A renewal under way may still move the record: its answer comes first. */
    if (left && m->in_flight && m->operation == OPERATION_RENEW)
        return;
    if (left)
        m->left_term = m->term.number;
    if (left || !m->term.release) {
        finish(m, m->term.release ? NOTE_LEFT : NOTE_LOST, now, update);
        return;
    }
    enter(m, MEMBER_RELEASING, now);
    update->note = NOTE_DEAD;
}

static void judge_end(struct member *m, usec_t now, struct update *update)
{
    const struct host_state *host = &m->host;

    /* Proof is an answer to a question that was asked after the ticket was gone. */
    if (host->asked_at <= m->since)
        return;
    /* A start of one of the units, by hand or by Restart=, pulls the keeper up too, and waits for
     * as long as the agent is being stopped: each would wait for the other. Without a ticket the
     * keeper would not start, so PID 1 is asked to drop the job. Besides, the start takes the place
     * of the stop that PID 1 had in mind for that unit: the unit would stay until it is killed, and
     * a mount has no process to kill. */
    if (host->keeper_queued || (host->units_stay && usec_sub(now, m->since) >= STOP_SEEN_USEC))
        update->actions |= ACTION_STOP_KEEPER | ACTION_POLL;
    if (host_all_dead(host))
        end_when_dead(m, now, update);
}

void end_host(struct member *m, const struct member_event *event, struct update *update)
{
    judge_end(m, event->now, update);
    if (m->state == MEMBER_ENDING)
        heal_if_due(m, event, update);
}

/* ---- releasing ---- */

/* Releases by the nonces that this life knows it wrote, or by one that stayed unchanged: no node
 * renews that record. */
void release_ask(struct member *m, const struct member_event *event, struct update *update)
{
    const struct term *term = &m->term;
    struct request *r = &update->request;
    bool still = watch_still_at(&m->watch, term->number) <= event->now;

    update->actions |= ACTION_REQUEST;
    if (!term->nonces.complete && !still) {
        request_observation(m, r);
        return;
    }
    *r = (struct request){
        .operation = OPERATION_RELEASE,
        .term = term->number,
        .known = {m->watch.nonce},
        .n_known = 1,
    };
    if (term->nonces.complete)
        nonces_name(&term->nonces, r);
}

/* All is proven dead here, and the record is still this node's and of this term, with another nonce
 * than was named, or than is known. */
static void judge_unreleased(struct member *m, const struct reply *reply, usec_t now,
                             struct update *update)
{
    struct term *term = &m->term;
    const struct nonce *nonce = &reply->record.nonce;

    if (nonces_exclude(&term->nonces, &reply->epoch)) {
        find_copy(m, now, update);
        return;
    }
    if (term->nonces.complete && nonces_explain(&term->nonces, nonce, &reply->epoch)) {
        nonces_read(&term->nonces, nonce, &reply->epoch);
        m->due = now;
        return;
    }
    nonces_forget(&term->nonces);
    if (watch_own_record(m, reply, now) == WATCH_COPY)
        finish(m, NOTE_COPY, now, update);
    else if (watch_is_copy(&m->watch, term->number))
        finish(m, NOTE_LOST, now, update);
    else
        m->due = usec_max(
            now, usec_min(watch_still_at(&m->watch, term->number), usec_add(now, member_limit(m))));
}

static void judge_release(struct member *m, const struct member_event *event, struct update *update)
{
    const struct reply *reply = event->reply;
    bool released = m->operation == OPERATION_RELEASE && reply->outcome == OUTCOME_GRANTED;

    if (reply->outcome == OUTCOME_UNKNOWN)
        m->due = usec_add(event->now, member_limit(m) / RETRY_PART);
    else if (!released && shows_our_term(m, reply))
        judge_unreleased(m, reply, event->now, update);
    else {
        /* Clean already: an earlier try of this release, of unknown outcome. */
        bool ours = reply->has_record && record_ours(m, &reply->record) &&
                    reply->record.term == m->term.number;

        finish(m, released || ours ? NOTE_RELEASED : NOTE_LOST, event->now, update);
    }
}

void release_reply(struct member *m, const struct member_event *event, struct update *update)
{
    if (m->operation == OPERATION_RELEASE || m->operation == OPERATION_OBSERVE)
        judge_release(m, event, update);
    else
        late_reply(m, event, update);
}

/* ---- several states ---- */

/* If it was a renewal, what it says of the nonce still matters, for the release. */
void late_reply(struct member *m, const struct member_event *event, struct update *update)
{
    const struct reply *reply = event->reply;
    struct nonces *nonces = &m->term.nonces;

    if (m->operation != OPERATION_RENEW)
        return;
    if (reply->outcome == OUTCOME_GRANTED && shows_our_term(m, reply))
        nonces_granted(nonces, &reply->record.nonce, &reply->epoch);
    else if (reply->outcome == OUTCOME_UNKNOWN)
        nonces_tried(nonces, &m->sent_nonce);
    else if (reply->outcome == OUTCOME_OTHER_NONCE && nonces_exclude(nonces, &reply->epoch))
        find_copy(m, event->now, update);
}

void end_resume(struct member *m, const struct member_event *event, struct update *update)
{
    (void)event;
    (void)update;
    m->stopping = false;
}
