/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants. What they need to know they note down themselves, from what really happened in
 * the model and from what an agent was really told; they never believe the member. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define BUSY_PER_SECOND_MAX 50u
#define LIVE_MARGIN_USEC (15 * USEC_PER_SEC)
#define SHORT_WAIT_USEC (2 * USEC_PER_SEC)
#define LIVE_MAX_USEC (1300 * USEC_PER_SEC) /* with all backoffs */

static bool same_nonce(const struct nonce *a, const struct nonce *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static bool same_epoch(const struct epoch *a, const struct epoch *b)
{
    return a->system_id == b->system_id && a->timeline == b->timeline;
}

/* ---- asking ---- */

static void check_claim(struct world *w, const struct node *n, struct exchange *x)
{
    const struct witness *v = &n->witness;
    const struct request *q = &x->request;
    usec_t lease = v->record.lease;
    bool same = v->seen && v->record.term == q->expected_term &&
                same_nonce(&v->record.nonce, &q->expected_nonce) &&
                same_epoch(&v->epoch, &q->epoch);
    bool hearsay = v->was_told && v->told.term == q->expected_term &&
                   same_nonce(&v->told.nonce, &q->expected_nonce);

    x->seen_clean = same && v->record.claimable;
    if (x->fit && q->rests_on_clean && hearsay && !x->seen_clean)
        return; /* the arbiter alone can say whether it is true */
    if (!x->fit || !same)
        sim_violate(w, VIOLATION_CLAIM, "n%u claims what it has not seen", n->index);
    else if (q->rests_on_clean && !v->record.claimable)
        sim_violate(w, VIOLATION_CLAIM, "n%u takes the record for clean", n->index);
    else if (!q->rests_on_clean &&
             (x->sent_local - v->since < lease || x->sent_local - v->last > lease / 2))
        sim_violate(w, VIOLATION_CLAIM, "n%u observed for %" PRIu64 " of %" PRIu64 " us", n->index,
                    x->sent_local - v->since, lease);
}

static bool all_dead(const struct node *n)
{
    return !n->running && !n->keeper_alive && !n->has_ticket && n->keeper_unit != UNIT_ACTIVE &&
           n->keeper_unit != UNIT_ACTIVATING;
}

void witness_send(struct world *w, struct node *n, struct exchange *x)
{
    struct witness *v = &n->witness;
    const struct request *q = &x->request;

    if (!x->fit)
        v->seen = false;
    if (q->operation == OPERATION_CLAIM)
        check_claim(w, n, x);
    if (q->operation == OPERATION_RENEW && q->term <= v->released_term)
        sim_violate(w, VIOLATION_RELEASE, "n%u renews term %" PRIu64 " that it released", n->index,
                    q->term);
    if (q->operation != OPERATION_RELEASE)
        return;
    if (!all_dead(n))
        sim_violate(w, VIOLATION_RELEASE, "n%u releases term %" PRIu64 "%s%s%s", n->index, q->term,
                    n->running ? ", units run" : "", n->keeper_alive ? ", the keeper lives" : "",
                    n->has_ticket ? ", the ticket is out" : "");
    if (q->term > v->released_term)
        v->released_term = q->term;
}

void witness_told(struct node *n, const struct told *told)
{
    n->witness.was_told = true;
    n->witness.told = *told;
}

void witness_answer(struct world *w, struct node *n, const struct exchange *x,
                    const struct reply *told)
{
    struct witness *v = &n->witness;
    const struct record *r = &told->record;
    usec_t now = sim_local(w, n);

    if (told->outcome == OUTCOME_GRANTED &&
        (x->request.operation == OPERATION_CLAIM || x->request.operation == OPERATION_RENEW)) {
        usec_t deadline = x->sent_local + r->duration;

        v->acked_deadline =
            r->term == v->acked_term ? usec_max(v->acked_deadline, deadline) : deadline;
        v->acked_term = r->term;
    }
    if (!told->has_record)
        return;
    if (!v->seen || v->record.term != r->term || !same_nonce(&v->record.nonce, &r->nonce) ||
        !same_epoch(&v->epoch, &told->epoch) || now - v->last > r->lease / 2)
        v->since = now;
    v->seen = x->fit;
    v->last = now;
    v->record = *r;
    v->epoch = told->epoch;
}

/* ---- at the arbiter ---- */

void witness_claimed(struct world *w, const struct exchange *x, const struct record *r)
{
    struct server *s = &w->server;

    if (r->term <= s->highest_term)
        sim_violate(w, VIOLATION_TERM_REUSED, "%" PRIu64 " after %" PRIu64, r->term,
                    s->highest_term);
    /* In true time, by the fastest clock that is allowed. */
    if (!x->request.rests_on_clean &&
        usec_sub(x->sent, s->written_at) < s->row.lease - s->row.lease / 999)
        sim_violate(w, VIOLATION_CLAIM, "n%u claims %" PRIu64 " us after the last write", x->node,
                    usec_sub(x->sent, s->written_at));
    if (x->request.rests_on_clean && !(s->row.clean && same_epoch(&s->row_epoch, &s->epoch)))
        sim_violate(w, VIOLATION_CLAIM, "n%u claims as clean what is not", x->node);
    s->highest_term = r->term;
    if (x->request.rests_on_clean && !x->seen_clean)
        w->coverage->told_claims++;
    else if (x->request.rests_on_clean)
        w->coverage->clean_claims++;
    else
        w->coverage->observed_claims++;
}

void witness_released(struct world *w, const struct exchange *x)
{
    const struct node *n = &w->nodes[x->node];

    w->coverage->releases++;
    if (n->running)
        sim_violate(w, VIOLATION_RELEASE, "clean, but n%u runs", n->index);
}

/* ---- on a host ---- */

void witness_ticket(struct world *w, struct node *n, const struct ticket *t)
{
    const struct witness *v = &n->witness;

    w->coverage->tickets++;
    for (unsigned i = 0; i < w->n_ticketed; i++)
        if (w->ticketed[i] == t->term)
            sim_violate(w, VIOLATION_SECOND_TICKET, "n%u, term %" PRIu64, n->index, t->term);
    assert(w->n_ticketed < SIM_TICKETS_MAX);
    w->ticketed[w->n_ticketed++] = t->term;
    if (t->term <= v->released_term)
        sim_violate(w, VIOLATION_TICKET, "n%u, term %" PRIu64 " was released", n->index, t->term);
    if (n->running || n->keeper_alive)
        sim_violate(w, VIOLATION_TICKET, "n%u is not empty", n->index);
    witness_extend(w, n, t->term, t->deadline);
}

void witness_extend(struct world *w, const struct node *n, uint64_t term, usec_t deadline)
{
    const struct witness *v = &n->witness;

    if (term != v->acked_term || deadline > v->acked_deadline)
        sim_violate(w, VIOLATION_DEADLINE,
                    "n%u, term %" PRIu64 " until %" PRIu64 "; told %" PRIu64 " until %" PRIu64,
                    n->index, term, deadline, v->acked_term, v->acked_deadline);
}

void witness_keeper(struct world *w, const struct node *n)
{
    if (n->keeper.term <= w->started_term)
        sim_violate(w, VIOLATION_TERM_REUSED, "a keeper of term %" PRIu64 " after %" PRIu64,
                    n->keeper.term, w->started_term);
    w->started_term = n->keeper.term;
}

void witness_running(struct world *w, struct node *n)
{
    w->coverage->takeovers++;
    for (unsigned i = 0; i < w->n_nodes; i++)
        if (i != n->index && w->nodes[i].running)
            sim_violate(w, VIOLATION_TWO_LEADERS, "n%u starts its units while n%u runs them",
                        n->index, i);
}

/* Whatever happened up to now, with this node's processes as they were. */
void witness_step(struct world *w, const struct node *n)
{
    usec_t now = sim_local(w, n);

    if (!n->running)
        return;
    if (!n->stop_begun && now > n->run.deadline + BUDGET_SLACK_USEC + TOLD_USEC)
        sim_violate(w, VIOLATION_STOP, "n%u, term %" PRIu64 ": %" PRIu64 " us after the deadline",
                    n->index, n->run.term, now - n->run.deadline);
    if (now > n->run.deadline + BUDGET_SLACK_USEC + n->run.stop + budget_kill(n->run.lease))
        sim_violate(w, VIOLATION_ALIVE, "n%u, term %" PRIu64 ": %" PRIu64 " us after the deadline",
                    n->index, n->run.term, now - n->run.deadline);
}

void witness_busy(struct world *w, struct node *n, unsigned *count, const char *what)
{
    if (w->now - n->window >= USEC_PER_SEC) {
        n->window = w->now;
        n->sends = n->clocks = n->looks = 0;
    }
    if (++*count > BUSY_PER_SECOND_MAX)
        sim_violate(w, VIOLATION_SPINNING, "n%u: %u %s within a second", n->index, *count, what);
}

/* ---- when all is well again ---- */

static bool leads(const struct node *n)
{
    return n->alive && n->running && n->member.state == MEMBER_LEADING;
}

static usec_t longest_lease(const struct world *w)
{
    usec_t lease = w->server.row.lease;

    for (unsigned i = 0; i < w->n_nodes; i++)
        lease = usec_max(lease, w->nodes[i].budget.lease);
    return lease;
}

/* Does nobody wait after starts that failed? (What a member waits for otherwise is short.) */
static bool somebody_may_claim(const struct world *w)
{
    for (unsigned i = 0; i < w->n_nodes; i++) {
        const struct node *n = &w->nodes[i];

        if (n->alive && !n->retired &&
            n->member.not_before <= usec_add(sim_local(w, n), SHORT_WAIT_USEC))
            return true;
    }
    return false;
}

static void nobody_leads(struct world *w)
{
    if (!somebody_may_claim(w))
        w->leader_since = w->now;
    if (w->now - w->leader_since > 3 * longest_lease(w) + LIVE_MARGIN_USEC ||
        w->now - w->quiet_at > LIVE_MAX_USEC)
        sim_violate(w, VIOLATION_NO_LEADER, "for %" PRIu64 " s",
                    (w->now - w->quiet_at) / USEC_PER_SEC);
}

void witness_check(struct world *w)
{
    if (w->leader >= 0) {
        const struct node *n = &w->nodes[w->leader];

        if (!leads(n) || n->member.term != w->leader_term)
            sim_violate(w, VIOLATION_UNREST, "n%u led term %" PRIu64 ", and gave up: %s", n->index,
                        w->leader_term, member_reason_text(n->member.reason));
        else if (w->now - w->leader_since > 2 * longest_lease(w))
            w->done = true;
        return;
    }
    for (unsigned i = 0; i < w->n_nodes; i++)
        if (leads(&w->nodes[i])) {
            w->leader = (int)i;
            w->leader_term = w->nodes[i].member.term;
            w->leader_since = w->now;
            return;
        }
    if (w->leader_since == 0)
        w->leader_since = w->now;
    nobody_leads(w);
}
