/* SPDX-License-Identifier: Apache-2.0 */
#include "election/standby.h"

#include "election/healing.h"
#include "election/intervals.h"
#include "election/moves.h"
#include "election/observation.h"
#include "election/own_record.h"

/* Units running without a keeper for this long are no mere job passing through. */
#define STRAY_AFTER_USEC (1 * USEC_PER_SEC)
/* A namesake that renews has changed its record this often while this node observed it. */
#define NAMESAKE_CHANGES 2u

/* ---- requests ---- */

static void request_claim(const struct member *m, const struct nonce *fresh, struct request *r)
{
    *r = (struct request){
        .operation = OPERATION_CLAIM,
        .expected_term = m->seen.record.term,
        .expected_nonce = m->seen.record.nonce,
        .fresh_nonce = *fresh,
        .epoch = m->seen.epoch,
        .rests_on_clean = m->seen.record.claimable,
        .term_floor = member_term_floor(m),
        .lease = m->budget.lease,
        .stop = m->budget.stop,
        .duration = m->budget.duration,
    };
}

/* The record that was observed last is said to have been released since. Anybody can say so, and
 * the release may be long past: all that it costs is a claim that is denied. */
static bool notice_matches(const struct member *m)
{
    return m->has_notice && m->seen.valid && m->notice.term == m->seen.record.term &&
           !record_ours(m, &m->seen.record) && member_replaced_by(m) == 0;
}

static void request_claim_on_notice(const struct member *m, const struct nonce *fresh,
                                    struct request *r)
{
    request_claim(m, fresh, r);
    r->expected_nonce = m->notice.nonce;
    r->rests_on_clean = true;
}

static void ask_to_claim_or_poll(struct member *m, const struct member_event *event,
                                 struct update *update)
{
    usec_t now = event->now;
    bool seen = claimable_at(m) <= now && (m->seen.record.claimable || !observation_gap(m, now));
    bool free = (seen || notice_matches(m)) && m->not_before <= now;

    update->actions |= ACTION_REQUEST | ACTION_POLL;
    m->hinted = m->has_notice = m->sent_notice = false;
    if (!event->fit) {
        forget_observation(m); /* seen by a clock that cannot be trusted, and so is the reply */
        hold_back_until(m, usec_add(now, poll_interval(m->budget.duration)));
    } else if (free && member_ready(m, now)) {
        if (event->may_claim) {
            m->sent_notice = !seen;
            if (seen)
                request_claim(m, &event->nonce, &update->request);
            else
                request_claim_on_notice(m, &event->nonce, &update->request);
            return;
        }
        hold_back_until(m, usec_add(now, RETRY_USEC));
    }
    request_observation(m, &update->request);
}

void standby_ask(struct member *m, const struct member_event *event, struct update *update)
{
    if (!m->stopping)
        ask_to_claim_or_poll(m, event, update);
}

/* ---- replies ---- */

/* Does a record that keeps changing have the name of this node, but another instance? It is
 * reported once, however long it lasts. */
static bool find_namesake(struct member *m, const struct record *before, const struct record *r)
{
    const char *slash = strrchr(m->owner, '/');
    size_t node = slash ? (size_t)(slash - m->owner) + 1 : strlen(m->owner);

    if (record_ours(m, r) || strncmp(r->owner, m->owner, node) != 0 ||
        strcmp(before->owner, r->owner) != 0) {
        m->namesake_changes = 0;
        return false;
    }
    if (before->term != r->term || nonce_equal(&before->nonce, &r->nonce) ||
        m->namesake_changes >= NAMESAKE_CHANGES)
        return false;
    return ++m->namesake_changes == NAMESAKE_CHANGES;
}

/* The record names this node, which holds no term: it is the node's own claim, or what an earlier
 * life left behind, or what a copy of this host holds. */
static void judge_own_record(struct member *m, const struct reply *reply, usec_t now,
                             struct update *update)
{
    const struct record *r = &m->seen.record;

    if (m->stopping) {
        watch_interrupt(&m->watch);
        return;
    }
    if (claim_may_hold(m, &m->seen.epoch) && nonce_equal(&r->nonce, &m->claim_nonce) &&
        r->term > m->over_term) {
        begin_confirming(m, now);
        return;
    }
    if (watch_own_record(m, reply, now) == WATCH_COPY)
        update->note = NOTE_COPY;
    /* An orphan only if PID 1 said that no keeper lives: a live keeper will be adopted instead. */
    if (left_to_expire(m, r->term) || !poll_is_fresh(m, now) || m->host.keeper != KEEPER_GONE ||
        watch_still_at(&m->watch, r->term) > now)
        return;
    m->term.number = r->term;
    m->term.release = true;
    begin_ending(m, REASON_ORPHAN, now, update);
}

/* After a claim or a poll that was refused or not answered, nothing is asked again at once: it may
 * be refused for any length of time (a locked row, a server that lacks its standby, a session's
 * quarantine). A claim on a release notice that is refused says nothing about the record: it must
 * not delay the claim that the observation will allow. */
static void hold_back(struct member *m, const struct reply *reply, usec_t now)
{
    bool moved = reply->has_record && (reply->record.term != m->seen.record.term ||
                                       !nonce_equal(&reply->record.nonce, &m->seen.record.nonce));

    if (reply->outcome == OUTCOME_UNKNOWN ||
        (m->operation == OPERATION_CLAIM && !moved && !m->sent_notice))
        hold_back_until(m, usec_add(now, poll_interval(m->budget.duration) / RETRY_PART));
    else if (m->operation == OPERATION_CLAIM)
        hold_back_until(m, usec_add(now, RETRY_USEC));
}

/* ---- when to ask next ---- */

static void schedule_poll(struct member *m, usec_t now, uint32_t random)
{
    usec_t interval = poll_interval(m->budget.duration);

    /* A record with a shorter lease than the configured one must be seen often enough for it. */
    if (m->seen.valid)
        interval = usec_min(interval, record_lease(m, &m->seen.record) / 4);
    m->due = m->hinted ? now : usec_add(now, jittered(interval, random));

    usec_t claim = usec_max(claimable_at(m), m->not_before);
    if (claim != USEC_INFINITY && member_ready(m, now))
        m->due = usec_min(m->due, usec_max(claim, now));

    usec_t still =
        names_us(m, &m->seen.record) ? watch_still_at(&m->watch, m->seen.record.term) : now;
    if (still > now)
        m->due = usec_min(m->due, still);
}

/* The host is ready at last for a record that is free: the next poll is not waited for. */
static void hurry_if_claimable(struct member *m, usec_t now)
{
    usec_t claim = usec_max(claimable_at(m), m->not_before);

    if (m->state == MEMBER_STANDBY && !m->stopping && claim != USEC_INFINITY &&
        member_ready(m, now))
        m->due = usec_min(m->due, usec_max(claim, now));
}

static void judge_record(struct member *m, const struct reply *reply, usec_t now,
                         struct update *update)
{
    struct record before = m->seen.record;

    observe(m, reply, now);
    if (find_namesake(m, &before, &m->seen.record))
        update->note = NOTE_NAMESAKE;
    if (names_us(m, &m->seen.record))
        judge_own_record(m, reply, now, update);
    else
        watch_interrupt(&m->watch);
    if (!m->sent_fit)
        forget_observation(m);
}

void standby_reply(struct member *m, const struct member_event *event, struct update *update)
{
    const struct reply *reply = event->reply;

    if (m->operation == OPERATION_CLAIM && reply->outcome == OUTCOME_GRANTED) {
        take_term(m, reply);
        begin_starting(m, event->now, update);
        return;
    }
    if (m->operation == OPERATION_CLAIM && reply->outcome == OUTCOME_UNKNOWN) {
        m->claim_open = true;
        m->claim_nonce = m->sent_nonce;
        m->claim_epoch = m->seen.epoch; /* as it was sent with */
    }
    hold_back(m, reply, event->now);
    if (reply->outcome != OUTCOME_UNKNOWN && reply->has_record)
        judge_record(m, reply, event->now, update);
    if (m->state == MEMBER_STANDBY)
        schedule_poll(m, event->now, event->random);
}

/* ---- this host ---- */

/* Something of the group runs here although this member holds no term: its keeper is active. */
static void judge_keeper(struct member *m, usec_t now, struct update *update)
{
    const struct host_state *host = &m->host;

    if (host->keeper_ours && host->keeper_term > m->over_term &&
        now < adopted_deadline(host, now)) {
        begin_adopting(m, now);
        if (m->stopping)
            begin_ending(m, REASON_STOPPED, now, update);
    } else {
        m->term.number = host->keeper_term;
        m->term.cover.fixed = host->keeper_fixed;
        m->term.release = host->keeper_ours;
        begin_ending(m, REASON_FOREIGN_KEEPER, now, update);
    }
}

/* Units may run here without a keeper. */
static void judge_strays(struct member *m, usec_t now, struct update *update)
{
    const struct host_state *host = &m->host;

    if (host->keeper != KEEPER_GONE || (host->units_dead && host->slice_empty)) {
        m->stray_since = 0;
        m->stray_noted = false;
    } else if (m->stray_since == 0)
        m->stray_since = now;
    else if (usec_sub(now, m->stray_since) >= STRAY_AFTER_USEC) {
        m->stray_since = now;
        update->actions |= ACTION_STOP_KEEPER;
        if (!m->stray_noted)
            update->note = NOTE_STRAY;
        m->stray_noted = true;
    }
}

static void judge_host(struct member *m, usec_t now, struct update *update)
{
    const struct host_state *host = &m->host;

    if (m->in_flight && m->operation == OPERATION_CLAIM)
        return; /* judged when the reply is there */
    if (host->keeper == KEEPER_ACTIVE && host->keeper_term > 0) {
        judge_keeper(m, now, update);
        return;
    }
    /* The keeper was started by hand when all was dead: its start waits for the end of the agent,
     * and the agent for the end of the start. */
    if (m->stopping && host->keeper_queued)
        update->actions |= ACTION_STOP_KEEPER | ACTION_POLL;
    judge_strays(m, now, update);
}

void standby_host(struct member *m, const struct member_event *event, struct update *update)
{
    judge_host(m, event->now, update);
    hurry_if_claimable(m, event->now);
    if (m->state == MEMBER_STANDBY)
        heal_if_due(m, event, update);
}

/* ---- hints, orders ---- */

void standby_hint(struct member *m, const struct member_event *event, struct update *update)
{
    (void)update;
    if (m->stopping)
        return;
    m->due = event->now;
    if (event->notice) {
        m->has_notice = true;
        m->notice = *event->notice;
    }
}

void standby_stop(struct member *m, const struct member_event *event, struct update *update)
{
    (void)event;
    m->reason = REASON_STOPPED;
    update->actions |= ACTION_POLL; /* it is not over before PID 1 says so */
}

void standby_resume(struct member *m, const struct member_event *event, struct update *update)
{
    (void)update;
    if (!m->stopping)
        return;
    m->stopping = false;
    m->reason = REASON_NONE;
    m->due = event->now;
}
