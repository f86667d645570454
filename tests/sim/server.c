/* SPDX-License-Identifier: Apache-2.0 */
/* The arbiter: one row, with the conditions of agent/arbiter/schema.sql. A write locks the row from
 * its execution until its commit is durable; until then nobody sees it, and it may still be lost.
 */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define LIES_PERMILLE 10

static struct nonce random_nonce(struct world *w)
{
    struct nonce n;

    for (size_t i = 0; i < sizeof n.bytes; i++)
        n.bytes[i] = (uint8_t)sim_random(w);
    return n;
}

static bool same_nonce(const struct nonce *a, const struct nonce *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

void server_begin(struct world *w)
{
    w->server = (struct server){.epoch = {.system_id = 7000, .timeline = 1}, .era = 1};
}

static bool clean_here(const struct server *s)
{
    return s->row.clean && s->row_epoch.system_id == s->epoch.system_id &&
           s->row_epoch.timeline == s->epoch.timeline;
}

static void reply_with_row(const struct server *s, struct exchange *x, enum outcome outcome)
{
    x->reply = (struct reply){.outcome = outcome, .epoch = s->epoch};
    if (outcome == OUTCOME_UNKNOWN || !s->exists)
        return;
    x->reply.has_record = true;
    x->reply.record = s->row;
    x->reply.record.claimable = clean_here(s);
}

static void answer(struct world *w, uint32_t number, usec_t delay)
{
    struct exchange *x = sim_exchange(w, number);
    struct node *n = &w->nodes[x->node];

    x->reply.arbiter_time = SIM_WALL_USEC + w->now + w->server.clock_set;
    if (x->given_up || x->connection != n->connection || sim_chance(w, w->lost_permille))
        return;
    sim_push(w, (struct happening){.at = w->now + delay,
                                   .kind = AGENT_ANSWER,
                                   .node = x->node,
                                   .life = x->life,
                                   .number = number});
}

static usec_t answer_delay(struct world *w)
{
    return sim_chance(w, w->slow_permille) ? sim_between(w, 0, 3 * USEC_PER_SEC)
                                           : sim_between(w, 100, 2000);
}

static void observe(struct world *w, struct exchange *x)
{
    struct server *s = &w->server;
    const struct request *q = &x->request;

    if (!s->exists) {
        s->exists = true;
        s->row = (struct record){
            .nonce = random_nonce(w), .lease = q->lease, .stop = q->stop, .duration = q->duration};
        s->row_epoch = s->epoch;
        s->written_at = w->now;
    }
    reply_with_row(s, x, OUTCOME_GRANTED);
}

/* The row as it shall be; false: the condition does not hold. */
static bool claim(struct world *w, const struct exchange *x, struct record *ret)
{
    const struct server *s = &w->server;
    const struct request *q = &x->request;
    bool unchanged = s->exists && s->row.term == q->expected_term &&
                     (w->mutation == MUTATION_CLAIM_IGNORES_NONCE ||
                      same_nonce(&s->row.nonce, &q->expected_nonce));

    if (!unchanged || q->epoch.system_id != s->epoch.system_id ||
        q->epoch.timeline != s->epoch.timeline ||
        (q->rests_on_clean && !clean_here(s) && w->mutation != MUTATION_CLEAN_UNTESTED))
        return false;

    uint64_t term = s->row.term + 1, floor = (s->epoch.timeline << 32) + 1;

    if (term < floor)
        term = floor;
    if (term < q->term_floor)
        term = q->term_floor;
    *ret = (struct record){.term = term,
                           .nonce = q->fresh_nonce,
                           .lease = q->lease,
                           .stop = q->stop,
                           .duration = q->duration};
    memcpy(ret->owner, x->owner, sizeof ret->owner);
    return true;
}

static bool renew(const struct world *w, const struct exchange *x, struct record *ret)
{
    const struct server *s = &w->server;
    bool ours = s->row.term == x->request.term && strcmp(s->row.owner, x->owner) == 0;

    if (!s->exists || s->row.clean || (!ours && w->mutation != MUTATION_RENEWS_ANYBODYS))
        return false;
    *ret = s->row;
    ret->nonce = x->request.fresh_nonce;
    return true;
}

static bool release(const struct world *w, const struct exchange *x, struct record *ret)
{
    const struct server *s = &w->server;

    if (!s->exists || s->row.term != x->request.term || strcmp(s->row.owner, x->owner) != 0 ||
        !same_nonce(&s->row.nonce, &x->request.expected_nonce))
        return false;
    *ret = s->row;
    ret->clean = true;
    return true;
}

static bool wanted(struct world *w, const struct exchange *x, struct record *ret)
{
    switch (x->request.operation) {
    case OPERATION_CLAIM:
        return claim(w, x, ret);
    case OPERATION_RENEW:
        return renew(w, x, ret);
    case OPERATION_RELEASE:
        return release(w, x, ret);
    case OPERATION_OBSERVE:
        return false;
    }
    return false;
}

static usec_t commit_delay(struct world *w)
{
    return sim_chance(w, w->slow_permille) ? sim_between(w, 0, 5 * USEC_PER_SEC)
                                           : sim_between(w, 100, 3000);
}

void server_execute(struct world *w, uint32_t number)
{
    struct server *s = &w->server;
    struct exchange *x = sim_exchange(w, number);
    struct record row;

    if (x->era != s->era || w->now < s->down_until)
        return;
    if (x->given_up) { /* the bytes were in the socket before the end was */
        if (sim_chance(w, 300))
            return;
        w->coverage->late_applied++;
    }
    if (x->request.operation == OPERATION_OBSERVE)
        observe(w, x);
    else if (!wanted(w, x, &row))
        reply_with_row(s, x, OUTCOME_DENIED);
    else if (s->writing || w->now < s->locked_until)
        reply_with_row(s, x, OUTCOME_UNKNOWN); /* SKIP LOCKED */
    else {
        s->pending = row;
        s->pending_epoch = x->request.operation == OPERATION_CLAIM ? s->epoch : s->row_epoch;
        s->writing = true;
        s->writer = number;
        sim_push(w, (struct happening){.at = w->now + commit_delay(w),
                                       .kind = SERVER_COMMIT,
                                       .number = number,
                                       .a = s->era});
        return;
    }
    answer(w, number, answer_delay(w));
}

/* Most come with what the exchange left behind, for the claim. */
static void hint_all(struct world *w, uint32_t number)
{
    const struct exchange *x = sim_exchange(w, number);

    for (unsigned i = 0; i < w->n_nodes; i++)
        if (w->nodes[i].connected && !sim_chance(w, w->lost_permille))
            sim_push(w, (struct happening){.at = w->now + sim_between(w, 50, 3000),
                                           .kind = AGENT_HINT,
                                           .node = (uint8_t)i,
                                           .life = w->nodes[i].life,
                                           .number = number,
                                           .a = x->reply.has_record && !sim_chance(w, 100),
                                           .b = w->nodes[i].connection});
}

/* Everybody in the database may send notifications: of what was not given back, or is long past. */
static void lie(struct world *w, uint32_t number)
{
    w->coverage->lies++;
    hint_all(w, sim_chance(w, 300) ? (uint32_t)sim_below(w, w->n_exchanges) : number);
}

static void make_durable(struct world *w)
{
    struct server *s = &w->server;
    const struct exchange *x = sim_exchange(w, s->writer);

    if (x->request.operation == OPERATION_CLAIM)
        witness_claimed(w, x, &s->pending);
    if (x->request.operation == OPERATION_RELEASE)
        witness_released(w, x);
    else
        s->written_at = w->now;
    if (x->given_up)
        w->coverage->unknown_applied++;
    s->older = s->row;
    s->row = s->pending;
    s->row_epoch = s->pending_epoch;
    s->writing = false;
    sim_trace(w, &w->nodes[x->node], "COMMIT %s term %" PRIu64,
              x->request.operation == OPERATION_CLAIM   ? "claim"
              : x->request.operation == OPERATION_RENEW ? "renewal"
                                                        : "release",
              s->row.term);
}

void server_commit(struct world *w, const struct happening *h)
{
    struct server *s = &w->server;

    if (!s->writing || h->a != s->era || h->number != s->writer)
        return;
    make_durable(w);
    struct exchange *x = sim_exchange(w, h->number);

    reply_with_row(s, x, OUTCOME_GRANTED);
    if (x->request.operation == OPERATION_RELEASE)
        hint_all(w, h->number);
    else if (sim_chance(w, LIES_PERMILLE))
        lie(w, h->number);
    answer(w, h->number, answer_delay(w));
}

void server_new_era(struct world *w)
{
    struct server *s = &w->server;

    if (s->writing && sim_chance(w, 500))
        make_durable(w);
    else if (w->mutation == MUTATION_COMMITS_LOST && s->older.lease > 0)
        s->row = s->older;
    s->writing = false;
    s->era++;
    s->locked_until = 0;
}

void server_take_row(struct world *w)
{
    struct server *s = &w->server;

    if (!s->exists || s->writing)
        return;
    s->row.term++;
    s->row.nonce = random_nonce(w);
    s->row.owner[0] = '\0';
    s->row.clean = false;
    s->row_epoch = s->epoch;
    s->older = s->row;
    s->highest_term = usec_max(s->highest_term, s->row.term);
    s->written_at = w->now;
}
