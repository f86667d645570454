/* SPDX-License-Identifier: Apache-2.0 */
/* The election, one step from anywhere: any member that the invariant admits, any event that
 * member_event_fits() and reply_fits() let through, one real member_step(). What the step does is
 * judged by an account of its own, kept from the events that came to the member and from what it
 * wanted done, never from what it believes; and the invariant, which ties the two together, must
 * hold again. member_init() is where it begins. So what is said here holds after any number of
 * steps. */
#include <string.h>

#include "base/names.h"

#define STRING_SIZE (OWNER_MAX + 1)
/* A step has fewer than 256 of them. */
#define NONCE_SIZE 1
#include "prove.h"

#define pause_judge noted_pause_judge
#include "election/member.c"
#undef pause_judge
#include "election/cover.c"
#include "election/end.c"
#include "election/heal.c"
#include "election/healing.c"
#include "election/hold.c"
#include "election/intervals.c"
#include "election/moves.c"
#include "election/nonces.c"
#include "election/observation.c"
#include "election/own_record.c"
#include "election/pause.c"
#include "election/record.c"
#include "election/standby.c"
#include "election/watch.c"

/* ---- what stands around it ---- */

/* The arithmetic is proven in budget.acsl.h. Here it may say anything; what it was asked is noted.
 */
static struct {
    unsigned asked;
    usec_t lease, stop, duration;
    bool holds;
} judged;

bool budget_holds(usec_t lease, usec_t stop, usec_t duration)
{
    bool holds;

    judged.asked++;
    judged.lease = lease;
    judged.stop = stop;
    judged.duration = duration;
    judged.holds = holds;
    return holds;
}

/* Of the same lease and stop timeout it says the same, within the bounds of "budget-promise". */
static struct {
    bool asked;
    usec_t lease, stop;
    int said;
    struct budget budget;
} computed;

int budget_compute(usec_t lease, usec_t stop, struct budget *ret)
{
    struct budget b;
    int said;

    ASSUME(said == 0 || said == -ERANGE);
    ASSUME(b.lease == lease && b.stop == stop && b.duration >= BUDGET_RENEW_MIN_USEC &&
           b.duration < b.lease);
    ASSUME(said < 0 || lease <= BUDGET_LEASE_MAX_USEC);
    if (computed.asked && computed.lease == lease && computed.stop == stop) {
        said = computed.said;
        b = computed.budget;
    }
    computed.asked = true;
    computed.lease = lease;
    computed.stop = stop;
    computed.said = said;
    computed.budget = b;
    if (said == 0)
        *ret = b;
    return said;
}

/* Noted, too: "covering-promise" says what it is good for. */
static struct {
    unsigned asked;
    usec_t least, stop, duration, kill, kill_of, kill_said, said;
} covering;

usec_t budget_kill(usec_t lease)
{
    usec_t kill;

    ASSUME(kill <= BUDGET_KILL_MAX_USEC);
    covering.kill_of = lease;
    covering.kill_said = kill;
    return kill;
}

static struct {
    usec_t lease, stop, duration, said;
} roomy;

usec_t budget_room(usec_t lease, usec_t stop, usec_t duration)
{
    usec_t said;

    ASSUME(said <= BUDGET_KILL_MAX_USEC);
    PROVE("room-within-its-bounds", true,
          lease <= BUDGET_LEASE_MAX_USEC && stop <= BUDGET_STOP_MAX_USEC &&
              duration <= BUDGET_LEASE_MAX_USEC);
    roomy.lease = lease;
    roomy.stop = stop;
    roomy.duration = duration;
    roomy.said = said;
    return said;
}

usec_t budget_covering_lease(usec_t least, usec_t stop, usec_t duration, usec_t kill)
{
    usec_t said;

    ASSUME(said >= least && said <= 2 * (BUDGET_LEASE_MAX_USEC + BUDGET_STOP_MAX_USEC));
    PROVE("covering-within-its-bounds", true,
          least <= BUDGET_LEASE_MAX_USEC && stop <= BUDGET_STOP_MAX_USEC &&
              duration <= BUDGET_LEASE_MAX_USEC && kill <= BUDGET_KILL_MAX_USEC);
    covering.asked++;
    covering.least = least;
    covering.stop = stop;
    covering.duration = duration;
    covering.kill = kill;
    covering.said = said;
    return said;
}

/* The real one, which is proven in pause.c; its verdict is noted. */
static enum pause_verdict pause_said;

enum pause_verdict noted_pause_judge(struct pause_watch *w, const struct reply *reply, usec_t sent,
                                     usec_t now, usec_t lease)
{
    pause_said = pause_judge(w, reply, sent, now, lease);
    return pause_said;
}

/* ---- the account ---- */

static struct account {
    usec_t now; /* of the last step */
    bool stopped;
    struct budget budget;   /* of the last EVENT_RESUME */
    struct host_state look; /* the last one; asked_at 0: none */

    /* The question under way. */
    bool asked, asked_fit;
    struct request request;
    usec_t sent_at;

    /* The record as it was read last, by a clock that could be trusted; since when it was read
     * unchanged in one life of the server, without a gap of more than half its lease. */
    bool seen, ours; /* it names this very owner, and is not clean */
    struct record record;
    struct epoch epoch;
    usec_t same_since, seen_at;
    bool restarted;    /* the last answer was of another life than the one before */
    bool was_notified; /* of a release, in this connection: the last time */
    struct release_notice notice;

    uint64_t top;      /* the highest term that was ever read, ticketed, adopted or ended */
    uint64_t ticketed; /* the highest that had a ticket or was adopted */
    uint64_t ended;    /* the highest that was ended, or given up before it began */

    /* The term whose ticket is out, or whose keeper was adopted. */
    uint64_t term;
    usec_t until;           /* the last deadline that was given out for it */
    usec_t lease, duration; /* L and D that its keeper is sent with the next one */
    usec_t covered; /* of its keeper: no later deadline was sent, by an earlier life either … */
    usec_t kept;    /* … and no longer lease by this life, … */
    usec_t room;    /* … nor a larger K by an earlier one */
    usec_t shown, shown_since; /* a longer lease in the record, since when; 0: none */
    bool denied;               /* a renewal of it was denied while it was held */

    /* Guards: since when it is known that they are not whole, heals, and how many in a row left a
     * unit unguarded, by what PID 1 said when it was asked after their end. */
    bool harmed, healing, heal_counts;
    usec_t harmed_since, heal_over_at;
    unsigned vain;

    /* The end. */
    usec_t unlinked_at;
    bool proven;   /* PID 1 was asked since, and all was dead, and nothing else can be left */
    uint64_t left; /* the last term that ended without that */

    /* The last claim whose outcome is not known. */
    bool open;
    struct nonce open_nonce;
    struct epoch open_epoch;

    /* The nonces of the record of the term that is held. Complete: one was acknowledged, so all
     * that it may have are that one and those that were tried since. Else it is the one that was
     * read last, if nothing was tried since. Certain: it was acknowledged in this very history. */
    bool complete, certain, must_read;
    unsigned tried;
    struct epoch nonce_epoch; /* in which one was acknowledged or read last */
    bool copied;              /* all was known, and it had another one */
    /* One nonce, any. May: the record may have it, by this. Known: it was acknowledged, read or
     * tried for this term, and so many others since. */
    struct nonce any;
    bool any_may, any_known;
    unsigned any_age;

    /* A record in this node's name that it does not hold, as it is watched: read unchanged since
     * when, by a clock that could be trusted; and how often it has changed. */
    bool still;
    uint64_t still_term;
    struct nonce still_nonce;
    struct epoch still_epoch;
    usec_t still_since, still_interval;
    unsigned moved;
} a;

static bool all_dead(const struct host_state *l)
{
    return l->keeper == KEEPER_GONE && l->units_dead && l->slice_empty && !l->open;
}

static bool ours(const struct member *m, const struct record *r)
{
    return strcmp(r->owner, m->owner) == 0;
}

/* L of a record; what cannot be one counts as the own L. */
static usec_t lease_of(const struct record *r, usec_t own)
{
    return r->lease > BUDGET_RENEW_MIN_USEC ? r->lease : own;
}

static bool holds_term(enum member_state s)
{
    return s == MEMBER_STARTING || s == MEMBER_LEADING || s == MEMBER_ADOPTING;
}

static bool confirms_or_holds(enum member_state s)
{
    return s == MEMBER_CONFIRMING || holds_term(s);
}

static bool shows_term(const struct member *m, const struct reply *reply)
{
    return reply->has_record && ours(m, &reply->record) && !reply->record.clean &&
           reply->record.term == m->term.number;
}

static bool any_is(const struct nonce *nonce)
{
    return nonce_equal(nonce, &a.any);
}

static bool named(const struct request *q, const struct nonce *nonce)
{
    bool found = false;

    for (unsigned i = 0; i < REQUEST_NONCES_MAX; i++)
        found = found || (i < q->n_known && nonce_equal(&q->known[i], nonce));
    return found;
}

/* ---- the account of nonces ---- */

static void come_to_know(const struct nonce *nonce)
{
    if (any_is(nonce)) {
        a.any_known = true;
        a.any_age = 0;
    } else if (a.any_known && a.any_age < NONCES_REMEMBERED)
        a.any_age++;
}

static void account_for_acknowledgement(const struct reply *reply)
{
    come_to_know(&reply->record.nonce);
    a.any_may = any_is(&reply->record.nonce);
    a.complete = a.certain = true;
    a.must_read = false;
    a.tried = 0;
    a.nonce_epoch = reply->epoch;
}

static void account_for_reading(const struct reply *reply)
{
    a.certain = a.certain && epoch_equal(&a.nonce_epoch, &reply->epoch);
    come_to_know(&reply->record.nonce);
    a.any_may = any_is(&reply->record.nonce);
    a.must_read = false;
    a.tried = 0;
    a.nonce_epoch = reply->epoch;
}

static void account_for_try(void)
{
    come_to_know(&a.request.fresh_nonce);
    a.any_may = a.any_may || any_is(&a.request.fresh_nonce);
    a.tried += a.tried < REQUEST_NONCES_MAX;
    if (!a.complete || a.tried == REQUEST_NONCES_MAX) {
        a.complete = a.certain = a.any_may = false;
        a.must_read = true;
    }
}

static void account_for_no_nonce(void)
{
    a.complete = a.certain = a.any_may = a.any_known = a.copied = false;
    a.must_read = true;
    a.tried = 0;
}

/* All is known, and this is another one. */
static bool is_copy(const struct reply *reply)
{
    return reply->outcome == OUTCOME_OTHER_NONCE && a.complete && a.certain &&
           epoch_equal(&a.nonce_epoch, &reply->epoch);
}

/* A question about the term, of this state, was answered. */
static bool reads_term(const struct member *m, const struct member_event *e)
{
    return e->type == EVENT_REPLY && confirms_or_holds(m->state) && shows_term(m, e->reply) &&
           ((a.request.operation == OPERATION_RENEW && e->reply->outcome == OUTCOME_OTHER_NONCE) ||
            (a.request.operation == OPERATION_OBSERVE && a.sent_at >= m->since));
}

/* What was read counts as the term's own if the term goes on: only-own-nonces-count and
 * adopted-by-three-at-most say when it may. */
static void account_for_nonce(const struct member *before, const struct member *m,
                              const struct member_event *e)
{
    const struct reply *reply = e->reply;

    if (is_copy(reply))
        a.copied = true;
    else if (a.request.operation == OPERATION_RENEW && reply->outcome == OUTCOME_GRANTED)
        account_for_acknowledgement(reply);
    else if (a.request.operation == OPERATION_RENEW && reply->outcome == OUTCOME_UNKNOWN)
        account_for_try();
    else if (reads_term(before, e) && m->state == before->state)
        account_for_reading(reply);
}

/* Whether a failover has brought back something of its own, only the member can remember: what it
 * believes there is judged by only-own-nonces-are-given-back. */
static void account_for_release(const struct member *before, const struct member *m,
                                const struct member_event *e)
{
    if (before->state != MEMBER_RELEASING || m->state != MEMBER_RELEASING ||
        e->reply->outcome == OUTCOME_UNKNOWN || a.request.operation == OPERATION_RENEW)
        return;
    if (m->term.nonces.complete)
        account_for_reading(e->reply);
    else
        account_for_no_nonce();
}

/* A term begins: whatever was seen of such a record before does not matter. */
static void account_for_no_orphan(void)
{
    a.still = false;
    a.still_term = 0;
    a.still_nonce = (struct nonce){0};
    a.still_epoch = (struct epoch){0};
    a.moved = 0;
}

/* What is seen of a record in this node's name, while nothing of it is held. */
static void account_for_orphan(const struct member *before, const struct member_event *e)
{
    const struct record *r = &e->reply->record;
    bool watched = ours(before, r) && !r->clean && !a.complete &&
                   (before->state == MEMBER_STANDBY
                        ? !a.stopped
                        : before->state == MEMBER_RELEASING && r->term == before->term.number &&
                              a.request.operation != OPERATION_RENEW);
    bool same = a.still_term == r->term && nonce_equal(&a.still_nonce, &r->nonce) &&
                epoch_equal(&a.still_epoch, &e->reply->epoch);

    if (!watched) {
        a.still = false;
        return;
    }
    if (a.still_term != r->term)
        a.moved = 0;
    else if (epoch_equal(&a.still_epoch, &e->reply->epoch) && !same && a.moved < WATCH_CHANGES_MAX)
        a.moved++;
    if (!a.still || !same)
        a.still_since = e->now;
    a.still = a.asked_fit;
    a.still_term = r->term;
    a.still_nonce = r->nonce;
    a.still_epoch = e->reply->epoch;
    a.still_interval =
        usec_min(usec_max(r->duration, BUDGET_RENEW_MIN_USEC) / BUDGET_TRIES, BUDGET_POLL_MAX_USEC);
}

/* ---- the account of leases ---- */

static void account_for_no_longer_lease(void)
{
    a.shown = 0;
    a.shown_since = 0;
}

static void account_for_first_lease(usec_t lease, usec_t duration)
{
    a.room = 0;
    a.lease = a.kept = lease;
    a.duration = duration;
    a.covered = a.until;
    account_for_no_longer_lease();
}

/* A renewal was granted with these: is the keeper sent them from now on? sent: it is. */
static void account_for_lease(usec_t lease, usec_t duration, usec_t now, bool sent)
{
    if (lease > a.lease && a.shown != lease) {
        a.shown = lease;
        a.shown_since = now;
    }
    if (lease <= a.lease || sent) {
        a.lease = lease;
        a.duration = duration;
        account_for_no_longer_lease();
    }
}

/* The configured lease; what the keeper has, where that is too short for this S, or the keeper
 * takes no other. */
static struct spans wanted(bool fixed)
{
    if (!fixed && computed.said == 0)
        return (struct spans){.lease = computed.budget.lease, .duration = computed.budget.duration};
    return (struct spans){
        .lease = usec_min(a.lease, BUDGET_LEASE_MAX_USEC),
        .duration = usec_max(usec_min(a.duration, BUDGET_LEASE_MAX_USEC), BUDGET_RENEW_MIN_USEC)};
}

/* Where a K that the keeper still has made the record's lease longer, not more than is configured.
 */
static usec_t lease_to_tell(const struct record *r, bool fixed)
{
    const struct spans w = wanted(fixed);

    return r->lease > w.lease && r->duration == w.duration ? w.lease : r->lease;
}

static void account_for_granted(const struct record *r, const struct member *m, usec_t now)
{
    usec_t lease = lease_to_tell(r, m->term.cover.fixed);

    account_for_lease(lease, r->duration, now, m->term.cover.lease == lease);
}

/* What an earlier life may have sent: its last renewal covers it, and was there before it was read
 * by a question of this life's. */
static void account_for_earlier_life(const struct record *r)
{
    a.covered =
        usec_max(a.covered, usec_add(a.sent_at, usec_min(r->duration, BUDGET_LEASE_MAX_USEC)));
    a.room = usec_max(a.room, roomy.said);
}

static void account_for_leases(const struct member *before, const struct member *m,
                               const struct member_event *e, const struct update *u)
{
    bool granted = e->type == EVENT_REPLY && a.request.operation == OPERATION_RENEW &&
                   e->reply->outcome == OUTCOME_GRANTED;

    if (granted && member_leads(before) && m->state == MEMBER_LEADING)
        account_for_granted(&e->reply->record, m, e->now);
    if (u->actions & ACTION_EXTEND) {
        a.covered = usec_max(a.covered, a.until);
        a.kept = usec_max(a.kept, a.lease);
    }
    if (before->state == MEMBER_ADOPTING && m->state == MEMBER_ADOPTING && reads_term(before, e))
        account_for_earlier_life(&e->reply->record);
    /* Nothing that was sent is later than what it shows, so it has no other any more. */
    if (e->type == EVENT_HOST && before->state == MEMBER_LEADING && m->state == MEMBER_LEADING &&
        e->host->keeper_term == a.term && e->host->keeper_deadline == a.covered &&
        e->host->keeper_lease == a.lease) {
        a.kept = a.lease;
        a.room = 0;
    }
}

/* ---- events, and what was done ---- */

/* An event, before the member has it. */
static void account_for_reply(const struct member *m, const struct member_event *e)
{
    const struct reply *reply = e->reply;
    const struct record *r = &reply->record;
    bool same = a.seen && a.record.term == r->term && nonce_equal(&a.record.nonce, &r->nonce) &&
                epoch_equal(&a.epoch, &reply->epoch);
    usec_t lease = lease_of(&a.record, a.budget.lease);

    if (a.request.operation == OPERATION_CLAIM && reply->outcome == OUTCOME_UNKNOWN) {
        a.open = true;
        a.open_nonce = a.request.fresh_nonce;
        a.open_epoch = a.request.epoch;
    }
    if (a.request.operation == OPERATION_RENEW && reply->outcome == OUTCOME_DENIED &&
        holds_term(m->state))
        a.denied = true;
    a.restarted = a.seen && a.epoch.started != reply->epoch.started;
    if (!reply->has_record)
        return;
    if (r->term > a.top)
        a.top = r->term;
    if (!same || e->now - a.seen_at > lease / 2)
        a.same_since = e->now;
    a.seen = a.asked_fit;
    a.ours = ours(m, r) && !r->clean;
    a.record = *r;
    a.epoch = reply->epoch;
    a.seen_at = e->now;
}

/* Does PID 1 say now how the guards are, or has a moment ago? */
static bool guards_known(const struct host_state *l, usec_t now)
{
    return l->guards.state != GUARDS_UNKNOWN && l->guards.asked_at > 0 &&
           now - l->guards.asked_at <= HEAL_ANSWER_AGE_USEC;
}

static void account_for_guards(const struct guards_seen *g, usec_t now)
{
    bool counts = a.heal_counts && g->asked_at > a.heal_over_at;

    if (counts)
        a.heal_counts = false;
    if (g->state != GUARDS_BARE)
        a.vain = 0;
    else if (counts && a.vain < HEALS_MAX)
        a.vain++;
    if (g->state == GUARDS_WHOLE)
        a.harmed = false;
    else if (!a.harmed) {
        a.harmed = true;
        a.harmed_since = now;
    }
}

static void account_for_heal(const struct member_event *e)
{
    a.healing = false;
    a.heal_over_at = e->now;
    a.heal_counts = e->answered && a.harmed && a.harmed_since <= e->asked_at;
}

static void account_for_event(const struct member *m, const struct member_event *e)
{
    if (e->type == EVENT_HEALED)
        account_for_heal(e);
    if (e->type == EVENT_HOST && guards_known(e->host, e->now))
        account_for_guards(&e->host->guards, e->now);
    if (e->type == EVENT_REPLY)
        account_for_reply(m, e);
    if (e->type == EVENT_CONNECTED)
        a.was_notified = false;
    if (e->type == EVENT_SEND && !e->fit)
        a.still = false;
    if (e->type == EVENT_HINT && e->notice) {
        a.was_notified = true;
        a.notice = *e->notice;
    }
    if (e->type == EVENT_STOP)
        a.stopped = true;
    if (e->type == EVENT_RESUME) {
        a.stopped = false;
        a.budget = *e->budget;
    }
    if (e->type == EVENT_HOST) {
        a.look = *e->host;
        if (all_dead(e->host) && !e->host->left && e->host->asked_at > a.unlinked_at)
            a.proven = true;
    }
}

/* A term begins, or is over. */
static void account_for_term(const struct member *before, const struct member *m,
                             const struct member_event *e)
{
    bool granted = e->type == EVENT_REPLY && a.request.operation == OPERATION_CLAIM &&
                   e->reply->outcome == OUTCOME_GRANTED;
    bool begins = before->state == MEMBER_STANDBY && m->state != MEMBER_STANDBY;

    if (begins)
        account_for_no_nonce();
    if (begins && (granted || m->state == MEMBER_CONFIRMING))
        account_for_acknowledgement(e->reply);
    /* A live keeper was found, and is given up at once. */
    bool found = begins && e->type == EVENT_HOST && m->reason == REASON_STOPPED;
    if (begins && (granted || found || confirms_or_holds(m->state)))
        account_for_no_orphan();
    if (m->state == MEMBER_STANDBY && before->state != MEMBER_STANDBY) {
        account_for_no_nonce();
        a.still = false;
    }
}

/* What it did, after that was judged. */
static void account_for_update(const struct member *before, const struct member *m,
                               const struct member_event *e, const struct update *u)
{
    bool adopted = m->state == MEMBER_ADOPTING && before->state != MEMBER_ADOPTING;

    a.now = e->now;
    if (u->actions & ACTION_HEAL)
        a.healing = true;
    if (e->type == EVENT_REPLY)
        a.asked = false;
    if (u->actions & ACTION_REQUEST) {
        a.asked = true;
        a.asked_fit = e->fit;
        a.seen = a.seen && e->fit;
        a.request = u->request;
        a.sent_at = e->now;
    }
    if (u->actions & ACTION_TICKET) {
        a.term = a.ticketed = e->reply->record.term;
        a.until = a.sent_at + e->reply->record.duration;
        account_for_first_lease(e->reply->record.lease, e->reply->record.duration);
        a.open = a.proven = false;
    }
    if (adopted) {
        a.term = a.ticketed = e->host->keeper_term;
        a.until = usec_min(e->host->keeper_deadline, usec_add(e->now, e->host->keeper_duration));
        account_for_first_lease(e->host->keeper_lease, e->host->keeper_duration);
        a.proven = false;
    }
    if (a.term > a.top)
        a.top = a.term;
    if (u->actions & ACTION_EXTEND)
        a.until = m->term.deadline;
    account_for_leases(before, m, e, u);
    if (u->actions & ACTION_UNLINK) {
        if (m->term.number > a.ended)
            a.ended = m->term.number;
        if (m->term.number > a.top)
            a.top = m->term.number;
        a.unlinked_at = e->now;
        a.proven = false;
    }
    if (before->state == MEMBER_ENDING && m->state == MEMBER_STANDBY && e->host->left)
        a.left = before->term.number;
    /* Given up without an end: a claim that was denied before anything began. */
    if (m->term.number != before->term.number && before->term.number > a.ended)
        a.ended = before->term.number;
    if (a.ended > a.top)
        a.top = a.ended;
    if (m->term.number != before->term.number ||
        (before->state == MEMBER_STANDBY && m->state != MEMBER_STANDBY))
        a.denied = false;
    if (e->type == EVENT_REPLY)
        account_for_release(before, m, e);
    if (e->type == EVENT_REPLY && e->reply->has_record)
        account_for_orphan(before, e);
    account_for_term(before, m, e);
}

/* ---- the invariant ---- */

static bool in_list(const struct nonces *n, const struct nonce *nonce, unsigned first)
{
    bool found = false;

    for (unsigned i = 0; i < NONCES_REMEMBERED; i++)
        found = found || (i < first && i < n->n && nonce_equal(&n->list[i], nonce));
    return found;
}

/* A renewal's nonce is fresh: daemon 4. */
static bool is_fresh(const struct member *m, const struct nonce *nonce)
{
    return !in_list(&m->term.nonces, nonce, NONCES_REMEMBERED) && !(a.any_known && any_is(nonce)) &&
           !(m->term.nonces.has_acknowledged && nonce_equal(&m->term.nonces.acknowledged, nonce));
}

static bool nonces_known(const struct member *m)
{
    const struct nonces *n = &m->term.nonces;
    bool held = m->state != MEMBER_STANDBY;
    bool renews = a.asked && a.request.operation == OPERATION_RENEW;

    if (n->n > NONCES_REMEMBERED || n->n_known > REQUEST_NONCES_MAX || n->n_known > n->n ||
        n->complete != a.complete || n->certain != a.certain || (n->certain && !n->complete) ||
        a.tried > REQUEST_NONCES_MAX || a.any_age > NONCES_REMEMBERED ||
        m->term.adopted_by > ADOPTED_BY_MAX || (m->state == MEMBER_ADOPTING && n->complete) ||
        ((n->complete || renews) && m->term.number == 0))
        return false;
    if (!held)
        return n->n == 0 && !n->complete && !n->has_acknowledged && !a.any_may && !a.any_known;
    if (n->complete && (!n->has_acknowledged || n->n_known != a.tried + 1))
        return false;
    if (n->n > 0 && !epoch_equal(&n->epoch, &a.nonce_epoch) && m->state != MEMBER_RELEASING &&
        !a.must_read)
        return false;
    if (n->complete && !epoch_equal(&n->epoch, &a.nonce_epoch))
        return false;
    if (m->state != MEMBER_RELEASING && (n->n_known == 0) != a.must_read)
        return false;
    if (renews && !is_fresh(m, &a.request.fresh_nonce))
        return false;
    return in_list(n, &a.any, n->n_known) == a.any_may &&
           (!in_list(n, &a.any, NONCES_REMEMBERED) || a.any_known) &&
           (!n->has_acknowledged || !any_is(&n->acknowledged) || a.any_known) &&
           (!a.any_known || a.any_age >= NONCES_REMEMBERED || in_list(n, &a.any, a.any_age + 1));
}

static bool watch_known(const struct member *m)
{
    const struct watch *w = &m->watch;
    bool watches =
        m->state == MEMBER_STANDBY || m->state == MEMBER_ENDING || m->state == MEMBER_RELEASING;
    bool seen = w->since != USEC_INFINITY;

    const struct watch no = {0};
    bool none = a.still_term == 0 && nonce_equal(&a.still_nonce, &no.nonce) &&
                epoch_equal(&a.still_epoch, &no.epoch) && a.moved == 0;
    bool renews = a.asked && a.request.operation == OPERATION_RENEW;

    if (w->changes > WATCH_CHANGES_MAX || w->interval > BUDGET_POLL_MAX_USEC ||
        a.moved > WATCH_CHANGES_MAX || a.still_since > a.now ||
        a.still_interval > BUDGET_POLL_MAX_USEC)
        return false;
    if (seen && (!watches || !a.still || w->term != a.still_term || w->since < a.still_since ||
                 w->since > a.now || w->interval != a.still_interval || a.complete))
        return false;
    /* Nothing that is under way says anything else of it. */
    if (seen && ((m->state != MEMBER_STANDBY && renews) || (m->state == MEMBER_ENDING && a.asked)))
        return false;
    /* Who holds a term watches none, but a copy's that it has found. */
    if ((confirms_or_holds(m->state) || a.complete || renews) &&
        (!none || (w->term != 0 && m->term.release)))
        return false;
    if (w->term != a.still_term)
        return none;
    return w->changes >= a.moved && nonce_equal(&w->nonce, &a.still_nonce) &&
           epoch_equal(&w->epoch, &a.still_epoch);
}

static bool times_fit(const struct member *m)
{
    const struct pause_watch *w = &m->pause;
    int64_t most = INT64_MAX / 2;

    return a.now <= MEMBER_TIME_MAX && m->since <= a.now && m->seen.at <= a.now &&
           m->sent_at <= a.now && m->end_sent_at <= a.now && m->stray_since <= a.now &&
           m->seen.since <= m->seen.at && a.sent_at <= a.now && a.seen_at <= a.now &&
           a.same_since <= a.seen_at && a.unlinked_at <= a.now && a.look.asked_at <= a.now &&
           w->at <= a.now && w->least >= -most && w->most <= most && w->least <= w->most;
}

static bool budget_known(const struct member *m)
{
    const struct budget *b = &m->budget;

    return b->lease == a.budget.lease && b->stop == a.budget.stop &&
           b->duration == a.budget.duration && m->stopping == a.stopped &&
           (budget_fits(b) || (b->lease == 0 && b->duration == 0 && m->stopping));
}

static bool look_known(const struct member *m)
{
    const struct host_state *l = &m->host;

    return l->asked_at == a.look.asked_at && l->keeper == a.look.keeper &&
           l->units_dead == a.look.units_dead && l->slice_empty == a.look.slice_empty &&
           l->open == a.look.open && l->left == a.look.left && l->guarded == a.look.guarded &&
           l->keeper_term == a.look.keeper_term && l->keeper_deadline == a.look.keeper_deadline &&
           (unsigned)l->keeper <= KEEPER_ACTIVE && l->guards.state == a.look.guards.state &&
           (unsigned)l->guards.state <= GUARDS_BARE;
}

static bool heals_known(const struct member *m)
{
    const struct heal *h = &m->heal;

    return h->asked == a.healing && h->over_at == a.heal_over_at && h->open == a.heal_counts &&
           h->failed == a.vain && a.vain <= HEALS_MAX && h->doublings <= HEAL_DOUBLINGS_MAX &&
           a.heal_over_at <= a.now && h->not_before <= a.now + HEAL_PAUSE_MAX_USEC &&
           (a.harmed ? h->since == a.harmed_since && h->since > 0 && h->since <= a.now &&
                           h->not_before >= h->since + HEAL_GRACE_USEC
                     : h->since == 0) &&
           (a.heal_over_at == 0 || h->not_before >= a.heal_over_at + HEAL_PAUSE_MIN_USEC);
}

static bool question_known(const struct member *m)
{
    enum member_state s = m->state;
    bool holds = s == MEMBER_CONFIRMING || s == MEMBER_LEADING || s == MEMBER_ADOPTING ||
                 s == MEMBER_ENDING || s == MEMBER_RELEASING;

    if (m->in_flight != a.asked)
        return false;
    if (!a.asked)
        return true;
    if (m->operation != a.request.operation || m->sent_at != a.sent_at ||
        m->sent_fit != a.asked_fit || !nonce_equal(&m->sent_nonce, &a.request.fresh_nonce))
        return false;
    switch (a.request.operation) {
    case OPERATION_OBSERVE:
        return s != MEMBER_STARTING;
    case OPERATION_CLAIM:
        return s == MEMBER_STANDBY && a.asked_fit && a.request.term_floor > a.top &&
               epoch_equal(&a.request.epoch, &m->seen.epoch);
    case OPERATION_RENEW:
        return holds && a.request.term == m->term.number && a.asked_fit && m->term.release &&
               a.request.n_known > 0;
    case OPERATION_RELEASE:
        return s == MEMBER_RELEASING && a.request.term == m->term.number && a.request.n_known > 0;
    case OPERATION_CONFIRM_DEAD: /* no member asks for it */
        return false;
    }
    return false;
}

static bool observation_known(const struct member *m)
{
    const struct record *r = &m->seen.record, *v = &a.record;

    if (m->has_notice && m->state == MEMBER_STANDBY &&
        (m->stopping || !a.was_notified || m->notice.term != a.notice.term ||
         !nonce_equal(&m->notice.nonce, &a.notice.nonce)))
        return false;
    if (m->claim_open && (!a.open || !nonce_equal(&m->claim_nonce, &a.open_nonce) ||
                          !epoch_equal(&m->claim_epoch, &a.open_epoch)))
        return false;
    if (!memchr(r->owner, '\0', sizeof r->owner) || (r->claimable && !r->clean))
        return false;
    if (m->state != MEMBER_STANDBY || !m->seen.valid)
        return true;
    return a.seen && r->term == v->term && nonce_equal(&r->nonce, &v->nonce) &&
           epoch_equal(&m->seen.epoch, &a.epoch) && r->lease == v->lease && r->clean == v->clean &&
           r->claimable == v->claimable && (ours(m, r) && !r->clean) == a.ours &&
           m->seen.at == a.seen_at && m->seen.since >= a.same_since;
}

static bool terms_known(const struct member *m)
{
    uint64_t top = usec_max(usec_max(m->highest_term, m->over_term), m->term.number);
    bool over = m->state == MEMBER_ENDING || m->state == MEMBER_RELEASING;

    return top <= INT64_MAX && a.top <= top && a.ticketed <= a.top && a.term <= a.ticketed &&
           a.ended <= a.top && m->left_term == a.left && a.left <= a.ended &&
           a.ended == (over ? usec_max(m->over_term, m->term.number) : m->over_term) &&
           (!m->seen.valid || m->seen.record.term <= m->highest_term);
}

/* What it believes of its keeper is no less than there may be. */
static bool lease_known(const struct member *m)
{
    const struct cover *c = &m->term.cover;
    bool waits = a.shown > 0;

    return c->lease == a.lease && c->duration == a.duration && c->until == a.covered &&
           c->until >= m->term.deadline && c->kept >= a.kept && c->room >= a.room &&
           c->room <= BUDGET_KILL_MAX_USEC && (!waits || a.shown > a.lease) &&
           c->longer == a.shown && (!waits || c->longer_since == a.shown_since) &&
           a.shown_since <= a.now;
}

static bool term_known(const struct member *m)
{
    switch (m->state) {
    case MEMBER_STANDBY:
        return m->term.number == 0 && m->term.cover.duration == 0 && !m->term.release &&
               a.ticketed <= m->over_term;
    case MEMBER_CONFIRMING:
        return m->term.number > m->over_term && m->claim_open && m->term.release && !a.denied &&
               !a.copied && !m->stopping && a.ticketed <= m->over_term && m->term.number <= a.top;
    case MEMBER_STARTING:
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        return m->term.number == a.term && m->term.number > m->over_term &&
               m->term.number == a.ticketed && m->term.deadline == a.until && lease_known(m) &&
               m->term.release && !a.denied && !a.copied && !m->stopping;
    case MEMBER_ENDING:
        return m->since == a.unlinked_at && (!m->term.release || (!a.denied && !a.copied)) &&
               a.ticketed <= usec_max(m->over_term, m->term.number);
    case MEMBER_RELEASING:
        return a.proven && m->term.release && !a.denied && !a.copied && m->since >= a.unlinked_at &&
               a.ticketed <= usec_max(m->over_term, m->term.number);
    }
    return false;
}

/* It never sleeps through what it has to do. */
static bool awake(const struct member *m)
{
    bool asks = m->state == MEMBER_STANDBY
                    ? !m->stopping
                    : m->state != MEMBER_STARTING && m->state != MEMBER_ENDING;

    return !asks || m->due <= a.now + BUDGET_POLL_MAX_USEC;
}

static bool invariant(const struct member *m)
{
    return memchr(m->owner, '\0', sizeof m->owner) && m->namesake_changes <= NAMESAKE_CHANGES &&
           times_fit(m) && budget_known(m) && look_known(m) && question_known(m) &&
           observation_known(m) && terms_known(m) && term_known(m) && nonces_known(m) &&
           watch_known(m) && heals_known(m) && awake(m);
}

/* ---- the properties ---- */

static void check_ready(usec_t now, bool when)
{
    usec_t poll = usec_min(a.budget.duration / BUDGET_TRIES, BUDGET_POLL_MAX_USEC);

    PROVE("host-empty-and-guarded", when, all_dead(&a.look) && a.look.guarded);
    PROVE("host-looked-at-lately", when,
          a.look.asked_at > 0 && now - a.look.asked_at <= 2 * poll + USEC_PER_SEC);
}

static void check_claim(const struct member *before, const struct member_event *e,
                        const struct update *u)
{
    const struct request *q = &u->request;
    bool claims = (u->actions & ACTION_REQUEST) && q->operation == OPERATION_CLAIM;
    usec_t lease = lease_of(&a.record, a.budget.lease);
    bool read = q->expected_term == a.record.term &&
                nonce_equal(&q->expected_nonce, &a.record.nonce) &&
                epoch_equal(&q->epoch, &a.epoch);
    bool announced =
        a.was_notified && a.notice.term == a.record.term && q->expected_term == a.notice.term &&
        nonce_equal(&q->expected_nonce, &a.notice.nonce) && epoch_equal(&q->epoch, &a.epoch);

    PROVE("claim-only-as-standby", claims, before->state == MEMBER_STANDBY && !a.stopped);
    PROVE("claim-only-when-allowed", claims, e->fit && e->may_claim);
    PROVE("claim-of-what-was-read", claims && !q->rests_on_clean, a.seen && read);
    PROVE("claim-after-a-full-lease", claims && !q->rests_on_clean,
          e->now - a.same_since >= lease && e->now - a.seen_at <= lease / 2);
    PROVE("claim-of-what-is-clean", claims && q->rests_on_clean,
          a.seen && ((read && a.record.claimable) || announced));
    PROVE("claim-of-its-own-after-a-full-lease", claims && a.ours,
          !q->rests_on_clean && e->now - a.same_since >= lease);
    PROVE("claim-above-every-term", claims,
          q->term_floor > a.top && q->term_floor > a.ended && q->term_floor > a.ticketed);
    PROVE("claim-by-its-own-budget", claims,
          q->lease == a.budget.lease && q->stop == a.budget.stop &&
              q->duration == a.budget.duration && budget_fits(&a.budget));
    PROVE("claim-not-at-a-replaced-server", claims,
          a.record.term == 0 || a.record.term >> TERM_TIMELINE_SHIFT > a.epoch.timeline ||
              a.epoch.timeline >= a.top >> TERM_TIMELINE_SHIFT);
    PROVE("nonce-is-the-fresh-one", claims, nonce_equal(&q->fresh_nonce, &e->nonce));
    check_ready(e->now, claims);
}

/* By which nonces is renewed and given back? */
static void check_nonces(const struct member *before, const struct member_event *e,
                         const struct update *u)
{
    const struct request *q = &u->request;
    bool asks = (u->actions & ACTION_REQUEST) != 0;
    bool renews = asks && q->operation == OPERATION_RENEW;
    bool releases = asks && q->operation == OPERATION_RELEASE;

    PROVE("renew-names-what-may-be-there", renews && named(q, &a.any), a.any_may);
    PROVE("renew-names-all-that-may-be-there", renews && a.any_may, named(q, &a.any));
    PROVE("renew-only-what-was-read", renews, !a.must_read && q->n_known > 0);
    PROVE("what-is-not-known-is-read", asks && confirms_or_holds(before->state) && a.must_read,
          q->operation == OPERATION_OBSERVE);
    PROVE("release-names-what-may-be-there", releases && a.complete && named(q, &a.any), a.any_may);
    PROVE("orphan-only-after-it-stood-still", releases && !a.complete,
          e->fit && a.still && q->n_known == 1 && q->term == a.still_term &&
              nonce_equal(&q->known[0], &a.still_nonce) &&
              e->now - a.still_since >= a.still_interval + a.still_interval / 4);
    PROVE("orphan-that-changed-twice-is-kept", releases && !a.complete,
          a.moved < 2 && a.still_term == q->term);
    PROVE("release-not-of-a-copy", releases, !a.copied);
}

/* The record of the term has a nonce that it should not have. */
static void check_other_nonce(const struct member *before, const struct member *m,
                              const struct member_event *e, const struct update *u)
{
    const struct reply *reply = e->type == EVENT_REPLY ? e->reply : NULL;
    bool other = reply && a.asked && reply->outcome == OUTCOME_OTHER_NONCE;
    bool another_history = other && !epoch_equal(&a.nonce_epoch, &reply->epoch);
    bool read = reads_term(before, e);
    bool same_term = m->state == before->state && m->term.number == before->term.number;

    PROVE("copy-ends-the-term", other && is_copy(reply) && confirms_or_holds(before->state),
          m->state == MEMBER_ENDING && m->reason == REASON_COPY && !m->term.release);
    PROVE("copy-is-reported", other && is_copy(reply),
          u->note == NOTE_COPY || (u->note == NOTE_ENDING && m->reason == REASON_COPY));
    PROVE("own-nonce-counts-after-a-failover",
          other && (another_history || !a.certain) && a.complete && holds_term(before->state) &&
              any_is(&reply->record.nonce) && a.any_known && a.any_age < NONCES_REMEMBERED,
          same_term && u->actions == 0 && m->due == e->now);
    PROVE("only-own-nonces-count",
          read && before->state != MEMBER_ADOPTING && any_is(&reply->record.nonce) && !a.any_known,
          m->state != before->state);
    PROVE("adopted-by-three-at-most",
          read && before->state == MEMBER_ADOPTING && m->state == MEMBER_ADOPTING &&
              any_is(&reply->record.nonce) && !a.any_known,
          m->term.adopted_by == before->term.adopted_by + 1 && m->term.adopted_by <= 3);
    PROVE("only-own-nonces-are-given-back",
          other && before->state == MEMBER_RELEASING && m->state == MEMBER_RELEASING &&
              a.request.operation == OPERATION_RELEASE && m->term.nonces.complete &&
              any_is(&reply->record.nonce),
          a.any_known);
}

static void check_request(const struct member *before, const struct member_event *e,
                          const struct update *u)
{
    const struct request *q = &u->request;
    bool asks = (u->actions & ACTION_REQUEST) != 0;
    bool renews = asks && q->operation == OPERATION_RENEW;
    bool releases = asks && q->operation == OPERATION_RELEASE;

    PROVE("one-question-at-a-time", asks, e->type == EVENT_SEND && !a.asked);
    check_claim(before, e, u);
    PROVE("renew-only-the-held-term", renews,
          q->term > a.ended &&
              (before->state == MEMBER_CONFIRMING ? a.open && q->term == before->term.number
                                                  : q->term == a.term && q->term == a.ticketed));
    PROVE("renew-only-by-a-fit-clock", renews, e->fit);
    PROVE("renew-not-when-stopped", renews, !a.stopped);
    bool holds = renews && before->state != MEMBER_CONFIRMING;
    usec_t left = usec_sub(a.covered, e->now);
    PROVE("renew-covers-the-keeper", holds,
          covering.asked == 1 && q->lease == usec_min(covering.said, BUDGET_LEASE_MAX_USEC) &&
              q->duration == covering.duration &&
              q->duration >= usec_min(left, BUDGET_LEASE_MAX_USEC) &&
              covering.stop == usec_min(before->term.stop, BUDGET_STOP_MAX_USEC) &&
              covering.kill_of >= a.kept && covering.kill >= covering.kill_said &&
              covering.kill >= a.room);
    PROVE("renew-not-below-the-smallest-d", holds, q->duration >= BUDGET_RENEW_MIN_USEC);
    PROVE("renew-not-below-the-configured-lease",
          holds && !before->term.cover.fixed && computed.said == 0,
          computed.asked && computed.lease == a.budget.lease &&
              computed.stop == before->term.stop && q->lease >= a.budget.lease &&
              q->duration >= computed.budget.duration);
    PROVE("confirms-with-the-claims-lease", renews && before->state == MEMBER_CONFIRMING,
          q->lease == before->term.cover.lease && q->duration == before->term.cover.duration);
    PROVE("nonce-is-the-fresh-one", renews, nonce_equal(&q->fresh_nonce, &e->nonce));
    PROVE("release-only-with-proof", releases, a.proven && q->term <= a.ended);
    PROVE("release-only-the-ended-term", releases,
          q->term == before->term.number && before->state == MEMBER_RELEASING);
    PROVE("release-not-after-a-denial", releases, !a.denied);
    check_nonces(before, e, u);
}

static void check_ticket(const struct member *m, const struct member_event *e,
                         const struct update *u)
{
    bool ticket = (u->actions & ACTION_TICKET) != 0;
    const struct reply *reply = e->type == EVENT_REPLY ? e->reply : NULL;
    bool granted = reply && a.asked && reply->outcome == OUTCOME_GRANTED && reply->has_record;
    const struct record *r = &reply->record;
    bool claimed = granted && a.request.operation == OPERATION_CLAIM;
    bool confirmed = granted && a.request.operation == OPERATION_RENEW && a.open &&
                     history_equal(&reply->epoch, &a.open_epoch);

    PROVE("ticket-only-when-granted", ticket, claimed || confirmed);
    if (!ticket || !granted)
        return;
    PROVE("ticket-once-for-a-term", true, r->term > a.ticketed && r->term > a.ended);
    PROVE("ticket-as-granted", true,
          m->term.number == r->term && m->term.cover.lease == r->lease && m->term.stop == r->stop &&
              m->term.cover.duration == r->duration);
    PROVE("ticket-counts-from-the-send", true, m->term.deadline == a.sent_at + r->duration);
    PROVE("ticket-before-half-of-d", true, e->now < a.sent_at + r->duration / 2);
    PROVE("ticket-keeps-the-budget", true,
          judged.asked == 1 && judged.holds && judged.lease == m->term.cover.lease &&
              judged.stop == m->term.stop && judged.duration == m->term.cover.duration);
    PROVE("ticket-not-when-stopped", true, !a.stopped);
    PROVE("ticket-by-a-fit-clock", true, a.asked_fit);
    PROVE("ticket-stands-alone", true,
          (u->actions & ~(unsigned)(ACTION_TICKET | ACTION_POLL)) == 0 &&
              m->state == MEMBER_STARTING);
    check_ready(e->now, true);
}

static void check_extend(const struct member *before, const struct member *m,
                         const struct member_event *e, const struct update *u)
{
    bool extends = (u->actions & ACTION_EXTEND) != 0;
    bool renewed = e->type == EVENT_REPLY && a.asked && a.request.operation == OPERATION_RENEW &&
                   e->reply->outcome == OUTCOME_GRANTED;

    PROVE("extend-only-when-renewed", extends,
          renewed && a.request.term == a.term && m->term.number == a.term && a.term > a.ended);
    PROVE("extend-before-the-deadline", extends, e->now < a.until);
    const struct record *r = &e->reply->record;
    PROVE("extend-counts-from-the-send", extends && renewed,
          m->term.deadline >= a.until &&
              m->term.deadline <= usec_max(a.until, usec_add(a.sent_at, r->duration)));
    PROVE("extend-by-the-configured-d",
          extends && renewed && !before->term.cover.fixed && computed.said == 0,
          m->term.deadline <= usec_max(a.until, usec_add(a.sent_at, computed.budget.duration)));
    usec_t lease = renewed ? lease_to_tell(r, before->term.cover.fixed) : 0;
    PROVE("extend-says-what-was-granted", extends && renewed,
          m->term.cover.lease <= r->lease &&
              ((m->term.cover.lease == lease && m->term.cover.duration == r->duration) ||
               (m->term.cover.lease < lease && m->term.cover.lease == a.lease &&
                m->term.cover.duration == a.duration)));
    PROVE("longer-lease-waits-for-one-old-one",
          renewed && member_leads(before) && m->term.cover.lease > a.lease && a.lease > 0,
          a.shown == lease && usec_sub(e->now, a.shown_since) >= a.lease &&
              !before->term.cover.fixed);
    PROVE("longer-lease-comes-when-it-was-shown",
          renewed && member_leads(before) && m->state == MEMBER_LEADING && a.shown > 0 &&
              a.shown == lease && usec_sub(e->now, a.shown_since) >= a.lease &&
              !before->term.cover.fixed,
          m->term.cover.lease == lease);
    PROVE("extend-not-after-a-pause", extends, pause_said != PAUSE_LIKELY);
    PROVE("extend-stands-alone", extends,
          (u->actions & ~(unsigned)ACTION_POLL) == ACTION_EXTEND && member_leads(m));
    PROVE("deadline-moves-only-by-extending",
          holds_term(before->state) && holds_term(m->state) &&
              m->term.deadline != before->term.deadline,
          extends);
    PROVE("leads-only-by-grant-or-look", m->state == MEMBER_LEADING && !member_leads(before),
          before->state == MEMBER_STARTING && e->type == EVENT_HOST &&
              e->host->keeper == KEEPER_ACTIVE && e->host->keeper_term == a.term &&
              e->host->asked_at > before->since);
    PROVE("leads-adopted-only-when-renewed",
          m->state == MEMBER_LEADING && before->state == MEMBER_ADOPTING, renewed);
    PROVE("renewed-keeps-leading",
          renewed && member_leads(before) && e->now < a.until && pause_said != PAUSE_LIKELY,
          m->state == MEMBER_LEADING && (extends || m->term.deadline == before->term.deadline));
    PROVE("extend-is-sent-again",
          renewed && m->state == MEMBER_LEADING && !before->term.cover.fixed &&
              a.look.keeper_deadline != m->term.deadline,
          extends);
}

static void check_end(const struct member *before, const struct member *m,
                      const struct member_event *e, const struct update *u)
{
    bool ends = (u->actions & ACTION_UNLINK) != 0;
    bool begins = m->state == MEMBER_ENDING && before->state != MEMBER_ENDING;
    bool held = holds_term(before->state);
    const struct host_state *l = e->type == EVENT_HOST ? e->host : NULL;

    PROVE("end-is-whole", ends || begins,
          begins && (u->actions & ACTION_UNLINK) && (u->actions & ACTION_END) &&
              (u->actions & ACTION_POLL) && m->since == e->now);
    PROVE("end-is-the-only-way-out", held && !holds_term(m->state),
          m->state == MEMBER_ENDING && ends && m->term.number == before->term.number);
    PROVE("end-at-the-deadline", held && e->type == EVENT_CLOCK && e->now >= a.until, ends);
    PROVE("end-when-stopped", e->type == EVENT_STOP && (held || before->state == MEMBER_CONFIRMING),
          ends);
    PROVE("end-when-denied",
          e->type == EVENT_REPLY && a.asked && a.request.operation == OPERATION_RENEW &&
              e->reply->outcome == OUTCOME_DENIED && held,
          ends);
    PROVE("end-when-paused",
          e->type == EVENT_REPLY && a.asked && e->reply->outcome == OUTCOME_GRANTED &&
              pause_said == PAUSE_LIKELY && held,
          ends);
    PROVE("end-when-read-to-be-lost",
          e->type == EVENT_REPLY && a.asked && a.request.operation == OPERATION_OBSERVE &&
              a.sent_at >= before->since && e->reply->outcome == OUTCOME_GRANTED &&
              !shows_term(before, e->reply) && held,
          ends);
    PROVE("end-when-renewed-too-late",
          e->type == EVENT_REPLY && a.asked && a.request.operation == OPERATION_RENEW &&
              e->reply->outcome == OUTCOME_GRANTED && e->now >= a.until && held,
          ends);
    PROVE("end-when-the-keeper-is-gone",
          member_leads(before) && l && l->asked_at > before->since && l->keeper == KEEPER_GONE,
          ends);
    PROVE("end-when-the-keeper-is-not-there-in-time",
          before->state == MEMBER_STARTING && e->type == EVENT_CLOCK && e->now >= a.until, ends);
    PROVE("end-of-a-term-that-was-known", ends,
          m->term.number <= a.top ||
              (l && l->keeper == KEEPER_ACTIVE && m->term.number == l->keeper_term));
    PROVE("ending-until-proof", before->state == MEMBER_ENDING && m->state != MEMBER_ENDING,
          l && all_dead(l) && l->asked_at > a.unlinked_at &&
              (m->state == MEMBER_RELEASING ? !l->left : m->state == MEMBER_STANDBY));
    PROVE("ends-although-something-is-left",
          before->state == MEMBER_ENDING && l && all_dead(l) && l->left &&
              l->asked_at > a.unlinked_at && !(a.asked && a.request.operation == OPERATION_RENEW),
          m->state == MEMBER_STANDBY && m->term.number == 0 &&
              (u->actions & ~(unsigned)(ACTION_HEAL | ACTION_STOP_KEEPER | ACTION_POLL)) == 0);
    PROVE("ending-asks-again",
          before->state == MEMBER_ENDING && m->state == MEMBER_ENDING && e->type == EVENT_CLOCK &&
              e->now >= before->end_sent_at + END_AGAIN_USEC,
          (u->actions & ACTION_END) && (u->actions & ACTION_POLL));
    PROVE("releasing-only-after-ending",
          before->state != MEMBER_RELEASING && m->state == MEMBER_RELEASING,
          before->state == MEMBER_ENDING);
    PROVE("releasing-ends-by-an-answer",
          before->state == MEMBER_RELEASING && m->state != MEMBER_RELEASING,
          e->type == EVENT_REPLY && e->reply->outcome != OUTCOME_UNKNOWN &&
              (a.request.operation == OPERATION_RELEASE ||
               a.request.operation == OPERATION_OBSERVE || is_copy(e->reply)) &&
              m->state == MEMBER_STANDBY);
    PROVE("stopped-leads-nothing", a.stopped, !holds_term(m->state));
}

/* The keeper has not ended by itself meanwhile. */
static bool keeper_stays(const struct member *before, const struct host_state *l)
{
    return l->asked_at <= before->since || l->keeper == KEEPER_UNKNOWN ||
           (l->keeper != KEEPER_GONE && l->keeper_term == before->term.number);
}

static void check_guards(const struct member *before, const struct member *m,
                         const struct member_event *e, const struct update *u)
{
    const struct host_state *l = e->type == EVENT_HOST ? e->host : NULL;
    bool heals = (u->actions & ACTION_HEAL) != 0;
    bool begins = m->state == MEMBER_ENDING && before->state != MEMBER_ENDING;
    bool unguarded = begins && m->reason == REASON_UNGUARDED;
    bool outside = begins && m->reason == REASON_OUTSIDE;
    bool known = l && guards_known(l, e->now);

    PROVE("heal-only-what-is-lost", heals,
          a.harmed && (a.look.guards.state == GUARDS_PART || a.look.guards.state == GUARDS_BARE));
    PROVE("heal-one-at-a-time", heals, !a.healing);
    PROVE("heal-not-at-once", heals, e->now >= a.harmed_since + HEAL_GRACE_USEC);
    PROVE("heal-after-a-pause", heals && a.heal_over_at > 0,
          e->now >= a.heal_over_at + HEAL_PAUSE_MIN_USEC);
    PROVE("heal-not-when-stopped", heals && a.stopped,
          m->state == MEMBER_ENDING && a.look.guards.state == GUARDS_BARE);
    PROVE("heal-stands-alone", heals,
          m->state == before->state &&
              !(u->actions & (ACTION_UNLINK | ACTION_TICKET | ACTION_EXTEND | ACTION_REQUEST)));
    PROVE("unguarded-only-after-two-heals", unguarded,
          known && l->guards.state == GUARDS_BARE && a.vain == HEALS_MAX && l->guards.asked_at > 0);
    PROVE("unguarded-ends-the-term",
          member_leads(before) && known && l->guards.state == GUARDS_BARE && a.vain == HEALS_MAX &&
              keeper_stays(before, l),
          begins);
    PROVE("outside-only-when-seen", outside, known && l->guards.outside);
    PROVE("outside-ends-the-term",
          member_leads(before) && known && l->guards.outside && keeper_stays(before, l), outside);
    PROVE("unguarded-is-stopped-by-name", unguarded || outside,
          (u->actions & ACTION_STOP_KEEPER) && m->term.release);
    PROVE("unknown-is-never-lost", l && l->guards.state == GUARDS_UNKNOWN,
          !heals && !unguarded && !outside && m->heal.failed == before->heal.failed &&
              m->heal.since == before->heal.since);
    PROVE("wakes-to-heal",
          member_leads(m) && a.harmed && a.look.guards.state == GUARDS_BARE && !m->heal.asked,
          member_wake(m) <=
              usec_max(a.harmed_since + HEAL_GRACE_USEC, a.heal_over_at + HEAL_PAUSE_URGENT_USEC));
}

static void check_memory(const struct member *before, const struct member *m,
                         const struct member_event *e, const struct update *u)
{
    bool adopted = m->state == MEMBER_ADOPTING && before->state != MEMBER_ADOPTING;
    bool unknown = e->type == EVENT_REPLY && e->reply->outcome == OUTCOME_UNKNOWN;

    PROVE("unknown-moves-nothing", unknown,
          m->state == before->state && m->term.number == before->term.number &&
              m->term.deadline == before->term.deadline &&
              m->term.cover.duration == before->term.cover.duration && u->actions == 0);
    PROVE("terms-never-forgotten", true,
          m->over_term >= before->over_term && m->highest_term >= before->highest_term);
    PROVE("over-is-over",
          (holds_term(m->state) || m->state == MEMBER_CONFIRMING) &&
              !(m->state == before->state && m->term.number == before->term.number),
          m->term.number > a.ended);
    PROVE("adopt-only-its-own-live-keeper", adopted,
          before->state == MEMBER_STANDBY && e->type == EVENT_HOST && e->host->keeper_ours &&
              e->host->keeper == KEEPER_ACTIVE && e->host->keeper_term == m->term.number &&
              m->term.number > a.ended && m->term.deadline <= e->host->keeper_deadline &&
              e->now < m->term.deadline && !a.stopped);
    PROVE("adopt-at-most-d-ahead", adopted,
          e->type == EVENT_HOST && m->term.cover.duration == e->host->keeper_duration &&
              m->term.deadline <= usec_add(e->now, m->term.cover.duration) &&
              (m->term.deadline == e->host->keeper_deadline ||
               m->term.deadline == usec_add(e->now, m->term.cover.duration)));
    PROVE("adopt-without-a-ticket", adopted, u->actions == 0 && m->term.nonces.n_known == 0);
    PROVE("confirm-only-its-own-claim",
          m->state == MEMBER_CONFIRMING && before->state != MEMBER_CONFIRMING,
          e->type == EVENT_REPLY && a.open && a.ours && m->term.number == e->reply->record.term &&
              nonce_equal(&e->reply->record.nonce, &a.open_nonce) &&
              history_equal(&e->reply->epoch, &a.open_epoch) && m->term.number > a.ended);
    PROVE("new-lease-not-before-a-renewal", e->type == EVENT_RESUME,
          m->term.cover.lease == before->term.cover.lease && m->term.stop == before->term.stop &&
              m->term.cover.duration == before->term.cover.duration &&
              m->term.deadline == before->term.deadline);
    PROVE("settled-means-nothing-runs", member_settled(m),
          a.stopped && !(a.asked && e->type != EVENT_REPLY) && all_dead(&a.look) &&
              !holds_term(m->state) && !(u->actions & ACTION_REQUEST));
    PROVE("reconnected-forgets-release-notices", e->type == EVENT_CONNECTED, !m->has_notice);
    PROVE("reconnected-observes-on", e->type == EVENT_CONNECTED,
          m->seen.valid == before->seen.valid && m->seen.since == before->seen.since &&
              m->seen.at == before->seen.at);
    PROVE("restarted-observes-again",
          e->type == EVENT_REPLY && e->reply->has_record && a.restarted &&
              m->state == MEMBER_STANDBY && m->seen.valid,
          m->seen.since == e->now);
}

static void check_wake(const struct member *m)
{
    PROVE("wakes-by-the-deadline", holds_term(m->state), member_wake(m) <= m->term.deadline);
    PROVE("wakes-while-ending", m->state == MEMBER_ENDING,
          member_wake(m) <= a.now + END_AGAIN_USEC);
    PROVE("asks-in-time",
          !m->in_flight && (m->state == MEMBER_STANDBY
                                ? !m->stopping
                                : m->state != MEMBER_STARTING && m->state != MEMBER_ENDING),
          member_due(m) <= a.now + BUDGET_POLL_MAX_USEC);
    PROVE("asks-within-limits", true,
          member_limit(m) > 0 && member_limit(m) <= BUDGET_POLL_MAX_USEC);
}

/* ---- a step, and the beginning ---- */

/* A step is proven in parts, each by itself: for each kind of event, EVENT, and replies for each
 * state that they can meet, STATE, those to a standby for each OUTCOME and, where it is granted,
 * OPERATION. So is what PID 1 says, for each STATE. What can happen at
 * all is asked of all of them at once. */

static void check_step(const struct member *before, const struct member *m,
                       const struct member_event *e, const struct update *u)
{
    check_request(before, e, u);
    check_ticket(m, e, u);
    check_extend(before, m, e, u);
    check_end(before, m, e, u);
    check_guards(before, m, e, u);
    check_other_nonce(before, m, e, u);
    if (e->type == EVENT_REPLY)
        account_for_nonce(before, m, e);
    check_memory(before, m, e, u);
    account_for_update(before, m, e, u);
    PROVE("invariant-times", true, times_fit(m));
    PROVE("invariant-budget", true, budget_known(m));
    PROVE("invariant-look", true, look_known(m));
    PROVE("invariant-question", true, question_known(m));
    PROVE("invariant-observation", true, observation_known(m));
    PROVE("invariant-terms", true, terms_known(m));
    PROVE("invariant-term", true, term_known(m));
    PROVE("invariant-heals", true, heals_known(m));
    PROVE("invariant-nonces", true, nonces_known(m));
    PROVE("invariant-watch", true, watch_known(m));
    PROVE("invariant-awake", true, awake(m));
#ifdef BY_PARTS
    /* Each of these is proven just above, and the whole follows from them. For what PID 1 says, the
     * solver takes minutes to find that out by itself; for the other events, seconds. */
    ASSUME(times_fit(m) && budget_known(m) && look_known(m) && question_known(m) &&
           observation_known(m) && terms_known(m) && term_known(m) && heals_known(m) &&
           nonces_known(m) && watch_known(m) && awake(m));
#endif
    PROVE("member-invariant", true, invariant(m));
    check_wake(m);
}

#ifndef BEGIN

/* The real step. With a state that is written down, the matrix is a single call for CBMC, and not
 * one of all that there are. */
static void step(struct member *m, const struct member_event *e, struct update *u)
{
#define STEP_OF(s)                                                                                 \
    case s:                                                                                        \
        m->state = s;                                                                              \
        member_step(m, e, u);                                                                      \
        return
    switch (m->state) {
        STEP_OF(MEMBER_STANDBY);
        STEP_OF(MEMBER_CONFIRMING);
        STEP_OF(MEMBER_STARTING);
        STEP_OF(MEMBER_LEADING);
        STEP_OF(MEMBER_ADOPTING);
        STEP_OF(MEMBER_ENDING);
        STEP_OF(MEMBER_RELEASING);
    }
}

int main(void)
{
    struct member m, before;
    struct account any;
    struct reply reply;
    struct release_notice notice;
    struct host_state host;
    struct budget budget;
    struct member_event e;
    struct update u;
    bool has_notice;

#ifdef OPERATION
    any.request.operation = OPERATION;
#endif
    a = any;
#ifdef EVENT
    e.type = EVENT;
#endif
#ifdef STATE
    m.state = STATE;
#endif
#ifdef OUTCOME
    reply.outcome = OUTCOME;
#endif
    ASSUME(invariant(&m));
    /* Its pointers are those of its type. */
    e.reply = e.type == EVENT_REPLY ? &reply : NULL;
    e.notice = e.type == EVENT_HINT && has_notice ? &notice : NULL;
    e.host = e.type == EVENT_HOST ? &host : NULL;
    e.budget = e.type == EVENT_RESUME ? &budget : NULL;
    ASSUME(e.now >= a.now && (unsigned)e.type <= EVENT_RESUME &&
           (unsigned)host.keeper <= KEEPER_ACTIVE && (unsigned)host.guards.state <= GUARDS_BARE);
    ASSUME(member_event_fits(&m, &e));
    ASSUME(e.type != EVENT_REPLY || reply_fits(&a.request, m.owner, &reply));
    ASSUME(e.type != EVENT_SEND || is_fresh(&m, &e.nonce));

    account_for_event(&m, &e);
    before = m;
    step(&m, &e, &u);
    check_step(&before, &m, &e, &u);
    return 0;
}

#else

int main(void)
{
    struct member m;
    char owner[OWNER_MAX + 1];
    struct account none = {.stopped = true};

    owner[OWNER_MAX] = '\0';
    a = none;
    member_init(&m, owner);
    PROVE("member-begins-within-the-invariant", true, invariant(&m));
    return 0;
}

#endif
