/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon is to one member: it asks the arbiter when the member is due, looks at the host,
 * and carries out what the member says. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define LOOK_TIMEOUT_USEC (500 * USEC_PER_MSEC)
#define LOOK_SETTLED_USEC (5 * USEC_PER_SEC)
#define LOOK_RETRY_USEC (150 * USEC_PER_MSEC)
#define START_TIMEOUT_USEC (500 * USEC_PER_MSEC)
/* How long after the ticket a keeper is on its way. */
#define TICKET_OUT_USEC (60 * USEC_PER_MSEC)
#define ROUNDS_MAX 8

static void turn(struct world *w, struct node *n);

void agent_push(struct world *w, struct node *n, enum kind kind, usec_t delay, uint32_t number)
{
    sim_push(w, (struct happening){.at = usec_add(w->now, delay),
                                   .kind = kind,
                                   .node = n->index,
                                   .life = n->life,
                                   .number = number});
}

/* ---- what the member wants done ---- */

static void send_to_keeper(struct world *w, struct node *n, uint64_t term, usec_t deadline)
{
    if (!n->keeper_alive || sim_chance(w, w->lost_permille / 4))
        return;
    /* Some reach it twice, the second time at any time. */
    for (int copy = 0; copy == 0 || (copy == 1 && sim_chance(w, w->lost_permille)); copy++)
        sim_push(w, (struct happening){.at = w->now +
                                             sim_between(w, 20, copy == 0 ? 1000 : n->budget.lease),
                                       .kind = KEEPER_MESSAGE,
                                       .node = n->index,
                                       .life = n->keeper_life,
                                       .a = term,
                                       .b = deadline});
}

static void start_keeper(struct world *w, struct node *n)
{
    const struct ticket *t = &n->effect_ticket;

    witness_ticket(w, n, t);
    if (n->has_ticket || n->start_pending) {
        agent_push(w, n, AGENT_START_ANSWER, 1, 0);
        return;
    }
    n->ticket = *t;
    n->has_ticket = true;
    if (w->now < n->bus_until) {
        agent_push(w, n, AGENT_START_ANSWER, 1, 0);
        return;
    }
    n->start_pending = true;
    n->start_number++;
    if (n->unguarded || w->now < n->guards_until) { /* PID 1 is not asked before that is known */
        sim_push(w, (struct happening){.at = w->now + 2 * START_TIMEOUT_USEC,
                                       .kind = AGENT_START_ANSWER,
                                       .node = n->index,
                                       .life = n->life,
                                       .number = n->start_number,
                                       .a = 3});
        return;
    }
    sim_push(w, (struct happening){.at = w->now + sim_between(w, 100, 8000),
                                   .kind = PID1_START,
                                   .node = n->index,
                                   .life = n->boot,
                                   .a = n->start_number});
    /* a: 1 is an error, 2 is no answer, 3 is that PID 1 was not asked */
    sim_push(w, (struct happening){.at = w->now + START_TIMEOUT_USEC,
                                   .kind = AGENT_START_ANSWER,
                                   .node = n->index,
                                   .life = n->life,
                                   .number = n->start_number,
                                   .a = 2});
}

static void may_stall(struct world *w, struct node *n, unsigned permille)
{
    if (!w->calm && sim_chance(w, permille))
        n->agent_stalled_until =
            usec_max(n->agent_stalled_until,
                     usec_min(w->late_at, w->now + sim_between(w, 1000, 2 * n->budget.lease)));
}

static void carry_out(struct world *w, struct node *n)
{
    unsigned actions = n->effect;

    n->effect_pending = false;
    n->effect = 0;
    if (actions & ACTION_UNLINK)
        n->has_ticket = false;
    if (actions & ACTION_END)
        send_to_keeper(w, n, n->effect_term, 0);
    if ((actions & ACTION_STOP_KEEPER) && w->now >= n->bus_until)
        machine_push(w, n, PID1_STOP, sim_between(w, 100, 8000), 0);
    if (actions & ACTION_TICKET)
        start_keeper(w, n);
    if (actions & ACTION_EXTEND) {
        witness_extend(w, n, n->effect_term, n->effect_ticket.deadline);
        send_to_keeper(w, n, n->effect_term, n->effect_ticket.deadline);
    }
    if (actions & ACTION_LOOK)
        agent_push(w, n, AGENT_LOOK, sim_between(w, 20, 200), 0);
    if (actions & ACTION_TICKET)
        agent_push(w, n, AGENT_TICKET_OUT, sim_between(w, 0, TICKET_OUT_USEC), 0);
}

/* The values are the member's of now; the agent may be stalled before it gets to use them. */
static void take_actions(struct world *w, struct node *n, const struct update *u)
{
    const struct member *m = &n->member;

    if ((u->actions & ~(unsigned)ACTION_REQUEST) == 0)
        return;
    n->effect = u->actions;
    n->effect_pending = true;
    n->effect_term = m->term;
    n->effect_ticket = (struct ticket){.group = "group",
                                       .node = "node",
                                       .term = m->term,
                                       .lease = m->lease,
                                       .stop = m->stop,
                                       .duration = m->duration,
                                       .deadline = m->deadline};
    memcpy(n->effect_ticket.owner, n->owner, sizeof n->owner);
    may_stall(w, n, u->actions & ACTION_TICKET ? 50 : 5);
    if (n->agent_stalled_until > w->now)
        agent_push(w, n, AGENT_EFFECT, n->agent_stalled_until - w->now, 0);
    else
        carry_out(w, n);
}

static void count_move(struct world *w, const struct node *n, const struct member *before)
{
    const struct member *m = &n->member;

    if (m->state == before->state)
        return;
    w->coverage->moves[before->state][m->state]++;
    if (m->state == MEMBER_ENDING)
        w->coverage->reasons[m->reason]++;
    sim_trace(w, n, "%s -> %s term %" PRIu64 " %s", member_state_name(before->state),
              member_state_name(m->state), m->term, member_reason_text(m->reason));
}

static void step(struct world *w, struct node *n, struct member_event event, struct update *u)
{
    struct member before;
    struct reply spare_reply;
    struct local spare_local;

    event.now = sim_local(w, n);
    event.random = sim_random(w);
    mutate_before(w, n, &event, &spare_reply, &spare_local);
    before = n->member;
    member_step(&n->member, &event, u);
    mutate_after(w, n, &before, &event, u);
    count_move(w, n, &before);
}

static void step_and_act(struct world *w, struct node *n, struct member_event event)
{
    struct update u;

    step(w, n, event, &u);
    take_actions(w, n, &u);
}

/* ---- the arbiter's side ---- */

void agent_lose_connection(struct world *w, struct node *n)
{
    if (n->busy) {
        sim_exchange(w, n->exchange)->given_up = true;
        n->busy = false;
        struct reply unknown = {.outcome = OUTCOME_UNKNOWN};

        n->connected = false;
        n->connection++;
        step_and_act(w, n, (struct member_event){.type = EVENT_REPLY, .reply = &unknown});
    }
    n->connected = false;
    n->connection++;
    if (!n->connecting)
        agent_push(w, n, AGENT_CONNECT, sim_between(w, 50 * USEC_PER_MSEC, 500 * USEC_PER_MSEC), 0);
    n->connecting = true;
}

static void connect_again(struct world *w, struct node *n)
{
    if (n->connected)
        return;
    if (w->now < n->cut_until || w->now < w->server.down_until) {
        agent_push(w, n, AGENT_CONNECT, sim_between(w, 100 * USEC_PER_MSEC, USEC_PER_SEC), 0);
        return;
    }
    n->connecting = false;
    n->connected = true;
    n->connection++;
    n->witness.seen = n->witness.was_told = false;
    step_and_act(w, n, (struct member_event){.type = EVENT_CONNECTED});
}

static usec_t travel_time(struct world *w, const struct node *n)
{
    if (sim_chance(w, w->late_permille))
        return sim_between(w, 0, w->late_at - w->calm_at);
    if (sim_chance(w, w->slow_permille))
        return sim_between(w, 0, usec_min(n->budget.lease, w->late_at - w->calm_at));
    return sim_between(w, 100, 3000);
}

static void send(struct world *w, struct node *n)
{
    struct member_event event = {
        .type = EVENT_SEND, .fit = !n->unfit, .may_claim = !n->no_slot || sim_chance(w, 200)};
    struct update u;
    uint32_t number = w->n_exchanges++;
    struct exchange *x = sim_exchange(w, number);

    for (size_t i = 0; i < sizeof event.nonce.bytes; i++)
        event.nonce.bytes[i] = (uint8_t)sim_random(w);
    step(w, n, event, &u);
    if (u.actions & ACTION_REQUEST) {
        *x = (struct exchange){.request = u.request,
                               .node = n->index,
                               .life = n->life,
                               .connection = n->connection,
                               .era = w->server.era,
                               .sent = w->now,
                               .sent_local = sim_local(w, n),
                               .fit = event.fit};
        memcpy(x->owner, n->owner, sizeof x->owner);
        n->busy = true;
        n->exchange = number;
        witness_send(w, n, x);
        usec_t limit = sim_true(w, n, usec_add(x->sent_local, member_limit(&n->member)));

        agent_push(w, n, AGENT_TIME_UP, limit - w->now, number);
        if (w->now >= n->cut_until && !sim_chance(w, w->lost_permille))
            sim_push(w, (struct happening){.at = w->now + travel_time(w, n),
                                           .kind = SERVER_EXECUTE,
                                           .number = number});
    }
    take_actions(w, n, &u);
}

static void take_answer(struct world *w, struct node *n, const struct happening *h)
{
    const struct exchange *x = sim_exchange(w, h->number);

    if (!n->busy || n->exchange != h->number)
        return;
    if (w->now < n->cut_until)
        return;
    n->busy = false;
    witness_answer(w, n, x, &x->reply);
    step_and_act(w, n, (struct member_event){.type = EVENT_REPLY, .reply = &x->reply});
}

static void take_hint(struct world *w, struct node *n, const struct happening *h)
{
    const struct record *r = &sim_exchange(w, h->number)->reply.record;
    struct told told = {.term = r->term, .nonce = r->nonce};
    bool says = h->a && n->connected && h->b == n->connection;

    if (says)
        witness_told(n, &told);
    step_and_act(w, n, (struct member_event){.type = EVENT_HINT, .told = says ? &told : NULL});
}

/* ---- this host ---- */

static void look(struct world *w, struct node *n)
{
    if (n->looking) {
        n->look_wanted = true;
        return;
    }
    if (w->now < n->bus_until) {
        agent_push(w, n, AGENT_LOOK, n->bus_until - w->now, 0);
        return;
    }
    witness_busy(w, n, &n->looks, "looks");
    n->looking = true;
    n->look_number++;
    n->look_asked_at = sim_local(w, n);
    usec_t delay = sim_chance(w, w->slow_permille) ? sim_between(w, 0, USEC_PER_SEC)
                                                   : sim_between(w, 50, 3000);

    machine_push(w, n, PID1_LOOK, delay, n->look_number);
    agent_push(w, n, AGENT_LOOK_TIME_UP, LOOK_TIMEOUT_USEC, n->look_number);
}

static void look_again(struct world *w, struct node *n, usec_t delay)
{
    agent_push(w, n, AGENT_LOOK, n->look_wanted ? 50 : delay, n->look_number);
    n->look_wanted = false;
}

static void take_look(struct world *w, struct node *n, const struct happening *h)
{
    struct local local;

    if (!n->looking || h->number != n->look_number)
        return;
    n->looking = false;
    local = (struct local){
        .asked_at = n->look_asked_at,
        .keeper = (enum local_keeper)h->a,
        .units_dead = h->b,
        .slice_empty = !n->running, /* read after PID 1's answer, as the state file is */
        .guarded = !n->unguarded && w->now >= n->guards_until,
    };
    if (n->has_state && local.keeper != LOCAL_KEEPER_GONE) {
        local.keeper_term = n->state.term;
        local.keeper_ours = strcmp(n->state.owner, n->owner) == 0;
        local.keeper_lease = n->state.lease;
        local.keeper_stop = n->state.stop;
        local.keeper_duration = n->state.duration;
        local.keeper_deadline = n->state.deadline;
    }
    step_and_act(w, n, (struct member_event){.type = EVENT_LOCAL, .local = &local});

    bool settled = local.keeper == LOCAL_KEEPER_GONE ? local.units_dead && local.slice_empty
                                                     : local.keeper_term > 0;
    look_again(w, n, settled ? LOOK_SETTLED_USEC : LOOK_RETRY_USEC);
}

void agent_signal(struct world *w, struct node *n)
{
    if (n->alive && w->now >= n->bus_until && !sim_chance(w, w->lost_permille))
        agent_push(w, n, AGENT_LOOK, sim_between(w, 50, 2000), 0);
}

static void start_answered(struct world *w, struct node *n, const struct happening *h)
{
    static const int errors[] = {0, -EEXIST, -ETIMEDOUT, -EAGAIN};

    if (h->number == 0) { /* no ticket, no bus, or the last start is not answered */
        step_and_act(w, n, (struct member_event){.type = EVENT_STARTED, .error = -EALREADY});
        return;
    }
    if (!n->start_pending || h->number != n->start_number)
        return;
    n->start_pending = false;
    step_and_act(w, n, (struct member_event){.type = EVENT_STARTED, .error = errors[h->a]});
}

/* What was under way may have been done or not; what is guarded is found out anew afterwards. */
static void lose_bus(struct world *w, struct node *n, usec_t span)
{
    n->bus_until = w->now + span;
    n->guards_until = n->bus_until + sim_between(w, 1000, USEC_PER_SEC);
    n->look_wanted = false;
    if (n->looking)
        look_again(w, n, span);
    n->looking = false;
    if (!n->start_pending)
        return;
    n->start_pending = false;
    if (sim_chance(w, 500))
        n->start_lost = n->start_number;
    step_and_act(w, n, (struct member_event){.type = EVENT_STARTED, .error = -ECONNRESET});
}

/* ---- its life ---- */

static void boot(struct world *w, struct node *n)
{
    n->alive = true;
    n->has_ticket = false; /* whatever was not seen consumed */
    n->turn_at = USEC_INFINITY;
    member_init(&n->member, n->owner);
    sim_trace(w, n, "agent starts as %s", n->owner);
    if (!n->retired)
        step_and_act(w, n, (struct member_event){.type = EVENT_RESUME, .budget = &n->budget});
    n->connecting = true;
    agent_push(w, n, AGENT_CONNECT, sim_between(w, 1000, 100 * USEC_PER_MSEC), 0);
    agent_push(w, n, AGENT_LOOK, sim_between(w, 1000, 100 * USEC_PER_MSEC), 0);
}

void agent_die(struct world *w, struct node *n)
{
    if (n->busy)
        sim_exchange(w, n->exchange)->given_up = true;
    sim_trace(w, n, "agent dies");
    n->life++;
    n->connection++;
    n->alive = n->busy = n->connected = n->connecting = n->looking = n->look_wanted = false;
    n->effect_pending = n->start_pending = false;
    n->agent_stalled_until = 0;
    n->witness = (struct witness){0};
}

static void order(struct world *w, struct node *n)
{
    if (n->retired)
        step_and_act(w, n, (struct member_event){.type = EVENT_STOP});
    else
        step_and_act(w, n, (struct member_event){.type = EVENT_RESUME, .budget = &n->budget});
}

/* The whole host stands still before anything is started; the ticket grows old meanwhile. */
static void may_freeze(struct world *w, struct node *n)
{
    if (w->calm || n->keeper_unit > UNIT_QUEUED || !sim_chance(w, 20))
        return;
    n->pid1_stalled_until = usec_max(
        n->pid1_stalled_until, usec_min(w->late_at, w->now + sim_below(w, 2 * n->budget.lease)));
    /* Who wakes up first is chance. */
    n->agent_stalled_until =
        usec_max(n->agent_stalled_until, n->pid1_stalled_until + sim_below(w, 100 * USEC_PER_MSEC));
}

/* The moment at which most is under way: let what can come between come now. */
static void ticket_is_out(struct world *w, struct node *n)
{
    may_stall(w, n, 50);
    may_freeze(w, n);
    if (w->calm || n->retired || !sim_chance(w, 60))
        return;
    n->retired = true;
    order(w, n);
    agent_push(w, n, AGENT_RETURN, sim_between(w, 1000, 3 * USEC_PER_SEC), 0);
}

/* Everything that is due now, and an alarm for what is next. */
static void turn(struct world *w, struct node *n)
{
    for (unsigned round = 0; round < ROUNDS_MAX && !n->effect_pending; round++) {
        usec_t now = sim_local(w, n);

        if (member_wake(&n->member) <= now) {
            witness_busy(w, n, &n->clocks, "timers");
            step_and_act(w, n, (struct member_event){.type = EVENT_CLOCK});
        } else if (n->connected && !n->busy && member_due(&n->member) <= now) {
            witness_busy(w, n, &n->sends, "requests");
            send(w, n);
        } else
            break;
    }

    usec_t next = member_wake(&n->member);
    if (n->connected && !n->busy)
        next = usec_min(next, member_due(&n->member));
    next = sim_true(w, n, next);
    if (next == USEC_INFINITY || (n->turn_at > w->now && n->turn_at <= next))
        return;
    n->turn_at = next;
    agent_push(w, n, AGENT_TURN, usec_max(next, w->now + 1) - w->now, 0);
}

static void handle(struct world *w, struct node *n, const struct happening *h)
{
    if (h->kind == AGENT_BOOT)
        boot(w, n);
    else if (h->kind == AGENT_CONNECT)
        connect_again(w, n);
    else if (h->kind == AGENT_RESET)
        agent_lose_connection(w, n);
    else if (h->kind == AGENT_ANSWER)
        take_answer(w, n, h);
    else if (h->kind == AGENT_TIME_UP && n->busy && n->exchange == h->number)
        agent_lose_connection(w, n);
    else if (h->kind == AGENT_HINT)
        take_hint(w, n, h);
    else if (h->kind == AGENT_ORDER)
        order(w, n);
    else if (h->kind == AGENT_BUS_LOST)
        lose_bus(w, n, h->a);
    else if (h->kind == AGENT_TICKET_OUT)
        ticket_is_out(w, n);
    else if (h->kind == AGENT_RETURN) {
        n->retired = false;
        order(w, n);
    } else if (h->kind == AGENT_LOOK && (h->number == 0 || h->number == n->look_number))
        look(w, n); /* by itself only when nothing else made it look since */
    else if (h->kind == AGENT_LOOK_ANSWER)
        take_look(w, n, h);
    else if (h->kind == AGENT_LOOK_TIME_UP && n->looking && n->look_number == h->number) {
        n->looking = false;
        look_again(w, n, LOOK_RETRY_USEC);
    } else if (h->kind == AGENT_START_ANSWER)
        start_answered(w, n, h);
}

void agent_handle(struct world *w, struct node *n, const struct happening *h)
{
    if (!n->alive && h->kind != AGENT_BOOT)
        return;
    if (n->effect_pending) /* decided before the stall, done after it */
        carry_out(w, n);
    if (w->now - n->agent_stalled_until < SHUFFLE_USEC && sim_chance(w, 500))
        turn(w, n); /* after a stall, timers may come before what has arrived */
    if (h->kind != AGENT_EFFECT && h->kind != AGENT_TURN)
        handle(w, n, h);
    turn(w, n);
}
