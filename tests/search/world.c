/* SPDX-License-Identifier: Apache-2.0 */
/* What can happen in a state, and what comes of it. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "search.h"

struct grid grid;
struct coverage coverage;

static const char *const violations[VIOLATIONS] = {
    [VIOLATION_NONE] = "none",
    [VIOLATION_TWO_LEADERS] = "two nodes run units",
    [VIOLATION_TERM_REUSED] = "term reused",
    [VIOLATION_SECOND_TICKET] = "second ticket for a term",
    [VIOLATION_TICKET] = "ticket that must not be",
    [VIOLATION_DEADLINE] = "deadline beyond the acknowledgement",
    [VIOLATION_CLAIM] = "claim before full observation",
    [VIOLATION_RELEASE] = "release before proven death",
    [VIOLATION_ORPHAN] = "orphan released before it was seen unchanged",
    [VIOLATION_COPY] = "a copy found where there is none",
    [VIOLATION_STOP] = "stop not begun at the deadline",
    [VIOLATION_ALIVE] = "alive after the deadline and the stop timeout",
};

static const char *const names[CHOICES] = {
    [CHOICE_BOOT] = "the agent starts",
    [CHOICE_CONNECT] = "the agent connects to the arbiter",
    [CHOICE_SEND] = "the agent sends what is due",
    [CHOICE_EXECUTE] = "the arbiter executes its request",
    [CHOICE_DELIVER] = "the answer arrives",
    [CHOICE_TIME_UP] = "the agent gives its request up",
    [CHOICE_STRAY] = "the arbiter executes a request that was given up",
    [CHOICE_CLOCK] = "a timer of the member fires",
    [CHOICE_LOOK] = "the agent looks at its host",
    [CHOICE_LOOK_ANSWER] = "the look's late answer arrives",
    [CHOICE_LOOK_TIME_UP] = "the agent gives its look up",
    [CHOICE_STARTED] = "the agent hears what became of StartUnit",
    [CHOICE_HINT] = "the release notice arrives",
    [CHOICE_LATE_HINT] = "a late release notice arrives",
    [CHOICE_GO_ON] = "the agent goes on",
    [CHOICE_RESUME] = "the operator has it take part again",
    [CHOICE_START] = "PID 1 starts the keeper",
    [CHOICE_START_QUEUED] = "PID 1 queues the keeper's start behind its stop",
    [CHOICE_UNITS_START] = "PID 1 starts the units",
    [CHOICE_MESSAGE] = "the keeper reads a message",
    [CHOICE_DEADLINE] = "the keeper's deadline has come",
    [CHOICE_KILL] = "SIGKILL for the units",
    [CHOICE_GONE] = "the units' processes are gone",
    [CHOICE_EXIT] = "the keeper exits",
    [CHOICE_WATCHDOG] = "PID 1's watchdog ends the keeper",
    [CHOICE_FENCE_DONE] = "the fence has found nothing left",
    [CHOICE_THAW] = "the keeper goes on",
    [CHOICE_TICK] = "time goes on",
    [CHOICE_REQUEST_LATE] = "its request or answer is late, or lost",
    [CHOICE_ROW_LOCKED] = "the arbiter finds the row locked",
    [CHOICE_RESET] = "the connection is lost",
    [CHOICE_RESTART] = "the server restarts",
    [CHOICE_RESTART_HIDDEN] = "the server restarts behind a pooler",
    [CHOICE_STALL] = "the agent hangs",
    [CHOICE_CRASH] = "the agent is killed",
    [CHOICE_REBOOT] = "the host reboots",
    [CHOICE_UNFIT] = "its clock cannot be trusted, and the agent sends what is due",
    [CHOICE_LOOK_HELD] = "the agent looks, and the answer is late",
    [CHOICE_HINT_LATE] = "the release notice is late, or lost",
    [CHOICE_LIE] = "somebody forges a release notice",
    [CHOICE_STOP] = "the operator has it give up",
    [CHOICE_START_BY_HAND] = "the operator starts the keeper",
    [CHOICE_START_LATE] = "the keeper's start is late",
    [CHOICE_START_REFUSED] = "PID 1 refuses to start the keeper",
    [CHOICE_UNITS_LATE] = "the units' start is late",
    [CHOICE_MESSAGE_LATE] = "a message to the keeper is late, or lost",
    [CHOICE_MESSAGE_TWICE] = "a message to the keeper will come once more",
    [CHOICE_KEEPER_KILLED] = "the keeper is killed",
    [CHOICE_GUARDS_LOST] = "its units' guards are lost, and no heal helps",
    [CHOICE_OUTSIDE] = "a unit that crashed is started outside its slice",
    [CHOICE_KEEPER_FROZEN] = "the keeper freezes",
    [CHOICE_CLOCK_SLOW] = "time goes on, but its clock does not",
    [CHOICE_CLOCK_FAST] = "its clock gains a tick",
};

static const char *const covers[COVERS] = {
    [COVER_CLAIM_OBSERVED] = "claims on observation",
    [COVER_CLAIM_RECONNECTED] = "of them on what was seen in two connections",
    [COVER_CLAIM_CLEAN] = "claims on a clean record",
    [COVER_CLAIM_NOTICE] = "claims on a release notice",
    [COVER_CLAIM_DENIED] = "claims that were denied",
    [COVER_RELEASED] = "releases",
    [COVER_RENEWED] = "renewals",
    [COVER_STRAY_CLAIM] = "claims granted late, or after they were given up",
    [COVER_STRAY_RENEWAL] = "renewals granted late, or after they were given up",
    [COVER_STRAY_RELEASE] = "releases granted late, or after they were given up",
    [COVER_UNITS_STARTED] = "starts of the units",
    [COVER_TERM_AFTER_DEADLINE] = "claims after a term that has run out",
    [COVER_KILLED_BY_KEEPER] = "units killed by the keeper",
    [COVER_KILLED_BY_FENCE] = "units killed by the fence",
    [COVER_KILLED_BY_NAME] = "units killed by PID 1 outside their slice",
    [COVER_KILLED_BY_WATCHDOG] = "keepers ended by the watchdog",
    [COVER_GONE_AT_THE_LAST_MOMENT] = "units gone at the last moment that is allowed",
    [COVER_TICKET_REFUSED] = "tickets that a keeper refused",
    [COVER_TICKET_MISSING] = "starts without a ticket",
    [COVER_EXTENSION_NOT_LATER] = "extensions that were none",
    [COVER_EXTENSION_ENDING] = "extensions and ends read while ending",
};

const char *violation_name(enum violation v)
{
    return violations[v];
}

const char *choice_name(enum choice_kind kind)
{
    return names[kind];
}

const char *cover_name(enum covered c)
{
    return covers[c];
}

/* The first one counts. */
void world_violate(struct world *w, enum violation v, const char *format, ...)
{
    va_list ap;

    if (w->violation != VIOLATION_NONE)
        return;
    w->violation = v;
    va_start(ap, format);
    (void)vsnprintf(w->text, sizeof w->text, format, ap);
    va_end(ap);
}

void world_begin_members(struct world *w)
{
    for (unsigned i = 0; i < grid.nodes; i++) {
        struct node *n = &w->nodes[i];

        n->owner[0] = (char)('a' + i);
        n->owner[1] = '/';
        n->owner[2] = '1';
        member_init(&n->member, n->owner);
    }
}

void world_init(struct world *w, unsigned deviations, unsigned orders)
{
    uint8_t packed[SEARCH_PACKED_MAX];

    *w = (struct world){.deviations = deviations,
                        .orders = orders,
                        .skew = grid.skew_max,
                        .life = SEARCH_LIFE,
                        .written_at = SEARCH_NOW(grid)};
    w->row.nonce.bytes[0] = 1;
    w->row.lease = grid.budget.lease;
    w->row.stop = grid.budget.stop;
    w->row.duration = grid.budget.duration;
    world_begin_members(w);
    (void)pack(w, packed);
    unpack(packed, w);
    for (unsigned i = 0; i < grid.nodes; i++)
        w->nodes[i].name = (char)('a' + i);
}

/* ---- what can happen ---- */

struct list {
    struct choice *at;
    unsigned n;
    unsigned *urgent; /* of each node: time cannot go on before they have happened */
    bool deviates, orders;
};

static void add(struct list *l, enum choice_kind kind, unsigned node, unsigned number)
{
    assert(l->n < SEARCH_CHOICES_MAX);
    l->at[l->n++] = (struct choice){.kind = kind, .node = (uint8_t)node, .number = (uint8_t)number};
}

/* A step of the agent: it may hang before it does what it has decided. */
static void add_step(struct list *l, enum choice_kind kind, unsigned node, bool urgent)
{
    add(l, kind, node, 0);
    l->urgent[node] += urgent;
    if (l->deviates) {
        add(l, kind, node, 0);
        l->at[l->n - 1].stalls = true;
    }
}

static void add_host(struct list *l, enum choice_kind kind, unsigned node, unsigned number,
                     bool urgent)
{
    add(l, kind, node, number);
    l->urgent[node] += urgent;
}

static void add_deviation(struct list *l, bool may, enum choice_kind kind, unsigned node,
                          unsigned number)
{
    if (may && l->deviates)
        add(l, kind, node, number);
}

static bool sends(const struct node *n)
{
    return n->connected && !n->member.in_flight && member_due(&n->member) <= SEARCH_NOW(grid);
}

static bool time_is_up(const struct node *n)
{
    const struct member *m = &n->member;

    return m->in_flight && SEARCH_NOW(grid) >= m->sent_at + member_limit(m);
}

static bool start_is_answered(const struct node *n)
{
    return n->start_pending && (n->start_answer != START_UNANSWERED || n->start_time_up);
}

static void list_agent(struct list *l, const struct node *n, unsigned i)
{
    if (!n->connected)
        add_step(l, CHOICE_CONNECT, i, true);
    if (sends(n))
        add_step(l, CHOICE_SEND, i, true);
    add_deviation(l, sends(n), CHOICE_UNFIT, i, 0);
    if (n->x.answered)
        add_step(l, CHOICE_DELIVER, i, !n->x.late);
    if (time_is_up(n))
        add_step(l, CHOICE_TIME_UP, i, true);
    if (member_wake(&n->member) <= SEARCH_NOW(grid))
        add_step(l, CHOICE_CLOCK, i, true);
    if (n->look_wanted && !n->looking)
        add_step(l, CHOICE_LOOK, i, true);
    add_deviation(l, n->look_wanted && !n->looking, CHOICE_LOOK_HELD, i, 0);
    if (n->looking)
        add_step(l, CHOICE_LOOK_ANSWER, i, false);
    if (n->looking && n->look.asked_at < SEARCH_NOW(grid))
        add_host(l, CHOICE_LOOK_TIME_UP, i, 0, true);
    if (start_is_answered(n))
        add_step(l, CHOICE_STARTED, i, true);
    if (n->hint == PENDING_NOW)
        add_step(l, CHOICE_HINT, i, true);
    if (n->late_hint == PENDING_LATE)
        add_step(l, CHOICE_LATE_HINT, i, false);
    if (n->retired)
        add(l, CHOICE_RESUME, i, 0);
    if (!n->retired && (l->deviates || l->orders))
        add(l, CHOICE_STOP, i, 0);
    add_deviation(l, true, CHOICE_STALL, i, 0);
}

static void list_network(struct list *l, const struct world *w, const struct node *n, unsigned i)
{
    if (n->x.sent)
        add_host(l, CHOICE_EXECUTE, i, 0, !n->x.late);
    add_deviation(l, n->x.sent && n->x.request.operation != OPERATION_OBSERVE, CHOICE_ROW_LOCKED, i,
                  0);
    add_deviation(l, (n->x.sent || n->x.answered) && !n->x.late, CHOICE_REQUEST_LATE, i, 0);
    add_deviation(l, n->alive && n->connected && !n->stalled, CHOICE_RESET, i, 0);
    add_deviation(l, n->hint == PENDING_NOW && n->late_hint == PENDING_NO, CHOICE_HINT_LATE, i, 0);
    add_deviation(l, n->connected && n->hint == PENDING_NO && w->row.term > 0 && !w->row.clean,
                  CHOICE_LIE, i, 0);
}

static bool has_free_message(const struct node *n)
{
    return n->messages[SEARCH_MESSAGES_MAX - 2].pending == PENDING_NO;
}

static void list_messages(struct list *l, const struct node *n, unsigned i)
{
    for (unsigned j = 0; j < SEARCH_MESSAGES_MAX; j++) {
        enum pending p = n->messages[j].pending;

        if (p == PENDING_NO)
            return;
        add_host(l, CHOICE_MESSAGE, i, j, p == PENDING_NOW);
        add_deviation(l, p == PENDING_NOW, CHOICE_MESSAGE_LATE, i, j);
        add_deviation(l, p == PENDING_NOW && has_free_message(n), CHOICE_MESSAGE_TWICE, i, j);
    }
}

static void list_keeper(struct list *l, const struct node *n, unsigned i)
{
    if (n->frozen) {
        add(l, CHOICE_THAW, i, 0);
        if (machine_watchdog_due(n))
            add_host(l, CHOICE_WATCHDOG, i, 0, true);
    } else {
        if (n->keeper.phase == KEEPER_LEADING && SEARCH_NOW(grid) >= n->keeper.deadline)
            add_host(l, CHOICE_DEADLINE, i, 0, true);
        list_messages(l, n, i);
        if (machine_may_exit(n))
            add_host(l, CHOICE_EXIT, i, 0, true);
    }
    add_deviation(l, !n->frozen, CHOICE_KEEPER_FROZEN, i, 0);
    add_deviation(l, true, CHOICE_KEEPER_KILLED, i, 0);
}

static bool is_up(const struct node *n)
{
    return n->running && n->unit == UNIT_ACTIVE && !n->stop_begun;
}

static void list_host(struct list *l, const struct node *n, unsigned i)
{
    if (n->start != PENDING_NO) {
        add_host(l, CHOICE_START, i, 0, n->start == PENDING_NOW);
        if (n->unit == UNIT_DEACTIVATING)
            add(l, CHOICE_START_QUEUED, i, 0);
    }
    if (n->start == PENDING_NO && (l->deviates || l->orders))
        add(l, CHOICE_START_BY_HAND, i, 0);
    add_deviation(l, n->start == PENDING_NOW, CHOICE_START_LATE, i, 0);
    add_deviation(l, n->start == PENDING_NOW, CHOICE_START_REFUSED, i, 0);
    if (n->units_start != PENDING_NO)
        add_host(l, CHOICE_UNITS_START, i, 0, n->units_start == PENDING_NOW);
    add_deviation(l, n->units_start == PENDING_NOW, CHOICE_UNITS_LATE, i, 0);
    if (n->keeper_alive)
        list_keeper(l, n, i);
    else if (n->unit == UNIT_DEACTIVATING && machine_is_down(n))
        add_host(l, CHOICE_FENCE_DONE, i, 0, true);
    if (machine_kill_due(n))
        add_host(l, CHOICE_KILL, i, 0, true);
    if (n->running && (n->killed_at > 0 || n->stop_begun))
        add_host(l, CHOICE_GONE, i, 0, machine_must_be_gone(n));
    add_deviation(l, is_up(n) && !n->bare, CHOICE_GUARDS_LOST, i, 0);
    add_deviation(l, is_up(n) && !n->outside, CHOICE_OUTSIDE, i, 0);
}

static void list_node(struct list *l, const struct world *w, unsigned i)
{
    const struct node *n = &w->nodes[i];

    if (!n->alive)
        add(l, CHOICE_BOOT, i, 0);
    else if (n->stalled)
        add(l, CHOICE_GO_ON, i, 0);
    else
        list_agent(l, n, i);
    list_network(l, w, n, i);
    list_host(l, n, i);
    add_deviation(l, n->alive, CHOICE_CRASH, i, 0);
    add_deviation(l, true, CHOICE_REBOOT, i, 0);
}

unsigned world_choices(const struct world *w, struct choice *ret)
{
    unsigned urgent_of[SEARCH_NODES_MAX] = {0}, urgent = 0;
    struct list l = {
        .at = ret, .urgent = urgent_of, .deviates = w->deviations > 0, .orders = w->orders > 0};

    for (unsigned i = 0; i < grid.nodes; i++)
        list_node(&l, w, i);
    for (unsigned i = 0; i < SEARCH_STRAYS_MAX; i++)
        if (w->strays[i].sent)
            add(&l, CHOICE_STRAY, w->strays[i].node, i);
    add_deviation(&l, true, CHOICE_RESTART, 0, 0);
    add_deviation(&l, true, CHOICE_RESTART_HIDDEN, 0, 0);
    for (unsigned i = 0; i < grid.nodes; i++)
        urgent += l.urgent[i];
    if (urgent == 0)
        add(&l, CHOICE_TICK, 0, 0);
    for (unsigned i = 0; i < grid.nodes && w->skew > 0; i++) {
        if (urgent == 0 && (l.deviates || grid.skew_is_free))
            add(&l, CHOICE_CLOCK_SLOW, i, 0);
        if (l.urgent[i] == 0 && (l.deviates || grid.skew_is_free))
            add(&l, CHOICE_CLOCK_FAST, i, 0);
    }
    return l.n;
}

/* ---- what comes of it ---- */

/* Time goes on for one node. What PID 1 has not answered by now, counts as not answered. */
static void tick_node(struct world *w, struct node *n)
{
    shift_node(n);
    n->start_time_up = n->start_pending && n->start_answer == START_UNANSWERED;
    /* The agent looks again by itself, as long as it waits for something here. */
    n->look_wanted = n->look_wanted || (n->alive && n->member.state != MEMBER_STANDBY &&
                                        n->member.state != MEMBER_LEADING);
    checker_tick(w, n);
}

static void tick(struct world *w, const struct node *except)
{
    shift_true(w);
    for (unsigned i = 0; i < grid.nodes; i++)
        if (&w->nodes[i] != except)
            tick_node(w, &w->nodes[i]);
}

static void held_look(struct node *n)
{
    agent_look_at_host(n, &n->look);
    n->looking = true;
}

static void take_late_hint(struct world *w, struct node *n, bool stalls)
{
    struct release_notice notice = n->late_notice;

    n->late_hint = PENDING_NO;
    agent_hint(w, n, &notice, stalls);
}

static void lie(struct world *w, struct node *n)
{
    n->hint = PENDING_NOW;
    n->notice = (struct release_notice){.term = w->row.term, .nonce = w->row.nonce};
}

static void stray(struct world *w, unsigned number)
{
    struct exchange x = w->strays[number];

    w->strays[number] = (struct exchange){0};
    arbiter_execute(w, &x, false);
    if (broken == BREAK_STALE_REPLY_BELIEVED && w->nodes[x.node].x.sent) {
        x.stale = true;
        w->nodes[x.node].x = x;
    }
}

static void apply_agent(struct world *w, struct node *n, const struct choice *c)
{
    struct host_state look;

    if (c->kind == CHOICE_CONNECT)
        agent_connect(w, n, c->stalls);
    else if (c->kind == CHOICE_SEND)
        agent_send(w, n, true, c->stalls);
    else if (c->kind == CHOICE_DELIVER)
        agent_deliver(w, n, c->stalls);
    else if (c->kind == CHOICE_TIME_UP)
        agent_lose_connection(w, n, c->stalls);
    else if (c->kind == CHOICE_CLOCK)
        agent_step(w, n, (struct member_event){.type = EVENT_CLOCK}, c->stalls);
    else if (c->kind == CHOICE_LOOK) {
        agent_look_at_host(n, &look);
        agent_take_look(w, n, &look, c->stalls);
    } else if (c->kind == CHOICE_LOOK_ANSWER)
        agent_take_look(w, n, &n->look, c->stalls);
    else if (c->kind == CHOICE_LOOK_TIME_UP)
        n->looking = false;
    else if (c->kind == CHOICE_STARTED)
        agent_started(w, n, c->stalls);
    else if (c->kind == CHOICE_HINT) {
        n->hint = PENDING_NO;
        agent_hint(w, n, &n->notice, c->stalls);
    } else if (c->kind == CHOICE_LATE_HINT)
        take_late_hint(w, n, c->stalls);
    else if (c->kind == CHOICE_GO_ON)
        agent_carry_out(w, n);
    else if (c->kind == CHOICE_RESUME) {
        n->retired = false;
        agent_step(w, n, (struct member_event){.type = EVENT_RESUME, .budget = &grid.budget},
                   false);
    } else
        agent_boot(w, n);
}

static void apply_host(struct world *w, struct node *n, const struct choice *c)
{
    if (c->kind == CHOICE_START)
        machine_start(w, n, false);
    else if (c->kind == CHOICE_START_QUEUED)
        machine_start(w, n, true);
    else if (c->kind == CHOICE_UNITS_START)
        machine_units_start(w, n);
    else if (c->kind == CHOICE_MESSAGE)
        machine_message(w, n, c->number);
    else if (c->kind == CHOICE_DEADLINE)
        machine_deadline(n);
    else if (c->kind == CHOICE_KILL)
        machine_kill(n);
    else if (c->kind == CHOICE_GONE)
        machine_gone(n);
    else if (c->kind == CHOICE_EXIT)
        machine_exit(n);
    else if (c->kind == CHOICE_WATCHDOG) {
        coverage.covers[COVER_KILLED_BY_WATCHDOG]++;
        machine_keeper_killed(n);
    } else if (c->kind == CHOICE_FENCE_DONE)
        machine_fence_done(w, n);
    else
        n->frozen = false;
}

/* What had not been executed never will be. An agent that hangs has not noticed yet, and reads an
 * answer that had arrived before. */
static void restart(struct world *w, bool hidden)
{
    w->life++;
    for (unsigned i = 0; i < SEARCH_STRAYS_MAX; i++)
        w->strays[i] = (struct exchange){0};
    for (unsigned i = 0; i < grid.nodes; i++) {
        struct node *n = &w->nodes[i];

        if (n->x.sent)
            n->x = (struct exchange){0};
        if (!hidden && n->alive && n->connected && !n->stalled)
            agent_lose_connection(w, n, false);
    }
}

static void message_twice(struct node *n, unsigned number)
{
    n->messages[SEARCH_MESSAGES_MAX - 1] = n->messages[number];
    n->messages[SEARCH_MESSAGES_MAX - 1].pending = PENDING_LATE;
}

static void apply_deviation_of_agent(struct world *w, struct node *n, const struct choice *c)
{
    if (c->kind == CHOICE_RESET)
        agent_lose_connection(w, n, false);
    else if (c->kind == CHOICE_STALL)
        n->stalled = true;
    else if (c->kind == CHOICE_CRASH)
        agent_crash(w, n);
    else if (c->kind == CHOICE_UNFIT)
        agent_send(w, n, false, false);
    else if (c->kind == CHOICE_LOOK_HELD)
        held_look(n);
    else if (c->kind == CHOICE_HINT_LATE) {
        n->late_hint = PENDING_LATE;
        n->late_notice = n->notice;
        n->hint = PENDING_NO;
    } else if (c->kind == CHOICE_LIE)
        lie(w, n);
    else {
        n->retired = true;
        agent_step(w, n, (struct member_event){.type = EVENT_STOP}, false);
    }
}

static void apply_deviation(struct world *w, struct node *n, const struct choice *c)
{
    if (c->kind == CHOICE_REQUEST_LATE)
        n->x.late = true;
    else if (c->kind == CHOICE_ROW_LOCKED)
        arbiter_execute(w, &n->x, true);
    else if (c->kind == CHOICE_RESTART || c->kind == CHOICE_RESTART_HIDDEN)
        restart(w, c->kind == CHOICE_RESTART_HIDDEN);
    else if (c->kind == CHOICE_REBOOT)
        machine_reboot(w, n);
    else if (c->kind == CHOICE_START_BY_HAND)
        n->start = PENDING_NOW;
    else if (c->kind == CHOICE_START_LATE)
        n->start = PENDING_LATE;
    else if (c->kind == CHOICE_START_REFUSED) {
        n->start = PENDING_NO;
        n->start_answer = START_REFUSED;
    } else if (c->kind == CHOICE_UNITS_LATE)
        n->units_start = PENDING_LATE;
    else if (c->kind == CHOICE_MESSAGE_LATE)
        n->messages[c->number].pending = PENDING_LATE;
    else if (c->kind == CHOICE_MESSAGE_TWICE)
        message_twice(n, c->number);
    else if (c->kind == CHOICE_KEEPER_KILLED)
        machine_keeper_killed(n);
    else if (c->kind == CHOICE_KEEPER_FROZEN)
        n->frozen = true;
    else if (c->kind == CHOICE_GUARDS_LOST || c->kind == CHOICE_OUTSIDE) {
        n->bare = n->bare || c->kind == CHOICE_GUARDS_LOST;
        n->outside = n->outside || c->kind == CHOICE_OUTSIDE;
        n->look_wanted = n->alive;
    } else if (c->kind == CHOICE_CLOCK_SLOW) {
        w->skew--;
        tick(w, n);
    } else if (c->kind == CHOICE_CLOCK_FAST) {
        w->skew--;
        tick_node(w, n);
    } else
        apply_deviation_of_agent(w, n, c);
}

/* Orders by hand and clocks count as deviations when none is given for nothing. */
static void pay(struct world *w, const struct choice *c)
{
    bool order = c->kind == CHOICE_STOP || c->kind == CHOICE_START_BY_HAND;
    bool skew = c->kind == CHOICE_CLOCK_SLOW || c->kind == CHOICE_CLOCK_FAST;

    if (order && w->orders > 0)
        w->orders--;
    else if ((c->kind >= CHOICE_FIRST_DEVIATION || c->stalls) && !(skew && grid.skew_is_free))
        w->deviations--;
}

void world_apply(struct world *w, const struct choice *c)
{
    struct node *n = &w->nodes[c->node];

    coverage.choices[c->kind]++;
    coverage.stalls += c->stalls;
    pay(w, c);
    if (c->kind >= CHOICE_FIRST_DEVIATION)
        apply_deviation(w, n, c);
    else if (c->kind == CHOICE_TICK)
        tick(w, NULL);
    else if (c->kind == CHOICE_EXECUTE)
        arbiter_execute(w, &n->x, false);
    else if (c->kind == CHOICE_STRAY)
        stray(w, c->number);
    else if (c->kind < CHOICE_START)
        apply_agent(w, n, c);
    else
        apply_host(w, n, c);
    checker_state(w);
}
