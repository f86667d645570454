/* SPDX-License-Identifier: Apache-2.0 */
/* A member of an election, and events in any order with any values: a line each, its first letter
 * the event. What the layer below lets through (arbiter/tick_codec.c, host/poll.c) is all that is
 * assumed; what must hold whatever comes is kept by a second, simple-minded account beside it.
 *
 *     b LEASE STOP          take part, with this budget (milliseconds)
 *     t USEC                time passes
 *     s FLAGS               a tick is sent; "u" the clock is unfit, "n" no slot is free
 *     r OUTCOME FLAGS NUMBERS   its reply: g(ranted), d(enied), u(nknown); see read_record()
 *     l FLAGS AGE TERM      a look at this host; see look()
 *     h FLAGS TERM NONCE    a hint: "t" tells what was given back, "s" as seen last
 *     c k x                 connected; clock; stop
 *     a ERROR               StartUnit was answered
 *     e FLAGS AGE           a heal is over; "n" nobody answered */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "election/member.h"
#include "fuzz.h"
#include "support/nonce.h"

#define ME "db1/00000000000000000000000000000001"
#define TERM ((uint64_t)4294967296)
#define START ((usec_t)1000000000)

/* What is known from the outside. */
struct account {
    struct member m;
    struct update u;
    usec_t now;
    uint8_t nonces;
    bool stopped;

    bool asked, asked_fit; /* a request is under way */
    struct request request;
    usec_t sent_at;

    bool seen; /* a record, by a clock that was fit */
    struct record record;
    struct epoch epoch;
    usec_t same_since, seen_at; /* without a gap above half of its lease */

    bool was_notified; /* of a release, since connected */
    struct release_notice notice;

    struct host_state local;
    bool healing;
    usec_t healed_at;

    uint64_t highest_ticket; /* the highest term that got one */
    uint64_t term;           /* that may run here, 0: none */
    usec_t deadline;         /* of what may run, by what was granted */
    usec_t over_at;          /* when it was asked to end */
    bool over, proven, denied;
    uint64_t left; /* the last that ended without that proof */
};

static bool dead(const struct host_state *l)
{
    return l->keeper == KEEPER_GONE && l->units_dead && l->slice_empty && !l->open;
}

static usec_t record_lease(const struct account *a)
{
    usec_t own = a->m.budget.lease;

    return a->record.lease > BUDGET_RENEW_MIN_USEC ? a->record.lease : own;
}

/* ---- what the member says ---- */

static void check_ready(const struct account *a)
{
    usec_t oldest = usec_add(2 * a->m.budget.poll, USEC_PER_SEC);

    assert(dead(&a->local) && a->local.guarded && a->local.asked_at > 0);
    assert(usec_sub(a->now, a->local.asked_at) <= oldest);
}

/* The release notice of the record that was seen last: the arbiter is asked whether it is true. */
static bool on_notice(const struct account *a)
{
    const struct request *q = &a->u.request;

    return a->was_notified && a->notice.term == a->record.term && q->rests_on_clean &&
           nonce_equal(&q->expected_nonce, &a->notice.nonce);
}

/* Only what is clean, or is said to be, or was seen unchanged for its whole lease. */
static void check_claim(const struct account *a, bool fit, bool may_claim)
{
    const struct request *q = &a->u.request;

    assert(fit && may_claim && !a->stopped && a->seen);
    assert(q->expected_term == a->record.term);
    assert(epoch_equal(&q->epoch, &a->epoch));
    assert(q->term_floor > a->highest_ticket && q->term_floor > a->record.term);
    /* A record of its own only after it stayed unchanged for its whole lease. */
    assert(strcmp(a->record.owner, ME) != 0 || a->record.clean || !q->rests_on_clean);
    assert(q->lease == a->m.budget.lease && q->stop == a->m.budget.stop);
    check_ready(a);
    if (on_notice(a))
        return;
    assert(nonce_equal(&q->expected_nonce, &a->record.nonce));
    assert(q->rests_on_clean == a->record.claimable);
    if (!a->record.claimable) {
        assert(usec_sub(a->now, a->same_since) >= record_lease(a));
        assert(usec_sub(a->now, a->seen_at) <= record_lease(a) / 2);
    }
}

/* Only with proof: PID 1 said so to a question that was asked after the ticket was gone. */
static void check_release(const struct account *a)
{
    assert(!a->denied);
    assert(a->over && a->proven && a->u.request.term == a->m.term.number);
}

/* Its lease covers the deadline that was given to the keeper. */
static void check_renewal(const struct account *a, bool fit)
{
    const struct request *q = &a->u.request;
    usec_t left = usec_sub(a->m.term.deadline, a->now);

    assert(fit && q->term == a->m.term.number && q->term > 0 && !a->over);
    assert(q->lease > 0 && q->duration > 0);
    assert(a->m.term.stop == 0 || left == 0 ||
           !budget_holds(q->lease, a->m.term.stop, q->duration) ||
           budget_holds(q->lease, a->m.term.stop, left));
}

static void check_request(struct account *a, bool fit, bool may_claim)
{
    const struct request *q = &a->u.request;

    if (q->operation == OPERATION_CLAIM)
        check_claim(a, fit, may_claim);
    else if (q->operation == OPERATION_RELEASE)
        check_release(a);
    else if (q->operation == OPERATION_RENEW)
        check_renewal(a, fit);
    a->asked = true;
    a->asked_fit = fit;
    a->request = *q;
    a->sent_at = a->now;
}

/* At most one for a term, never for one that is over, and while half of it is left. */
static void check_ticket(struct account *a)
{
    assert(!a->stopped && a->m.term.number > a->highest_ticket);
    assert(budget_holds(a->m.term.cover.lease, a->m.term.stop, a->m.term.cover.duration));
    assert(a->m.term.deadline == usec_add(a->sent_at, a->m.term.cover.duration));
    assert(a->now < a->m.term.deadline && a->now - a->sent_at <= a->m.term.cover.duration / 2);
    check_ready(a);
    a->highest_ticket = a->term = a->m.term.number;
    a->deadline = a->m.term.deadline;
    a->over = a->denied = false;
}

static void check_extend(struct account *a, const struct reply *reply)
{
    assert(reply && reply->outcome == OUTCOME_GRANTED && a->request.operation == OPERATION_RENEW);
    assert(!a->over && a->m.term.number == a->request.term && a->now < a->deadline);
    assert(a->m.term.deadline <=
           usec_max(a->deadline, usec_add(a->sent_at, reply->record.duration)));
    assert(a->m.term.deadline >= a->deadline && a->m.term.cover.until >= a->m.term.deadline);
    a->deadline = a->m.term.deadline;
}

/* Only what is known to be lost, one at a time, and with pauses. */
static void check_heal(struct account *a)
{
    enum guards_state state = a->local.guards.state;

    assert(state == GUARDS_PART || state == GUARDS_BARE);
    assert(!a->healing);
    assert(a->healed_at == 0 || a->now >= usec_add(a->healed_at, HEAL_PAUSE_MIN_USEC));
    a->healing = true;
}

/* A term that ends because of them ends by a recent answer of PID 1. */
static void check_guards(const struct account *a)
{
    const struct guards_seen *g = &a->local.guards;

    if (!(a->u.actions & ACTION_UNLINK) ||
        (a->m.reason != REASON_UNGUARDED && a->m.reason != REASON_OUTSIDE))
        return;
    assert(a->u.actions & ACTION_STOP_KEEPER);
    assert(g->asked_at > 0 && usec_sub(a->now, g->asked_at) <= HEAL_ANSWER_AGE_USEC);
    assert(g->state == GUARDS_BARE || (g->outside && g->state != GUARDS_UNKNOWN));
    assert(a->m.reason != REASON_UNGUARDED || a->healed_at > 0);
}

static void check_actions(struct account *a, const struct reply *reply)
{
    unsigned did = a->u.actions;

    assert(!(did & ACTION_END) || a->m.state == MEMBER_ENDING);
    if (did & ACTION_UNLINK) {
        assert(did & ACTION_END && did & ACTION_POLL && a->m.state == MEMBER_ENDING);
        assert(!(did & (ACTION_TICKET | ACTION_EXTEND)));
        a->over = true;
        a->proven = false;
        a->over_at = a->now;
        /* What the arbiter says is another's is not given back. */
        a->denied = a->m.reason == REASON_DENIED;
    }
    if (did & ACTION_TICKET)
        check_ticket(a);
    if (did & ACTION_EXTEND)
        check_extend(a, reply);
    if (did & ACTION_HEAL)
        check_heal(a);
    check_guards(a);
}

/* It neither sleeps for ever nor forgets to ask, whatever numbers it was given. */
static void check_awake(const struct account *a)
{
    const struct member *m = &a->m;
    bool waits = m->state == MEMBER_STARTING || m->state == MEMBER_ENDING;
    bool out = m->state == MEMBER_STANDBY && a->stopped;

    if (a->asked || waits || out)
        assert(member_due(m) == USEC_INFINITY);
    else
        assert(member_due(m) <= usec_max(a->now, a->sent_at) + BUDGET_POLL_MAX_USEC);
    if (waits || member_leads(m))
        assert(member_wake(m) < USEC_INFINITY);
    assert(member_limit(m) > 0 && member_limit(m) <= BUDGET_POLL_MAX_USEC);
}

static void step(struct account *a, struct member_event e)
{
    struct member before = a->m;

    e.now = a->now;
    member_step(&a->m, &e, &a->u);
    if (a->m.state == MEMBER_ADOPTING && before.state != MEMBER_ADOPTING) {
        assert(a->local.keeper == KEEPER_ACTIVE && a->local.keeper_ours);
        assert(a->m.term.number == a->local.keeper_term && a->now < a->m.term.deadline);
        a->term = a->m.term.number;
        a->deadline =
            usec_min(a->local.keeper_deadline, usec_add(a->now, a->local.keeper_duration));
        a->over = a->denied = false;
    }
    check_actions(a, e.reply);
    assert(e.type == EVENT_SEND || !(a->u.actions & ACTION_REQUEST));
    assert(before.term.number == 0 || a->m.term.number == 0 ||
           a->m.term.number == before.term.number);
    assert(a->m.highest_term >= before.highest_term && a->m.over_term >= before.over_term);
    if (member_leads(&a->m)) {
        assert(a->m.term.number == a->term && !a->over && a->m.term.deadline == a->deadline);
        assert(e.type != EVENT_CLOCK || a->now < a->m.term.deadline);
    }
    if (e.type == EVENT_CLOCK)
        assert(member_wake(&a->m) > a->now);
    if (member_settled(&a->m))
        assert(a->stopped && !a->asked && dead(&a->local) && a->m.term.number == 0);
    if (e.type != EVENT_SEND) /* what it asks is not accounted for yet */
        check_awake(a);
    assert(*member_state_name(a->m.state) != '?' && *member_reason_text(a->m.reason) != '?');
}

/* ---- events ---- */

static void send(struct account *a, char *line)
{
    const char *flags = fuzz_word(&line);
    struct member_event e = {
        .type = EVENT_SEND,
        .nonce = nonce_of(++a->nonces),
        .fit = !strchr(flags, 'u'),
        .may_claim = !strchr(flags, 'n'),
        .random = (uint32_t)fuzz_number(&line),
    };

    if (a->asked)
        return; /* no tick twice */
    step(a, e);
    if (a->u.actions & ACTION_REQUEST) {
        check_request(a, e.fit, e.may_claim);
        assert(member_due(&a->m) == USEC_INFINITY);
    } else
        assert(member_due(&a->m) > a->now);
    a->was_notified = false; /* good for one request */
    /* What is seen by a clock that cannot be trusted counts for nothing. */
    a->seen = a->seen && (e.fit || a->m.state != MEMBER_STANDBY || a->stopped);
}

/* Flags: "o" ours, "n" a namesake's, "f" the fresh nonce, "s" as seen last, "c" clean,
 * "k" claimable, "e" another history, "l" another life of the server. Then term (above TERM),
 * nonce, L, S, D in milliseconds, and by how much the arbiter's clock is ahead of ours, in
 * microseconds (0: it does not say). */
static void read_record(const struct account *a, const char *flags, char *line, struct reply *r)
{
    struct record *row = &r->record;

    r->has_record = true;
    row->term = TERM + (uint64_t)(fuzz_number(&line) & INT32_MAX);
    row->nonce.bytes[0] = (uint8_t)fuzz_number(&line);
    row->lease = (usec_t)(fuzz_number(&line) & INT64_MAX) * USEC_PER_MSEC & INT64_MAX;
    row->stop = (usec_t)(fuzz_number(&line) & INT64_MAX) * USEC_PER_MSEC & INT64_MAX;
    row->duration = (usec_t)(fuzz_number(&line) & INT64_MAX) * USEC_PER_MSEC & INT64_MAX;
    int64_t ahead = fuzz_number(&line);
    r->arbiter_time = ahead == 0 ? 0 : a->now + (usec_t)ahead;
    strcpy(row->owner, strchr(flags, 'o')   ? ME
                       : strchr(flags, 'n') ? "db1/f0000000000000000000000000000002"
                                            : "db2/00000000000000000000000000000003");
    if (strchr(flags, 's') && a->record.term > 0)
        *row = a->record;
    if (strchr(flags, 'f'))
        row->nonce = a->request.fresh_nonce;
    row->clean = strchr(flags, 'c') != NULL;
    row->claimable = row->clean && strchr(flags, 'k');
    r->epoch = (struct epoch){.system_id = 7,
                              .timeline = strchr(flags, 'e') ? 2 : 1,
                              .started = strchr(flags, 'l') ? 2 : 1};
}

/* tick_decode() lets nothing else through. */
static void make_granted_fit(const struct request *q, struct reply *r)
{
    struct record *row = &r->record;

    if (q->operation == OPERATION_OBSERVE)
        return;
    strcpy(row->owner, ME);
    row->clean = row->claimable = q->operation == OPERATION_RELEASE;
    if (q->operation == OPERATION_CLAIM) {
        row->term = usec_max(row->term, usec_max(q->expected_term + 1, q->term_floor));
        row->lease = q->lease;
        row->stop = q->stop;
        row->duration = q->duration;
    } else
        row->term = q->term;
    if (q->operation != OPERATION_RELEASE)
        row->nonce = q->fresh_nonce;
}

static void account_for_record(struct account *a, const struct reply *r)
{
    bool same = a->seen && a->record.term == r->record.term &&
                nonce_equal(&a->record.nonce, &r->record.nonce) &&
                epoch_equal(&a->epoch, &r->epoch);

    if (!same || usec_sub(a->now, a->seen_at) > record_lease(a) / 2)
        a->same_since = a->now;
    a->seen = true;
    a->seen_at = a->now;
    a->record = r->record;
    a->epoch = r->epoch;
}

static void reply(struct account *a, char *line)
{
    const char *outcome = fuzz_word(&line), *flags = fuzz_word(&line);
    enum member_state state = a->m.state;
    struct reply r = {.outcome = OUTCOME_UNKNOWN};

    if (!a->asked)
        return;
    if (*outcome == 'g')
        r.outcome = OUTCOME_GRANTED;
    else if (*outcome == 'd')
        r.outcome = OUTCOME_DENIED;
    if (r.outcome == OUTCOME_GRANTED || (r.outcome == OUTCOME_DENIED && *flags))
        read_record(a, flags, line, &r);
    if (r.outcome == OUTCOME_GRANTED)
        make_granted_fit(&a->request, &r);
    a->asked = false;
    step(a, (struct member_event){.type = EVENT_REPLY, .reply = &r, .random = a->nonces});
    /* Unknown changes nothing: neither gains nor loses. */
    assert(r.outcome != OUTCOME_UNKNOWN || a->m.state == state);
    if (state == MEMBER_STANDBY && a->m.state == MEMBER_STANDBY && r.has_record && a->asked_fit)
        account_for_record(a, &r);
    if (!a->asked_fit || a->m.state != MEMBER_STANDBY)
        a->seen = false;
}

/* Flags: "a" the keeper is active, "b" busy, "q" queued, "?" unknown, else gone; "o" its state is
 * ours; "u" units are up, "y" they stay, "p" the slice has processes, "i" it is not known yet
 * whether something is left, "l" something may be, "g" unguarded; of the guards "w" all is there,
 * "1" a copy is lost, "0" both are, else it is unknown, "e" a unit runs outside. Then how long ago
 * it was asked, the state's term (0: the one last asked for), its deadline from now, how long ago
 * PID 1 was asked for the guards. */
static void look(struct account *a, char *line)
{
    const char *flags = fuzz_word(&line);
    usec_t age = (usec_t)(fuzz_number(&line) & INT32_MAX);
    uint64_t term = (uint64_t)(fuzz_number(&line) & INT32_MAX);
    struct host_state l = {
        .asked_at = usec_max(usec_max(usec_sub(a->now, age), a->local.asked_at), 1),
        .keeper = strchr(flags, 'a')   ? KEEPER_ACTIVE
                  : strchr(flags, 'b') ? KEEPER_BUSY
                  : strchr(flags, '?') ? KEEPER_UNKNOWN
                                       : KEEPER_GONE,
        .keeper_queued = strchr(flags, 'q') != NULL,
        .keeper_ours = strchr(flags, 'o') != NULL,
        .keeper_term = term > 0 ? TERM + term : a->m.term.number,
        .keeper_deadline = usec_add(a->now, (usec_t)(fuzz_number(&line) & INT32_MAX)),
        .keeper_lease = a->m.budget.lease,
        .keeper_stop = a->m.budget.stop,
        .keeper_duration = a->m.budget.duration,
        .units_dead = !strchr(flags, 'u'),
        .units_stay = strchr(flags, 'y') != NULL,
        .slice_empty = !strchr(flags, 'p'),
        .open = strchr(flags, 'i') != NULL,
        .left = strchr(flags, 'l') != NULL,
        .guarded = !strchr(flags, 'g'),
    };

    l.guards = (struct guards_seen){
        .state = strchr(flags, 'w')   ? GUARDS_WHOLE
                 : strchr(flags, '1') ? GUARDS_PART
                 : strchr(flags, '0') ? GUARDS_BARE
                                      : GUARDS_UNKNOWN,
        .outside = strchr(flags, 'e') != NULL,
        .asked_at = usec_sub(a->now, (usec_t)(fuzz_number(&line) & INT32_MAX)),
    };
    if (l.keeper == KEEPER_GONE)
        l.keeper_term = 0;
    a->local = l;
    bool over = a->over && dead(&l) && l.asked_at > a->over_at;
    a->proven = a->proven || (over && !l.left);
    if (over && l.left && a->m.state == MEMBER_ENDING)
        a->left = a->m.term.number;
    step(a, (struct member_event){.type = EVENT_HOST, .host = &l});
}

static void hint(struct account *a, char *line)
{
    const char *flags = fuzz_word(&line);
    struct release_notice notice = {.term = TERM + (uint64_t)(fuzz_number(&line) & INT32_MAX)};

    notice.nonce.bytes[0] = (uint8_t)fuzz_number(&line);
    if (strchr(flags, 's'))
        notice = (struct release_notice){.term = a->record.term, .nonce = a->record.nonce};
    if (strchr(flags, 't') && a->m.state == MEMBER_STANDBY && !a->stopped) {
        a->was_notified = true;
        a->notice = notice;
    }
    step(a,
         (struct member_event){.type = EVENT_HINT, .notice = strchr(flags, 't') ? &notice : NULL});
}

static void healed(struct account *a, char *line)
{
    bool answered = !strchr(fuzz_word(&line), 'n');
    usec_t age = (usec_t)(fuzz_number(&line) & INT32_MAX);

    a->healing = false;
    a->healed_at = a->now;
    step(a, (struct member_event){
                .type = EVENT_HEALED, .asked_at = usec_sub(a->now, age), .answered = answered});
}

static void resume(struct account *a, char *line)
{
    struct budget b;
    usec_t lease = (usec_t)(fuzz_number(&line) & INT32_MAX) * USEC_PER_MSEC;

    if (budget_compute(lease, (usec_t)(fuzz_number(&line) & INT32_MAX) * USEC_PER_MSEC, &b) < 0)
        return;
    a->stopped = false;
    step(a, (struct member_event){.type = EVENT_RESUME, .budget = &b});
}

static void event(struct account *a, char *line)
{
    switch (*fuzz_word(&line)) {
    case 'b':
        resume(a, line);
        return;
    case 't':
        a->now = usec_add(a->now, (usec_t)(fuzz_number(&line) & INT32_MAX));
        return;
    case 's':
        send(a, line);
        return;
    case 'r':
        reply(a, line);
        return;
    case 'l':
        look(a, line);
        return;
    case 'a':
        step(a, (struct member_event){.type = EVENT_STARTED, .error = (int)-fuzz_number(&line)});
        return;
    case 'e':
        healed(a, line);
        return;
    case 'c':
        a->was_notified = false;
        step(a, (struct member_event){.type = EVENT_CONNECTED});
        return;
    case 'h':
        hint(a, line);
        return;
    case 'k':
        step(a, (struct member_event){.type = EVENT_CLOCK});
        return;
    case 'x':
        a->stopped = true;
        a->was_notified = false;
        step(a, (struct member_event){.type = EVENT_STOP});
        return;
    default:
        a->now++; /* events have times of their own */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);
    char *rest = text, *line, first[] = "15000 5000";
    struct account a = {.now = START, .stopped = true};

    member_init(&a.m, ME);
    resume(&a, first);
    while ((line = fuzz_line(&rest)))
        event(&a, line);
    return 0;
}
