/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon is to one member: it asks the arbiter when the member is due, looks at the host,
 * and carries out what the member says. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arbiter/tick_codec.h"
#include "sim.h"

#define LOOK_TIMEOUT_USEC (500 * USEC_PER_MSEC)
#define LOOK_SETTLED_USEC (5 * USEC_PER_SEC)
#define LOOK_RETRY_USEC (150 * USEC_PER_MSEC)
#define START_TIMEOUT_USEC (500 * USEC_PER_MSEC)
/* How long after the ticket a keeper is on its way. */
/* An answer that says nothing new about the guards: it comes from what was found before. */
#define OLD_ANSWER_PERMILLE 300
#define TICKET_OUT_USEC (60 * USEC_PER_MSEC)
#define LATE_START_USEC (6 * USEC_PER_SEC)
#define LATE_START_PERMILLE 30
#define ROUNDS_MAX 32

static const char *const group_names[SIM_GROUPS_MAX] = {"g0", "g1", "g2"};

static void turn(struct world *w, struct host *h);

void agent_push_host(struct world *w, const struct host *h, enum kind kind, usec_t delay,
                     uint32_t number)
{
    agent_push(w, sim_nodes(w, h), kind, delay, number);
}

void agent_push(struct world *w, const struct node *n, enum kind kind, usec_t delay,
                uint32_t number)
{
    sim_push(w, (struct sim_event){.at = usec_add(w->now, delay),
                                   .kind = kind,
                                   .node = n->index,
                                   .life = n->host->life,
                                   .number = number});
}

/* ---- what the member wants done ---- */

static void send_to_keeper(struct world *w, struct node *n, const struct ticket *t, usec_t deadline)
{
    if (!n->keeper_alive || sim_chance(w, w->lost_permille / 4))
        return;
    bool is_late = sim_chance(w, w->lost_permille);

    /* Some reach it late, and some twice, the second time at any time. */
    for (int copy = 0; copy == 0 || (copy == 1 && sim_chance(w, w->lost_permille)); copy++)
        sim_push(w, (struct sim_event){
                        .at = w->now +
                              sim_between(w, 20, copy == 0 && !is_late ? 1000 : n->budget.lease),
                        .kind = KEEPER_MESSAGE,
                        .node = n->index,
                        .life = n->keeper_life,
                        .a = t->term,
                        .b = deadline,
                        .lease = t->lease,
                        .duration = t->duration});
}

static void start_keeper(struct world *w, struct node *n)
{
    const struct ticket *t = &n->effect_ticket;

    checker_ticket(w, n, t);
    if (n->has_ticket || n->start_pending) {
        agent_push(w, n, AGENT_START_ANSWER, 1, 0);
        return;
    }
    n->ticket = *t;
    n->has_ticket = true;
    if (w->now < n->host->bus_until) {
        agent_push(w, n, AGENT_START_ANSWER, 1, 0);
        return;
    }
    n->start_pending = true;
    n->start_number++;
    if (n->unguarded || n->bare || n->outside ||
        w->now < n->host->guards_until) { /* PID 1 is not asked before that is known */
        sim_push(w, (struct sim_event){.at = w->now + 2 * START_TIMEOUT_USEC,
                                       .kind = AGENT_START_ANSWER,
                                       .node = n->index,
                                       .life = n->host->life,
                                       .number = n->start_number,
                                       .a = 3});
        return;
    }
    bool is_late = !w->calm && sim_chance(w, LATE_START_PERMILLE);

    w->coverage->late_starts += is_late;
    sim_push(
        w, (struct sim_event){.at = w->now + sim_between(w, 100, is_late ? LATE_START_USEC : 8000),
                              .kind = PID1_START,
                              .node = n->index,
                              .life = n->host->boot,
                              .a = n->start_number});
    /* a: 1 is an error, 2 is no answer, 3 is that PID 1 was not asked */
    sim_push(w, (struct sim_event){.at = w->now + START_TIMEOUT_USEC,
                                   .kind = AGENT_START_ANSWER,
                                   .node = n->index,
                                   .life = n->host->life,
                                   .number = n->start_number,
                                   .a = 2});
}

static void may_stall(struct world *w, struct node *n, unsigned permille)
{
    if (!w->calm && sim_chance(w, permille))
        n->host->agent_stalled_until =
            usec_max(n->host->agent_stalled_until,
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
        send_to_keeper(w, n, &n->effect_ticket, 0);
    if ((actions & ACTION_STOP_KEEPER) && w->now >= n->host->bus_until)
        machine_push(w, n, PID1_STOP, sim_between(w, 100, 8000), 0);
    if (actions & ACTION_TICKET)
        start_keeper(w, n);
    if (actions & ACTION_EXTEND) {
        checker_extend(w, n, &n->effect_ticket);
        send_to_keeper(w, n, &n->effect_ticket, n->effect_ticket.deadline);
    }
    if (actions & ACTION_HEAL)
        guards_ask_heal(w, n->host);
    if (actions & ACTION_POLL)
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
    n->effect_ticket =
        (struct ticket){.version = m->term.cover.fixed ? TICKET_VERSION_FIXED : TICKET_VERSION,
                        .group = "group",
                        .node = "node",
                        .term = m->term.number,
                        .lease = m->term.cover.lease,
                        .stop = m->term.stop,
                        .duration = m->term.cover.duration,
                        .deadline = m->term.deadline};
    memcpy(n->effect_ticket.owner, n->host->owner, sizeof n->host->owner);
    may_stall(w, n, u->actions & ACTION_TICKET ? 50 : 5);
    if (n->host->agent_stalled_until > w->now)
        agent_push(w, n, AGENT_EFFECT, n->host->agent_stalled_until - w->now, 0);
    else
        carry_out(w, n);
}

static void count_move(struct world *w, const struct node *n, const struct member *before)
{
    const struct member *m = &n->member;

    if (m->state == before->state)
        return;
    w->coverage->moves[before->state][m->state]++;
    if (m->state == MEMBER_ENDING) {
        w->coverage->reasons[m->reason]++;
        checker_ending(w, n);
    }
    sim_trace(w, n->host, "%s -> %s term %" PRIu64 " %s", member_state_name(before->state),
              member_state_name(m->state), m->term.number, member_reason_text(m->reason));
}

static void step(struct world *w, struct node *n, struct member_event event, struct update *u)
{
    struct member before;
    struct reply spare_reply;
    struct host_state spare_host;

    event.now = sim_host_state(w, n->host);
    event.random = sim_random(w);
    mutate_before(w, n, &event, &spare_reply, &spare_host);
    before = n->member;
    member_step(&n->member, &event, u);
    mutate_after(w, n, &before, &event, u);
    w->coverage->lefts += u->note == NOTE_LEFT;
    count_move(w, n, &before);
    if (n->member.state == MEMBER_ADOPTING && before.state != MEMBER_ADOPTING)
        checker_adopted(w, n);
    if (u->actions & ACTION_HEAL)
        checker_heal(w, n->host, n);
    checker_moved(w, n, &before, &event, u);
}

static void step_and_act(struct world *w, struct node *n, struct member_event event)
{
    struct update u;

    step(w, n, event, &u);
    take_actions(w, n, &u);
}

/* ---- the arbiter's side ---- */

void agent_lose_connection(struct world *w, struct host *h)
{
    struct reply unknown = {.outcome = OUTCOME_UNKNOWN};
    bool busy = h->busy;

    if (h->connected)
        server_lost_client(w, h);
    h->busy = h->connected = false;
    h->connection++;
    advisory_new_session(&h->advisory);
    for (uint32_t i = 0; busy && i < sim_exchange(w, h->tick)->n; i++) {
        struct exchange *x = sim_exchange(w, h->tick + i);

        x->given_up = true;
        step_and_act(w, &w->nodes[x->node],
                     (struct member_event){.type = EVENT_REPLY, .reply = &unknown});
    }
    if (!h->connecting)
        agent_push_host(w, h, AGENT_CONNECT,
                        sim_between(w, 50 * USEC_PER_MSEC, 500 * USEC_PER_MSEC), 0);
    h->connecting = true;
}

/* Something on the way ends each after a while, however well it works. */
static void end_in_time(struct world *w, const struct host *h)
{
    if (w->connections_last > 0)
        agent_push_host(w, h, AGENT_RESET,
                        sim_between(w, w->connections_last / 2, w->connections_last),
                        h->connection);
}

static void connect_again(struct world *w, struct host *h)
{
    uint8_t side = 0;

    if (h->connected)
        return;
    if (w->servers[1].era > 0) /* some get to see both */
        side = sim_chance(w, 100) ? !h->side : h->side;
    if (w->now < h->cut_until || w->now < w->servers[side].down_until) {
        agent_push_host(w, h, AGENT_CONNECT, sim_between(w, 100 * USEC_PER_MSEC, USEC_PER_SEC), 0);
        return;
    }
    h->connecting = false;
    h->connected = true;
    h->connected_at = w->now;
    h->connection++;
    h->server = side;
    end_in_time(w, h);
    for (unsigned g = 0; g < w->n_groups; g++) {
        struct node *n = sim_nodes(w, h) + g;

        n->witness.was_notified = false;
        n->nonces = 0;
        step_and_act(w, n, (struct member_event){.type = EVENT_CONNECTED});
    }
}

static usec_t travel_time(struct world *w, usec_t lease)
{
    if (sim_chance(w, w->late_permille))
        return sim_between(w, 0, w->late_at - w->calm_at);
    if (sim_chance(w, w->slow_permille))
        return sim_between(w, 0, usec_min(lease, w->late_at - w->calm_at));
    return sim_between(w, 100, 3000);
}

/* What the member wants to ask goes into the tick. */
static void ask(struct world *w, struct node *n)
{
    const struct host *h = n->host;
    struct member_event event = {
        .type = EVENT_SEND, .fit = !h->unfit, .may_claim = !h->no_slot || sim_chance(w, 200)};
    struct update u;

    n->nonces++;
    for (size_t i = 0; i < sizeof event.nonce.bytes; i++)
        event.nonce.bytes[i] = (uint8_t)sim_random(w);
    if (w->mutation == MUTATION_NONCE_COUNTS) {
        event.nonce = (struct nonce){0};
        memcpy(event.nonce.bytes, &n->nonces, sizeof n->nonces);
    }
    step(w, n, event, &u);
    if (u.actions & ACTION_REQUEST) {
        struct exchange *x = sim_exchange(w, w->n_exchanges++);

        *x = (struct exchange){.request = u.request,
                               .node = n->index,
                               .server = h->server,
                               .life = h->life,
                               .connection = h->connection,
                               .era = w->servers[h->server].era,
                               .sent = w->now,
                               .sent_host = sim_host_state(w, h),
                               .fit = event.fit};
        x->request.group = group_names[n->group];
        x->request.method = n->method;
        memcpy(x->owner, h->owner, sizeof x->owner);
        checker_send(w, n, x);
    }
    take_actions(w, n, &u);
}

/* Beside the requests, what arbiter/advisory.c says about the session. */
static void ask_of_session(struct world *w, struct host *h, uint32_t first, uint32_t n)
{
    struct request requests[SIM_GROUPS_MAX];
    struct tick_extra extra;

    for (uint32_t i = 0; i < n; i++)
        requests[i] = sim_exchange(w, first + i)->request;
    int r = advisory_ask(&h->advisory, requests, n, sim_host_state(w, h), &extra);

    assert(r == 0);
    for (uint32_t i = 0; i < n; i++) {
        struct exchange *x = sim_exchange(w, first + i);

        x->first = first;
        x->n = n;
        x->waited = extra.waited[i];
        x->bound = h->advisory.asked_bound;
        /* Of whatever group, also one that is not asked about any more. */
        for (unsigned g = 0; g < w->n_groups; g++)
            x->drop |= (unsigned)(strstr(extra.drop, group_names[g]) != NULL) << g;
    }
    tick_extra_free(&extra);
}

/* Everybody's who is due, in one transaction. */
static void send(struct world *w, struct host *h)
{
    uint32_t first = w->n_exchanges;
    usec_t now = sim_host_state(w, h), limit = USEC_INFINITY, lease = USEC_INFINITY;

    for (unsigned g = 0; g < w->n_groups; g++) {
        struct node *n = sim_nodes(w, h) + g;

        if (member_due(&n->member) > now)
            continue;
        limit = usec_min(limit, member_limit(&n->member));
        lease = usec_min(lease, n->budget.lease);
        ask(w, n);
    }

    uint32_t n = w->n_exchanges - first;
    if (n == 0)
        return;
    ask_of_session(w, h, first, n);
    h->busy = true;
    h->tick = first;
    agent_push_host(w, h, AGENT_TIME_UP, sim_true(w, h, usec_add(now, limit)) - w->now, first);
    if (w->now >= h->cut_until && !sim_chance(w, w->lost_permille))
        sim_push(w, (struct sim_event){.at = w->now + travel_time(w, lease),
                                       .kind = SERVER_EXECUTE,
                                       .number = first});
}

/* As arbiter/postgresql.c refuses it: a server on an older timeline than was seen. */
static bool acceptable(struct world *w, struct host *h, const struct epoch *epoch)
{
    if (epoch->system_id == h->seen.system_id && epoch->timeline < h->seen.timeline &&
        w->mutation != MUTATION_OLD_TIMELINE_BELIEVED)
        return false;
    h->seen = *epoch;
    return true;
}

static void take_session(struct world *w, struct host *h, uint32_t first, uint32_t n)
{
    struct request requests[SIM_GROUPS_MAX];
    struct reply replies[SIM_GROUPS_MAX];
    bool held[SIM_GROUPS_MAX];

    for (uint32_t i = 0; i < n; i++) {
        const struct exchange *x = sim_exchange(w, first + i);

        requests[i] = x->request;
        replies[i] = x->reply;
        held[i] = x->held;
    }
    int r = advisory_take(&h->advisory, requests, replies, held, n, sim_host_state(w, h));

    assert(r == 0);
}

static void take_answer(struct world *w, struct host *h, uint32_t number)
{
    const struct exchange *x = sim_exchange(w, number);

    if (!h->busy || (h->tick != number && w->mutation != MUTATION_STALE_REPLY_BELIEVED))
        return;
    if (w->now < h->cut_until)
        return;
    if (!acceptable(w, h, &x->reply.epoch)) {
        agent_lose_connection(w, h);
        return;
    }
    h->busy = false;
    checker_history(w, h, &x->reply.epoch);
    take_session(w, h, number, x->n);
    for (uint32_t i = 0; i < x->n; i++) {
        const struct exchange *one = sim_exchange(w, number + i);
        struct node *n = &w->nodes[one->node];

        if (w->mutation == MUTATION_STALE_REPLY_BELIEVED && !n->member.in_flight)
            continue;
        /* As arbiter/tick_codec.c asks of each answer. */
        assert(w->mutation != MUTATION_NONE || reply_fits(&one->request, h->owner, &one->reply));
        if (one->reply.outcome == OUTCOME_GRANTED && one->request.operation != OPERATION_OBSERVE)
            n->zombie = one->zombie;
        checker_answer(w, n, one, &one->reply);
        step_and_act(w, n, (struct member_event){.type = EVENT_REPLY, .reply = &one->reply});
    }
}

static void take_hint(struct world *w, struct node *n, const struct sim_event *h)
{
    const struct record *r = &sim_exchange(w, h->number)->reply.record;
    struct release_notice notice = {.term = r->term, .nonce = r->nonce};
    bool says = h->a && n->host->connected && h->b == n->host->connection;

    if (says)
        checker_notice(n, &notice);
    step_and_act(w, n, (struct member_event){.type = EVENT_HINT, .notice = says ? &notice : NULL});
}

/* ---- this host ---- */

static void look(struct world *w, struct node *n)
{
    if (n->looking) {
        n->look_wanted = true;
        return;
    }
    if (w->now < n->host->bus_until) {
        agent_push(w, n, AGENT_LOOK, n->host->bus_until - w->now, 0);
        return;
    }
    checker_busy(w, n->host, &n->host->looks, "looks");
    n->looking = true;
    n->look_number++;
    n->look_asked_at = sim_host_state(w, n->host);
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

/* The guards are another question, and what was found is shown until it is asked again. Returns
 * whether it was. */
static bool see_guards(struct world *w, struct node *n, uint64_t bits)
{
    struct guards_seen *g = &n->guards_seen;

    if (w->now < n->host->guards_until) {
        *g = (struct guards_seen){.state = GUARDS_UNKNOWN};
        return false;
    }
    if (g->state != GUARDS_UNKNOWN && sim_chance(w, OLD_ANSWER_PERMILLE))
        return false;
    *g = (struct guards_seen){
        .state = bits & LOOK_BARE   ? GUARDS_BARE
                 : bits & LOOK_PART ? GUARDS_PART
                                    : GUARDS_WHOLE,
        .outside = bits & LOOK_OUTSIDE,
        .asked_at = n->look_asked_at,
    };
    return true;
}

static void take_look(struct world *w, struct node *n, const struct sim_event *h)
{
    struct host_state local;

    if (!n->looking || h->number != n->look_number)
        return;
    n->looking = false;
    bool fresh = see_guards(w, n, h->b);

    n->seen_since = n->seen_since || (fresh && n->look_asked_at > n->healed_at);
    const struct guards_seen *g = &n->guards_seen;
    local = (struct host_state){
        .asked_at = n->look_asked_at,
        .keeper = (enum keeper_presence)h->a,
        .units_dead = h->b & LOOK_DEAD,
        .units_stay = h->b & LOOK_STAYS,
        /* Read after PID 1's answer, as the state file is. */
        .slice_empty =
            !machine_populated(n) && (n->outside || (h->b & LOOK_DEAD) || !n->units_active),
        .left = h->b & LOOK_LEFT,
        .guarded =
            !n->unguarded && !g->outside && (g->state == GUARDS_WHOLE || g->state == GUARDS_PART),
        .guards = *g,
    };
    n->guards_reported = g->state;
    if (n->has_state && local.keeper != KEEPER_GONE) {
        local.keeper_term = n->state.term;
        local.keeper_ours = strcmp(n->state.owner, n->host->owner) == 0;
        local.keeper_fixed = n->state.version == TICKET_VERSION_FIXED;
        local.keeper_lease = n->state.lease;
        local.keeper_stop = n->state.stop;
        local.keeper_duration = n->state.duration;
        local.keeper_deadline = usec_add(n->state.deadline, n->damage);
    }
    step_and_act(w, n, (struct member_event){.type = EVENT_HOST, .host = &local});

    bool settled =
        local.keeper == KEEPER_GONE ? local.units_dead && local.slice_empty : local.keeper_term > 0;
    look_again(w, n, settled && fresh ? LOOK_SETTLED_USEC : LOOK_RETRY_USEC);
}

void agent_signal(struct world *w, struct node *n)
{
    if (n->host->alive && w->now >= n->host->bus_until && !sim_chance(w, w->lost_permille))
        agent_push(w, n, AGENT_LOOK, sim_between(w, 50, 2000), 0);
}

static void start_answered(struct world *w, struct node *n, const struct sim_event *h)
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

/* Whichever group asked for it, all groups learn of it. */
static void heal_is_over(struct world *w, struct host *h, bool answered)
{
    h->healing = false;
    for (unsigned g = 0; g < w->n_groups; g++) {
        struct node *n = sim_nodes(w, h) + g;

        n->vain_then = n->vain;
        n->seen_since = false;
        n->healed_at = sim_host_state(w, h);
        n->vain = n->bare ? n->vain + 1 : 0;
        if (n->bare && answered) {
            n->vain_watched++;
            n->vain_at = w->now;
        }
        step_and_act(w, n,
                     (struct member_event){
                         .type = EVENT_HEALED, .asked_at = h->heal_asked_at, .answered = answered});
    }
}

static void healed(struct world *w, struct host *h, const struct sim_event *what)
{
    if (h->healing && what->number == h->heal_number)
        heal_is_over(w, h, what->a);
}

/* What was under way may have been done or not; what is guarded is found out again afterwards. */
static void lose_bus_of_group(struct world *w, struct node *n, usec_t span)
{
    n->look_wanted = false;
    n->guards_seen = (struct guards_seen){.state = GUARDS_UNKNOWN};
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

static void lose_bus(struct world *w, struct host *h, usec_t span)
{
    h->bus_until = w->now + span;
    h->guards_until = h->bus_until + sim_between(w, 1000, USEC_PER_SEC);
    for (unsigned g = 0; g < w->n_groups; g++)
        lose_bus_of_group(w, sim_nodes(w, h) + g, span);
    if (h->healing)
        heal_is_over(w, h, false);
}

/* ---- its life ---- */

static void boot_group(struct world *w, struct node *n)
{
    n->has_ticket = false; /* whatever was not seen consumed */
    n->guards_seen = (struct guards_seen){.state = GUARDS_UNKNOWN};
    n->guards_reported = GUARDS_UNKNOWN;
    member_init(&n->member, n->host->owner);
    if (!n->retired)
        step_and_act(w, n, (struct member_event){.type = EVENT_RESUME, .budget = &n->budget});
    agent_push(w, n, AGENT_LOOK, sim_between(w, 1000, 100 * USEC_PER_MSEC), 0);
}

static void boot(struct world *w, struct host *h)
{
    h->alive = true;
    h->turn_at = USEC_INFINITY;
    h->seen = h->answered = (struct epoch){0};
    sim_trace(w, h, "agent starts as %s", h->owner);
    for (unsigned g = 0; g < w->n_groups; g++)
        boot_group(w, sim_nodes(w, h) + g);
    h->connecting = true;
    agent_push_host(w, h, AGENT_CONNECT, sim_between(w, 1000, 100 * USEC_PER_MSEC), 0);
}

void agent_die(struct world *w, struct host *h)
{
    for (uint32_t i = 0; h->busy && i < sim_exchange(w, h->tick)->n; i++)
        sim_exchange(w, h->tick + i)->given_up = true;
    sim_trace(w, h, "agent dies");
    if (h->connected)
        server_lost_client(w, h);
    h->life++;
    h->connection++;
    advisory_free(&h->advisory);
    h->alive = h->busy = h->connected = h->connecting = h->healing = false;
    h->agent_stalled_until = 0;
    for (unsigned g = 0; g < w->n_groups; g++) {
        struct node *n = sim_nodes(w, h) + g;

        n->looking = n->look_wanted = n->effect_pending = n->start_pending = false;
        n->witness = (struct witness){0};
    }
}

static void order(struct world *w, struct node *n)
{
    if (n->retired)
        step_and_act(w, n, (struct member_event){.type = EVENT_STOP});
    else
        step_and_act(w, n, (struct member_event){.type = EVENT_RESUME, .budget = &n->budget});
}

/* The whole host is paused before anything is started; the ticket grows old meanwhile. */
static void may_freeze(struct world *w, struct node *n)
{
    struct host *h = n->host;

    if (w->calm || n->keeper_unit > UNIT_QUEUED || !sim_chance(w, 20) ||
        !fault_pid1_may_stall(w, h))
        return;
    h->pid1_stalled_until = usec_max(
        h->pid1_stalled_until, usec_min(w->late_at, w->now + sim_below(w, 2 * n->budget.lease)));
    /* Who wakes up first is chance. */
    h->agent_stalled_until =
        usec_max(h->agent_stalled_until, h->pid1_stalled_until + sim_below(w, 100 * USEC_PER_MSEC));
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

/* Decided before a stall, done after it. */
static bool stays_unchanged(const struct world *w, const struct host *h)
{
    for (unsigned g = 0; g < w->n_groups; g++)
        if (w->nodes[h->index * w->n_groups + g].effect_pending)
            return true;
    return false;
}

static bool run_timers(struct world *w, struct host *h)
{
    usec_t now = sim_host_state(w, h);

    for (unsigned g = 0; g < w->n_groups; g++) {
        struct node *n = sim_nodes(w, h) + g;

        if (member_wake(&n->member) <= now) {
            checker_busy(w, h, &h->clocks, "timers");
            step_and_act(w, n, (struct member_event){.type = EVENT_CLOCK});
            return true;
        }
    }
    return false;
}

static usec_t earliest_due(struct world *w, struct host *h)
{
    usec_t due = USEC_INFINITY;

    for (unsigned g = 0; h->connected && !h->busy && g < w->n_groups; g++)
        due = usec_min(due, member_due(&(sim_nodes(w, h) + g)->member));
    return due;
}

/* Everything that is due now, and an alarm for what is next. */
static void turn(struct world *w, struct host *h)
{
    for (unsigned round = 0; round < ROUNDS_MAX && !stays_unchanged(w, h); round++) {
        if (run_timers(w, h))
            continue;
        if (earliest_due(w, h) > sim_host_state(w, h))
            break;
        checker_busy(w, h, &h->sends, "requests");
        send(w, h);
    }

    usec_t next = earliest_due(w, h);
    for (unsigned g = 0; g < w->n_groups; g++)
        next = usec_min(next, member_wake(&(sim_nodes(w, h) + g)->member));
    next = sim_true(w, h, next);
    if (next == USEC_INFINITY || (h->turn_at > w->now && h->turn_at <= next))
        return;
    h->turn_at = next;
    agent_push_host(w, h, AGENT_TURN, usec_max(next, w->now + 1) - w->now, 0);
}

/* What is for the agent as a whole. */
static bool handle_host(struct world *w, struct host *h, const struct sim_event *what)
{
    if (what->kind == AGENT_BOOT)
        boot(w, h);
    else if (what->kind == AGENT_CONNECT)
        connect_again(w, h);
    else if (what->kind == AGENT_RESET &&
             (what->number == 0 || what->number == h->connection)) /* 0: whichever there is */
        agent_lose_connection(w, h);
    else if (what->kind == AGENT_ANSWER)
        take_answer(w, h, what->number);
    else if (what->kind == AGENT_TIME_UP) {
        if (h->busy && h->tick == what->number)
            agent_lose_connection(w, h);
    } else if (what->kind == AGENT_HEALED)
        healed(w, h, what);
    else if (what->kind == AGENT_BUS_LOST)
        lose_bus(w, h, what->a);
    else
        return false;
    return true;
}

static void handle(struct world *w, struct node *n, const struct sim_event *h)
{
    if (h->kind == AGENT_HINT)
        take_hint(w, n, h);
    else if (h->kind == AGENT_ORDER)
        order(w, n);
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

void agent_handle(struct world *w, struct node *n, const struct sim_event *what)
{
    struct host *h = n->host;

    if (!h->alive && what->kind != AGENT_BOOT)
        return;
    for (unsigned g = 0; g < w->n_groups; g++)
        if ((sim_nodes(w, h) + g)->effect_pending)
            carry_out(w, sim_nodes(w, h) + g);
    if (w->now - h->agent_stalled_until < SHUFFLE_USEC && sim_chance(w, 500))
        turn(w, h); /* after a stall, timers may come before what has arrived */
    if (what->kind != AGENT_EFFECT && what->kind != AGENT_TURN && !handle_host(w, h, what))
        handle(w, n, what);
    turn(w, h);
}
