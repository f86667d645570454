/* SPDX-License-Identifier: Apache-2.0 */
/* The record, with the conditions of agent/arbiter/schema.sql for the method lease, and one
 * history. Executed is committed: a request in between finds the row locked, which is a
 * deviation. */
#include <assert.h>
#include <string.h>

#include "search.h"

/* One that no state knows: names are given again whenever a state is packed. */
struct nonce arbiter_nonce(struct world *w)
{
    struct nonce nonce = {{0}};

    nonce.bytes[0] = w->next_nonce++;
    return nonce;
}

static bool claim(const struct world *w, const struct exchange *x, struct record *ret)
{
    const struct record *r = &w->row;
    const struct request *q = &x->request;
    bool lives = q->epoch.started == w->life || broken == BREAK_CLAIM_OF_ANOTHER_LIFE;
    bool unchanged = r->term == q->expected_term && (broken == BREAK_CLAIM_IGNORES_NONCE ||
                                                     nonce_equal(&r->nonce, &q->expected_nonce));
    bool may = r->clean || broken == BREAK_CLEAN_UNTESTED || !q->rests_on_clean;
    uint64_t term = usec_max(r->term + 1, ((uint64_t)SEARCH_TIMELINE << TERM_TIMELINE_SHIFT) + 1);

    if (!lives || !unchanged || !may)
        return false;
    if (broken == BREAK_TERM_NOT_RAISED && r->term > 0)
        term = r->term;
    *ret = (struct record){.term = usec_max(term, broken ? 0 : q->term_floor),
                           .nonce = q->fresh_nonce,
                           .lease = q->lease,
                           .stop = q->stop,
                           .duration = q->duration};
    memcpy(ret->owner, x->owner, sizeof ret->owner);
    return true;
}

bool arbiter_named(const struct request *q, const struct nonce *nonce)
{
    for (unsigned i = 0; i < q->n_known; i++)
        if (nonce_equal(&q->known[i], nonce))
            return true;
    return false;
}

static bool renew(const struct record *r, const struct exchange *x, struct record *ret)
{
    const struct request *q = &x->request;
    bool ours =
        r->term == q->term && strcmp(r->owner, x->owner) == 0 && arbiter_named(q, &r->nonce);

    if (r->clean || (!ours && broken != BREAK_RENEWS_ANYBODYS))
        return false;
    *ret = *r;
    ret->nonce = x->request.fresh_nonce;
    return true;
}

static bool release(const struct record *r, const struct exchange *x, struct record *ret)
{
    const struct request *q = &x->request;
    bool term = r->term == q->term || broken == BREAK_RELEASE_IGNORES_TERM;
    bool nonce = arbiter_named(q, &r->nonce) || broken == BREAK_RELEASE_IGNORES_NONCE ||
                 broken == BREAK_RELEASE_IGNORES_TERM;

    if (!term || !nonce || r->clean || strcmp(r->owner, x->owner) != 0)
        return false;
    *ret = *r;
    ret->clean = true;
    return true;
}

static bool wanted(const struct world *w, const struct exchange *x, struct record *ret)
{
    switch (x->request.operation) {
    case OPERATION_CLAIM:
        return claim(w, x, ret);
    case OPERATION_RENEW:
        return renew(&w->row, x, ret);
    case OPERATION_RELEASE:
        return release(&w->row, x, ret);
    case OPERATION_OBSERVE:
    case OPERATION_CONFIRM_DEAD: /* no operator in this world */
        return false;
    }
    return false;
}

/* A request that nobody waits for any more, and that can never be granted again: terms only grow,
 * no nonce comes back, and neither does a life of the server. */
bool arbiter_is_void(const struct world *w, const struct exchange *x)
{
    struct record ignored;

    return x->request.operation == OPERATION_OBSERVE || (!broken && !wanted(w, x, &ignored));
}

static void tell_everybody(struct world *w, const struct record *r)
{
    for (unsigned i = 0; i < grid.nodes; i++) {
        struct node *n = &w->nodes[i];

        if (!n->alive || !n->connected)
            continue;
        n->hint = PENDING_NOW;
        n->notice = (struct release_notice){.term = r->term, .nonce = r->nonce};
    }
}

static void count(const struct exchange *x, bool granted)
{
    bool stray = !x->answered && x->late;

    switch (x->request.operation) {
    case OPERATION_CLAIM:
        coverage.covers[COVER_CLAIM_DENIED] += !granted;
        coverage.covers[COVER_STRAY_CLAIM] += granted && stray;
        return;
    case OPERATION_RENEW:
        coverage.covers[COVER_RENEWED] += granted;
        coverage.covers[COVER_STRAY_RENEWAL] += granted && stray;
        return;
    case OPERATION_RELEASE:
        coverage.covers[COVER_RELEASED] += granted;
        coverage.covers[COVER_STRAY_RELEASE] += granted && stray;
        return;
    case OPERATION_OBSERVE:
    case OPERATION_CONFIRM_DEAD:
        return;
    }
}

/* Whatever is under way was sent before this. */
static void written(struct world *w)
{
    w->written_at = SEARCH_NOW(grid);
    for (unsigned i = 0; i < grid.nodes; i++)
        w->nodes[i].x.age = 0;
    for (unsigned i = 0; i < SEARCH_STRAYS_MAX; i++)
        w->strays[i].age = 0;
}

static void write_row(struct world *w, struct exchange *x, const struct record *after)
{
    if (x->request.operation == OPERATION_CLAIM)
        checker_claimed(w, x);
    if (x->request.operation == OPERATION_CLAIM && after->term <= w->row.term)
        world_violate(w, VIOLATION_TERM_REUSED, "a claim that raises no term");
    if (x->request.operation == OPERATION_RELEASE)
        checker_released(w, x);
    else
        written(w);
    w->row = *after;
    w->row.claimable = w->row.clean;
    if (x->request.operation == OPERATION_RELEASE)
        tell_everybody(w, &w->row);
}

static bool released_before(const struct world *w, const struct exchange *x)
{
    return x->request.operation == OPERATION_RELEASE && w->row.clean &&
           w->row.term == x->request.term && strcmp(w->row.owner, x->owner) == 0;
}

/* What it is refused with. */
static enum outcome refusal(const struct world *w, const struct exchange *x)
{
    const struct request *q = &x->request;
    const struct record *r = &w->row;
    bool keyed = q->operation == OPERATION_RENEW || q->operation == OPERATION_RELEASE;

    return keyed && !r->clean && r->term == q->term && strcmp(r->owner, x->owner) == 0 &&
                   !arbiter_named(q, &r->nonce)
               ? OUTCOME_OTHER_NONCE
               : OUTCOME_DENIED;
}

void arbiter_execute(struct world *w, struct exchange *x, bool locked)
{
    struct record after;
    bool observes = x->request.operation == OPERATION_OBSERVE;
    bool granted = observes || (!locked && wanted(w, x, &after));

    count(x, granted);
    if (granted && !observes)
        write_row(w, x, &after);
    granted = granted || released_before(w, x);
    x->reply =
        (struct reply){.outcome = granted ? OUTCOME_GRANTED : refusal(w, x),
                       .has_record = true,
                       .record = w->row,
                       .epoch = {.system_id = 1, .timeline = SEARCH_TIMELINE, .started = w->life}};
    if (locked && !granted)
        x->reply = (struct reply){.outcome = OUTCOME_UNKNOWN};
    x->sent = false;
    x->answered = true;
    assert(broken || reply_fits(&x->request, x->owner, &x->reply));
}
