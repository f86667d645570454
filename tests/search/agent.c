/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon is to one member. What is decided and what is done about it is one step, unless
 * the agent hangs in between. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "search.h"

/* This tick, and later than whatever has the time of something that was asked or decided in it.
 */
usec_t agent_now(const struct node *n)
{
    usec_t now = SEARCH_NOW(grid);
    const usec_t stamps[] = {n->member.since, n->member.host.asked_at, n->member.started_at,
                             n->look.asked_at};

    for (size_t i = 0; i < sizeof stamps / sizeof stamps[0]; i++)
        if (stamps[i] < SEARCH_NOW(grid) + grid.tick)
            now = usec_max(now, stamps[i]);
    return now + 1;
}

/* ---- what the member wants done ---- */

static void write_ticket(struct world *w, struct node *n)
{
    checker_ticket(w, n, &n->effect_paper);
    if (n->has_ticket || n->start_pending) {
        n->start_pending = true;
        n->start_answer = START_REFUSED;
        return;
    }
    n->has_ticket = true;
    n->ticket = n->effect_paper;
    n->start_pending = true;
    n->start_time_up = false;
    n->start_answer = START_UNANSWERED;
    n->start = PENDING_NOW;
}

void agent_carry_out(struct world *w, struct node *n)
{
    unsigned actions = n->effect;

    n->effect = 0;
    n->stalled = false;
    if (actions & ACTION_UNLINK)
        n->has_ticket = false;
    if (actions & ACTION_END)
        machine_send(n, KEEPER_END, n->effect_paper.term, 0);
    if (actions & ACTION_STOP_KEEPER)
        machine_stop_keeper(n);
    if (actions & ACTION_TICKET)
        write_ticket(w, n);
    if (actions & ACTION_EXTEND) {
        checker_extend(w, n, &n->effect_paper);
        machine_send(n, KEEPER_EXTEND, n->effect_paper.term, n->effect_paper.deadline);
    }
    if (actions & ACTION_POLL)
        n->look_wanted = true;
}

static void take_actions(struct world *w, struct node *n, const struct update *u, bool stalls)
{
    const struct member *m = &n->member;

    n->stalled = stalls;
    n->effect = u->actions & ~(unsigned)ACTION_REQUEST;
    n->effect_paper = (struct paper){.term = m->term.number, .deadline = m->term.deadline};
    memcpy(n->effect_paper.owner, n->owner, sizeof n->owner);
    if (!stalls)
        agent_carry_out(w, n);
}

static void count_move(const struct member *before, const struct member *m)
{
    if (m->state == before->state)
        return;
    coverage.moves[before->state][m->state]++;
    if (m->state == MEMBER_ENDING)
        coverage.reasons[m->reason]++;
}

static void step(struct world *w, struct node *n, struct member_event event, struct update *u)
{
    struct reply spare_reply;
    struct host_state spare_host;

    event.now = agent_now(n);
    break_before(n, &event, &spare_reply, &spare_host);

    struct member before = n->member;

    /* What is lost has been healed in vain by now, and no heal is to be had. */
    n->member.heal.failed = HEALS_MAX;
    member_step(&n->member, &event, u);
    n->member.heal = (struct heal){.since = 0};
    u->actions &= ~(unsigned)ACTION_HEAL;
    break_after(n, &before, &event, u);
    count_move(&before, &n->member);
    if (u->note == NOTE_COPY || (u->note == NOTE_ENDING && n->member.reason == REASON_COPY))
        checker_copy(w, n);
}

void agent_step(struct world *w, struct node *n, struct member_event event, bool stalls)
{
    struct update u;

    step(w, n, event, &u);
    take_actions(w, n, &u, stalls);
}

/* ---- the arbiter's side ---- */

void agent_connect(struct world *w, struct node *n, bool stalls)
{
    n->connected = true;
    n->witness.was_notified = false;
    n->witness.reconnected = n->witness.seen;
    agent_step(w, n, (struct member_event){.type = EVENT_CONNECTED}, stalls);
}

void agent_send(struct world *w, struct node *n, bool fit, bool stalls)
{
    struct member_event event = {.type = EVENT_SEND, .fit = fit, .may_claim = true};
    struct update u;

    event.nonce = arbiter_nonce(w);
    if (broken == BREAK_NONCE_COUNTS)
        event.nonce = (struct nonce){{200}};
    step(w, n, event, &u);
    if (u.actions & ACTION_REQUEST) {
        n->x = (struct exchange){.sent = true,
                                 .node = (unsigned)(n - w->nodes),
                                 .request = u.request,
                                 .age = SEARCH_NOW(grid) - w->written_at};
        n->x.request.group = "group";
        if (broken == BREAK_RESTART_IGNORED)
            n->x.request.epoch.started = w->life;
        memcpy(n->x.owner, n->owner, sizeof n->owner);
        checker_send(w, n, &n->x, fit);
        /* Only terms that the record has had are known: the greatest is its own. */
        assert(broken || u.request.operation != OPERATION_CLAIM ||
               u.request.term_floor <= w->row.term + 1);
    }
    take_actions(w, n, &u, stalls);
}

void agent_deliver(struct world *w, struct node *n, bool stalls)
{
    struct exchange x = n->x;

    n->x = (struct exchange){0};
    checker_answer(n, &x);
    agent_step(w, n, (struct member_event){.type = EVENT_REPLY, .reply = &x.reply}, stalls);
}

/* Nobody waits for it any more; it may get there all the same. */
static void leave_stray(struct world *w, struct node *n)
{
    struct exchange x = n->x;

    n->x = (struct exchange){0};
    x.late = true;
    if (!x.sent || arbiter_is_void(w, &x))
        return;
    for (unsigned i = 0; i < SEARCH_STRAYS_MAX; i++)
        if (!w->strays[i].sent) {
            w->strays[i] = x;
            return;
        }
    assert(false);
}

void agent_lose_connection(struct world *w, struct node *n, bool stalls)
{
    const struct reply unknown = {.outcome = OUTCOME_UNKNOWN};

    n->connected = false;
    leave_stray(w, n);
    n->hint = n->late_hint = PENDING_NO;
    if (n->member.in_flight)
        agent_step(w, n, (struct member_event){.type = EVENT_REPLY, .reply = &unknown}, stalls);
}

void agent_hint(struct world *w, struct node *n, const struct release_notice *notice, bool stalls)
{
    struct release_notice copy = *notice;

    n->witness.was_notified = true;
    n->witness.notice = copy;
    agent_step(w, n, (struct member_event){.type = EVENT_HINT, .notice = &copy}, stalls);
}

/* ---- this host ---- */

void agent_look_at_host(struct node *n, struct host_state *ret)
{
    *ret = (struct host_state){
        .asked_at = agent_now(n),
        .keeper = n->unit == UNIT_INACTIVE                    ? KEEPER_GONE
                  : n->unit == UNIT_ACTIVE && !n->stop_queued ? KEEPER_ACTIVE
                                                              : KEEPER_BUSY,
        .units_dead = machine_is_down(n),
        .slice_empty = !n->running || n->outside,
        .guarded = !n->bare && !n->outside,
    };
    ret->guards = (struct guards_seen){.state = n->bare ? GUARDS_BARE : GUARDS_WHOLE,
                                       .outside = n->outside,
                                       .asked_at = ret->asked_at};
    n->look_wanted = false;
    if (!n->has_state || ret->keeper == KEEPER_GONE)
        return;
    ret->keeper_term = n->state.term;
    ret->keeper_ours = strcmp(n->state.owner, n->owner) == 0;
    ret->keeper_lease = grid.budget.lease;
    ret->keeper_stop = grid.budget.stop;
    ret->keeper_duration = grid.budget.duration;
    ret->keeper_deadline = n->state.deadline;
}

void agent_take_look(struct world *w, struct node *n, const struct host_state *look, bool stalls)
{
    struct host_state copy = *look;

    n->looking = false;
    n->look = copy; /* for its time */
    agent_step(w, n, (struct member_event){.type = EVENT_HOST, .host = &copy}, stalls);
    n->look = (struct host_state){0};
}

void agent_started(struct world *w, struct node *n, bool stalls)
{
    int error = n->start_answer == START_DONE      ? 0
                : n->start_answer == START_REFUSED ? -EEXIST
                                                   : -ETIMEDOUT;

    n->start_pending = n->start_time_up = false;
    n->start_answer = START_UNANSWERED;
    agent_step(w, n, (struct member_event){.type = EVENT_STARTED, .error = error}, stalls);
}

/* ---- its life ---- */

void agent_boot(struct world *w, struct node *n)
{
    n->alive = true;
    n->has_ticket = false;
    n->look_wanted = true;
    member_init(&n->member, n->owner);
    if (!n->retired)
        agent_step(w, n, (struct member_event){.type = EVENT_RESUME, .budget = &grid.budget},
                   false);
}

void agent_crash(struct world *w, struct node *n)
{
    leave_stray(w, n);
    n->alive = n->connected = n->stalled = n->looking = n->look_wanted = false;
    n->effect = 0;
    n->start_pending = n->start_time_up = false;
    n->start_answer = START_UNANSWERED;
    n->hint = n->late_hint = PENDING_NO;
    n->witness.seen = n->witness.was_notified = false;
    n->witness.own_term = 0;
    member_init(&n->member, n->owner);
}
