/* SPDX-License-Identifier: Apache-2.0 */
/* Each rule of the election at its boundary: what one microsecond or one missing condition
 * changes. The simulation (tests/sim) says whether the rules suffice; this says what they are. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "election/member.h"

#include "../suite.h"

#define SEC USEC_PER_SEC
#define MSEC USEC_PER_MSEC
#define NOW ((usec_t)1000000000)
#define L (15 * SEC)
#define S (5 * SEC)
#define P (f.m.budget.poll)
#define D (f.m.budget.duration)
#define TERM ((uint64_t)4294967297)
#define ME "db1/00000000000000000000000000000001"
#define MY_NAMESAKE "db1/f0000000000000000000000000000002"
#define OTHER "db2/00000000000000000000000000000003"

/* One member, and what surrounds it: each test runs in a process of its own. */
static struct {
    struct member m;
    struct update u;
    struct request request; /* under way */
    usec_t now;
    struct local host;
    struct record row; /* what the arbiter has */
    struct epoch epoch;
    uint8_t nonces;
    bool fit, may_claim;
    uint32_t random;
    usec_t ahead; /* of our clock is the arbiter's so far; 0: it does not tell */
} f;

static struct nonce next_nonce(void)
{
    return (struct nonce){.bytes = {++f.nonces, 0xaa}};
}

static bool asks(enum operation o)
{
    return (f.u.actions & ACTION_REQUEST) && f.u.request.operation == o;
}

static bool does(enum member_action a)
{
    return (f.u.actions & a) != 0;
}

static void step(struct member_event e)
{
    e.now = f.now;
    e.random = f.random;
    member_step(&f.m, &e, &f.u);
}

static void event(enum member_event_type type)
{
    step((struct member_event){.type = type});
}

static void resume(usec_t lease, usec_t stop)
{
    struct budget b;

    ck_assert_int_eq(budget_compute(lease, stop, &b), 0);
    step((struct member_event){.type = EVENT_RESUME, .budget = &b});
}

static void started(int error)
{
    step((struct member_event){.type = EVENT_STARTED, .error = error});
}

/* PID 1's answer, at once, to a question asked at `asked_at`. */
static void look_asked_at(usec_t asked_at)
{
    f.host.asked_at = asked_at;
    step((struct member_event){.type = EVENT_LOCAL, .local = &f.host});
}

static void look(void)
{
    f.now++;
    look_asked_at(f.now);
}

static void ask(void)
{
    step((struct member_event){
        .type = EVENT_SEND, .nonce = next_nonce(), .fit = f.fit, .may_claim = f.may_claim});
    f.request = f.u.request;
}

static void answer(enum outcome o)
{
    struct reply r = {.outcome = o, .epoch = f.epoch};

    if (o != OUTCOME_UNKNOWN) {
        r.has_record = true;
        r.record = f.row;
        r.arbiter_time = f.ahead > 0 ? f.now + f.ahead : 0;
    }
    step((struct member_event){.type = EVENT_REPLY, .reply = &r});
}

static void answer_without_record(enum outcome o)
{
    struct reply r = {.outcome = o, .epoch = f.epoch};

    step((struct member_event){.type = EVENT_REPLY, .reply = &r});
}

static void own(struct record *r, const char *owner)
{
    (void)snprintf(r->owner, sizeof r->owner, "%s", owner);
}

/* The arbiter does what was asked. */
static void do_it(void)
{
    const struct request *q = &f.request;

    ck_assert(f.m.in_flight);
    if (q->operation == OPERATION_CLAIM) {
        f.row = (struct record){.term = f.row.term + 1,
                                .nonce = q->fresh_nonce,
                                .lease = q->lease,
                                .stop = q->stop,
                                .duration = q->duration};
        own(&f.row, f.m.owner);
    } else if (q->operation == OPERATION_RENEW)
        f.row.nonce = q->fresh_nonce;
    else if (q->operation == OPERATION_RELEASE)
        f.row.clean = f.row.claimable = true;
}

static void grant(void)
{
    do_it();
    answer(OUTCOME_GRANTED);
}

/* A standby of db1 that may claim as far as its host goes; db2 leads. */
static void setup(void)
{
    memset(&f, 0, sizeof f);
    f.now = NOW;
    f.fit = f.may_claim = true;
    f.host = (struct local){
        .keeper = LOCAL_KEEPER_GONE, .units_dead = true, .slice_empty = true, .guarded = true};
    f.row = (struct record){
        .term = TERM, .nonce = next_nonce(), .lease = L, .stop = S, .duration = 8670000};
    own(&f.row, OTHER);
    f.epoch = (struct epoch){.system_id = 7, .timeline = 1};
    member_init(&f.m, ME);
    resume(L, S);
    event(EVENT_CONNECTED);
    look();
}

/* Polls at least every `interval` until `until`; the last poll is answered then. */
static void observe_until(usec_t until, usec_t interval)
{
    for (;;) {
        look_asked_at(f.now);
        ask();
        ck_assert(asks(OPERATION_OBSERVE));
        answer(OUTCOME_GRANTED);
        if (f.now >= until)
            return;
        f.now = usec_min(f.now + interval, until);
    }
}

/* Sees the record for the first time. Returns since when it counts as seen. */
static usec_t first_seen(void)
{
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    f.now += 100 * MSEC;
    answer(OUTCOME_GRANTED);
    return f.now;
}

static void free_record(void)
{
    f.row.clean = f.row.claimable = true;
}

/* The claim is sent; its t0 is returned. */
static usec_t claiming(void)
{
    free_record();
    first_seen();
    look();
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    return f.now;
}

/* The ticket is out. */
static usec_t starting(void)
{
    usec_t t0 = claiming();

    f.now += 10 * MSEC;
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    return t0;
}

static void keeper_lives(uint64_t term)
{
    f.host.keeper = LOCAL_KEEPER_ACTIVE;
    f.host.keeper_term = term;
    f.host.keeper_ours = true;
    f.host.keeper_lease = L;
    f.host.keeper_stop = S;
    f.host.keeper_duration = 8670000;
    f.host.keeper_deadline = f.m.deadline ? f.m.deadline : f.now + 5 * SEC;
    f.host.units_dead = f.host.slice_empty = false;
}

static void all_dead(void)
{
    f.host = (struct local){
        .keeper = LOCAL_KEEPER_GONE, .units_dead = true, .slice_empty = true, .guarded = true};
}

static usec_t leading(void)
{
    usec_t t0 = starting();

    f.now += 10 * MSEC;
    started(0);
    keeper_lives(f.m.term);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    return t0;
}

/* A new agent finds the keeper of an earlier life: TERM is ours, until NOW + 5 s or so. */
static void adopting(void)
{
    own(&f.row, ME);
    keeper_lives(TERM);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
}

static void ending(void)
{
    leading();
    event(EVENT_STOP);
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
}

static void proven_dead(void)
{
    f.now += 10 * MSEC;
    all_dead();
    look();
}

static void releasing(void)
{
    ending();
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
}

/* A claim of unknown outcome turned out to be in the record. */
static void confirming(void)
{
    claiming();
    do_it();
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    f.now += 100 * MSEC;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
}

/* An end that began for this reason: the ticket goes, the keeper is told, the proof is asked for.
 */
static void assert_ends(enum member_reason r)
{
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    ck_assert_int_eq(f.m.reason, r);
    ck_assert_uint_eq(f.u.actions, ACTION_UNLINK | ACTION_END | ACTION_LOOK);
    ck_assert_int_eq(f.u.note, NOTE_ENDING);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
}

/* ---- observation ---- */

/* Full observation counts from after the reply that first showed the record. */
START_TEST(claims_after_a_full_lease)
{
    usec_t seen = first_seen();

    observe_until(seen + L - SEC, P);
    look();
    f.now = seen + L - (usec_t)_i;
    ask();
    ck_assert(asks(_i ? OPERATION_OBSERVE : OPERATION_CLAIM));
}
END_TEST

/* … and the member wants to be asked at that very moment. */
START_TEST(is_due_when_the_lease_has_run_out)
{
    usec_t seen = first_seen();

    observe_until(seen + L - SEC, P);
    ck_assert_uint_eq(member_due(&f.m), seen + L);
}
END_TEST

/* The lease of the record rules, not this node's own. */
START_TEST(observes_for_the_records_own_lease)
{
    static const usec_t leases[] = {4 * SEC, 40 * SEC};
    usec_t lease = leases[_i], seen;

    f.row.lease = lease;
    seen = first_seen();
    ck_assert_uint_le(member_due(&f.m), f.now + usec_min(lease / 4, P));
    observe_until(seen + lease - SEC / 2, SEC / 2);
    look();
    f.now = seen + lease - 1;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    f.now++;
    answer(OUTCOME_GRANTED);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}
END_TEST

/* What no term can have is no lease: this node's own counts. */
START_TEST(observes_for_its_own_lease_when_the_record_has_none)
{
    usec_t seen;

    f.row.lease = BUDGET_RENEW_MIN_USEC;
    seen = first_seen();
    observe_until(seen + L - SEC, P);
    look();
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_uint_eq(member_due(&f.m), seen + L);
}
END_TEST

static void change_nothing(void)
{
}
static void change_nonce(void)
{
    f.row.nonce = next_nonce();
}
static void change_term(void)
{
    f.row.term++;
}
static void change_timeline(void)
{
    f.epoch.timeline++;
}
static void change_system(void)
{
    f.epoch.system_id++;
}
static void change_connection(void)
{
    event(EVENT_CONNECTED);
}
static void change_by_a_gap(void)
{
    f.now = f.m.seen_at + L / 2 + 1 - MSEC; /* the reply comes a millisecond later */
}
static void change_by_the_longest_pause(void)
{
    f.now = f.m.seen_at + L / 2 - MSEC;
}
static void change_by_an_unfit_question(void)
{
    f.fit = false;
    ask();
    answer(OUTCOME_GRANTED);
    f.fit = true;
}

static const struct {
    void (*change)(void);
    bool starts_anew;
} changes[] = {
    {change_nothing, false},
    {change_by_the_longest_pause, false},
    {change_by_a_gap, true},
    {change_nonce, true},
    {change_term, true},
    {change_timeline, true},
    {change_system, true},
    {change_connection, true},
    {change_by_an_unfit_question, true},
};

START_TEST(observation_starts_anew)
{
    usec_t seen = first_seen(), again;

    observe_until(seen + 5 * SEC, P);
    f.now += MSEC;
    changes[_i].change();
    look_asked_at(f.now);
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    f.now += MSEC;
    answer(OUTCOME_GRANTED);
    again = changes[_i].starts_anew ? f.now : seen;
    observe_until(again + L - 1, P);
    ck_assert_uint_eq(member_due(&f.m), again + L);
    look_asked_at(f.now);
    f.now = again + L;
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}
END_TEST

/* After a gap the lease may have run out on the clock: nobody looked, so it proves nothing. */
START_TEST(no_claim_after_a_gap)
{
    usec_t seen = first_seen();

    observe_until(seen + L - SEC, P);
    f.now = f.m.seen_at + L / 2 + (usec_t)_i;
    look_asked_at(f.now);
    ask();
    ck_assert(asks(_i ? OPERATION_OBSERVE : OPERATION_CLAIM));
    ck_assert(f.now > seen + L);
}
END_TEST

START_TEST(unknown_reply_is_no_observation)
{
    usec_t seen = first_seen(), last = f.now;

    f.now += P;
    ask();
    f.now += P;
    answer(OUTCOME_UNKNOWN);
    ck_assert_uint_eq(f.m.seen_at, last);
    ck_assert_uint_eq(f.m.seen_since, seen);
    ck_assert(f.m.observed);
    ck_assert_uint_gt(member_due(&f.m), f.now);
}
END_TEST

START_TEST(reply_without_a_record_is_no_observation)
{
    ask();
    answer_without_record(OUTCOME_GRANTED);
    ck_assert(!f.m.observed);
    ck_assert_uint_gt(member_due(&f.m), f.now);
}
END_TEST

START_TEST(claims_what_is_clean_at_once)
{
    free_record();
    first_seen();
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(f.u.request.rests_on_clean);
}
END_TEST

/* Clean, but of another history of the arbiter. */
START_TEST(observes_what_is_clean_but_not_claimable)
{
    usec_t seen;

    f.row.clean = true;
    seen = first_seen();
    observe_until(seen + L - 1, P);
    look_asked_at(f.now);
    f.now = seen + L;
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(!f.u.request.rests_on_clean);
}
END_TEST

START_TEST(claim_names_what_was_observed)
{
    usec_t seen;

    /* A term of this group that was seen once and lost by a failover is never used again. */
    f.row.term = TERM + 100;
    first_seen();
    f.row.term = TERM;
    f.now += SEC;
    ask();
    answer(OUTCOME_GRANTED);
    seen = f.now;
    observe_until(seen + L - 1, P);
    look_asked_at(f.now);
    f.now = seen + L;
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    const struct request *q = &f.u.request;
    ck_assert_uint_eq(q->expected_term, TERM);
    ck_assert_mem_eq(&q->expected_nonce, &f.row.nonce, sizeof q->expected_nonce);
    ck_assert_mem_ne(&q->fresh_nonce, &f.row.nonce, sizeof q->fresh_nonce);
    ck_assert_uint_eq(q->epoch.system_id, 7);
    ck_assert_uint_eq(q->epoch.timeline, 1);
    ck_assert_uint_eq(q->term_floor, TERM + 101);
    ck_assert(!q->rests_on_clean);
    ck_assert_uint_eq(q->lease, L);
    ck_assert_uint_eq(q->stop, S);
    ck_assert_uint_eq(q->duration, D);
}
END_TEST

/* ---- this host's part in a claim ---- */

static void lack_answer(void)
{
    f.host.keeper = LOCAL_KEEPER_UNKNOWN;
}
static void lack_rest(void)
{
    f.host.keeper = LOCAL_KEEPER_BUSY;
}
static void lack_dead_units(void)
{
    f.host.units_dead = false;
}
static void lack_empty_slice(void)
{
    f.host.slice_empty = false;
}
static void lack_guards(void)
{
    f.host.guarded = false;
}
static void (*const lacks[])(void) = {lack_answer, lack_rest, lack_dead_units, lack_empty_slice,
                                      lack_guards};

START_TEST(claims_only_when_the_host_is_ready)
{
    free_record();
    lacks[_i]();
    look();
    ck_assert(!member_ready(&f.m, f.now));
    first_seen();
    ck_assert_uint_gt(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_uint_gt(member_due(&f.m), f.now);
    look();
    ck_assert_uint_gt(member_due(&f.m), f.now);

    all_dead(); /* and as soon as it is, the claim is not kept waiting for the next poll */
    look();
    ck_assert(member_ready(&f.m, f.now));
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}
END_TEST

/* PID 1 that does not answer is not ready. */
START_TEST(claims_on_a_fresh_look_only)
{
    usec_t asked;

    free_record();
    look();
    asked = f.now;
    first_seen();
    f.now = asked + 2 * P + SEC + (usec_t)_i;
    ck_assert_int_eq(member_ready(&f.m, f.now), _i == 0);
    ask();
    ck_assert(asks(_i ? OPERATION_OBSERVE : OPERATION_CLAIM));
    ck_assert(does(ACTION_LOOK));
}
END_TEST

START_TEST(never_ready_without_a_look)
{
    member_init(&f.m, ME);
    resume(L, S);
    ck_assert(!member_ready(&f.m, 1));
}
END_TEST

START_TEST(waits_for_a_slot)
{
    free_record();
    first_seen();
    f.may_claim = false;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_uint_eq(member_due(&f.m), f.now + 50 * MSEC);
    f.may_claim = true;
    f.now += 50 * MSEC;
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}
END_TEST

START_TEST(unfit_clock_claims_nothing)
{
    free_record();
    first_seen();
    f.fit = false;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    f.fit = true;
    answer(OUTCOME_GRANTED);
    ck_assert(!f.m.observed);
    f.now = member_due(&f.m);
    ck_assert_uint_gt(f.now, f.m.sent_at + P / 2);
    ck_assert_uint_eq(f.m.not_before, f.m.sent_at + P);
    ask(); /* what the clock that was unfit has seen does not count */
    ck_assert(asks(OPERATION_OBSERVE));
}
END_TEST

START_TEST(stopped_standby_asks_nothing)
{
    event(EVENT_STOP);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    ck_assert(member_settled(&f.m));
    ck_assert_int_eq(f.m.reason, REASON_STOPPED);
    ask();
    ck_assert_uint_eq(f.u.actions, 0);
    event(EVENT_HINT);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    resume(L, S);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ck_assert_int_eq(f.m.reason, REASON_NONE);
    ck_assert(!member_settled(&f.m));
}
END_TEST

/* Nothing is over before PID 1 has said that nothing runs here. */
START_TEST(settled_by_the_word_of_pid1)
{
    if (_i == 0) {
        member_init(&f.m, ME);
        resume(L, S);
        event(EVENT_STOP);
        ck_assert_uint_eq(f.u.actions, ACTION_LOOK);
        ck_assert(!member_settled(&f.m));
    } else {
        event(EVENT_STOP);
        ck_assert(member_settled(&f.m));
        lacks[_i - 1]();
        look();
        ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
        ck_assert_int_eq(member_settled(&f.m), lacks[_i - 1] == lack_guards);
        all_dead();
    }
    look();
    ck_assert(member_settled(&f.m));
}
END_TEST

/* Stopped with a question under way: what is answered then must lead to nothing. */
START_TEST(stopped_while_asking)
{
    ask();
    event(EVENT_STOP);
    ck_assert(!member_settled(&f.m));
    free_record();
    own(&f.row, ME);
    f.row.clean = f.row.claimable = false;
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert(member_settled(&f.m));
}
END_TEST

/* ---- the claim's answer ---- */

START_TEST(deadline_counts_from_the_send)
{
    usec_t t0 = claiming();

    f.m.reason = REASON_DENIED; /* of the term before */
    f.now = t0 + 3 * SEC;
    grant();
    ck_assert_int_eq(f.m.reason, REASON_NONE);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(f.u.actions, ACTION_TICKET | ACTION_LOOK);
    ck_assert_int_eq(f.u.note, NOTE_STARTING);
    ck_assert_uint_eq(f.m.term, TERM + 1);
    ck_assert_uint_eq(f.m.deadline, t0 + D);
    ck_assert_uint_eq(f.m.lease, L);
    ck_assert_uint_eq(f.m.stop, S);
    ck_assert_uint_eq(f.m.duration, D);
    ck_assert_uint_eq(member_wake(&f.m), t0 + D);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    ck_assert(!member_leads(&f.m));
}
END_TEST

/* Less than half of D left is too little to start anything: given back instead. */
START_TEST(late_claim_is_given_back)
{
    usec_t t0 = claiming();

    f.now = t0 + D / 2 - 1 + (usec_t)_i;
    look();
    f.now--;
    grant();
    if (_i == 0) {
        ck_assert_int_eq(f.m.state, MEMBER_STARTING);
        return;
    }
    assert_ends(REASON_LATE);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_uint_eq(f.u.request.term, TERM + 1);
    ck_assert_mem_eq(&f.u.request.expected_nonce, &f.row.nonce, sizeof f.row.nonce);
}
END_TEST

START_TEST(claim_granted_after_the_stop)
{
    claiming();
    event(EVENT_STOP);
    ck_assert(!member_settled(&f.m));
    grant();
    assert_ends(REASON_STOPPED);
}
END_TEST

START_TEST(claim_granted_when_the_host_is_not_ready_any_more)
{
    claiming();
    lacks[_i]();
    look();
    grant();
    assert_ends(REASON_LOCAL);
    ck_assert(f.m.release);
}
END_TEST

START_TEST(claim_granted_with_numbers_that_do_not_hold)
{
    claiming();
    do_it();
    f.row.duration += SEC;
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_LOCAL);
}
END_TEST

/* Refused although nothing moved: somebody has it locked, for who knows how long. */
START_TEST(refused_claim_is_held_back)
{
    usec_t wait = P / 4;

    claiming();
    if (_i == 1) {
        f.row.nonce = next_nonce();
        wait = 50 * MSEC;
    } else if (_i == 2) {
        f.row.term++;
        wait = 50 * MSEC;
    }
    answer(OUTCOME_DENIED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.m.not_before, f.now + wait);
    ck_assert_uint_eq(member_due(&f.m), f.now + wait);
    look_asked_at(f.now);
    ck_assert_uint_eq(member_due(&f.m), f.now + wait);
    f.now += wait - 1;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    f.now++;
    answer(OUTCOME_GRANTED);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
}
END_TEST

START_TEST(unknown_claim_is_held_back)
{
    claiming();
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.m.not_before, f.now + P / 4);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
    ck_assert_uint_eq(f.u.actions, 0);
}
END_TEST

/* Reading is no acknowledgement: only the renewal gives a deadline, counted from its own send. */
START_TEST(own_claim_is_confirmed_by_a_renewal)
{
    usec_t t0;

    confirming();
    ck_assert_uint_eq(f.u.actions & (unsigned)(ACTION_TICKET | ACTION_EXTEND), 0);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ck_assert_uint_eq(member_wake(&f.m), USEC_INFINITY);
    f.now += SEC;
    look();
    t0 = f.now;
    ask();
    ck_assert(asks(OPERATION_RENEW));
    ck_assert_uint_eq(f.u.request.term, TERM + 1);
    ck_assert(does(ACTION_LOOK));
    f.now += SEC;
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert(does(ACTION_TICKET));
    ck_assert_uint_eq(f.m.deadline, t0 + D);
    ck_assert(!f.m.claim_open);
}
END_TEST

START_TEST(confirmation_refused)
{
    confirming();
    ask();
    own(&f.row, OTHER);
    f.row.term++;
    answer(OUTCOME_DENIED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.over_term, TERM + 1);
}
END_TEST

START_TEST(confirmation_unknown)
{
    confirming();
    ask();
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
}
END_TEST

START_TEST(confirmation_by_an_unfit_clock)
{
    confirming();
    f.fit = false;
    ask();
    ck_assert(!does(ACTION_REQUEST));
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
}
END_TEST

START_TEST(confirmation_stopped)
{
    confirming();
    look();
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
    event(EVENT_CLOCK);
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
    ck_assert_uint_eq(f.m.lease, L);
    ck_assert_uint_eq(f.m.stop, S);
    event(EVENT_STOP);
    assert_ends(REASON_STOPPED);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_mem_eq(&f.u.request.expected_nonce, &f.row.nonce, sizeof f.row.nonce);
}
END_TEST

/* The record names us with a nonce that is not our last claim's: an earlier life's. */
START_TEST(record_of_an_earlier_life_is_given_back)
{
    own(&f.row, ME);
    first_seen();
    assert_ends(REASON_ORPHAN);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_uint_eq(f.u.request.term, TERM);
    ck_assert_mem_eq(&f.u.request.expected_nonce, &f.row.nonce, sizeof f.row.nonce);
}
END_TEST

START_TEST(claim_of_other_nonce_is_not_confirmed)
{
    claiming();
    do_it();
    answer(OUTCOME_UNKNOWN);
    f.row.nonce = next_nonce();
    f.now += 100 * MSEC;
    ask();
    answer(OUTCOME_GRANTED);
    assert_ends(REASON_ORPHAN);
}
END_TEST

/* The next claim is refused, for the last one had been granted after all. */
START_TEST(claim_of_unknown_outcome_refuses_the_next)
{
    claiming();
    do_it();
    answer(OUTCOME_UNKNOWN);
    f.now = f.m.not_before;
    look();
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    answer(OUTCOME_DENIED);
    ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
}
END_TEST

/* A failover that lost writes shows our claim again, and not the later term of another. */
START_TEST(claim_of_an_older_history_is_not_confirmed)
{
    if (_i == 0) {
        claiming();
        do_it();
        answer(OUTCOME_UNKNOWN);
        f.epoch.timeline++;
        f.now += 100 * MSEC;
        ask();
        answer(OUTCOME_GRANTED);
    } else { /* between the look and the renewal */
        confirming();
        f.now += 100 * MSEC;
        look();
        ask();
        f.epoch.timeline++;
        grant();
        ck_assert(!does(ACTION_TICKET));
    }
    assert_ends(REASON_ORPHAN);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_mem_eq(&f.u.request.expected_nonce, &f.row.nonce, sizeof f.row.nonce);
}
END_TEST

/* What a keeper left shows that there was a later timeline than this server's. */
START_TEST(replaced_server_is_not_claimed_from)
{
    static const struct {
        uint64_t timeline, row;
        bool claims;
    } cases[] = {
        {1, 1, false}, /* the old primary */
        {2, 1, true},  /* its successor */
        {1, 2, true},  /* a copy of the successor's, in a new server */
        {1, 0, true},  /* an empty table */
    };

    f.m.highest_term = (UINT64_C(2) << TERM_TIMELINE_SHIFT) + 1;
    f.epoch.timeline = cases[_i].timeline;
    f.row.term = cases[_i].row << TERM_TIMELINE_SHIFT;
    f.row.clean = f.row.claimable = true;
    first_seen();
    look();
    step((struct member_event){.type = EVENT_HINT,
                               .told = &(struct told){.term = f.row.term, .nonce = f.row.nonce}});
    ask();
    ck_assert(asks(cases[_i].claims ? OPERATION_CLAIM : OPERATION_OBSERVE));
    if (cases[_i].claims) {
        ck_assert_uint_gt(f.u.request.term_floor, f.m.highest_term);
        ck_assert_uint_eq(member_replaced_by(&f.m), 0);
        return;
    }
    answer(OUTCOME_GRANTED);
    ck_assert_uint_gt(member_due(&f.m), f.now + P / 2);
    ck_assert_uint_eq(member_replaced_by(&f.m), 2);
}
END_TEST

START_TEST(claim_of_a_term_that_ended_is_not_confirmed)
{
    releasing();
    ask();
    grant();
    resume(L, S);
    f.now += SEC;
    claiming();
    do_it();
    answer(OUTCOME_UNKNOWN);
    f.row.term = f.m.over_term + (usec_t)_i; /* an arbiter that lost rows */
    f.now += 100 * MSEC;
    ask();
    answer(OUTCOME_GRANTED);
    if (_i == 1)
        ck_assert_int_eq(f.m.state, MEMBER_CONFIRMING);
    else
        assert_ends(REASON_ORPHAN);
}
END_TEST

/* Its keeper may live: no answer of PID 1, no judgement. */
START_TEST(record_of_an_earlier_life_waits_for_pid1)
{
    own(&f.row, ME);
    if (_i == 0)
        f.now += 2 * P + 2 * SEC; /* the last look is stale */
    else {
        f.host.keeper = _i == 1 ? LOCAL_KEEPER_UNKNOWN : LOCAL_KEEPER_BUSY;
        look();
    }
    first_seen();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_gt(member_due(&f.m), f.now);
}
END_TEST

/* Ours and not clean is never observed away: it is confirmed, adopted or released. */
START_TEST(own_record_is_never_claimed)
{
    usec_t seen;

    own(&f.row, ME);
    f.host.keeper = LOCAL_KEEPER_UNKNOWN;
    look();
    seen = first_seen();
    observe_until(seen + 3 * L, P);
    f.row.clean = f.row.claimable = true;
    all_dead();
    look();
    ask();
    answer(OUTCOME_GRANTED);
    ask(); /* clean is another matter */
    ck_assert(asks(OPERATION_CLAIM));
}
END_TEST

/* ---- starting ---- */

START_TEST(leads_when_the_keeper_is_active)
{
    usec_t t0 = starting();

    started(0);
    ck_assert(does(ACTION_LOOK));
    keeper_lives(f.m.term);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_int_eq(f.u.note, NOTE_LEADING);
    ck_assert(member_leads(&f.m));
    ck_assert_uint_eq(member_due(&f.m), t0 + P);
    ck_assert_uint_eq(member_wake(&f.m), t0 + D);
}
END_TEST

/* The keeper may be active before PID 1's answer to StartUnit is read. */
START_TEST(leads_without_the_answer_of_start_unit)
{
    starting();
    keeper_lives(f.m.term);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    started(-EEXIST);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
}
END_TEST

START_TEST(keeper_of_another_term_is_not_the_one_that_was_started)
{
    starting();
    keeper_lives(f.m.term + 1);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    keeper_lives(f.m.term);
    f.host.keeper = LOCAL_KEEPER_BUSY;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
}
END_TEST

/* What was asked before the ticket was out says nothing about it. */
START_TEST(look_from_before_the_ticket)
{
    starting();
    keeper_lives(f.m.term);
    look_asked_at(f.m.since + (usec_t)_i);
    ck_assert_int_eq(f.m.state, _i ? MEMBER_LEADING : MEMBER_STARTING);
}
END_TEST

START_TEST(keeper_that_did_not_come_up)
{
    usec_t yes;

    starting();
    f.now += 10 * MSEC;
    look(); /* gone, but PID 1 has not said yet that it took the job */
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    f.now += 10 * MSEC;
    yes = f.now;
    started(0);
    f.now += 10 * MSEC;
    look_asked_at(yes);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    f.host.keeper = LOCAL_KEEPER_BUSY;
    look_asked_at(yes + 1);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    f.host.keeper = LOCAL_KEEPER_GONE;
    look_asked_at(yes + 1);
    assert_ends(REASON_START_FAILED);
}
END_TEST

START_TEST(start_refused)
{
    starting();
    started(-EACCES);
    assert_ends(REASON_START_FAILED);
    ck_assert(f.m.release);
}
END_TEST

/* No answer is no refusal: PID 1 may have the job. What it says two seconds later decides. */
START_TEST(start_not_answered)
{
    usec_t t0 = starting(), gave_up;

    f.now += SEC;
    gave_up = f.now;
    started(-ETIMEDOUT);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(f.u.actions, ACTION_LOOK);
    f.now = gave_up + 2 * SEC;
    look_asked_at(f.now);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(member_wake(&f.m), f.now + 1);
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, 0);
    f.now++;
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, ACTION_LOOK); /* once */
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(member_wake(&f.m), t0 + D);
    if (_i == 1) {
        keeper_lives(f.m.term);
        look_asked_at(f.now);
        ck_assert_int_eq(f.m.state, MEMBER_LEADING);
        return;
    }
    look_asked_at(f.now);
    assert_ends(REASON_START_FAILED);
}
END_TEST

/* PID 1 says nothing at all: the deadline decides. */
START_TEST(start_never_answered)
{
    usec_t t0 = starting();

    f.host.keeper = LOCAL_KEEPER_UNKNOWN;
    started(_i == 0 ? 0 : -ETIMEDOUT);
    look();
    if (_i == 1) {
        f.now = member_wake(&f.m);
        event(EVENT_CLOCK);
    }
    f.now = t0 + D - 1;
    look_asked_at(f.now);
    event(EVENT_CLOCK);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(f.u.actions, 0);
    f.now++;
    event(EVENT_CLOCK);
    assert_ends(REASON_START_FAILED);
}
END_TEST

/* PID 1 was not even asked: no start has failed, and nobody waits longer for it. */
START_TEST(start_not_asked)
{
    starting();
    started(-EAGAIN);
    assert_ends(REASON_LOCAL);
    ck_assert_uint_eq(f.m.failed_starts, 0);
    ck_assert(f.m.release);
}
END_TEST

/* The bus broke, with the call or its answer: PID 1's own word on what became of it counts. */
START_TEST(start_lost_with_the_bus)
{
    starting();
    f.now += SEC;
    started(-ECONNRESET);
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    ck_assert_uint_eq(f.u.actions, ACTION_LOOK);
    if (_i == 0) {
        look();
        assert_ends(REASON_START_FAILED);
        return;
    }
    look_asked_at(f.now); /* asked when it broke */
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    f.host.keeper = LOCAL_KEEPER_BUSY;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    keeper_lives(f.m.term);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
}
END_TEST

/* No second ticket, no renewal and no claim while the first is out. */
START_TEST(asks_nothing_while_starting)
{
    starting();
    event(EVENT_CONNECTED);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    event(EVENT_HINT);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    ask();
    ck_assert_uint_eq(f.u.actions, 0);
    event(EVENT_STOP);
    assert_ends(REASON_STOPPED);
}
END_TEST

static void fail_to_start(void)
{
    starting();
    started(-EACCES);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
}

/* 2 L, 4 L, … until ten minutes. */
START_TEST(failed_starts_back_off)
{
    for (unsigned n = 1; n <= 40; n++) {
        usec_t wait = n >= 6 ? 600 * SEC : L << n;

        fail_to_start();
        ck_assert_uint_eq(f.m.not_before, f.now + wait);
        f.now += wait;
    }
    f.now -= 200 * MSEC;
    look();
    first_seen();
    ck_assert_uint_eq(member_due(&f.m), f.m.not_before);
    f.now = f.m.not_before - 1;
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_uint_eq(f.m.failed_starts, 40);
    event(EVENT_CONNECTED);
    leading();
    ck_assert_uint_eq(f.m.failed_starts, 0);
    event(EVENT_STOP);
    proven_dead();
    ask();
    grant();
    ck_assert_uint_eq(f.m.not_before, f.now + 300 * MSEC);
}
END_TEST

/* ---- leading ---- */

START_TEST(renewal_extends_from_its_send)
{
    usec_t t0 = leading();
    struct nonce fresh;

    f.now = member_due(&f.m);
    ck_assert_uint_eq(f.now, t0 + P);
    t0 = f.now;
    ask();
    ck_assert(asks(OPERATION_RENEW));
    ck_assert_uint_eq(f.u.request.term, TERM + 1);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    fresh = f.u.request.fresh_nonce;
    f.now += 2 * SEC;
    f.random = (uint32_t)_i;
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(f.u.actions, ACTION_EXTEND);
    ck_assert_uint_eq(f.m.deadline, t0 + D);
    ck_assert_mem_eq(&f.m.nonce, &fresh, sizeof fresh);
    /* Jittered by a tenth, never beyond p. */
    ck_assert_uint_le(member_due(&f.m), t0 + P);
    ck_assert_uint_ge(member_due(&f.m), t0 + P - P / 10);
    ck_assert_int_eq(member_due(&f.m) == t0 + P, _i % 1024 == 0);
}
END_TEST

START_TEST(renewal_that_took_longer_than_the_interval)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    f.now += P + 1;
    grant();
    ck_assert_uint_eq(member_due(&f.m), f.now);
}
END_TEST

START_TEST(unknown_renewal_changes_nothing)
{
    usec_t t0 = leading();
    struct nonce nonce = f.m.nonce;

    f.now = member_due(&f.m);
    ask();
    do_it(); /* it may have been done nevertheless */
    f.now += SEC;
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.deadline, t0 + D);
    ck_assert_mem_eq(&f.m.nonce, &nonce, sizeof nonce);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
}
END_TEST

START_TEST(acknowledged_after_the_deadline)
{
    usec_t t0 = leading();

    f.now = member_due(&f.m);
    ask();
    f.now = t0 + D - 1 + (usec_t)_i;
    grant();
    if (_i == 0) {
        ck_assert_int_eq(f.m.state, MEMBER_LEADING);
        ck_assert(does(ACTION_EXTEND));
        return;
    }
    assert_ends(REASON_DEADLINE);
    ck_assert_uint_eq(f.m.deadline, t0 + D);
}
END_TEST

START_TEST(deadline_passes)
{
    usec_t t0 = leading();

    f.now = t0 + D - 1;
    event(EVENT_CLOCK);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(f.u.actions, 0);
    f.now++;
    event(EVENT_CLOCK);
    assert_ends(REASON_DEADLINE);
}
END_TEST

static void renewed_while_the_arbiters_clock_gains(usec_t gained)
{
    f.ahead = 1700000000 * SEC;
    leading();
    f.now = member_due(&f.m);
    ask();
    f.ahead += gained;
    grant();
}

/* Renewed, and given up all the same: by these clocks no deadline can be kept. */
START_TEST(a_pause_that_our_clock_did_not_see)
{
    renewed_while_the_arbiters_clock_gains(3 * SEC);
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    ck_assert_int_eq(f.m.reason, REASON_PAUSED);
    ck_assert_int_eq(f.u.note, NOTE_ENDING);
    ck_assert(does(ACTION_END));
    ck_assert(!does(ACTION_EXTEND));
    /* It is given back, so that others need not wait; and they go first. */
    f.host.keeper = LOCAL_KEEPER_GONE;
    f.host.keeper_term = 0;
    f.host.units_dead = f.host.slice_empty = true;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.m.not_before, f.now + 2 * P);
}
END_TEST

static const struct {
    usec_t gained;
    enum member_note note;
} no_pauses[] = {
    {-(3600 * SEC), NOTE_NONE},
    {0, NOTE_NONE},
    {PAUSE_MARGIN_USEC, NOTE_NONE},
    {3600 * SEC, NOTE_STEP},
};

START_TEST(a_clock_that_is_set_is_no_pause)
{
    renewed_while_the_arbiters_clock_gains(no_pauses[_i].gained);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_int_eq(f.u.note, no_pauses[_i].note);
    ck_assert_uint_eq(f.u.actions, ACTION_EXTEND);
}
END_TEST

/* Who does not lead has nothing to lose by it: longer than it believes is the safe direction. */
START_TEST(a_pause_of_a_standby)
{
    f.ahead = 1700000000 * SEC;
    first_seen();
    f.ahead += 3 * SEC;
    f.now = member_due(&f.m);
    ask();
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_NONE);
    ck_assert_int_eq(f.m.reason, REASON_NONE);
}
END_TEST

START_TEST(renewal_refused)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    own(&f.row, OTHER);
    f.row.term++;
    answer(OUTCOME_DENIED);
    assert_ends(REASON_DENIED);
    proven_dead(); /* it is another's: nothing to release */
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_LOST);
    ck_assert_uint_eq(f.m.over_term, TERM + 1);
}
END_TEST

static void lose_keeper(void)
{
    all_dead();
}
static void lose_state(void)
{
    f.host.keeper_term = 0;
}
static void find_other_keeper(void)
{
    f.host.keeper_term++;
}
static void lose_pid1(void)
{
    f.host.keeper = LOCAL_KEEPER_UNKNOWN;
    f.host.keeper_term = 0;
}
static void lose_guards(void)
{
    f.host.guarded = false;
}
static void lose_units(void) /* an administrator stopped them all */
{
    f.host.units_dead = f.host.slice_empty = true;
}

static const struct {
    void (*lose)(void);
    bool ends;
} losses[] = {
    {change_nothing, false}, {lose_keeper, true},  {lose_state, true},  {find_other_keeper, true},
    {lose_pid1, false},      {lose_guards, false}, {lose_units, false},
};

START_TEST(keeper_lost)
{
    leading();
    losses[_i].lose();
    look_asked_at(f.m.since); /* asked before it led */
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    f.now++;
    look_asked_at(f.m.since + 1);
    if (losses[_i].ends)
        assert_ends(REASON_KEEPER_LOST);
    else {
        ck_assert_int_eq(f.m.state, MEMBER_LEADING);
        ck_assert_uint_eq(f.u.actions, 0);
    }
}
END_TEST

/* The keeper noticed first. */
START_TEST(keeper_gone_at_the_deadline)
{
    usec_t t0 = leading();

    lose_keeper();
    f.now = t0 + D - 1 + (usec_t)_i;
    look_asked_at(f.now);
    assert_ends(_i ? REASON_DEADLINE : REASON_KEEPER_LOST);
}
END_TEST

START_TEST(unfit_clock_renews_nothing)
{
    usec_t t0 = leading();

    f.fit = false;
    f.now = member_due(&f.m);
    ask();
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
    ck_assert_uint_eq(f.m.deadline, t0 + D);
    f.fit = true;
    ask();
    ck_assert(asks(OPERATION_RENEW));
}
END_TEST

/* A term keeps the numbers it was claimed with. */
START_TEST(new_budget_counts_from_the_next_claim)
{
    leading();
    usec_t old_d = f.m.duration, t0;

    resume(30 * SEC, 2 * SEC);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_ne(D, old_d);
    ck_assert_uint_eq(member_limit(&f.m), old_d / 4);
    f.now = member_due(&f.m);
    t0 = f.now;
    ask();
    grant();
    ck_assert_uint_eq(f.m.deadline, t0 + old_d);
    ck_assert_uint_eq(f.m.lease, L);
    ck_assert_uint_eq(member_due(&f.m), t0 + old_d / 4);
    event(EVENT_STOP);
    proven_dead();
    ask();
    grant();
    ck_assert_uint_eq(member_limit(&f.m), P);
}
END_TEST

START_TEST(renews_at_once_after_a_reconnect)
{
    leading();
    ck_assert_uint_gt(member_due(&f.m), f.now);
    event(EVENT_CONNECTED);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
}
END_TEST

START_TEST(led_down)
{
    leading();
    event(EVENT_STOP);
    assert_ends(REASON_STOPPED);
    ck_assert(!member_leads(&f.m));
    ck_assert(!member_settled(&f.m));
}
END_TEST

/* ---- adoption ---- */

START_TEST(adopts_a_live_keeper)
{
    usec_t t0;

    f.m.reason = REASON_DENIED; /* of the term before */
    adopting();
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.term, TERM);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ck_assert_uint_eq(member_wake(&f.m), f.host.keeper_deadline);
    ck_assert(member_leads(&f.m));
    t0 = f.now;
    ask();
    ck_assert(asks(OPERATION_RENEW));
    ck_assert_uint_eq(f.u.request.term, TERM);
    f.now += SEC;
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(f.u.actions, ACTION_EXTEND);
    ck_assert_int_eq(f.u.note, NOTE_ADOPTED);
    ck_assert_int_eq(f.m.reason, REASON_NONE);
    ck_assert_uint_eq(f.m.deadline, t0 + 8670000);
    ck_assert_uint_eq(member_due(&f.m), t0 + 8670000 / 4);
    event(EVENT_STOP); /* the renewal has told the nonce */
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
}
END_TEST

START_TEST(adoption_answered_after_the_end)
{
    adopting();
    ask();
    event(EVENT_STOP);
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    proven_dead();
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_mem_eq(&f.u.request.expected_nonce, &f.row.nonce, sizeof f.row.nonce);
}
END_TEST

/* All numbers are the keeper's. */
START_TEST(adopts_the_keepers_numbers)
{
    usec_t t0 = f.now + 1;

    own(&f.row, ME);
    keeper_lives(TERM);
    f.host.keeper_lease = 30 * SEC;
    f.host.keeper_stop = 7 * SEC;
    f.host.keeper_duration = 12 * SEC;
    f.host.keeper_deadline = t0 + 13 * SEC; /* a deadline never goes back */
    look();
    ck_assert_uint_eq(f.m.lease, 30 * SEC);
    ck_assert_uint_eq(f.m.stop, 7 * SEC);
    ck_assert_uint_eq(member_limit(&f.m), 3 * SEC);
    ask();
    grant();
    ck_assert_uint_eq(f.m.deadline, t0 + 13 * SEC);
    f.now = member_due(&f.m);
    ask();
    grant();
    ck_assert_uint_eq(f.m.deadline, t0 + 3 * SEC + 12 * SEC);
}
END_TEST

static void keeper_of_another_owner(void)
{
    f.host.keeper_ours = false;
}
static void keeper_at_its_deadline(void)
{
    f.host.keeper_deadline = f.now + 1; /* the time of the look */
}
static void keeper_just_before_its_deadline(void)
{
    f.host.keeper_deadline = f.now + 2;
}
static void keeper_of_a_term_that_ended(void)
{
    f.m.over_term = TERM;
}
static void keeper_of_a_later_term(void)
{
    f.m.over_term = TERM - 1;
}

static const struct {
    void (*make)(void);
    bool adopted, ours;
} found[] = {
    {keeper_just_before_its_deadline, true, true}, {keeper_of_a_later_term, true, true},
    {keeper_of_another_owner, false, false},       {keeper_at_its_deadline, false, true},
    {keeper_of_a_term_that_ended, false, true},
};

START_TEST(adopts_only_what_is_its_own)
{
    own(&f.row, ME);
    keeper_lives(TERM);
    found[_i].make();
    look();
    if (found[_i].adopted) {
        ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
        return;
    }
    assert_ends(REASON_FOREIGN_KEEPER);
    ck_assert_uint_eq(f.m.term, TERM); /* which END names */
    proven_dead();
    ck_assert_int_eq(f.m.state, found[_i].ours ? MEMBER_RELEASING : MEMBER_STANDBY);
    if (!found[_i].ours)
        ck_assert_int_eq(f.u.note, NOTE_LOST);
}
END_TEST

/* One that begins or ends by itself is neither adopted nor ended. */
START_TEST(keeper_on_its_way_is_left_alone)
{
    keeper_lives(TERM);
    if (_i == 0)
        f.host.keeper = LOCAL_KEEPER_BUSY;
    else if (_i == 1)
        f.host.keeper_term = 0;
    else
        f.host.keeper = LOCAL_KEEPER_UNKNOWN;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.u.actions, 0);
}
END_TEST

START_TEST(adoption_refused)
{
    adopting();
    ask();
    own(&f.row, OTHER);
    answer(OUTCOME_DENIED);
    assert_ends(REASON_DENIED);
    ck_assert(!f.m.release);
}
END_TEST

/* No answer: the keeper's old deadline rules, then the record is read for its nonce first. */
START_TEST(adoption_unknown)
{
    usec_t deadline;

    adopting();
    deadline = f.m.deadline;
    ask();
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.deadline, deadline);
    f.now = deadline - 1;
    event(EVENT_CLOCK);
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
    f.now++;
    event(EVENT_CLOCK);
    assert_ends(REASON_DEADLINE);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_mem_eq(&f.u.request.expected_nonce, &f.row.nonce, sizeof f.row.nonce);
}
END_TEST

/* An answer to a mere look proves nothing, even though it names this node. */
START_TEST(reading_is_no_adoption)
{
    ask();
    adopting();
    answer(OUTCOME_GRANTED);
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(member_due(&f.m), f.now);
}
END_TEST

START_TEST(stopped_member_ends_what_it_finds)
{
    event(EVENT_STOP);
    own(&f.row, ME);
    keeper_lives(TERM);
    look();
    assert_ends(REASON_STOPPED);
    ck_assert_uint_eq(f.m.term, TERM);
    ck_assert(f.m.release);
}
END_TEST

START_TEST(adopting_keeper_lost_or_stopped)
{
    adopting();
    if (_i == 0) {
        event(EVENT_STOP);
        assert_ends(REASON_STOPPED);
        return;
    }
    all_dead();
    look();
    assert_ends(REASON_KEEPER_LOST);
}
END_TEST

/* A keeper seen while a claim is under way is judged when its answer is there. */
START_TEST(keeper_found_while_claiming)
{
    claiming();
    keeper_lives(TERM);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_uint_eq(f.u.actions, 0);
    grant();
    assert_ends(REASON_LOCAL);
}
END_TEST

/* ---- ending ---- */

START_TEST(keeper_is_told_again)
{
    usec_t began;

    ending();
    began = f.now;
    ck_assert_uint_eq(member_wake(&f.m), began + 250 * MSEC);
    f.now = began + 250 * MSEC - 1;
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, 0);
    for (usec_t t = 250 * MSEC; t < SEC; t += 250 * MSEC) {
        f.now = began + t;
        event(EVENT_CLOCK);
        ck_assert_uint_eq(f.u.actions, ACTION_END | ACTION_LOOK);
        ck_assert_uint_eq(member_wake(&f.m), f.now + 250 * MSEC);
    }
    f.now = began + SEC; /* it does not listen: PID 1 shall stop it */
    if (_i == 1)
        f.host.keeper = LOCAL_KEEPER_BUSY; /* which it is doing already */
    look_asked_at(f.now - 1);
    event(EVENT_CLOCK);
    ck_assert_uint_eq(f.u.actions, (unsigned)(ACTION_END | ACTION_LOOK) |
                                       (_i == 1 ? 0u : (unsigned)ACTION_STOP_KEEPER));
}
END_TEST

/* Somebody started a unit in mid-stop: the keeper's start waits for the agent's end. */
START_TEST(a_start_that_waits_is_dropped)
{
    ending();
    f.host.keeper = LOCAL_KEEPER_BUSY;
    f.host.keeper_queued = true;
    look_asked_at(f.m.since); /* what was asked too early proves nothing */
    ck_assert_uint_eq(f.u.actions, 0);
    f.now += 10 * MSEC;
    look();
    ck_assert_uint_eq(f.u.actions, ACTION_STOP_KEEPER | ACTION_LOOK);
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
}
END_TEST

/* … or when the group was given back already, and the agent is about to end. */
START_TEST(a_start_that_waits_is_dropped_by_a_standby_that_ends)
{
    f.host.keeper = LOCAL_KEEPER_BUSY;
    f.host.keeper_queued = true;
    f.now += 10 * MSEC;
    look();
    ck_assert_uint_eq(f.u.actions, 0); /* it passes by itself */
    event(EVENT_STOP);
    f.now += 10 * MSEC;
    look();
    ck_assert_uint_eq(f.u.actions, ACTION_STOP_KEEPER | ACTION_LOOK);
    ck_assert(!member_settled(&f.m));
    f.host.keeper = LOCAL_KEEPER_GONE;
    f.host.keeper_queued = false;
    f.now += 10 * MSEC;
    look();
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert(member_settled(&f.m));
}
END_TEST

/* … or it took the place of that unit's stop. */
START_TEST(a_stop_that_was_undone_is_done_again)
{
    usec_t began;

    ending();
    began = f.m.since;
    f.host.keeper = LOCAL_KEEPER_BUSY;
    f.host.units_dead = false;
    f.host.units_stay = true;
    f.now = began + 100 * MSEC - 1; /* PID 1 may not have heard from the keeper yet */
    look_asked_at(f.now);
    ck_assert_uint_eq(f.u.actions, 0);
    f.now = began + 100 * MSEC;
    look();
    ck_assert_uint_eq(f.u.actions, ACTION_STOP_KEEPER | ACTION_LOOK);
    f.host.units_stay = false;
    look();
    ck_assert_uint_eq(f.u.actions, 0);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
}
END_TEST

static void (*const left_alive[])(void) = {lack_answer, lack_rest, lack_dead_units,
                                           lack_empty_slice, lose_guards};

/* All three must be dead. (Guards are about starting.) */
START_TEST(no_proof_while_something_lives)
{
    ending();
    f.now += SEC;
    all_dead();
    left_alive[_i]();
    look();
    ck_assert_int_eq(f.m.state, _i < 4 ? MEMBER_ENDING : MEMBER_RELEASING);
}
END_TEST

/* What was asked while the ticket lay there is no proof. */
START_TEST(no_proof_from_before_the_unlink)
{
    ending();
    all_dead();
    f.now += SEC;
    look_asked_at(f.m.since + (usec_t)_i);
    if (_i == 0) {
        ck_assert_int_eq(f.m.state, MEMBER_ENDING);
        ck_assert_uint_eq(f.u.actions, 0);
        return;
    }
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ck_assert_int_eq(f.u.note, NOTE_DEAD);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ck_assert_uint_eq(member_wake(&f.m), USEC_INFINITY);
}
END_TEST

/* Nothing takes an end back. */
START_TEST(end_is_for_good)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    event(EVENT_STOP);
    resume(L, S);
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    ck_assert_uint_eq(f.u.actions, 0);
    event(EVENT_CONNECTED);
    event(EVENT_HINT);
    started(0);
    started(-EACCES);
    look();
    event(EVENT_STOP);
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    ck_assert_uint_eq(f.m.failed_starts, 0);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    f.now += 2 * SEC;
    ask();
    ck_assert_uint_eq(f.u.actions, 0);
}
END_TEST

/* ---- releasing ---- */

START_TEST(releases_with_the_last_nonce)
{
    leading();
    f.now = member_due(&f.m);
    ask();
    grant();
    event(EVENT_STOP);
    proven_dead();
    f.fit = false; /* no clock is needed for it */
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_uint_eq(f.u.request.term, TERM + 1);
    ck_assert_mem_eq(&f.u.request.expected_nonce, &f.row.nonce, sizeof f.row.nonce);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, NOTE_RELEASED);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.not_before, f.now + 300 * MSEC); /* others go first */
    ck_assert_uint_eq(f.m.over_term, TERM + 1);
    ck_assert(member_settled(&f.m));
}
END_TEST

START_TEST(unknown_release_is_sent_again)
{
    releasing();
    ask();
    f.now += SEC;
    answer(OUTCOME_UNKNOWN);
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ck_assert_uint_eq(member_due(&f.m), f.now + P / 4);
    ck_assert(!member_settled(&f.m));
    event(EVENT_CONNECTED);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
}
END_TEST

/* What the record may be when a release is refused. */
START_TEST(refused_release)
{
    releasing();
    ask();
    f.row.nonce = next_nonce();
    if (_i == 0) { /* a renewal that was late has changed the nonce */
        answer(OUTCOME_DENIED);
        ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
        ck_assert_uint_eq(member_due(&f.m), f.now + 50 * MSEC);
        ask();
        ck_assert(asks(OPERATION_RELEASE));
        ck_assert_mem_eq(&f.u.request.expected_nonce, &f.row.nonce, sizeof f.row.nonce);
        return;
    }
    if (_i == 1) /* clean already */
        f.row.clean = true;
    else if (_i == 2)
        own(&f.row, OTHER);
    else if (_i == 3)
        f.row.term++;
    if (_i == 4) /* the record is no more */
        answer_without_record(OUTCOME_DENIED);
    else
        answer(OUTCOME_DENIED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    ck_assert_int_eq(f.u.note, _i == 1 ? NOTE_RELEASED : NOTE_LOST);
}
END_TEST

static void nonce_of_a_granted_renewal(void)
{
    grant();
}
static void nonce_of_an_unknown_renewal(void)
{
    answer(OUTCOME_UNKNOWN);
}
static void nonce_of_a_refused_renewal(void)
{
    answer(OUTCOME_DENIED);
}
static void nonce_of_another_term(void)
{
    f.row.term++;
    f.row.nonce = next_nonce();
    answer(OUTCOME_GRANTED);
}
static void nonce_of_another_owner(void)
{
    own(&f.row, OTHER);
    f.row.nonce = next_nonce();
    answer(OUTCOME_GRANTED);
}
static void (*const late_replies[])(void) = {
    nonce_of_a_granted_renewal, nonce_of_an_unknown_renewal, nonce_of_a_refused_renewal,
    nonce_of_another_term, nonce_of_another_owner};

/* A renewal was under way when the term ended: only its nonce still matters. _i: its answer comes
 * while ending; beyond, while releasing already. */
START_TEST(renewal_answered_after_the_end)
{
    size_t n = sizeof late_replies / sizeof *late_replies;
    struct nonce before, fresh;

    leading();
    before = f.m.nonce;
    f.now = member_due(&f.m);
    ask();
    fresh = f.request.fresh_nonce;
    event(EVENT_STOP);
    if ((size_t)_i >= n) {
        proven_dead();
        ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY); /* one request at a time */
    }
    late_replies[(size_t)_i % n]();
    if ((size_t)_i < n)
        proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ck_assert_uint_le(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_mem_eq(&f.u.request.expected_nonce, (size_t)_i % n == 0 ? &fresh : &before,
                     sizeof fresh);
}
END_TEST

/* Once given up, whatever the reply to the release: the term is over. */
START_TEST(term_that_ended_is_never_taken_up_again)
{
    releasing();
    ask();
    resume(L, S);
    own(&f.row, OTHER);
    answer(OUTCOME_DENIED);
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    own(&f.row, ME); /* a failover brought it back */
    f.now += SEC;
    if (_i == 0) {
        look();
        ask();
        answer(OUTCOME_GRANTED);
        assert_ends(REASON_ORPHAN);
    } else {
        keeper_lives(TERM + 1);
        f.host.keeper_deadline = f.now + 5 * SEC;
        look();
        assert_ends(REASON_FOREIGN_KEEPER);
    }
    proven_dead();
    ask();
    ck_assert(asks(_i == 0 ? OPERATION_RELEASE : OPERATION_OBSERVE));
}
END_TEST

START_TEST(nothing_but_the_release_matters_while_releasing)
{
    releasing();
    event(EVENT_CLOCK);
    event(EVENT_HINT);
    event(EVENT_STOP);
    started(0);
    keeper_lives(TERM + 1);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ck_assert_uint_eq(f.u.actions, 0);
    all_dead();
    resume(L, S);
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    grant();
    ck_assert(!member_settled(&f.m));
    f.now = f.m.not_before;
    look();
    ask();
    answer(OUTCOME_GRANTED);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert_uint_ge(f.u.request.term_floor, TERM + 2);
}
END_TEST

/* ---- hints, namesakes, strays ---- */

START_TEST(hint_makes_due)
{
    first_seen();
    f.now += 10 * MSEC;
    ck_assert_uint_gt(member_due(&f.m), f.now);
    event(EVENT_HINT);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    f.now += 10 * MSEC;
    if (_i == 1)
        event(EVENT_HINT); /* what is being answered may have been read before */
    answer(OUTCOME_GRANTED);
    if (_i == 0) {
        ck_assert_uint_gt(member_due(&f.m), f.now);
        return;
    }
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    answer(OUTCOME_GRANTED); /* once */
    ck_assert_uint_gt(member_due(&f.m), f.now);
}
END_TEST

START_TEST(hint_says_nothing_to_a_leader)
{
    leading();
    usec_t due = member_due(&f.m);

    event(EVENT_HINT);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(member_due(&f.m), due);
}
END_TEST

/* A notification, true or not. */
static void told(uint64_t term, const struct nonce *nonce)
{
    const struct told t = {.term = term, .nonce = *nonce};

    step((struct member_event){.type = EVENT_HINT, .told = &t});
}

/* The record as the leader gave it back: renewed since it was seen last. */
static void given_back(void)
{
    f.row.nonce = next_nonce();
    free_record();
    told(f.row.term, &f.row.nonce);
}

START_TEST(claims_at_once_what_is_told_to_be_free)
{
    first_seen();
    look();
    given_back();
    ck_assert_uint_eq(member_due(&f.m), f.now);
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(f.request.rests_on_clean); /* which the arbiter tests */
    ck_assert_uint_eq(f.request.expected_term, TERM);
    ck_assert_mem_eq(&f.request.expected_nonce, &f.row.nonce, sizeof f.row.nonce);
    ck_assert_mem_eq(&f.request.epoch, &f.epoch, sizeof f.epoch);
    ck_assert_uint_gt(f.request.term_floor, TERM);
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
}
END_TEST

/* Who was told to give the group up has forgotten it by the time that he may claim again. */
START_TEST(no_claim_on_what_was_told_before_a_stop)
{
    first_seen();
    look();
    given_back();
    event(EVENT_STOP);
    resume(L, S);
    look();
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
}
END_TEST

/* Told while a look is under way, which was answered before the record was given back. */
START_TEST(claims_what_it_was_told_while_it_looked)
{
    struct record before;

    first_seen();
    look();
    ask();
    before = f.row;
    given_back();
    struct record after = f.row;

    f.row = before;
    answer(OUTCOME_GRANTED);
    ck_assert_uint_eq(member_due(&f.m), f.now);
    f.row = after;
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(f.request.rests_on_clean);
}
END_TEST

/* Then it looks, as after any hint. */
START_TEST(no_claim_on_what_is_told)
{
    if (_i != 0)
        first_seen();
    if (_i != 1)
        look();
    if (_i == 1)
        f.now += 60 * SEC; /* PID 1 has not been asked for long */
    f.fit = _i != 2;
    f.may_claim = _i != 3;
    if (_i == 4)
        own(&f.m.record, ME);
    if (_i == 5)
        told(TERM - 1, &f.row.nonce);
    else if (_i == 6)
        told(TERM + 1, &f.row.nonce);
    else
        given_back();
    if (_i == 7)
        event(EVENT_CONNECTED); /* another session: told by whom? */
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_UNKNOWN);
    f.now = usec_max(f.now, f.m.not_before);
    f.fit = f.may_claim = true;
    look();
    ask(); /* it counts for one request alone */
    ck_assert(asks(OPERATION_OBSERVE));
}
END_TEST

START_TEST(no_claim_on_what_is_told_after_a_release)
{
    leading();
    event(EVENT_STOP);
    all_dead();
    look();
    ask();
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
    resume(L, S);
    ask();
    answer(OUTCOME_GRANTED);
    look();
    told(f.row.term, &f.row.nonce);
    ask();
    ck_assert(asks(OPERATION_OBSERVE)); /* others go first */
}
END_TEST

/* Whoever may send notifications must not be able to keep a group without a leader: what was
 * observed stays, and the claim that it allows comes when it is due. */
START_TEST(lies_delay_no_claim)
{
    usec_t seen = first_seen();

    while (f.now < seen + L) {
        look();
        told(TERM, &f.row.nonce);
        ck_assert_uint_eq(member_due(&f.m), f.now);
        ask();
        if (f.now < seen + L && asks(OPERATION_CLAIM))
            ck_assert(f.request.rests_on_clean);
        if (f.now >= seen + L)
            break;
        answer(asks(OPERATION_CLAIM) ? OUTCOME_DENIED : OUTCOME_GRANTED);
        f.now = usec_min(f.now + 60 * MSEC, seen + L - 1);
    }
    if (!asks(OPERATION_CLAIM)) {
        answer(OUTCOME_GRANTED);
        f.now += 51 * MSEC;
        look();
        ask();
    }
    ck_assert(asks(OPERATION_CLAIM));
    ck_assert(!f.request.rests_on_clean);
    ck_assert_uint_le(f.now, seen + L + 60 * MSEC);
}
END_TEST

static enum member_note read_again(void)
{
    f.now += SEC;
    ask();
    answer(OUTCOME_GRANTED);
    return f.u.note;
}

START_TEST(namesake_is_told_once)
{
    own(&f.row, MY_NAMESAKE);
    first_seen();
    ck_assert_int_eq(f.u.note, NOTE_NONE);
    ck_assert_int_eq(read_again(), NOTE_NONE); /* an earlier boot's record keeps still */
    f.row.nonce = next_nonce();
    ck_assert_int_eq(read_again(), NOTE_NONE); /* once may be a late renewal of that boot */
    f.row.nonce = next_nonce();
    ck_assert_int_eq(read_again(), NOTE_NAMESAKE);
    f.row.nonce = next_nonce();
    ck_assert_int_eq(read_again(), NOTE_NONE);
}
END_TEST

/* Others' renewals, or a namesake's that claims anew, are none. */
START_TEST(no_namesake)
{
    static const char *const owners[] = {OTHER, "db11/00000000000000000000000000000002",
                                         "db/00000000000000000000000000000002"};

    own(&f.row, owners[_i]);
    first_seen();
    for (int i = 0; i < 5; i++) {
        f.row.nonce = next_nonce();
        ck_assert_int_eq(read_again(), NOTE_NONE);
    }
}
END_TEST

START_TEST(namesake_is_counted_in_a_row)
{
    own(&f.row, MY_NAMESAKE);
    first_seen();
    for (int i = 0; i < 4; i++) {
        f.row.nonce = next_nonce();
        ck_assert_int_eq(read_again(), NOTE_NONE);
        if (i % 2 == 0)
            event(EVENT_CONNECTED);
        else {
            own(&f.row, OTHER);
            ck_assert_int_eq(read_again(), NOTE_NONE);
            own(&f.row, MY_NAMESAKE);
            f.row.nonce = next_nonce();
            ck_assert_int_eq(read_again(), NOTE_NONE);
        }
        f.row.term++; /* each boot's claim is one */
        f.row.nonce = next_nonce();
        ck_assert_int_eq(read_again(), NOTE_NONE);
    }
}
END_TEST

/* Units without a keeper: a job that passes through is left alone for a second. */
START_TEST(strays_are_stopped)
{
    usec_t began;

    if (_i == 1)
        event(EVENT_STOP);
    if (_i == 0)
        f.host.slice_empty = false;
    else
        f.host.units_dead = false;
    look();
    began = f.now;
    ck_assert_uint_eq(f.u.actions, 0);
    f.now = began + SEC - 2;
    look();
    ck_assert_uint_eq(f.u.actions, 0);
    look();
    ck_assert_uint_eq(f.u.actions, ACTION_STOP_KEEPER);
    ck_assert_int_eq(f.u.note, NOTE_STRAY);
    f.now = began + 2 * SEC - 2;
    look();
    ck_assert_uint_eq(f.u.actions, 0);
    look();
    ck_assert_uint_eq(f.u.actions, ACTION_STOP_KEEPER);
    ck_assert_int_eq(f.u.note, NOTE_NONE); /* said once */
    all_dead();
    look();
    f.now += SEC;
    f.host.units_dead = false;
    look();
    ck_assert_uint_eq(f.u.actions, 0);
    f.now += SEC;
    look();
    ck_assert_int_eq(f.u.note, NOTE_STRAY);
}
END_TEST

/* ---- no rest is not worth a loop ---- */

static void busy_nothing(void)
{
}
static void busy_unfit(void)
{
    free_record();
    f.fit = false;
}
static void busy_no_slot(void)
{
    free_record();
    f.may_claim = false;
}
static void busy_not_ready(void)
{
    free_record();
    f.host.guarded = false;
}
static void busy_free(void)
{
    free_record();
}
static void busy_tiny_lease(void)
{
    f.row.lease = 1;
}
static void busy_confirming_unfit(void)
{
    confirming();
    f.fit = false;
}
static void busy_leading_unfit(void)
{
    leading();
    f.fit = false;
}
static void busy_tiny_keeper(void)
{
    own(&f.row, ME);
    keeper_lives(TERM);
    f.host.keeper_duration = 1;
    f.host.keeper_deadline = USEC_INFINITY;
    look();
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
}

static const struct {
    void (*begin)(void);
    enum outcome outcome; /* of whatever is asked */
    bool moves;           /* another nonce each time */
} busy[] = {
    {busy_nothing, OUTCOME_GRANTED, false},
    {busy_nothing, OUTCOME_GRANTED, true},
    {busy_nothing, OUTCOME_UNKNOWN, false},
    {busy_unfit, OUTCOME_GRANTED, false},
    {busy_no_slot, OUTCOME_GRANTED, false},
    {busy_not_ready, OUTCOME_GRANTED, false},
    {busy_free, OUTCOME_DENIED, false},
    {busy_free, OUTCOME_DENIED, true},
    {busy_free, OUTCOME_UNKNOWN, false},
    {busy_tiny_lease, OUTCOME_GRANTED, false},
    {busy_tiny_lease, OUTCOME_DENIED, false},
    {confirming, OUTCOME_UNKNOWN, false},
    {busy_confirming_unfit, OUTCOME_UNKNOWN, false},
    {busy_leading_unfit, OUTCOME_UNKNOWN, false},
    {adopting, OUTCOME_UNKNOWN, false},
    {busy_tiny_keeper, OUTCOME_UNKNOWN, false},
    {busy_tiny_keeper, OUTCOME_GRANTED, true},
    {releasing, OUTCOME_UNKNOWN, false},
    {releasing, OUTCOME_DENIED, true},
    {ending, OUTCOME_UNKNOWN, false},
};

/* An arbiter that answers in no time, whatever it says, is asked at most 40 times a second; and
 * what wakes for nothing wakes later the next time. */
START_TEST(never_spins)
{
    unsigned questions = 0, timers = 0;
    usec_t end;

    busy[_i].begin();
    end = f.now + 5 * SEC;
    look();
    while (questions + timers <= 300) {
        usec_t next = usec_min(member_due(&f.m), member_wake(&f.m));

        if (next >= end)
            break;
        f.now = usec_max(f.now, next);
        if (member_wake(&f.m) <= f.now) {
            timers++;
            event(EVENT_CLOCK);
            continue;
        }
        questions++;
        look_asked_at(f.now - 1);
        ask();
        if (busy[_i].moves)
            f.row.nonce = next_nonce();
        if (f.m.in_flight)
            answer(busy[_i].outcome);
    }
    ck_assert_uint_le(questions, 200);
    ck_assert_uint_le(timers, 5 * 4 + 1);
}
END_TEST

/* ---- words ---- */

START_TEST(texts)
{
    for (int s = MEMBER_STANDBY; s <= MEMBER_RELEASING; s++) {
        ck_assert_str_ne(member_state_name((enum member_state)s), "?");
        for (int t = MEMBER_STANDBY; t < s; t++)
            ck_assert_str_ne(member_state_name((enum member_state)s),
                             member_state_name((enum member_state)t));
    }
    ck_assert_str_eq(member_reason_text(REASON_NONE), "");
    for (int r = REASON_STOPPED; r <= REASON_FOREIGN_KEEPER; r++) {
        ck_assert_str_ne(member_reason_text((enum member_reason)r), "?");
        for (int q = REASON_NONE; q < r; q++)
            ck_assert_str_ne(member_reason_text((enum member_reason)r),
                             member_reason_text((enum member_reason)q));
    }
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static void add_standby(Suite *suite)
{
    TCase *t = tcase_create("standby");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_loop_test(t, claims_after_a_full_lease, 0, 2);
    tcase_add_test(t, is_due_when_the_lease_has_run_out);
    tcase_add_loop_test(t, observes_for_the_records_own_lease, 0, 2);
    tcase_add_test(t, observes_for_its_own_lease_when_the_record_has_none);
    tcase_add_loop_test(t, observation_starts_anew, 0, COUNT(changes));
    tcase_add_loop_test(t, no_claim_after_a_gap, 0, 2);
    tcase_add_test(t, unknown_reply_is_no_observation);
    tcase_add_test(t, reply_without_a_record_is_no_observation);
    tcase_add_test(t, claims_what_is_clean_at_once);
    tcase_add_test(t, observes_what_is_clean_but_not_claimable);
    tcase_add_test(t, claim_names_what_was_observed);
    tcase_add_loop_test(t, claims_only_when_the_host_is_ready, 0, COUNT(lacks));
    tcase_add_loop_test(t, claims_on_a_fresh_look_only, 0, 2);
    tcase_add_test(t, never_ready_without_a_look);
    tcase_add_test(t, waits_for_a_slot);
    tcase_add_test(t, unfit_clock_claims_nothing);
    tcase_add_test(t, stopped_standby_asks_nothing);
    tcase_add_loop_test(t, settled_by_the_word_of_pid1, 0, 1 + COUNT(lacks));
    tcase_add_test(t, stopped_while_asking);
    tcase_add_loop_test(t, hint_makes_due, 0, 2);
    tcase_add_test(t, claims_at_once_what_is_told_to_be_free);
    tcase_add_test(t, claims_what_it_was_told_while_it_looked);
    tcase_add_test(t, no_claim_on_what_was_told_before_a_stop);
    tcase_add_loop_test(t, no_claim_on_what_is_told, 0, 8);
    tcase_add_test(t, no_claim_on_what_is_told_after_a_release);
    tcase_add_test(t, lies_delay_no_claim);
    tcase_add_test(t, namesake_is_told_once);
    tcase_add_loop_test(t, no_namesake, 0, 3);
    tcase_add_test(t, namesake_is_counted_in_a_row);
    tcase_add_loop_test(t, strays_are_stopped, 0, 2);
    tcase_add_loop_test(t, never_spins, 0, COUNT(busy));
    tcase_add_test(t, texts);
    suite_add_tcase(suite, t);
}

static void add_claim(Suite *suite)
{
    TCase *t = tcase_create("claim");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, deadline_counts_from_the_send);
    tcase_add_loop_test(t, late_claim_is_given_back, 0, 2);
    tcase_add_test(t, claim_granted_after_the_stop);
    tcase_add_loop_test(t, claim_granted_when_the_host_is_not_ready_any_more, 0, COUNT(lacks));
    tcase_add_test(t, claim_granted_with_numbers_that_do_not_hold);
    tcase_add_loop_test(t, refused_claim_is_held_back, 0, 3);
    tcase_add_test(t, unknown_claim_is_held_back);
    tcase_add_test(t, own_claim_is_confirmed_by_a_renewal);
    tcase_add_test(t, confirmation_refused);
    tcase_add_test(t, confirmation_unknown);
    tcase_add_test(t, confirmation_by_an_unfit_clock);
    tcase_add_test(t, confirmation_stopped);
    tcase_add_test(t, record_of_an_earlier_life_is_given_back);
    tcase_add_test(t, claim_of_other_nonce_is_not_confirmed);
    tcase_add_test(t, claim_of_unknown_outcome_refuses_the_next);
    tcase_add_loop_test(t, claim_of_an_older_history_is_not_confirmed, 0, 2);
    tcase_add_loop_test(t, replaced_server_is_not_claimed_from, 0, 4);
    tcase_add_loop_test(t, claim_of_a_term_that_ended_is_not_confirmed, 0, 2);
    tcase_add_loop_test(t, record_of_an_earlier_life_waits_for_pid1, 0, 3);
    tcase_add_test(t, own_record_is_never_claimed);
    tcase_add_test(t, leads_when_the_keeper_is_active);
    tcase_add_test(t, leads_without_the_answer_of_start_unit);
    tcase_add_test(t, keeper_of_another_term_is_not_the_one_that_was_started);
    tcase_add_loop_test(t, look_from_before_the_ticket, 0, 2);
    tcase_add_test(t, keeper_that_did_not_come_up);
    tcase_add_test(t, start_refused);
    tcase_add_loop_test(t, start_not_answered, 0, 2);
    tcase_add_loop_test(t, start_never_answered, 0, 2);
    tcase_add_test(t, start_not_asked);
    tcase_add_loop_test(t, start_lost_with_the_bus, 0, 2);
    tcase_add_test(t, asks_nothing_while_starting);
    tcase_add_test(t, failed_starts_back_off);
    suite_add_tcase(suite, t);
}

static void add_leading(Suite *suite)
{
    TCase *t = tcase_create("leading");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_loop_test(t, renewal_extends_from_its_send, 1020, 1028);
    tcase_add_test(t, renewal_that_took_longer_than_the_interval);
    tcase_add_test(t, unknown_renewal_changes_nothing);
    tcase_add_loop_test(t, acknowledged_after_the_deadline, 0, 2);
    tcase_add_test(t, deadline_passes);
    tcase_add_test(t, renewal_refused);
    tcase_add_test(t, a_pause_that_our_clock_did_not_see);
    tcase_add_loop_test(t, a_clock_that_is_set_is_no_pause, 0,
                        sizeof no_pauses / sizeof *no_pauses);
    tcase_add_test(t, a_pause_of_a_standby);
    tcase_add_loop_test(t, keeper_lost, 0, COUNT(losses));
    tcase_add_loop_test(t, keeper_gone_at_the_deadline, 0, 2);
    tcase_add_test(t, unfit_clock_renews_nothing);
    tcase_add_test(t, new_budget_counts_from_the_next_claim);
    tcase_add_test(t, renews_at_once_after_a_reconnect);
    tcase_add_test(t, led_down);
    tcase_add_test(t, hint_says_nothing_to_a_leader);
    tcase_add_test(t, adopts_a_live_keeper);
    tcase_add_test(t, adoption_answered_after_the_end);
    tcase_add_test(t, adopts_the_keepers_numbers);
    tcase_add_loop_test(t, adopts_only_what_is_its_own, 0, COUNT(found));
    tcase_add_loop_test(t, keeper_on_its_way_is_left_alone, 0, 3);
    tcase_add_test(t, adoption_refused);
    tcase_add_test(t, adoption_unknown);
    tcase_add_test(t, reading_is_no_adoption);
    tcase_add_test(t, stopped_member_ends_what_it_finds);
    tcase_add_loop_test(t, adopting_keeper_lost_or_stopped, 0, 2);
    tcase_add_test(t, keeper_found_while_claiming);
    suite_add_tcase(suite, t);
}

static void add_ending(Suite *suite)
{
    TCase *t = tcase_create("ending");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_loop_test(t, keeper_is_told_again, 0, 2);
    tcase_add_test(t, a_start_that_waits_is_dropped);
    tcase_add_test(t, a_start_that_waits_is_dropped_by_a_standby_that_ends);
    tcase_add_test(t, a_stop_that_was_undone_is_done_again);
    tcase_add_loop_test(t, no_proof_while_something_lives, 0, COUNT(left_alive));
    tcase_add_loop_test(t, no_proof_from_before_the_unlink, 0, 2);
    tcase_add_test(t, end_is_for_good);
    tcase_add_test(t, releases_with_the_last_nonce);
    tcase_add_test(t, unknown_release_is_sent_again);
    tcase_add_loop_test(t, refused_release, 0, 5);
    tcase_add_loop_test(t, renewal_answered_after_the_end, 0, 2 * COUNT(late_replies));
    tcase_add_loop_test(t, term_that_ended_is_never_taken_up_again, 0, 2);
    tcase_add_test(t, nothing_but_the_release_matters_while_releasing);
    suite_add_tcase(suite, t);
}

/* ---- what must never happen, and moves nothing when it does ---- */

START_TEST(no_name_for_what_there_is_not)
{
    ck_assert_str_eq(member_state_name((enum member_state)(MEMBER_RELEASING + 1)), "?");
    ck_assert_str_eq(member_reason_text((enum member_reason)(REASON_FOREIGN_KEEPER + 1)), "?");
}
END_TEST

START_TEST(no_event_that_there_is_not)
{
    struct member before;

    leading();
    before = f.m;
    event((enum member_event_type)(EVENT_RESUME + 1));
    ck_assert_mem_eq(&f.m, &before, sizeof before);
    ck_assert_uint_eq(f.u.actions, 0);
}
END_TEST

/* As good as none: the term goes on until its deadline, and no longer. */
START_TEST(no_outcome_that_there_is_not)
{
    usec_t deadline;

    leading();
    deadline = f.m.deadline;
    f.now = member_due(&f.m);
    ask();
    answer_without_record((enum outcome)(OUTCOME_UNKNOWN + 1));
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(f.m.deadline, deadline);
    ck_assert_uint_eq(member_wake(&f.m), deadline);
    f.now = deadline;
    event(EVENT_CLOCK);
    assert_ends(REASON_DEADLINE);
}
END_TEST

START_TEST(no_alarm_of_a_state_that_there_is_not)
{
    leading();
    f.m.state = (enum member_state)(MEMBER_RELEASING + 1);
    ck_assert_uint_eq(member_wake(&f.m), USEC_INFINITY);
    ck_assert(!member_leads(&f.m));
}
END_TEST

/* An arbiter that grants a renewal and shows no record: the release goes by the nonce known before.
 */
START_TEST(renewal_granted_without_a_record_after_the_end)
{
    struct nonce before;

    leading();
    before = f.m.nonce;
    f.now = member_due(&f.m);
    ask();
    event(EVENT_STOP);
    answer_without_record(OUTCOME_GRANTED);
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
    ask();
    ck_assert(asks(OPERATION_RELEASE));
    ck_assert_mem_eq(&f.u.request.expected_nonce, &before, sizeof before);
}
END_TEST

static void add_never(Suite *suite)
{
    TCase *t = tcase_create("never");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, no_name_for_what_there_is_not);
    tcase_add_test(t, no_event_that_there_is_not);
    tcase_add_test(t, no_outcome_that_there_is_not);
    tcase_add_test(t, no_alarm_of_a_state_that_there_is_not);
    tcase_add_test(t, renewal_granted_without_a_record_after_the_end);
    suite_add_tcase(suite, t);
}

int main(void)
{
    Suite *suite = suite_create("member");

    add_standby(suite);
    add_claim(suite);
    add_leading(suite);
    add_ending(suite);
    add_never(suite);

    return run_suite(suite);
}
