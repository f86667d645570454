/* SPDX-License-Identifier: Apache-2.0 */
#include "election/member.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

/* After a release others go first: the notification reaches them in a few milliseconds. */
#define YIELD_USEC (300 * USEC_PER_MSEC)
/* How often an ending keeper is told again, and how long before PID 1 is asked to stop it. */
#define TELL_AGAIN_USEC (250 * USEC_PER_MSEC)
#define STOP_FALLBACK_USEC (1 * USEC_PER_SEC)
/* By then PID 1 has heard from an ending keeper, and stops what is bound to it. */
#define STOP_SEEN_USEC (100 * USEC_PER_MSEC)
/* Units running without a keeper for this long are no mere job passing through. */
#define STRAY_AFTER_USEC (1 * USEC_PER_SEC)
/* A release or claim that was refused because something moved, or a claim that waits for a slot,
 * is tried again after this. */
#define RETRY_USEC (50 * USEC_PER_MSEC)
/* What was refused or unanswered for no reason to be seen is tried again after this part of p. */
#define RETRY_PART ((usec_t)4)
/* PID 1 did not answer a StartUnit: a keeper that is not there this much later does not come. */
#define START_LATE_USEC (2 * USEC_PER_SEC)
/* A look at this host that is older counts as none: PID 1 does not answer. */
#define LOOK_AGE_MARGIN_USEC (1 * USEC_PER_SEC)
/* After a start that failed: 2 L, doubling, at most this. */
#define START_BACKOFF_MAX_USEC (600 * USEC_PER_SEC)
#define START_BACKOFF_DOUBLINGS_MAX 10u
/* A namesake that renews has changed its record this often under our eyes. */
#define NAMESAKE_CHANGES 2u
/* Adopting: as many nonces of an earlier life are read and renewed by, for its last renewals may
 * come late; then it is somebody who renews all the time. */
#define ADOPTED_BY_MAX 3u

/* p for a term of this D. The same rule as budget_compute()'s, for terms of another configuration;
 * no smaller than for the smallest D there can be, so that no number from outside makes us spin. */
static usec_t poll_interval(usec_t duration)
{
    return usec_min(usec_max(duration, BUDGET_RENEW_MIN_USEC) / BUDGET_TRIES, BUDGET_POLL_MAX_USEC);
}

/* p less up to a tenth: nodes that started together drift apart, and three tries still fit. */
static usec_t jittered(usec_t interval, uint32_t random)
{
    return interval - interval / 10 * (random % 1024) / 1024;
}

/* The lease of the configuration, for the term that is held. */
static struct spans configured(const struct member *m)
{
    return cover_configured(&m->cover, m->budget.lease, m->stop);
}

/* p of the term that is held: the smaller of what the keeper and the configuration have. */
static usec_t renewal_interval(const struct member *m)
{
    return poll_interval(usec_min(m->cover.duration, configured(m).duration));
}

static bool record_ours(const struct member *m, const struct record *r)
{
    return strcmp(r->owner, m->owner) == 0;
}

/* It names us, but nothing is to be done about it any more: it runs out as a stranger's does, for
 * this node too. */
static bool left_to_run_out(const struct member *m, uint64_t term)
{
    return m->left_term > 0 && term == m->left_term;
}

/* Somebody of our name has it, or had. */
static bool names_us(const struct member *m, const struct record *r)
{
    return record_ours(m, r) && !r->clean;
}

/* The reply shows the record of the term that is held, or is being given up. */
static bool shows_our_term(const struct member *m, const struct reply *reply)
{
    return reply->has_record && names_us(m, &reply->record) && reply->record.term == m->term;
}

static void enter(struct member *m, enum member_state state, usec_t now)
{
    m->state = state;
    m->since = now;
    m->due = now;
}

static void hold_back_until(struct member *m, usec_t not_before)
{
    m->not_before = usec_max(m->not_before, not_before);
}

static void forget_observation(struct member *m)
{
    m->observed = false;
    m->has_notice = false;
    m->namesake_changes = 0;
    watch_interrupt(&m->watch);
}

static void forget_term(struct member *m)
{
    if (m->term > m->over_term)
        m->over_term = m->term;
    m->term = 0;
    m->cover = (struct cover){0};
    m->stop = m->deadline = m->renewed_at = 0;
    nonces_forget(&m->nonces);
    m->adopted_by = 0;
    m->release = false;
    m->started_at = 0;
    m->claim_open = false;
}

static void become_standby(struct member *m, usec_t now, usec_t not_before)
{
    forget_term(m);
    forget_observation(m);
    m->stray_since = 0;
    enter(m, MEMBER_STANDBY, now);
    hold_back_until(m, not_before);
}

/* 2 L, 4 L, … after starts that failed in a row. */
static usec_t start_backoff(const struct member *m)
{
    unsigned doublings = m->failed_starts < START_BACKOFF_DOUBLINGS_MAX
                             ? m->failed_starts
                             : START_BACKOFF_DOUBLINGS_MAX;

    return usec_min(m->budget.lease << doublings, START_BACKOFF_MAX_USEC);
}

/* From here on the term is over, whatever comes: the keeper is told, the ticket goes first, and
 * what is asked of PID 1 after this step is the proof. */
static void begin_ending(struct member *m, enum member_reason reason, usec_t now,
                         struct update *update)
{
    m->reason = reason;
    if (reason == REASON_START_FAILED && m->failed_starts < UINT_MAX)
        m->failed_starts++;
    m->told_at = now;
    if (m->in_flight) /* what that says of the record will not be looked at */
        watch_interrupt(&m->watch);
    enter(m, MEMBER_ENDING, now);
    update->actions |= ACTION_UNLINK | ACTION_END | ACTION_POLL;
    update->note = NOTE_ENDING;
}

static bool look_is_fresh(const struct member *m, usec_t now)
{
    usec_t limit = usec_add(2 * poll_interval(m->budget.duration), LOOK_AGE_MARGIN_USEC);

    return m->host.asked_at > 0 && usec_sub(now, m->host.asked_at) <= limit;
}

static bool host_all_dead(const struct host_state *l)
{
    return l->keeper == KEEPER_GONE && l->units_dead && l->slice_empty && !l->open;
}

bool member_ready(const struct member *m, usec_t now)
{
    return look_is_fresh(m, now) && host_all_dead(&m->host) && m->host.guarded;
}

/* L of the record. No term's lease can be as short as the smallest D: what says so is no lease, and
 * gaps above half of it would never let its observation end. */
static usec_t record_lease(const struct member *m, const struct record *r)
{
    return r->lease > BUDGET_RENEW_MIN_USEC ? r->lease : m->budget.lease;
}

/* A copy that came to a new server has the later terms in it, and an empty table has none. */
uint64_t member_replaced_by(const struct member *m)
{
    uint64_t seen = usec_max(m->highest_term, m->over_term) >> TERM_TIMELINE_SHIFT;
    bool replaced = m->record.term > 0 && m->epoch.timeline < seen &&
                    m->record.term >> TERM_TIMELINE_SHIFT <= m->epoch.timeline;

    return replaced ? seen : 0;
}

uint64_t member_term_floor(const struct member *m)
{
    return usec_max(m->highest_term, m->over_term) + 1;
}

/* When the record may be claimed as far as the arbiter goes; USEC_INFINITY: not foreseeable. */
static usec_t claimable_at(const struct member *m)
{
    if (!m->observed || member_replaced_by(m) > 0)
        return USEC_INFINITY;
    if (m->record.claimable)
        return m->seen_since;
    return usec_add(m->seen_since, record_lease(m, &m->record));
}

/* ---- observation ---- */

/* What happened between two looks that far apart is not known. */
static bool observation_gap(const struct member *m, usec_t now)
{
    return usec_sub(now, m->seen_at) > record_lease(m, &m->record) / 2;
}

/* The record was read at `now`, after the reply: what changed starts to be observed anew. */
static void observe(struct member *m, const struct reply *reply, usec_t now)
{
    const struct record *r = &reply->record;
    bool same = m->observed && m->record.term == r->term &&
                nonce_equal(&m->record.nonce, &r->nonce) && epoch_equal(&m->epoch, &reply->epoch);

    if (!same || observation_gap(m, now))
        m->seen_since = now;
    m->observed = true;
    m->seen_at = now;
    m->record = *r;
    m->epoch = reply->epoch;
}

/* Does a record that keeps changing name our node, but another instance? */
static bool namesake(struct member *m, const struct record *before, const struct record *r)
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
    /* Said once, however long it lasts. */
    return ++m->namesake_changes == NAMESAKE_CHANGES;
}

static void schedule_standby(struct member *m, usec_t now, uint32_t random)
{
    usec_t interval = poll_interval(m->budget.duration);

    /* A record of a shorter lease than ours must be seen often enough for its own. */
    if (m->observed)
        interval = usec_min(interval, record_lease(m, &m->record) / 4);
    m->due = m->hinted ? now : usec_add(now, jittered(interval, random));

    usec_t claim = usec_max(claimable_at(m), m->not_before);
    if (claim != USEC_INFINITY && member_ready(m, now))
        m->due = usec_min(m->due, usec_max(claim, now));

    usec_t still = names_us(m, &m->record) ? watch_still_at(&m->watch, m->record.term) : now;
    if (still > now)
        m->due = usec_min(m->due, still);
}

/* ---- requests ---- */

static void request_observe(const struct member *m, struct request *r)
{
    *r = (struct request){
        .operation = OPERATION_OBSERVE,
        .lease = m->budget.lease,
        .stop = m->budget.stop,
        .duration = m->budget.duration,
    };
}

static void request_claim(const struct member *m, const struct nonce *fresh, struct request *r)
{
    *r = (struct request){
        .operation = OPERATION_CLAIM,
        .expected_term = m->record.term,
        .expected_nonce = m->record.nonce,
        .fresh_nonce = *fresh,
        .epoch = m->epoch,
        .rests_on_clean = m->record.claimable,
        .term_floor = member_term_floor(m),
        .lease = m->budget.lease,
        .stop = m->budget.stop,
        .duration = m->budget.duration,
    };
}

/* By what the record may bear; what that is, must be read where it is not known. A claim of unknown
 * outcome is confirmed as it is. */
static void request_renew(const struct member *m, const struct member_event *event,
                          struct request *r)
{
    if (m->nonces.n_known == 0) {
        request_observe(m, r);
        return;
    }

    struct spans spans = {.lease = m->cover.lease, .duration = m->cover.duration};

    if (m->state != MEMBER_CONFIRMING) {
        spans = configured(m);
        spans = cover_ask(&m->cover, &spans, m->stop, event->now);
    }
    *r = (struct request){
        .operation = OPERATION_RENEW,
        .term = m->term,
        .fresh_nonce = event->nonce,
        .lease = spans.lease,
        .duration = spans.duration,
    };
    nonces_name(&m->nonces, r);
}

/* By what this life knows that it wrote, or by what stood still: nobody renews that. */
static void request_release(const struct member *m, usec_t now, struct request *r)
{
    bool still = watch_still_at(&m->watch, m->term) <= now;

    if (!m->nonces.complete && !still) {
        request_observe(m, r);
        return;
    }
    *r = (struct request){
        .operation = OPERATION_RELEASE,
        .term = m->term,
        .known = {m->watch.nonce},
        .n_known = 1,
    };
    if (m->nonces.complete)
        nonces_name(&m->nonces, r);
}

/* The record that was observed last is said to be given back since. Anybody can say so, and it may
 * be long past: what it costs is a claim that is denied. */
static bool notice_matches(const struct member *m)
{
    return m->has_notice && m->observed && m->told.term == m->record.term &&
           !record_ours(m, &m->record) && member_replaced_by(m) == 0;
}

static void request_claim_on_notice(const struct member *m, const struct nonce *fresh,
                                    struct request *r)
{
    request_claim(m, fresh, r);
    r->expected_nonce = m->told.nonce;
    r->rests_on_clean = true;
}

/* A standby's question: the claim when everything allows it at this very moment, else a look. */
static void ask_as_standby(struct member *m, const struct member_event *event,
                           struct update *update)
{
    usec_t now = event->now;
    bool seen = claimable_at(m) <= now && (m->record.claimable || !observation_gap(m, now));
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
    request_observe(m, &update->request);
}

static void on_send(struct member *m, const struct member_event *event, struct update *update)
{
    if (!event->fit)
        watch_interrupt(&m->watch);
    switch (m->state) {
    case MEMBER_STANDBY:
        if (!m->stopping)
            ask_as_standby(m, event, update);
        break;
    case MEMBER_CONFIRMING:
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        if (event->fit) {
            request_renew(m, event, &update->request);
            update->actions |= ACTION_REQUEST;
        }
        if (m->state == MEMBER_CONFIRMING) /* the start it leads to needs a fresh look */
            update->actions |= ACTION_POLL;
        break;
    case MEMBER_RELEASING:
        request_release(m, event->now, &update->request);
        update->actions |= ACTION_REQUEST;
        break;
    case MEMBER_STARTING:
    case MEMBER_ENDING:
        break;
    }

    if (update->actions & ACTION_REQUEST) {
        m->in_flight = true;
        m->operation = update->request.operation;
        m->sent_at = event->now;
        m->sent_fit = event->fit;
        m->sent_nonce = update->request.fresh_nonce;
    } else /* nothing to ask now: not in every tick from here on */
        m->due = usec_add(event->now, member_limit(m) / RETRY_PART);
}

/* ---- replies ---- */

static struct spans spans_of(const struct record *r)
{
    return (struct spans){.lease = r->lease, .duration = r->duration};
}

/* The arbiter acknowledged our record at t0: take its values, count from t0. */
static void take_term(struct member *m, const struct reply *reply)
{
    assert(reply->has_record);

    struct spans granted = spans_of(&reply->record);

    m->term = reply->record.term;
    m->stop = reply->record.stop;
    nonces_granted(&m->nonces, &reply->record.nonce, &reply->epoch);
    watch_forget(&m->watch);
    m->release = true;
    m->deadline = usec_add(m->sent_at, granted.duration);
    m->renewed_at = m->sent_at;
    cover_begin(&m->cover, &granted, m->deadline);
    m->claim_open = false;
}

/* A term is acknowledged and nothing runs yet: hand out its one ticket, or give it back. */
static void begin_starting(struct member *m, usec_t now, struct update *update)
{
    enum member_reason reason = REASON_NONE;

    if (m->stopping)
        reason = REASON_STOPPED;
    else if (!budget_holds(m->cover.lease, m->stop, m->cover.duration))
        reason = REASON_HOST_NOT_READY;
    else if (now >= usec_add(m->sent_at, m->cover.duration / 2))
        reason = REASON_LATE;
    else if (!member_ready(m, now))
        reason = REASON_HOST_NOT_READY;

    if (reason != REASON_NONE) {
        begin_ending(m, reason, now, update);
        return;
    }
    m->reason = REASON_NONE;
    m->started_at = 0;
    m->look_at = USEC_INFINITY;
    enter(m, MEMBER_STARTING, now);
    m->due = USEC_INFINITY;
    update->actions |= ACTION_TICKET | ACTION_POLL;
    update->note = NOTE_STARTING;
}

/* Only in the history it was made in: a failover that lost writes may have taken another's later
 * term away, whose units still run. */
static bool claim_may_hold(const struct member *m, const struct epoch *epoch)
{
    return m->claim_open && history_equal(epoch, &m->claim_epoch);
}

static void confirm(struct member *m, usec_t now)
{
    const struct record *r = &m->record;

    struct spans spans = spans_of(r);

    m->term = r->term;
    m->stop = r->stop;
    cover_begin(&m->cover, &spans, 0);
    nonces_granted(&m->nonces, &r->nonce, &m->epoch);
    watch_forget(&m->watch);
    m->release = true;
    enter(m, MEMBER_CONFIRMING, now);
}

/* A record in our name was read: by a clock that cannot be trusted no watch begins. */
static enum watch_verdict watch_own_record(struct member *m, const struct reply *reply, usec_t now)
{
    enum watch_verdict verdict =
        watch_read(&m->watch, reply, poll_interval(reply->record.duration), now);

    if (!m->sent_fit)
        watch_interrupt(&m->watch);
    return verdict;
}

/* The record names us, we hold no term: our own claim, or what an earlier life left behind, or what
 * a copy of this host holds. */
static void judge_own_record(struct member *m, const struct reply *reply, usec_t now,
                             struct update *update)
{
    const struct record *r = &m->record;

    if (m->stopping) {
        watch_interrupt(&m->watch);
        return;
    }
    if (claim_may_hold(m, &m->epoch) && nonce_equal(&r->nonce, &m->claim_nonce) &&
        r->term > m->over_term) {
        confirm(m, now);
        return;
    }
    if (watch_own_record(m, reply, now) == WATCH_COPY)
        update->note = NOTE_COPY;
    /* Only when PID 1 said so: a live keeper will be adopted instead. */
    if (left_to_run_out(m, r->term) || !look_is_fresh(m, now) || m->host.keeper != KEEPER_GONE ||
        watch_still_at(&m->watch, r->term) > now)
        return;
    m->term = r->term;
    m->release = true;
    begin_ending(m, REASON_ORPHAN, now, update);
}

/* A claim or a look that led nowhere. Nothing may be asked again at once: it may be refused for as
 * long as you like (a locked row, a server that lacks its standby, a session's quarantine). A claim
 * on hearsay that is refused says nothing about the record: it must not delay the claim that the
 * observation will allow. */
static void hold_back(struct member *m, const struct reply *reply, usec_t now)
{
    bool moved = reply->has_record && (reply->record.term != m->record.term ||
                                       !nonce_equal(&reply->record.nonce, &m->record.nonce));

    if (reply->outcome == OUTCOME_UNKNOWN ||
        (m->operation == OPERATION_CLAIM && !moved && !m->sent_notice))
        hold_back_until(m, usec_add(now, poll_interval(m->budget.duration) / RETRY_PART));
    else if (m->operation == OPERATION_CLAIM)
        hold_back_until(m, usec_add(now, RETRY_USEC));
}

static void on_standby_reply(struct member *m, const struct member_event *event,
                             struct update *update)
{
    const struct reply *reply = event->reply;
    struct record before = m->record;

    if (m->operation == OPERATION_CLAIM && reply->outcome == OUTCOME_GRANTED) {
        take_term(m, reply);
        begin_starting(m, event->now, update);
        return;
    }
    if (m->operation == OPERATION_CLAIM && reply->outcome == OUTCOME_UNKNOWN) {
        m->claim_open = true;
        m->claim_nonce = m->sent_nonce;
        m->claim_epoch = m->epoch; /* as it was sent with */
    }
    hold_back(m, reply, event->now);
    if (reply->outcome != OUTCOME_UNKNOWN && reply->has_record) {
        observe(m, reply, event->now);
        if (namesake(m, &before, &m->record))
            update->note = NOTE_NAMESAKE;
        if (names_us(m, &m->record))
            judge_own_record(m, reply, event->now, update);
        else
            watch_interrupt(&m->watch);
        if (!m->sent_fit)
            forget_observation(m);
    }
    if (m->state == MEMBER_STANDBY)
        schedule_standby(m, event->now, event->random);
}

/* Renewed, and yet a deadline by these clocks may be worth nothing. */
static bool lead_on(struct member *m, enum pause_verdict pause, usec_t now, struct update *update)
{
    if (pause == PAUSE_LIKELY) {
        begin_ending(m, REASON_PAUSED, now, update);
        return false;
    }
    if (pause == PAUSE_OR_STEP)
        update->note = NOTE_STEP;
    return true;
}

/* The keeper is told, again too where it does not show what it was told last: by a shorter lease
 * the next extension may be far away. */
static void extend(struct member *m, const struct record *r, usec_t now, struct update *update)
{
    struct spans granted = spans_of(r), wanted = configured(m);
    usec_t duration = cover_granted(&m->cover, &granted, &wanted, now);
    usec_t deadline = usec_add(m->sent_at, duration);
    const struct host_state *l = &m->host;

    m->renewed_at = m->sent_at;
    if (deadline > m->deadline)
        m->deadline = deadline;
    else if (m->cover.fixed || (l->keeper_term == m->term && l->keeper_deadline == m->deadline))
        return;
    cover_extended(&m->cover, m->deadline);
    update->actions |= ACTION_EXTEND;
    if (!cover_settled(&m->cover))
        update->actions |= ACTION_POLL;
}

static void on_renewed(struct member *m, const struct reply *reply, enum pause_verdict pause,
                       usec_t now, struct update *update)
{
    enum member_state state = m->state;

    if (state == MEMBER_CONFIRMING) {
        bool holds = claim_may_hold(m, &reply->epoch);

        take_term(m, reply);
        if (holds)
            begin_starting(m, now, update);
        else
            begin_ending(m, REASON_ORPHAN, now, update);
        return;
    }
    nonces_granted(&m->nonces, &reply->record.nonce, &reply->epoch);
    if (now >= m->deadline) { /* acknowledged too late: the keeper has ended already */
        begin_ending(m, REASON_DEADLINE, now, update);
        return;
    }
    if (!lead_on(m, pause, now, update))
        return;
    extend(m, &reply->record, now, update);
    if (state == MEMBER_ADOPTING) {
        m->reason = REASON_NONE;
        enter(m, MEMBER_LEADING, now);
        update->note = NOTE_ADOPTED;
    }
}

/* Another's, clean, or not there any more. */
static void lose_term(struct member *m, usec_t now, struct update *update)
{
    if (m->state == MEMBER_CONFIRMING) {
        become_standby(m, now, 0);
        return;
    }
    m->release = false; /* the record is not ours any more */
    begin_ending(m, REASON_DENIED, now, update);
}

/* The record is this node's, and of this term, with a nonce that it should not have: believed by
 * what this life remembers; an adopted term's, by what it is, a few times. Whoever else writes it
 * is a copy of this host, and only one of both can go on. Where not all is known, as in another
 * history, where a failover may have brought back what an earlier life wrote, it is not told here
 * who it was: the term ends, and the record is watched. */
static void judge_nonce(struct member *m, const struct reply *reply, usec_t now,
                        struct update *update)
{
    const struct nonce *nonce = &reply->record.nonce;
    bool believed = nonces_explain(&m->nonces, nonce, &reply->epoch);

    if (!believed && m->state == MEMBER_ADOPTING && m->adopted_by < ADOPTED_BY_MAX) {
        m->adopted_by++;
        believed = true;
    }
    if (believed) {
        struct spans spans = spans_of(&reply->record);

        nonces_read(&m->nonces, nonce, &reply->epoch);
        if (m->state == MEMBER_ADOPTING)
            cover_read(&m->cover, &spans, m->stop, m->sent_at);
        m->due = now;
        return;
    }
    if (!nonces_exclude(&m->nonces, &reply->epoch) && m->state != MEMBER_ADOPTING) {
        lose_term(m, now, update);
        return;
    }
    m->release = false;
    watch_copied(&m->watch, m->term);
    begin_ending(m, REASON_COPY, now, update);
}

/* To the question which nonce the record bears, or to one that was asked before the term was. */
static void on_reading(struct member *m, const struct member_event *event, enum pause_verdict pause,
                       struct update *update)
{
    const struct reply *reply = event->reply;

    if (reply->outcome == OUTCOME_UNKNOWN) {
        m->due = usec_add(event->now, renewal_interval(m) / RETRY_PART);
        return;
    }
    if (m->state != MEMBER_CONFIRMING && !lead_on(m, pause, event->now, update))
        return;
    if (m->sent_at < m->since)
        return;
    if (shows_our_term(m, reply))
        judge_nonce(m, reply, event->now, update);
    else
        lose_term(m, event->now, update);
}

static void on_renewal_reply(struct member *m, const struct member_event *event,
                             enum pause_verdict pause, struct update *update)
{
    const struct reply *reply = event->reply;
    usec_t interval = renewal_interval(m);

    switch (reply->outcome) {
    case OUTCOME_GRANTED:
        on_renewed(m, reply, pause, event->now, update);
        if (m->state == MEMBER_LEADING)
            m->due = usec_max(event->now, usec_add(m->sent_at, jittered(interval, event->random)));
        return;
    case OUTCOME_DENIED:
        lose_term(m, event->now, update);
        return;
    case OUTCOME_OTHER_NONCE:
        judge_nonce(m, reply, event->now, update);
        return;
    case OUTCOME_UNKNOWN:
        nonces_tried(&m->nonces, &m->sent_nonce);
        m->due = usec_add(event->now, interval / RETRY_PART);
        return;
    }
}

static void finish_release(struct member *m, enum member_note note, usec_t now,
                           struct update *update)
{
    usec_t wait = m->failed_starts > 0 ? start_backoff(m) : YIELD_USEC;

    if (m->reason == REASON_PAUSED) /* anybody else first, also who hears of it by polling alone */
        wait = usec_max(wait, 2 * poll_interval(m->budget.duration));
    if (left_to_run_out(m, m->term)) /* likewise, and nobody can before the lease has run out */
        wait = usec_max(wait, usec_add(usec_max(m->cover.lease, m->budget.lease),
                                       2 * poll_interval(m->budget.duration)));

    update->note = note;
    become_standby(m, now, usec_add(now, wait));
}

/* The term is over here, and it is a copy of this host that has it: nothing is given back. */
static void find_copy(struct member *m, usec_t now, struct update *update)
{
    m->release = false;
    watch_copied(&m->watch, m->term);
    if (m->state == MEMBER_RELEASING)
        finish_release(m, NOTE_COPY, now, update);
    else
        update->note = NOTE_COPY;
}

/* Proven dead here, and the record is still this node's and of this term, with another nonce than
 * was named, or than is known. */
static void judge_unreleased(struct member *m, const struct reply *reply, usec_t now,
                             struct update *update)
{
    const struct record *r = &reply->record;

    if (nonces_exclude(&m->nonces, &reply->epoch)) {
        find_copy(m, now, update);
        return;
    }
    if (m->nonces.complete && nonces_explain(&m->nonces, &r->nonce, &reply->epoch)) {
        nonces_read(&m->nonces, &r->nonce, &reply->epoch);
        m->due = now;
        return;
    }
    nonces_forget(&m->nonces);
    if (watch_own_record(m, reply, now) == WATCH_COPY)
        finish_release(m, NOTE_COPY, now, update);
    else if (watch_is_copy(&m->watch, m->term))
        finish_release(m, NOTE_LOST, now, update);
    else
        m->due = usec_max(
            now, usec_min(watch_still_at(&m->watch, m->term), usec_add(now, member_limit(m))));
}

static void on_release_reply(struct member *m, const struct member_event *event,
                             struct update *update)
{
    const struct reply *reply = event->reply;
    bool released = m->operation == OPERATION_RELEASE && reply->outcome == OUTCOME_GRANTED;

    if (reply->outcome == OUTCOME_UNKNOWN)
        m->due = usec_add(event->now, member_limit(m) / RETRY_PART);
    else if (!released && shows_our_term(m, reply))
        judge_unreleased(m, reply, event->now, update);
    else {
        /* Clean already: an earlier try of this release, of unknown outcome. */
        bool ours =
            reply->has_record && record_ours(m, &reply->record) && reply->record.term == m->term;

        finish_release(m, released || ours ? NOTE_RELEASED : NOTE_LOST, event->now, update);
    }
}

/* A renewal was under way when the term ended: only what it says of the nonce still matters, for
 * the release. */
static void remember_nonce(struct member *m, const struct reply *reply, usec_t now,
                           struct update *update)
{
    if (m->operation != OPERATION_RENEW)
        return;
    if (reply->outcome == OUTCOME_GRANTED && shows_our_term(m, reply))
        nonces_granted(&m->nonces, &reply->record.nonce, &reply->epoch);
    else if (reply->outcome == OUTCOME_UNKNOWN)
        nonces_tried(&m->nonces, &m->sent_nonce);
    else if (reply->outcome == OUTCOME_OTHER_NONCE && nonces_exclude(&m->nonces, &reply->epoch))
        find_copy(m, now, update);
}

static void on_reply(struct member *m, const struct member_event *event, struct update *update)
{
    const struct reply *reply = event->reply;

    m->in_flight = false;

    /* By then another node leads: it waits for the record's lease, the keeper's or a longer one. */
    usec_t lease = usec_max(m->cover.lease, reply->has_record ? reply->record.lease : 0);
    enum pause_verdict pause = pause_judge(&m->pause, reply, m->sent_at, event->now, lease);

    if (reply->has_record && reply->record.term > m->highest_term)
        m->highest_term = reply->record.term;

    switch (m->state) {
    case MEMBER_STANDBY:
        on_standby_reply(m, event, update);
        return;
    case MEMBER_CONFIRMING:
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        if (m->operation == OPERATION_RENEW)
            on_renewal_reply(m, event, pause, update);
        else if (m->operation == OPERATION_OBSERVE)
            on_reading(m, event, pause, update);
        return;
    case MEMBER_RELEASING:
        if (m->operation == OPERATION_RELEASE || m->operation == OPERATION_OBSERVE)
            on_release_reply(m, event, update);
        else
            remember_nonce(m, reply, event->now, update);
        return;
    case MEMBER_STARTING:
    case MEMBER_ENDING:
        remember_nonce(m, reply, event->now, update);
        return;
    }
}

/* ---- this host ---- */

/* No keeper has a deadline that is further ahead than D: what says so is a file that was damaged,
 * and an extension to that time would be refused. */
static usec_t adopted_deadline(const struct host_state *l, usec_t now)
{
    return usec_min(l->keeper_deadline, usec_add(now, l->keeper_duration));
}

static void adopt(struct member *m, usec_t now)
{
    const struct host_state *l = &m->host;

    const struct spans spans = {.lease = l->keeper_lease, .duration = l->keeper_duration};

    m->term = l->keeper_term;
    m->stop = l->keeper_stop;
    m->deadline = adopted_deadline(l, now);
    m->renewed_at = usec_sub(m->deadline, l->keeper_duration);
    cover_adopt(&m->cover, &spans, m->deadline, l->keeper_fixed);
    watch_forget(&m->watch);
    m->release = true;
    if (m->term > m->highest_term)
        m->highest_term = m->term;
    enter(m, MEMBER_ADOPTING, now);
}

/* Something runs here although this member holds no term. */
static void on_host_as_standby(struct member *m, usec_t now, struct update *update)
{
    const struct host_state *l = &m->host;

    if (m->in_flight && m->operation == OPERATION_CLAIM)
        return; /* judged when the reply is there */
    if (l->keeper == KEEPER_ACTIVE && l->keeper_term > 0) {
        if (l->keeper_ours && l->keeper_term > m->over_term && now < adopted_deadline(l, now)) {
            adopt(m, now);
            if (m->stopping)
                begin_ending(m, REASON_STOPPED, now, update);
        } else {
            m->term = l->keeper_term;
            m->cover.fixed = l->keeper_fixed;
            m->release = l->keeper_ours;
            begin_ending(m, REASON_FOREIGN_KEEPER, now, update);
        }
        return;
    }
    /* Started by hand when all was dead: it waits for the agent's end, and the agent for it. */
    if (m->stopping && l->keeper_queued)
        update->actions |= ACTION_STOP_KEEPER | ACTION_POLL;
    if (l->keeper != KEEPER_GONE || (l->units_dead && l->slice_empty)) {
        m->stray_since = 0;
        m->stray_noted = false;
        return;
    }
    if (m->stray_since == 0)
        m->stray_since = now;
    else if (usec_sub(now, m->stray_since) >= STRAY_AFTER_USEC) {
        m->stray_since = now;
        update->actions |= ACTION_STOP_KEEPER;
        if (!m->stray_noted)
            update->note = NOTE_STRAY;
        m->stray_noted = true;
    }
}

/* Ready at last for a record that is free: do not wait for the next poll. */
static void hurry_if_claimable(struct member *m, usec_t now)
{
    usec_t claim = usec_max(claimable_at(m), m->not_before);

    if (m->state == MEMBER_STANDBY && !m->stopping && claim != USEC_INFINITY &&
        member_ready(m, now))
        m->due = usec_min(m->due, usec_max(claim, now));
}

static void on_host_while_starting(struct member *m, usec_t now, struct update *update)
{
    const struct host_state *l = &m->host;

    if (l->asked_at <= m->since)
        return; /* asked before the ticket was out */
    if (l->keeper == KEEPER_ACTIVE && l->keeper_term == m->term) {
        m->failed_starts = 0;
        enter(m, MEMBER_LEADING, now);
        m->due = usec_max(now, usec_add(m->sent_at, renewal_interval(m)));
        update->note = NOTE_LEADING;
    } else if (l->keeper == KEEPER_GONE && m->started_at > 0 && l->asked_at > m->started_at)
        begin_ending(m, REASON_START_FAILED, now, update);
}

static void on_host_while_ending(struct member *m, usec_t now, struct update *update)
{
    const struct host_state *l = &m->host;

    /* Proof is an answer to a question that was asked after the ticket was gone. */
    if (l->asked_at <= m->since)
        return;
    /* A start of one of its units, by hand or by Restart=, pulls the keeper up too, and waits for
     * as long as the agent is being stopped: each would wait for the other. Without a ticket
     * nothing would come of it, so PID 1 shall drop it. And it takes the place of the stop that PID
     * 1 had in mind for that unit: it would stay until it is killed, and a mount has nothing to
     * kill. */
    if (l->keeper_queued || (l->units_stay && usec_sub(now, m->since) >= STOP_SEEN_USEC))
        update->actions |= ACTION_STOP_KEEPER | ACTION_POLL;
    if (!host_all_dead(l))
        return;
    /* A renewal under way may still move the record: its answer comes first. */
    if (l->left && m->in_flight && m->operation == OPERATION_RENEW)
        return;
    if (l->left)
        m->left_term = m->term;
    if (l->left || !m->release) {
        finish_release(m, m->release ? NOTE_LEFT : NOTE_LOST, now, update);
        return;
    }
    enter(m, MEMBER_RELEASING, now);
    update->note = NOTE_DEAD;
}

/* ---- guards that are lost ---- */

/* When the next heal is due; USEC_INFINITY: none. Not while a term begins, nor beside an apply,
 * which mends by itself. One that ends is disturbed by a reload, but where a unit is unguarded PID
 * 1 may not be able to end it otherwise: once S and K are over. */
static usec_t next_heal(const struct member *m)
{
    enum guards_state state = m->host.guards.state;
    bool bare = state == GUARDS_BARE;

    if (state == GUARDS_UNKNOWN || state == GUARDS_WHOLE)
        return USEC_INFINITY;
    switch (m->state) {
    case MEMBER_STANDBY:
        return m->stopping ? USEC_INFINITY : heal_due(&m->heal, false);
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        return heal_due(&m->heal, bare);
    case MEMBER_ENDING:
        return bare ? usec_max(heal_due(&m->heal, false),
                               usec_add(m->since, usec_add(m->stop, BUDGET_KILL_MAX_USEC)))
                    : USEC_INFINITY;
    case MEMBER_CONFIRMING:
    case MEMBER_STARTING:
    case MEMBER_RELEASING:
        return USEC_INFINITY;
    }
    return USEC_INFINITY;
}

static void heal_if_due(struct member *m, usec_t now, struct update *update)
{
    if (now < next_heal(m))
        return;
    m->heal.asked = true;
    update->actions |= ACTION_HEAL;
}

/* A leader's term ends while what it runs can still be stopped. What runs outside the slice no
 * reload moves there, and the keeper's kill misses it: PID 1 is asked to stop it by name. */
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

static void on_healed(struct member *m, const struct member_event *event, struct update *update)
{
    heal_over(&m->heal, event->asked_at, event->answered, event->now);
    update->actions |= ACTION_POLL;
}

static void on_host_while_leading(struct member *m, usec_t now, struct update *update)
{
    const struct host_state *l = &m->host;

    if (m->state == MEMBER_LEADING && l->keeper_term == m->term)
        cover_seen(&m->cover, l->keeper_lease, l->keeper_deadline);
    /* A keeper without state, or of another term, has begun to end by itself. */
    if (l->asked_at > m->since && l->keeper != KEEPER_UNKNOWN &&
        (l->keeper == KEEPER_GONE || l->keeper_term != m->term))
        begin_ending(m, now >= m->deadline ? REASON_DEADLINE : REASON_KEEPER_LOST, now, update);
    else
        end_if_unguarded(m, now, update);
}

static void on_host_of_state(struct member *m, usec_t now, struct update *update)
{
    switch (m->state) {
    case MEMBER_STANDBY:
        on_host_as_standby(m, now, update);
        hurry_if_claimable(m, now);
        return;
    case MEMBER_STARTING:
        on_host_while_starting(m, now, update);
        return;
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        on_host_while_leading(m, now, update);
        return;
    case MEMBER_ENDING:
        on_host_while_ending(m, now, update);
        return;
    case MEMBER_CONFIRMING:
    case MEMBER_RELEASING:
        return;
    }
}

static void on_host(struct member *m, const struct member_event *event, struct update *update)
{
    enum member_state before = m->state;

    m->host = *event->host;
    heal_look(&m->heal, &m->host.guards, event->now);
    on_host_of_state(m, event->now, update);
    if (m->state == before)
        heal_if_due(m, event->now, update);
}

/* ---- time, orders ---- */

static void on_clock_of_state(struct member *m, usec_t now, struct update *update)
{
    switch (m->state) {
    case MEMBER_STARTING:
        if (now >= m->deadline)
            begin_ending(m, REASON_START_FAILED, now, update);
        else if (now >= m->look_at) {
            m->look_at = USEC_INFINITY;
            update->actions |= ACTION_POLL;
        }
        return;
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        if (now >= m->deadline)
            begin_ending(m, REASON_DEADLINE, now, update);
        return;
    case MEMBER_ENDING:
        if (usec_sub(now, m->told_at) < TELL_AGAIN_USEC)
            return;
        m->told_at = now;
        update->actions |= ACTION_END | ACTION_POLL;
        if (usec_sub(now, m->since) >= STOP_FALLBACK_USEC && m->host.keeper != KEEPER_BUSY)
            update->actions |= ACTION_STOP_KEEPER;
        return;
    case MEMBER_STANDBY:
    case MEMBER_CONFIRMING:
    case MEMBER_RELEASING:
        return;
    }
}

static void on_clock(struct member *m, usec_t now, struct update *update)
{
    enum member_state before = m->state;

    on_clock_of_state(m, now, update);
    if (m->state == before)
        heal_if_due(m, now, update);
}

/* What was observed or watched counts on: the answers say which life of the server they come from,
 * and so does a claim; a nonce that is the same has not changed in between. What was told in
 * between is not known, and what was told before may be long past. */
static void on_connected(struct member *m, usec_t now)
{
    m->has_notice = false;
    m->namesake_changes = 0;
    if (m->state != MEMBER_STARTING && m->state != MEMBER_ENDING)
        m->due = now;
}

static void on_hint(struct member *m, const struct member_event *event)
{
    m->hinted = m->in_flight; /* what is being answered may have been read before */
    if (m->state != MEMBER_STANDBY || m->stopping)
        return;
    m->due = event->now;
    if (event->told) {
        m->has_notice = true;
        m->told = *event->told;
    }
}

static void on_stop(struct member *m, usec_t now, struct update *update)
{
    m->stopping = true;
    m->has_notice = false; /* whoever claims again looks first */
    switch (m->state) {
    case MEMBER_STARTING:
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
    case MEMBER_CONFIRMING:
        begin_ending(m, REASON_STOPPED, now, update);
        return;
    case MEMBER_STANDBY:
        m->reason = REASON_STOPPED;
        update->actions |= ACTION_POLL; /* it is not over before PID 1 says so */
        return;
    case MEMBER_ENDING:
    case MEMBER_RELEASING:
        return;
    }
}

static void on_resume(struct member *m, const struct member_event *event)
{
    m->budget = *event->budget;
    if (!m->stopping)
        return;
    m->stopping = false;
    if (m->state == MEMBER_STANDBY) {
        m->reason = REASON_NONE;
        m->due = event->now;
    }
}

static void on_started(struct member *m, const struct member_event *event, struct update *update)
{
    if (m->state != MEMBER_STARTING)
        return;
    if (event->error == -EAGAIN) { /* not even asked */
        begin_ending(m, REASON_HOST_NOT_READY, event->now, update);
        return;
    }
    /* No answer is no refusal: PID 1 may be busy and have the job yet. What it says of the keeper
     * some time later decides, or on a new connection when the bus broke. */
    if (event->error != 0 && event->error != -ETIMEDOUT && event->error != -ECONNRESET) {
        begin_ending(m, REASON_START_FAILED, event->now, update);
        return;
    }
    m->started_at = usec_add(event->now, event->error == -ETIMEDOUT ? START_LATE_USEC : 0);
    m->look_at = event->error == -ETIMEDOUT ? usec_add(m->started_at, 1) : USEC_INFINITY;
    update->actions |= ACTION_POLL;
}

void member_init(struct member *m, const char *owner)
{
    assert(m);
    assert(owner);
    assert(strlen(owner) <= OWNER_MAX);

    *m = (struct member){.state = MEMBER_STANDBY, .stopping = true, .due = USEC_INFINITY};
    watch_forget(&m->watch);
    memcpy(m->owner, owner, strlen(owner) + 1);
}

static bool budget_fits(const struct budget *b)
{
    return b->lease <= BUDGET_LEASE_MAX_USEC && b->duration >= BUDGET_RENEW_MIN_USEC &&
           b->duration < b->lease;
}

bool member_event_fits(const struct member *m, const struct member_event *event)
{
    assert(m);
    assert(event);

    usec_t now = event->now;

    if (now > MEMBER_TIME_MAX || now < m->since || now < m->seen_at || now < m->sent_at)
        return false;
    switch (event->type) {
    case EVENT_SEND:
        return !m->in_flight;
    case EVENT_REPLY:
        return m->in_flight && event->reply;
    case EVENT_HOST:
        return event->host && event->host->asked_at > 0 && event->host->asked_at <= now &&
               event->host->guards.asked_at <= now && event->host->keeper_term <= INT64_MAX;
    case EVENT_HEALED:
        return event->asked_at <= now;
    case EVENT_RESUME:
        return event->budget && budget_fits(event->budget);
    case EVENT_CLOCK:
    case EVENT_CONNECTED:
    case EVENT_HINT:
    case EVENT_STARTED:
    case EVENT_STOP:
        return true;
    }
    return true;
}

void member_step(struct member *m, const struct member_event *event, struct update *update)
{
    assert(m);
    assert(event);
    assert(update);
    assert(member_event_fits(m, event));

    *update = (struct update){.note = NOTE_NONE};
    switch (event->type) {
    case EVENT_CLOCK:
        on_clock(m, event->now, update);
        return;
    case EVENT_SEND:
        on_send(m, event, update);
        return;
    case EVENT_REPLY:
        on_reply(m, event, update);
        return;
    case EVENT_CONNECTED:
        on_connected(m, event->now);
        return;
    case EVENT_HINT:
        on_hint(m, event);
        return;
    case EVENT_HOST:
        on_host(m, event, update);
        return;
    case EVENT_STARTED:
        on_started(m, event, update);
        return;
    case EVENT_HEALED:
        on_healed(m, event, update);
        return;
    case EVENT_STOP:
        on_stop(m, event->now, update);
        return;
    case EVENT_RESUME:
        on_resume(m, event);
        return;
    }
}

usec_t member_due(const struct member *m)
{
    if (m->in_flight || (m->state == MEMBER_STANDBY && m->stopping) ||
        m->state == MEMBER_STARTING || m->state == MEMBER_ENDING)
        return USEC_INFINITY;
    return m->due;
}

static usec_t wake_of_state(const struct member *m)
{
    switch (m->state) {
    case MEMBER_STARTING:
        return usec_min(m->deadline, m->look_at);
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        return m->deadline;
    case MEMBER_ENDING:
        return usec_add(m->told_at, TELL_AGAIN_USEC);
    case MEMBER_STANDBY:
    case MEMBER_CONFIRMING:
    case MEMBER_RELEASING:
        return USEC_INFINITY;
    }
    return USEC_INFINITY;
}

usec_t member_wake(const struct member *m)
{
    return usec_min(wake_of_state(m), next_heal(m));
}

usec_t member_limit(const struct member *m)
{
    return m->cover.duration > 0 ? renewal_interval(m) : poll_interval(m->budget.duration);
}

bool member_settled(const struct member *m)
{
    return m->stopping && m->state == MEMBER_STANDBY && !m->in_flight && m->host.asked_at > 0 &&
           host_all_dead(&m->host);
}

void member_observation(const struct member *m, usec_t now, usec_t *ret_done, usec_t *ret_whole)
{
    assert(m);
    assert(ret_done);
    assert(ret_whole);

    const struct record *r = &m->record;
    bool waits = m->state == MEMBER_STANDBY && m->seen_at > 0 && !r->claimable;

    *ret_whole = waits ? record_lease(m, r) : 0;
    *ret_done = waits && m->observed && !observation_gap(m, now) ? usec_sub(now, m->seen_since) : 0;
}

usec_t member_claims_at(const struct member *m, usec_t now)
{
    assert(m);

    usec_t at = claimable_at(m);

    if (m->state != MEMBER_STANDBY || m->stopping || at == USEC_INFINITY ||
        (!m->record.claimable && observation_gap(m, now)))
        return USEC_INFINITY;
    return usec_max(at, m->not_before);
}

bool member_copied(const struct member *m)
{
    return m->state == MEMBER_STANDBY && names_us(m, &m->record) &&
           watch_is_copy(&m->watch, m->record.term);
}

bool member_leads(const struct member *m)
{
    return m->state == MEMBER_LEADING || m->state == MEMBER_ADOPTING;
}

const char *member_state_name(enum member_state s)
{
    switch (s) {
    case MEMBER_STANDBY:
        return "standby";
    case MEMBER_CONFIRMING:
        return "confirming";
    case MEMBER_STARTING:
        return "starting";
    case MEMBER_LEADING:
        return "leading";
    case MEMBER_ADOPTING:
        return "adopting";
    case MEMBER_ENDING:
        return "ending";
    case MEMBER_RELEASING:
        return "releasing";
    }
    return "?";
}

const char *member_reason_text(enum member_reason r)
{
    switch (r) {
    case REASON_NONE:
        return "";
    case REASON_STOPPED:
        return "this node was told to give the group up";
    case REASON_DENIED:
        return "the arbiter says that the term is no longer this node's";
    case REASON_DEADLINE:
        return "no renewal was acknowledged before the deadline";
    case REASON_KEEPER_LOST:
        return "the keeper ended by itself or was killed";
    case REASON_START_FAILED:
        return "the keeper could not be started";
    case REASON_LATE:
        return "the claim was granted too late to start the units before its deadline";
    case REASON_HOST_NOT_READY:
        return "this host was no longer ready when the claim was granted";
    case REASON_ORPHAN:
        return "the record names this node, but no keeper lives here";
    case REASON_PAUSED:
        return "this host seems to have stood still while its own clock did so too, or the "
               "database's clock was set forward: that went ahead of this host's";
    case REASON_UNGUARDED:
        return "the guards of a unit are not in effect on this host, and systemd could not be "
               "brought to read them again";
    case REASON_OUTSIDE:
        return "a unit runs outside the group's slice, where its keeper cannot end it";
    case REASON_FOREIGN_KEEPER:
        return "a keeper was found whose term this node cannot renew";
    case REASON_COPY:
        return "somebody else renews the lease in this very node's name: there is a copy of this "
               "host";
    }
    return "?";
}
