/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "support/nonce.h"

struct fixture f;

struct nonce next_nonce(void)
{
    return nonce_of(++f.nonces);
}

bool asks(enum operation o)
{
    return (f.u.actions & ACTION_REQUEST) && f.u.request.operation == o;
}

unsigned n_named(void)
{
    return f.u.request.n_known;
}

bool names(struct nonce nonce)
{
    for (unsigned i = 0; i < n_named(); i++)
        if (nonce_equal(&f.u.request.known[i], &nonce))
            return true;
    return false;
}

bool does(enum member_action a)
{
    return (f.u.actions & a) != 0;
}

void step(struct member_event e)
{
    e.now = f.now;
    e.random = f.random;
    member_step(&f.m, &e, &f.u);
}

void event(enum member_event_type type)
{
    step((struct member_event){.type = type});
}

void resume(usec_t lease, usec_t stop)
{
    struct budget b;

    ck_assert_int_eq(budget_compute(lease, stop, &b), 0);
    step((struct member_event){.type = EVENT_RESUME, .budget = &b});
}

void started(int error)
{
    step((struct member_event){.type = EVENT_STARTED, .error = error});
}

void look_asked_at(usec_t asked_at)
{
    f.host.asked_at = asked_at;
    step((struct member_event){.type = EVENT_HOST, .host = &f.host});
}

void look(void)
{
    f.now++;
    look_asked_at(f.now);
}

void ask(void)
{
    step((struct member_event){
        .type = EVENT_SEND, .nonce = next_nonce(), .fit = f.fit, .may_claim = f.may_claim});
    f.request = f.u.request;
}

void answer(enum outcome o)
{
    struct reply r = {.outcome = o, .epoch = f.epoch};

    if (o != OUTCOME_UNKNOWN) {
        r.has_record = true;
        r.record = f.row;
        r.arbiter_time = f.ahead > 0 ? f.now + f.ahead : 0;
    }
    step((struct member_event){.type = EVENT_REPLY, .reply = &r});
}

void answer_without_record(enum outcome o)
{
    struct reply r = {.outcome = o, .epoch = f.epoch};

    step((struct member_event){.type = EVENT_REPLY, .reply = &r});
}

void own(struct record *r, const char *owner)
{
    (void)snprintf(r->owner, sizeof r->owner, "%s", owner);
}

void do_it(void)
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
    } else if (q->operation == OPERATION_RENEW) {
        f.row.nonce = q->fresh_nonce;
        f.row.lease = q->lease;
        f.row.duration = q->duration;
    } else if (q->operation == OPERATION_RELEASE)
        f.row.clean = f.row.claimable = true;
}

void grant(void)
{
    do_it();
    answer(OUTCOME_GRANTED);
}

void set_up(void)
{
    memset(&f, 0, sizeof f);
    f.now = NOW;
    f.fit = f.may_claim = true;
    f.host = (struct host_state){
        .keeper = KEEPER_GONE, .units_dead = true, .slice_empty = true, .guarded = true};
    f.row = (struct record){
        .term = TERM, .nonce = next_nonce(), .lease = L, .stop = S, .duration = 8670000};
    own(&f.row, OTHER);
    f.epoch = (struct epoch){.system_id = 7, .timeline = 1, .started = 100};
    member_init(&f.m, ME);
    resume(L, S);
    event(EVENT_CONNECTED);
    look();
}

void observe_until(usec_t until, usec_t interval)
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

usec_t first_seen(void)
{
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    f.now += 100 * MSEC;
    answer(OUTCOME_GRANTED);
    return f.now;
}

void free_record(void)
{
    f.row.clean = f.row.claimable = true;
}

usec_t claiming(void)
{
    free_record();
    first_seen();
    look();
    ask();
    ck_assert(asks(OPERATION_CLAIM));
    return f.now;
}

usec_t starting(void)
{
    usec_t t0 = claiming();

    f.now += 10 * MSEC;
    grant();
    ck_assert_int_eq(f.m.state, MEMBER_STARTING);
    return t0;
}

void keeper_lives(uint64_t term)
{
    f.host.keeper = KEEPER_ACTIVE;
    f.host.keeper_term = term;
    f.host.keeper_ours = true;
    f.host.keeper_lease = L;
    f.host.keeper_stop = S;
    f.host.keeper_duration = 8670000;
    f.host.keeper_deadline = f.m.term.deadline ? f.m.term.deadline : f.now + 5 * SEC;
    f.host.units_dead = f.host.slice_empty = false;
}

void all_dead(void)
{
    f.host = (struct host_state){
        .keeper = KEEPER_GONE, .units_dead = true, .slice_empty = true, .guarded = true};
}

usec_t leading(void)
{
    usec_t t0 = starting();

    f.now += 10 * MSEC;
    started(0);
    keeper_lives(f.m.term.number);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_LEADING);
    return t0;
}

void adopting(void)
{
    own(&f.row, ME);
    keeper_lives(TERM);
    look();
    ck_assert_int_eq(f.m.state, MEMBER_ADOPTING);
}

void reading(void)
{
    ask();
    ck_assert(asks(OPERATION_OBSERVE));
    answer(OUTCOME_GRANTED);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_uint_eq(member_due(&f.m), f.now);
}

void adopting_by_renewal(void)
{
    adopting();
    reading();
    ask();
    ck_assert(asks(OPERATION_RENEW));
}

struct nonce unanswered(void)
{
    f.now = usec_max(f.now, member_due(&f.m));
    ask();
    ck_assert(asks(OPERATION_RENEW));
    answer(OUTCOME_UNKNOWN);
    return f.request.fresh_nonce;
}

void ending(void)
{
    leading();
    event(EVENT_STOP);
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
}

void proven_dead(void)
{
    f.now += 10 * MSEC;
    all_dead();
    look();
}

void releasing(void)
{
    ending();
    proven_dead();
    ck_assert_int_eq(f.m.state, MEMBER_RELEASING);
}

void confirming(void)
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

void assert_ends(enum member_reason r)
{
    ck_assert_int_eq(f.m.state, MEMBER_ENDING);
    ck_assert_int_eq(f.m.reason, r);
    ck_assert_uint_eq(f.u.actions, ACTION_UNLINK | ACTION_END | ACTION_POLL);
    ck_assert_int_eq(f.u.note, NOTE_ENDING);
    ck_assert_uint_eq(member_due(&f.m), USEC_INFINITY);
}

void lack(int what)
{
    switch ((enum lack)what) {
    case LACK_ANSWER:
        f.host.keeper = KEEPER_UNKNOWN;
        break;
    case LACK_REST:
        f.host.keeper = KEEPER_BUSY;
        break;
    case LACK_DEAD_UNITS:
        f.host.units_dead = false;
        break;
    case LACK_EMPTY_SLICE:
        f.host.slice_empty = false;
        break;
    case LACK_PROOF:
        f.host.open = true;
        break;
    case LACK_GUARDS:
        f.host.guarded = false;
        break;
    case LACKS:
        ck_abort_msg("there is no such lack");
    }
}
