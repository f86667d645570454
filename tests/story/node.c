/* SPDX-License-Identifier: Apache-2.0 */
/* An agent: what the daemon does around member_step(), for one group and one request at a time. */
#include <assert.h>
#include <string.h>

#include "story.h"

#define WAY_USEC (2 * USEC_PER_MSEC) /* from agent to database, and back */
#define RECONNECT_USEC (100 * USEC_PER_MSEC)
#define LOOK_AGAIN_USEC (10 * USEC_PER_SEC)

static struct nonce fresh_nonce(struct story *s)
{
    struct nonce nonce = {0};

    s->nonces++;
    memcpy(nonce.bytes, &s->nonces, sizeof s->nonces);
    return nonce;
}

static void send_request(struct story *s, struct node *n, const struct request *q)
{
    n->request = *q;
    n->request.group = "billing";
    n->execute_at = n->online ? s->now + WAY_USEC + s->arbiter.slow : USEC_INFINITY;
    n->time_up_at = s->now + member_limit(&n->m);
}

static void step(struct story *s, struct node *n, struct member_event e)
{
    enum member_state before = n->m.state;
    struct update u;

    e.now = s->now;
    member_step(&n->m, &e, &u);
    tell_step(s, n, &e, before, &u);
    if (u.actions & ACTION_REQUEST)
        send_request(s, n, &u.request);
    host_act(s, n, u.actions);
}

static void event(struct story *s, struct node *n, enum member_event_type type)
{
    step(s, n, (struct member_event){.type = type});
}

static void execute(struct story *s, struct node *n)
{
    n->execute_at = USEC_INFINITY;
    arbiter_execute(&s->arbiter, n->m.owner, &n->request, &n->reply);
    if (!n->lose_answer)
        n->reply_at = s->now + WAY_USEC;
    n->lose_answer = false;
    if (n->request.operation == OPERATION_RELEASE && n->reply.outcome == OUTCOME_GRANTED)
        for (unsigned i = 0; i < s->n_nodes; i++)
            node_hint(s, &s->nodes[i],
                      &(struct release_notice){.term = n->reply.record.term,
                                               .nonce = n->reply.record.nonce});
}

static void forget_request(struct node *n)
{
    n->execute_at = n->reply_at = n->time_up_at = USEC_INFINITY;
}

static void answer(struct story *s, struct node *n)
{
    struct reply reply = n->reply;

    forget_request(n);
    assert(reply_fits(&n->request, n->m.owner, &reply));
    step(s, n, (struct member_event){.type = EVENT_REPLY, .reply = &reply});
}

/* A request is not cancelled: the connection is closed. */
static void time_up(struct story *s, struct node *n)
{
    struct reply unknown = {.outcome = OUTCOME_UNKNOWN, .epoch = s->arbiter.epoch};

    forget_request(n);
    n->connected = false;
    n->connect_at = n->online ? s->now + RECONNECT_USEC : USEC_INFINITY;
    step(s, n, (struct member_event){.type = EVENT_REPLY, .reply = &unknown});
}

static void look_answered(struct story *s, struct node *n)
{
    struct host_state local;

    host_local(n, &local);
    n->look_at = USEC_INFINITY;
    n->look_again_at = s->now + LOOK_AGAIN_USEC;
    step(s, n, (struct member_event){.type = EVENT_HOST, .host = &local});
}

static void hinted(struct story *s, struct node *n)
{
    struct release_notice notice = n->hint;

    n->hint_at = USEC_INFINITY;
    step(s, n, (struct member_event){.type = EVENT_HINT, .notice = &notice});
}

static void healed(struct story *s, struct node *n)
{
    host_healed(s, n);
    step(s, n,
         (struct member_event){
             .type = EVENT_HEALED, .asked_at = n->heal_asked_at, .answered = true});
}

static void started(struct story *s, struct node *n)
{
    n->started_at = USEC_INFINITY;
    step(s, n, (struct member_event){.type = EVENT_STARTED, .error = n->start_error});
}

static void connect_again(struct story *s, struct node *n)
{
    n->connect_at = USEC_INFINITY;
    n->connected = true;
    event(s, n, EVENT_CONNECTED);
}

static usec_t send_at(const struct node *n)
{
    return n->connected ? member_due(&n->m) : USEC_INFINITY;
}

static void send_now(struct story *s, struct node *n)
{
    step(s, n,
         (struct member_event){
             .type = EVENT_SEND, .nonce = fresh_nonce(s), .fit = true, .may_claim = true});
}

/* What an agent waits for, the first of several at one time first. */
static const struct {
    void (*turn)(struct story *s, struct node *n);
    size_t at; /* of the member of struct node with the time */
} waits[] = {
    {execute, offsetof(struct node, execute_at)},
    {answer, offsetof(struct node, reply_at)},
    {started, offsetof(struct node, started_at)},
    {look_answered, offsetof(struct node, look_at)},
    {hinted, offsetof(struct node, hint_at)},
    {healed, offsetof(struct node, healed_at)},
    {time_up, offsetof(struct node, time_up_at)},
    {connect_again, offsetof(struct node, connect_at)},
};

static usec_t wait_at(const struct node *n, size_t i)
{
    usec_t at;

    memcpy(&at, (const char *)n + waits[i].at, sizeof at);
    return at;
}

usec_t node_next(const struct node *n)
{
    usec_t next = host_next(n);

    if (!n->agent)
        return next;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
        next = usec_min(next, wait_at(n, i));
    next = usec_min(next, usec_min(send_at(n), member_wake(&n->m)));
    return usec_min(next, n->look_again_at);
}

static bool turn_wait(struct story *s, struct node *n)
{
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
        if (wait_at(n, i) <= s->now) {
            waits[i].turn(s, n);
            return true;
        }
    return false;
}

void node_turn(struct story *s, struct node *n)
{
    if (host_turn(s, n) || !n->agent || turn_wait(s, n))
        return;
    if (member_wake(&n->m) <= s->now)
        event(s, n, EVENT_CLOCK);
    else if (send_at(n) <= s->now)
        send_now(s, n);
    else if (n->look_again_at <= s->now) {
        n->look_again_at = USEC_INFINITY;
        host_poll(n, s->now);
    }
}

static void forget_all(struct node *n)
{
    forget_request(n);
    n->connect_at = n->hint_at = n->look_at = n->look_again_at = USEC_INFINITY;
    n->started_at = n->healed_at = USEC_INFINITY;
    n->connected = false;
    n->renewals = 0;
    n->has_read = false;
}

void agent_begin(struct story *s, struct node *n)
{
    char owner[OWNER_MAX + 1];

    forget_all(n);
    n->agent = true;
    (void)snprintf(owner, sizeof owner, "%s/%032x", n->name, n->number + 1);
    member_init(&n->m, owner);
    step(s, n, (struct member_event){.type = EVENT_RESUME, .budget = &s->budget});
    host_poll(n, s->now);
    if (n->online)
        n->connect_at = s->now + WAY_USEC;
}

void node_configure(struct story *s, struct node *n, usec_t lease)
{
    struct budget b;
    int r = budget_compute(lease, STORY_STOP_USEC, &b);

    assert(r == 0);
    step(s, n, (struct member_event){.type = EVENT_RESUME, .budget = &b});
}

void agent_end(struct node *n)
{
    forget_all(n);
    n->agent = false;
}

void node_stop(struct story *s, struct node *n)
{
    event(s, n, EVENT_STOP);
}

void node_cut(struct node *n)
{
    n->online = false;
    n->execute_at = n->reply_at = n->hint_at = USEC_INFINITY;
}

void node_mend(struct story *s, struct node *n)
{
    n->online = true;
    if (n->agent && !n->connected)
        n->connect_at = s->now + RECONNECT_USEC;
}

void node_power_off(struct node *n)
{
    agent_end(n);
    node_cut(n);
    n->keeper = KEEPER_NONE;
}

void node_hint(struct story *s, struct node *n, const struct release_notice *notice)
{
    if (!n->agent || !n->online || !n->connected)
        return;
    n->hint = *notice;
    n->hint_at = s->now + WAY_USEC;
}
