/* SPDX-License-Identifier: Apache-2.0 */
/* The simulation's invariants that a single state or step can violate. What they need to know they
 * note down themselves, from what happened and from what came to an agent; they never believe the
 * member. */
#include <inttypes.h>
#include <string.h>

#include "search.h"

static bool all_dead(const struct node *n)
{
    return !n->running && !n->keeper_alive && !n->has_ticket && n->unit != UNIT_ACTIVE;
}

static void check_claim(struct world *w, struct node *n, const struct request *q, bool fit)
{
    const struct witness *v = &n->witness;
    bool same = v->seen && v->term == q->expected_term && v->life == q->epoch.started &&
                nonce_equal(&v->nonce, &q->expected_nonce);
    bool announced = v->was_notified && v->notice.term == q->expected_term &&
                     nonce_equal(&v->notice.nonce, &q->expected_nonce);
    usec_t now = SEARCH_NOW(grid), lease = grid.budget.lease;

    coverage.covers[COVER_CLAIM_NOTICE] +=
        fit && q->rests_on_clean && announced && !(same && v->claimable);
    coverage.covers[COVER_CLAIM_CLEAN] += same && v->claimable && q->rests_on_clean;
    coverage.covers[COVER_CLAIM_OBSERVED] += same && !q->rests_on_clean;
    coverage.covers[COVER_CLAIM_RECONNECTED] += same && !q->rests_on_clean && v->reconnected;
    if (fit && q->rests_on_clean && announced && !(same && v->claimable))
        return; /* the arbiter alone can say whether it is true */
    if (!fit || !same)
        world_violate(w, VIOLATION_CLAIM, "%c claims what it has not seen", n->name);
    else if (q->rests_on_clean && !v->claimable)
        world_violate(w, VIOLATION_CLAIM, "%c takes the record for clean", n->name);
    else if (!q->rests_on_clean && (now - v->since < lease || now - v->last > lease / 2))
        world_violate(w, VIOLATION_CLAIM, "%c has not observed for a lease", n->name);
}

void checker_send(struct world *w, struct node *n, struct exchange *x, bool fit)
{
    struct witness *v = &n->witness;
    const struct request *q = &x->request;

    if (!fit)
        v->seen = false;
    if (q->operation == OPERATION_CLAIM)
        check_claim(w, n, q, fit);
    if (q->operation == OPERATION_RENEW && q->term <= v->released_term)
        world_violate(w, VIOLATION_RELEASE, "%c renews a term that it released", n->name);
    if (q->operation != OPERATION_RELEASE)
        return;
    if (!all_dead(n))
        world_violate(w, VIOLATION_RELEASE, "%c releases, and%s%s%s", n->name,
                      n->running ? " units run" : "", n->keeper_alive ? " the keeper lives" : "",
                      n->has_ticket ? " the ticket is out" : "");
    v->released_term = usec_max(v->released_term, q->term);
    x->orphan = q->term != v->own_term;
}

void checker_answer(struct node *n, const struct exchange *x)
{
    struct witness *v = &n->witness;
    const struct reply *reply = &x->reply;
    const struct record *r = &reply->record;
    enum operation operation = n->member.operation;
    bool fit = n->member.sent_fit;
    usec_t now = SEARCH_NOW(grid);

    if (!x->stale && reply->outcome == OUTCOME_GRANTED &&
        (operation == OPERATION_CLAIM || operation == OPERATION_RENEW)) {
        usec_t deadline = n->member.sent_at + r->duration;

        v->acked_deadline =
            r->term == v->acked_term ? usec_max(v->acked_deadline, deadline) : deadline;
        v->acked_term = v->own_term = r->term;
    }
    if (!reply->has_record)
        return;
    if (!v->seen || v->term != r->term || !nonce_equal(&v->nonce, &r->nonce) ||
        v->life != reply->epoch.started || now - v->last > grid.budget.lease / 2) {
        v->since = now;
        v->reconnected = false;
    }
    v->life = reply->epoch.started;
    v->seen = fit;
    v->last = now;
    v->term = r->term;
    v->nonce = r->nonce;
    v->claimable = r->claimable;
}

/* Whether or not somebody makes use of it: as long as anybody may run, nobody else is granted a
 * term. */
static void check_others_are_over(struct world *w, const struct exchange *x)
{
    for (unsigned i = 0; i < grid.nodes; i++) {
        const struct node *n = &w->nodes[i];
        usec_t over = n->witness.acked_deadline + grid.budget.stop + grid.rest;

        if (i != x->node && n->witness.acked_term > 0 && over > SEARCH_NOW(grid))
            world_violate(w, VIOLATION_CLAIM, "%c claims before the term of %c is over",
                          w->nodes[x->node].name, n->name);
    }
}

/* In true time, by the fastest clock that is allowed. */
void checker_claimed(struct world *w, const struct exchange *x)
{
    usec_t wait = grid.budget.lease - grid.skew_max * grid.tick;

    if (x->request.rests_on_clean && !w->row.clean)
        world_violate(w, VIOLATION_CLAIM, "%c claims as clean what is not", w->nodes[x->node].name);
    if (!w->row.clean && x->request.epoch.started != w->life)
        world_violate(w, VIOLATION_CLAIM, "%c claims what it saw before a restart",
                      w->nodes[x->node].name);
    if (!w->row.clean && x->age < wait)
        world_violate(w, VIOLATION_CLAIM, "%c claims too soon after the last write",
                      w->nodes[x->node].name);
    check_others_are_over(w, x);
    coverage.covers[COVER_TERM_AFTER_DEADLINE] += !w->row.clean && w->row.term > 0;
}

void checker_released(struct world *w, const struct exchange *x)
{
    struct node *n = &w->nodes[x->node];

    n->witness.acked_term = 0;
    n->witness.acked_deadline = 0;
    if (n->running && n->run.term <= x->request.term)
        world_violate(w, VIOLATION_RELEASE, "the record is clean, but %c runs", n->name);
    if (w->row.term != x->request.term || !arbiter_named(&x->request, &w->row.nonce))
        world_violate(w, VIOLATION_RELEASE, "%c gave back what it had not seen last", n->name);
    /* More than an interval, so that on the grid it is a tick; by a clock that gains one, none. */
    if (x->orphan && x->age < (w->skew < grid.skew_max ? 0 : grid.tick))
        world_violate(w, VIOLATION_ORPHAN, "by %c", n->name);
}

void checker_copy(struct world *w, const struct node *n)
{
    world_violate(w, VIOLATION_COPY, "by %c", n->name);
}

void checker_ticket(struct world *w, struct node *n, const struct paper *t)
{
    struct witness *v = &n->witness;

    if (t->term <= v->ticketed_term)
        world_violate(w, VIOLATION_SECOND_TICKET, "by %c", n->name);
    v->ticketed_term = usec_max(v->ticketed_term, t->term);
    if (t->term <= v->released_term)
        world_violate(w, VIOLATION_TICKET, "%c had released that term", n->name);
    if (n->running || n->keeper_alive)
        world_violate(w, VIOLATION_TICKET, "%c is not empty", n->name);
    checker_extend(w, n, t);
}

void checker_extend(struct world *w, const struct node *n, const struct paper *t)
{
    const struct witness *v = &n->witness;

    if (t->term != v->acked_term || t->deadline > v->acked_deadline)
        world_violate(w, VIOLATION_DEADLINE, "%c: nothing says so", n->name);
}

/* The keeper has believed a message: run.deadline is still the one from before. */
void checker_extended(struct world *w, const struct node *n)
{
    if (SEARCH_NOW(grid) >= n->run.deadline)
        world_violate(w, VIOLATION_STOP, "%c goes on after its deadline", n->name);
}

void checker_keeper(struct world *w, const struct node *n)
{
    uint64_t term = n->keeper.term;

    if (term <= w->started_term)
        world_violate(w, VIOLATION_TERM_REUSED, "a keeper of %c by a term that had one", n->name);
    w->started_term = usec_max(w->started_term, term);
}

void checker_started(struct world *w, const struct node *n)
{
    if (SEARCH_NOW(grid) > n->run.deadline)
        world_violate(w, VIOLATION_STOP, "%c starts units after its deadline", n->name);
}

/* A tick has begun: what was promised to be done before it is done. */
void checker_tick(struct world *w, const struct node *n)
{
    usec_t now = SEARCH_NOW(grid);

    if (!n->running)
        return;
    if (!n->stop_begun && now > n->run.deadline)
        world_violate(w, VIOLATION_STOP, "%c", n->name);
    if (now >= n->run.deadline + grid.budget.stop + grid.rest)
        world_violate(w, VIOLATION_ALIVE, "%c", n->name);
}

void checker_state(struct world *w)
{
    unsigned running = 0;

    for (unsigned i = 0; i < grid.nodes; i++)
        running += w->nodes[i].running;
    if (running > 1)
        world_violate(w, VIOLATION_TWO_LEADERS, "%u run units at once", running);
}
